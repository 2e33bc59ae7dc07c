import { z } from 'zod'
import { checked, option, orOptions } from '../config/option.js'
import { DURATION_JSON, type Duration, parseDuration } from '../config/units.js'

const LEAST_INTERVAL = 5
const MOST_INTERVAL = 10_000
const MOST_SAMPLING = 1_000_000
const LEAST_TRACE = 1024
const MOST_TRACE = 2 ** 20
const LIVE = 'what measures is made when the cache opens'

const intervalOption = checked<Duration>((value) => {
  const ms = parseDuration(value)
  return ms !== undefined && ms >= LEAST_INTERVAL && ms <= MOST_INTERVAL
    ? undefined
    : `want milliseconds or text such as "20ms", ${LEAST_INTERVAL} ms to 10 s`
}, DURATION_JSON)

const traceOption = checked<number>(
  (value) =>
    value === 0 ||
    (Number.isInteger(value) && (value as number) >= LEAST_TRACE && (value as number) <= MOST_TRACE)
      ? undefined
      : `want a whole number from ${LEAST_TRACE} to ${MOST_TRACE}, or 0 for none`,
  { type: 'integer', minimum: 0, maximum: MOST_TRACE },
)

export const metricsOptions = z.strictObject({
  /** Whether times are taken, and what the process does is watched. What is counted is counted in any case. Default `true`. */
  enabled: option(
    'Whether times are taken, and what the process does is watched. What is counted is counted in any case.',
    z.boolean(),
    { default: true, live: LIVE },
  ),
  /** One of so many calls and lookups is timed, chosen at random: 1 to 1,000,000. Fills and lookups below the first tier all are. Default `64`. */
  sampling: option(
    'One of so many calls and lookups is timed, chosen at random: 1 to 1,000,000. Fills and lookups below the first tier all are.',
    z.int().min(1).max(MOST_SAMPLING),
    { default: 64, live: LIVE },
  ),
  /**
   * How often it is looked how late the event loop is, 5 ms to 10 s. The caches of a thread look together, as often as the one that wants it most
   * often. Default 20 ms.
   */
  interval: option(
    'How often it is looked how late the event loop is, 5 ms to 10 s. The caches of a thread look together, as often as the one that wants it most often.',
    intervalOption,
    { default: '20ms', unit: 'ms', live: LIVE },
  ),
  /**
   * How many accesses of a sample of keys are kept for `advice()`, twice at most, 29 bytes each: 1024 to 1,048,576, or 0 for none. Default `65536`.
   */
  trace: option(
    'How many accesses of a sample of keys are kept for `advice()`, twice at most, 29 bytes each: 1024 to 1,048,576, or 0 for none.',
    traceOption,
    { default: 65_536, live: LIVE },
  ),
})

/** Option `metrics` of `createCache`. */
export type MetricsOption = boolean | z.input<typeof metricsOptions>

/** Of `createCache`. */
export const metricsOption = option(
  'What is measured: `true`, or options for that. `false`: no clock is read for it; what is counted still is.',
  orOptions<MetricsOption>(
    metricsOptions,
    (value) => typeof value === 'boolean',
    'want true, false, or options such as { sampling: 10 }',
    { type: 'boolean' },
  ),
  { default: true, live: LIVE },
)

/** What is measured. */
export interface MetricsConfig {
  readonly enabled: boolean
  /** One of so many operations is timed. */
  readonly sampling: number
  /** Milliseconds. */
  readonly interval: number
  /** Accesses that are kept at once for advice; 0: none. */
  readonly trace: number
}

/** Of an option that is right. */
export function readMetrics(given: MetricsOption): MetricsConfig {
  const options = typeof given === 'boolean' ? { enabled: given } : given
  const { enabled, sampling, interval, trace } = metricsOptions.parse(options)
  return { enabled, sampling, interval: parseDuration(interval)!, trace: enabled ? trace : 0 }
}
