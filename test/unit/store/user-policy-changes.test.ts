import { describe, expect, test } from 'vitest'
import { ClosedError, ConfigError } from '../../../lib/errors.js'
import { native } from '../../../lib/native/loader.js'
import type { EvictionPolicy } from '../../../lib/policy/policy.js'
import { ENTRY_OVERHEAD } from '../../../lib/store/memory/entry.js'
import { memoryStore } from '../../../lib/store/memory/index.js'
import { jsMemoryStore } from '../../../lib/store/memory/js.js'
import type { MemoryStore } from '../../../lib/store/memory/memory-store.js'
import { NODE_BYTES } from '../../../lib/store/memory/native/policy-host.js'
import { nativeMemoryStore } from '../../../lib/store/memory/native.js'
import type { Draft, StoredEntry } from '../../../lib/store/store.js'
import { bytesOf, keysOf, metadataFor, mustPut, put } from '../../conformance/store-kit.js'
import {
  expectWhole,
  FULL,
  fill,
  MiB,
  make,
  mru,
  throws,
  turn,
  VALUE,
  warnings,
  watchProcess,
} from '../../helpers/user-policy.js'

/*
 * A store whose policy is, becomes or was the user's own.
 */

watchProcess()

describe('changing the policy', () => {
  test('to one of the user’s tells it all entries, coldest first; from it, keeps its order', async () => {
    const evicted: string[] = []
    const store = make('lru', evicted)
    await fill(store, 5)
    ;(store.find('k0') as StoredEntry).release()
    const policy = mru()
    store.configure({ policy }).apply()
    expect([...policy.keys]).toEqual(['k1', 'k2', 'k3', 'k4', 'k0'])
    store.configure({ policy: 'fifo' }).apply()
    expect(policy.keys.size).toBe(0)
    await fill(store, FULL, 20)
    expect(evicted).toEqual(['k0', 'k4', 'k3', 'k2', 'k1'])
    expect(store.stats().policyFaults).toBe(0)
  })

  test('from one that fails keeps everything, and the count of its faults', async () => {
    const store = make(mru({ evict: throws, remove: throws }))
    await fill(store, FULL)
    store.configure({ policy: 'w-tinylfu' }).apply()
    const { policyFaults, entries } = store.stats()
    expect(entries).toBe(FULL)
    expect(policyFaults).toBeGreaterThanOrEqual(FULL)
    await fill(store, FULL, 50)
    expect(store.stats().policyFaults).toBe(policyFaults)
    await turn()
    expect(warnings.length).toBe(1)
  })

  test('from one that deletes meanwhile brings nothing back', async () => {
    let store: MemoryStore | undefined
    const meddling = mru({ remove: () => store?.delete('k1'), add: () => store?.delete('k2') })
    store = make('lru')
    await fill(store, 5)
    store.configure({ policy: meddling }).apply()
    expect(await keysOf(store)).toEqual(['k0', 'k1', 'k3', 'k4'])
    store.configure({ policy: 'sieve' }).apply()
    expect(await keysOf(store)).toEqual(['k0', 'k3', 'k4'])
    await fill(store, 3 * FULL, 10)
    await expectWhole(store)
  })

  test('to another of the user’s hands over in the order of the one before, and counts on', async () => {
    const first = mru({ touch: throws })
    const store = make(first)
    await fill(store, 5)
    ;(store.find('k0') as StoredEntry).release()
    const second = mru()
    store.configure({ policy: second }).apply()
    expect([...second.keys]).toEqual(['k4', 'k3', 'k2', 'k1', 'k0'])
    expect(first.keys.size).toBe(0)
    store.configure({ policy: second }).apply()
    store.configure({ policy: 'lru' }).apply()
    store.configure({ policy: first }).apply()
    expect([...first.keys]).toEqual(['k0', 'k1', 'k2', 'k3', 'k4'])
    expect(store.stats()).toMatchObject({ policyFaults: 1, entries: 5, evictions: 0 })
    await turn()
    expect(warnings.length).toBe(1)
  })

  test('and a smaller bound at once: the one before says who goes', async () => {
    const evicted: string[] = []
    const store = memoryStore({ maxBytes: 2 * MiB, maxItemBytes: MiB / 4, policy: mru() })
    store.open({ now: () => 0, onEvict: (key) => void evicted.push(key), hearsEvictions: () => true })
    await fill(store, 15)
    store.configure({ maxBytes: MiB, policy: 'fifo' }).apply()
    const { entries, bytes, evictions } = store.stats()
    expect(bytes).toBeLessThanOrEqual(MiB)
    expect(entries).toBeGreaterThanOrEqual(FULL - 1)
    expect(evictions).toBe(15 - entries)
    expect(evicted).toEqual(Array.from({ length: 15 - entries }, (_, at) => `k${14 - at}`))
    // The order of the one before is what fifo begins with.
    evicted.length = 0
    await fill(store, FULL, 50)
    expect(evicted[0]).toBe(`k${entries - 1}`)
    expect((await keysOf(store)).length).toBe(store.stats().entries)
  })

  test('of a store with a name to one of the user’s is refused, and changes nothing', async () => {
    const store = memoryStore({ maxBytes: MiB, policy: 'lru', name: 'has a name' })
    store.open({ now: () => 0, onEvict: () => undefined, hearsEvictions: () => false })
    await fill(store, 3)
    expect(() => store.configure({ policy: mru() }).apply()).toThrow(
      'for the store named "has a name"; a policy of your own is for a store without a name',
    )
    expect(() => memoryStore({ maxBytes: MiB, policy: mru(), name: 'has a name' })).toThrow(ConfigError)
    expect(store.stats()).toMatchObject({ entries: 3, policyFaults: 0 })
    await store.close()
  })
})

