import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createCacheWith } from '../../../lib/cache/create.js'
import {
  createPressure,
  type Found,
  memoryPressure,
  memoryStore,
  type PressureState,
} from '../../../lib/index.js'
import { PATIENCE } from '../../../lib/resilience/pressure/level.js'
import { patterned } from '../../helpers/bodies.js'
import { FakeClock } from '../../helpers/clock.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { turns, until } from '../../helpers/gate.js'
import { found, rigOver } from '../../helpers/rig.js'

const MiB = 2 ** 20

afterEach(() => {
  vi.restoreAllMocks()
})

function injected() {
  const given = { ratio: 0 }
  const clock = new FakeClock()
  const source = { name: 'injected', ratio: () => given.ratio }
  const pressure = createPressure({ source }, { clock, monotonic: () => 0 })
  const become = (ratio: number): void => {
    given.ratio = ratio
    pressure.sample()
  }
  return { pressure, clock, given, become }
}

const sizes = [0, 1, 900, 5000, 20_000, 70_000, 300_000]
const bodyAt = (at: number): Buffer => patterned(sizes[at % sizes.length]! + (at % 13))

/** As a client would: whole bodies and streams, of 300 keys, compared with what they should be. */
async function request(
  cache: { fetch: (key: string, f: () => unknown) => Promise<Found> },
  at: number,
): Promise<void> {
  const key = at % 300
  const body = bodyAt(key)
  const answer = await cache.fetch(`k${key}`, () => ({
    body:
      key % 3 === 0
        ? Readable.from([body.subarray(0, body.length >> 1), body.subarray(body.length >> 1)])
        : body,
  }))
  const bytes = await found(answer).bytes()
  if (!body.equals(bytes)) throw new Error(`k${key}: wrong bytes`)
}

describe('a memory store under a cache', () => {
  test('shrinks when memory is short, fails no request meanwhile, and grows back', async () => {
    const { pressure, become, given, clock } = injected()
    const store = memoryStore({ maxBytes: 24 * MiB, maxItemBytes: 4 * MiB, policy: 'lru' })
    const { cache } = await rigOver(store, { pressure })
    const heard: PressureState[] = []
    cache.on('pressure', (state) => heard.push(state))

    const wave = async (from: number): Promise<void> => {
      const asked = Array.from({ length: 300 }, (_, at) => request(cache as never, from + at * 7))
      await Promise.all(asked)
    }
    await wave(0)
    await wave(1)
    const before = store.stats().bytes
    expect(before).toBeGreaterThan(10 * MiB)

    // In the middle of the requests.
    const during = wave(2)
    await turn()
    become(0.97)
    await during
    await until(() => store.stats().bytes <= 0.2 * 24 * MiB, 'the store has given way')
    for (let round = 0; round < 3; round += 1) {
      await wave(round)
      expect(store.stats().bytes).toBeLessThanOrEqual(0.2 * 24 * MiB)
    }
    expect(cache.stats().tiers[0]!).toMatchObject({ maxBytes: 24 * MiB, failures: 0, pinnedBytes: 0 })

    given.ratio = 0.1
    clock.advance(100 * PATIENCE * 4 + 1000)
    await wave(0)
    await wave(1)
    expect(store.stats().bytes).toBeGreaterThan(10 * MiB)
    expect(heard.map(({ level, factor, source }) => [level, factor, source])).toEqual([
      ['critical', 0.2, 'injected'],
      ['high', 0.5, 'injected'],
      ['normal', 0.7, 'injected'],
      ['low', 0.9, 'injected'],
      ['none', 1, 'injected'],
    ])
    expect(cache.stats().tiers[0]!.failures).toBe(0)
  })

  test('begins small when memory is short already', async () => {
    const { pressure, become } = injected()
    become(0.96)
    const store = memoryStore({ maxBytes: 16 * MiB, policy: 'fifo' })
    const { cache } = await rigOver(store, { pressure })
    for (let at = 0; at < 300; at += 1) await cache.set(`k${at}`, patterned(30_000))
    expect(store.stats().bytes).toBeLessThanOrEqual(0.2 * 16 * MiB)
    expect(store.stats().bytes).toBeGreaterThan(2 * MiB)
  })
})

