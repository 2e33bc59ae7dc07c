import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { nativeStatus } from '../../../lib/native/loader.js'
import type { EvictionPolicy } from '../../../lib/policy/policy.js'
import { memoryStore } from '../../../lib/store/memory/index.js'
import type { MemoryStore } from '../../../lib/store/memory/memory-store.js'
import type { Draft, StoredEntry } from '../../../lib/store/store.js'
import { bytesOf, expectBytes, keysOf, mustPut, put, readValue } from '../../conformance/store-kit.js'

/*
 * A memory store that is asked to use a part of its bound: the same on both engines.
 */

const MiB = 2 ** 20
const stores: MemoryStore[] = []

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
})

function make(options: Parameters<typeof memoryStore>[0], onEvict?: (key: string) => void): MemoryStore {
  const store = memoryStore(options)
  store.open({
    now: () => 1_700_000_000_000,
    onEvict: onEvict ?? (() => undefined),
    hearsEvictions: () => onEvict !== undefined,
  })
  stores.push(store)
  return store
}

const keyAt = (at: number): string => `key ${at}`

async function fill(store: MemoryStore, count: number, size = 10_000): Promise<void> {
  for (let at = 0; at < count; at += 1) await mustPut(store, keyAt(at), bytesOf(size, at))
}

/** Turns of the loop until the store holds at most `bytes`; how many. */
async function until(store: MemoryStore, bytes: number): Promise<number> {
  let count = 0
  for (; store.stats().bytes > bytes; count += 1) await turn()
  return count
}

describe('under pressure', () => {
  test('it gives way to a part of its bound, and keeps what the policy would keep, whole', async () => {
    const store = make({ maxBytes: 16 * MiB, policy: 'lru' })
    await fill(store, 1400)
    for (let at = 0; at < 60; at += 1) (store.find(keyAt(at)) as StoredEntry).release()
    store.pressure!(0.2)
    await until(store, 0.2 * 16 * MiB)
    const { entries, maxBytes, maxItemBytes, pinnedBytes } = store.stats()
    expect([maxBytes, maxItemBytes, pinnedBytes]).toEqual([16 * MiB, 2 * MiB, 0])
    expect(entries).toBeGreaterThan(150)
    const kept = new Set(await keysOf(store))
    for (let at = 0; at < 60; at += 1) expect(kept.has(keyAt(at)), keyAt(at)).toBe(true)
    for (const key of kept) {
      expectBytes(await readValue(store, key), bytesOf(10_000, Number(key.slice(4))))
    }
  })

  test('it keeps to it, and takes what comes', async () => {
    const store = make({ maxBytes: 16 * MiB })
    store.pressure!(0.5)
    for (let at = 0; at < 1500; at += 1) {
      await mustPut(store, keyAt(at), bytesOf((at * 7919) % 40_000, at))
      expect(store.stats().bytes).toBeLessThanOrEqual(8 * MiB)
    }
    expect(store.stats().bytes).toBeGreaterThan(6 * MiB)
  })

  test('it grows back when that is over, without losing anything', async () => {
    const store = make({ maxBytes: 16 * MiB, policy: 'fifo' })
    await fill(store, 1400)
    store.pressure!(0.2)
    await until(store, 0.2 * 16 * MiB)
    const { entries } = store.stats()
    const kept = await keysOf(store)
    for (const factor of [0.5, 0.7, 0.9, 1]) store.pressure!(factor)
    await turn()
    expect(store.stats().entries).toBe(entries)
    for (let at = 0; at < 900; at += 1) await mustPut(store, `new ${at}`, bytesOf(10_000, at))
    expect(store.stats().entries).toBe(entries + 900)
    for (const key of kept) expectBytes(await readValue(store, key), bytesOf(10_000, Number(key.slice(4))))
  })

  test('another wish in the middle of it counts from then on', async () => {
    const store = make({ maxBytes: 32 * MiB, policy: 'fifo' })
    await fill(store, 2500)
    store.pressure!(0.2)
    store.pressure!(1)
    await turn()
    await turn()
    for (let at = 0; at < 500; at += 1) await mustPut(store, `new ${at}`, bytesOf(10_000, at))
    expect(store.stats().bytes).toBeGreaterThan(8 * MiB)
    store.pressure!(0.9)
    store.pressure!(0.5)
    await until(store, 16 * MiB)
  })

  test('evictions are told, and who hears of them may use the store', async () => {
    const told: string[] = []
    const store = make({ maxBytes: 8 * MiB, policy: 'fifo' }, (key) => {
      told.push(key)
      store.delete(keyAt(599))
    })
    await fill(store, 600)
    store.pressure!(0.2)
    await until(store, 0.2 * 8 * MiB)
    await turn()
    const { entries, evictions } = store.stats()
    expect(told).toEqual(Array.from({ length: evictions }, (_, at) => keyAt(at)))
    expect(entries + evictions).toBe(599)
  })

  test('what is read or filled stays, and counts; it leaves when it is let go', async () => {
    const store = make({ maxBytes: 16 * MiB, maxItemBytes: 8 * MiB, policy: 'lru' })
    await mustPut(store, 'read', bytesOf(3 * MiB, 'read'))
    const reading = store.find('read') as StoredEntry
    const draft = store.draft('filled', undefined) as Draft
    expect(draft.write(bytesOf(MiB, 'filled'))).toBe(true)
    await fill(store, 100)
    store.pressure!(0.2)
    for (let at = 0; at < 50; at += 1) await turn()
    expect(await keysOf(store)).toEqual(['read'])
    expect(await put(store, 'new', bytesOf(100_000, 'new'))).toBe(false)
    const copy = Buffer.alloc(3 * MiB)
    for (let at = 0; at < copy.length; ) {
      at += (await reading.read(copy.subarray(at), at)) || copy.length
    }
    expectBytes(copy, bytesOf(3 * MiB, 'read'))
    reading.release()
    draft.abort()
    await mustPut(store, 'new', bytesOf(100_000, 'new'))
    expect(store.stats().bytes).toBeLessThanOrEqual(0.2 * 16 * MiB)
  })

  test('a bound that is configured meanwhile is for both', async () => {
    const store = make({ maxBytes: 16 * MiB, policy: 'lru' })
    await fill(store, 1400)
    store.pressure!(0.5)
    await until(store, 8 * MiB)
    store.configure({ maxBytes: 8 * MiB }).apply()
    expect(store.stats().bytes).toBeLessThanOrEqual(4 * MiB)
    expect(store.stats().maxBytes).toBe(8 * MiB)
    store.configure({ maxBytes: 24 * MiB, policy: 'sieve' }).apply()
    await fill(store, 2000)
    expect(store.stats().bytes).toBeLessThanOrEqual(12 * MiB)
    expect(store.stats().bytes).toBeGreaterThan(10 * MiB)
    store.pressure!(1)
    await fill(store, 2000)
    expect(store.stats().bytes).toBeGreaterThan(19 * MiB)
  })

  test('a small store keeps 1 MiB, below which there would be none', async () => {
    const store = make({ maxBytes: 2 * MiB })
    store.pressure!(0.2)
    await fill(store, 200, 4000)
    expect(store.stats().bytes).toBeLessThanOrEqual(MiB)
    expect(store.stats().entries).toBeGreaterThan(150)
  })

  test('it closes in the middle of it', async () => {
    const store = make({ maxBytes: 64 * MiB, policy: 'fifo' })
    for (let at = 0; at < 50_000; at += 1) await mustPut(store, keyAt(at), Buffer.alloc(200, at))
    store.pressure!(0.1)
    await store.close()
    store.pressure!(1)
    for (let at = 0; at < 5; at += 1) await turn()
    expect(store.stats().entries).toBe(0)
  })
})

