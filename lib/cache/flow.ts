import type { Clock } from '../clock.js'
import { messageOf, OriginError, TruncatedError } from '../errors.js'
import { showKey } from '../keys.js'
import type { Later, Metadata } from '../store/store.js'
import type { AbandonRule } from './abandon.js'
import type { NotStored } from './answer.js'
import type { Pass } from './fence.js'
import { type FillBytes, FillReader, type FillView } from './fill-reader.js'
import { ALONE, type Note, noteOf, WHOLE } from './flight-note.js'
import type { Provenance } from './found.js'
import type { Lead } from './lead.js'
import { Patience } from './patience.js'
import { type Pieces, pieceBytes, type Source } from './source.js'
import { Spool, type SpoolFlight } from './spool.js'
import type { Tier } from './tier.js'

/** What a flow reports to its fill. */
export interface FlowEvents {
  /** So many bytes came from the origin. */
  onBytes(bytes: number): void
  onFirstPiece(): void
  /** All bytes came; whether the value is kept may not be settled yet. */
  onLastPiece(): void
  /** Every reader, also in other threads, left before it had what it wanted, or nobody reads what cannot be kept. */
  onAbandoned(): void
  /** No more bytes will come, and it is settled whether the value is kept. */
  onSettled(): void
  /** The value goes into the tier now, if it can. */
  onCommitting(): void
  /** The value is in the tier now, in place of what the key had. */
  onCommit(): void
}

/** A body as its origin described it. */
export interface Arriving {
  readonly key: string
  readonly source: Source
  /** Size that the origin declared. */
  readonly declared: number | undefined
  /** Metadata of the value, once its size is known. */
  readonly metadata: (size: number) => Metadata
  /** Why the value may not be kept, if so. */
  readonly refused: NotStored | undefined
  /** Whether a tag of it was invalidated since it was asked for. */
  readonly isInvalidated: (metadata: Metadata) => boolean
  /** Whether it goes on when nobody reads it. */
  readonly abandon: AbandonRule
  /** The user's part of the metadata. */
  readonly user?: unknown
}

/**
 * One body on its way from the origin to its readers and into the tier.
 *
 * Invariants: after `ended` or `failure` is set `spool.end` does not change, and only one of them is ever set; the value
 * is committed only when all declared bytes came, its pass was not fenced and the spool refused nothing; `kept` is
 * set once, and then the flow is settled; the spool is released when the flow is settled, the last reader left and
 * nothing is on loan.
 */
export class Flow implements FillView, Provenance {
  readonly tier = undefined
  readonly spool: Spool
  ended = false
  failure: Error | undefined
  /** The tier that keeps the value, or why none does; undefined until that is settled. */
  kept: string | undefined
  readonly #arriving: Arriving
  readonly #to: Tier
  readonly #clock: Clock
  readonly #patience = new Patience()
  readonly #pass: Pass
  readonly #events: FlowEvents
  readonly #lead: Lead | undefined
  readonly #readers = new Set<FillReader>()
  /** Pieces that readers lent out and that were not given back, also by readers that left. */
  #loans = 0
  /** Where the last piece begins. */
  #lastPiece = 0
  /** Some reader had all that it wanted, so that the fill goes on without readers. */
  #wanted = false
  /** What made the flow fail. */
  #cause: Error | undefined
  /** Lets the pump go on when there may be room; set while it waits for that. */
  #onRoom: (() => void) | undefined

