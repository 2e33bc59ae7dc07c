import { z } from 'zod'
import { checked, group, option } from '../../config/option.js'
import { limitOption, memoryOption } from '../../config/schema.js'
import { parseDuration, parseSize } from '../../config/units.js'
import { validate } from '../../config/validate.js'
import { ConfigError } from '../../errors.js'
import { DEFAULT_THRESHOLDS, type Thresholds } from './level.js'
import type { PressureSource } from './source.js'

/** Why they stay. */
const DETECTOR = 'the detector looks as it was made to'

const threshold = z.number('want a number, more than 0 and at most 1').gt(0).lte(1)

function isSource(value: unknown): value is PressureSource {
  if (typeof value !== 'object' || value === null) return false
  const { name, ratio } = value as PressureSource
  return typeof name === 'string' && typeof ratio === 'function'
}

export const pressureOptions = z.strictObject({
  /** From which ratio of memory in use on a level holds. */
  thresholds: group(
    'From which ratio of memory in use on a level holds.',
    z.strictObject({
      /** Level `low`. Default `0.7`. */
      low: option('Level `low`.', threshold, { default: DEFAULT_THRESHOLDS.low, live: DETECTOR }),
      /** Level `normal`. Default `0.8`. */
      normal: option('Level `normal`.', threshold, { default: DEFAULT_THRESHOLDS.normal, live: DETECTOR }),
      /** Level `high`. Default `0.9`. */
      high: option('Level `high`.', threshold, { default: DEFAULT_THRESHOLDS.high, live: DETECTOR }),
      /** Level `critical`. Default `0.95`. */
      critical: option('Level `critical`.', threshold, {
        default: DEFAULT_THRESHOLDS.critical,
        live: DETECTOR,
      }),
    }),
  ),
  /** How often to look. */
  interval: group(
    'How often to look.',
    z.strictObject({
      /** While the level is `none`. Default 1 s. */
      calm: option('While the level is `none`.', limitOption, { default: '1s', unit: 'ms', live: DETECTOR }),
      /** How often above that level. Default 100 ms. */
      tense: option('How often above that level.', limitOption, {
        default: '100ms',
        unit: 'ms',
        live: DETECTOR,
      }),
    }),
  ),
  /** What resident memory of the process is measured against, in addition. Default: nothing. */
  rssLimit: option('What resident memory of the process is measured against, in addition.', memoryOption, {
    otherwise: 'nothing',
    unit: 'bytes',
    live: DETECTOR,
  }),
  /** Asked in place of the system: for tests, and for those who know better. Default: the system. */
  source: option(
    'Asked in place of the system: for tests, and for those who know better.',
    checked<PressureSource>(
      (value) => (isSource(value) ? undefined : 'want an object with a name and a method ratio()'),
      {},
    ),
    { otherwise: 'the system', live: DETECTOR, code: true },
  ),
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
    thresholds: ascending(thresholds, at),
    calmMs: parseDuration(interval.calm)!,
    tenseMs: parseDuration(interval.tense)!,
    rssLimit: parseSize(rssLimit),
    source,
  }
}

function ascending(thresholds: Thresholds, at: string): Thresholds {
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
