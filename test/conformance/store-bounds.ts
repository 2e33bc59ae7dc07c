import { describe, expect, test } from 'vitest'
import type { Draft, Store, StoredEntry } from '../../lib/store/store.js'
import {
  BOUNDS,
  bytesOf,
  expectBytes,
  type MakeStore,
  metadataFor,
  mustPut,
  open,
  put,
  readAll,
  readValue,
} from './store-kit.js'

function expectWithin(store: Store): void {
  const { bytes, pinnedBytes, maxBytes } = store.stats()
  expect(bytes).toBeLessThanOrEqual(maxBytes)
  expect(pinnedBytes).toBeLessThanOrEqual(bytes)
  expect(pinnedBytes).toBeGreaterThanOrEqual(0)
}

export function boundTests(make: MakeStore): void {
  describe('S6: the bound is never passed', () => {
    test('by entries of all sizes, many times over', async () => {
      const { store, evicted } = await open(make)
      const kept = new Map<string, Buffer>()
      for (let index = 0; index < 400; index += 1) {
        const key = `key ${index % 150}`
        const value = bytesOf(Math.floor(BOUNDS.maxItemBytes * ((index * 37) % 101) ** 3 * 1e-6), index)
        if (await put(store, key, value)) kept.set(key, value)
        expectWithin(store)
      }
      // A miss is allowed, a wrong byte never.
      let found: number
      let before: number
      do {
        // A far store may go on making room: then it is counted again.
        before = store.stats().entries
        found = 0
        for (const [key, value] of kept) {
          const there = await readValue(store, key)
          if (there === undefined) continue
          expectBytes(there, value)
          found += 1
        }
      } while (store.stats().entries !== before)
      expect(found).toBe(before)
      expect(found).toBeGreaterThan(0)
      expect(store.stats().evictions).toBe(evicted.length)
      await store.close()
    })

    test('by drafts: one is refused, and there is room again when others are aborted', async () => {
      const { store } = await open(make)
      const drafts: Draft[] = []
      let refused = false
      for (let index = 0; !refused && index < 2 * (BOUNDS.maxBytes / 100_000); index += 1) {
        const draft = await store.draft(`draft ${index}`, undefined)
        if (draft === undefined) {
          refused = true
          break
        }
        drafts.push(draft)
        refused = !(await draft.write(bytesOf(100_000, index)))
        expectWithin(store)
      }
      if (Number.isFinite(store.stats().maxBytes)) expect(refused).toBe(true)
      const refusals = store.stats().refusals
      if (refused) expect(refusals).toBeGreaterThan(0)
      for (const draft of drafts) draft.abort()
      expect(store.stats()).toMatchObject({ entries: 0, pinnedBytes: 0 })
      await mustPut(store, 'k', bytesOf(BOUNDS.maxItemBytes, 'k'))
      await store.close()
    })

    test('by open entries: they stay whole while others come and go, and there is room again after', async () => {
      const { store } = await open(make)
      const held: Array<[StoredEntry, Buffer]> = []
      for (let index = 0; index < 2 * (BOUNDS.maxBytes / 200_000); index += 1) {
        const value = bytesOf(200_000, index)
        if (!(await put(store, `held ${index}`, value))) continue
        const entry = await store.find(`held ${index}`)
        if (entry !== undefined) held.push([entry, value])
        if (index % 3 === 0) await store.delete(`held ${index}`)
        expectWithin(store)
      }
      expect(held.length).toBeGreaterThan(0)
      for (const [entry, value] of held) expectBytes(await readAll(entry, 70_000), value)
      for (const [entry] of held.reverse()) entry.release()
      expect(store.stats().pinnedBytes).toBe(0)
      for (let index = 0; index < 8; index += 1) {
        await mustPut(store, `after ${index}`, bytesOf(BOUNDS.maxItemBytes, index))
        expectWithin(store)
      }
      await store.close()
    })

    test('by metadata', async () => {
      const { store } = await open(make)
      const user = { text: 'x'.repeat(60_000) }
      for (let index = 0; index < 200; index += 1) {
        await put(store, `k${index}`, bytesOf(1, index), { metadata: metadataFor(1, { user }) })
        expectWithin(store)
      }
      const [last] = [await store.find('k199')]
      expect(last?.metadata.user).toEqual(user)
      if (last !== undefined) {
        await store.revise('k199', last, metadataFor(1, { user: { text: 'y'.repeat(65_000) } }))
        last.release()
      }
      expectWithin(store)
      await store.close()
    })
  })

  test('everything goes when everything is deleted', async () => {
    const { store } = await open(make)
    for (let index = 0; index < 30; index += 1)
      await mustPut(store, `k${index}`, bytesOf(1000 * index, index))
    for (let index = 0; index < 30; index += 1) {
      expect(await store.delete(`k${index}`)).toBe(true)
      expect(await store.delete(`k${index}`)).toBe(false)
      expect(await store.find(`k${index}`)).toBeUndefined()
    }
    expect(store.stats()).toMatchObject({ entries: 0, pinnedBytes: 0 })
    await store.close()
  })

  test('and when it is cleared, open entries excepted', async () => {
    const { store } = await open(make)
    for (let index = 0; index < 30; index += 1)
      await mustPut(store, `k${index}`, bytesOf(5000 * index, index))
    const open29 = await store.find('k29')
    await store.clear()
    expect(store.stats().entries).toBe(0)
    for (let index = 0; index < 30; index += 1) expect(await store.find(`k${index}`)).toBeUndefined()
    expectBytes(await readAll(open29!), bytesOf(5000 * 29, 29))
    open29!.release()
    expect(store.stats().pinnedBytes).toBe(0)
    await mustPut(store, 'k0', bytesOf(10, 'again'))
    expectBytes(await readValue(store, 'k0'), bytesOf(10, 'again'))
    await store.close()
  })

  test('stats say what the store was made with', async () => {
    const { store } = await open(make)
    expect(store.stats()).toMatchObject({ ...BOUNDS, entries: 0, pinnedBytes: 0, evictions: 0, refusals: 0 })
    expect(store.name).not.toBe('')
    await store.close()
  })
}
