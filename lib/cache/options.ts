import { z } from 'zod'
import { bufferPoolOption, type PoolPlan, readBufferPool } from '../buffers/choice.js'
import {
  breakerOptions,
  bufferedOption,
  freshnessOptions,
  limitOption,
  timeoutOptions,
} from '../config/schema.js'
import { parseDuration, parseSize } from '../config/units.js'
import { validate } from '../config/validate.js'
import { ConfigError } from '../errors.js'
import { type MetricsConfig, metricsOption, readMetrics } from '../metrics/options.js'
import { BREAKER, type BreakerRule } from '../resilience/breaker/breaker.js'
import {
  createPressure,
  memoryPressure,
  type Pressure,
  type PressureOptions,
} from '../resilience/pressure/index.js'
import { memoryStore } from '../store/memory/index.js'
import type { Store } from '../store/store.js'
import { type Lane, tieredStore } from '../store/tiered/index.js'
import { type AbandonRule, abandonOption, abandonRule } from './abandon.js'
import type { Freshness } from './metadata.js'
import type { RefreshConfig, SharedTurns } from './refreshes.js'
import { BUFFERED_BYTES } from './tier.js'

const STORE_CALLS = [
  'open',
  'find',
  'draft',
  'revise',
  'delete',
  'clear',
  'entries',
  'stats',
  'close',
] as const

/** More than anybody has kinds of memory for. */
const MOST_TIERS = 16

function isStore(value: unknown): value is Store {
  if (typeof value !== 'object' || value === null) return false
  const store = value as Record<string, unknown>
  const { name, maxItemBytes } = value as Store
  if (typeof name !== 'string' || typeof maxItemBytes !== 'number' || !(maxItemBytes >= 0)) return false
  return STORE_CALLS.every((call) => typeof store[call] === 'function')
}

function isPressure(value: unknown): value is Pressure {
  const { subscribe, current } = value as Pressure
  return typeof subscribe === 'function' && typeof current === 'function'
}

/** Of a cache, and of a group. */
export const backgroundOption = z.strictObject({
  /** Values that are written to a tier at a time. Default 4. */
  concurrency: z.int().min(1).max(1024).optional(),
  /** Values that may wait to be written to a tier; what does not fit is dropped, and counted. Default 1000. */
  queue: z.int().min(0).max(1_000_000).optional(),
})

/** Of a cache, and of a group. */
export const pressureOption = z.custom<boolean | PressureOptions | Pressure>(
  (value) => typeof value === 'boolean' || (typeof value === 'object' && value !== null),
  'want true or false, options such as { rssLimit: "2GiB" }, or what createPressure() made',
)

