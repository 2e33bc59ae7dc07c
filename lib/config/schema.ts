import { z } from 'zod'
import { compressionOption } from '../compression/options.js'
import { type EvictionPolicy, POLICY_NAMES, type PolicyName } from '../policy/policy.js'
import { isEvictionPolicy } from '../policy/user.js'
import { BREAKER } from '../resilience/breaker/breaker.js'
import { memoryThereIs } from './memory.js'
import { checked, option, partial } from './option.js'
import {
  DURATION_FORMS,
  DURATION_JSON,
  type Duration,
  parseDuration,
  parseSize,
  SIZE_FORMS,
  SIZE_JSON,
  type Size,
  showDuration,
  showSize,
} from './units.js'

/*
 * The border. Options are checked here, once, and are plain numbers inside.
 */

const MiB = 2 ** 20

/** Why an option of a store that is open stays what it is. */
const AT_OPEN = 'the store is made with it'

/** Any size. */
export const sizeOption = checked<Size>(
  (value) => (parseSize(value) === undefined ? `want ${SIZE_FORMS}` : undefined),
  SIZE_JSON,
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
  }, SIZE_JSON)
}

/** A bound of memory. */
export const memoryOption = memoryFrom(MiB, '1 MiB')

/** What of a body waits in memory: at least a piece. */
export const bufferedOption = memoryFrom(64 * 1024, '64 KiB')

/** Any duration, 0 and `Infinity` included. */
export const durationOption = checked<Duration>(
  (value) => (parseDuration(value) === undefined ? `want ${DURATION_FORMS}, not negative` : undefined),
  DURATION_JSON,
)

/** A duration that something may take. */
export const limitOption = checked<Duration>((value) => {
  const ms = parseDuration(value)
  if (ms === undefined) return `want ${DURATION_FORMS}, more than 0`
  return ms === 0 ? 'want more than 0 ms' : undefined
}, DURATION_JSON)

export const freshnessOptions = z.strictObject({
  /** How long an entry is fresh when neither the fetcher nor `set` says. `Infinity`: until it is evicted. Default `Infinity`. */
  ttl: option(
    'How long an entry is fresh when neither the fetcher nor `set` says. `Infinity`: until it is evicted.',
    durationOption,
    { default: Number.POSITIVE_INFINITY, unit: 'ms', live: true },
  ),
  /** For how long after that it still answers `fetch`, while a new one is fetched in the background. Default `0`. */
  staleWhileRevalidate: option(
    'For how long after that it still answers `fetch`, while a new one is fetched in the background.',
    durationOption,
    { default: 0, unit: 'ms', live: true },
  ),
  /** For how long after `ttl` it may answer an error of the origin. Default `0`. */
  staleIfError: option('For how long after `ttl` it may answer an error of the origin.', durationOption, {
    default: 0,
    unit: 'ms',
    live: true,
  }),
  /** How long "not found" is remembered. Default 10 s. */
  negativeTtl: option('How long "not found" is remembered.', durationOption, {
    default: '10s',
    unit: 'ms',
    live: true,
  }),
  /**
   * By which part of it at most a lifetime is shortened at random, so that what was stored together does not expire together: 0 to 1. Default `0`.
   */
  jitter: option(
    'By which part of it at most a lifetime is shortened at random, so that what was stored together does not expire together: 0 to 1.',
    z.number().min(0).max(1),
    { default: 0, live: true },
  ),
})

export const timeoutOptions = z.strictObject({
  /**
   * How long a lookup, draft, commit or delete of one of several tiers, or a lookup of one alone, may take before the cache goes on without it.
   * Default 2 s.
   */
  operation: option(
    'How long a lookup, draft, commit or delete of one of several tiers, or a lookup of one alone, may take before the cache goes on without it.',
    limitOption,
    { default: '2s', unit: 'ms', live: true },
  ),
  /**
   * How long `fetch` waits for a lookup in tiers that answer later before it asks the origin, as if they had nothing. Default: three quarters of what
   * the origin takes, which is the middle of its last 64 answers, but 20 ms at least; 100 ms before there are any.
   */
  lookup: option(
    'How long `fetch` waits for a lookup in tiers that answer later before it asks the origin, as if they had nothing.',
    limitOption,
    {
      otherwise:
        'three quarters of what the origin takes, which is the middle of its last 64 answers, but 20 ms at least; 100 ms before there are any',
      unit: 'ms',
      live: true,
    },
  ),
  /** From asking the origin to the first byte of its body. Default 30 s. */
  firstByte: option('From asking the origin to the first byte of its body.', limitOption, {
    default: '30s',
    unit: 'ms',
    live: true,
  }),
  /** From asking the origin to the last byte of its body. Default 10 min. */
  fill: option('From asking the origin to the last byte of its body.', limitOption, {
    default: '10m',
    unit: 'ms',
    live: true,
  }),
  /** How long a body may lie unread before it is closed and `leak` is emitted. Default 30 s. */
  idle: option('How long a body may lie unread before it is closed and `leak` is emitted.', limitOption, {
    default: '30s',
    unit: 'ms',
    live: true,
  }),
  /** How long `close()` lets fills and bodies finish before it aborts them. Default 10 s. */
  shutdown: option('How long `close()` lets fills and bodies finish before it aborts them.', durationOption, {
    default: '10s',
    unit: 'ms',
    live: true,
  }),
})

