import { CATEGORIES } from '../../buffers/strategy.js'
import type { Cache, CacheStats, CacheTierStats } from '../../cache/cache.js'
import type { RaisedAlert } from '../../metrics/health/alerts.js'
import type { HealthReason } from '../../metrics/health/health.js'
import type { MetricsSource } from '../../metrics/source.js'
import type {
  AdviceState,
  AlertState,
  DashboardState,
  OriginsState,
  PoolState,
  TierState,
  Totals,
} from './messages.js'

/** What a state is made of beside the cache. */
export interface StateSources {
  readonly cache: Pick<Cache, 'health' | 'topKeys'>
  readonly source: Pick<MetricsSource, 'monitor'>
  readonly stats: CacheStats
  readonly now: number
  readonly advice: AdviceState
}

const MOST_KEYS = 15
/** Of a key, characters that are shown: it may have 32 KiB. */
const SHOWN_KEY = 200
const MOST_ORIGINS = 12
const MOST_REASONS = 20

export function stateOf({ cache, source, stats, now, advice }: StateSources): DashboardState {
  const { level, reasons } = cache.health()
  return {
    at: now,
    process: { pid: process.pid, uptime: Math.round(process.uptime()) },
    level,
    alerts: alertsOf(reasons, source.monitor.alerts()),
    totals: totalsOf(stats),
    tiers: stats.tiers.map(tierOf),
    pool: poolOf(stats),
    pressure: pressureOf(stats),
    origins: originsOf(stats),
    notStored: firstOf(stats.notStored, MOST_REASONS),
    errors: stats.metrics.errors,
    topKeys: cache.topKeys(MOST_KEYS).map((top) => ({ ...top, key: shortened(top.key) })),
    advice,
    measures: stats.metrics.enabled,
  }
}

/** Red ones first, of each level the oldest. */
function alertsOf(reasons: readonly HealthReason[], raised: readonly RaisedAlert[]): AlertState[] {
  const order = ['failing', 'red', 'amber']
  return reasons
    .map(({ id, level, message, since }): AlertState => {
      const alert = raised.find((one) => one.id === id)
      return { id, level: level === 'failing' ? level : (alert?.level ?? 'amber'), message, since }
    })
    .sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level) || a.since - b.since)
}

function totalsOf(stats: CacheStats): Totals {
  const { hits, misses, joined, revalidated, stale, fills, bytesIn, bytesOut, leaks, filling } = stats
  const { openBodies, refreshes } = stats
  const counted = { hits, misses, joined, revalidated, stale, fills, bytesIn, bytesOut, leaks }
  return { ...counted, filling, openBodies, refreshing: refreshes.running }
}

function tierOf(tier: CacheTierStats): TierState {
  const { name, entries, bytes, maxBytes, evictions, expirations, dropped, failures, queued, breaker } = tier
  return {
    name,
    onDisk: tier.segments !== undefined,
    policy: tier.policy ?? null,
    entries,
    bytes,
    maxBytes: Number.isFinite(maxBytes) ? maxBytes : null,
    evictions,
    expirations,
    corrupt: tier.corrupt ?? 0,
    dropped,
    failures,
    queued,
    breaker,
    compression: tier.compression?.ratio ?? null,
  }
}

function poolOf({ pool }: CacheStats): PoolState | null {
  if (pool === undefined) return null
  const { enabled, heldBytes, maxBytes, hitRate, leaked, strategies, categories } = pool
  const { full, pressure, refused } = strategies.fallbacks
  const fallback = full + pressure + refused
  return {
    enabled,
    heldBytes,
    maxBytes,
    hitRate,
    leaked: leaked.count,
    strategies: { pooled: strategies.pooled, direct: strategies.direct, fallback },
    sizes: CATEGORIES.map((size) => ({ size, gets: categories[size].gets, direct: categories[size].direct })),
  }
}

function pressureOf({ pressure }: CacheStats): DashboardState['pressure'] {
  if (pressure === undefined) return null
  const { level, ratio, factor, ratios } = pressure
  return { level, ratio, factor, ratios }
}

function originsOf({ origins }: CacheStats): OriginsState {
  const order = ['open', 'half-open', 'closed']
  const sorted = [...origins].sort(
    (a, b) => order.indexOf(a.breaker) - order.indexOf(b.breaker) || b.refused - a.refused,
  )
  return { shown: sorted.slice(0, MOST_ORIGINS), all: origins.length }
}

function firstOf<T>(all: Readonly<Record<string, T>>, most: number): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(all).slice(0, most))
}

function shortened(key: string): string {
  return key.length > SHOWN_KEY ? `${key.slice(0, SHOWN_KEY - 1)}…` : key
}
