import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createCacheWith } from '../../../../lib/cache/create.js'
import {
  type Advice,
  BufferPool,
  type Cache,
  type CacheOptions,
  ClosedError,
  createCache,
  fileStore,
  memoryStore,
  notFound,
  notModified,
  nullStore,
  type Recommendation,
  type Store,
} from '../../../../lib/index.js'
import { diskAdvice } from '../../../../lib/metrics/advice/disk.js'
import { poolAdvice } from '../../../../lib/metrics/advice/pool.js'
import type { AdvisedTier } from '../../../../lib/metrics/advice/tiers.js'
import { FakeClock } from '../../../helpers/clock.js'
import { noise, randomOf, tooMany, zipfOf } from './workloads.js'

const advised = ({ recommendations }: Advice): Recommendation[] =>
  recommendations.filter(({ level }) => level === 'advice')

async function rig(options: CacheOptions = {}): Promise<{ cache: Cache; clock: FakeClock }> {
  const clock = new FakeClock()
  const tiers = [memoryStore({ maxBytes: '4MiB' })]
  return { cache: await createCacheWith({ tiers, ...options }, { clock }), clock }
}

function memoryStoreOfOwn(): Store {
  const { keeps: _, ...store } = nullStore()
  return { ...store, name: 'mine' }
}

function fails(): never {
  throw new Error('no stats')
}

describe('lifetimes', () => {
  /** Asks for 50 keys, one each 10 ms; says the calls of the origin for each request. */
  async function ask(one: Awaited<ReturnType<typeof rig>>, seed: number, changes: boolean): Promise<number> {
    const drawn = zipfOf(50, 0.5, randomOf(seed))
    let calls = 0
    const requests = 2000
    for (let at = 0; at < requests; at += 1) {
      one.clock.advance(10)
      await one.cache.fetch(`page ${drawn()}`, ({ meta }) => {
        calls += 1
        return meta === undefined || changes ? { body: `${calls}`, etag: '"e"' } : notModified()
      })
    }
    return calls / requests
  }

  test('what is confirmed nearly always may live longer, and then the origin is spared as many calls as was said', async () => {
    const one = await rig({ freshness: { ttl: '1s' } })
    const measured = await ask(one, 1, false)
    const [recommendation, ...others] = advised(await one.cache.advice())
    expect(others).toEqual([])
    expect(recommendation).toMatchObject({
      id: 'ttl',
      tier: undefined,
      change: { option: 'freshness.ttl', from: 1000, to: 4000, live: true },
    })
    const { now, then } = recommendation!.gain!
    expect(now / measured).toBeGreaterThan(0.8)
    expect(now / measured).toBeLessThan(1.2)
    // What is confirmed lives for as long as it did before: entries that come have the new lifetime.
    await one.cache.configure({ freshness: { ttl: 4000 } })
    await one.cache.clear()
    await ask(one, 2, false)
    const got = await ask(one, 3, false)
    expect(got / then).toBeGreaterThan(0.8)
    expect(got / then).toBeLessThan(1.2)
    await one.cache.close()
  })

  test('what has changed nearly always may not', async () => {
    const one = await rig({ freshness: { ttl: '1s' } })
    await ask(one, 1, true)
    expect(advised(await one.cache.advice())).toEqual([])
    await one.cache.close()
  })

  test('where somebody else says how long, no option is named', async () => {
    const one = await rig({ freshness: { ttl: '1h' } })
    for (let at = 0; at < 2000; at += 1) {
      one.clock.advance(10)
      await one.cache.fetch(`page ${at % 50}`, ({ meta }) =>
        meta === undefined ? { body: 'x', ttl: 1000 } : notModified({ ttl: 1000 }),
      )
    }
    const [recommendation] = advised(await one.cache.advice())
    expect(recommendation).toMatchObject({ id: 'ttl', change: undefined })
    expect(recommendation!.message).toContain('the origin, or who calls fetch, says them')
    await one.cache.close()
  })

  test('what is asked for again and is not there, still', async () => {
    const { cache, clock } = await rig({ freshness: { negativeTtl: '1s' } })
    for (let at = 0; at < 2000; at += 1) {
      clock.advance(10)
      await cache.fetch(`missing ${at % 20}`, () => notFound())
    }
    expect(advised(await cache.advice())).toMatchObject([
      { id: 'ttl', change: { option: 'freshness.negativeTtl', from: 1000, to: 4000 } },
    ])
    await cache.close()
  })
})

