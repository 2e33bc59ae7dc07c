import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCacheWith } from '../../../lib/cache/create.js'
import {
  type Cache,
  type CacheStats,
  memoryStore,
  metricsDifference,
  metricsLatency,
  metricsSnapshot,
  metricsTotal,
  notFound,
  notModified,
} from '../../../lib/index.js'
import { FakeClock } from '../../helpers/clock.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { found, overStores, rig, rigOverTiers, settled, upToDate } from '../../helpers/rig.js'

const timesOf = (stats: CacheStats, operation: string): unknown[] =>
  stats.metrics.latency
    .filter((one) => one.operation === operation)
    .map(({ outcome, tier, size, count }) => ({ outcome, tier, size, count }))

overStores((kind) => {
  test('each answer is counted once, by tier or by none, whatever is asked', async () => {
    const step = fc.oneof(
      fc.record({ call: fc.constant('set'), key: fc.constantFrom('a', 'b') }),
      fc.record({ call: fc.constant('get'), key: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ call: fc.constant('getSync'), key: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ call: fc.constant('fetch'), key: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ call: fc.constant('none'), key: fc.constantFrom('a', 'c') }),
      fc.record({ call: fc.constant('delete'), key: fc.constantFrom('a', 'b') }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const { cache } = await rig(kind, { metrics: { sampling: 1 } })
        let [answers, read] = [0, 0]
        for (const { call, key } of steps) {
          if (call === 'set') await cache.set(key, 'value')
          else if (call === 'delete') await cache.delete(key)
          else if (call === 'getSync') {
            read += cache.getSync(key)?.value.length ?? 0
            // A tier that answers later has nothing at hand, and is not asked.
            if (kind !== 'distant') answers += 1
          } else {
            const given = call === 'none' ? notFound() : { body: 'fetched' }
            const answer = call === 'get' ? await cache.get(key) : await cache.fetch(key, () => given)
            if (answer?.status === 'ok') read += (await answer.bytes()).length
            answers += 1
          }
        }
        const stats = cache.stats()
        const counted = stats.hits + stats.misses + stats.joined + stats.revalidated + stats.stale
        expect(counted).toBe(answers)
        expect(stats.bytesOut).toBe(read)
        const ofTiers = stats.tiers.reduce((sum, { answers: of }) => sum + of.bytesOut, 0)
        expect(ofTiers).toBeLessThanOrEqual(read)
        const snapshot = metricsSnapshot(cache)
        expect(metricsTotal(snapshot, 'answers_total')).toBe(answers)
        expect(metricsTotal(snapshot, 'answers_total', { outcome: 'miss' })).toBe(stats.misses)
        expect(metricsTotal(snapshot, 'read_bytes_total')).toBe(read)
        expect(metricsTotal(snapshot, 'negative_answers_total')).toBe(stats.negative)
        await cache.close()
      }),
      { numRuns: 25 },
    )
  })

  test('bytes that came, were set, were kept and went out', async () => {
    const one = await rig(kind)
    const { cache } = one
    const large = Buffer.alloc(200_000, 1)
    await cache.set('set', Buffer.alloc(1000))
    expect(await found(await cache.fetch('fetched', () => ({ body: large }))).bytes()).toHaveLength(200_000)
    await settled(one)
    await upToDate(one)
    const part = found(await cache.get('fetched')).stream({ start: 0, end: 99 })
    for await (const _ of part);
    const { bytesIn, bytesSet, bytesOut, tiers } = cache.stats()
    expect({ bytesIn, bytesSet, bytesOut }).toEqual({ bytesIn: 200_000, bytesSet: 1000, bytesOut: 200_100 })
    expect(tiers[0]!.answers.bytesOut).toBe(100)
    for (const { stores, storedBytes } of tiers) {
      expect({ stores, storedBytes }).toEqual({ stores: 2, storedBytes: 201_000 })
    }
  })
})

