import { afterEach, describe, expect, test } from 'vitest'
import { ClosedError, ConfigError } from '../../../lib/errors.js'
import { POLICY_NAMES } from '../../../lib/policy/policy.js'
import { memoryStore } from '../../../lib/store/memory/index.js'
import type { MemoryStore } from '../../../lib/store/memory/memory-store.js'
import type { Draft, StoredEntry } from '../../../lib/store/store.js'
import { bytesOf, expectBytes, keysOf, mustPut, put, readValue } from '../../conformance/store-kit.js'

/*
 * Changing a memory store while it runs: the same on both engines.
 */

const MiB = 2 ** 20
const stores: MemoryStore[] = []

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
})

function make(options: Parameters<typeof memoryStore>[0]): MemoryStore {
  const store = memoryStore(options)
  store.open({ now: () => 1_700_000_000_000, onEvict: () => undefined, hearsEvictions: () => false })
  stores.push(store)
  return store
}

const keyAt = (at: number): string => `key ${at}`

async function fill(store: MemoryStore, count: number, size = 10_000): Promise<void> {
  for (let at = 0; at < count; at += 1) await mustPut(store, keyAt(at), bytesOf(size, at))
}

function use(store: MemoryStore, key: string): void {
  ;(store.find(key) as StoredEntry).release()
}

describe('a bound that changes', () => {
  test('upwards keeps everything, and lets more in', async () => {
    const store = make({ maxBytes: 2 * MiB, policy: 'lru' })
    await fill(store, 100)
    store.configure({ maxBytes: 8 * MiB }).apply()
    expect(store.stats()).toMatchObject({ maxBytes: 8 * MiB, maxItemBytes: MiB, entries: 100, evictions: 0 })
    await fill(store, 600)
    expect(store.stats()).toMatchObject({ entries: 600, evictions: 0 })
  })

  test('downwards keeps what the policy would keep, whole', async () => {
    const store = make({ maxBytes: 8 * MiB, policy: 'lru' })
    await fill(store, 400)
    for (let at = 0; at < 60; at += 1) use(store, keyAt(at))
    store.configure({ maxBytes: 2 * MiB }).apply()
    const { bytes, entries, evictions } = store.stats()
    expect(bytes).toBeLessThanOrEqual(2 * MiB)
    expect(entries).toBeGreaterThan(100)
    expect(entries + evictions).toBe(400)
    const kept = new Set(await keysOf(store))
    for (let at = 0; at < 60; at += 1) {
      expect(kept.has(keyAt(at)), keyAt(at)).toBe(true)
      expectBytes(await readValue(store, keyAt(at)), bytesOf(10_000, at))
    }
    expect(kept.has(keyAt(100))).toBe(false)
  })

  test('downwards, below what is being read and filled: that stays whole, and nothing comes in before it has left', async () => {
    const store = make({ maxBytes: 16 * MiB, maxItemBytes: 4 * MiB })
    await mustPut(store, 'read', bytesOf(3 * MiB, 'read'))
    const reading = (await store.find('read')) as StoredEntry
    const draft = store.draft('filled', undefined) as Draft
    expect(draft.write(bytesOf(MiB, 'filled'))).toBe(true)
    await fill(store, 50)
    store.configure({ maxBytes: 2 * MiB, maxItemBytes: MiB }).apply()
    expect(await put(store, 'new', bytesOf(100_000, 'new'))).toBe(false)
    expect(await keysOf(store)).toEqual(['read'])
    const copy = Buffer.alloc(3 * MiB)
    for (let at = 0; at < copy.length; ) at += (await reading.read(copy.subarray(at), at)) || copy.length
    expectBytes(copy, bytesOf(3 * MiB, 'read'))
    reading.release()
    draft.abort()
    await mustPut(store, 'new', bytesOf(100_000, 'new'))
    const { bytes, pinnedBytes } = store.stats()
    expect([bytes <= 2 * MiB, pinnedBytes]).toEqual([true, 0])
    expect(await readValue(store, 'read')).toBeUndefined()
  })

  test('is kept to by what comes after', async () => {
    const store = make({ maxBytes: 8 * MiB })
    await fill(store, 300)
    store.configure({ maxBytes: MiB }).apply()
    for (let at = 0; at < 500; at += 1) {
      await put(store, keyAt(at), bytesOf((at * 7919) % 60_000, at))
      expect(store.stats().bytes).toBeLessThanOrEqual(MiB)
    }
  })
})

describe('the largest value', () => {
  test('follows the bound, unless it was given', () => {
    const store = make({ maxBytes: 8 * MiB })
    store.configure({ maxBytes: 4 * MiB }).apply()
    expect([store.maxItemBytes, store.stats().maxItemBytes]).toEqual([MiB / 2, MiB / 2])
    store.configure({ maxItemBytes: '100KiB' }).apply()
    store.configure({ maxBytes: '6MiB' }).apply()
    expect([store.maxItemBytes, store.stats().maxItemBytes]).toEqual([102_400, 102_400])
    expect(() => store.configure({ maxItemBytes: '7MiB' })).toThrow(
      'configure.maxItemBytes: got "7MiB", which is 7340032 bytes; want at most configure.maxBytes, 6291456 bytes',
    )
    expect(store.stats()).toMatchObject({ maxBytes: 6 * MiB, maxItemBytes: 102_400 })
  })

  test('is for what comes from then on', async () => {
    const store = make({ maxBytes: 8 * MiB })
    await mustPut(store, 'large', bytesOf(500_000, 'large'))
    const draft = store.draft('filling', undefined) as Draft
    expect(draft.write(bytesOf(50_000, 1))).toBe(true)
    store.configure({ maxItemBytes: 100_000 }).apply()
    expectBytes(await readValue(store, 'large'), bytesOf(500_000, 'large'))
    expect(await put(store, 'other', bytesOf(100_001, 'other'))).toBe(false)
    expect(draft.write(bytesOf(60_000, 2))).toBe(false)
    draft.abort()
  })
})

