import { z } from 'zod'
import { bufferPoolOption } from '../buffers/choice.js'
import { checked, group, option, orOptions } from '../config/option.js'
import { PROFILE_NAMES } from '../config/profile-names.js'
import {
  breakerOptions,
  bufferedOption,
  freshnessOptions,
  limitOption,
  timeoutOptions,
} from '../config/schema.js'
import { alertsOption } from '../metrics/health/options.js'
import { metricsOption } from '../metrics/options.js'
import type { Pressure, PressureOptions } from '../resilience/pressure/index.js'
import { pressureOptions } from '../resilience/pressure/options.js'
import { abandonOption } from './abandon.js'
import { BUFFERED_BYTES } from './tier.js'
import { tiersOption } from './tier-options.js'

/*
 * The options of a cache. `options.ts` reads them.
 */

export function isPressure(value: unknown): value is Pressure {
  if (typeof value !== 'object' || value === null) return false
  const { subscribe, current } = value as Pressure
  return typeof subscribe === 'function' && typeof current === 'function'
}

/** Of a cache, and of a group. */
export const backgroundOption = z.strictObject({
  /** Values that are written to a tier at a time. Default `4`. */
  concurrency: option('Values that are written to a tier at a time.', z.int().min(1).max(1024), {
    default: 4,
    live: true,
  }),
  /** Values that may wait to be written to a tier; what does not fit is dropped, and counted. Default `1000`. */
  queue: option(
    'Values that may wait to be written to a tier; what does not fit is dropped, and counted.',
    z.int().min(0).max(1_000_000),
    { default: 1000, live: true },
  ),
})

/** Of a cache, and of a group. */
export const pressureOption = orOptions<boolean | PressureOptions | Pressure>(
  pressureOptions,
  (value) => typeof value === 'boolean' || isPressure(value),
  'want true or false, options such as { rssLimit: "2GiB" }, or what createPressure() made',
  { type: 'boolean' },
)

const refreshOptions = z.strictObject({
  /** `'pool'`: so many at a time, the others in a line. `'all'`: each at once. Default `'pool'`. */
  strategy: option(
    "`'pool'`: so many at a time, the others in a line. `'all'`: each at once.",
    z.enum(['pool', 'all']),
    { default: 'pool', live: 'what is under way has its place in the line, or none' },
  ),
  /** How many at a time. Default: `background.concurrency`. */
  concurrency: option('How many at a time.', z.int().min(1).max(1024), {
    otherwise: '`background.concurrency`',
    live: true,
  }),
  /** How many may wait; what does not fit is dropped, and counted. Default: `background.queue`. */
  queue: option(
    'How many may wait; what does not fit is dropped, and counted.',
    z.int().min(0).max(1_000_000),
    { otherwise: '`background.queue`', live: true },
  ),
  /** How long one may take, from its turn to its last byte. Default: `timeouts.fill`. */
  timeout: option('How long one may take, from its turn to its last byte.', limitOption, {
    otherwise: '`timeouts.fill`',
    unit: 'ms',
    live: true,
  }),
})

const LOADED = 'the file is looked for once'

/** Of a cache, and of a proxy. */
export const configFileOption = option(
  'A configuration file, whose options hold where none is given here: its path, or `true` for the `drey.config.json`, `.js`, `.mjs` or `.ts` of the working directory.',
  z.union([
    z.boolean(),
    z.string().min(1, 'want a path'),
    checked<URL>(
      (value) => (value instanceof URL && value.protocol === 'file:' ? undefined : 'want a URL of a file'),
      {},
    ),
  ]),
  { default: false, live: LOADED },
)

/** Of a cache, and of a proxy. */
export const watchOption = option(
  'Whether the configuration file is followed: what changes there is applied as `configure` does, all of it or nothing.',
  z.boolean(),
  { default: false, live: LOADED },
)

