import { z } from 'zod'
import { limitOption } from '../../config/schema.js'
import { parseDuration } from '../../config/units.js'
import { showValue, validate } from '../../config/validate.js'
import { ConfigError } from '../../errors.js'
import { PRIORITIES, type Priority } from './schedule.js'

/** A whole number of at least `least`. */
function wholeOption(least: number, most = Number.MAX_SAFE_INTEGER): z.ZodCustom<number, number> {
  const upTo = most === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${most}`
  return z.custom<number>(
    (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
    `want a whole number of at least ${least}${upTo}`,
  )
}

const nameOption = z.custom<string>(
  (value) => typeof value === 'string' && value !== '' && value.length <= 256,
  'want text of 1 to 256 characters',
)

export const limiterPatch = z.strictObject({
  /** The weight that may be held at a time. Default 4. */
  concurrency: wholeOption(1).optional(),
  /** How many operations may wait. Default 1000. */
  queue: wholeOption(0).optional(),
  /** How long one may wait. Default `Infinity`. */
  waitTimeout: limitOption.optional(),
  /** How long one may take before its signal tells it to end. Default `Infinity`. */
  holdTimeout: limitOption.optional(),
})

const limiterOptions = limiterPatch.extend({
  /** What messages call it: the path of the options that it was made of. Default `'limiter'`. */
  name: nameOption.optional(),
})

const MAX_SHARE = 1_000_000

const ownerPatch = z.strictObject({
  /** Its part of what is granted, beside the parts of others that wait with the same priority. Default 1. */
  share: wholeOption(1, MAX_SHARE).optional(),
  /** How many of its operations may wait. Default: as many as the limiter lets wait. */
  queue: wholeOption(0).optional(),
})

const ownerOptions = ownerPatch.extend({
  /** What messages call it. Default `'owner'`. */
  name: nameOption.optional(),
})

/** Options of `createLimiter`. */
export type LimiterOptions = z.input<typeof limiterOptions>
/** What `configure` of a limiter takes. */
export type LimiterPatch = z.input<typeof limiterPatch>
/** Options of an owner. */
export type OwnerOptions = z.input<typeof ownerOptions>
/** What `configure` of an owner takes. */
export type OwnerPatch = z.input<typeof ownerPatch>

/** What a limiter runs on: checked, with defaults, in milliseconds. */
export interface LimiterConfig {
  readonly concurrency: number
  readonly queue: number
  readonly waitTimeout: number
  readonly holdTimeout: number
}

const DEFAULTS: LimiterConfig = {
  concurrency: 4,
  queue: 1000,
  waitTimeout: Number.POSITIVE_INFINITY,
  holdTimeout: Number.POSITIVE_INFINITY,
}

/** @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do. */
export function readLimiterOptions(options: LimiterOptions): {
  readonly name: string
  readonly config: LimiterConfig
} {
  const called = nameOption.safeParse(options?.name)
  const { name = 'limiter', ...given } = validate(limiterOptions, options, called.data ?? 'limiter')
  return { name, config: patched(DEFAULTS, given) }
}

/** `config` with what `patch` changes. @throws as `readLimiterOptions` */
export function patchLimiterConfig(config: LimiterConfig, patch: LimiterPatch, name: string): LimiterConfig {
  return patched(config, validate(limiterPatch, patch, name))
}

function patched(config: LimiterConfig, given: z.output<typeof limiterPatch>): LimiterConfig {
  return {
    concurrency: given.concurrency ?? config.concurrency,
    queue: given.queue ?? config.queue,
    waitTimeout: parseDuration(given.waitTimeout) ?? config.waitTimeout,
    holdTimeout: parseDuration(given.holdTimeout) ?? config.holdTimeout,
  }
}

/** What an owner runs on. */
export interface OwnerConfig {
  readonly share: number
  readonly queue: number
}

/** @throws as `readLimiterOptions` */
export function readOwnerOptions(
  options: OwnerOptions,
  limiter: string,
): { readonly name: string; readonly config: OwnerConfig } {
  const { name = 'owner', ...given } = validate(ownerOptions, options, `${limiter}.owner`)
  const { share = 1, queue = Number.POSITIVE_INFINITY } = given
  return { name: `${limiter}.${name}`, config: { share, queue } }
}

/** `config` with what `patch` changes. @throws as `readLimiterOptions` */
export function patchOwnerConfig(config: OwnerConfig, patch: OwnerPatch, name: string): OwnerConfig {
  const { share = config.share, queue = config.queue } = validate(ownerPatch, patch, name)
  return { share, queue }
}

/*
 * Of one operation. Checked by hand, because this is what every operation pays for.
 */

const LEVELS: ReadonlyMap<unknown, number> = new Map(PRIORITIES.map((priority, level) => [priority, level]))
const NORMAL = PRIORITIES.indexOf('normal')

/** @throws `ERR_DREY_CONFIG` */
export function levelOf(priority: Priority | undefined, name: string): number {
  if (priority === undefined) return NORMAL
  const level = LEVELS.get(priority)
  if (level !== undefined) return level
  const known = PRIORITIES.map((one) => showValue(one)).join(', ')
  throw new ConfigError(`${name}.priority: got ${showValue(priority)}; want one of ${known}`)
}

/** @throws `ERR_DREY_CONFIG` */
export function weightOf(weight: number | undefined, name: string): number {
  if (weight === undefined) return 1
  if (Number.isSafeInteger(weight) && weight >= 1) return weight
  throw new ConfigError(`${name}.weight: got ${showValue(weight)}; want a whole number of at least 1`)
}

/** @throws `ERR_DREY_CONFIG` */
export function timeoutOf(
  given: number | undefined,
  option: 'waitTimeout' | 'holdTimeout',
  name: string,
  unless: number,
): number {
  if (given === undefined) return unless
  if (typeof given === 'number' && given > 0) return given
  throw new ConfigError(`${name}.${option}: got ${showValue(given)}; want milliseconds, more than 0`)
}

/** @throws `ERR_DREY_CONFIG` unless pressure may scale a concurrency by it. */
export function assertFactor(factor: number, name: string): void {
  if (typeof factor === 'number' && factor > 0 && factor <= 1) return
  throw new ConfigError(`${name}.setFactor: got ${showValue(factor)}; want a number above 0 and at most 1`)
}
