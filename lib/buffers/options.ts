import { z } from 'zod'
import { memoryThereIs } from '../config/memory.js'
import { checked, option } from '../config/option.js'
import { durationOption, limitOption, sizeOption } from '../config/schema.js'
import { parseDuration, parseSize, showSize } from '../config/units.js'
import { showValue, validate } from '../config/validate.js'
import { ConfigError } from '../errors.js'
import { isLogger, type Logger } from '../logger.js'
import { STRATEGY_NAMES, type StrategyName } from './strategy.js'

/*
 * Options of a pool, checked once. Where one is given and another is not, the other's default gives way; two that
 * were both given and contradict each other are refused.
 */

const KiB = 2 ** 10
const MiB = 2 ** 20

/** Sizes from here on are medium: not an option, so that statistics of two pools can be compared. */
export const MEDIUM_FROM = 32 * KiB

/** Buffers of fewer bytes cost more to look after than to allocate. */
const LEAST_BUFFER = KiB
/** Larger Buffers are worth a mapping of their own each time. */
const MOST_BUFFER = 256 * MiB
const MOST_CLASSES = 64
const DEFAULT_CLASSES = [4, 16, 32, 64, 128, 256, 512, 1024].map((size) => size * KiB)

const loggingOption = checked<boolean | Logger>(
  (value) =>
    typeof value === 'boolean' || isLogger(value)
      ? undefined
      : 'want true, false, or a logger: an object with the methods info and warn',
  { type: 'boolean' },
)

/** Why they stay. */
const POOL = 'Buffers that are lent come from the pool as it was made'

export const bufferPoolOptions = z.strictObject({
  /** Without, every Buffer is allocated for one use, and the calls do the same otherwise. Default `true`. */
  enabled: option(
    'Without, every Buffer is allocated for one use, and the calls do the same otherwise.',
    z.boolean(),
    { default: true, live: POOL },
  ),
  /** What `get()` gives when no size is asked for. Default: 32 KiB, within the two that follow. */
  defaultBufferSize: option('What `get()` gives when no size is asked for.', sizeOption, {
    otherwise: '32 KiB, within the two that follow',
    unit: 'bytes',
    live: POOL,
  }),
  /** Smaller Buffers are not pooled: most of what they were cut from would lie unused. At least 1 KiB. Default: 4 KiB, or the least of `classes`. */
  minBufferSize: option(
    'Smaller Buffers are not pooled: most of what they were cut from would lie unused. At least 1 KiB.',
    sizeOption,
    { otherwise: '4 KiB, or the least of `classes`', unit: 'bytes', live: POOL },
  ),
  /** Larger Buffers are not pooled. At most 256 MiB. Default: 1 MiB, or the largest of `classes`, and at most `maxBytes`. */
  maxBufferSize: option('Larger Buffers are not pooled. At most 256 MiB.', sizeOption, {
    otherwise: '1 MiB, or the largest of `classes`, and at most `maxBytes`',
    unit: 'bytes',
    live: POOL,
  }),
  /** Bound of the memory that the pool holds, lent and idle together. Default: 64 MiB, or all the memory there is where that is less. */
  maxBytes: option('Bound of the memory that the pool holds, lent and idle together.', sizeOption, {
    otherwise: '64 MiB, or all the memory there is where that is less',
    unit: 'bytes',
    live: POOL,
  }),
  /**
   * Sizes that are pooled; others are cut from the next larger one. Default: 4, 16, 32, 64, 128, 256, 512 KiB and 1 MiB, as far as they lie within
   * the limits.
   */
  classes: option(
    'Sizes that are pooled; others are cut from the next larger one.',
    z.array(sizeOption).min(1, 'want at least one size').max(MOST_CLASSES),
    {
      otherwise: '4, 16, 32, 64, 128, 256, 512 KiB and 1 MiB, as far as they lie within the limits',
      unit: 'bytes',
      live: POOL,
    },
  ),
  /**
   * `true`: a summary of the statistics is logged by `console` every `loggingInterval`; or a logger (pino-shaped), which gets leaks and misuse too.
   * Default `false`.
   */
  logging: option(
    '`true`: a summary of the statistics is logged by `console` every `loggingInterval`; or a logger (pino-shaped), which gets leaks and misuse too.',
    loggingOption,
    { default: false, live: POOL },
  ),
  /** How often that is; `Infinity` for no summary, only reports. Default 1 min. */
  loggingInterval: option('How often that is; `Infinity` for no summary, only reports.', limitOption, {
    default: '1m',
    unit: 'ms',
    live: POOL,
  }),
  /** Objects of this size and more are large. More than 32 KiB. Default: 256 KiB, or `veryLargeObjectThreshold` where that is less. */
  largeObjectThreshold: option('Objects of this size and more are large. More than 32 KiB.', sizeOption, {
    otherwise: '256 KiB, or `veryLargeObjectThreshold` where that is less',
    unit: 'bytes',
    live: POOL,
  }),
  /** Objects of this size and more are very large. Default: 1 MiB, or `largeObjectThreshold` where that is more. */
  veryLargeObjectThreshold: option('Objects of this size and more are very large.', sizeOption, {
    otherwise: '1 MiB, or `largeObjectThreshold` where that is more',
    unit: 'bytes',
    live: POOL,
  }),
  /** How large and very large objects are moved. `'adaptive'` decides by size and pressure. Default `'adaptive'`. */
  largeObjectStrategy: option(
    "How large and very large objects are moved. `'adaptive'` decides by size and pressure.",
    z.enum(STRATEGY_NAMES),
    { default: 'adaptive', live: POOL },
  ),
  /** Size of the pieces that objects are moved in when history says nothing better. Default: 64 KiB, within the sizes that are pooled. */
  chunkSize: option(
    'Size of the pieces that objects are moved in when history says nothing better.',
    sizeOption,
    { otherwise: '64 KiB, within the sizes that are pooled', unit: 'bytes', live: POOL },
  ),
  /** How many large and very large objects are moved at once; others wait. Default `8`. */
  maxConcurrentLargeOps: option(
    'How many large and very large objects are moved at once; others wait.',
    z.int().min(1, 'want at least 1').max(65_536, 'want at most 65536'),
    { default: 8, live: POOL },
  ),
  /** Measures how long `get` takes, by category, one call in many. Default `false`. */
  detailedMetrics: option('Measures how long `get` takes, by category, one call in many.', z.boolean(), {
    default: false,
    live: POOL,
  }),
  /**
   * Remembers who got each Buffer, and reports those that were lost before they were given back. Costs some microseconds a `get`. Default `false`.
   */
  detectLeaks: option(
    'Remembers who got each Buffer, and reports those that were lost before they were given back. Costs some microseconds a `get`.',
    z.boolean(),
    { default: false, live: POOL },
  ),
  /** Finds misuse: writing to what was given back, giving back twice; both are reported with the place in the code. Slow. Default `false`. */
  debug: option(
    'Finds misuse: writing to what was given back, giving back twice; both are reported with the place in the code. Slow.',
    z.boolean(),
    { default: false, live: POOL },
  ),
  /** How long memory that is not needed lies idle before it goes back to the system. Default 1 min. */
  maxIdle: option(
    'How long memory that is not needed lies idle before it goes back to the system.',
    durationOption,
    { default: '1m', unit: 'ms', live: POOL },
  ),
})

