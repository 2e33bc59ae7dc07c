import type { Clock } from '../clock.js'
import { freshnessOptions, validate } from '../config/schema.js'
import { parseDuration } from '../config/units.js'
import { abortedBy, ClosedError, ConfigError } from '../errors.js'
import { assertKey, showKey } from '../keys.js'
import { IN_HAND, type Later, type Metadata, type StoredEntry } from '../store/store.js'
import type { Answer, Found, Outcome } from './answer.js'
import type { FetchOptions, GetOptions } from './cache.js'
import type { Counters } from './counters.js'
import type { DirectHit } from './direct.js'
import type { FenceTable } from './fence.js'
import type { Fetcher } from './fetcher.js'
import { Fill, type FillAnswer, type FillContext, type FillRequest } from './fill.js'
import { FoundAnswer, type FoundContext, type Provenance } from './found.js'
import type { InFlight } from './in-flight.js'
import { isFresh, matchesEtag } from './metadata.js'
import { assertOptions, type CacheConfig, withFreshness } from './options.js'
import { type BodyReader, EntryReader } from './reader.js'
import type { Tier } from './tier.js'

/** What the read path shares with the rest of its cache. */
export interface ReadContext {
  readonly config: CacheConfig
  readonly tier: Tier
  readonly clock: Clock
  readonly fences: FenceTable
  readonly counters: Counters
  readonly inFlight: InFlight
  readonly found: FoundContext
  isClosed(): boolean
}

/**
 * From a key to an answer: the tier while the entry is fresh, else one fill for all who wait (I6).
 *
 * Invariant: `#joinable` has at most one fill for a key, and only one that began after the last write and
 * delete of the key, so that nobody who asks after a change is answered from before it (I5).
 */
export class ReadPath {
  readonly #context: ReadContext
  readonly #joinable = new Map<string, Fill>()
  readonly #fillContext: FillContext
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
        if (stored !== undefined && stored !== tier.store.name) counters.refused(stored)
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
    return this.#fetch(key, fetcher, options, false)
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

  getSync(key: string): { value: Buffer; meta: Metadata } | undefined {
    assertKey(key)
    const { tier, counters } = this.#context
    const entry = tier.find(key)
    if (entry instanceof Promise) {
      // The store answers later: nothing of it is at hand. What it answers is given back.
      void entry.then((late) => tier.release(late))
      return undefined
    }
    const hit = entry === undefined ? undefined : this.#copyOf(entry)
    tier.release(entry)
    if (hit === undefined) counters.misses += 1
    else counters.hits += 1
    return hit
  }

  /** See `DirectCache`. */
  hitSync(key: string): DirectHit | undefined {
    assertKey(key)
    const { tier, clock, counters } = this.#context
    const entry = tier.find(key)
    if (entry instanceof Promise) {
      void entry.then((late) => tier.release(late))
      return undefined
    }
    if (entry === undefined) return undefined
    const meta = entry.metadata
    if (!isFresh(meta, clock.now()) || meta.negative) {
      tier.release(entry)
      return undefined
    }
    if (meta.size > IN_HAND) {
      return { meta, bytes: undefined, found: this.#fromEntry(key, entry, meta, 'hit', {}) as Found }
    }
    const bytes = entry.view === undefined ? undefined : tier.view(entry, 0)
    if (bytes?.length !== meta.size) {
      tier.release(entry)
      return undefined
    }
    counters.hits += 1
    // Small, so that it holds nothing, and what was lent of it stays as it is without a release (S3, S7).
    return { meta, bytes, found: undefined }
  }

  /** The value of `entry` when it is fresh and at hand, in memory of its own. */
  #copyOf(entry: StoredEntry): { value: Buffer; meta: Metadata } | undefined {
    const { clock, tier } = this.#context
    const meta = entry.metadata
    if (!isFresh(meta, clock.now()) || meta.negative || meta.size > IN_HAND) return undefined
    const value = Buffer.allocUnsafe(meta.size)
    try {
      const read = meta.size === 0 ? 0 : tier.ask(() => entry.read(value, 0))
      if (read instanceof Promise) read.catch(nobodyWaits)
      return read === meta.size ? { value, meta } : undefined
    } catch {
      // Counted by the tier: a store that fails costs the hit.
      return undefined
    }
  }

