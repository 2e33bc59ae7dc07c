import type { Writable } from 'node:stream'
import type { BufferPoolStats } from '../buffers/stats.js'
import type { FreshnessOptions } from '../config/schema.js'
import type { Advice } from '../metrics/advice/advice.js'
import type { CacheHealth } from '../metrics/health/health.js'
import type { MetricsStats } from '../metrics/stats.js'
import type { TopKey } from '../metrics/top-keys.js'
import type { PressureStats } from '../resilience/pressure/index.js'
import type { Metadata, OptionChange, TierStats } from '../store/store.js'
import type { Answer, Found, NotFound, NotModified } from './answer.js'
import type { CacheEvents } from './events.js'
import type { Body, EntryOptions, Fetcher, FetcherContext } from './fetcher.js'
import type { CachePatch } from './live-options.js'
import type { OriginStats } from './origins.js'
import type { RefreshStats } from './refreshes.js'
import type { RetryOptions } from './retry.js'

/*
 * The public face of a cache. `create.ts` makes one.
 */

/** Options of `get`. */
export interface GetOptions {
  /** Give an entry that is no longer fresh, too. Default false. */
  readonly allowStale?: boolean | undefined
  /** Entity tags that the caller has, as in HTTP: a list, weak tags, or `*`. A value that one of them names answers `NotModified`. */
  readonly ifNoneMatch?: string | undefined
  /** Ends this caller's wait, and its body. */
  readonly signal?: AbortSignal | undefined
}

/** Options of `fetch`. */
export interface FetchOptions<User = unknown> {
  /** As for `get`. */
  readonly ifNoneMatch?: string | undefined
  /** Ends this caller's wait, and its body. The origin goes on while others want the value. */
  readonly signal?: AbortSignal | undefined
  /**
   * A name for the origin that the fetcher asks, 1 to 256 characters. Origins that have one have a breaker: one that failed `breaker.failures` times in a
   * row, by an error of the fetcher or a timeout, is left alone for a while, and the call rejects with `ERR_DREY_BREAKER_OPEN` where no stale value may answer.
   */
  readonly origin?: string | undefined
  /** How often the fetcher is called again when it fails, before anybody is told. Default: not at all. `timeouts` count from the first call. */
  readonly retry?: RetryOptions | undefined
  /** Freshness of what this call fetches, and what it takes for fresh. */
  readonly freshness?:
    | (FreshnessOptions & {
        /** Decides in place of `freshUntil` whether an entry may answer by itself. `now` is epoch milliseconds. */
        readonly fresh?: ((meta: Metadata<User>, now: number) => boolean) | undefined
      })
    | undefined
}

/** Options of `refresh`. */
export interface RefreshOptions extends Pick<FetchOptions, 'origin' | 'retry'> {
  /** Freshness of what it fetches. */
  readonly freshness?: FreshnessOptions | undefined
}

/** Options of `invalidateTags`. */
export interface InvalidateOptions {
  /** Entries become stale, and may still answer as stale ones do, instead of being gone. Default false. */
  readonly soft?: boolean | undefined
}

/** One value of `setMany`: what `set` takes. */
export interface BatchEntry<User = unknown> extends EntryOptions<User> {
  readonly key: string
  readonly body: Body
}

/** Options of `setMany`. */
export interface SetManyOptions {
  /** All of them are set, or none: for whoever reads, and across a crash. Default false. */
  readonly atomic?: boolean | undefined
}

/** What a cache counts since it was made. */
export interface CacheStats {
  /** Answered by a fresh entry. */
  readonly hits: number
  /** No fresh entry: the origin was asked, or, by `get`, nothing was found. */
  readonly misses: number
  /** Answered by a fill that another call had begun. */
  readonly joined: number
  /** Answered by a stale entry that the origin confirmed. */
  readonly revalidated: number
  /** Answered by a stale entry: because the origin failed, or while a new one was fetched. */
  readonly stale: number
  /** Answers, of all these, that said "not found". */
  readonly negative: number
  /** Bytes that came from origins. */
  readonly bytesIn: number
  /** Bytes of values that were set, by `set`, `writer` and `setMany`. */
  readonly bytesSet: number
  /** Bytes of values that were given to readers, of all tiers and of fills. */
  readonly bytesOut: number
  /** Calls of a fetcher, but for those that `retry` made again. */
  readonly fills: number
  /** Calls of a fetcher that `retry` made again. */
  readonly retries: number
  /** Lookups that `fetch` did not wait for to their end, because to ask the origin is faster. */
  readonly lateLookups: number
  /** The origins that were named. */
  readonly origins: readonly OriginStats[]
  /** Calls of named origins that were not made because their breaker was open, by name: of the first 50 names, and `other`. Never falls. */
  readonly originRefusals: Readonly<Record<string, number>>
  /** Fills under way now. */
  readonly filling: number
  /** Bodies that hold resources now. */
  readonly openBodies: number
  /** Bodies that were closed because they lay unread. */
  readonly leaks: number
  /** Values that fills did not keep, by reason. */
  readonly notStored: Readonly<Record<string, number>>
  /** What was fetched anew in the background. */
  readonly refreshes: RefreshStats
  /** The tiers, fastest first. */
  readonly tiers: readonly CacheTierStats[]
  /** Of the pool that bodies pass through, with what others do where it is shared; undefined with `bufferPool: false`. */
  readonly pool: BufferPoolStats | undefined
  /** Of the detector that the cache follows, with others of its thread; undefined with `pressure: false`. */
  readonly pressure: PressureStats | undefined
  /** Times, errors by code, and what the thread does beside its work. */
  readonly metrics: MetricsStats
}