describe('times', () => {
  test('are those of the clock, by what was done and what came of it', async () => {
    const { cache, clock } = await rig('memory', { metrics: { sampling: 1 } })
    const later = async (): Promise<{ body: Buffer; ttl: string }> => {
      clock.advance(250)
      return { body: Buffer.alloc(100_000), ttl: '1s' }
    }
    found(await cache.fetch('a', later)).close()
    found(await cache.fetch('a', later)).close()
    clock.advance(2000)
    found(await cache.fetch('a', () => notModified())).close()
    await cache.fetch('b', () => Promise.reject(new Error('down'))).catch(() => undefined)
    await cache.set('s', 'small')
    cache.getSync('s')
    cache.getSync('nothing')
    await cache.delete('s')
    const stats = cache.stats()
    expect(timesOf(stats, 'fetch')).toEqual([
      { outcome: 'hit', tier: 'memory', size: 'medium', count: 1 },
      { outcome: 'miss', tier: 'none', size: 'medium', count: 1 },
      { outcome: 'revalidated', tier: 'memory', size: 'medium', count: 1 },
      { outcome: 'error', tier: 'none', size: 'unknown', count: 1 },
    ])
    expect(timesOf(stats, 'set')).toEqual([{ outcome: 'done', tier: 'none', size: 'small', count: 1 }])
    expect(timesOf(stats, 'getSync')).toEqual([
      { outcome: 'hit', tier: 'memory', size: 'small', count: 1 },
      { outcome: 'miss', tier: 'none', size: 'unknown', count: 1 },
    ])
    expect(timesOf(stats, 'delete')).toEqual([{ outcome: 'done', tier: 'none', size: 'unknown', count: 1 }])
    const miss = stats.metrics.latency.find(
      ({ operation, outcome }) => operation === 'fetch' && outcome === 'miss',
    )!
    expect(miss.max).toBe(250)
    expect(Math.abs(miss.p50 - 250)).toBeLessThanOrEqual(250 / 32)
    const first = stats.metrics.latency.find(({ operation }) => operation === 'firstByte')!
    expect(first.max).toBe(250)
  })

  test('of lookups are those of each tier, those below the first always', async () => {
    const below = new DistantStore({ maxBytes: 2 ** 26, maxItemBytes: 2 ** 20 })
    const one = await rigOverTiers(memoryStore({ maxBytes: '8MiB' }), below, {
      metrics: { sampling: 1_000_000 },
    })
    await one.cache.set('a', 'value')
    await upToDate(one)
    for (const key of ['a', 'b', 'c']) await one.cache.get(key)
    const [first, second] = one.cache.stats().tiers
    expect(first!.lookups).toEqual({ hits: 1, misses: 2 })
    expect(second!.lookups).toEqual({ hits: 0, misses: 2 })
    expect(timesOf(one.cache.stats(), 'lookup')).toContainEqual({
      outcome: 'miss',
      tier: below.name,
      size: 'unknown',
      count: 2,
    })
  })

  test('are taken of one in so many calls, about', async () => {
    const { cache } = await rig('memory', { metrics: { sampling: 10 } })
    for (let count = 0; count < 20_000; count += 1) cache.getSync('nothing')
    const [{ count }] = timesOf(cache.stats(), 'getSync') as [{ count: number }]
    // The sum of 2000 draws from 1 to 19: more than ten deviations away, either way.
    expect(count).toBeGreaterThan(1700)
    expect(count).toBeLessThan(2400)
  })

  test('are not taken when metrics are off: no clock is read for a hit, and what is counted still is', async () => {
    let reads = 0
    class CountedClock extends FakeClock {
      override monotonic(): number {
        reads += 1
        return super.monotonic()
      }
    }
    const clock = new CountedClock()
    const make = async (metrics: boolean | { sampling: number }): Promise<Cache> =>
      createCacheWith({ tiers: [memoryStore({ maxBytes: '8MiB' })], pressure: false, metrics }, { clock })
    const counted = async (metrics: boolean | { sampling: number }): Promise<[number, CacheStats]> => {
      const cache = await make(metrics)
      await cache.set('a', 'value')
      const before = reads
      for (let count = 0; count < 100; count += 1) {
        cache.getSync('a')
        found(await cache.fetch('a', () => Promise.reject(new Error('not asked'))))
      }
      const during = reads - before
      await cache.get(' '.repeat(40_000)).catch(() => undefined)
      const stats = cache.stats()
      await cache.close()
      return [during, stats]
    }
    const [none, off] = await counted(false)
    expect(none).toBe(0)
    expect(off.metrics).toEqual({ enabled: false, sampling: 64, latency: [], errors: {}, runtime: undefined })
    expect(off.hits).toBe(200)
    expect(off.tiers[0]!.lookups.hits).toBe(200)
    const [all, on] = await counted({ sampling: 1 })
    expect(all).toBeGreaterThanOrEqual(800)
    expect(on.metrics.errors).toEqual({ get: { ERR_DREY_KEY: 1 } })
  })
})

