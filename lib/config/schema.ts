import { z } from 'zod'
import { compressionOption } from '../compression/options.js'
import { type EvictionPolicy, POLICY_NAMES, type PolicyName } from '../policy/policy.js'
import { isEvictionPolicy } from '../policy/user.js'
import { memoryThereIs } from './memory.js'
import {
  DURATION_FORMS,
  type Duration,
  parseDuration,
  parseSize,
  SIZE_FORMS,
  type Size,
  showSize,
} from './units.js'

/*
 * The border. Options are checked here, once, and are plain numbers inside.
 */

const MiB = 2 ** 20

/** A value that is what it should be when `problem` says nothing, and whose error says what `problem` says. */
function checked<T>(problem: (value: unknown) => string | undefined): z.ZodCustom<T, T> {
  return z.custom<T>((value) => problem(value) === undefined, {
    error: (issue) => problem(issue.input) ?? '',
  })
}

/** Any size. */
export const sizeOption = checked<Size>((value) =>
  parseSize(value) === undefined ? `want ${SIZE_FORMS}` : undefined,
)

/** An amount of memory: at least `least`, which is shown as such, at most the memory there is. */
function memoryFrom(least: number, shown: string): z.ZodCustom<Size, Size> {
  return checked<Size>((value) => {
    const bytes = parseSize(value)
    if (bytes === undefined) return `want ${SIZE_FORMS}`
    if (bytes < least) return `want at least ${shown}, ${least} bytes`
    const most = memoryThereIs()
    return bytes > most
      ? `that is ${bytes} bytes; want at most the memory there is, ${most} bytes (${showSize(most)})`
      : undefined
  })
}

/** A bound of memory. */
export const memoryOption = memoryFrom(MiB, '1 MiB')

/** What of a body waits in memory: at least a piece. */
export const bufferedOption = memoryFrom(64 * 1024, '64 KiB')

/** Any duration, 0 and `Infinity` included. */
export const durationOption = checked<Duration>((value) =>
  parseDuration(value) === undefined ? `want ${DURATION_FORMS}, not negative` : undefined,
)

/** A duration that something may take. */
export const limitOption = checked<Duration>((value) => {
  const ms = parseDuration(value)
  if (ms === undefined) return `want ${DURATION_FORMS}, more than 0`
  return ms === 0 ? 'want more than 0 ms' : undefined
})

export const freshnessOptions = z.strictObject({
  /** How long an entry is fresh when neither the fetcher nor `set` says. Default: until it is evicted. */
  ttl: durationOption.optional(),
  /** For how long after that it still answers `fetch`, while a new one is fetched in the background. Default 0: not at all. */
  staleWhileRevalidate: durationOption.optional(),
  /** For how long after `ttl` it may answer an error of the origin. Default 0: not at all. */
  staleIfError: durationOption.optional(),
  /** How long "not found" is remembered. Default 10 s. */
  negativeTtl: durationOption.optional(),
  /** By which part of it at most a lifetime is shortened at random, so that what was stored together does not expire together: 0 to 1. Default 0. */
  jitter: z.number().min(0).max(1).optional(),
})

export const timeoutOptions = z.strictObject({
  /** How long a lookup, draft, commit or delete of one of several tiers, or a lookup of one alone, may take before the cache goes on without it. Default 2 s. */
  operation: limitOption.optional(),
  /**
   * How long `fetch` waits for a lookup in tiers that answer later before it asks the origin, as if they had nothing. Default: three
   * quarters of what the origin takes, which is the middle of its last 64 answers, but 20 ms at least; 100 ms before there are any.
   */
  lookup: limitOption.optional(),
  /** From asking the origin to the first byte of its body. Default 30 s. */
  firstByte: limitOption.optional(),
  /** From asking the origin to the last byte of its body. Default 10 min. */
  fill: limitOption.optional(),
  /** How long a body may lie unread before it is closed and `leak` is emitted. Default 30 s. */
  idle: limitOption.optional(),
  /** How long `close()` lets fills and bodies finish before it aborts them. Default 10 s. */
  shutdown: durationOption.optional(),
})

export const breakerOptions = z.strictObject({
  /** Failures of a tier, or of an origin that `fetch` was given a name of, one after the other, timeouts included, that make the cache leave it alone. Default 5. */
  failures: z.int().min(1).max(1_000_000).optional(),
  /** How long it is left alone before one call finds out whether it works again. Default 1 s. */
  openFor: limitOption.optional(),
  /** The same, at most: it doubles each time that it does not work. Default 30 s. */
  openForAtMost: limitOption.optional(),
})

/** A policy by its name, or one of the user's own. */
const policyOption = checked<PolicyName | EvictionPolicy>((value) =>
  POLICY_NAMES.some((name) => name === value) || isEvictionPolicy(value)
    ? undefined
    : `want one of ${POLICY_NAMES.map((name) => JSON.stringify(name)).join(', ')}, or an object with the methods add, touch, remove and evict`,
)

const LONGEST_NAME = 256

const nameOption = checked<string>((value) =>
  typeof value === 'string' && value !== '' && value.length <= LONGEST_NAME
    ? undefined
    : `want text of 1 to ${LONGEST_NAME} characters`,
)

export const memoryStorePatch = z.strictObject({
  /** Bound of all that the store holds, index and metadata included. Default: a quarter of the memory there is, at most 512 MiB. */
  maxBytes: memoryOption.optional(),
  /** Larger values are not kept. Default: an eighth of `maxBytes`. */
  maxItemBytes: sizeOption.optional(),
  /** Which entry goes first when room is needed: a name, or an object with the methods of `EvictionPolicy`. Default `'w-tinylfu'`. */
  policy: policyOption.optional(),
  /**
   * Keeps values compressed: `'lz4'`, `'gzip'`, `'zstd'`, more than a name, or a `Compressor` of your own. Default `'none'`. Not
   * with a name. Can be changed, for what is written from then on, where the store was made with it.
   */
  compression: compressionOption.optional(),
})

export const memoryStoreOptions = memoryStorePatch.extend({
  /** Stores of one name are one memory, in all worker threads of the process, where the addon is loaded. Default: no name, a store of its own. Not with a policy of your own. */
  name: nameOption.optional(),
})

/** Options of `memoryStore`. */
export type MemoryStoreOptions = z.input<typeof memoryStoreOptions>
/** What `configure` of a memory store takes. */
export type MemoryStorePatch = z.input<typeof memoryStorePatch>
/** Options of `freshness`, of the cache and of a call. */
export type FreshnessOptions = z.input<typeof freshnessOptions>
/** Options of `timeouts`. */
export type TimeoutOptions = z.input<typeof timeoutOptions>
