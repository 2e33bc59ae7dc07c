import type { Clock, Timer } from '../clock.js'
import {
  AbortedError,
  BreakerOpenError,
  ClosedError,
  type DreyError,
  messageOf,
  OriginError,
  TimeoutError,
} from '../errors.js'
import { showKey } from '../keys.js'
import { type Draft, IN_HAND, type Later, type Metadata } from '../store/store.js'
import type { AbandonRule } from './abandon.js'
import type { NotStored } from './answer.js'
import { Asking, type AskingContext, type Question } from './asking.js'
import type { Pass } from './fence.js'
import {
  type FetchedBody,
  type Fetcher,
  type FetchResult,
  type NotFoundResult,
  type NotModifiedResult,
  resultKind,
} from './fetcher.js'
import { AGAIN, type Note, noteOf } from './flight-note.js'
import { Flow } from './flow.js'
import type { FillAnswer, Joinable } from './joinable.js'
import type { Lead } from './lead.js'
import {
  type AskedFreshness,
  confirmedMetadata,
  drawn,
  type EntryHead,
  type Freshness,
  metadataOf,
  negativeMetadata,
  readDuration,
  readHead,
  readTags,
  readUser,
} from './metadata.js'
import { BytesReader } from './reader.js'
import type { SharedEntry } from './shared-entry.js'
import { BODY_FORMS, cancelBody, type Source, sourceOf } from './source.js'
import type { TagTable } from './tags.js'
import type { Tier } from './tier.js'
import { Waiters } from './waiters.js'

/** What a fill needs of its cache. */
export interface FillContext extends AskingContext {
  readonly tier: Tier
  readonly tags: TagTable
  readonly timeouts: { readonly firstByte: number; readonly fill: number }
  /** So many bytes came from an origin. */
  onBytes(bytes: number): void
  /** What the fill brought goes into the tier now, if it can. */
  onCommitting(fill: Fill): void
  /** What the fill brought is in the tier now, in place of what its key had. */
  onCommit(fill: Fill): void
  /** The fill came to its end. `stored` is the tier's name, or why the value was not kept; undefined where there was none. `failure`: why it failed. */
  onDone(fill: Fill, stored: string | undefined, failure: Error | undefined): void
}

/** What a fill is asked to do. */
export interface FillRequest {
  readonly key: string
  readonly question: Question
  readonly freshness: Freshness
  /** What of that the call itself asked for. */
  readonly asked: AskedFreshness
  /** Whether it goes on when nobody waits for it. */
  readonly abandon: AbandonRule
  /** What of invalidations by tag what it brings is to carry. */
  readonly sequence: number
  /** How many invalidations by tag there had been when it began. */
  readonly began: number
  /** The stale entry that the cache has; the fill releases it. */
  readonly stale: SharedEntry | undefined
  readonly pass: Pass
  /** What tells other threads of this one, where they share the store. */
  readonly lead: Lead | undefined
  /** Called when it is done, with why it failed. */
  readonly onEnd?: (failure: Error | undefined) => void
  /** How long it may take at most, in milliseconds, where that is less than `timeouts.fill`. */
  readonly fillTimeout?: number | undefined
  /** When it began, by the monotonic clock, where somebody wants to know how long it takes; else less than 0. */
  readonly startedAt: number
}

/**
 * One call of an origin, for all who wait for its key (I6).
 *
 * A fill asks first; its waiters stand in `#waiters`. Once the fetcher has answered, every waiter is
 * delivered in the same turn, and a body goes on in a `Flow`, which late callers join while it can be joined.
 *
 * Invariants: the fetcher is called once; its signal is aborted exactly when the fill fails; `onDone` is called
 * once, after which no timer is set, nobody waits, here or in another thread, and the lead is over; stale entries are
 * released once.
 */
export class Fill implements Joinable {
  readonly pass: Pass
  /** What the origin confirmed, as it is from then on. */
  confirmed: Metadata | undefined
  readonly #request: FillRequest
  readonly #context: FillContext
  readonly #controller = new AbortController()
  readonly #asking: Asking
  readonly #waiters = new Waiters<FillAnswer>()
  readonly #lead: Lead | undefined
  readonly #stale: SharedEntry | undefined
  /** What those who joined later found, in place of it. */
  #newerStale: SharedEntry | undefined
  #flow: Flow | undefined
  /** The answer for who comes after it was given, if there is one for them. Set once the origin has answered or failed. */
  #late: (() => FillAnswer | undefined) | undefined
  /** What followers are told that have not been told anything when the fill is done. */
  #parting: Note = AGAIN
  #done = false
  #failure: Error | undefined
  #firstByteTimer: Timer | undefined
  #fillTimer: Timer | undefined

