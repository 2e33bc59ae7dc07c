import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bucketOf,
  countsBelow,
  Histogram,
  type HistogramSnapshot,
  LARGEST,
  merge,
  quantile,
  RELATIVE_ERROR,
  startOf,
  subtract,
  summaryOf,
} from '../../../lib/metrics/histogram.js'

/** Times of every magnitude, in nanoseconds, with fractions. */
const time = fc
  .tuple(fc.double({ min: 0, max: 44, noNaN: true }), fc.boolean())
  .map(([power, whole]) => Math.min(LARGEST, whole ? Math.floor(2 ** power) : 2 ** power - 1))
const times = fc.array(time, { minLength: 1, maxLength: 300 })
const part = fc.double({ min: 0, max: 1, noNaN: true })

function histogramOf(values: readonly number[]): Histogram {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram
}

/** The nearest rank of a sorted array: what the histogram comes near to. */
function exact(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1]!
}

const margin = (value: number): number => Math.max(0.5, value * RELATIVE_ERROR) * (1 + 1e-9)

function expectSame(one: HistogramSnapshot, other: HistogramSnapshot): void {
  expect(one.count).toBe(other.count)
  expect([...one.buckets]).toEqual([...other.buckets])
  expect(Math.abs(one.sum - other.sum)).toBeLessThanOrEqual(other.sum * 1e-9)
}

describe('buckets', () => {
  test('are numbered without a gap, and each value lies in its own', () => {
    for (let at = 0; at < 656; at += 1) {
      expect(bucketOf(startOf(at))).toBe(at)
      expect(startOf(at + 1)).toBeGreaterThan(startOf(at))
      if (startOf(at + 1) - startOf(at) > 1) expect(bucketOf(startOf(at + 1) - 1)).toBe(at)
    }
  })

  test('a value lies in its bucket', () => {
    fc.assert(
      fc.property(time, (value) => {
        const at = bucketOf(value)
        expect(startOf(at)).toBeLessThanOrEqual(value)
        expect(startOf(at + 1)).toBeGreaterThan(value)
      }),
    )
  })

  test.each([
    [-1, 0],
    [Number.NaN, 0],
    [Number.NEGATIVE_INFINITY, 0],
    [LARGEST, bucketOf(LARGEST)],
    [LARGEST + 1, bucketOf(LARGEST)],
    [Number.POSITIVE_INFINITY, bucketOf(LARGEST)],
  ])('%s, which is no time or too long, lies in one of them', (value, at) => {
    expect(bucketOf(value)).toBe(at)
  })
})

describe('a histogram', () => {
  test('gives quantiles as a sorted array does, but for the error that it states', () => {
    fc.assert(
      fc.property(times, part, (values, q) => {
        const snapshot = histogramOf(values).snapshot()
        const want = exact(values, q)
        expect(Math.abs(quantile(snapshot, q) - want)).toBeLessThanOrEqual(margin(want))
      }),
    )
  })

  test('counts, adds up and keeps the largest exactly', () => {
    fc.assert(
      fc.property(times, (values) => {
        const { count, sum, max } = histogramOf(values).snapshot()
        expect(count).toBe(values.length)
        expect(max).toBe(Math.max(...values))
        const total = values.reduce((before, value) => before + value, 0)
        expect(Math.abs(sum - total)).toBeLessThanOrEqual(total * 1e-9)
      }),
    )
  })

  test('what came later is the difference of two snapshots', () => {
    fc.assert(
      fc.property(times, times, (before, after) => {
        const histogram = histogramOf(before)
        const first = histogram.snapshot()
        for (const value of after) histogram.record(value)
        const between = subtract(histogram.snapshot(), first)
        expect(between.count).toBe(after.length)
        expect([...between.buckets]).toEqual([...histogramOf(after).snapshot().buckets])
        const most = Math.max(...after)
        expect(between.max).toBeGreaterThanOrEqual(most)
        expect(between.max).toBeLessThanOrEqual(Math.max(1, most + 1, most * (1 + 2 * RELATIVE_ERROR)))
      }),
    )
  })

  test('several are one by addition', () => {
    fc.assert(
      fc.property(fc.array(times, { minLength: 1, maxLength: 4 }), (all) => {
        expectSame(
          merge(all.map((values) => histogramOf(values).snapshot())),
          histogramOf(all.flat()).snapshot(),
        )
      }),
    )
  })

  test('counts below bounds as a sorted array does, for bounds moved by the error that it states', () => {
    fc.assert(
      fc.property(times, fc.array(time, { minLength: 1, maxLength: 12 }), (values, given) => {
        const bounds = [...given].sort((a, b) => a - b)
        const counts = countsBelow(histogramOf(values).snapshot(), bounds)
        for (const [at, bound] of bounds.entries()) {
          const below = (limit: number): number => values.filter((value) => value < limit).length
          expect(counts[at]).toBeGreaterThanOrEqual(below(bound - 2 * margin(bound)))
          expect(counts[at]).toBeLessThanOrEqual(below(bound + 2 * margin(bound) + 1))
        }
      }),
    )
  })

  test('a snapshot stays what it was', () => {
    const histogram = histogramOf([5])
    const before = histogram.snapshot()
    histogram.record(5)
    expect(before.count).toBe(1)
    expect(before.buckets[5]).toBe(1)
    expect(subtract(before, before)).toMatchObject({ count: 0, sum: 0, max: 0 })
  })

  test('without values all is 0; times are said in milliseconds', () => {
    expect(summaryOf(new Histogram().snapshot())).toEqual({
      count: 0,
      mean: 0,
      p50: 0,
      p90: 0,
      p99: 0,
      p999: 0,
      max: 0,
    })
    const { count, mean, max } = summaryOf(histogramOf([1e6, 3e6]).snapshot())
    expect({ count, mean, max }).toEqual({ count: 2, mean: 2, max: 3 })
  })
})