describe('memory', () => {
  test('half of it, where that answers as much', async () => {
    const cache = await createCache({ tiers: [memoryStore({ maxBytes: '8MiB', policy: 'lru' })] })
    const value = Buffer.alloc(20_000)
    // A few keys that are asked for all the time, and as many once.
    for (let at = 0; at < 3000; at += 1) {
      await cache.fetch(at % 2 === 0 ? `hot ${at % 40}` : `cold ${at}`, () => ({ body: value }))
    }
    const [recommendation] = advised(await cache.advice())
    expect(recommendation).toMatchObject({
      id: 'memory',
      change: { option: 'tiers.0.maxBytes', from: 8 * 2 ** 20, to: 4 * 2 ** 20 },
    })
    const { now, then } = recommendation!.gain!
    expect(now - then).toBeLessThanOrEqual(0.002)
    await cache.close()
  })

  test('nothing is said of one that never was full, nor after a few requests', async () => {
    const cache = await createCache({ tiers: [memoryStore({ maxBytes: '1MiB' })] })
    const workload = tooMany(1000, 1)
    for (let at = 0; at < 500; at += 1) await cache.fetch(workload(), () => ({ body: Buffer.alloc(4000) }))
    expect(advised(await cache.advice())).toEqual([])
    await cache.close()
  })

  test('nothing is said of a policy that is none of drey s', async () => {
    const keys = new Set<string>()
    const policy = {
      add: (key: string) => void keys.add(key),
      touch: () => undefined,
      remove: (key: string) => void keys.delete(key),
      evict: () => [keys.values().next().value!],
    }
    const cache = await createCache({ tiers: [memoryStore({ maxBytes: '1MiB', policy })] })
    const workload = tooMany(1000, 1)
    for (let at = 0; at < 2500; at += 1) await cache.fetch(workload(), () => ({ body: Buffer.alloc(4000) }))
    expect(advised(await cache.advice())).toEqual([])
    await cache.close()
  })
})

describe('compression', () => {
  test.each([
    ['text', (at: number) => Buffer.from(`line ${at}\n`.repeat(2000)), true],
    ['noise', () => noise(20_000), false],
  ])('%s on a disk', async (_, value, pays) => {
    const dir = mkdtempSync(join(tmpdir(), 'advice-'))
    const file = fileStore({ dir, maxBytes: '32MiB', minFree: 0 })
    const cache = await createCache({ tiers: [file] })
    for (let at = 0; at < 20; at += 1) await cache.set(`${at}`, value(at))
    const found = advised(await cache.advice())
    if (pays) {
      expect(found).toMatchObject([
        {
          id: 'compression',
          tier: 'file',
          evidence: { values: 16 },
          change: { option: 'tiers.0.compression', from: 'none', to: 'lz4', live: true },
        },
      ])
      const { then } = found[0]!.gain!
      await cache.configure({ tiers: [{ compression: 'lz4' }] })
      let [raw, stored] = [0, 0]
      for (let at = 0; at < 20; at += 1) {
        await cache.set(`${at}`, value(at))
        const { size, compression } = (await cache.stat(`${at}`))!
        raw += size
        stored += compression!.storedSize
      }
      expect(stored / raw / then).toBeGreaterThan(0.8)
      expect(stored / raw / then).toBeLessThan(1.2)
    } else expect(found).toEqual([])
    await cache.close()
  })
})

describe('classes of the buffer pool', () => {
  const SIZES = [70_000, 75_000, 80_000]

  async function used(classes?: number[]): Promise<ReturnType<BufferPool['stats']>> {
    const pool = new BufferPool({ maxBytes: '16MiB', ...(classes === undefined ? {} : { classes }) })
    for (let at = 0; at < 1500; at += 1) pool.put(pool.get(SIZES[at % SIZES.length]!))
    const stats = pool.stats()
    await pool.close()
    return stats
  }

  test('nearer to what is asked for, and then as much of what is lent is used as was said, or more', async () => {
    const stats = await used()
    const [recommendation] = poolAdvice(stats)
    expect(recommendation).toMatchObject({
      id: 'pool-classes',
      change: { option: 'bufferPool.classes', live: false },
    })
    const { now, then } = recommendation!.gain!
    expect(now).toBe(stats.efficiency)
    expect(then - now).toBeGreaterThan(0.1)
    const after = await used(recommendation!.change!.to as number[])
    expect(after.efficiency).toBeGreaterThanOrEqual(then)
    expect(after.efficiency / then).toBeLessThan(1.2)
    expect(poolAdvice(after)).toEqual([])
  })

  test('what was asked for is counted once', async () => {
    const { classes } = await used()
    for (const { gets, asked, classBytes } of classes) {
      expect(asked.reduce((sum, one) => sum + one.gets, 0)).toBe(gets)
      for (const { atMost } of asked) expect(atMost).toBeLessThanOrEqual(classBytes)
    }
  })

  test('nothing after a few gets, nor without a pool', () => {
    expect(poolAdvice(undefined)).toEqual([])
    expect(poolAdvice({ enabled: true, classes: [] } as never)).toEqual([])
  })
})

