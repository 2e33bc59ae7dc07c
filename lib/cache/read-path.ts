import type { Clock } from '../clock.js'
import { abortedBy, ClosedError, ConfigError, DreyError } from '../errors.js'
import { assertKey, showKey } from '../keys.js'
import type { Trace } from '../metrics/advice/trace.js'
import type { Probe } from '../metrics/probe.js'
import type { FollowedFlight, Later, LedFlight, Metadata, StoredEntry } from '../store/store.js'
import { FINISH } from './abandon.js'
import { type Answer, isNotStored } from './answer.js'
import type { Answers } from './answers.js'
import { inBatch } from './batch.js'
import type { BatchTurns } from './batch-turns.js'
import type { FetchOptions, GetOptions } from './cache.js'
import { assertReading, readFreshness, readQuestion } from './call-options.js'
import type { Counters } from './counters.js'
import type { FenceTable, Pass } from './fence.js'
import type { Fetcher } from './fetcher.js'
import { Fill, type FillContext, type FillRequest } from './fill.js'
import { type FollowContext, FollowedFill } from './followed-fill.js'
import { hurried, LATE, lookupLimit } from './hurried-lookup.js'
import type { InFlight } from './in-flight.js'
import type { FillAnswer, Joinable } from './joinable.js'
import { Lead, UNCLAIMED } from './lead.js'
import { isFresh, isStaleOfUse } from './metadata.js'
import type { CacheConfig } from './options.js'
import type { Origins } from './origins.js'
import { SharedEntry } from './shared-entry.js'
import type { TagTable } from './tags.js'
import type { Tier } from './tier.js'
import { UsualTime } from './usual-time.js'

/** What the read path shares with the rest of its cache. */
export interface ReadContext {
  readonly config: CacheConfig
  readonly tier: Tier
  readonly clock: Clock
  readonly fences: FenceTable
  readonly counters: Counters
  readonly inFlight: InFlight
  readonly answers: Answers
  readonly batches: BatchTurns
  readonly tags: TagTable
  readonly origins: Origins
  readonly probe: Probe
  readonly trace: Trace | undefined
  isClosed(): boolean
  /** The key was answered with a stale value, and is to be fetched anew in the background. */
  onStale(key: string, fetcher: Fetcher, options: FetchOptions): void
}

/** What came of a caller's asking so far. */
interface Attempt {
  /** The answer may neither be joined nor be another's. */
  readonly alone: boolean
  /** A change overtook the lookup before this one. */
  readonly overtaken: boolean
  /** Whatever the tier has answers: a fill that the caller waited for has put it there. */
  readonly stored: boolean
  /** How often a fill of another thread came to no answer, or was found to be done. */
  readonly rounds: number
}

const FIRST: Attempt = { alone: false, overtaken: false, stored: false, rounds: 0 }

/** What the origin is to blame for. */
const ORIGINS: ReadonlySet<string> = new Set(['ERR_DREY_ORIGIN', 'ERR_DREY_TIMEOUT', 'ERR_DREY_BREAKER_OPEN'])

/** After so many rounds a caller asks the origin alone, so that nobody is put off for ever. */
const MAX_ROUNDS = 8

/**
 * From a key to an answer: the tier while the entry is fresh, else one fill for all who wait (I6), in this thread or,
 * where threads share the store, in the one that claimed the key.
 *
 * Invariant: `#joinable` has at most one fill for a key, led or followed, and nobody joins one that began before the last write
 * or delete of the key, in any thread: nobody who asks after a change is answered from before it (I5).
 */
export class ReadPath {
  readonly #context: ReadContext
  readonly #joinable = new Map<string, Joinable>()
  readonly #fillContext: FillContext & FollowContext
  readonly #originTime = new UsualTime()
  filling = 0

