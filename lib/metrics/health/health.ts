import type { RaisedAlert } from './alerts.js'
import type { AlertId } from './rules.js'

/**
 * `ok`: nothing is known to be wrong. `degraded`: it serves, with fewer hits, slower, or without a tier. `failing`: who has others that
 * serve should ask those: most calls fail, no tier is in use, or memory is all but used up.
 */
export type HealthLevel = 'ok' | 'degraded' | 'failing'

/** Why a cache is not `ok`. */
export interface HealthReason {
  /** That of the alert; `closed` after `close()`. */
  readonly id: AlertId | 'closed'
  readonly level: Exclude<HealthLevel, 'ok'>
  /** In a sentence. */
  readonly message: string
  /** Epoch milliseconds. */
  readonly since: number
  readonly value: number
  /** What `value` reached. */
  readonly threshold: number
}

/** What `health()` says. */
export interface CacheHealth {
  /** The worst of `reasons`. */
  readonly level: HealthLevel
  readonly reasons: readonly HealthReason[]
}

/** Of these a red alert means that the cache is of no more use; the others cost hits or time at worst. */
const FAILING: ReadonlySet<AlertId> = new Set(['errors', 'tier-down', 'pressure'])

export function healthOf(alerts: readonly RaisedAlert[], closedAt: number | undefined): CacheHealth {
  const reasons = alerts.map(
    ({ id, level, reason, since, value, threshold }): HealthReason => ({
      id,
      level: level === 'red' && FAILING.has(id) ? 'failing' : 'degraded',
      message: reason,
      since,
      value,
      threshold,
    }),
  )
  if (closedAt !== undefined) {
    reasons.push({
      id: 'closed',
      level: 'failing',
      message: 'the cache was closed',
      since: closedAt,
      value: 1,
      threshold: 1,
    })
  }
  if (reasons.length === 0) return OK
  return { level: reasons.some(({ level }) => level === 'failing') ? 'failing' : 'degraded', reasons }
}

const OK: CacheHealth = { level: 'ok', reasons: [] }
