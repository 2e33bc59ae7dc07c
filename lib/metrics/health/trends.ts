import type { Cache } from '../../cache/cache.js'
import type { Duration } from '../../config/units.js'
import { parseDuration } from '../../config/units.js'
import { ConfigError } from '../../errors.js'
import { sourceOf } from '../source.js'
import type { HistoryRow } from './history.js'
import { VITALS, type Vital } from './vitals.js'

/**
 * The course of `cache` over the last `span`: rows of 10 s up to 10 minutes back, of a minute up to 6 hours, of 10 minutes up to 30 days. Empty with
 * `metrics: false`.
 *
 * @throws `ERR_DREY_CONFIG` for what is no cache of this package, and no duration
 */
export function metricsHistory(cache: Cache, span: Duration): HistoryRow[] {
  return sourceOf(cache, 'cache').monitor.rows(spanOf(span))
}

/**
 * How much `vital` rises in an hour, by least squares over what `metricsHistory` gives for `span`; less than 0 when it falls, NaN of fewer
 * than three rows.
 *
 * @throws as `metricsHistory`
 */
export function metricsSlope(cache: Cache, vital: Vital, span: Duration): number {
  if (!VITALS.includes(vital)) {
    throw new ConfigError(`vital: got ${JSON.stringify(vital)}; want one of ${VITALS.join(' ')}`)
  }
  return sourceOf(cache, 'cache').monitor.slope(vital, spanOf(span))
}

function spanOf(span: Duration): number {
  const ms = parseDuration(span)
  if (ms !== undefined && ms > 0) return ms
  throw new ConfigError(
    `span: got ${JSON.stringify(span)}; want milliseconds, or text such as "1h", more than 0`,
  )
}
