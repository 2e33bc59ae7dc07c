import { ANSWERS } from './answers.js'
import { MEMORY } from './memory.js'
import type { CacheMetric, Metric } from './metric.js'
import { THREAD } from './thread.js'
import { TIERS } from './tiers.js'

export type {
  CacheMetric,
  CacheView,
  Metric,
  MetricKind,
  Sample,
} from './metric.js'
export { THREAD } from './thread.js'

/** Metrics of each cache. */
export const OF_CACHES: readonly CacheMetric[] = [...ANSWERS, ...TIERS, ...MEMORY]

/** All that there are. */
export const CATALOGUE: readonly Metric[] = [...OF_CACHES, ...THREAD]
