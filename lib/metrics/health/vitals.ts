import { CATEGORIES } from '../../buffers/strategy.js'
import type { CacheStats } from '../../cache/cache.js'
import { type HistogramSnapshot, merge, quantile, subtract } from '../histogram.js'
import type { LatencySeries } from '../latencies.js'

/*
 * The figures whose course is kept: few, so that thirty days of them are small.
 */

/** What is kept of each window of time. A figure of which the window says nothing is NaN. */
export const VITALS = [
  'requests',
  'hitRatio',
  'p99',
  'errors',
  'bytesOut',
  'bytesIn',
  'fills',
  'evictions',
  'dropped',
  'corruptions',
  'diskErrors',
  'roomRefusals',
  'diskShort',
  'pressure',
  'memory',
  'disk',
  'loopDelay',
] as const

export type Vital = (typeof VITALS)[number]

/** Figures of one window. docs/reference/health.md says what each is. */
export type VitalRow = Readonly<Record<Vital, number>>

/** What is counted, at one moment. */
export interface Reading {
  readonly stats: CacheStats
  /** Of all answers, and of the event loop. */
  readonly times: HistogramSnapshot
  /** The same by category of size, in the order of `CATEGORIES`, of those whose size is known. */
  readonly bySize: readonly HistogramSnapshot[]
  readonly loopDelay: HistogramSnapshot | undefined
}

const ANSWERING: ReadonlySet<string> = new Set(['fetch', 'get', 'getSync'])
const CALLED: readonly string[] = ['fetch', 'get', 'set', 'delete']
const MS = 1e6
/** Of fewer times a percentile says little. */
const LEAST_TIMES = 20

export function readingOf(
  stats: CacheStats,
  latencies: readonly LatencySeries[],
  loopDelay: HistogramSnapshot | undefined,
): Reading {
  const answering = latencies.filter(({ operation }) => ANSWERING.has(operation))
  const bySize = CATEGORIES.map((category) =>
    merge(answering.filter(({ size }) => size === category).map((one) => one.times)),
  )
  return { stats, times: merge(answering.map((one) => one.times)), bySize, loopDelay }
}

/** Answers of all outcomes. */
export function answersOf({ hits, misses, joined, revalidated, stale }: CacheStats): number {
  return hits + misses + joined + revalidated + stale
}

/** What happened from `before` to `now`, in so many milliseconds. */
export function vitalsBetween(now: Reading, before: Reading, ms: number): VitalRow {
  const [a, b] = [now.stats, before.stats]
  const answers = answersOf(a) - answersOf(b)
  const failed = failures(a) - failures(b)
  const since = (read: (stats: CacheStats) => number): number => read(a) - read(b)
  const rate = (read: (stats: CacheStats) => number): number => (since(read) / ms) * 1000
  const ofTiers = (read: (tier: CacheStats['tiers'][number]) => number | undefined): number =>
    since(({ tiers }) => tiers.reduce((sum, tier) => sum + (read(tier) ?? 0), 0))
  const uses = a.tiers.filter(({ segments }) => segments !== undefined).map(share)
  return {
    requests: (answers / ms) * 1000,
    hitRatio: ratio(answers - since(({ misses }) => misses), answers),
    p99: p99(now.times, before.times),
    errors: ratio(failed, answers + failed),
    bytesOut: rate((stats) => stats.bytesOut),
    bytesIn: rate((stats) => stats.bytesIn),
    fills: rate((stats) => stats.fills),
    evictions: (ofTiers((tier) => tier.evictions) / ms) * 1000,
    dropped: ofTiers((tier) => tier.dropped),
    corruptions: ofTiers((tier) => tier.corrupt),
    diskErrors: ofTiers((tier) => tier.diskErrors),
    roomRefusals: ofTiers((tier) => tier.roomRefusals),
    diskShort: most(a.tiers.map(shortage)),
    pressure: a.pressure?.ratio ?? Number.NaN,
    memory: a.tiers[0] === undefined ? Number.NaN : share(a.tiers[0]),
    disk: most(uses),
    loopDelay: now.loopDelay === undefined ? Number.NaN : p99(now.loopDelay, before.loopDelay),
  }
}

function failures({ metrics: { errors } }: CacheStats): number {
  let sum = 0
  for (const call of CALLED) for (const count of Object.values(errors[call] ?? {})) sum += count
  return sum
}

/** The part of its bound for which the disk has no room. */
function shortage({ bytes, maxBytes, roomBytes }: CacheStats['tiers'][number]): number {
  return roomBytes === undefined ? Number.NaN : Math.max(0, ratio(maxBytes - bytes - roomBytes, maxBytes))
}

/** The greatest of those that are known. */
function most(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value))
  return known.length === 0 ? Number.NaN : Math.max(...known)
}

/** The part of its bound that a tier uses. */
export function share({ bytes, maxBytes }: CacheStats['tiers'][number]): number {
  return ratio(bytes, maxBytes)
}

/** NaN of nothing. */
export function ratio(part: number, whole: number): number {
  return whole > 0 ? part / whole : Number.NaN
}

function p99(now: HistogramSnapshot, before: HistogramSnapshot | undefined): number {
  const between = subtract(now, before)
  return between.count < LEAST_TIMES ? Number.NaN : quantile(between, 0.99) / MS
}
