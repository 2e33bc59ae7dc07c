import type { Clock, Timer } from '../clock.js'
import { AbortedError, abortedBy, type DreyError, OriginError, TimeoutError } from '../errors.js'
import { showKey } from '../keys.js'
import { IN_HAND, type Metadata, type StoredEntry } from '../store/store.js'
import type { NotStored } from './answer.js'
import type { Pass } from './fence.js'
import {
  type FetchedBody,
  type Fetcher,
  type FetchResult,
  type NotFoundResult,
  type NotModifiedResult,
  resultKind,
} from './fetcher.js'
import { BytesReader } from './fill-reader.js'
import { Flow } from './flow.js'
import type { Provenance } from './found.js'
import {
  confirmedMetadata,
  type EntryHead,
  type Freshness,
  metadataOf,
  negativeMetadata,
  readDuration,
  readHead,
  readUser,
} from './metadata.js'
import type { BodyReader } from './reader.js'
import { SharedEntry } from './shared-entry.js'
import { cancelBody, onePiece, type Source, sourceOf } from './source.js'
import type { Tier } from './tier.js'

/** What a fill tells those who wait for it. */
export type FillAnswer =
  | { readonly kind: 'body'; readonly reader: BodyReader; readonly from: Provenance }
  | {
      readonly kind: 'entry'
      readonly entry: StoredEntry
      readonly metadata: Metadata
      readonly outcome: 'revalidated' | 'stale'
    }
  | { readonly kind: 'not-found'; readonly metadata: Metadata }
  /** The value is for the leader alone: whoever else waits asks for itself. */
  | { readonly kind: 'alone' }

/** What a fill needs of its cache. */
export interface FillContext {
  readonly tier: Tier
  readonly clock: Clock
  readonly timeouts: { readonly firstByte: number; readonly fill: number }
  /** Nobody may join `fill` any more. */
  onUnjoinable(fill: Fill): void
  /** The fill came to its end. `stored` is the tier's name, or why the value was not kept; undefined where there was none. */
  onDone(fill: Fill, stored: string | undefined): void
}

/** What a fill is asked to do. */
export interface FillRequest {
  readonly key: string
  readonly fetcher: Fetcher
  readonly freshness: Freshness
  /** The stale entry that the cache has; the fill releases it. */
  readonly stale: StoredEntry | undefined
  readonly pass: Pass
}

interface Waiter {
  deliver(answer: FillAnswer): void
  reject(error: Error): void
}

/**
 * One call of an origin, for all who wait for its key (I6).
 *
 * A fill asks first; its waiters stand in `#waiters`. Once the fetcher has answered, every waiter is
 * delivered in the same turn, and a body goes on in a `Flow`, which late callers join while it can be joined.
 *
 * Invariants: the fetcher is called once; its signal is aborted exactly when the fill fails; `onDone` is called
 * once, after which no timer is set; the stale entry is released once.
 */
export class Fill {
  readonly pass: Pass
  readonly #request: FillRequest
  readonly #context: FillContext
  readonly #controller = new AbortController()
  readonly #waiters = new Set<Waiter>()
  readonly #stale: SharedEntry | undefined
  #flow: Flow | undefined
  #answered = false
  #done = false
  #firstByteTimer: Timer | undefined
  #fillTimer: Timer | undefined

  constructor(request: FillRequest, context: FillContext) {
    this.#request = request
    this.#context = context
    this.pass = request.pass
    this.#stale = request.stale && new SharedEntry(request.stale)
  }

  get key(): string {
    return this.#request.key
  }

  /** Asks the origin. The answer reaches those who `wait`. */
  start(): void {
    const { clock, timeouts } = this.#context
    this.#firstByteTimer = this.#limit(clock, timeouts.firstByte, 'firstByte')
    this.#fillTimer = this.#limit(clock, timeouts.fill, 'fill')
    const ask = async (): Promise<FetchResult> => this.#request.fetcher(this.#fetcherContext())
    ask().then(this.#onResult, (error) => this.end(this.#originError(error)))
  }

  /** The answer for one more caller; undefined when it is too late to join. */
  wait(signal: AbortSignal | undefined): Promise<FillAnswer> | undefined {
    if (this.#answered) {
      const flow = this.#flow
      return flow?.joinable ? Promise.resolve({ kind: 'body', reader: flow.join(), from: flow }) : undefined
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        leave()
        reject(abortedBy(signal!, `fetching ${showKey(this.key)}`))
        if (this.#waiters.size === 0) this.#abandon()
      }
      const leave = (): void => {
        this.#waiters.delete(waiter)
        signal?.removeEventListener('abort', onAbort)
      }
      const waiter: Waiter = {
        deliver: (answer) => {
          leave()
          resolve(answer)
        },
        reject: (error) => {
          leave()
          reject(error)
        },
      }
      this.#waiters.add(waiter)
      signal?.addEventListener('abort', onAbort)
    })
  }

