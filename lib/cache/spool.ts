import type { Draft, Later, Metadata } from '../store/store.js'
import type { NotStored } from './answer.js'

/** Bytes that a body which no store keeps may be ahead of its slowest reader: 1 MiB. */
export const WINDOW_BYTES = 1024 * 1024

/**
 * The bytes of a fill between the origin and its readers.
 *
 * They go, once, into the store's draft, and readers read from there while it grows. Where the draft cannot be
 * read while it grows, or takes no more, they go through a window that is dropped behind the slowest
 * reader; a far draft is then written beside the window, and given up when it falls a window behind, so that a
 * slow store slows no reader (I3).
 *
 * Invariants: positions [0, #prefixEnd) are in a readable draft, [#windowStart, end) in the window, and
 * #windowStart ≥ #prefixEnd. `refused` is undefined exactly while the draft has, or is being given, every byte
 * up to `end`; only then may it be committed.
 */
export class Spool {
  /** Bytes received so far. */
  end = 0
  /** Why the value cannot be kept; undefined while it can. */
  refused: NotStored | undefined
  readonly #maxItemBytes: number
  #readable: Draft | undefined
  #prefixEnd = 0
  #letGo: (() => void) | undefined
  #window: Buffer[] = []
  #windowStart = 0
  /** A draft that is written beside the window, in order, by this chain of promises. */
  #beside: Promise<Draft | undefined> | undefined
  /** Bytes that the chain has not written yet. */
  #lag = 0

  constructor(draft: Later<Draft | undefined>, refused: NotStored | undefined, maxItemBytes: number) {
    this.#maxItemBytes = maxItemBytes
    this.refused = refused
    if (draft instanceof Promise) this.#writeBeside(draft)
    else if (draft?.growing === undefined) {
      if (draft !== undefined) this.#writeBeside(Promise.resolve(draft))
      else this.refused ??= 'no-room'
    } else {
      this.#readable = draft
      this.#letGo = draft.growing.hold()
    }
  }

  /** Whether a reader can still begin at byte 0. */
  get whole(): boolean {
    return this.#windowStart === 0 || (this.#readable !== undefined && this.refused === undefined)
  }

  /** Whether bytes go through the window, to be dropped behind the readers. */
  get passing(): boolean {
    return this.#readable === undefined || this.refused !== undefined
  }

  /** Takes `bytes`; false when the window has no room for them before readers go on. */
  take(bytes: Uint8Array): Later<boolean> {
    if (this.passing) return this.#pass(bytes)
    const written = this.#readable!.write(bytes)
    return written instanceof Promise
      ? written.then((ok) => this.#kept(ok, bytes))
      : this.#kept(written, bytes)
  }

  /** The bytes at `position`, which is before `end`, without a copy. */
  view(position: number): Uint8Array {
    if (position < this.#prefixEnd) return this.#readable!.growing!.view(position)
    let start = this.#windowStart
    for (const piece of this.#window) {
      if (position < start + piece.length) return piece.subarray(position - start)
      start += piece.length
    }
    throw new Error(`spool: position ${position} is not in the window, which begins at ${this.#windowStart}`)
  }

  /** No reader needs what lies before `position` any more; `onLoan` says that some of it may still be lent. */
  discardBefore(position: number, onLoan: boolean): void {
    if (this.refused !== undefined && position >= this.#prefixEnd && !onLoan) this.#dropDraft()
    while (this.#window.length > 0 && this.#windowStart + this.#window[0]!.length <= position) {
      this.#windowStart += this.#window.shift()!.length
    }
  }

  /** Puts the whole value under its key; says whether the store has it now. Readers may go on reading. */
  commit(metadata: Metadata): Later<boolean> {
    if (this.refused !== undefined) return false
    if (this.#readable !== undefined) return this.#readable.commit(metadata)
    const commit = async (): Promise<boolean> => {
      const draft = await this.#beside
      return draft !== undefined && this.refused === undefined && draft.commit(metadata)
    }
    return commit()
  }

  /** Gives up keeping the value; readers may go on reading what is there. */
  refuse(why: NotStored): void {
    this.refused ??= why
    this.#beside = this.#beside?.then((draft) => {
      draft?.abort()
      return undefined
    })
    // A readable draft is aborted with the last reader that needs it; until then its bytes are still read.
  }

  /** No reader is left, and none will come. */
  release(): void {
    this.#window = []
    this.#dropDraft()
  }

  #dropDraft(): void {
    // After a commit, abort does nothing: the entry stays.
    this.#readable?.abort()
    this.#letGo?.()
    this.#readable = undefined
    this.#letGo = undefined
  }

  #kept(ok: boolean, bytes: Uint8Array): boolean {
    if (!ok) {
      this.refuse(this.end + bytes.length > this.#maxItemBytes ? 'too-large' : 'no-room')
      this.#windowStart = this.end
      return this.#pass(bytes)
    }
    this.end += bytes.length
    this.#prefixEnd = this.end
    return true
  }

  #pass(bytes: Uint8Array): boolean {
    const held = this.end - this.#windowStart
    if (held > 0 && held + bytes.length > WINDOW_BYTES) return false
    // The origin may use its memory again once it is asked for the next piece.
    const own = Buffer.from(bytes)
    this.#window.push(own)
    this.end += own.length
    if (this.#beside !== undefined && this.refused === undefined) this.#append(own)
    return true
  }

  #writeBeside(draft: Promise<Draft | undefined>): void {
    this.#beside = draft.then(
      (got) => {
        if (got === undefined) this.refused ??= 'no-room'
        return got
      },
      () => {
        this.refused ??= 'tier-down'
        return undefined
      },
    )
  }

  #append(bytes: Buffer): void {
    this.#lag += bytes.length
    if (this.#lag > WINDOW_BYTES + bytes.length) return this.refuse('tier-down')
    this.#beside = this.#beside?.then((draft) => this.#writeOn(draft, bytes))
  }

  async #writeOn(draft: Draft | undefined, bytes: Buffer): Promise<Draft | undefined> {
    if (draft === undefined) return undefined
    if (this.refused !== undefined) return this.#abandon(draft)
    let why: NotStored = 'too-large'
    try {
      if (await draft.write(bytes)) {
        this.#lag -= bytes.length
        return draft
      }
    } catch {
      // A store that fails costs the hit, not the answer (I3); the reason is kept and counted.
      why = 'tier-down'
    }
    this.refused ??= why
    return this.#abandon(draft)
  }

  #abandon(draft: Draft | undefined): undefined {
    draft?.abort()
    return undefined
  }
}
