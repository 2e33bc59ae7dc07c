import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ClosedError } from '../../../lib/errors.js'
import { POLICY_NAMES, type PolicyName } from '../../../lib/policy/policy.js'
import { memoryStore } from '../../../lib/store/memory/index.js'
import type { MemoryStore } from '../../../lib/store/memory/memory-store.js'
import type { StoredEntry } from '../../../lib/store/store.js'
import {
  bytesOf,
  expectBytes,
  keysOf,
  metadataFor,
  mustPut,
  put,
  readValue,
} from '../../conformance/store-kit.js'

/*
 * A change of a memory store in its steps: checked, made bit by bit, undone, and made by several at once.
 */

const MiB = 2 ** 20
const keyAt = (at: number): string => `key ${at}`

function open(options: Parameters<typeof memoryStore>[0]): MemoryStore {
  const store = memoryStore(options)
  store.open({ now: () => 1_700_000_000_000, onEvict: () => undefined, hearsEvictions: () => false })
  return store
}

/** More entries than one turn evicts. */
async function crowd(store: MemoryStore, count = 60_000): Promise<void> {
  for (let at = 0; at < count; at += 1) await mustPut(store, keyAt(at), bytesOf(100, at))
}

describe('a change', () => {
  test('is said, and not made before apply', async () => {
    const store = open({ maxBytes: 8 * MiB, policy: 'lru' })
    const change = store.configure({ maxBytes: '4MiB', policy: 'lfu', maxItemBytes: '64KiB' })
    expect(change.changes).toEqual([
      { path: 'maxBytes', from: 8 * MiB, to: 4 * MiB },
      { path: 'maxItemBytes', from: MiB, to: 65_536 },
      { path: 'policy', from: 'lru', to: 'lfu' },
    ])
    expect(store.stats()).toMatchObject({ maxBytes: 8 * MiB, maxItemBytes: MiB })
    await change.apply()
    expect(store.stats()).toMatchObject({ maxBytes: 4 * MiB, maxItemBytes: 65_536 })
    await change.undo()
    expect(store.stats()).toMatchObject({ maxBytes: 8 * MiB, maxItemBytes: MiB })
    expect(store.configure({ policy: 'lru' }).changes).toEqual([])
    await store.close()
  })

  test('of a bound far down takes several turns, in each of which the bound that is said holds and never rises', async () => {
    const store = open({ maxBytes: 32 * MiB, policy: 'lru' })
    await crowd(store)
    const made = store.configure({ maxBytes: 2 * MiB, policy: 'fifo' }).apply() as Promise<void>
    expect(made).toBeInstanceOf(Promise)
    let turns = 0
    let last = 32 * MiB
    let over = false
    void made.then(() => {
      over = true
    })
    while (!over) {
      turns += 1
      const { bytes, maxBytes } = store.stats()
      expect(bytes).toBeLessThanOrEqual(maxBytes)
      expect(maxBytes).toBeLessThanOrEqual(last)
      last = maxBytes
      await put(store, `new ${turns}`, bytesOf(5000, turns))
      expect(store.stats().bytes).toBeLessThanOrEqual(maxBytes)
      await new Promise((go) => setImmediate(go))
    }
    expect(turns).toBeGreaterThan(2)
    expect(store.stats().maxBytes).toBe(2 * MiB)
    // By the policy of before: those that came last.
    expect(await readValue(store, keyAt(59_999))).toBeDefined()
    expect(await readValue(store, keyAt(0))).toBeUndefined()
    await store.close()
  })

  test('that is overtaken on its way gives way to the later one; and undone, to what was', async () => {
    const store = open({ maxBytes: 32 * MiB, policy: 'lru' })
    await crowd(store)
    const first = store.configure({ maxBytes: 2 * MiB, policy: 'fifo' })
    const made = first.apply()
    await store.configure({ maxBytes: 24 * MiB }).apply()
    await made
    expect(store.stats().maxBytes).toBe(24 * MiB)
    const again = store.configure({ maxBytes: 2 * MiB })
    const lowering = again.apply()
    await again.undo()
    await lowering
    expect(store.stats().maxBytes).toBe(24 * MiB)
    expect(store.stats().entries).toBeGreaterThan(10_000)
    await store.close()
  })

  test('is told that the store was closed meanwhile', async () => {
    const store = open({ maxBytes: 32 * MiB })
    await crowd(store)
    const made = store.configure({ maxBytes: 2 * MiB }).apply() as Promise<void>
    await store.close()
    await expect(made).rejects.toBeInstanceOf(ClosedError)
  })

  test('of compression is for what comes from then on', async () => {
    const store = open({ maxBytes: 8 * MiB, compression: 'lz4' })
    const text = Buffer.from('the same again and again '.repeat(400))
    for (const [at, compression] of (['none', 'gzip', 'lz4'] as const).entries()) {
      await mustPut(store, `before ${at}`, text)
      const change = store.configure({ compression, maxBytes: (at + 4) * MiB })
      expect(change.changes.map(({ path }) => path)).toContain('compression')
      await change.apply()
      await mustPut(store, `after ${at}`, text)
      const entry = (await store.find(`after ${at}`)) as StoredEntry
      expect(entry.metadata.compression?.codec ?? 'none').toBe(compression)
      entry.release()
    }
    for (const key of await keysOf(store)) expectBytes(await readValue(store, key), text)
    expect((await keysOf(store)).length).toBe(6)
    await store.close()
  })

  test('at random, between other operations: the bound holds at each step, no value is wrong, and the last policy decides', async () => {
    const steps = fc.array(
      fc.oneof(
        {
          weight: 8,
          arbitrary: fc.record({ put: fc.nat(300), size: fc.constantFrom(50, 900, 20_000, 100_000) }),
        },
        { weight: 4, arbitrary: fc.record({ get: fc.nat(300) }) },
        { weight: 1, arbitrary: fc.record({ maxBytes: fc.integer({ min: MiB, max: 12 * MiB }) }) },
        { weight: 1, arbitrary: fc.record({ policy: fc.constantFrom<PolicyName[]>(...POLICY_NAMES) }) },
        { weight: 1, arbitrary: fc.record({ undo: fc.integer({ min: MiB, max: 12 * MiB }) }) },
      ),
      { minLength: 50, maxLength: 200 },
    )
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const store = open({ maxBytes: 4 * MiB })
        const values = new Map<string, Buffer>()
        let seed = 0
        for (const at of taken) {
          if ('put' in at) {
            seed += 1
            const value = bytesOf(at.size, seed)
            if (await put(store, keyAt(at.put), value, { metadata: metadataFor(at.size) })) {
              values.set(keyAt(at.put), value)
            }
          } else if ('get' in at) {
            const there = await readValue(store, keyAt(at.get))
            if (there !== undefined) expectBytes(there, values.get(keyAt(at.get))!)
          } else if ('undo' in at) {
            const before = store.stats().maxBytes
            const change = store.configure({ maxBytes: at.undo, policy: 'sieve' })
            await change.apply()
            expect(store.stats().maxBytes).toBe(at.undo)
            await change.undo()
            expect(store.stats().maxBytes).toBe(before)
          } else {
            await store.configure(at).apply()
            if ('maxBytes' in at) expect(store.stats().maxBytes).toBe(at.maxBytes)
          }
          const { bytes, maxBytes } = store.stats()
          expect(bytes).toBeLessThanOrEqual(maxBytes)
        }
        // Who was used last stays, under lru; who came first goes.
        await store.configure({ maxBytes: 2 * MiB, policy: 'lru' }).apply()
        await store.clear()
        for (let at = 0; at < 80; at += 1) await mustPut(store, keyAt(at), bytesOf(10_000, at))
        for (let at = 0; at < 10; at += 1) ((await store.find(keyAt(at))) as StoredEntry).release()
        for (let at = 1000; at < 1150; at += 1) await mustPut(store, keyAt(at), bytesOf(10_000, at))
        for (let at = 0; at < 10; at += 1) expect(await readValue(store, keyAt(at))).toBeDefined()
        expect(await readValue(store, keyAt(10))).toBeUndefined()
        await store.close()
      }),
      { numRuns: 25 },
    )
  })
})
