import { z } from 'zod'
import { option, partial, wholeOption } from '../../config/option.js'
import { limitOption, textOption } from '../../config/schema.js'
import { parseDuration } from '../../config/units.js'
import { showValue, validate } from '../../config/validate.js'
import { ConfigError } from '../../errors.js'
import { PRIORITIES, type Priority } from './schedule.js'

const nameOption = textOption(256)

const limiterLive = z.strictObject({
  /** The weight that may be held at a time. Default `4`. */
  concurrency: option('The weight that may be held at a time.', wholeOption(1), { default: 4, live: true }),
  /** How many operations may wait. Default `1000`. */
  queue: option('How many operations may wait.', wholeOption(0), { default: 1000, live: true }),
  /** How long one may wait. Default `Infinity`. */
  waitTimeout: option('How long one may wait.', limitOption, {
    default: Number.POSITIVE_INFINITY,
    unit: 'ms',
    live: true,
  }),
  /** How long one may take before its signal tells it to end. Default `Infinity`. */
  holdTimeout: option('How long one may take before its signal tells it to end.', limitOption, {
    default: Number.POSITIVE_INFINITY,
    unit: 'ms',
    live: true,
  }),
})

export const limiterOptions = limiterLive.extend({
  /** What messages call it: the path of the options that it was made of. Default `'limiter'`. */
  name: option('What messages call it: the path of the options that it was made of.', nameOption, {
    default: 'limiter',
    live: 'who waits has been told the name',
  }),
})

const MAX_SHARE = 1_000_000

const ownerLive = z.strictObject({
  /** Its part of what is granted, beside the parts of others that wait with the same priority. Default `1`. */
  share: option(
    'Its part of what is granted, beside the parts of others that wait with the same priority.',
    wholeOption(1, MAX_SHARE),
    { default: 1, live: true },
  ),
  /** How many of its operations may wait. Default: as many as the limiter lets wait. */
  queue: option('How many of its operations may wait.', wholeOption(0), {
    otherwise: 'as many as the limiter lets wait',
    live: true,
  }),
})

export const ownerOptions = ownerLive.extend({
  /** What messages call it. Default `'owner'`. */
  name: option('What messages call it.', nameOption, {
    default: 'owner',
    live: 'who waits has been told the name',
  }),
})

const limiterPatch = partial(limiterLive)
const ownerPatch = partial(ownerLive)

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

/** @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do. */
export function readLimiterOptions(options: LimiterOptions): {
  readonly name: string
  readonly config: LimiterConfig
} {
  const called = nameOption.safeParse(options?.name)
  const { name, concurrency, queue, waitTimeout, holdTimeout } = validate(
    limiterOptions,
    options,
    called.data ?? 'limiter',
  )
  const limits = { waitTimeout: parseDuration(waitTimeout)!, holdTimeout: parseDuration(holdTimeout)! }
  return { name, config: { concurrency, queue, ...limits } }
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
  const {
    name,
    share,
    queue = Number.POSITIVE_INFINITY,
  } = validate(ownerOptions, options, `${limiter}.owner`)
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
