import { z } from 'zod'
import { type Duration, parseDuration } from '../config/units.js'
import { validate } from '../config/validate.js'

const LEAST_INTERVAL = 5
const MOST_INTERVAL = 10_000
const MOST_SAMPLING = 1_000_000

const intervalOption = z.custom<Duration>((value) => {
  const ms = parseDuration(value)
  return ms !== undefined && ms >= LEAST_INTERVAL && ms <= MOST_INTERVAL
}, `want milliseconds or text such as "20ms", ${LEAST_INTERVAL} ms to 10 s`)

const metricsOptions = z.strictObject({
  /** Default true. */
  enabled: z.boolean().optional(),
  /** One of so many calls and lookups is timed, chosen at random: 1 to 1,000,000. Fills and lookups below the first tier all are. Default 64. */
  sampling: z.int().min(1).max(MOST_SAMPLING).optional(),
  /**
   * How often it is looked how late the event loop is, 5 ms to 10 s. The caches of a thread look together, as often as the one that wants it most
   * often. Default 20 ms.
   */
  interval: intervalOption.optional(),
})

/** Option `metrics` of `createCache`. */
export type MetricsOption = boolean | z.input<typeof metricsOptions>

/** Of `createCache`. What is in it is checked by `readMetrics`, so that what is wrong is named by its path. */
export const metricsOption = z.custom<MetricsOption>(
  (value) => typeof value === 'boolean' || (typeof value === 'object' && value !== null),
  'want true, false, or options such as { sampling: 10 }',
)

/** What is measured. */
export interface MetricsConfig {
  readonly enabled: boolean
  /** One of so many operations is timed. */
  readonly sampling: number
  /** Milliseconds. */
  readonly interval: number
}

/** @throws `ERR_DREY_CONFIG` */
export function readMetrics(given: MetricsOption | undefined): MetricsConfig {
  const options = typeof given === 'boolean' ? { enabled: given } : (given ?? {})
  const { enabled, sampling, interval } = validate(metricsOptions, options, 'metrics')
  return { enabled: enabled ?? true, sampling: sampling ?? 64, interval: parseDuration(interval) ?? 20 }
}