/** Options of `new BufferPool`. */
export type BufferPoolOptions = z.input<typeof bufferPoolOptions>

/** What a pool runs on: checked, with defaults, in bytes and milliseconds. */
export interface PoolConfig {
  readonly enabled: boolean
  readonly defaultBufferSize: number
  readonly minBufferSize: number
  readonly maxBufferSize: number
  readonly maxBytes: number
  /** Ascending; the last is at least `maxBufferSize`. */
  readonly classes: readonly number[]
  readonly logger: Logger | undefined
  /** A summary is wanted. */
  readonly logging: boolean
  readonly loggingInterval: number
  readonly largeObjectThreshold: number
  readonly veryLargeObjectThreshold: number
  readonly largeObjectStrategy: StrategyName
  readonly chunkSize: number
  readonly maxConcurrentLargeOps: number
  readonly detailedMetrics: boolean
  readonly detectLeaks: boolean
  readonly debug: boolean
  readonly maxIdle: number
}

type Given = z.output<typeof bufferPoolOptions>

/** @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do. */
export function readBufferPoolOptions(options: BufferPoolOptions, at = 'bufferPool'): PoolConfig {
  const given = validate(bufferPoolOptions, options, at)
  const sizes = readSizes(given, at)
  const large = readThresholds(given, at)
  const chunkSize = parseSize(given.chunkSize) ?? clamp(64 * KiB, sizes.minBufferSize, sizes.maxBufferSize)
  ordered(at, given, ['minBufferSize', sizes.minBufferSize], ['chunkSize', chunkSize])
  ordered(at, given, ['chunkSize', chunkSize], ['maxBufferSize', sizes.maxBufferSize])
  const { logging } = given
  return {
    ...sizes,
    ...large,
    chunkSize,
    enabled: given.enabled,
    logger: typeof logging === 'object' ? logging : undefined,
    logging: logging !== false,
    loggingInterval: parseDuration(given.loggingInterval)!,
    largeObjectStrategy: given.largeObjectStrategy,
    maxConcurrentLargeOps: given.maxConcurrentLargeOps,
    detailedMetrics: given.detailedMetrics,
    detectLeaks: given.detectLeaks,
    debug: given.debug,
    maxIdle: parseDuration(given.maxIdle)!,
  }
}

