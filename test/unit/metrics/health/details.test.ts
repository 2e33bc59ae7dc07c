import { expect, test } from 'vitest'
import { MOST_TIERS } from '../../../../lib/metrics/health/details.js'
import { columnsOf, valuesBetween } from '../../../../lib/metrics/health/history.js'
import { readingOf } from '../../../../lib/metrics/health/vitals.js'
import { sourceOf } from '../../../../lib/metrics/source.js'
import { found, rig } from '../../../helpers/rig.js'

test('the course of each tier and size is kept', async () => {
  const { cache, clock } = await rig('tiers', { metrics: { sampling: 1 } })
  const source = sourceOf(cache, 'cache')
  const read = (): ReturnType<typeof readingOf> =>
    readingOf(cache.stats(), source.latencies(), source.runtime()?.loopDelay)
  const before = read()
  await cache.set('small', 'x')
  await cache.set('large', Buffer.alloc(300_000))
  for (let i = 0; i < 3; i += 1) cache.getSync('small')
  await found(await cache.get('large')).bytes()
  await cache.get('none')
  const columns = columnsOf(before)
  const values = valuesBetween(read(), before, 1000)
  const of = (name: string): number => values[columns.indexOf(name)]!
  expect(values).toHaveLength(columns.length)
  expect([of('requests'), of('hitRatio'), of('hits 0'), of('hits 1')]).toEqual([5, 0.8, 0.8, 0])
  expect([of('p50 small'), of('p99 large')]).toEqual([expect.any(Number), expect.any(Number)])
  expect([of('p50 medium'), of('p99 veryLarge')]).toEqual([Number.NaN, Number.NaN])
  expect(of('used 0')).toBeGreaterThan(0)
  clock.advance(10_000)
  const [line] = source.monitor.lines(600_000)
  expect(line!.values).toHaveLength(columns.length)
  expect(line!.values[columns.indexOf('hits 0')]).toBeCloseTo(0.8)
  expect(source.monitor.newest(600_000)).toBe(line!.at)
})

test('of many tiers the first ones have a course', async () => {
  const { cache } = await rig('memory')
  const stats = cache.stats()
  const reading = readingOf({ ...stats, tiers: Array(9).fill(stats.tiers[0]!) }, [], undefined)
  expect(columnsOf(reading).filter((name) => name.startsWith('used'))).toHaveLength(MOST_TIERS)
})
