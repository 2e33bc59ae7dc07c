import type { Draft, Later, Metadata } from '../store/store.js'
import type { NotStored } from './answer.js'
import type { Tier } from './tier.js'
import type { Window } from './window.js'

/** What a far draft tells the spool that it is written from. */
export interface FarDraftEvents {
  /** Bytes were written: the window may drop them. */
  onProgress(): void
  /** The store takes no more, or failed. */
  onRefused(why: NotStored): void
}

/**
 * A draft of a store that answers later, or cannot be read while it grows: written from the window, beside the
 * readers and at its own pace.
 *
 * Invariants: one `#write` runs at a time, and bytes [0, position) were written; once `#over`, nothing more is
 * written, and the draft is aborted as soon as it is there and no write of it is pending, unless it was committed.
 */
export class FarDraft {
  /** Bytes that the store has taken. */
  position: number
  /** As `Draft.tier`, once it was committed. */
  tier: string | undefined
  readonly #draft: Later<Draft | 'no-room' | 'tier-down'>
  readonly #window: Window
  readonly #tier: Tier
  readonly #events: FarDraftEvents
  #writing = false
  #written: Promise<void>
  #over = false

  /** @param position how many bytes the draft has, or will have when it is there */
  constructor(
    draft: Later<Draft | 'no-room' | 'tier-down'>,
    window: Window,
    tier: Tier,
    events: FarDraftEvents,
    position = 0,
  ) {
    this.position = position
    this.#draft = draft
    this.#window = window
    this.#tier = tier
    this.#events = events
    this.#written = this.#write()
  }

  /** There is more in the window. */
  go(): void {
    if (!this.#writing && !this.#over) this.#written = this.#write()
  }

  /** Resolves when all that is in the window was written, or nothing more will be. Never rejects. */
  async drained(): Promise<void> {
    await this.#written
  }

  /** After `drained`. */
  async commit(metadata: Metadata): Promise<boolean> {
    const draft = await this.#draft
    if (typeof draft === 'string' || this.#over || this.position < this.#window.end) return false
    this.tier = draft.tier
    try {
      return await this.#tier.ask(() => draft.commit(metadata))
    } catch (error) {
      this.#tier.abort(draft)
      throw error
    }
  }

  /** Leaves no trace in the store; after a commit it does nothing. */
  abandon(): void {
    if (this.#over) return
    this.#over = true
    if (!this.#writing) void this.#abort()
  }

  async #write(): Promise<void> {
    this.#writing = true
    const refused = await this.#writeAll()
    if (refused !== undefined && !this.#over) {
      this.#over = true
      this.#events.onRefused(refused)
    }
    if (this.#over) await this.#abort()
  }

  /** Writes until there is no more; says why the store takes no more, if so. */
  async #writeAll(): Promise<NotStored | undefined> {
    try {
      const draft = await this.#draft
      if (typeof draft === 'string') return draft
      while (!this.#over && this.position < this.#window.end) {
        const view = this.#window.view(this.position)
        const taken = await this.#give(draft, view)
        if (!taken)
          return this.position + view.length > this.#tier.store.maxItemBytes ? 'too-large' : 'no-room'
        this.position += view.length
        if (!this.#over) this.#events.onProgress()
      }
      return undefined
    } catch {
      // Counted by the tier: a store that fails costs the hit, not the answer (I3).
      return 'tier-down'
    } finally {
      // In the same turn as the last look at the window: what comes after it begins a new `#write`.
      this.#writing = false
    }
  }

  /** What the store is given stays as it is until its promise has settled (S5). */
  async #give(draft: Draft, view: Uint8Array): Promise<boolean> {
    const at = this.position
    this.#window.hold(at)
    try {
      return await this.#tier.ask(() => draft.write(view))
    } finally {
      this.#window.letGo(at)
    }
  }

  async #abort(): Promise<void> {
    const draft = await this.#draft
    if (typeof draft !== 'string') this.#tier.abort(draft)
  }
}