  constructor(context: ReadContext) {
    const { tier, clock, config, fences, counters, inFlight, tags, probe, trace } = context
    this.#context = context
    this.#fillContext = {
      tier,
      clock,
      origins: context.origins,
      onRetry: () => {
        context.counters.retries += 1
      },
      onAnswered: (ms) => {
        this.#originTime.took(ms)
        probe.firstByte(ms)
      },
      onBytes: (bytes) => {
        counters.bytesIn += bytes
      },
      tags,
      // Of the fill that asks: they may be others by the next.
      get timeouts() {
        return config.timeouts
      },
      onCommitting: (fill) => fences.fenceOlderFills(fill.pass),
      onCommit: (fill) => fences.fenceLookups(fill.key),
      onDone: (fill, stored, failure) => {
        if (this.#joinable.get(fill.key) === fill) this.#joinable.delete(fill.key)
        fences.leave(fill.pass)
        inFlight.remove(fill)
        this.filling -= 1
        if (stored !== undefined && isNotStored(stored)) counters.refused(stored)
        probe.filled(fill.key, fill.startedAt, fill.bytes, stored, failure)
        if (trace !== undefined && failure === undefined) traceFill(trace, fill, stored)
      },
      onFollowed: (fill) => {
        if (this.#joinable.get(fill.key) === fill) this.#joinable.delete(fill.key)
        inFlight.remove(fill)
      },
    }
  }

  /** Fills of `key` that run now may not be joined by those who ask later. */
  detach(key: string): void {
    this.#joinable.delete(key)
  }

  /** As `detach`, for all keys. */
  detachAll(): void {
    this.#joinable.clear()
  }

  fetch(key: string, fetcher: Fetcher, options: FetchOptions): Later<Answer> {
    assertKey(key)
    assertReading(options)
    const { signal } = options
    if (signal?.aborted === true) throw abortedBy(signal, fetching(key))
    return this.#fetch(key, fetcher, options, FIRST)
  }

  get(key: string, options: GetOptions): Later<Answer | undefined> {
    assertKey(key)
    assertReading(options)
    const { signal } = options
    if (signal?.aborted === true) throw abortedBy(signal, `reading ${showKey(key)}`)
    const { tier, inFlight } = this.#context
    const found = tier.find(key)
    if (!(found instanceof Promise)) return this.#got(key, found, options)
    return inFlight.wait(found, {
      use: (entry) => this.#got(key, entry, options),
      late: (entry) => tier.release(entry),
      signal,
      what: `reading ${showKey(key)}`,
    })
  }

  /** As `get` for each of `keys`, of one moment as far as atomic batches go. */
  getMany(keys: readonly string[], options: GetOptions): Later<Array<Answer | undefined>> {
    for (const key of keys) assertKey(key)
    assertReading(options)
    const { signal } = options
    const what = `reading ${keys.length} keys`
    if (signal?.aborted === true) throw abortedBy(signal, what)
    const { tier, inFlight, batches } = this.#context
    type Entries = Array<StoredEntry | undefined>
    const drop = (entries: Entries): void => {
      for (const entry of entries) tier.release(entry)
    }
    const found = batches.read<Entries>(() => inBatch(keys, (key) => tier.find(key)), drop)
    const use = (entries: Entries): Array<Answer | undefined> =>
      entries.map((entry, at) => this.#got(keys[at]!, entry, options))
    return found instanceof Promise ? inFlight.wait(found, { use, late: drop, signal, what }) : use(found)
  }

  #got(key: string, entry: StoredEntry | undefined, options: GetOptions): Answer | undefined {
    const { tier, clock, counters, answers, tags, trace } = this.#context
    const metadata = entry && tags.standing(entry.metadata)
    if (entry !== undefined && metadata !== undefined) {
      const fresh = isFresh(metadata, clock.now())
      if (fresh || options.allowStale === true) {
        return answers.fromEntry(key, entry, metadata, fresh ? 'hit' : 'stale', options)
      }
    }
    tier.release(entry)
    counters.absent()
    trace?.absent(key, false)
    return undefined
  }

  #fetch(key: string, fetcher: Fetcher, options: FetchOptions, attempt: Attempt): Later<Answer> {
    const { tier, inFlight, fences } = this.#context
    const entry = tier.find(key)
    if (!(entry instanceof Promise)) return this.#fetchWith(key, entry, fetcher, options, attempt)
    const pass = fences.enter(key, 'lookup')
    return inFlight.wait(this.#hurried(entry), {
      use: (found) => {
        if (found === LATE) return this.#fetchBeside(key, entry, pass, fetcher, options, attempt)
        fences.leave(pass)
        if (!pass.fenced || attempt.stored || this.#isHit(found, options)) {
          return this.#fetchWith(key, found, fetcher, options, attempt)
        }
        // What was found may be gone: it must neither be confirmed nor answer an error of the origin (I5).
        tier.release(found)
        if (attempt.overtaken) return this.#fetchWith(key, undefined, fetcher, options, attempt)
        return this.#fetch(key, fetcher, options, { ...attempt, overtaken: true })
      },
      late: (found) => this.#letGo(found === LATE ? entry : found, pass),
      signal: options.signal,
      what: fetching(key),
    })
  }

  /** What a lookup gives, or `LATE` where to ask the origin is faster. */
  #hurried(entry: Promise<StoredEntry | undefined>): Promise<StoredEntry | undefined | typeof LATE> {
    const { clock, config } = this.#context
    return hurried(clock, lookupLimit(config.timeouts.lookup, this.#originTime), entry)
  }

  /** Asks the origin beside a lookup that is late. Should the origin fail, what the lookup finds may answer yet (I3). */
  async #fetchBeside(
    key: string,
    coming: Promise<StoredEntry | undefined>,
    pass: Pass,
    fetcher: Fetcher,
    options: FetchOptions,
    attempt: Attempt,
  ): Promise<Answer> {
    const { inFlight, fences, tier, counters } = this.#context
    counters.lateLookups += 1
    let failure: unknown
    try {
      const answer = await this.#fetchWith(key, undefined, fetcher, options, attempt)
      this.#letGo(coming, pass)
      return answer
    } catch (error) {
      if (!(error instanceof DreyError && ORIGINS.has(error.code))) {
        this.#letGo(coming, pass)
        throw error
      }
      failure = error
    }
    return inFlight.wait(coming, {
      use: (found) => {
        fences.leave(pass)
        const answer = pass.fenced ? undefined : this.#instead(key, found, options)
        if (answer !== undefined) return answer
        tier.release(found)
        throw failure
      },
      late: (found) => this.#letGo(found, pass),
      signal: options.signal,
      what: fetching(key),
    })
  }

  /** What `entry` answers where the origin failed. */
  #instead(key: string, entry: StoredEntry | undefined, options: FetchOptions): Answer | undefined {
    const { answers, clock, tags } = this.#context
    const metadata = entry && tags.standing(entry.metadata)
    if (entry === undefined || metadata === undefined) return undefined
    const mayBeStale = tags.answersErrors(entry.metadata, clock.now())
    const outcome = this.#judge(entry, metadata, options) ?? (mayBeStale ? 'stale' : undefined)
    return outcome && answers.fromEntry(key, entry, metadata, outcome, options)
  }

  /** What a lookup finds is of no use any more. */
  #letGo(coming: Later<StoredEntry | undefined>, pass: Pass): void {
    const { fences, tier } = this.#context
    void Promise.resolve(coming).then((found) => {
      fences.leave(pass)
      tier.release(found)
    })
  }

  /** Looks again, after what led to nothing. */
  #fetchAgain(
    key: string,
    fetcher: Fetcher,
    options: FetchOptions,
    { rounds, alone }: Attempt,
    stored: boolean,
  ): Later<Answer> {
    const next = { alone: alone || rounds >= MAX_ROUNDS, overtaken: false, stored, rounds: rounds + 1 }
    return this.#fetch(key, fetcher, options, next)
  }

  #fetchWith(
    key: string,
    entry: StoredEntry | undefined,
    fetcher: Fetcher,
    options: FetchOptions,
    attempt: Attempt,
  ): Later<Answer> {
    const { tier, answers, isClosed, tags } = this.#context
    const metadata = entry && tags.standing(entry.metadata)
    if (entry !== undefined && metadata !== undefined) {
      const outcome = attempt.stored ? 'joined' : this.#judge(entry, metadata, options)
      if (outcome === 'stale' && !isClosed()) this.#onStale(key, fetcher, options)
      if (outcome !== undefined) return answers.fromEntry(key, entry, metadata, outcome, options)
    }
    if (isClosed()) {
      tier.release(entry)
      throw new ClosedError(`the cache was closed while ${showKey(key)} was looked up`)
    }
    const join = (fill: Joinable): Promise<Answer> | undefined =>
      fill.wait(options.signal, (got) => this.#answer(key, got, 'joined', fetcher, options, attempt))
    const there = attempt.alone ? undefined : this.#joinable.get(key)
    const joined = there === undefined || there.fenced ? undefined : join(there)
    if (joined !== undefined) {
      there!.renewStale(this.#staleOf(entry, metadata))
      return joined
    }
    const request = this.#request(key, entry, fetcher, options)
    // Before the flight is known, so that what is invalidated between counts as after it.
    const began = tags.latest
    const claimed = this.#claim(key, entry, attempt)
    if (claimed === 'look') {
      tier.release(entry)
      return this.#fetchAgain(key, fetcher, options, attempt, false)
    }
    const stale = this.#staleOf(entry, metadata)
    if (claimed?.leads === false) {
      const followed = this.#follow(key, stale, claimed, began)
      const answer = join(followed)!
      followed.start()
      return answer
    }
    const fill = this.#begin({ ...request, stale, lead: claimed && new Lead(claimed, tier) }, attempt.alone)
    const answer = fill.wait(options.signal, (got) =>
      this.#answer(key, got, 'miss', fetcher, options, attempt),
    )!
    fill.start()
    return answer
  }

  /** Who calls the origin; undefined where that is no other thread's business. */
  #claim(
    key: string,
    seen: StoredEntry | undefined,
    { alone }: Attempt,
  ): LedFlight | FollowedFlight | 'look' | undefined {
    const { tier } = this.#context
    const { sharing } = tier.store
    return sharing && tier.attempt(() => sharing.claim(key, seen, alone), UNCLAIMED)
  }

  /** What a fill has to give if the origin fails. An entry that was invalidated is of no use, and released. */
  #staleOf(entry: StoredEntry | undefined, metadata: Metadata | undefined): SharedEntry | undefined {
    const { tier } = this.#context
    if (entry !== undefined && metadata !== undefined) return new SharedEntry(entry, metadata, tier)
    tier.release(entry)
    return undefined
  }

  #isHit(entry: StoredEntry | undefined, options: FetchOptions): boolean {
    const metadata = entry && this.#context.tags.standing(entry.metadata)
    return entry !== undefined && metadata !== undefined && this.#judge(entry, metadata, options) === 'hit'
  }

  /** How `entry` may answer by itself, if it may; where the caller decides, by what the caller says. */
  #judge(entry: StoredEntry, metadata: Metadata, { freshness }: FetchOptions): 'hit' | 'stale' | undefined {
    const now = this.#context.clock.now()
    if (freshness?.fresh === undefined) {
      if (isFresh(metadata, now)) return 'hit'
      return isStaleOfUse(metadata, now) ? 'stale' : undefined
    }
    let fresh: unknown
    try {
      fresh = freshness.fresh(metadata, now)
      if (typeof fresh === 'boolean') return fresh ? 'hit' : undefined
    } catch (error) {
      this.#context.tier.release(entry)
      throw new ConfigError('freshness.fresh: threw; want true or false', { cause: error })
    }
    this.#context.tier.release(entry)
    throw new ConfigError(`freshness.fresh: gave ${typeof fresh}; want true or false`)
  }

  #onStale(key: string, fetcher: Fetcher, options: FetchOptions): void {
    const there = this.#joinable.get(key)
    if (there === undefined || there.fenced) this.#context.onStale(key, fetcher, options)
  }

  /** Asks the origin for `key`, though nobody waits for it; resolves when what it says is kept, or somebody else asks. Rejects when it fails. */
  async renew(key: string, fetcher: Fetcher, options: FetchOptions, timeout: number): Promise<void> {
    const { tier, fences, inFlight, tags, isClosed } = this.#context
    const pass = fences.enter(key, 'lookup')
    const release = (late: StoredEntry | undefined): void => tier.release(late)
    let entry: StoredEntry | undefined
    try {
      const found = tier.find(key, true)
      entry =
        found instanceof Promise ? await inFlight.wait(found, { use: (it) => it, late: release }) : found
    } finally {
      fences.leave(pass)
    }
    // What was found may be gone (I5), or somebody asks by now.
    const there = this.#joinable.get(key)
    if (pass.fenced || isClosed() || (there !== undefined && !there.fenced)) return release(entry)
    const request = this.#request(key, entry, fetcher, options)
    const claimed = this.#claim(key, entry, FIRST)
    if (claimed === 'look') return release(entry)
    if (claimed?.leads === false) {
      release(entry)
      tier.attempt(() => claimed.leave(false), undefined)
      return
    }
    const stale = this.#staleOf(entry, entry && tags.standing(entry.metadata))
    await new Promise<void>((resolve, reject) => {
      const fill = this.#begin(
        {
          ...request,
          stale,
          abandon: FINISH,
          fillTimeout: timeout,
          lead: claimed && new Lead(claimed, tier),
          onEnd: (failure) => (failure === undefined ? resolve() : reject(failure)),
        },
        false,
      )
      fill.start()
    })
  }

  #begin(request: Omit<FillRequest, 'pass' | 'sequence' | 'began' | 'startedAt'>, alone: boolean): Fill {
    const { fences, inFlight, counters, tags, probe } = this.#context
    const { key } = request
    const pass = fences.enter(key, 'fill')
    const { sequence } = tags
    const startedAt = probe.beginFill()
    const fill = new Fill({ ...request, pass, sequence, began: tags.latest, startedAt }, this.#fillContext)
    if (!alone) this.#joinable.set(key, fill)
    inFlight.add(fill)
    this.filling += 1
    counters.fills += 1
    return fill
  }

  #follow(key: string, stale: SharedEntry | undefined, flight: FollowedFlight, began: number): FollowedFill {
    const followed = new FollowedFill(key, flight, stale, began, this.#fillContext)
    this.#joinable.set(key, followed)
    this.#context.inFlight.add(followed)
    return followed
  }

  /** What a fill is asked, checked. @throws `ERR_DREY_CONFIG`; then `stale` is released. */
  #request(
    key: string,
    stale: StoredEntry | undefined,
    fetcher: Fetcher,
    options: FetchOptions,
  ): Omit<FillRequest, 'pass' | 'lead' | 'stale' | 'sequence' | 'began' | 'startedAt'> {
    const { config, tier } = this.#context
    try {
      const { abandon } = config
      return { key, abandon, question: readQuestion(fetcher, options), ...readFreshness(config, options) }
    } catch (error) {
      tier.release(stale)
      throw error
    }
  }

  #answer(
    key: string,
    answer: FillAnswer,
    outcome: 'miss' | 'joined',
    fetcher: Fetcher,
    options: FetchOptions,
    attempt: Attempt,
  ): Later<Answer> {
    const { answers } = this.#context
    switch (answer.kind) {
      case 'body':
        return answers.fromReader(key, answer.reader, outcome, answer.from, options)
      case 'entry': {
        const how = outcome === 'joined' && answer.outcome === 'revalidated' ? 'joined' : answer.outcome
        return answers.fromEntry(key, answer.entry, answer.metadata, how, options)
      }
      case 'not-found':
        return answers.notFound(key, answer.metadata, outcome)
      case 'alone':
        return this.#fetch(key, fetcher, options, { ...FIRST, alone: true })
      case 'stored':
      case 'again':
        return this.#fetchAgain(key, fetcher, options, attempt, answer.kind === 'stored')
    }
  }
}

/** Not kept, and would be where there is more room. */
const FOR_WANT_OF_ROOM: ReadonlySet<string | undefined> = new Set(['too-large', 'no-room'])

/** What a fill brought, for who replays it: also what a larger tier would have kept. */
function traceFill(
  trace: Trace,
  { key, bytes, metadata, confirmed }: Fill,
  stored: string | undefined,
): void {
  if (stored === undefined || (isNotStored(stored) && !FOR_WANT_OF_ROOM.has(stored))) return
  if (confirmed !== undefined) trace.stored(key, 'confirmed', confirmed)
  else if (metadata !== undefined && bytes !== undefined)
    trace.stored(key, 'fill', { ...metadata, size: bytes })
}

const fetching = (key: string): string => `fetching ${showKey(key)}`