/** What a tier answered. */
export interface TierAnswers {
  readonly hits: number
  readonly joined: number
  readonly revalidated: number
  readonly stale: number
  readonly negative: number
  /** Bytes of values that were read from it. */
  readonly bytesOut: number
}

/** A tier as its cache knows it. */
export interface CacheTierStats extends TierStats {
  /** Of the answers of the cache, those that came from this tier; of tiers of one name the first has those of all. */
  readonly answers: TierAnswers
}

/**
 * A streaming cache of bytes.
 *
 * Every call rejects with `ERR_DREY_KEY` for what is no key and with `ERR_DREY_CLOSED` after `close()`.
 */
export interface Cache<User = unknown> {
  /**
   * Reads through: answers from the tiers while the entry is fresh, else from the origin, which is asked once
   * however many wait. Resolves as soon as the origin answers; the body streams.
   *
   * @throws `ERR_DREY_ORIGIN` when the fetcher fails and no stale value may answer; `ERR_DREY_TIMEOUT` when it
   * passes `timeouts`; `ERR_DREY_BREAKER_OPEN` while a named origin is left alone; `ERR_DREY_ABORTED` by the caller's signal; `ERR_DREY_CONFIG` for a wrong option.
   */
  fetch(
    key: string,
    fetcher: Fetcher<User>,
    options: FetchOptions<User> & { readonly ifNoneMatch: string },
  ): Promise<Answer<User>>
  fetch(key: string, fetcher: Fetcher<User>, options?: FetchOptions<User>): Promise<Found<User> | NotFound>
  /** The same without an origin: undefined when there is no fresh entry. */
  get(
    key: string,
    options: GetOptions & { readonly ifNoneMatch: string },
  ): Promise<Found<User> | NotFound | NotModified<User> | undefined>
  get(key: string, options?: GetOptions): Promise<Found<User> | NotFound | undefined>
  /**
   * The value, copied, when it is fresh, in memory and at most 64 KiB; else undefined. Costs no turn of the event loop.
   *
   * The value is the caller's own, to keep and to change. It may lie in one block of 64 KiB with others that were read
   * about then, and keeps that block in memory: of small values that are to stay for long, keep `Buffer.from(value)`.
   */
  getSync(key: string): { readonly value: Buffer; readonly meta: Metadata<User> } | undefined
  /**
   * Stores a value. Bytes are taken before the call returns; a stream that fails rejects and leaves the old value. Of two
   * writes the one that commits last wins; a delete during the write wins over it.
   *
   * @throws `ERR_DREY_TOO_LARGE` when no tier keeps values of this size, `ERR_DREY_NO_SPACE` when what the tier holds
   * is all in use, `ERR_DREY_TRUNCATED` when the body does not have the size declared, `ERR_DREY_CONFIG` for a wrong option.
   */
  set(key: string, body: Body, options?: EntryOptions<User>): Promise<Metadata<User>>
  /** A stream that stores what is written to it: visible on finish, gone on destroy. Fails as `set` does. */
  writer(key: string, options?: EntryOptions<User>): Writable
  /** Metadata of the entry, fresh or not; undefined when there is none. No use in the sense of eviction. */
  stat(key: string): Promise<Metadata<User> | undefined>
  /** Whether `get` would find a value. */
  has(key: string): Promise<boolean>
  /**
   * As `get`, for each of `keys`, in their order: 64 at a time are looked up. Of what `setMany` set with `atomic` it finds all or nothing. Where
   * one fails, the answers of the others are closed and the call rejects with the first failure.
   */
  getMany(
    keys: readonly string[],
    options?: Omit<GetOptions, 'ifNoneMatch'>,
  ): Promise<Array<Found<User> | NotFound | undefined>>
  /**
   * As `set`, for each of `entries`, in their order: 64 at a time are written. Each is stored or not by itself: where some fail, the others are
   * stored nevertheless, then the call rejects with the failure of the first.
   *
   * With `atomic` they are one change, of all of them or none: who finds one of the new values finds none of the old ones any more, in any thread
   * that shares a memory store with a name; and where a tier is a file store, the death of the process leaves all or none there. Bodies that stream
   * are gathered first, of at most `maxBufferedBytes` together. Of a key that is given twice the last counts. docs/reference/batches.md says more.
   *
   * @throws as `set`, and with `atomic` `ERR_DREY_CONFIG` where a tier cannot, `ERR_DREY_TOO_LARGE` for streams that have more, `ERR_DREY_NO_SPACE`
   * where no tier has room for all: nothing was set then
   */
  setMany(entries: ReadonlyArray<BatchEntry<User>>, options?: SetManyOptions): Promise<Metadata<User>[]>
  /** As `delete`, for each of `keys`, in their order. */
  deleteMany(keys: readonly string[]): Promise<boolean[]>
  /**
   * What `fn` gives, a JSON value, cached as JSON. Each caller gets a value of its own. `undefined` is remembered as "there is no such
   * thing", as `notFound()` is.
   *
   * @throws as `fetch`, and `ERR_DREY_ORIGIN` when `fn` gives what JSON does not know.
   */
  fetchJson<T>(
    key: string,
    fn: (context: FetcherContext<User>) => T | Promise<T>,
    options?: Omit<FetchOptions<User>, 'ifNoneMatch'>,
  ): Promise<T | undefined>
  /** Removes the entry and keeps older fills and writes from bringing it back; says whether there was one. */
  delete(key: string): Promise<boolean>
  /**
   * Schedules the origin to be asked anew, in the background, whether the entry is fresh or not; says whether it was: not when the key is
   * scheduled already, or `refresh.queue` others wait. Readers get what there is meanwhile. What fails is told by `refresh-error`.
   *
   * @throws `ERR_DREY_KEY`, `ERR_DREY_CLOSED`, and `ERR_DREY_CONFIG` for a fetcher or an option that is wrong.
   */
  refresh(key: string, fetcher: Fetcher<User>, options?: RefreshOptions): boolean
  /**
   * Entries that have one of `tags`, and those that are being fetched or written now and are going to have one, do not answer any
   * more; with `soft` they are stale from now on. Costs its tags, however many entries have them; their memory comes back as
   * that of other entries that nobody asks for.
   *
   * Over a file store it resolves when it is written, as `durability` says, for whoever opens the directory next; over a memory store
   * with a name it holds in all threads.
   *
   * @throws `ERR_DREY_CONFIG` for what is no tag, and where a tier outlives the cache and keeps no journal; `ERR_DREY_IO` and
   * `ERR_DREY_NO_SPACE` when it could not be written: it holds in this process then, and entries with those tags are not kept until one can be.
   */
  invalidateTags(tags: readonly string[], options?: InvalidateOptions): Promise<void>
  /** Removes all entries, in the same sense. */
  clear(): Promise<void>
  /** All keys and metadata, as a scan that takes no snapshot. */
  entries(): AsyncIterable<readonly [key: string, meta: Metadata<User>]>
  /**
   * Changes options while the cache runs: those that `patch` names, of tiers by their place or name (`tiers: [{ maxBytes: '1GiB' }]`,
   * `tiers: { file: { … } }`). All of it is checked together with what is in force, and all of it is applied, or nothing. What is under way goes on as it
   * began; entries that are stored keep the times that they were given. Resolves, and the event `config` says, what became different.
   *
   * @throws `ERR_DREY_CONFIG` for what is wrong, or takes a restart: a line for each, and why. What a tier fails with when it is changed: then what
   * others changed is taken back. `ERR_DREY_CLOSED`
   */
  configure(patch: CachePatch): Promise<readonly OptionChange[]>
  /**
   * Whether all is well, and if not, why: of what is known already, so that it costs next to nothing and may be asked as often as anybody likes. Answers
   * after `close()`, too. docs/reference/health.md says what each level and reason means.
   */
  health(): CacheHealth
  /**
   * What would do better if it were otherwise, with the figures that say so and an estimate of the gain: policy and size of the memory tier, found by
   * replaying a sample of what was asked of this cache; lifetimes, compression, classes of the buffer pool; and options that contradict each other or
   * the machine. Worked out in the background, a millisecond at a time, in some tenths of a second; what was found is given again for 10 s.
   * docs/reference/advice.md says how.
   *
   * @throws `ERR_DREY_CLOSED`, also when the cache is closed meanwhile
   */
  advice(): Promise<Advice>
  /**
   * The `n` keys that were asked for most of late, the first the most: 1 to 256, 10 by default. Of calls of `fetch`, `get` and `getSync` that are timed, one of
   * `metrics.sampling`; counts are estimates, and what was asked 5 minutes ago counts by half. Empty with `metrics: false`. Keys longer than 1,024 characters are not counted.
   *
   * @throws `ERR_DREY_CONFIG` for another `n`
   */
  topKeys(n?: number): readonly TopKey[]
  /** What the cache counts. */
  stats(): CacheStats
  on<E extends keyof CacheEvents>(event: E, listener: (event: CacheEvents[E]) => void): this
  off<E extends keyof CacheEvents>(event: E, listener: (event: CacheEvents[E]) => void): this
  /** Lets fills and bodies finish for up to `timeouts.shutdown`, then aborts them; then gives everything back. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
