import { expect, test } from 'vitest'
import { randomFrom } from '../../bench/shared/random.mjs'
import { shuffled, zipf } from '../../bench/start/zipf.mjs'

test('ranks are drawn in proportion to 1 / rank^exponent', () => {
  const count = 50
  const draws = 200_000
  for (const exponent of [0.6, 0.99, 1.2]) {
    const draw = zipf(count, exponent, randomFrom(7))
    const seen = new Array<number>(count).fill(0)
    for (let at = 0; at < draws; at += 1) seen[draw()]! += 1
    const weights = seen.map((_, index) => (index + 1) ** -exponent)
    const sum = weights.reduce((total, weight) => total + weight, 0)
    for (const index of [0, 1, 4, 20, 49]) {
      const expected = (draws * weights[index]!) / sum
      // Five standard deviations of a count: a seed is as good as another.
      expect(Math.abs(seen[index]! - expected)).toBeLessThan(5 * Math.sqrt(expected))
    }
  }
})

test('the ends of the range belong to the first and the last rank', () => {
  expect(zipf(1000, 0.99, () => 0)()).toBe(0)
  expect(zipf(1000, 0.99, () => 1 - 2 ** -32)()).toBe(999)
  expect(zipf(1, 0.99, () => 0.5)()).toBe(0)
})

test('a count that is none is refused', () => {
  for (const count of [0, -1, 1.5, Number.NaN])
    expect(() => zipf(count, 1, () => 0)).toThrow(/want 1 or more/)
})

test('the same seed gives the same draws, another seed others', () => {
  const draws = (seed: number): number[] => {
    const draw = zipf(10_000, 0.99, randomFrom(seed))
    return Array.from({ length: 100 }, draw)
  }
  expect(draws(3)).toEqual(draws(3))
  expect(draws(3)).not.toEqual(draws(4))
})

test('random numbers lie from 0 to below 1 and fill it evenly', () => {
  const random = randomFrom(1)
  const buckets = new Array<number>(16).fill(0)
  let lowest = 1
  let highest = 0
  for (let at = 0; at < 160_000; at += 1) {
    const drawn = random()
    lowest = Math.min(lowest, drawn)
    highest = Math.max(highest, drawn)
    buckets[Math.floor(drawn * 16)]! += 1
  }
  expect(lowest).toBeGreaterThanOrEqual(0)
  expect(highest).toBeLessThan(1)
  for (const bucket of buckets) expect(Math.abs(bucket - 10_000)).toBeLessThan(5 * Math.sqrt(10_000))
})

test('shuffling keeps the items, leaves the list given as it was, and mixes', () => {
  const items = Array.from({ length: 500 }, (_, at) => at)
  const mixed = shuffled(items, randomFrom(9))
  expect([...mixed].sort((a, b) => a - b)).toEqual(items)
  expect(items[0]).toBe(0)
  expect(mixed).toEqual(shuffled(items, randomFrom(9)))
  expect(mixed.filter((item, at) => item === at).length).toBeLessThan(10)
})
