import type { Draft, GrowingReads, Later, Metadata } from '../store/store.js'
import type { NotStored } from './answer.js'
import type { Share } from './backlog.js'
import { FarDraft } from './far-draft.js'
import type { Tier } from './tier.js'
import { Window } from './window.js'

/** The flight that a spool's draft belongs to, where threads share the store. */
export interface SpoolFlight {
  draft(size: number | undefined): Later<Draft | 'no-room' | 'tier-down'>
  /** The draft can be read while it grows. */
  onGrowing(draft: Draft): void
  /** The value will not be kept: `refused` was set. Called once, maybe by the constructor. */
  onRefused(): void
}

/**
 * The bytes of a fill between the origin and its readers.
 *
 * They go, once, into the store's draft, and readers read from there while it grows. Where the draft cannot be
 * read while it grows, or takes no more, they go through a window that is dropped behind the slowest reader. A far
 * draft, also one of a tier below that goes on where a readable one ended, is then written from the window, too, and given up when readers wait for it (I3).
 *
 * Invariants: positions [0, #prefixEnd) are in the readable draft, while there is one; [#window.start, end) in the
 * window, which begins at #prefixEnd or later. `refused` is undefined exactly while the draft has, or is being
 * given, every byte up to `end`; only then may it be committed. A readable draft is held until nobody reads from it.
 */
export class Spool {
  /** Bytes received so far. */
  end = 0
  /** Why the value cannot be kept; undefined while it can. */
  refused: NotStored | undefined
  readonly #tier: Tier
  readonly #flight: SpoolFlight | undefined
  readonly #onProgress: () => void
  /** The draft, while it can be read. */
  #draft: Draft | undefined
  #growing: GrowingReads | undefined
  #letGo: (() => void) | undefined
  #prefixEnd = 0
  #window: Window | undefined
  #far: FarDraft | undefined
  #released = false
  /** Of the memory that windows may have. */
  readonly #share: Share

  /** `onProgress` is called when a far draft took bytes or was refused: there may be room now. */
  constructor(
    tier: Tier,
    key: string,
    declared: number | undefined,
    refused: NotStored | undefined,
    onProgress: () => void,
    flight?: SpoolFlight,
    user?: unknown,
  ) {
    this.#tier = tier
    this.#share = tier.backlog.share()
    this.#flight = flight
    this.#onProgress = onProgress
    const draft = refused ?? (flight === undefined ? tier.draft(key, declared, user) : flight.draft(declared))
    if (typeof draft === 'string') this.#setRefused(draft)
    else if (draft instanceof Promise || draft.growing === undefined) {
      this.#window = new Window(0, tier.scratch)
      this.#writeFar(draft, this.#window, 0)
    } else this.#readFrom(draft, draft.growing)
  }

