import type { Cache } from '../cache/cache.js'
import type { MetricKind } from './catalogue/index.js'
import { collect } from './collect.js'
import { type HistogramSnapshot, type LatencySummary, merge, subtract, summaryOf } from './histogram.js'
import { sourceOf } from './source.js'

/** One metric with one set of labels. */
export interface MetricSeries {
  readonly name: string
  readonly kind: MetricKind
  readonly labels: Readonly<Record<string, string>>
  readonly value: number | HistogramSnapshot
}

/** All metrics of a cache at one moment, or what happened between two. docs/reference/metrics.md has their names. */
export interface MetricsSnapshot {
  /** When it was taken, in milliseconds of the monotonic clock. */
  readonly at: number
  /** Of a difference: milliseconds between the two; else undefined, for counters count from when the cache was made. */
  readonly duration?: number
  readonly series: readonly MetricSeries[]
}

/** Labels that a series must have; those that are not given may be whatever they are. */
export type LabelFilter = Readonly<Record<string, string>>

/**
 * What `cache` counts and measures now, to be kept and compared: `metricsDifference` of two is what happened between them.
 *
 * @throws `ERR_DREY_CONFIG` for what is no cache of this package
 */
export function metricsSnapshot(cache: Cache): MetricsSnapshot {
  const source = sourceOf(cache, 'cache')
  const families = collect(new Map([['', source]]))
  const series = families.flatMap(({ metric: { name, kind }, labels: names, samples }) =>
    samples.map(({ labels, value }): MetricSeries => {
      const pairs = names.map((label, at): [string, string] => [label, labels[at]!])
      return { name, kind, labels: Object.fromEntries(pairs.filter(([label]) => label !== 'cache')), value }
    }),
  )
  return { at: source.now(), series }
}

/**
 * What happened from `earlier` to `later`, two snapshots of one cache: counters and histograms are those of the time between, gauges are as
 * in `later`.
 */
export function metricsDifference(later: MetricsSnapshot, earlier: MetricsSnapshot): MetricsSnapshot {
  const before = new Map(earlier.series.map((series) => [keyOf(series), series.value]))
  const series = later.series.map((one): MetricSeries => {
    const { kind, value } = one
    const was = before.get(keyOf(one))
    if (kind === 'gauge' || was === undefined) return one
    if (typeof value === 'number') return { ...one, value: typeof was === 'number' ? value - was : value }
    return { ...one, value: subtract(value, typeof was === 'number' ? undefined : was) }
  })
  return { at: later.at, duration: later.at - earlier.at, series }
}

/** The sum of all series of the counter or gauge `name` that have the labels of `filter`: `metricsTotal(it, 'answers_total', { outcome: 'hit' })`. 0 where there are none. */
export function metricsTotal({ series }: MetricsSnapshot, name: string, filter: LabelFilter = {}): number {
  let sum = 0
  for (const one of series) {
    if (typeof one.value === 'number' && matches(one, name, filter)) sum += one.value
  }
  return sum
}

/** Times of all series of the histogram `name` that have the labels of `filter`, together, in milliseconds. */
export function metricsLatency(
  { series }: MetricsSnapshot,
  name: string,
  filter: LabelFilter = {},
): LatencySummary {
  const times: HistogramSnapshot[] = []
  for (const one of series) {
    if (typeof one.value !== 'number' && matches(one, name, filter)) times.push(one.value)
  }
  return summaryOf(merge(times))
}

function matches({ name, labels }: MetricSeries, wanted: string, filter: LabelFilter): boolean {
  return name === wanted && Object.entries(filter).every(([label, value]) => labels[label] === value)
}

function keyOf({ name, labels }: MetricSeries): string {
  return JSON.stringify([name, Object.entries(labels)])
}
