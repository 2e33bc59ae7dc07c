import type { Cache, CacheStats } from '../cache/cache.js'
import { ConfigError } from '../errors.js'
import type { Monitor } from './health/monitor.js'
import type { LatencySeries } from './latencies.js'
import type { RuntimeTimes } from './runtime.js'

/** Where the numbers of one cache come from. */
export interface MetricsSource {
  isClosed(): boolean
  stats(): CacheStats
  latencies(): readonly LatencySeries[]
  /** Of the thread; undefined where the cache measures nothing. */
  runtime(): RuntimeTimes | undefined
  /** Milliseconds of the monotonic clock. */
  now(): number
  /** Its course. */
  readonly monitor: Monitor
}

/** By cache: what adapters need is no part of the public face of a cache. */
const sources = new WeakMap<object, MetricsSource>()

/** Has `sourceOf` find the numbers of `cache`. */
export function publishSource(cache: object, source: MetricsSource): void {
  sources.set(cache, source)
}

/** @throws `ERR_DREY_CONFIG` for what is no cache of this package */
export function sourceOf(cache: Cache, path: string): MetricsSource {
  const isObject = typeof cache === 'object' && cache !== null
  const source = isObject ? sources.get(cache) : undefined
  if (source !== undefined) return source
  throw new ConfigError(
    `${path}: got ${isObject ? 'an object' : String(cache)}; want a cache that createCache() made`,
  )
}