export const breakerOptions = z.strictObject({
  /**
   * Failures of a tier, or of an origin that `fetch` was given a name of, one after the other, timeouts included, that make the cache leave it alone.
   * Default `5`.
   */
  failures: option(
    'Failures of a tier, or of an origin that `fetch` was given a name of, one after the other, timeouts included, that make the cache leave it alone.',
    z.int().min(1).max(1_000_000),
    { default: BREAKER.failures, live: true },
  ),
  /** How long it is left alone before one call finds out whether it works again. Default 1 s. */
  openFor: option(
    'How long it is left alone before one call finds out whether it works again.',
    limitOption,
    { default: BREAKER.openFor, unit: 'ms', live: true },
  ),
  /** The same, at most: it doubles each time that it does not work. Default: 30 s, or `openFor` where that is more. */
  openForAtMost: option('The same, at most: it doubles each time that it does not work.', limitOption, {
    otherwise: `${showDuration(BREAKER.openForAtMost)}, or \`openFor\` where that is more`,
    unit: 'ms',
    live: true,
  }),
})

/** A policy by its name, or one of the user's own. */
const policyOption = checked<PolicyName | EvictionPolicy>(
  (value) =>
    POLICY_NAMES.some((name) => name === value) || isEvictionPolicy(value)
      ? undefined
      : `want one of ${POLICY_NAMES.map((name) => JSON.stringify(name)).join(', ')}, or an object with the methods add, touch, remove and evict`,
  { enum: POLICY_NAMES },
)

const LONGEST_NAME = 256

/** Text that is not empty, of a length at most. */
export function textOption(most: number): z.ZodCustom<string, string> {
  return checked<string>(
    (value) =>
      typeof value === 'string' && value !== '' && value.length <= most
        ? undefined
        : `want text of 1 to ${most} characters`,
    { type: 'string', minLength: 1, maxLength: most },
  )
}

const memoryStoreLive = z.strictObject({
  /** Bound of all that the store holds, index and metadata included. Default: a quarter of the memory there is, at most 512 MiB. */
  maxBytes: option('Bound of all that the store holds, index and metadata included.', memoryOption, {
    otherwise: 'a quarter of the memory there is, at most 512 MiB',
    unit: 'bytes',
    live: true,
  }),
  /** Larger values are not kept. Default: an eighth of `maxBytes`. */
  maxItemBytes: option('Larger values are not kept.', sizeOption, {
    otherwise: 'an eighth of `maxBytes`',
    unit: 'bytes',
    live: true,
  }),
  /** Which entry goes first when room is needed: a name, or an object with the methods of `EvictionPolicy`. Default `'w-tinylfu'`. */
  policy: option(
    'Which entry goes first when room is needed: a name, or an object with the methods of `EvictionPolicy`.',
    policyOption,
    { default: 'w-tinylfu', live: true },
  ),
  /**
   * Keeps values compressed: `'lz4'`, `'gzip'`, `'zstd'`, more than a name, or a `Compressor` of your own. Not with a name. Can be changed, for what
   * is written from then on, where the store was made with it. Default `'none'`.
   */
  compression: option(
    "Keeps values compressed: `'lz4'`, `'gzip'`, `'zstd'`, more than a name, or a `Compressor` of your own. Not with a name. Can be changed, for what is written from then on, where the store was made with it.",
    compressionOption,
    { default: 'none', live: true },
  ),
})

export const memoryStoreOptions = memoryStoreLive.extend({
  /**
   * Stores of one name are one memory, in all worker threads of the process, where the addon is loaded. Not with a policy of your own. Default: no
   * name, a store of its own.
   */
  name: option(
    'Stores of one name are one memory, in all worker threads of the process, where the addon is loaded. Not with a policy of your own.',
    textOption(LONGEST_NAME),
    { otherwise: 'no name, a store of its own', live: AT_OPEN },
  ),
})

/** Of a store that runs. */
export const memoryStorePatch = partial(memoryStoreLive)
/** Of one call. */
export const callFreshness = partial(freshnessOptions)

/** Options of `memoryStore`. */
export type MemoryStoreOptions = z.input<typeof memoryStoreOptions>
/** What `configure` of a memory store takes. */
export type MemoryStorePatch = z.input<typeof memoryStorePatch>
/** Options of `freshness`, of the cache and of a call. */
export type FreshnessOptions = z.input<typeof freshnessOptions>
/** Options of `timeouts`. */
export type TimeoutOptions = z.input<typeof timeoutOptions>
