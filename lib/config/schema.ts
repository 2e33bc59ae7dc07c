import { z } from 'zod'
import { ConfigError } from '../errors.js'
import { memoryThereIs } from './memory.js'
import { DURATION_FORMS, type Duration, parseDuration, parseSize, SIZE_FORMS, type Size } from './units.js'

/*
 * The border. Options are checked here, once, and are plain numbers inside.
 */

const MiB = 2 ** 20

const size = z.custom<Size>((value) => parseSize(value) !== undefined, `want ${SIZE_FORMS}`)
const duration = z.custom<Duration>(
  (value) => parseDuration(value) !== undefined,
  `want ${DURATION_FORMS}, not negative`,
)
const limitedDuration = duration.refine((value) => (parseDuration(value) ?? 0) > 0, 'want more than 0 ms')

export const freshnessOptions = z.strictObject({
  /** How long an entry is fresh when neither the fetcher nor `set` says. Default: until it is evicted. */
  ttl: duration.optional(),
  /** For how long after that it may answer an error of the origin. Default 0: not at all. */
  staleIfError: duration.optional(),
  /** How long "not found" is remembered. Default 10 s. */
  negativeTtl: duration.optional(),
})

export const timeoutOptions = z.strictObject({
  /** From asking the origin to the first byte of its body. Default 30 s. */
  firstByte: limitedDuration.optional(),
  /** From asking the origin to the last byte of its body. Default 10 min. */
  fill: limitedDuration.optional(),
  /** How long a body may lie unread before it is closed and `leak` is emitted. Default 30 s. */
  idle: limitedDuration.optional(),
  /** How long `close()` lets fills and bodies finish before it aborts them. Default 10 s. */
  shutdown: duration.optional(),
})

export const memoryStoreOptions = z.strictObject({
  /** Bound of all that the store holds, index and metadata included. Default: a quarter of the memory there is, at most 512 MiB. */
  maxBytes: size
    .refine((value) => (parseSize(value) ?? 0) >= MiB, 'want at least 1 MiB')
    .refine(
      (value) => (parseSize(value) ?? 0) <= memoryThereIs(),
      `want at most the memory there is, ${memoryThereIs()} bytes`,
    )
    .optional(),
  /** Larger values are not kept. Default: an eighth of `maxBytes`. */
  maxItemBytes: size.optional(),
})

/** Options of `memoryStore`. */
export type MemoryStoreOptions = z.input<typeof memoryStoreOptions>
/** Options of `freshness`, of the cache and of a call. */
export type FreshnessOptions = z.input<typeof freshnessOptions>
/** Options of `timeouts`. */
export type TimeoutOptions = z.input<typeof timeoutOptions>

function show(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'number' || typeof value === 'bigint' || value === undefined) return String(value)
  const text = JSON.stringify(value) ?? typeof value
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/**
 * What `schema` makes of `value`, or `ERR_DREY_CONFIG` that names the path of each wrong option below `at`, its
 * value and what would do.
 */
export function validate<T extends z.ZodType>(schema: T, value: unknown, at: string): z.output<T> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  const wrong = result.error.issues.map((issue) => {
    const path = [at, ...issue.path.map(String)].filter((part) => part !== '').join('.')
    if (issue.code === 'unrecognized_keys') {
      const known = schema instanceof z.ZodObject ? `; known are ${Object.keys(schema.shape).join(', ')}` : ''
      const named = issue.keys.map((key) => (path === '' ? key : `${path}.${key}`))
      return `${named.join(', ')}: no such option${issue.path.length === 0 ? known : ''}`
    }
    return `${path === '' ? 'options' : path}: got ${show(issue.input)}; ${lowerFirst(issue.message)}`
  })
  throw new ConfigError(wrong.join('. '))
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