const cacheOptions = z.strictObject({
  /** The tiers, fastest first: 1 to 16. Default: one memory store. */
  tiers: z
    .array(z.unknown())
    .min(1, 'want at least one store')
    .max(MOST_TIERS, `want at most ${MOST_TIERS} stores`)
    // Only then: each that is wrong is complained of by itself.
    .pipe(z.array(z.custom<Store>(isStore, 'want a store, such as memoryStore()')))
    .optional(),
  /**
   * When an entry that a tier below answered with is put into the tiers above, while it is read: `'always'` (default), or only with the
   * `'second-hit'` there.
   */
  promotion: z.enum(['always', 'second-hit']).optional(),
  /**
   * Which tiers get what is written. `'behind'` (default): the first that can hold it, and in the background those below. `'through'`: the same,
   * and `set` and `writer` wait for all of them. `'first'`: that one alone. No reader ever waits for a tier below.
   */
  writePolicy: z.enum(['through', 'behind', 'first']).optional(),
  /** When one of several tiers is left alone, and for how long. */
  breaker: breakerOptions.optional(),
  /** What is done in the background for the tiers below the first. */
  background: backgroundOption.optional(),
  /**
   * How much of one body may wait in memory for a tier that answers later, or for the slowest of its readers where no tier lets it be read while it
   * grows, in bytes: at least 64 KiB. Default 8 MiB. Beyond the first MiB of each, all bodies of a cache have 64 MiB together, or one body's, if
   * that is more; while memory is short, nothing.
   */
  maxBufferedBytes: bufferedOption.optional(),
  /** How long entries are fresh and of use. */
  freshness: freshnessOptions.optional(),
  /**
   * What becomes of a fill when nobody waits for it and nobody reads it any more. `'abort'` (default): the origin's signal ends. `'finish'`:
   * it goes on, and the value is kept. Or it goes on when `{ finishIfWithin }` bytes or fewer are missing, or `{ finishIfPercent }` are there, of a
   * body of declared size. A value that is not kept is never fetched for nobody.
   */
  abandon: abandonOption.optional(),
  /** How entries are fetched anew in the background: those given stale, and those that `refresh` was called for. */
  refresh: z
    .strictObject({
      /** `'pool'` (default): so many at a time, the others in a line. `'all'`: each at once. */
      strategy: z.enum(['pool', 'all']).optional(),
      /** How many at a time. Default: `background.concurrency`. */
      concurrency: z.int().min(1).max(1024).optional(),
      /** How many may wait; what does not fit is dropped, and counted. Default: `background.queue`. */
      queue: z.int().min(0).max(1_000_000).optional(),
      /** How long one may take, from its turn to its last byte. Default: `timeouts.fill`. */
      timeout: limitOption.optional(),
    })
    .optional(),
  /** How long things may take. */
  timeouts: timeoutOptions.optional(),
  /** What is measured. `false`: no clock is read for it; what is counted still is. Default true: `{ sampling: 64, interval: '20ms' }`. */
  metrics: metricsOption.optional(),
  /**
   * Whether the tiers give memory back while it is short. Default true: as the detector says that the caches of a thread
   * share. Or a detector, or the options of one for this cache alone.
   */
  pressure: pressureOption.optional(),
  /**
   * What bodies pass through on their way. Default true: a pool of the cache's own, of at most 64 MiB, which takes nothing until
   * something streams and closes with the cache; or options for it. `false`: memory is allocated instead; the bytes are the same. A
   * `BufferPool` may serve several caches of a thread: close it after them.
   */
  bufferPool: bufferPoolOption.optional(),
})

/** Options of `createCache`. */
export type CacheOptions = z.input<typeof cacheOptions>

/** What a cache runs on: checked, with defaults, in milliseconds. */
export interface CacheConfig {
  /** Called when the cache is closed. Must not throw. */
  readonly onClosed?: (() => void) | undefined
  readonly store: Store
  readonly freshness: Freshness
  readonly abandon: AbandonRule
  /** Of named origins. */
  readonly breaker: BreakerRule
  readonly refresh: RefreshConfig & { readonly timeout: number }
  readonly timeouts: {
    readonly operation: number
    /** Undefined: as long as the origin takes. */
    readonly lookup: number | undefined
    readonly firstByte: number
    readonly fill: number
    readonly idle: number
    readonly shutdown: number
  }
  /** What is followed, if anything. */
  readonly pressure: Pressure | undefined
  readonly bufferPool: PoolPlan
  readonly maxBufferedBytes: number
  readonly metrics: MetricsConfig
}

/** What a cache has of a group instead of its own. */
export interface SharedRuntime {
  readonly turns: SharedTurns
  readonly concurrency: number
  readonly queue: number
  /** Undefined: each cache has its own. */
  readonly bufferPool: PoolPlan | undefined
  readonly pressure: Pressure | undefined
  onClosed(): void
}

