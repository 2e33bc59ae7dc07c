import { CATEGORIES } from '../../buffers/strategy.js'
import { type HistogramSnapshot, quantile, subtract } from '../histogram.js'
import { answersOf, type Reading, ratio, share } from './vitals.js'

/*
 * What is kept of each window of time beside the vitals: figures of parts, for pictures. No rule looks at them.
 */

/** Tiers whose course is kept: the first ones. */
export const MOST_TIERS = 4

/** Percentiles that are kept of each category of size. */
export const PERCENTILES = { p50: 0.5, p99: 0.99 } as const

const MS = 1e6

/**
 * Names of the details of a cache with so many tiers: `filling`, fills under way at the window's end; `p50 small` and the like, percentiles of how
 * long answers of that size took, in milliseconds, of those that were timed, however few; `hits 0`, the share of the answers that came from the
 * tier at that place; `used 0`, the part of its bound that it used at the window's end.
 */
export function detailNames(tiers: number): readonly string[] {
  const places = Array.from({ length: Math.min(tiers, MOST_TIERS) }, (_, place) => place)
  return [
    'filling',
    ...CATEGORIES.flatMap((category) => Object.keys(PERCENTILES).map((name) => `${name} ${category}`)),
    ...places.flatMap((place) => [`hits ${place}`, `used ${place}`]),
  ]
}

/** The details of what happened from `before` to `now`, in the order of `detailNames`. NaN where nothing says one. */
export function detailsBetween(now: Reading, before: Reading): number[] {
  const answers = answersOf(now.stats) - answersOf(before.stats)
  const details = [now.stats.filling]
  for (const at of CATEGORIES.keys()) {
    const times = subtract(now.bySize[at]!, before.bySize[at])
    for (const q of Object.values(PERCENTILES)) details.push(percentile(times, q))
  }
  for (const [place, tier] of now.stats.tiers.slice(0, MOST_TIERS).entries()) {
    const was = before.stats.tiers[place]
    details.push(ratio(answered(tier) - (was === undefined ? 0 : answered(was)), answers), share(tier))
  }
  return details
}

function answered({ answers }: Reading['stats']['tiers'][number]): number {
  return answers.hits + answers.joined + answers.revalidated + answers.stale
}

function percentile(times: HistogramSnapshot, q: number): number {
  return times.count === 0 ? Number.NaN : quantile(times, q) / MS
}