  constructor(request: FillRequest, context: FillContext) {
    this.#request = request
    this.#context = context
    this.pass = request.pass
    this.#lead = request.lead
    this.#stale = request.stale
    this.#asking = new Asking(request.question, context)
  }

  get key(): string {
    return this.#request.key
  }

  /** As it was given. */
  get startedAt(): number {
    return this.#request.startedAt
  }

  /** Bytes that came so far; undefined when it brings no body. */
  get bytes(): number | undefined {
    return this.#flow?.spool.end
  }

  /** Of the body that it brings, once there is one. */
  get metadata(): Metadata | undefined {
    return this.#flow?.metadata
  }

  get fenced(): boolean {
    return this.#lead?.fenced === true || this.#isInvalidated()
  }

  /** Asks the origin. The answer reaches those who `wait`. */
  start(): void {
    const { clock, timeouts } = this.#context
    this.#firstByteTimer = this.#limit(clock, timeouts.firstByte, 'firstByte')
    this.#fillTimer = this.#limit(
      clock,
      Math.min(timeouts.fill, this.#request.fillTimeout ?? timeouts.fill),
      'fill',
    )
    this.#lead?.onAlone(this.#onAlone)
    this.#asking
      .ask(this.#fetcherContext())
      .then(this.#onResult, (error) =>
        this.#fail(error instanceof BreakerOpenError ? error : this.#originError(error)),
      )
  }

  wait<T>(signal: AbortSignal | undefined, accept: (answer: FillAnswer) => Later<T>): Promise<T> | undefined {
    if (this.#late !== undefined) {
      const answer = this.#late()
      return answer && Promise.resolve(accept(answer))
    }
    return this.#waiters.add(signal, `fetching ${showKey(this.key)}`, accept, this.#onAlone)
  }

  renewStale(entry: SharedEntry | undefined): void {
    if (entry === undefined) return
    if (this.#done || this.#late !== undefined) return entry.letGo()
    this.#newerStale?.letGo()
    this.#newerStale = entry
  }

  /** Ends the fill, because the cache closes: waiters and readers get `error`, and nobody waits for the store any more. */
  end(error: DreyError): void {
    if (this.#flow?.ended) this.#flow.giveUpStoring()
    else if (this.#late !== undefined && this.#flow === undefined) this.#finish('tier-down')
    else this.#fail(error, false)
  }

  /** Ends the fill without its end. Waiters get a stale value where one may answer, else `error`. */
  #fail(error: DreyError, mayBeStale = true): void {
    if (this.#done || this.#flow?.ended) return
    this.#failure = error
    if (this.#flow !== undefined) this.#flow.fail(error)
    else {
      const stale = this.#newerStale ?? this.#stale
      const { clock, tags } = this.#context
      // First, because who is told of the end may ask for the key again.
      this.#lead?.end(noteOf(error))
      if (mayBeStale && stale !== undefined && tags.answersErrors(stale.metadata, clock.now())) {
        this.#answerAll(() => this.#entryAnswer(stale, stale.metadata, 'stale'))
      } else {
        this.#late = nothingForLate
        this.#waiters.reject(error)
      }
      this.#finish(undefined)
    }
    // Last, because who listens may ask for the key again, and must not meet a fill that is about to end.
    this.#controller.abort(error)
  }

  readonly #onResult = (result: FetchResult): void => {
    if (this.#done) {
      cancelBody(result as Partial<FetchedBody>, new AbortedError('nobody waits for this body'))
      return
    }
    try {
      switch (resultKind(result)) {
        case 'body':
          return this.#onBody(result as FetchedBody)
        case 'not-found':
          return this.#onNotFound(result as NotFoundResult)
        case 'not-modified':
          return this.#onNotModified(result as NotModifiedResult)
        default:
          throw new OriginError('want { body, ... }, notFound() or notModified()')
      }
    } catch (error) {
      cancelBody(result as Partial<FetchedBody>, error as Error)
      this.#fail(this.#originError(error))
    }
  }

  #onBody(result: FetchedBody): void {
    const head = readHead(result)
    const source = sourceOf(result.body)
    if (source === undefined) throw new OriginError(`body: want ${BODY_FORMS}`)
    const declared = 'bytes' in source ? source.bytes.length : head.size
    if (head.size !== undefined && head.size !== declared) {
      throw new OriginError(`the body has ${declared} bytes, and ${head.size} were declared`)
    }
    let refused: NotStored | undefined
    if (result.store === false) refused = 'no-store'
    else if (declared !== undefined && declared > this.#context.tier.store.maxItemBytes) refused = 'too-large'
    this.#flowFrom(source, head, declared, refused)
  }

  #flowFrom(
    source: Source,
    head: EntryHead,
    declared: number | undefined,
    refused: NotStored | undefined,
  ): void {
    const { tier, clock, tags } = this.#context
    const { key, pass, abandon, sequence } = this.#request
    const freshness = drawn(this.#request.freshness)
    const now = clock.now()
    const flow = new Flow(
      {
        key,
        source,
        declared,
        metadata: (size) => metadataOf(head, size, freshness, now, sequence),
        refused,
        isInvalidated: (metadata) => tags.standing(metadata) === undefined,
        abandon,
        user: head.user,
      },
      tier,
      clock,
      pass,
      {
        onBytes: (bytes) => this.#context.onBytes(bytes),
        onFirstPiece: () => {
          this.#asking.answered()
          this.#firstByteTimer?.cancel()
        },
        onLastPiece: () => {
          this.#asking.answered()
          this.#stopTimers()
        },
        onAbandoned: () => this.#abandon(),
        onCommitting: () => this.#context.onCommitting(this),
        onCommit: () => {
          tier.stored(flow.spool.end)
          this.#context.onCommit(this)
        },
        onSettled: () => this.#finish(flow.kept),
      },
      this.#lead,
    )
    this.#flow = flow
    const { leader, first } = this.#waiters
    const inHand = 'bytes' in source && source.bytes.length <= IN_HAND ? source.bytes : undefined
    const body = (): FillAnswer => ({
      kind: 'body',
      reader: inHand === undefined ? flow.join() : new BytesReader(Buffer.from(inHand)),
      from: flow,
    })
    this.#late = () => (flow.joinable ? { kind: 'body', reader: flow.join(), from: flow } : undefined)
    // What is for one alone is for who asked the origin, and if that one left, for nobody: it may be private. What is
    // too large passes at the pace of one. A tier that is full or down shares: the origin is spared the calls of
    // all who wait already.
    const only = refused === 'no-store' ? leader : first
    this.#waiters.deliver((waiter) => (refused === undefined || waiter === only ? body() : { kind: 'alone' }))
    // Nobody here may have it, or nobody waits here and it cannot be given to those who wait elsewhere.
    if (refused !== undefined && only === undefined) return this.#abandon()
    void flow.run()
  }

  #onNotFound(result: NotFoundResult): void {
    const { tier, clock } = this.#context
    const head = { ttl: readDuration('ttl', result.ttl), tags: readTags(result.tags) }
    const { freshness, sequence } = this.#request
    const metadata = negativeMetadata(head, freshness, clock.now(), sequence)
    this.#asking.answered()
    this.#answerAll(() => ({ kind: 'not-found', metadata }))
    this.#parting = { kind: 'not-found', metadata }
    this.#keep(metadata, () => {
      if (this.#lead !== undefined) return this.#lead.set(NO_BYTES, metadata)
      const commit = (draft: Draft | string): Later<boolean> => {
        if (typeof draft === 'string') return false
        const failed = (error: unknown): never => {
          tier.abort(draft)
          throw error
        }
        try {
          const ok = tier.ask(() => draft.commit(metadata))
          return ok instanceof Promise ? ok.catch(failed) : ok
        } catch (error) {
          return failed(error)
        }
      }
      const draft = tier.draft(this.key, 0)
      return draft instanceof Promise ? draft.then(commit) : commit(draft)
    })
  }

  #onNotModified(result: NotModifiedResult): void {
    const { tier, clock } = this.#context
    const stale = this.#stale
    if (stale === undefined || stale.metadata.negative) {
      throw new OriginError(
        'notModified() answers a fetcher that was given `meta`, and there was nothing to confirm',
      )
    }
    const head = {
      ttl: readDuration('ttl', result.ttl),
      staleWhileRevalidate: readDuration('staleWhileRevalidate', result.staleWhileRevalidate),
      staleIfError: readDuration('staleIfError', result.staleIfError),
      user: readUser(result.user),
    }
    const { asked, freshness, sequence } = this.#request
    // As it is stored: one that was made stale by tag is as long of use again as it was.
    const before = stale.entry.metadata
    const metadata = confirmedMetadata(before, head, asked, freshness, clock.now(), sequence)
    this.#asking.answered()
    this.confirmed = metadata
    this.#answerAll(() => this.#entryAnswer(stale, metadata, 'revalidated'))
    const lead = this.#lead
    this.#keep(metadata, () =>
      lead === undefined
        ? tier.ask(() => tier.store.revise(this.key, stale.entry, metadata))
        : lead.revise(stale.entry, metadata),
    )
  }