  /** Whether a reader can still begin at byte 0, and will find every byte. */
  get whole(): boolean {
    if (this.#window === undefined) return this.#draft !== undefined && this.refused === undefined
    return (
      this.#window.start === this.#prefixEnd &&
      (this.#prefixEnd === 0 || (this.#draft !== undefined && this.refused === undefined))
    )
  }

  /** Whether bytes go through the window, at the pace of the readers. */
  get passing(): boolean {
    return this.#draft === undefined || this.#far !== undefined || this.refused !== undefined
  }

  /** Whether the window is full of what a far draft has not taken, while readers have. */
  lagsBehind(slowest: number): boolean {
    return this.#far !== undefined && this.refused === undefined && this.#far.position < slowest
  }

  /** Takes `bytes`; false while the window has no room for them. No reader needs what lies before `slowest`. */
  take(bytes: Uint8Array, slowest: number): Later<boolean> {
    if (this.passing) return this.#pass(bytes, slowest)
    let written: Later<boolean>
    try {
      written = this.#tier.ask(() => this.#draft!.write(bytes))
    } catch {
      // Counted by the tier; what the draft took before can still be read.
      return this.#turnedAway('tier-down', bytes, slowest)
    }
    if (!(written instanceof Promise)) return this.#kept(written, bytes, slowest)
    return written.then(
      (ok) => this.#kept(ok, bytes, slowest),
      () => this.#turnedAway('tier-down', bytes, slowest),
    )
  }

  /** The bytes from `position` on, which is before `end`, without a copy. */
  view(position: number): Uint8Array {
    return position < this.#prefixEnd ? this.#growing!.view(position) : this.#window!.view(position)
  }

  /** Keeps what `view(position)` gives as it is until `letGo(position)`. A draft is held as a whole, by who says when to discard it. */
  hold(position: number): void {
    if (position >= this.#prefixEnd) this.#window!.hold(position)
  }

  letGo(position: number): void {
    if (position >= this.#prefixEnd) this.#window!.letGo(position)
  }

  /** No reader needs what lies before `slowest`, and none will begin; `onLoan` says that some of it may be lent still. */
  discardBefore(slowest: number, onLoan: boolean): void {
    if (slowest >= this.#prefixEnd && !onLoan) this.#dropDraft()
    this.#drop(slowest)
  }

  /** Settles when a far draft has all bytes, or will not get them. */
  drained(): Later<void> {
    return this.refused === undefined ? this.#far?.drained() : undefined
  }

  /** Of a store of several tiers: the one that has the value, once it was committed. */
  get keeper(): string | undefined {
    return this.#far === undefined ? this.#draft?.tier : this.#far.tier
  }

  /** Puts the whole value under its key; says whether the store has it now. Readers may go on reading. */
  commit(metadata: Metadata): Later<boolean> {
    if (this.refused !== undefined) return false
    if (this.#far !== undefined) return this.#far.commit(metadata)
    const draft = this.#draft
    if (draft === undefined) return false
    const committed = this.#tier.ask(() => draft.commit(metadata))
    if (committed === false && draft.fenced === true) this.refuse('fenced')
    return committed
  }

  /** Gives up keeping the value. What a readable draft has is read on until `discardBefore` or `release`. */
  refuse(why: NotStored): void {
    this.#setRefused(why)
    this.#window ??= new Window(this.end, this.#tier.scratch)
    this.#far?.abandon()
  }

  /** No reader is left, and none will come. */
  release(): void {
    this.#released = true
    this.#drop(this.end)
    this.#dropDraft()
  }

  #setRefused(why: NotStored): void {
    if (this.refused !== undefined) return
    this.refused = why
    this.#flight?.onRefused()
  }

  #readFrom(draft: Draft, growing: GrowingReads): void {
    this.#draft = draft
    try {
      this.#letGo = growing.hold()
      this.#growing = growing
      this.#flight?.onGrowing(draft)
    } catch {
      this.#tier.failures += 1
      this.#dropDraft()
      this.refuse('tier-down')
    }
  }

  #dropDraft(): void {
    // After a commit, abort does nothing: the entry stays.
    this.#tier.abort(this.#draft)
    try {
      this.#letGo?.()
    } catch {
      // Nothing reads there any more; that the store cannot let go is its own failure.
      this.#tier.failures += 1
    }
    this.#draft = undefined
    this.#growing = undefined
    this.#letGo = undefined
  }

  #kept(ok: boolean, bytes: Uint8Array, slowest: number): boolean {
    if (!ok) {
      if (this.#draft?.spill !== undefined && !this.#released) return this.#spill(this.#draft, bytes, slowest)
      const tooLarge = this.end + bytes.length > this.#tier.store.maxItemBytes
      return this.#turnedAway(tooLarge ? 'too-large' : 'no-room', bytes, slowest)
    }
    if (this.#released) return true
    this.end += bytes.length
    this.#prefixEnd = this.end
    return true
  }

  /** Goes on in a tier below, which gets what the draft has, too; readers of that read it where it is. */
  #spill(draft: Draft, bytes: Uint8Array, slowest: number): boolean {
    const window = new Window(this.end, this.#tier.scratch)
    this.#window = window
    this.#writeFar(
      this.#tier.begin(() => draft.spill!()),
      window,
      this.end,
    )
    return this.#pass(bytes, slowest)
  }

  #writeFar(draft: Later<Draft | 'no-room' | 'tier-down'>, window: Window, position: number): void {
    const onRefused = (why: NotStored): void => {
      this.refuse(why === 'no-room' && this.end > this.#tier.store.maxItemBytes ? 'too-large' : why)
      this.#onProgress()
    }
    this.#far = new FarDraft(draft, window, this.#tier, { onProgress: this.#onProgress, onRefused }, position)
  }

  #turnedAway(why: NotStored, bytes: Uint8Array, slowest: number): boolean {
    this.refuse(why)
    return this.#pass(bytes, slowest)
  }

  #pass(bytes: Uint8Array, slowest: number): boolean {
    if (this.#released) return true
    this.#window ??= new Window(this.end, this.#tier.scratch)
    const window = this.#window
    // What is going to be refused does not wait for a tier.
    const isTooLarge = this.end + bytes.length > this.#tier.store.maxItemBytes
    const isFar = this.#far !== undefined && this.refused === undefined && !isTooLarge
    const fits = (far: boolean): boolean => this.#share.hold(window.end - window.start + bytes.length, far)
    // What everybody had is kept for those who still want to begin, as long as there is room that is nobody else's.
    if (!fits(false)) {
      this.#drop(Math.min(slowest, this.#farPosition()))
      if (!fits(isFar) && window.end > window.start) return false
    }
    window.push(bytes)
    this.end += bytes.length
    this.#far?.go()
    return true
  }

  #drop(position: number): void {
    const window = this.#window
    if (window === undefined) return
    window.dropBefore(position)
    this.#share.hold(window.end - window.start, false)
  }

  #farPosition(): number {
    return this.#far === undefined || this.refused !== undefined
      ? Number.POSITIVE_INFINITY
      : this.#far.position
  }
}