type Sizes = Pick<
  PoolConfig,
  'minBufferSize' | 'maxBufferSize' | 'defaultBufferSize' | 'maxBytes' | 'classes'
>

function readSizes(given: Given, at: string): Sizes {
  const maxBytes = parseSize(given.maxBytes) ?? Math.min(64 * MiB, memoryThereIs())
  bounded(at, given, 'maxBytes', maxBytes, LEAST_BUFFER, memoryThereIs())
  const asked = given.classes?.map((size) => parseSize(size)!).sort((a, b) => a - b)
  const most = parseSize(given.maxBufferSize) ?? Math.min(asked?.at(-1) ?? MiB, maxBytes)
  const least = parseSize(given.minBufferSize) ?? Math.min(4 * KiB, asked?.[0] ?? most)
  bounded(at, given, 'minBufferSize', least, LEAST_BUFFER, MOST_BUFFER)
  bounded(at, given, 'maxBufferSize', most, LEAST_BUFFER, MOST_BUFFER)
  ordered(at, given, ['minBufferSize', least], ['maxBufferSize', most])
  ordered(at, given, ['maxBufferSize', most], ['maxBytes', maxBytes])
  const usual = parseSize(given.defaultBufferSize) ?? clamp(32 * KiB, least, most)
  ordered(at, given, ['minBufferSize', least], ['defaultBufferSize', usual])
  ordered(at, given, ['defaultBufferSize', usual], ['maxBufferSize', most])
  if (asked !== undefined) checkClasses(given, at, asked, least, most)
  const classes = asked ?? [...DEFAULT_CLASSES.filter((size) => size >= least && size < most), most]
  return {
    minBufferSize: least,
    maxBufferSize: most,
    defaultBufferSize: usual,
    maxBytes,
    classes: [...new Set(classes)],
  }
}

function checkClasses(
  given: Given,
  at: string,
  classes: readonly number[],
  least: number,
  most: number,
): void {
  const wrong = classes.find((size) => size < least || size > most)
  if (wrong !== undefined) {
    throw new ConfigError(
      `${at}.classes: there is one of ${show(wrong)}; want sizes from ${at}.minBufferSize, ${show(least)}, to ${at}.maxBufferSize, ${show(most)}`,
    )
  }
  if (classes.at(-1)! < most) {
    throw new ConfigError(
      `${at}.maxBufferSize: got ${showValue(given.maxBufferSize)}, and the largest of ${at}.classes is ${show(classes.at(-1)!)}; want a class as large, or a smaller maxBufferSize`,
    )
  }
}

function readThresholds(
  given: Given,
  at: string,
): Pick<PoolConfig, 'largeObjectThreshold' | 'veryLargeObjectThreshold'> {
  const veryGiven = parseSize(given.veryLargeObjectThreshold)
  if (veryGiven !== undefined) {
    bounded(at, given, 'veryLargeObjectThreshold', veryGiven, MEDIUM_FROM + 1, Number.MAX_SAFE_INTEGER)
  }
  const large = parseSize(given.largeObjectThreshold) ?? Math.min(256 * KiB, veryGiven ?? Infinity)
  bounded(at, given, 'largeObjectThreshold', large, MEDIUM_FROM + 1, Number.MAX_SAFE_INTEGER)
  const very = veryGiven ?? Math.max(MiB, large)
  ordered(at, given, ['largeObjectThreshold', large], ['veryLargeObjectThreshold', very])
  return { largeObjectThreshold: large, veryLargeObjectThreshold: very }
}

type SizeName =
  | 'minBufferSize'
  | 'maxBufferSize'
  | 'defaultBufferSize'
  | 'maxBytes'
  | 'chunkSize'
  | 'largeObjectThreshold'
  | 'veryLargeObjectThreshold'

function bounded(at: string, given: Given, name: SizeName, bytes: number, least: number, most: number): void {
  if (bytes >= least && bytes <= most) return
  throw new ConfigError(
    `${at}.${name}: got ${showValue(given[name] ?? bytes)}; want ${show(least)} to ${show(most)}`,
  )
}

/** Refuses a pair of which the first is larger than the second. */
function ordered(
  at: string,
  given: Given,
  [lower, least]: readonly [SizeName, number],
  [higher, most]: readonly [SizeName, number],
): void {
  if (least <= most) return
  // The one that was given is the one to complain of; the other may be a default.
  const named = given[higher] === undefined ? lower : higher
  const want =
    named === lower
      ? `want at most ${at}.${higher}, which is ${show(most)}`
      : `want at least ${at}.${lower}, which is ${show(least)}`
  throw new ConfigError(`${at}.${named}: got ${showValue(given[named])}; ${want}`)
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most)
}

function show(bytes: number): string {
  return bytes < KiB ? `${bytes} bytes` : `${bytes} bytes (${showSize(bytes)})`
}