describe('errors', () => {
  test('are counted by what was called, and by code', async () => {
    const { cache } = await rig('memory', { metrics: { sampling: 1000 } })
    const failed = (call: Promise<unknown>): Promise<unknown> => call.catch(() => undefined)
    await failed(cache.fetch('', () => notFound()))
    await failed(cache.fetch('k', () => Promise.reject(new Error('down'))))
    await failed(cache.set('k', 7 as never))
    const answer = found(await cache.fetch('t', () => ({ body: breaking(), size: 200_000 })))
    await failed(answer.bytes())
    await failed(answer.bytes())
    expect(cache.stats().metrics.errors).toEqual({
      fetch: { ERR_DREY_KEY: 1, ERR_DREY_ORIGIN: 1 },
      fill: { ERR_DREY_ORIGIN: 1, ERR_DREY_TRUNCATED: 1 },
      set: { ERR_DREY_CONFIG: 1 },
      body: { ERR_DREY_TRUNCATED: 1 },
    })
  })
})

async function* breaking(): AsyncGenerator<Buffer> {
  yield Buffer.alloc(1000)
  throw new Error('broke off')
}

describe('snapshots', () => {
  test('of two moments give what happened between', async () => {
    const { cache, clock } = await rig('memory', { metrics: { sampling: 1 } })
    await cache.set('a', 'value')
    for (let count = 0; count < 5; count += 1) cache.getSync('a')
    const before = metricsSnapshot(cache)
    clock.advance(1000)
    for (let count = 0; count < 3; count += 1) cache.getSync('a')
    cache.getSync('b')
    await cache.set('b', 'other')
    const between = metricsDifference(metricsSnapshot(cache), before)
    expect(between.duration).toBe(1000)
    expect(metricsTotal(between, 'answers_total', { outcome: 'hit' })).toBe(3)
    expect(metricsTotal(between, 'answers_total', { outcome: 'miss' })).toBe(1)
    expect(metricsTotal(between, 'answers_total', { outcome: 'stale' })).toBe(0)
    // A gauge is as it is now.
    expect(metricsTotal(between, 'tier_entries')).toBe(2)
    const filter = { operation: 'getSync', outcome: 'hit' }
    expect(metricsLatency(between, 'operation_duration_seconds', filter).count).toBe(3)
    expect(metricsLatency(between, 'operation_duration_seconds', { operation: 'fill' }).count).toBe(0)
  })

  test('have counters that never fall', async () => {
    const one = await rig('tiers', { metrics: { sampling: 1 } })
    const { cache } = one
    let before = metricsSnapshot(cache)
    for (let round = 0; round < 20; round += 1) {
      await cache.fetch(`k${round % 7}`, () => ({ body: 'x'.repeat(round * 100) }))
      if (round % 5 === 0) await cache.clear()
      if (round % 3 === 0) await cache.delete('k1')
      const now = metricsSnapshot(cache)
      const fallen = metricsDifference(now, before).series.filter(
        ({ kind, value }) => kind === 'counter' && (value as number) < 0,
      )
      expect(fallen).toEqual([])
      before = now
    }
    await upToDate(one)
  })
})

test.each([
  [{ metrics: 'on' }, /^metrics: got "on"; want true, false, or options such as { sampling: 10 }/],
  [{ metrics: { sampling: 0 } }, /^metrics.sampling: got 0/],
  [
    { metrics: { interval: '1ms' } },
    /^metrics.interval: got "1ms"; want milliseconds or text such as "20ms", 5 ms to 10 s/,
  ],
  [{ metrics: { every: 1 } }, /^metrics.every: no such option; there are enabled, sampling, interval/],
])('options that are wrong are refused: %o', async (options, message) => {
  const problem = await createCacheWith(options as never, { clock: new FakeClock() }).catch(
    (error: Error) => error.message,
  )
  expect(problem).toMatch(message)
})