describe('the detector', () => {
  test('is that of the thread unless told otherwise, for as long as the cache is open', async () => {
    const clock = new FakeClock()
    const cache = await createCacheWith({}, { clock })
    const others = await createCacheWith({ pressure: true }, { clock })
    expect(memoryPressure().stats().subscribers).toBe(2)
    await cache.close()
    await cache.close()
    expect(memoryPressure().stats().subscribers).toBe(1)
    await others.close()
    expect(memoryPressure().stats().subscribers).toBe(0)
  })

  test('is not asked for where pressure is false', async () => {
    const cache = await createCacheWith({ pressure: false }, { clock: new FakeClock() })
    expect(memoryPressure().stats().subscribers).toBe(0)
    await cache.close()
  })

  test("is the cache's own when options are given, and gone with it", async () => {
    const set = vi.spyOn(globalThis, 'setTimeout')
    const cleared = vi.spyOn(globalThis, 'clearTimeout')
    const store = memoryStore({ maxBytes: 16 * MiB })
    const cache = await createCacheWith(
      {
        tiers: [store],
        pressure: { source: { name: 'mine', ratio: () => 0.85 }, interval: { tense: '77ms' } },
      },
      { clock: new FakeClock() },
    )
    const mine = set.mock.calls.findIndex(([, ms]) => ms === 77)
    expect(mine).toBeGreaterThanOrEqual(0)
    for (let at = 0; at < 500; at += 1) await cache.set(`k${at}`, patterned(40_000))
    expect(store.stats().bytes).toBeLessThanOrEqual(0.7 * 16 * MiB)
    await cache.close()
    expect(cleared.mock.calls.map(([timer]) => timer)).toContain(set.mock.results[mine]!.value)
  })

  test('does not outlive a store that fails to open', async () => {
    const { pressure } = injected()
    const store = new DistantStore({})
    store.fail('open')
    await expect(createCacheWith({ tiers: [store], pressure }, { clock: new FakeClock() })).rejects.toThrow(
      'injected: open',
    )
    expect(pressure.stats().subscribers).toBe(0)
  })

  test.each([
    [1, /^pressure: got 1; want true or false, options such as/],
    ['on', /^pressure: got "on"; want true or false/],
    [null, /^pressure: got null; want true or false/],
    [{ rssLimit: 5 }, /^pressure\.rssLimit: got 5; want at least 1 MiB/],
    [{ thresholds: { low: 2 } }, /^pressure\.thresholds\.low: got 2; /],
    [{ level: 3 }, /^pressure\.level: no such option; there are/],
  ])('is refused when it is %j', async (pressure, message) => {
    const options = { pressure } as never
    await expect(createCacheWith(options, { clock: new FakeClock() })).rejects.toThrow(message)
  })
})

test('a store that cannot give way is left alone, and the event is told', async () => {
  const { pressure, become } = injected()
  const { cache } = await rigOver(new DistantStore({}), { pressure })
  const heard: string[] = []
  cache.on('pressure', ({ level }) => heard.push(level))
  become(0.8)
  expect(heard).toEqual([])
  await turns()
  expect(heard).toEqual(['normal'])
  expect(cache.stats().tiers[0]!.failures).toBe(0)
})

test('a store that fails to give way costs nobody an answer, and is counted', async () => {
  const { pressure, become } = injected()
  const store = Object.assign(new DistantStore({}), {
    pressure: () => {
      throw new Error('not now')
    },
  })
  const { cache } = await rigOver(store, { pressure })
  become(0.99)
  await cache.set('k', 'v')
  expect(await found(await cache.get('k')).text()).toBe('v')
  expect(cache.stats().tiers[0]!.failures).toBe(1)
})

test('nothing is told after close', async () => {
  const { pressure, become, clock } = injected()
  const { cache } = await rigOver(memoryStore({ maxBytes: MiB }), { pressure })
  const heard: string[] = []
  cache.on('pressure', ({ level }) => heard.push(level))
  await cache.close()
  become(0.99)
  await turns()
  expect([heard, clock.pending]).toEqual([[], 0])
})