  constructor(arriving: Arriving, tier: Tier, clock: Clock, pass: Pass, events: FlowEvents, lead?: Lead) {
    this.#arriving = arriving
    this.#to = tier
    this.#clock = clock
    this.#pass = pass
    this.#events = events
    this.#lead = lead
    const { key, declared, refused, user } = arriving
    const flight = lead && this.#flightOf(lead)
    this.spool = new Spool(tier, key, declared, refused, () => this.#onRoom?.(), flight, user)
  }

  get bytes(): FillBytes {
    return this.spool
  }

  get size(): number | undefined {
    if (this.ended) return this.spool.end
    // Nobody could be kept from the end of a body that is declared empty, but by not being told.
    return this.#arriving.declared === 0 ? undefined : this.#arriving.declared
  }

  /**
   * Where readers may read to. The piece that completes a declared size is kept back until the origin has ended: who
   * counts bytes takes having them all for the end, and the origin may still send too many or break off (I1).
   */
  get available(): number {
    const { end } = this.spool
    return !this.ended && end === this.#arriving.declared ? this.#lastPiece : end
  }

  get metadata(): Metadata {
    return this.#arriving.metadata(this.size ?? -1)
  }

  get stored(): string | undefined {
    return this.kept ?? this.spool.refused
  }

  /** Whether one more reader can have the whole value without slowing others down. */
  get joinable(): boolean {
    return this.failure === undefined && this.spool.refused === undefined && this.spool.whole
  }

  join(): FillReader {
    const reader = new FillReader(this)
    this.#readers.add(reader)
    return reader
  }

  /** Moves the body. Never rejects: what goes wrong fails the flow. Bytes that are there are taken before it returns. */
  async run(): Promise<void> {
    const { source, declared } = this.#arriving
    try {
      if ('bytes' in source) {
        const taken = source.bytes.length > 0 ? this.#take(source.bytes) : undefined
        if (taken instanceof Promise) await taken
      } else await this.#pump(source.pieces)
      if (this.failure !== undefined) return
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
    const { key, source } = this.#arriving
    this.#cause = cause
    this.failure = new TruncatedError(
      `the body of ${showKey(key)} broke off after ${this.spool.end} bytes: ${messageOf(cause)}`,
      { cause },
    )
    this.spool.refuse('truncated')
    if ('pieces' in source) source.pieces.cancel(cause)
    this.#onRoom?.()
    this.#wake()
    this.#settle('truncated')
  }

  /** All bytes are there, and the store may take for ever to keep them: nobody waits for that any more. */
  giveUpStoring(): void {
    this.spool.refuse('tier-down')
    this.#settle('tier-down')
  }

  onAdvance(): void {
    if (this.spool.refused !== undefined) this.#discard()
    this.#onRoom?.()
  }

  onLend(position: number): void {
    this.#loans += 1
    this.spool.hold(position)
  }

  onReturn(position: number): void {
    this.#loans -= 1
    this.spool.letGo(position)
    this.onAdvance()
    this.#releaseIfDone()
  }

  onLeave(reader: FillReader): void {
    this.#readers.delete(reader)
    if (reader.content) this.#wanted = true
    if (this.ended || this.failure !== undefined) this.#releaseIfDone()
    else if (this.#isAbandoned()) return this.#events.onAbandoned()
    this.onAdvance()
  }

  /** Nobody in another thread reads any more. */
  onAlone(): void {
    if (!this.ended && this.failure === undefined && this.#isAbandoned()) this.#events.onAbandoned()
  }

  #isAbandoned(): boolean {
    if (this.#readers.size > 0) return false
    if (this.spool.refused !== undefined) return true
    if (this.#wanted || this.#lead?.awaited === true) return false
    return !this.#arriving.abandon(this.spool.end, this.#arriving.declared)
  }

  /** How the spool tells those in other threads who follow `lead`. */
  #flightOf(lead: Lead): SpoolFlight {
    const { metadata, declared } = this.#arriving
    return {
      draft: (size) => lead.draft(size),
      onGrowing: (draft) => lead.grow(draft, { kind: 'body', metadata: metadata(declared ?? -1) }),
      onRefused: () => lead.end(this.#parting()),
    }
  }

  /** What followers are told when the value will not be kept. */
  #parting(): Note {
    if (this.#cause !== undefined) return noteOf(this.#cause)
    return this.ended ? WHOLE : ALONE
  }

  async #pump(pieces: Pieces): Promise<void> {
    const { declared } = this.#arriving
    for (;;) {
      const piece = await pieces.next()
      if (this.failure !== undefined || piece.done === true) return
      const bytes = pieceBytes(piece.value)
      if (bytes === undefined) {
        throw new OriginError(`a body is made of bytes or strings; got ${typeof piece.value}`)
      }
      if (bytes.length === 0) continue
      if (declared !== undefined && this.spool.end + bytes.length > declared) {
        throw new OriginError(`the body is longer than the ${declared} bytes that were declared`)
      }
      if (this.spool.end === 0) this.#events.onFirstPiece()
      const taken = this.#take(bytes)
      if (taken instanceof Promise) await taken
      if (this.failure !== undefined) return
      if (this.#readers.size === 0 && this.spool.refused !== undefined) return this.#events.onAbandoned()
    }
  }

  /** Puts `bytes` into the spool, as soon as there is room for them. */
  #take(bytes: Uint8Array): Later<void> {
    const before = this.spool.end
    const taken = this.spool.take(bytes, this.#slowest())
    return taken === true ? this.#taken(before) : this.#takeLater(bytes, before, taken)
  }

  async #takeLater(bytes: Uint8Array, before: number, first: Later<boolean>): Promise<void> {
    for (let taken = first; ; taken = this.spool.take(bytes, this.#slowest())) {
      if (taken === true || (taken instanceof Promise && (await taken))) break
      if (this.failure !== undefined) return
      // After an `await` there may be room again. Between a look that found none and the wait there is none.
      if (taken instanceof Promise) continue
      const kept = this.spool.lagsBehind(this.#slowest()) && this.#isAwaited()
      if (kept && this.#patience.left === 0) {
        // A store that is slow costs the hit, and of the readers' time no more than this (I3).
        this.spool.refuse('tier-down')
        continue
      }
      await this.#room(kept)
      if (this.failure !== undefined) return
    }
    if (this.failure === undefined) this.#taken(before)
  }

  /** Resolves when there may be room; when readers are `kept` waiting by the tier, at the latest with the end of patience. */
  #room(kept: boolean): Promise<void> {
    const clock = this.#clock
    const begun = clock.monotonic()
    return new Promise((resolve) => {
      const go = (): void => {
        this.#onRoom = undefined
        timer?.cancel()
        if (kept) this.#patience.spend(clock.monotonic() - begun)
        resolve()
      }
      this.#onRoom = go
      const timer = kept ? clock.after(this.#patience.left, go) : undefined
    })
  }

  #taken(before: number): void {
    const bytes = this.spool.end - before
    this.#events.onBytes(bytes)
    this.#patience.earn(bytes)
    this.#lastPiece = before
    this.#wake()
  }

  /** Some reader has all that there is, and waits for more. */
  #isAwaited(): boolean {
    for (const reader of this.#readers) if (reader.waiting) return true
    return false
  }

  #slowest(): number {
    let slowest = this.spool.end
    for (const reader of this.#readers) slowest = Math.min(slowest, reader.position)
    return slowest
  }

  #discard(): void {
    this.spool.discardBefore(this.#slowest(), this.#loans > 0)
  }

  async #end(): Promise<void> {
    this.ended = true
    if (this.spool.refused === undefined) this.#lead?.atEnd(WHOLE)
    this.#events.onLastPiece()
    this.#wake()
    const drained = this.spool.drained()
    if (drained instanceof Promise) await drained
    if (this.kept !== undefined) return
    const committed = this.#commit()
    const ok = committed instanceof Promise ? await committed : committed
    this.#settle(ok ? (this.spool.keeper ?? this.#to.store.name) : (this.spool.refused ?? 'no-room'))
  }

  /** Says whether the tier has the value now. A store that fails to commit costs the hit, not the answer (I3). */
  #commit(): Later<boolean> {
    const { key, metadata, isInvalidated } = this.#arriving
    const failed = (): false => {
      this.spool.refuse('tier-down')
      return false
    }
    const done = (ok: boolean): boolean => {
      if (ok) this.#events.onCommit()
      return ok
    }
    try {
      const committed = this.#to.change(key, () => {
        const kept = metadata(this.spool.end)
        if (this.#pass.fenced || isInvalidated(kept)) this.spool.refuse('fenced')
        if (this.spool.refused === undefined) this.#events.onCommitting()
        const ok = this.spool.commit(kept)
        return ok instanceof Promise ? ok.then(done) : done(ok)
      })
      return committed instanceof Promise ? committed.catch(failed) : committed
    } catch {
      // Counted by the tier.
      return failed()
    }
  }

  #settle(kept: string): void {
    if (this.kept !== undefined) return
    this.kept = kept
    this.#events.onSettled()
    this.#releaseIfDone()
  }

  #releaseIfDone(): void {
    if (this.kept !== undefined && this.#readers.size === 0 && this.#loans === 0) this.spool.release()
  }

  #wake(): void {
    for (const reader of this.#readers) reader.wake()
  }
}