  /** Ends the fill without its end. Waiters get a stale value where one may answer, else `error`. */
  end(error: DreyError): void {
    if (this.#done) return
    this.#controller.abort(error)
    if (this.#flow !== undefined) {
      this.#flow.fail(error)
      return
    }
    const stale = this.#stale
    const mayAnswer = stale !== undefined && this.#context.clock.now() < stale.metadata.staleIfErrorUntil
    this.#answered = true
    for (const waiter of [...this.#waiters]) {
      if (mayAnswer) waiter.deliver(this.#entryAnswer(stale, stale.metadata, 'stale'))
      else waiter.reject(error)
    }
    this.#finish(undefined)
  }

  readonly #onResult = (result: FetchResult): void => {
    if (this.#done) {
      cancelBody(
        (result as Partial<FetchedBody> | undefined)?.body,
        new AbortedError('nobody waits for this body'),
      )
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
      cancelBody((result as Partial<FetchedBody> | undefined)?.body, error as Error)
      this.end(this.#originError(error))
    }
  }

  #onBody(result: FetchedBody): void {
    const head = readHead(result)
    const source = sourceOf(result.body)
    if (source === undefined) {
      throw new OriginError(
        'body: want bytes, a string, { json }, a Node or web stream that nobody reads yet, or an async iterable',
      )
    }
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
    const { tier, clock } = this.#context
    const { key, freshness, pass } = this.#request
    const now = clock.now()
    const flow = new Flow(
      {
        key,
        pieces: 'bytes' in source ? onePiece(source.bytes) : source.pieces,
        declared,
        metadata: (size) => metadataOf(head, size, freshness, now),
        refused,
      },
      tier,
      pass,
      {
        onFirstPiece: () => this.#firstByteTimer?.cancel(),
        onUnjoinable: () => this.#context.onUnjoinable(this),
        onAbandoned: () => this.#abandon(),
        onSettled: () => this.#finish(flow.kept),
      },
    )
    this.#flow = flow
    this.#answered = true
    if (refused !== undefined) this.#context.onUnjoinable(this)
    const [leader, ...others] = this.#waiters
    const inHand = 'bytes' in source && source.bytes.length <= IN_HAND ? source.bytes : undefined
    const body = (): FillAnswer => ({
      kind: 'body',
      reader: inHand === undefined ? flow.join() : new BytesReader(Buffer.from(inHand)),
      from: flow,
    })
    leader?.deliver(body())
    for (const waiter of others) waiter.deliver(refused === undefined ? body() : { kind: 'alone' })
    void flow.run()
  }

  #onNotFound(result: NotFoundResult): void {
    const { tier, clock } = this.#context
    const ttl = readDuration('ttl', result.ttl)
    const metadata = negativeMetadata(ttl, this.#request.freshness, clock.now())
    this.#answerAll(() => ({ kind: 'not-found', metadata }))
    this.#keep(() => {
      const draft = tier.draft(this.key, 0)
      const commit = (got: Awaited<typeof draft>): ReturnType<NonNullable<typeof got>['commit']> =>
        got === undefined ? false : got.commit(metadata)
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
      staleIfError: readDuration('staleIfError', result.staleIfError),
      user: readUser(result.user),
    }
    const metadata = confirmedMetadata(stale.metadata, head, this.#request.freshness, clock.now())
    this.#answerAll(() => this.#entryAnswer(stale, metadata, 'revalidated'))
    this.#keep(() => tier.revise(this.key, stale.entry, metadata))
  }

  #entryAnswer(stale: SharedEntry, metadata: Metadata, outcome: 'revalidated' | 'stale'): FillAnswer {
    return { kind: 'entry', entry: stale.open(), metadata, outcome }
  }

  #answerAll(answer: () => FillAnswer): void {
    this.#answered = true
    for (const waiter of [...this.#waiters]) waiter.deliver(answer())
  }

  /** Puts something without a body into the tier, unless a newer change forbids it; then the fill is done. */
  #keep(change: () => ReturnType<Tier['revise']>): void {
    const { tier } = this.#context
    const done = (ok: boolean): void =>
      this.#finish(ok ? tier.store.name : this.pass.fenced ? 'fenced' : 'no-room')
    const failed = (): void => {
      tier.failures += 1
      this.#finish('tier-down')
    }
    try {
      const kept = tier.change(this.key, () => !this.pass.fenced && change())
      if (kept instanceof Promise) kept.then(done, failed)
      else done(kept)
    } catch {
      // Counted in `failed`: a store that fails costs the hit, not the answer (I3).
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
      this.end(
        new TimeoutError(`${what} of ${showKey(this.key)} did not come within timeouts.${option}, ${ms} ms`),
      )
    })
  }

  #abandon(): void {
    this.end(new AbortedError(`nobody waits for ${showKey(this.key)} any more`))
  }

  #originError(cause: unknown): OriginError {
    const message = cause instanceof Error ? cause.message : String(cause)
    return new OriginError(`the fetcher of ${showKey(this.key)} failed: ${message}`, { cause })
  }

  #finish(stored: string | undefined): void {
    if (this.#done) return
    this.#done = true
    this.#firstByteTimer?.cancel()
    this.#fillTimer?.cancel()
    this.#stale?.letGo()
    this.#context.onDone(this, stored)
  }
}