  #entryAnswer(stale: SharedEntry, metadata: Metadata, outcome: 'revalidated' | 'stale'): FillAnswer {
    return { kind: 'entry', entry: stale.open(), metadata, outcome }
  }

  /** The same answer for all, also for who comes while it is being kept. */
  #answerAll(answer: () => FillAnswer): void {
    this.#stopTimers()
    this.#late = answer
    this.#waiters.deliver(answer)
  }

  /** Puts something without a body into the tier, unless a newer change forbids it; then the fill is done. */
  #keep(metadata: Metadata, change: () => Later<boolean | 'fenced'>): void {
    const { tier, tags } = this.#context
    const done = (ok: boolean | 'fenced'): void => {
      if (ok === true && metadata.negative) tier.stored(0)
      if (ok === true) this.#context.onCommit(this)
      this.#finish(ok === true ? tier.store.name : ok === 'fenced' || this.pass.fenced ? 'fenced' : 'no-room')
    }
    const failed = (): void => this.#finish('tier-down')
    try {
      const kept = tier.change(this.key, () => {
        if (tags.standing(metadata) === undefined) this.pass.fenced = true
        if (this.pass.fenced) return false
        this.#context.onCommitting(this)
        return change()
      })
      if (kept instanceof Promise) kept.then(done, failed)
      else done(kept)
    } catch {
      // Counted by the tier: a store that fails costs the hit, not the answer (I3).
      failed()
    }
  }

  #fetcherContext(): Parameters<Fetcher>[0] {
    const meta = this.#stale?.metadata
    return {
      key: this.key,
      signal: this.#controller.signal,
      ...(meta === undefined || meta.negative ? {} : { meta }),
      ...(meta?.etag === undefined ? {} : { etag: meta.etag }),
    }
  }

  #limit(clock: Clock, ms: number, option: 'firstByte' | 'fill'): Timer {
    return clock.after(ms, () => {
      const what = option === 'firstByte' ? 'the first byte' : 'the whole value'
      this.#fail(
        new TimeoutError(`${what} of ${showKey(this.key)} did not come within timeouts.${option}, ${ms} ms`),
      )
    })
  }

  /** Somebody left, here or in another thread. */
  readonly #onAlone = (): void => {
    if (this.#flow !== undefined) return this.#flow.onAlone()
    if (this.#late !== undefined || this.#waiters.size > 0 || this.#lead?.awaited === true) return
    if (!this.#request.abandon(0, undefined)) this.#abandon()
  }

  #abandon(): void {
    this.#fail(new AbortedError(`nobody waits for ${showKey(this.key)} any more`))
  }

  #originError(cause: unknown): OriginError {
    return new OriginError(`the fetcher of ${showKey(this.key)} failed: ${messageOf(cause)}`, { cause })
  }

  /** Whether a tag was invalidated since it began that its value has, or may have. */
  #isInvalidated(): boolean {
    const { tags } = this.#context
    if (this.#request.began === tags.latest) return false
    const metadata = this.#flow?.metadata
    return metadata === undefined || tags.standing(metadata) !== metadata
  }

  /** What the origin did not do in time, or broke off, it is to blame for; not for who left, or the cache that closed. */
  #endAsking(): void {
    const why = this.#failure ?? this.#flow?.failure?.cause
    const own = why === undefined || why instanceof AbortedError || why instanceof ClosedError
    if (!own) this.#asking.failed()
    this.#asking.stop()
  }

  #stopTimers(): void {
    this.#firstByteTimer?.cancel()
    this.#fillTimer?.cancel()
  }

  #finish(stored: string | undefined): void {
    if (this.#done) return
    this.#done = true
    this.#stopTimers()
    this.#endAsking()
    this.#lead?.end(this.#parting)
    this.#stale?.letGo()
    this.#newerStale?.letGo()
    const failure = this.#failure ?? this.#flow?.failure
    this.#context.onDone(this, stored, failure)
    this.#request.onEnd?.(failure)
  }
}

const NO_BYTES = new Uint8Array(0)
const nothingForLate = (): undefined => undefined