/** @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do. */
export function readCacheOptions(options: unknown, runtime?: SharedRuntime): CacheConfig {
  const {
    tiers,
    freshness,
    timeouts,
    pressure = true,
    bufferPool = true,
    promotion = 'always',
    writePolicy = 'behind',
    background,
    maxBufferedBytes,
    breaker,
    abandon = 'abort',
    refresh,
    metrics,
  } = validate(cacheOptions, options, '')
  const plan = runtime?.bufferPool ?? readBufferPool(bufferPool)
  const rule = readBreaker(breaker)
  const concurrency = runtime?.concurrency ?? background?.concurrency ?? 4
  const queue = runtime?.queue ?? background?.queue ?? 1000
  const fill = parseDuration(timeouts?.fill) ?? 600_000
  const operation = parseDuration(timeouts?.operation) ?? 2000
  return {
    store: tieredStore(tiers ?? [memoryStore()], {
      promotion,
      writePolicy,
      operation,
      breaker: rule,
      concurrency,
      queue,
      lane: runtime && laneOf(runtime.turns, operation),
    }),
    onClosed: runtime && (() => runtime.onClosed()),
    abandon: abandonRule(abandon),
    breaker: rule,
    refresh: {
      strategy: refresh?.strategy ?? 'pool',
      concurrency: refresh?.concurrency ?? concurrency,
      queue: refresh?.queue ?? queue,
      timeout: parseDuration(refresh?.timeout) ?? fill,
      shared: runtime?.turns,
    },
    freshness: withFreshness(freshness, {
      ttl: Number.POSITIVE_INFINITY,
      staleWhileRevalidate: 0,
      staleIfError: 0,
      negativeTtl: 10_000,
      jitter: 0,
    }),
    timeouts: {
      operation,
      lookup: parseDuration(timeouts?.lookup),
      firstByte: parseDuration(timeouts?.firstByte) ?? 30_000,
      fill,
      idle: parseDuration(timeouts?.idle) ?? 30_000,
      shutdown: parseDuration(timeouts?.shutdown) ?? 10_000,
    },
    pressure: runtime === undefined ? detectorOf(pressure) : runtime.pressure,
    bufferPool: plan,
    maxBufferedBytes: parseSize(maxBufferedBytes) ?? BUFFERED_BYTES,
    metrics: readMetrics(metrics),
  }
}

function readBreaker(given: z.output<typeof breakerOptions> | undefined): BreakerRule {
  const openFor = parseDuration(given?.openFor) ?? BREAKER.openFor
  const openForAtMost = parseDuration(given?.openForAtMost) ?? Math.max(openFor, BREAKER.openForAtMost)
  if (openForAtMost < openFor) {
    throw new ConfigError(
      `breaker.openForAtMost: got ${openForAtMost} ms; want at least breaker.openFor, ${openFor} ms`,
    )
  }
  return { failures: given?.failures ?? BREAKER.failures, openFor, openForAtMost }
}

/** The turns of a cache of a group, for its tiers: one that takes longer than `holdTimeout` gives its turn back, so that a tier that hangs keeps none from others. */
function laneOf({ limiter, owner }: SharedTurns, holdTimeout: number): Lane {
  return {
    enter: async () => {
      const permit = await limiter.acquire({ owner, holdTimeout })
      const leave = (): void => permit.release()
      // In a turn of its own: it is told while the limiter looks through what is due.
      permit.signal.addEventListener('abort', () => queueMicrotask(leave), { once: true })
      return leave
    },
  }
}

/** What `pressure` says is to be followed, if anything. */
export function detectorOf(pressure: boolean | PressureOptions | Pressure): Pressure | undefined {
  if (pressure === false) return undefined
  if (pressure === true) return memoryPressure()
  return isPressure(pressure) ? pressure : createPressure(pressure)
}

/** `freshness` as given, and `defaults` where it says nothing. */
export function withFreshness(
  freshness: z.output<typeof freshnessOptions> | undefined,
  defaults: Freshness,
): Freshness {
  if (freshness === undefined) return defaults
  return {
    ttl: parseDuration(freshness.ttl) ?? defaults.ttl,
    staleWhileRevalidate: parseDuration(freshness.staleWhileRevalidate) ?? defaults.staleWhileRevalidate,
    staleIfError: parseDuration(freshness.staleIfError) ?? defaults.staleIfError,
    negativeTtl: parseDuration(freshness.negativeTtl) ?? defaults.negativeTtl,
    jitter: freshness.jitter ?? defaults.jitter,
  }
}

/** @throws `ERR_DREY_CONFIG` unless `options`, of one call, are an object. */
export function assertOptions(options: unknown): void {
  if (typeof options === 'object' && options !== null) return
  throw new ConfigError(`options: got ${options === null ? 'null' : typeof options}; want an object`)
}