describe('a store whose policy is the user’s', () => {
  test('counts what is refused once, however often it tried', async () => {
    const store = make(mru())
    const held: StoredEntry[] = []
    for (let at = 0; at < FULL - 1; at += 1) {
      await mustPut(store, `k${at}`, bytesOf(VALUE, at))
      held.push(store.find(`k${at}`) as StoredEntry)
    }
    for (let at = 0; at < 20; at += 1) await mustPut(store, `small ${at}`, bytesOf(1000, at))
    expect(store.stats().refusals).toBe(0)
    const draft = store.draft('large', undefined) as Draft
    for (let done = 0; done < 5; done += 1) draft.write(bytesOf(60_000, done))
    expect(store.stats().refusals).toBeGreaterThan(0)
    draft.abort()
    const { refusals } = store.stats()
    expect(store.set?.('too large', bytesOf(MiB / 4, 1), metadataFor(MiB / 4)) ?? false).toBe(false)
    if (store.set !== undefined) expect(store.stats().refusals).toBe(refusals + 1)
    for (const entry of held) entry.release()
    expect(store.stats()).toMatchObject({ pinnedBytes: 0, policyFaults: 0 })
  })

  test('says of each that left whether it had expired, as every store does', async () => {
    for (const policy of [mru(), 'lru', 'w-tinylfu'] as const) {
      const left: string[] = []
      let now = 1000
      const store = memoryStore({ maxBytes: MiB, policy })
      store.open({
        now: () => now,
        onEvict: (key, reason) => void left.push(`${key} ${reason}`),
        hearsEvictions: () => true,
      })
      await mustPut(store, 'k0', bytesOf(VALUE, 0), {
        metadata: metadataFor(VALUE, { freshUntil: 1500, staleIfErrorUntil: 0 }),
      })
      await fill(store, FULL - 1, 1)
      now = 2000
      await fill(store, 1, FULL)
      expect(left).toEqual(['k0 expired'])
      await fill(store, 1, FULL + 1)
      expect(left.slice(1)).toEqual([expect.stringMatching(/^k\d+ size$/)])
      expect(store.stats()).toMatchObject({ expirations: 1, evictions: 1 })
    }
  })

  test('keeps what it holds of keys on the JS heap within a limit', async () => {
    const addon = native()
    const config = { maxBytes: MiB, maxItemBytes: MiB, maxItemFollows: false, name: undefined }
    const policy = mru()
    const store =
      addon === undefined
        ? jsMemoryStore({ ...config, policy }, 50 * (ENTRY_OVERHEAD + 3))
        : nativeMemoryStore({ ...config, policy }, addon, 50 * (NODE_BYTES + 3))
    store.open({ now: () => 0, onEvict: () => undefined, hearsEvictions: () => false })
    for (let at = 100; at < 200; at += 1) await mustPut(store, `${at}`, bytesOf(10, at), {})
    expect(store.stats().entries).toBe(50)
    expect(policy.keys.size).toBe(50)
  })

  test.each(['add', 'remove', 'touch', 'evict'] as const)('may be closed from within %s', async (method) => {
    let store: MemoryStore | undefined
    const inner = mru()
    const policy = mru()
    const closing = {
      ...policy,
      [method]: (key: string, size: number) => {
        if (calls > 5 * FULL || method === 'touch' || method === 'evict') store?.close()
        calls += 1
        return inner[method](key, size)
      },
    } as EvictionPolicy
    let calls = 0
    for (const way of ['draft', 'set'] as const) {
      calls = 0
      const made = make(closing)
      store = made
      for (let at = 0; at < 10 * FULL; at += 1) {
        if (way === 'draft' || made.set === undefined) await put(made, `k${at}`, bytesOf(VALUE, at))
        else made.set(`k${at}`, bytesOf(40_000, at), metadataFor(40_000))
        ;(made.find(`k${at}`) as StoredEntry | undefined)?.release()
      }
      expect(made.stats()).toMatchObject({ entries: 0, pinnedBytes: 0 })
      expect(() => made.configure({ policy: 'lru' }).apply()).toThrow(ClosedError)
      expect(made.draft('k', 1)).toBeUndefined()
    }
  })

  test('may be closed while another policy takes over', async () => {
    for (const to of ['lru', mru(), { maxBytes: MiB }] as const) {
      let store: MemoryStore | undefined
      const made = make(mru({ remove: () => void store?.close() }))
      store = made
      await fill(made, FULL)
      if (typeof to === 'object' && 'maxBytes' in to) made.delete('k0')
      else made.configure({ policy: to }).apply()
      expect(made.stats()).toMatchObject({ entries: 0, pinnedBytes: 0 })
      expect(() => made.configure({ policy: 'fifo' }).apply()).toThrow(ClosedError)
    }
  })
})
