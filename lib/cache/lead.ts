import type { Draft, Later, LedFlight, Metadata, StoredEntry } from '../store/store.js'
import { encodeNote, type Note } from './flight-note.js'
import type { Tier } from './tier.js'

/**
 * A flight that this cache leads, as its fill uses it. What fails of it is counted, and costs the followers the
 * sharing, never anybody an answer (I3).
 */
export class Lead {
  readonly #flight: LedFlight
  readonly #tier: Tier

  constructor(flight: LedFlight, tier: Tier) {
    this.#flight = flight
    this.#tier = tier
  }

  /** Whether a change in any thread came between: who asks from now on may not join the fill. */
  get fenced(): boolean {
    return this.#tier.attempt(() => this.#flight.fenced, true)
  }

  /** Whether the fill is worth going on with, though nobody in this thread waits. */
  get awaited(): boolean {
    return this.#tier.attempt(() => this.#flight.followers > 0 || this.#flight.wanted, false)
  }

  /** To be called when the last follower has left. */
  onAlone(callback: () => void): void {
    this.#tier.attempt(() => this.#flight.onAlone(callback), undefined)
  }

  draft(size: number | undefined): Later<Draft | 'no-room' | 'tier-down'> {
    return this.#tier.begin(() => this.#flight.draft(size))
  }

  /** A body arrives in `draft`. */
  grow(draft: Draft, note: Note): void {
    this.#tier.attempt(() => this.#flight.grow(draft, encodeNote(note)), undefined)
  }

  /** What followers are told if the draft is not committed from here on. */
  atEnd(note: Note): void {
    this.#tier.attempt(() => this.#flight.atEnd(encodeNote(note)), undefined)
  }

  /** @throws what the store throws. */
  set(bytes: Uint8Array, metadata: Metadata): Later<boolean | 'fenced'> {
    return this.#tier.ask(() => this.#flight.set(bytes, metadata))
  }

  /** @throws what the store throws. */
  revise(entry: StoredEntry, metadata: Metadata): Later<boolean | 'fenced'> {
    return this.#tier.ask(() => this.#flight.revise(entry, metadata))
  }

  /** Ends the flight, unless it is over: the first note is what followers are told. */
  end(note: Note): void {
    this.#tier.attempt(() => this.#flight.end(encodeNote(note)), undefined)
  }
}

const refuse = (): never => {
  throw new Error('the store could not be asked who calls the origin')
}
const nothing = (): void => undefined

/**
 * What leads where the store fails to say who does: the caller is answered, and nothing is kept, because nothing
 * could keep it from being committed over something newer (I5).
 */
export const UNCLAIMED: LedFlight = {
  leads: true,
  followers: 0,
  wanted: false,
  fenced: true,
  onAlone: nothing,
  draft: refuse,
  grow: nothing,
  atEnd: nothing,
  set: refuse,
  revise: refuse,
  end: nothing,
}