describe('another policy', () => {
  test.each(POLICY_NAMES.flatMap((from) => POLICY_NAMES.map((to) => [from, to] as const)))(
    'from %s to %s keeps everything, and decides from then on',
    async (from, to) => {
      const store = make({ maxBytes: 2 * MiB, policy: from })
      await fill(store, 120)
      store.configure({ policy: to }).apply()
      expect(store.stats()).toMatchObject({ entries: 120, evictions: 0, policyFaults: 0 })
      for (let at = 0; at < 400; at += 1) {
        await mustPut(store, `new ${at}`, bytesOf(10_000, at))
        const { bytes, maxBytes } = store.stats()
        expect(bytes).toBeLessThanOrEqual(maxBytes)
      }
      for (let at = 0; at < 120; at += 1) {
        const there = await readValue(store, keyAt(at))
        if (there !== undefined) expectBytes(there, bytesOf(10_000, at))
      }
    },
  )

  test.each(POLICY_NAMES)(
    '%s, in a store that is full to the byte, finds room for what it remembers',
    async (to) => {
      const store = make({ maxBytes: 2 * MiB, policy: 'lru' })
      await fill(store, 150)
      const maxBytes = store.stats().bytes
      store.configure({ maxBytes, policy: to }).apply()
      expect(store.stats().bytes).toBeLessThanOrEqual(maxBytes)
      expect(store.stats().entries).toBeGreaterThan(100)
    },
  )

  test('is handed the entries coldest first', async () => {
    const store = make({ maxBytes: 2 * MiB, policy: 'lru' })
    await fill(store, 100)
    for (let at = 0; at < 20; at += 1) use(store, keyAt(at))
    store.configure({ policy: 'fifo' }).apply()
    store.configure({ maxBytes: MiB }).apply()
    const kept = new Set(await keysOf(store))
    expect(kept.size).toBeGreaterThan(30)
    for (let at = 0; at < 20; at += 1) expect(kept.has(keyAt(at)), keyAt(at)).toBe(true)
    expect(kept.has(keyAt(20))).toBe(false)
  })

  test('and a smaller bound at once: the old one says who goes', async () => {
    const store = make({ maxBytes: 2 * MiB, policy: 'lfu' })
    await fill(store, 100)
    for (let at = 0; at < 20; at += 1) use(store, keyAt(at))
    store.configure({ maxBytes: MiB, policy: 'fifo' }).apply()
    const kept = new Set(await keysOf(store))
    for (let at = 0; at < 20; at += 1) expect(kept.has(keyAt(at)), keyAt(at)).toBe(true)
  })
})

describe('what is wrong changes nothing', () => {
  test.each([
    [{ policy: 'mru' }, /^configure\.policy: got "mru"; want one of "lru", .*"w-tinylfu", or an object with/],
    [{ maxBytes: 1000 }, /^configure\.maxBytes: got 1000; want at least 1 MiB, 1048576 bytes$/],
    [
      { maxBytes: '900TiB' },
      /^configure\.maxBytes: got "900TiB"; that is 989560464998400 bytes; want at most/,
    ],
    [{ maxBytes: '4MiB', policy: 7 }, /^configure\.policy: got 7; want one of/],
    [{ maxBytes: '4MiB', maxItemBytes: '5MiB' }, /^configure\.maxItemBytes: got "5MiB"/],
    [
      { maxbytes: 1 },
      /^configure\.maxbytes: no such option; did you mean configure\.maxBytes\? there are maxBytes, maxItemBytes, policy, compression$/,
    ],
    [
      { name: 'other' },
      /^configure\.name: got "other"; it stays what the store was made with, undefined: it is how other threads/,
    ],
    [
      { compression: 'lz4' },
      /^configure\.compression: got "lz4"; it stays .* "none": one that was made without/,
    ],
    [5, /^configure: got 5; want an object of options$/],
  ] as ReadonlyArray<readonly [unknown, RegExp]>)('%o', async (patch, message) => {
    const store = make({ maxBytes: 2 * MiB })
    await fill(store, 50)
    const before = store.stats()
    const attempt = (): unknown => store.configure(patch as never)
    expect(attempt).toThrow(ConfigError)
    expect(attempt).toThrow(message)
    expect(store.stats()).toEqual(before)
  })

  test('nor does an empty patch, or one of undefined', () => {
    const store = make({ maxBytes: 2 * MiB, policy: 'sieve' })
    const before = store.stats()
    store.configure({}).apply()
    store.configure({ maxBytes: undefined, maxItemBytes: undefined, policy: undefined }).apply()
    expect(store.stats()).toEqual(before)
  })

  test('a store that is closed cannot be changed', async () => {
    const store = make({ maxBytes: 2 * MiB })
    await store.close()
    expect(() => store.configure({ maxBytes: MiB })).toThrow(ClosedError)
  })
})
