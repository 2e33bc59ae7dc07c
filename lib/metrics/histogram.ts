/*
 * A histogram of times that is cheap enough to be written to on a hot path, and exact enough to be believed.
 *
 * Log-linear, as HdrHistogram (Tene, 2012): between a power of two and the next lie 16 buckets of equal width, below 16 each whole number has its
 * own. A bucket is at most a sixteenth as wide as its least value, and stands for its middle: what is read from it differs from what was recorded by a
 * thirty-second at most, `RELATIVE_ERROR`, or by half a nanosecond. Values from 0 to 2^44 ns (4.9 hours) take 656 buckets, which is all the memory
 * there is: 5.1 KiB, however much is recorded.
 */

const SUB_BITS = 4
const SUB_BUCKETS = 2 ** SUB_BITS
const TOP_BITS = 44
const BUCKETS = (TOP_BITS - SUB_BITS + 1) * SUB_BUCKETS

/** From there on a value is no 31-bit integer, which is what shifting works on. */
const WIDE = 2 ** 31
const WIDE_SHIFT = 20

/** By which part of it at most a quantile differs from the value that was recorded, from 16 ns on. */
export const RELATIVE_ERROR = 1 / (2 * SUB_BUCKETS)

/** The largest time that is told from larger ones, in nanoseconds. */
export const LARGEST = 2 ** TOP_BITS - 1

/** What was recorded up to a moment. Two of one histogram can be subtracted. */
export interface HistogramSnapshot {
  readonly count: number
  /** Of all values, in nanoseconds. */
  readonly sum: number
  /** The largest value, in nanoseconds; of a difference, the end of the last bucket that has any. */
  readonly max: number
  /** Values by bucket, up to the last that has any. */
  readonly buckets: Float64Array
}

const NOTHING: HistogramSnapshot = { count: 0, sum: 0, max: 0, buckets: new Float64Array(0) }

/** The bucket of `ns`. What is no time counts as 0, and what is longer than `LARGEST` as that. */
export function bucketOf(ns: number): number {
  if (ns < WIDE) {
    const whole = ns > 0 ? ns | 0 : 0
    if (whole < SUB_BUCKETS) return whole
    const shift = 31 - SUB_BITS - Math.clz32(whole)
    return (shift << SUB_BITS) + (whole >> shift)
  }
  if (!(ns <= LARGEST)) return ns > LARGEST ? BUCKETS - 1 : 0
  const scaled = Math.floor(ns / 2 ** WIDE_SHIFT)
  const shift = 31 - SUB_BITS - Math.clz32(scaled)
  return ((shift + WIDE_SHIFT) << SUB_BITS) + (scaled >> shift)
}

/** The least value of bucket `at`, in nanoseconds. */
export function startOf(at: number): number {
  if (at < 2 * SUB_BUCKETS) return at
  const shift = (at >> SUB_BITS) - 1
  return (SUB_BUCKETS + (at & (SUB_BUCKETS - 1))) * 2 ** shift
}

/** Invariant: `#count` is the sum of `#buckets`, which are whole numbers and never fall. */
export class Histogram {
  readonly #buckets = new Float64Array(BUCKETS)
  #count = 0
  #sum = 0
  #max = 0

  get count(): number {
    return this.#count
  }

  /** Allocates nothing. */
  record(ns: number): void {
    const at = bucketOf(ns)
    this.#buckets[at]! += 1
    this.#count += 1
    if (!(ns > 0)) return
    this.#sum += ns
    if (ns > this.#max) this.#max = ns
  }

  snapshot(): HistogramSnapshot {
    return { count: this.#count, sum: this.#sum, max: this.#max, buckets: trimmed(this.#buckets) }
  }
}

function trimmed(buckets: Float64Array): Float64Array {
  let length = buckets.length
  while (length > 0 && buckets[length - 1] === 0) length -= 1
  return buckets.slice(0, length)
}

/** What was recorded between two snapshots of one histogram. Without an earlier one: all. */
export function subtract(
  later: HistogramSnapshot,
  earlier: HistogramSnapshot | undefined,
): HistogramSnapshot {
  if (earlier === undefined || earlier.count === 0) return later
  const buckets = later.buckets.slice()
  for (let at = 0; at < earlier.buckets.length; at += 1) buckets[at]! -= earlier.buckets[at]!
  const left = trimmed(buckets)
  const count = later.count - earlier.count
  if (count === 0) return NOTHING
  // The largest one ever may have come before: its bucket says whether it did.
  const max = Math.min(later.max, startOf(left.length))
  return { count, sum: later.sum - earlier.sum, max, buckets: left }
}

/** What was recorded in all of `all` together. */
export function merge(all: readonly HistogramSnapshot[]): HistogramSnapshot {
  if (all.length === 1) return all[0]!
  const buckets = new Float64Array(Math.max(0, ...all.map((one) => one.buckets.length)))
  let [count, sum, max] = [0, 0, 0]
  for (const one of all) {
    count += one.count
    sum += one.sum
    max = Math.max(max, one.max)
    for (let at = 0; at < one.buckets.length; at += 1) buckets[at]! += one.buckets[at]!
  }
  return { count, sum, max, buckets }
}

/**
 * The value, in nanoseconds, that the part `q` of all values does not pass (nearest rank), off by `RELATIVE_ERROR` at most; 0 while there are none.
 * `q` is 0 to 1.
 */
export function quantile({ count, max, buckets }: HistogramSnapshot, q: number): number {
  if (count === 0) return 0
  const rank = Math.max(1, Math.ceil(q * count))
  let seen = 0
  for (let at = 0; at < buckets.length; at += 1) {
    seen += buckets[at]!
    if (seen >= rank) return Math.min(max, (startOf(at) + startOf(at + 1)) / 2)
  }
  return max
}

/**
 * How many values were less than each of `bounds`, which rise, in nanoseconds. A bound counts as the nearest border of a bucket: it is off by a
 * thirty-second at most.
 */
export function countsBelow({ buckets }: HistogramSnapshot, bounds: readonly number[]): number[] {
  const counts: number[] = []
  let at = 0
  let seen = 0
  for (const bound of bounds) {
    // The border nearest to it.
    for (; at < buckets.length && (startOf(at) + startOf(at + 1)) / 2 <= bound; at += 1) seen += buckets[at]!
    counts.push(seen)
  }
  return counts
}

/** The times that people look for, in milliseconds. `mean` is exact, the others as `quantile` says. */
export interface LatencySummary {
  /** Times that were taken: of the operations, those that were sampled. */
  readonly count: number
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  /** Exact. */
  readonly max: number
}

const MS = 1e6

export function summaryOf(snapshot: HistogramSnapshot): LatencySummary {
  const at = (q: number): number => quantile(snapshot, q) / MS
  return {
    count: snapshot.count,
    mean: snapshot.count === 0 ? 0 : snapshot.sum / snapshot.count / MS,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    max: snapshot.max / MS,
  }
}
