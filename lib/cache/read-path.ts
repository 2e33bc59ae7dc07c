import type { Clock } from '../clock.js'
import { freshnessOptions } from '../config/schema.js'
import { parseDuration } from '../config/units.js'
import { validate } from '../config/validate.js'
import { abortedBy, ClosedError, ConfigError } from '../errors.js'
import { assertKey, showKey } from '../keys.js'
import type { FollowedFlight, Later, LedFlight, StoredEntry } from '../store/store.js'
import { type Answer, isNotStored } from './answer.js'
import type { Answers } from './answers.js'
import type { FetchOptions, GetOptions } from './cache.js'
import type { Counters } from './counters.js'
import type { FenceTable } from './fence.js'
import type { Fetcher } from './fetcher.js'
import { Fill, type FillContext, type FillRequest } from './fill.js'
import { type FollowContext, FollowedFill } from './followed-fill.js'
import type { InFlight } from './in-flight.js'
import type { FillAnswer, Joinable } from './joinable.js'
import { Lead, UNCLAIMED } from './lead.js'
import { isFresh } from './metadata.js'
import { assertOptions, type CacheConfig, withFreshness } from './options.js'
import type { Tier } from './tier.js'

/** What the read path shares with the rest of its cache. */
export interface ReadContext {
  readonly config: CacheConfig
  readonly tier: Tier
  readonly clock: Clock
  readonly fences: FenceTable
  readonly counters: Counters
  readonly inFlight: InFlight
  readonly answers: Answers
  isClosed(): boolean
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
  filling = 0

  constructor(context: ReadContext) {
    const { tier, clock, config, fences, counters, inFlight } = context
    this.#context = context
    this.#fillContext = {
      tier,
      clock,
      timeouts: config.timeouts,
      onCommit: (fill) => fences.fenceLookups(fill.key),
      onDone: (fill, stored) => {
        if (this.#joinable.get(fill.key) === fill) this.#joinable.delete(fill.key)
        fences.leave(fill.pass)
        inFlight.remove(fill)
        this.filling -= 1
        if (stored !== undefined && isNotStored(stored)) counters.refused(stored)
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

  #got(key: string, entry: StoredEntry | undefined, options: GetOptions): Answer | undefined {
    const { tier, clock, counters, answers } = this.#context
    if (entry !== undefined) {
      const fresh = isFresh(entry.metadata, clock.now())
      if (fresh || options.allowStale === true) {
        return answers.fromEntry(key, entry, entry.metadata, fresh ? 'hit' : 'stale', options)
      }
      tier.release(entry)
    }
    counters.misses += 1
    return undefined
  }

  #fetch(key: string, fetcher: Fetcher, options: FetchOptions, attempt: Attempt): Later<Answer> {
    const { tier, inFlight, fences } = this.#context
    const entry = tier.find(key)
    if (!(entry instanceof Promise)) return this.#fetchWith(key, entry, fetcher, options, attempt)
    const pass = fences.enter(key, 'lookup')
    return inFlight.wait(entry, {
      use: (found) => {
        fences.leave(pass)
        if (!pass.fenced || attempt.stored || this.#mayAnswer(found, options)) {
          return this.#fetchWith(key, found, fetcher, options, attempt)
        }
        // What was found may be gone: it must neither be confirmed nor answer an error of the origin (I5).
        tier.release(found)
        if (attempt.overtaken) return this.#fetchWith(key, undefined, fetcher, options, attempt)
        return this.#fetch(key, fetcher, options, { ...attempt, overtaken: true })
      },
      late: (found) => {
        fences.leave(pass)
        tier.release(found)
      },
      signal: options.signal,
      what: fetching(key),
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
    const { tier, answers, isClosed } = this.#context
    if (entry !== undefined && (attempt.stored || this.#mayAnswer(entry, options))) {
      const outcome = attempt.stored ? 'joined' : 'hit'
      return answers.fromEntry(key, entry, entry.metadata, outcome, options)
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
      tier.release(entry)
      return joined
    }
    const request = this.#request(key, entry, fetcher, options)
    const claimed = this.#claim(key, entry, attempt)
    if (claimed === 'look') {
      tier.release(entry)
      return this.#fetchAgain(key, fetcher, options, attempt, false)
    }
    if (claimed?.leads === false) {
      const followed = this.#follow(key, entry, claimed)
      const answer = join(followed)!
      followed.start()
      return answer
    }
    const fill = this.#begin({ ...request, lead: claimed && new Lead(claimed, tier) }, attempt)
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

  /** Whether `entry` answers by itself; where the caller decides, by what the caller says. */
  #mayAnswer(entry: StoredEntry | undefined, { freshness }: FetchOptions): boolean {
    if (entry === undefined) return false
    const now = this.#context.clock.now()
    if (freshness?.fresh === undefined) return isFresh(entry.metadata, now)
    let fresh: unknown
    try {
      fresh = freshness.fresh(entry.metadata, now)
      if (typeof fresh === 'boolean') return fresh
    } catch (error) {
      this.#context.tier.release(entry)
      throw new ConfigError('freshness.fresh: threw; want true or false', { cause: error })
    }
    this.#context.tier.release(entry)
    throw new ConfigError(`freshness.fresh: gave ${typeof fresh}; want true or false`)
  }

  #begin(request: Omit<FillRequest, 'pass'>, { alone }: Attempt): Fill {
    const { fences, inFlight, counters } = this.#context
    const { key } = request
    const fill = new Fill({ ...request, pass: fences.enter(key, 'fill') }, this.#fillContext)
    if (!alone) this.#joinable.set(key, fill)
    inFlight.add(fill)
    this.filling += 1
    counters.fills += 1
    return fill
  }

  #follow(key: string, stale: StoredEntry | undefined, flight: FollowedFlight): FollowedFill {
    const followed = new FollowedFill(key, flight, stale, this.#fillContext)
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
  ): Omit<FillRequest, 'pass' | 'lead'> {
    const { config, tier } = this.#context
    try {
      if (typeof fetcher !== 'function') {
        throw new ConfigError(`fetch: want a function as fetcher; got ${typeof fetcher}`)
      }
      const request = { key, fetcher, stale, freshness: config.freshness, asked: {} }
      if (options.freshness === undefined) return request
      const { fresh: _, ...given } = options.freshness
      const valid = validate(freshnessOptions, given, 'freshness')
      return {
        ...request,
        freshness: withFreshness(valid, config.freshness),
        asked: {
          ...(valid.ttl === undefined ? {} : { ttl: parseDuration(valid.ttl)! }),
          ...(valid.staleIfError === undefined ? {} : { staleIfError: parseDuration(valid.staleIfError)! }),
        },
      }
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

const fetching = (key: string): string => `fetching ${showKey(key)}`

/** @throws `ERR_DREY_CONFIG` for what a call of `fetch` or `get` may not be given. */
function assertReading(options: GetOptions & FetchOptions): void {
  assertOptions(options)
  const { signal, ifNoneMatch, freshness } = options
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw new ConfigError(`signal: got ${signal === null ? 'null' : typeof signal}; want an AbortSignal`)
  }
  if (ifNoneMatch !== undefined && typeof ifNoneMatch !== 'string') {
    throw new ConfigError(`ifNoneMatch: got ${typeof ifNoneMatch}; want text such as '"a", W/"b"' or '*'`)
  }
  if (freshness?.fresh !== undefined && typeof freshness.fresh !== 'function') {
    throw new ConfigError(`freshness.fresh: got ${typeof freshness.fresh}; want a function`)
  }
}
