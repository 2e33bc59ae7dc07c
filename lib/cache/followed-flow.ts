import { messageOf, TruncatedError } from '../errors.js'
import { showKey } from '../keys.js'
import type { GrowingReads, Metadata } from '../store/store.js'
import { type FillBytes, FillReader, type FillView } from './fill-reader.js'
import type { Provenance } from './found.js'
import type { Tier } from './tier.js'

/**
 * A body that a fill in another thread brings, read from the store while it grows there.
 *
 * Invariants: after `ended` or `failure` is set `end` does not change, and only one of them is ever set; the bytes are held
 * from the beginning, and let go once, when the flow is closed, the last reader left and nothing is on loan.
 */
export class FollowedFlow implements FillView, FillBytes, Provenance {
  readonly tier = undefined
  readonly whole = true
  end = 0
  ended = false
  failure: Error | undefined
  stored: string | undefined
  /** Some reader had all that it wanted. */
  wanted = false
  readonly #key: string
  readonly #metadata: Metadata
  readonly #declared: number | undefined
  readonly #growing: GrowingReads
  readonly #tier: Tier
  readonly #onLeft: () => void
  readonly #readers = new Set<FillReader>()
  #letGo: (() => void) | undefined
  #loans = 0
  #closed = false
  /** Where those bytes begin that came last. */
  #last = 0

  /** `metadata.size` is the declared size, or -1. `onLeft` is called when a reader left. @throws when the bytes cannot be held any more. */
  constructor(key: string, metadata: Metadata, growing: GrowingReads, tier: Tier, onLeft: () => void) {
    this.#key = key
    this.#metadata = metadata
    this.#declared = metadata.size < 0 ? undefined : metadata.size
    this.#growing = growing
    this.#tier = tier
    this.#onLeft = onLeft
    this.#letGo = growing.hold()
  }

  get bytes(): FillBytes {
    return this
  }

  get readers(): number {
    return this.#readers.size
  }

  get size(): number | undefined {
    if (this.ended) return this.end
    // As `Flow.size`: nobody could be kept from the end of a body that is declared empty.
    return this.#declared === 0 ? undefined : this.#declared
  }

  /** As `Flow.available`: what completes a declared size is kept back until the leader says that it is the end (I1). */
  get available(): number {
    return !this.ended && this.end === this.#declared ? this.#last : this.end
  }

  get metadata(): Metadata {
    const size = this.size ?? -1
    return size === this.#metadata.size ? this.#metadata : Object.freeze({ ...this.#metadata, size })
  }

  /** Whether one more reader can have the whole value. */
  get joinable(): boolean {
    return this.failure === undefined && !this.#closed
  }

  join(): FillReader {
    const reader = new FillReader(this)
    this.#readers.add(reader)
    return reader
  }

  view(position: number): Uint8Array {
    let view: Uint8Array
    try {
      view = this.#growing.view(position)
    } catch (error) {
      this.#tier.failures += 1
      throw this.#brokenOff(position, error as Error)
    }
    // Nothing where there is something would be taken for the end.
    if (view.length === 0) throw this.#brokenOff(position, new Error('the store has no more'))
    return view
  }

  /** `size` bytes are there. */
  grown(size: number): void {
    if (size <= this.end || this.ended || this.failure !== undefined) return
    this.#last = this.end
    this.end = size
    this.#wake()
  }

  /** All bytes are there, `size` of them. `stored` is the tier that keeps them, or why none does. */
  finish(size: number, stored: string): void {
    if (this.ended || this.failure !== undefined) return
    if (size < this.end || (this.#declared !== undefined && size !== this.#declared)) {
      return this.fail(new Error(`the store has ${size} bytes of it`))
    }
    this.end = size
    this.ended = true
    this.stored = stored
    this.#wake()
  }

  /** No more bytes will come than the first `size`: readers get those, then `ERR_DREY_TRUNCATED`. */
  fail(cause: Error, size = this.end): void {
    if (this.ended || this.failure !== undefined) return
    this.grown(size)
    this.failure = this.#brokenOff(this.end, cause)
    this.stored = 'truncated'
    this.#wake()
  }

  /** Nobody joins any more. */
  close(): void {
    this.#closed = true
    this.#letGoIfDone()
  }

  onAdvance(): void {
    // How far its readers are is nothing to the leader.
  }

  onLend(): void {
    this.#loans += 1
  }

  onReturn(): void {
    this.#loans -= 1
    this.#letGoIfDone()
  }

  onLeave(reader: FillReader): void {
    this.#readers.delete(reader)
    if (reader.content) this.wanted = true
    this.#letGoIfDone()
    this.#onLeft()
  }

  #letGoIfDone(): void {
    const letGo = this.#letGo
    if (letGo === undefined || !this.#closed || this.#readers.size > 0 || this.#loans > 0) return
    this.#letGo = undefined
    this.#tier.attempt(letGo, undefined)
  }

  #brokenOff(position: number, cause: Error): TruncatedError {
    return new TruncatedError(
      `the body of ${showKey(this.#key)} broke off after ${position} bytes: ${messageOf(cause)}`,
      { cause },
    )
  }

  #wake(): void {
    for (const reader of this.#readers) reader.wake()
  }
}
