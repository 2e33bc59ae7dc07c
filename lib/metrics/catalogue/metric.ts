import type { CacheStats, CacheTierStats } from '../../cache/cache.js'
import type { HistogramSnapshot } from '../histogram.js'
import type { LatencySeries } from '../latencies.js'
import type { RuntimeTimes } from '../runtime.js'
import { uniqueNames } from '../tier-names.js'

/*
 * One list of all metrics: what is exported, in which format ever, and docs/reference/metrics.md, are made of it.
 *
 * Labels are bounded: each takes its values from a list that is written down here or from what somebody configured, never from keys, urls or
 * messages. What is of no list is `other`.
 */

/** A counter never falls while its cache is open; a gauge is of now; a histogram is of seconds. */
export type MetricKind = 'counter' | 'gauge' | 'histogram'

/** What a metric is. */
export interface Metric {
  /** Without the prefix, by the conventions of Prometheus. */
  readonly name: string
  readonly kind: MetricKind
  /** What is counted or measured. */
  readonly unit: string
  /** Names of its labels, beside `cache`. */
  readonly labels: readonly string[]
  /** What it means, in a sentence. */
  readonly help: string
}

/** A value, or times, with the values of the metric's labels in their order. */
export interface Sample {
  readonly labels: readonly string[]
  readonly value: number | HistogramSnapshot
}

/** What is known of a cache at one moment. */
export interface CacheView {
  readonly stats: CacheStats
  readonly latencies: readonly LatencySeries[]
}

/** One of each cache. */
export interface CacheMetric extends Metric {
  read(view: CacheView): readonly Sample[]
}

/** One of each thread, without the label `cache`. */
export interface ThreadMetric extends Metric {
  read(times: RuntimeTimes): readonly Sample[]
}

/** A number of the cache as a whole. */
export function plain(
  kind: 'counter' | 'gauge',
  name: string,
  unit: string,
  help: string,
  read: (stats: CacheStats) => number | undefined,
): CacheMetric {
  return {
    name,
    kind,
    unit,
    labels: [],
    help,
    read: ({ stats }) => samplesOf([[[], read(stats)]]),
  }
}

/** Numbers of the cache by the values of one label. */
export function by(
  label: string,
  kind: 'counter' | 'gauge',
  name: string,
  unit: string,
  help: string,
  read: (stats: CacheStats) => Readonly<Record<string, number | undefined>>,
): CacheMetric {
  return {
    name,
    kind,
    unit,
    labels: [label],
    help,
    read: ({ stats }) => samplesOf(Object.entries(read(stats)).map(([of, value]) => [[of], value])),
  }
}

/** A number of each tier that has it. */
export function ofTiers(
  kind: 'counter' | 'gauge',
  name: string,
  unit: string,
  help: string,
  read: (tier: CacheTierStats) => number | undefined,
): CacheMetric {
  return {
    name,
    kind,
    unit,
    labels: ['tier'],
    help,
    read: ({ stats }) => samplesOf(stats.tiers.map((tier, at) => [[tierNames(stats)[at]!], read(tier)])),
  }
}

/** Numbers of each tier by the values of one more label. */
export function ofTiersBy(
  label: string,
  kind: 'counter' | 'gauge',
  name: string,
  unit: string,
  help: string,
  read: (tier: CacheTierStats) => Readonly<Record<string, number>> | undefined,
): CacheMetric {
  return {
    name,
    kind,
    unit,
    labels: ['tier', label],
    help,
    read: ({ stats }) =>
      stats.tiers.flatMap((tier, at) =>
        samplesOf(
          Object.entries(read(tier) ?? {}).map(([of, value]) => [[tierNames(stats)[at]!, of], value]),
        ),
      ),
  }
}

type Read = readonly [labels: readonly string[], value: number | undefined]

function samplesOf(read: readonly Read[]): Sample[] {
  return read.flatMap(([labels, value]) => (value === undefined ? [] : [{ labels, value }]))
}

function tierNames({ tiers }: CacheStats): string[] {
  return uniqueNames(tiers.map(({ name }) => name))
}