describe('an index that is full before the disk is', () => {
  const tier = (indexBytes: number, bytes: number): AdvisedTier =>
    ({
      place: 1,
      name: 'file',
      stats: { entries: 9, bytes, maxBytes: 1000, indexBytes, evictions: 5 },
      facts: { maxIndexBytes: 100 },
    }) as never

  test.each([
    [100, 200, 500],
    [96, 500, 200],
  ])('%d of 100 bytes with %d of 1000', (indexBytes, bytes, to) => {
    expect(diskAdvice([tier(indexBytes, bytes)])).toMatchObject([
      { id: 'disk', tier: 'file', change: { option: 'tiers.1.maxIndexBytes', from: 100, to } },
    ])
  })

  test('else nothing', () => {
    expect(diskAdvice([tier(50, 200), tier(100, 950)])).toEqual([])
  })
})

describe('asking for advice', () => {
  test('one search for all who ask, and what it found for a while, until options become others', async () => {
    const { cache, clock } = await rig()
    const [one, other] = await Promise.all([cache.advice(), cache.advice()])
    expect(other).toBe(one)
    expect(await cache.advice()).toBe(one)
    expect(one).toMatchObject({ at: clock.now(), requests: 0 })
    clock.advance(10_000)
    const later = await cache.advice()
    expect(later).not.toBe(one)
    await cache.configure({ freshness: { ttl: '1m' } })
    expect(await cache.advice()).not.toBe(later)
    await cache.close()
    expect(clock.pending).toBe(0)
    await expect(cache.advice()).rejects.toThrow(ClosedError)
  })

  test('a cache that is closed meanwhile says so', async () => {
    const { cache, clock } = await rig()
    const asked = cache.advice()
    const refused = expect(asked).rejects.toThrow(ClosedError)
    await cache.close()
    await refused
    expect(clock.pending).toBe(0)
  })

  test('a store of your own that does not say how it is costs nothing but the advice', async () => {
    const store = { ...memoryStoreOfOwn(), stats: () => fails() }
    const cache = await createCache({ tiers: [store], metrics: { trace: 1024 } })
    for (let at = 0; at < 1100; at += 1) await cache.fetch(`${at}`, () => ({ body: 'x' }))
    await expect(cache.advice()).rejects.toThrow('no stats')
    await cache.close()
  })

  test.each([false, { trace: 0 }])(
    'with metrics %o nothing is recorded, and the rest is said nevertheless',
    async (metrics) => {
      const { cache } = await rig({ metrics })
      for (let at = 0; at < 20; at += 1) await cache.fetch('a', () => ({ body: 'x' }))
      expect(await cache.advice()).toMatchObject({ requests: 0, recommendations: expect.any(Array) })
      await cache.close()
    },
  )

  test('a disk that hangs keeps nobody waiting', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'advice-'))
    const file = fileStore({ dir, maxBytes: '32MiB', minFree: 0 })
    const clock = new FakeClock()
    const cache = await createCacheWith({ tiers: [file], pressure: false }, { clock })
    await cache.set('a', noise(1000))
    let end: () => void = () => undefined
    const hangs = new Promise<void>((resolve) => {
      end = resolve
    })
    const entries = file.entries.bind(file)
    let asked: () => void = () => undefined
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve
    })
    file.entries = async function* () {
      asked()
      await hangs
      yield* entries()
    }
    const advice = cache.advice()
    await isAsked
    clock.advance(5000)
    expect(advised(await advice)).toEqual([])
    end()
    await cache.close()
  })
})
