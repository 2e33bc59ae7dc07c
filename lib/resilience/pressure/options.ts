import { z } from 'zod'
import { limitOption, memoryOption } from '../../config/schema.js'
import { parseDuration, parseSize } from '../../config/units.js'
import { validate } from '../../config/validate.js'
import { ConfigError } from '../../errors.js'
import { DEFAULT_THRESHOLDS, type Thresholds } from './level.js'
import type { PressureSource } from './source.js'

const threshold = z.number('want a number, more than 0 and at most 1').gt(0).lte(1)

function isSource(value: unknown): value is PressureSource {
  if (typeof value !== 'object' || value === null) return false
  const { name, ratio } = value as PressureSource
  return typeof name === 'string' && typeof ratio === 'function'
}

export const pressureOptions = z.strictObject({
  /** From which ratio of memory in use on a level holds. Default 0.7, 0.8, 0.9, 0.95. */
  thresholds: z
    .strictObject({
      low: threshold.optional(),
      normal: threshold.optional(),
      high: threshold.optional(),
      critical: threshold.optional(),
    })
    .optional(),
  /** How often to look. */
  interval: z
    .strictObject({
      /** While the level is `none`. Default 1 s. */
      calm: limitOption.optional(),
      /** Above it. Default 100 ms. */
      tense: limitOption.optional(),
    })
    .optional(),
  /** What resident memory of the process is measured against, in addition. Default: nothing. */
  rssLimit: memoryOption.optional(),
  /** Asked in place of the system: for tests, and for those who know better. */
  source: z.custom<PressureSource>(isSource, 'want an object with a name and a method ratio()').optional(),
})

/** Options of `createPressure`. */
export type PressureOptions = z.input<typeof pressureOptions>

/** What a detector runs on: checked, with defaults, in milliseconds and bytes. */
export interface PressureConfig {
  readonly thresholds: Thresholds
  readonly calmMs: number
  readonly tenseMs: number
  readonly rssLimit: number | undefined
  readonly source: PressureSource | undefined
}

/** @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path below `at`, its value and what would do. */
export function readPressureOptions(options: unknown, at: string): PressureConfig {
  const { thresholds, interval, rssLimit, source } = validate(pressureOptions, options, at)
  return {
    thresholds: ascending(thresholds ?? {}, at),
    calmMs: parseDuration(interval?.calm) ?? 1000,
    tenseMs: parseDuration(interval?.tense) ?? 100,
    rssLimit: parseSize(rssLimit),
    source,
  }
}

function ascending(given: NonNullable<PressureOptions['thresholds']>, at: string): Thresholds {
  const { low, normal, high, critical } = given
  const thresholds: Thresholds = {
    low: low ?? DEFAULT_THRESHOLDS.low,
    normal: normal ?? DEFAULT_THRESHOLDS.normal,
    high: high ?? DEFAULT_THRESHOLDS.high,
    critical: critical ?? DEFAULT_THRESHOLDS.critical,
  }
  const named = Object.entries(thresholds)
  for (const [index, [name, from]] of named.entries()) {
    const [next, to] = named[index + 1] ?? []
    if (next === undefined || to === undefined || from < to) continue
    throw new ConfigError(
      `${at}.thresholds: got ${name} ${from} and ${next} ${to}; want low < normal < high < critical`,
    )
  }
  return thresholds
}