  #got(key: string, entry: StoredEntry | undefined, options: GetOptions): Answer | undefined {
    const { tier, clock, counters } = this.#context
    if (entry !== undefined) {
      const fresh = isFresh(entry.metadata, clock.now())
      if (fresh || options.allowStale === true) {
        return this.#fromEntry(key, entry, entry.metadata, fresh ? 'hit' : 'stale', options)
      }
      tier.release(entry)
    }
    counters.misses += 1
    return undefined
  }

  /** `alone`: the answer may neither be joined nor be another's. `again`: a change overtook the lookup before this one. */
  #fetch(key: string, fetcher: Fetcher, options: FetchOptions, alone: boolean, again = false): Later<Answer> {
    const { tier, inFlight, fences } = this.#context
    const entry = tier.find(key)
    if (!(entry instanceof Promise)) return this.#fetchWith(key, entry, fetcher, options, alone)
    const pass = fences.enter(key, 'lookup')
    return inFlight.wait(entry, {
      use: (found) => {
        fences.leave(pass)
        if (!pass.fenced || this.#mayAnswer(found, options)) {
          return this.#fetchWith(key, found, fetcher, options, alone)
        }
        // What was found may be gone: it must neither be confirmed nor answer an error of the origin (I5).
        tier.release(found)
        if (again) return this.#fetchWith(key, undefined, fetcher, options, alone)
        return this.#fetch(key, fetcher, options, alone, true)
      },
      late: (found) => {
        fences.leave(pass)
        tier.release(found)
      },
      signal: options.signal,
      what: fetching(key),
    })
  }

  #fetchWith(
    key: string,
    entry: StoredEntry | undefined,
    fetcher: Fetcher,
    options: FetchOptions,
    alone: boolean,
  ): Later<Answer> {
    const { tier, isClosed } = this.#context
    const { signal } = options
    if (entry !== undefined && this.#mayAnswer(entry, options)) {
      return this.#fromEntry(key, entry, entry.metadata, 'hit', options)
    }
    if (isClosed()) {
      tier.release(entry)
      throw new ClosedError(`the cache was closed while ${showKey(key)} was looked up`)
    }
    const joined = alone
      ? undefined
      : this.#joinable
          .get(key)
          ?.wait(signal, (answer) => this.#answer(key, answer, 'joined', fetcher, options))
    if (joined !== undefined) {
      tier.release(entry)
      return joined
    }
    const fill = this.#begin(key, entry, fetcher, options, alone)
    const answer = fill.wait(signal, (got) => this.#answer(key, got, 'miss', fetcher, options))!
    fill.start()
    return answer
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

  #begin(
    key: string,
    stale: StoredEntry | undefined,
    fetcher: Fetcher,
    options: FetchOptions,
    alone: boolean,
  ): Fill {
    const { tier, inFlight, counters } = this.#context
    let fill: Fill
    try {
      fill = new Fill(this.#request(key, stale, fetcher, options), this.#fillContext)
    } catch (error) {
      tier.release(stale)
      throw error
    }
    if (!alone) this.#joinable.set(key, fill)
    inFlight.add(fill)
    this.filling += 1
    counters.fills += 1
    return fill
  }

  #request(
    key: string,
    stale: StoredEntry | undefined,
    fetcher: Fetcher,
    options: FetchOptions,
  ): FillRequest {
    const { config, fences } = this.#context
    if (typeof fetcher !== 'function') {
      throw new ConfigError(`fetch: want a function as fetcher; got ${typeof fetcher}`)
    }
    const request = { key, fetcher, stale, freshness: config.freshness, asked: {} }
    if (options.freshness === undefined) return { ...request, pass: fences.enter(key, 'fill') }
    const { fresh: _, ...given } = options.freshness
    const valid = validate(freshnessOptions, given, 'freshness')
    return {
      ...request,
      freshness: withFreshness(valid, config.freshness),
      asked: {
        ...(valid.ttl === undefined ? {} : { ttl: parseDuration(valid.ttl)! }),
        ...(valid.staleIfError === undefined ? {} : { staleIfError: parseDuration(valid.staleIfError)! }),
      },
      pass: fences.enter(key, 'fill'),
    }
  }

  #answer(
    key: string,
    answer: FillAnswer,
    outcome: 'miss' | 'joined',
    fetcher: Fetcher,
    options: FetchOptions,
  ): Later<Answer> {
    switch (answer.kind) {
      case 'body':
        return this.#fromReader(key, answer.reader, outcome, answer.from, options)
      case 'entry': {
        const how = outcome === 'joined' && answer.outcome === 'revalidated' ? 'joined' : answer.outcome
        return this.#fromEntry(key, answer.entry, answer.metadata, how, options)
      }
      case 'not-found':
        this.#context.counters.answered(outcome, true)
        return { status: 'not-found', key, outcome, meta: answer.metadata }
      case 'alone':
        return this.#fetch(key, fetcher, options, true)
    }
  }

  #fromEntry(
    key: string,
    entry: StoredEntry,
    metadata: Metadata,
    outcome: Outcome,
    options: Pick<FetchOptions, 'ifNoneMatch' | 'signal'>,
  ): Answer {
    if (metadata.negative) {
      this.#context.tier.release(entry)
      this.#context.counters.answered(outcome, true)
      return { status: 'not-found', key, outcome, meta: metadata }
    }
    const { tier } = this.#context
    const { name } = tier.store
    const from = { metadata, tier: name, stored: name }
    return this.#fromReader(key, new EntryReader(key, entry, tier), outcome, from, options)
  }

  #fromReader(
    key: string,
    reader: BodyReader,
    outcome: Outcome,
    from: Provenance,
    options: Pick<FetchOptions, 'ifNoneMatch' | 'signal'>,
  ): Answer {
    this.#context.counters.answered(outcome, false)
    if (options.ifNoneMatch !== undefined && matchesEtag(options.ifNoneMatch, from.metadata.etag)) {
      // This caller has what it wanted; the fill, if any, goes on for those who come later.
      reader.satisfied()
      const meta = from.metadata
      reader.release()
      return { status: 'not-modified', key, outcome, meta }
    }
    return new FoundAnswer(key, outcome, reader, from, this.#context.found, options.signal)
  }
}

// A copy that comes too late for `getSync` is wanted by nobody.
const nobodyWaits = (): void => undefined

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