export const cacheOptions = z.strictObject({
  /**
   * Which defaults hold where an option is not given. Default: `DREY_PROFILE`, else `NODE_ENV` where that is `development`, `production` or `test`,
   * else `production`.
   */
  profile: option('Which defaults hold where an option is not given.', z.enum(PROFILE_NAMES), {
    otherwise:
      '`DREY_PROFILE`, else `NODE_ENV` where that is `development`, `production` or `test`, else `production`',
    live: 'its buffer pool is made when the cache opens',
  }),
  configFile: configFileOption,
  watch: watchOption,
  /**
   * The tiers, fastest first: 1 to 16. Each is a store, or what one is made of: `{ store: 'memory' }` with options of `memoryStore`, `{ store: 'file'
   * }` with those of `fileStore`, or `{ store: 'null' }`. Default: one memory store.
   */
  tiers: option(
    "The tiers, fastest first: 1 to 16. Each is a store, or what one is made of: `{ store: 'memory' }` with options of `memoryStore`, `{ store: 'file' }` with those of `fileStore`, or `{ store: 'null' }`.",
    tiersOption,
    {
      otherwise: 'one memory store',
      live: 'which tiers there are is decided when the cache opens; the options of each say for themselves',
    },
  ),
  /**
   * When an entry that a tier below answered with is put into the tiers above, while it is read: `'always'`, or only with the `'second-hit'` there.
   * Default `'always'`.
   */
  promotion: option(
    "When an entry that a tier below answered with is put into the tiers above, while it is read: `'always'`, or only with the `'second-hit'` there.",
    z.enum(['always', 'second-hit']),
    { default: 'always', live: true },
  ),
  /**
   * Which tiers get what is written. `'behind'`: the first that can hold it, and in the background those below. `'through'`: the same, and `set` and
   * `writer` wait for all of them. `'first'`: that one alone. No reader ever waits for a tier below. Default `'behind'`.
   */
  writePolicy: option(
    "Which tiers get what is written. `'behind'`: the first that can hold it, and in the background those below. `'through'`: the same, and `set` and `writer` wait for all of them. `'first'`: that one alone. No reader ever waits for a tier below.",
    z.enum(['through', 'behind', 'first']),
    { default: 'behind', live: true },
  ),
  /** When one of several tiers is left alone, and for how long. */
  breaker: group('When one of several tiers is left alone, and for how long.', breakerOptions),
  /** What is done in the background for the tiers below the first. */
  background: group('What is done in the background for the tiers below the first.', backgroundOption),
  /**
   * How much of one body may wait in memory for a tier that answers later, or for the slowest of its readers where no tier lets it be read while it
   * grows, in bytes: at least 64 KiB. Beyond the first MiB of each, all bodies of a cache have 64 MiB together, or one body's, if that is more; while
   * memory is short, nothing. Default 8 MiB.
   */
  maxBufferedBytes: option(
    "How much of one body may wait in memory for a tier that answers later, or for the slowest of its readers where no tier lets it be read while it grows, in bytes: at least 64 KiB. Beyond the first MiB of each, all bodies of a cache have 64 MiB together, or one body's, if that is more; while memory is short, nothing.",
    bufferedOption,
    { default: BUFFERED_BYTES, unit: 'bytes', live: true },
  ),
  /** How long entries are fresh and of use. */
  freshness: group('How long entries are fresh and of use.', freshnessOptions),
  /**
   * What becomes of a fill when nobody waits for it and nobody reads it any more. `'abort'`: the origin's signal ends. `'finish'`: it goes on, and
   * the value is kept. Or it goes on when `{ finishIfWithin }` bytes or fewer are missing, or `{ finishIfPercent }` are there, of a body of declared
   * size. A value that is not kept is never fetched for nobody. Default `'abort'`.
   */
  abandon: option(
    "What becomes of a fill when nobody waits for it and nobody reads it any more. `'abort'`: the origin's signal ends. `'finish'`: it goes on, and the value is kept. Or it goes on when `{ finishIfWithin }` bytes or fewer are missing, or `{ finishIfPercent }` are there, of a body of declared size. A value that is not kept is never fetched for nobody.",
    abandonOption,
    { default: 'abort', live: true },
  ),
  /** How entries are fetched anew in the background: those given stale, and those that `refresh` was called for. */
  refresh: group(
    'How entries are fetched anew in the background: those given stale, and those that `refresh` was called for.',
    refreshOptions,
  ),
  /** How long things may take. */
  timeouts: group('How long things may take.', timeoutOptions),
  /** What is measured: `true`, or options for that. `false`: no clock is read for it; what is counted still is. Default `true`. */
  metrics: metricsOption,
  /**
   * Which changes the event `alert` tells of: `true`, or thresholds of your own. `false`: none; `health()` knows tiers and origins that are down, and
   * memory pressure. With `metrics: false` there are no windows, so no more is looked for. Default `true`.
   */
  alerts: alertsOption,
  /**
   * Whether the tiers give memory back while it is short: `true`, as the detector says that the caches of a thread share. Or a detector, or the
   * options of one for this cache alone. Default `true`.
   */
  pressure: option(
    'Whether the tiers give memory back while it is short: `true`, as the detector says that the caches of a thread share. Or a detector, or the options of one for this cache alone.',
    pressureOption,
    { default: true, live: 'the detector is followed from when the cache opens' },
  ),
  /**
   * What bodies pass through on their way. `true`: a pool of the cache's own, of at most 64 MiB, which takes nothing until something streams and
   * closes with the cache; or options for it. `false`: memory is allocated instead; the bytes are the same. A `BufferPool` may serve several caches
   * of a thread: close it after them. Default `true`.
   */
  bufferPool: option(
    "What bodies pass through on their way. `true`: a pool of the cache's own, of at most 64 MiB, which takes nothing until something streams and closes with the cache; or options for it. `false`: memory is allocated instead; the bytes are the same. A `BufferPool` may serve several caches of a thread: close it after them.",
    bufferPoolOption,
    { default: true, live: 'bodies under way have Buffers of the pool that there is' },
  ),
})

/** Options of `createCache`. */
export type CacheOptions = z.input<typeof cacheOptions>
