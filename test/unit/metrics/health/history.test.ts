import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CacheStats } from '../../../../lib/cache/cache.js'
import { metricsHistory, metricsSlope } from '../../../../lib/index.js'
import { History, leastSquares, RESOLUTIONS } from '../../../../lib/metrics/health/history.js'
import { readingOf } from '../../../../lib/metrics/health/vitals.js'
import { rig } from '../../../helpers/rig.js'

const SECOND = 1000
const HOUR = 3_600_000
const DAY = 24 * HOUR

/** So many answers so far, of which so many are hits. */
function counted(hits: number, misses: number): ReturnType<typeof readingOf> {
  const stats = {
    ...{ hits, misses, joined: 0, revalidated: 0, stale: 0, bytesIn: 0, bytesOut: 0, fills: misses },
    ...{ tiers: [], pressure: undefined, metrics: { errors: {} } },
  }
  return readingOf(stats as unknown as CacheStats, [], undefined)
}

test('a line is found again, whatever lies on it', () => {
  fc.assert(
    fc.property(
      fc.double({ min: -1e3, max: 1e3, noNaN: true }),
      fc.double({ min: -1e3, max: 1e3, noNaN: true }),
      fc.uniqueArray(fc.integer({ min: -1000, max: 1000 }), { minLength: 3, maxLength: 20 }),
      (slope, offset, xs) => {
        const found = leastSquares(
          xs,
          xs.map((x) => offset + slope * x),
        )
        expect(Math.abs(found - slope)).toBeLessThan(1e-6)
      },
    ),
  )
  expect([leastSquares([1, 2], [1, 2]), leastSquares([1, 1, 1], [1, 2, 3])]).toEqual([Number.NaN, Number.NaN])
})

test('thirty days and more are kept in bounded memory, the finer the younger', () => {
  const history = new History(0, counted(0, 0))
  let at = 0
  while (at < 31 * DAY) {
    at += at < 30.5 * DAY ? 600 * SECOND : 10 * SECOND
    history.add(at, counted((9 * at) / 10_000, at / 10_000))
  }
  expect(history.memoryBytes).toBeLessThanOrEqual(520 * 1024)
  for (const { every, rows } of RESOLUTIONS) {
    const kept = history.rows(at, every * rows)
    expect(kept).toHaveLength(rows)
    expect(kept.at(-1)!.at).toBe(at)
    expect(kept[1]!.at - kept[0]!.at).toBe(every)
    for (const row of [kept[0]!, kept.at(-1)!]) {
      expect(row.hitRatio).toBeCloseTo(0.9)
      expect(row.requests).toBeCloseTo(1)
    }
  }
  expect(history.mean('hitRatio', at, HOUR)).toBeCloseTo(0.9)
  expect(history.slope('hitRatio', at, HOUR)).toBeCloseTo(0)
})

test('windows in which nothing was asked say nothing of ratios', () => {
  const history = new History(0, counted(5, 5))
  history.add(10 * SECOND, counted(5, 5))
  history.add(20 * SECOND, counted(10, 5))
  const rows = history.rows(20 * SECOND, 600 * SECOND)
  expect(rows.map(({ hitRatio }) => hitRatio)).toEqual([Number.NaN, 1])
  expect(history.mean('hitRatio', 20 * SECOND, 600 * SECOND)).toBe(1)
})

describe('of a cache', () => {
  test('the clock fills it, and nothing is left when the cache is closed', async () => {
    const { cache, clock } = await rig('memory')
    await cache.set('a', '1')
    for (let window = 1; window <= 4; window += 1) {
      for (let i = 0; i < 10; i += 1) cache.getSync(i < 2 * window ? 'a' : 'b')
      clock.advance(10 * SECOND)
    }
    const rows = metricsHistory(cache, '10m')
    expect(rows.map(({ requests }) => requests)).toEqual([1, 1, 1, 1])
    expect(rows.map(({ hitRatio }) => Math.round(hitRatio * 10))).toEqual([2, 4, 6, 8])
    // 0.2 in 10 s.
    expect(metricsSlope(cache, 'hitRatio', '10m')).toBeCloseTo(72, 3)
    await cache.close()
    expect(clock.pending).toBe(0)
  })

  test('off, it costs no timer and says nothing', async () => {
    const { cache, clock } = await rig('memory', { metrics: false })
    expect(clock.pending).toBe(0)
    clock.advance(60 * SECOND)
    expect([metricsHistory(cache, '10m'), metricsSlope(cache, 'p99', '10m')]).toEqual([[], Number.NaN])
    expect(() => metricsSlope(cache, 'p9' as never, '10m')).toThrow(/vital: got "p9"; want one of requests/)
    expect(() => metricsHistory(cache, 0)).toThrow(/span: got 0; want/)
  })
})