test('of a store that several have open by its name the smallest part counts, until who wanted it has closed', async () => {
  const [one, two] = [0, 1].map(() => make({ name: 'pressed', maxBytes: 16 * MiB, policy: 'fifo' })) as [
    MemoryStore,
    MemoryStore,
  ]
  // The js engine has a memory for each.
  const shared = nativeStatus().loaded
  one.pressure!(0.5)
  two.pressure!(0.9)
  await fill(two, 1700)
  expect(two.stats().bytes).toBeLessThanOrEqual((shared ? 0.5 : 0.9) * 16 * MiB)
  await one.close()
  await fill(two, 1700)
  expect(two.stats().bytes).toBeLessThanOrEqual(0.9 * 16 * MiB)
  expect(two.stats().bytes).toBeGreaterThan(0.8 * 16 * MiB)
})

test('a policy of the user decides who goes, and may be asked from within itself', async () => {
  const order = new Set<string>()
  let asks = 0
  const policy: EvictionPolicy = {
    add: (key) => void order.add(key),
    touch: () => undefined,
    remove: (key) => void order.delete(key),
    evict: () => {
      asks += 1
      if (asks === 1) store.pressure!(0.25)
      const [last] = [...order].slice(-1)
      if (last !== undefined) order.delete(last)
      return last === undefined ? [] : [last]
    },
  }
  const store = make({ maxBytes: 8 * MiB, policy })
  await fill(store, 500)
  store.pressure!(0.5)
  await until(store, 2 * MiB)
  for (let at = 0; at < 100; at += 1) expectBytes(await readValue(store, keyAt(at)), bytesOf(10_000, at))
  expect(store.stats()).toMatchObject({ policyFaults: 0, maxBytes: 8 * MiB })
})
