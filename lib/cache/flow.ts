import { OriginError, TruncatedError } from '../errors.js'
import { showKey } from '../keys.js'
import type { Later, Metadata } from '../store/store.js'
import type { NotStored } from './answer.js'
import type { Pass } from './fence.js'
import { FillReader, type FillView } from './fill-reader.js'
import type { Provenance } from './found.js'
import { type Pieces, pieceBytes } from './source.js'
import { Spool } from './spool.js'
import type { Tier } from './tier.js'

/** What a flow reports to its fill. */
export interface FlowEvents {
  onFirstPiece(): void
  /** No reader can begin at byte 0 any more. */
  onUnjoinable(): void
  /** Every reader left before it had what it wanted, or nobody reads what cannot be kept. */
  onAbandoned(): void
  /** All bytes came, or none will come any more, and it is settled whether the value is kept. */
  onSettled(): void
}

/** A body as its origin described it. */
export interface Arriving {
  readonly key: string
  readonly pieces: Pieces
  /** Size that the origin declared. */
  readonly declared: number | undefined
  /** Metadata of the value, once its size is known. */
  readonly metadata: (size: number) => Metadata
  /** Why the value may not be kept, if so. */
  readonly refused: NotStored | undefined
}

/**
 * One body on its way from the origin to its readers and into the tier.
 *
 * Invariants: after `ended` or `failure` is set `spool.end` does not change, and only one of them is ever set;
 * the value is committed only when all declared bytes came, no pass was fenced and the spool refused nothing;
 * the spool is released when the flow is settled and the last reader left.
 */
export class Flow implements FillView, Provenance {
  readonly tier = undefined
  readonly spool: Spool
  ended = false
  failure: Error | undefined
  /** The tier that keeps the value, or why none does; undefined until that is known. */
  kept: string | undefined
  readonly #arriving: Arriving
  readonly #to: Tier
  readonly #pass: Pass
  readonly #events: FlowEvents
  readonly #readers = new Set<FillReader>()
  /** Some reader had all that it wanted, so that the fill goes on without readers. */
  #wanted = false
  #settled = false
  /** Lets the pump go on when readers have made room. */
  #onRoom: (() => void) | undefined

  constructor(arriving: Arriving, tier: Tier, pass: Pass, events: FlowEvents) {
    this.#arriving = arriving
    this.#to = tier
    this.#pass = pass
    this.#events = events
    const { key, declared, refused } = arriving
    const draft = refused === undefined ? tier.draft(key, declared) : undefined
    this.spool = new Spool(draft, refused, tier.store.maxItemBytes)
  }

  get size(): number | undefined {
    return this.#arriving.declared ?? (this.ended ? this.spool.end : undefined)
  }

  get metadata(): Metadata {
    return this.#arriving.metadata(this.size ?? -1)
  }

  get stored(): string | NotStored | undefined {
    return this.kept ?? this.spool.refused
  }

  /** Whether a reader that comes now sees the whole value at the origin's pace. */
  get joinable(): boolean {
    return this.failure === undefined && this.spool.refused === undefined && this.spool.whole
  }

  join(): FillReader {
    const reader = new FillReader(this)
    this.#readers.add(reader)
    return reader
  }

  /** Moves the body. Never rejects: what goes wrong fails the flow. */
  async run(): Promise<void> {
    const { pieces, declared } = this.#arriving
    try {
      for (;;) {
        const piece = await pieces.next()
        if (this.failure !== undefined) return
        if (piece.done === true) break
        const bytes = pieceBytes(piece.value)
        if (bytes === undefined)
          throw new OriginError(`a body is made of bytes or strings; got ${typeof piece.value}`)
        if (bytes.length === 0) continue
        if (this.spool.end === 0) this.#events.onFirstPiece()
        if (declared !== undefined && this.spool.end + bytes.length > declared) {
          throw new OriginError(`the body is longer than the ${declared} bytes that were declared`)
        }
        await this.#take(bytes)
        if (this.failure !== undefined) return
        this.#wake()
      }
      if (declared !== undefined && this.spool.end < declared) {
        throw new OriginError(
          `the body ended after ${this.spool.end} of the ${declared} bytes that were declared`,
        )
      }
    } catch (error) {
      return this.fail(error as Error)
    }
    await this.#end()
  }

  /** Ends the flow without its end: readers get what has arrived, then `ERR_DREY_TRUNCATED`. */
  fail(cause: Error): void {
    if (this.ended || this.failure !== undefined) return
    const { key, pieces } = this.#arriving
    this.failure = new TruncatedError(
      `the body of ${showKey(key)} broke off after ${this.spool.end} bytes: ${cause.message}`,
      { cause },
    )
    this.spool.refuse('truncated')
    this.kept = 'truncated'
    pieces.cancel(cause)
    this.#onRoom?.()
    this.#events.onUnjoinable()
    this.#wake()
    this.#settle()
  }

  onAdvance(): void {
    if (this.spool.passing) this.#discard()
  }

  onLeave(reader: FillReader): void {
    this.#readers.delete(reader)
    if (reader.content) this.#wanted = true
    if (this.#readers.size > 0) return this.onAdvance()
    if (this.ended || this.failure !== undefined) {
      if (this.#settled) this.spool.release()
    } else if (!this.#wanted || this.spool.refused !== undefined) {
      this.#events.onAbandoned()
    } else {
      this.onAdvance()
    }
  }

  async #take(bytes: Uint8Array): Promise<void> {
    const before = this.joinable
    for (;;) {
      const taken = this.spool.take(bytes)
      if (taken instanceof Promise ? await taken : taken) break
      if (this.#readers.size === 0 && this.spool.refused !== undefined) return this.#events.onAbandoned()
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve
        this.#discard()
      })
      this.#onRoom = undefined
      if (this.failure !== undefined) return
    }
    if (before && !this.joinable) this.#events.onUnjoinable()
  }

  #discard(): void {
    let slowest = this.spool.end
    let onLoan = false
    for (const reader of this.#readers) {
      slowest = Math.min(slowest, reader.position)
      onLoan ||= reader.loans > 0
    }
    this.spool.discardBefore(slowest, onLoan)
    this.#onRoom?.()
  }

  async #end(): Promise<void> {
    const committed = this.#commit()
    this.ended = true
    this.#wake()
    const ok = committed instanceof Promise ? await committed : committed
    this.kept = ok ? this.#to.store.name : (this.spool.refused ?? 'no-room')
    this.#settle()
  }

  /** Says whether the tier has the value now. A store that fails to commit costs the hit, not the answer (I3). */
  #commit(): Later<boolean> {
    const { key, metadata } = this.#arriving
    const failed = (): false => {
      this.#to.failures += 1
      this.spool.refuse('tier-down')
      return false
    }
    try {
      const committed = this.#to.change(key, () => {
        if (this.#pass.fenced) this.spool.refuse('fenced')
        return this.spool.commit(metadata(this.spool.end))
      })
      return committed instanceof Promise ? committed.catch(failed) : committed
    } catch {
      // Counted in `failed`.
      return failed()
    }
  }

  #settle(): void {
    this.#settled = true
    this.#events.onSettled()
    if (this.#readers.size === 0) this.spool.release()
  }

  #wake(): void {
    for (const reader of this.#readers) reader.wake()
  }
}
