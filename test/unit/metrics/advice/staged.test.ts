import { describe, expect, test } from 'vitest'
import { type Cache, createCache, memoryStore, type Recommendation } from '../../../../lib/index.js'
import { ask, noise, scanPolluted, tooMany } from './workloads.js'

const VALUE = Buffer.alloc(4000, 1)
const fetcher = (): { body: Buffer } => ({ body: VALUE })
const REQUESTS = 5000

/** The first of them: what costs least comes first. */
function first(found: readonly Recommendation[]): Recommendation {
  const [one] = found.filter(({ level }) => level === 'advice')
  expect(one).toBeDefined()
  return one!
}

/** Does what is recommended of the tier. */
async function apply(cache: Cache, { change }: Recommendation): Promise<void> {
  expect(change!.live).toBe(true)
  const [, option = ''] = /^tiers\.0\.(\w+)$/.exec(change!.option) ?? []
  await cache.configure({ tiers: [{ [option]: change!.to }] })
}

function expectWithinAFifth(got: number, promised: number): void {
  expect(got).toBeGreaterThan(0.8 * promised)
  expect(got).toBeLessThan(1.2 * promised)
}

describe('what is recommended comes true', () => {
  test('of a cache that a scan goes through: another policy', async () => {
    const cache = await createCache({ tiers: [memoryStore({ maxBytes: '2MiB', policy: 'lru' })] })
    const workload = scanPolluted(600, 1)
    await ask(cache, workload, REQUESTS, fetcher)
    const { recommendations, requests } = await cache.advice()
    const recommendation = first(recommendations)
    expect(recommendation).toMatchObject({
      id: 'policy',
      tier: 'memory',
      change: { option: 'tiers.0.policy', from: 'lru' },
    })
    expect(requests).toBeGreaterThanOrEqual(REQUESTS)
    await apply(cache, recommendation)
    await ask(cache, workload, REQUESTS / 2, fetcher)
    const { now, then } = recommendation.gain!
    const got = await ask(cache, workload, REQUESTS, fetcher)
    expect(then).toBeGreaterThan(now + 0.03)
    expectWithinAFifth(got, then)
    await cache.close()
  })

  test('of a cache that is too small: more memory', async () => {
    const cache = await createCache({ tiers: [memoryStore({ maxBytes: '1MiB' })] })
    const workload = tooMany(1000, 1)
    await ask(cache, workload, REQUESTS, fetcher)
    const recommendation = first((await cache.advice()).recommendations)
    expect(recommendation).toMatchObject({
      id: 'memory',
      tier: 'memory',
      change: { option: 'tiers.0.maxBytes', from: 2 ** 20 },
    })
    expect(recommendation.change!.to).toBeGreaterThan(2 ** 20)
    await apply(cache, recommendation)
    await ask(cache, workload, REQUESTS / 2, fetcher)
    const { now, then } = recommendation.gain!
    const got = await ask(cache, workload, REQUESTS, fetcher)
    expect(then).toBeGreaterThan(now + 0.1)
    expectWithinAFifth(got, then)
    await cache.close()
  })

  test('of bodies that do not get smaller: no compression', async () => {
    const cache = await createCache({ tiers: [memoryStore({ maxBytes: '8MiB', compression: 'lz4' })] })
    const write = async (): Promise<number> => {
      const before = cache.stats().tiers[0]!.compression!
      for (let at = 0; at < 60; at += 1) await cache.set(`${at}`, noise(40_000))
      const after = cache.stats().tiers[0]!.compression!
      return (after.unpaid - before.unpaid) / 60
    }
    const measured = await write()
    const recommendation = first((await cache.advice()).recommendations)
    expect(recommendation).toMatchObject({
      id: 'compression',
      tier: 'memory',
      change: { option: 'tiers.0.compression', from: 'lz4', to: 'none' },
    })
    expectWithinAFifth(measured, recommendation.gain!.now)
    await apply(cache, recommendation)
    expect(await write()).toBe(recommendation.gain!.then)
    await cache.close()
  })

  test('of a cache that does as well as it can: nothing', async () => {
    const cache = await createCache({ tiers: [memoryStore({ maxBytes: '4MiB' })] })
    await ask(cache, tooMany(200, 1), REQUESTS, fetcher)
    expect((await cache.advice()).recommendations.filter(({ level }) => level === 'advice')).toEqual([])
    await cache.close()
  })
})
