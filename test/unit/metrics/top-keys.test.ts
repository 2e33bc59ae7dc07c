import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HALF_LIFE_MS, SLOTS, TopKeys } from '../../../lib/metrics/top-keys.js'
import { FakeClock } from '../../helpers/clock.js'
import { rig } from '../../helpers/rig.js'

describe('the keys that are asked for most', () => {
  test('are found whatever else is asked for, and none is said to be asked for more than it was', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 60 })), {
          maxLength: 60,
        }),
        fc.integer({ min: 0, max: 600 }),
        (hot, cold) => {
          const top = new TopKeys(new FakeClock())
          const counts = new Map<string, number>()
          const see = (key: string): void => {
            counts.set(key, (counts.get(key) ?? 0) + 1)
            top.see(key, 10)
          }
          let scanned = 0
          for (const [key, times] of hot) {
            for (let i = 0; i < times; i += 1) see(`hot ${key}`)
            // A scan between, of keys that come once.
            for (let i = 0; i < cold / 10; i += 1) see(`cold ${scanned++}`)
          }
          const found = new Map(top.top(SLOTS).map(({ key, requests }) => [key, requests]))
          const all = Array.from(counts.values()).reduce((sum, count) => sum + count, 0)
          for (const [key, count] of counts) {
            expect(found.get(key) ?? 0).toBeLessThanOrEqual(count)
            if (count > all / SLOTS) expect(found.has(key), `${key}, ${count} of ${all}`).toBe(true)
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  test('stand for as many as are not sampled, the first the most', () => {
    const top = new TopKeys(new FakeClock(), 64)
    for (let i = 0; i < 3; i += 1) top.see('a', 100)
    top.see('b', 1000)
    expect(top.top(2)).toEqual([
      { key: 'a', requests: 192, bytes: 19_200 },
      { key: 'b', requests: 64, bytes: 64_000 },
    ])
    expect(top.top(1)).toHaveLength(1)
  })

  test('take bounded memory, however many keys there are and however long', () => {
    const top = new TopKeys(new FakeClock())
    for (let i = 0; i < 5000; i += 1) top.see(`key ${i}`, 1)
    expect(top.top(Number.MAX_SAFE_INTEGER).length).toBeLessThanOrEqual(SLOTS)
    top.see('x'.repeat(2000), 1)
    expect(top.top(SLOTS).some(({ key }) => key.length > 1000)).toBe(false)
  })

  test('leave when nobody asks for them any more', () => {
    const clock = new FakeClock()
    const top = new TopKeys(clock)
    for (let i = 0; i < 100; i += 1) top.see('yesterday', 1)
    clock.advance(HALF_LIFE_MS)
    expect(top.top(1)).toEqual([{ key: 'yesterday', requests: 50, bytes: 50 }])
    clock.advance(2 * HALF_LIFE_MS)
    for (let i = 0; i < 20; i += 1) top.see('today', 1)
    expect(top.top(2).map(({ key }) => key)).toEqual(['today', 'yesterday'])
    clock.advance(200 * HALF_LIFE_MS)
    expect(top.top(2)).toEqual([])
  })
})

describe('of a cache', () => {
  test('answers are counted, by whichever call; writes are not', async () => {
    const { cache } = await rig('memory', { metrics: { sampling: 1 } })
    await cache.set('a', 'four')
    await cache.set('b', 'four')
    cache.getSync('a')
    await cache.get('a')
    await cache.fetch('a', () => ({ body: 'never' }))
    await cache.fetch('new', () => ({ body: 'fetched' }))
    await cache.get('none')
    expect(cache.topKeys()).toEqual([
      { key: 'a', requests: 3, bytes: 12 },
      { key: 'new', requests: 1, bytes: expect.any(Number) },
      { key: 'none', requests: 1, bytes: 0 },
    ])
    expect(cache.topKeys(1)).toHaveLength(1)
  })

  test('there are none where nothing is measured', async () => {
    const { cache } = await rig('memory', { metrics: false })
    await cache.set('a', '1')
    cache.getSync('a')
    expect(cache.topKeys()).toEqual([])
  })

  test.each([0, -1, 1.5, SLOTS + 1, Number.NaN, '3' as unknown as number])(
    '%s is no number of keys',
    async (n) => {
      const { cache } = await rig('memory')
      expect(() => cache.topKeys(n)).toThrow(
        expect.objectContaining({ code: 'ERR_DREY_CONFIG', message: expect.stringContaining('1 to 256') }),
      )
    },
  )
})
