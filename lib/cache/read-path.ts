import type { Clock } from '../clock.js'
import { freshnessOptions, validate } from '../config/schema.js'
import { abortedBy, ClosedError, ConfigError } from '../errors.js'
import { assertKey, showKey } from '../keys.js'
import { IN_HAND, type Metadata, type StoredEntry } from '../store/store.js'
import type { Answer, Outcome } from './answer.js'
import type { FetchOptions, GetOptions } from './cache.js'
import type { Counters } from './counters.js'
import type { FenceTable } from './fence.js'
import type { Fetcher } from './fetcher.js'
import { Fill, type FillAnswer, type FillContext } from './fill.js'
import { FoundAnswer, type FoundContext, type Provenance } from './found.js'
import type { InFlight } from './in-flight.js'
import { isFresh, matchesEtag } from './metadata.js'
import { type CacheConfig, withFreshness } from './options.js'
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
      onUnjoinable: (fill) => {
        if (this.#joinable.get(fill.key) === fill) this.#joinable.delete(fill.key)
      },
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

  fetch(key: string, fetcher: Fetcher, options: FetchOptions): Promise<Answer> {
    if (options.signal?.aborted === true) throw abortedBy(options.signal, `fetching ${showKey(String(key))}`)
    const entry = this.#context.tier.find(key)
    if (entry instanceof Promise) {
      return entry.then((found) => this.#fetchWith(key, found, fetcher, options, false))
    }
    return this.#fetchWith(key, entry, fetcher, options, false)
  }

  async get(key: string, options: GetOptions): Promise<Answer | undefined> {
    const { tier, clock, counters } = this.#context
    if (options.signal?.aborted === true) throw abortedBy(options.signal, `reading ${showKey(String(key))}`)
    const found = tier.find(key)
    const entry = found instanceof Promise ? await found : found
    if (entry === undefined) {
      assertKey(key)
      counters.misses += 1
      return undefined
    }
    const fresh = isFresh(entry.metadata, clock.now())
    if (!fresh && options.allowStale !== true) {
      entry.release()
      counters.misses += 1
      return undefined
    }
    return this.#fromEntry(key, entry, entry.metadata, fresh ? 'hit' : 'stale', options)
  }

  getSync(key: string): { value: Buffer; meta: Metadata } | undefined {
    const { tier, clock, counters } = this.#context
    const entry = tier.find(key)
    if (entry instanceof Promise) {
      // The store answers later: nothing of it is at hand. What it answers is given back.
      entry.then((late) => late?.release())
      return undefined
    }
    if (entry === undefined) {
      assertKey(key)
      counters.misses += 1
      return undefined
    }
    const meta = entry.metadata
    const usable = isFresh(meta, clock.now()) && !meta.negative && meta.size <= IN_HAND
    const value = usable ? Buffer.allocUnsafe(meta.size) : undefined
    const read = value === undefined ? undefined : entry.read(value, 0)
    entry.release()
    if (value === undefined || read !== meta.size) {
      counters.misses += 1
      return undefined
    }
    counters.hits += 1
    return { value, meta }
  }

  #fetchWith(
    key: string,
    entry: StoredEntry | undefined,
    fetcher: Fetcher,
    options: FetchOptions,
    alone: boolean,
  ): Promise<Answer> {
    const { signal, freshness } = options
    if (entry === undefined) assertKey(key)
    else if (this.#isFresh(entry.metadata, freshness?.fresh)) {
      return Promise.resolve(this.#fromEntry(key, entry, entry.metadata, 'hit', options))
    }
    if (this.#context.isClosed() || signal?.aborted === true) {
      entry?.release()
      throw signal?.aborted === true
        ? abortedBy(signal, `fetching ${showKey(key)}`)
        : new ClosedError(`the cache was closed while ${showKey(key)} was looked up`)
    }
    const joined = alone ? undefined : this.#joinable.get(key)?.wait(signal)
    if (joined !== undefined) {
      entry?.release()
      return joined.then((answer) => this.#answer(key, answer, 'joined', fetcher, options))
    }
    const fill = this.#begin(key, entry, fetcher, options, alone)
    const answer = fill.wait(signal)!
    fill.start()
    return answer.then((got) => this.#answer(key, got, 'miss', fetcher, options))
  }

  #isFresh(meta: Metadata, fresh: ((meta: Metadata, now: number) => boolean) | undefined): boolean {
    const now = this.#context.clock.now()
    return fresh === undefined ? isFresh(meta, now) : fresh(meta, now)
  }

  #begin(
    key: string,
    stale: StoredEntry | undefined,
    fetcher: Fetcher,
    options: FetchOptions,
    alone: boolean,
  ): Fill {
    const { config, fences, inFlight, counters } = this.#context
    let freshness = config.freshness
    try {
      if (typeof fetcher !== 'function')
        throw new ConfigError(`fetch: want a function as fetcher; got ${typeof fetcher}`)
      if (options.freshness !== undefined) {
        const { fresh: _, ...given } = options.freshness
        freshness = withFreshness(validate(freshnessOptions, given, 'freshness'), freshness)
      }
    } catch (error) {
      stale?.release()
      throw error
    }
    const pass = fences.enter(key, 'fill')
    const fill = new Fill({ key, fetcher, freshness, stale, pass }, this.#fillContext)
    if (!alone) this.#joinable.set(key, fill)
    inFlight.add(fill)
    this.filling += 1
    counters.fills += 1
    return fill
  }

  #answer(
    key: string,
    answer: FillAnswer,
    outcome: 'miss' | 'joined',
    fetcher: Fetcher,
    options: FetchOptions,
  ): Answer | Promise<Answer> {
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
        return this.#fetchAlone(key, fetcher, options)
    }
  }

  async #fetchAlone(key: string, fetcher: Fetcher, options: FetchOptions): Promise<Answer> {
    return this.#fetchWith(key, await this.#context.tier.find(key), fetcher, options, true)
  }

  #fromEntry(
    key: string,
    entry: StoredEntry,
    metadata: Metadata,
    outcome: Outcome,
    options: Pick<FetchOptions, 'ifNoneMatch' | 'signal'>,
  ): Answer {
    if (metadata.negative) {
      entry.release()
      this.#context.counters.answered(outcome, true)
      return { status: 'not-found', key, outcome, meta: metadata }
    }
    const { name } = this.#context.tier.store
    return this.#fromReader(
      key,
      new EntryReader(entry),
      outcome,
      { metadata, tier: name, stored: name },
      options,
    )
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
      reader.satisfied?.()
      const meta = from.metadata
      reader.release()
      return { status: 'not-modified', key, outcome, meta }
    }
    return new FoundAnswer(key, outcome, reader, from, this.#context.found, options.signal)
  }
}
