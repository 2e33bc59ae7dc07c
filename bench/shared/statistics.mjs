/*
 * The few statistics that the benches print. Figures on a shared machine are skewed by neighbours, always towards
 * slower; so medians and percentiles, never means.
 */

const ascending = (a, b) => a - b

/**
 * The value that a share `p` (0 to 1) of `values` does not exceed, by the nearest rank: always one of the values.
 *
 * @param {ArrayLike<number>} values in any order
 * @param {number} p
 * @returns {number} NaN when there are none
 */
export function percentile(values, p) {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`percentile: p is ${p}; want 0 to 1`)
  const sorted = Float64Array.from(values).sort(ascending)
  if (sorted.length === 0) return Number.NaN
  const rank = Math.max(1, Math.ceil(p * sorted.length))
  return sorted[rank - 1]
}

/**
 * The middle of `values`, or the mean of the two in the middle.
 *
 * @param {ArrayLike<number>} values in any order
 * @returns {number} NaN when there are none
 */
export function median(values) {
  const sorted = Float64Array.from(values).sort(ascending)
  const half = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

/**
 * How far apart the repetitions lie: the distance of smallest and largest as a share of their median.
 *
 * @param {ArrayLike<number>} values
 * @returns {number}
 */
export function spread(values) {
  const sorted = Float64Array.from(values).sort(ascending)
  return (sorted[sorted.length - 1] - sorted[0]) / median(sorted)
}
