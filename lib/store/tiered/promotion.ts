import { type Draft, IN_HAND, type Later, type Metadata } from '../store.js'
import type { Level } from './level.js'

/** Bytes that a tier which takes them later may be behind the reader. */
const BEHIND_BYTES = 1024 * 1024

/** Where and whether what is read may be put above. */
export interface PromotionHost {
  /** The tier above that is to have it. */
  readonly level: Level
  /** Whether the key was changed since it was found: then nothing may be put above (I5). */
  isOver(): boolean
  /** It is above now. */
  onKept(): void
  /** It came to its end, either way. Once. */
  onEnd(): void
}

/**
 * Puts an entry of a tier below into one above while somebody reads it from its first byte on. Who reads waits for
 * nothing of it, and what fails of it is counted and costs nothing else (I3).
 *
 * Invariants: bytes [0, `#position`) were offered, in order; a value of at most IN_HAND bytes holds nothing of the tier
 * above before all of it is there, so that a reading that is forgotten leaks nothing (S7); steps that take their time run one after
 * the other, in `#chain`; after `#over` no step begins, and the draft is committed or aborted.
 */
export class Promotion {
  readonly #key: string
  readonly #metadata: Metadata
  readonly #host: PromotionHost
  #position = 0
  /** A small value, as far as it was read. */
  #small: Buffer | undefined
  #draft: Later<Draft | undefined>
  #begun = false
  #chain: Promise<void> | undefined
  #behind = 0
  /** All bytes were offered: it goes on without the reader. */
  #whole = false
  #over = false

  constructor(key: string, metadata: Metadata, host: PromotionHost) {
    this.#key = key
    this.#metadata = metadata
    this.#host = host
  }

  /** `bytes` were read from `position` on. Never throws. They are not looked at after it returned. */
  offer(bytes: Uint8Array, position: number): void {
    if (this.#over || this.#whole) return
    const { size } = this.#metadata
    // A part of a value is none, and what was changed since is not wanted.
    if (position !== this.#position || bytes.length === 0 || this.#host.isOver()) return this.#stop()
    this.#position += bytes.length
    if (size > IN_HAND) this.#put(bytes)
    else if (bytes.length === size) return this.#putSmall(bytes)
    else {
      this.#small ??= Buffer.allocUnsafe(size)
      this.#small.set(bytes, position)
      if (this.#position >= size) return this.#putSmall(this.#small)
    }
    if (this.#position >= size) this.#complete()
  }

  /** The value is empty: there is nothing to be read of it. */
  offerEmpty(): void {
    this.#putSmall(NO_BYTES)
  }

  /** The reader leaves: what it did not read will not come. */
  end(): void {
    if (!this.#whole) this.#stop()
  }

  #putSmall(bytes: Uint8Array): void {
    const { level } = this.#host
    if (level.store.set === undefined) {
      this.#put(bytes)
      return this.#complete()
    }
    this.#whole = true
    this.#keep(() => level.store.set!(this.#key, bytes, this.#metadata))
  }

  #put(bytes: Uint8Array): void {
    if (this.#over) return
    if (!this.#begun && !this.#begin()) return this.#stop()
    const draft = this.#draft
    const near = this.#chain === undefined && !(draft instanceof Promise) && draft?.growing !== undefined
    let mine = bytes
    if (!near) {
      if (this.#behind + bytes.length > BEHIND_BYTES) return this.#stop()
      this.#behind += bytes.length
      mine = Buffer.from(bytes)
    }
    this.#then((to) => {
      if (!near) this.#behind -= mine.length
      return this.#host.level.ask(() => to.write(mine))
    })
  }

  #begin(): boolean {
    this.#begun = true
    const { level } = this.#host
    const { size, user } = this.#metadata
    try {
      this.#draft = level.ask(() => level.store.draft(this.#key, size, user))
      return true
    } catch {
      // Counted by the level; the reader has its bytes.
      return false
    }
  }

  #complete(): void {
    this.#whole = true
    this.#then((draft) => {
      this.#keep(() => draft.commit(this.#metadata))
      return true
    })
  }

  /** Has the tier keep it, unless something newer is there or on its way. */
  #keep(commit: () => Later<boolean>): void {
    const { level, isOver } = this.#host
    const settle = (kept: boolean): void => {
      if (kept) {
        level.promotions += 1
        level.stored(this.#metadata.size)
      }
      if (!kept || this.#over) return this.#stop()
      this.#over = true
      this.#host.onKept()
      this.#host.onEnd()
    }
    if (isOver() || level.isBusy(this.#key)) return this.#stop()
    try {
      const kept = level.exclusive(this.#key, () => !isOver() && commit())
      if (kept instanceof Promise) kept.then(settle, () => this.#stop())
      else settle(kept)
    } catch {
      // Counted by the level.
      this.#stop()
    }
  }

  /** Runs `step` with the draft, after those before. */
  #then(step: (draft: Draft) => Later<boolean>): void {
    const before = this.#chain
    const later = before === undefined ? this.#run(step) : before.then(() => this.#run(step))
    if (later === undefined) return
    const chain: Promise<void> = later.then(() => {
      if (this.#chain === chain) this.#chain = undefined
    })
    this.#chain = chain
  }

  /** Never throws or rejects. */
  #run(step: (draft: Draft) => Later<boolean>): Promise<void> | undefined {
    const withDraft = (draft: Draft | undefined): Later<boolean> =>
      draft !== undefined && !this.#over && step(draft)
    const settle = (ok: boolean): void => {
      if (!ok) this.#stop()
    }
    try {
      const draft = this.#draft
      const done = draft instanceof Promise ? draft.then(withDraft) : withDraft(draft)
      if (done instanceof Promise) return done.then(settle, () => this.#stop())
      settle(done)
    } catch {
      // Counted by the level.
      this.#stop()
    }
    return undefined
  }

  #stop(): void {
    if (this.#over) return
    this.#over = true
    const drop = (draft: Draft | undefined): void => this.#host.level.attempt(() => draft?.abort())
    const abort = (): void => {
      const draft = this.#draft
      if (draft instanceof Promise) draft.then(drop, counted)
      else drop(draft)
    }
    // Not while a write of it is pending.
    if (this.#chain === undefined) abort()
    else void this.#chain.then(abort)
    this.#host.onEnd()
  }
}

const NO_BYTES = new Uint8Array(0)

// Counted by the level.
const counted = (): undefined => undefined
