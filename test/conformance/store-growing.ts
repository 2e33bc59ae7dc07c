import { describe, expect, test } from 'vitest'
import type { GrowingReads, Store } from '../../lib/store/store.js'
import {
  begin,
  bytesOf,
  expectBytes,
  type MakeStore,
  metadataFor,
  mustFind,
  mustPut,
  open,
  put,
  readAll,
  viewAll,
} from './store-kit.js'

const readGrowing = (growing: GrowingReads): Promise<Buffer> =>
  readAll({ read: (target, position) => growing.read(target, position) })
const viewGrowing = (growing: GrowingReads): Buffer => viewAll((position) => growing.view(position))

export function growingTests(make: MakeStore, bytes: 'live' | 'committed'): void {
  describe('growing reads', () => {
    test.each([undefined, 200_000])('give at once what is written, size %s', async (declared) => {
      const { store } = await open(make)
      const value = bytesOf(200_000, 'value')
      const draft = await begin(store, 'k', declared)
      const growing = draft.growing!
      const letGo = growing.hold()
      const early: Array<[Uint8Array, number]> = []
      for (let at = 0; at < value.length; at += 3001) {
        expect(growing.view(at)).toHaveLength(0)
        expect(await draft.write(value.subarray(at, at + 3001))).toBe(true)
        const end = Math.min(value.length, at + 3001)
        early.push([growing.view(at), at])
        const target = Buffer.alloc(end - at)
        expect(growing.read(target, at)).toBe(end - at)
        expectBytes(target, value.subarray(at, end))
      }
      expectBytes(await readGrowing(growing), value)
      expectBytes(viewGrowing(growing), value)
      expect(await draft.commit(metadataFor(value.length))).toBe(true)
      // What was lent while it grew stays as it was until it is given back.
      for (const [view, at] of early) expectBytes(Buffer.from(view), value.subarray(at, at + view.length))
      expectBytes(viewGrowing(growing), value)
      letGo()
      expect(store.stats().pinnedBytes).toBe(0)
      expectBytes(await readAll(await mustFind(store, 'k')), value)
      await store.close()
    })

    test.each([0, 10, 70_000])('hold what is aborted until it is given back: %i bytes', async (size) => {
      const { store } = await open(make)
      const value = bytesOf(size, 'value')
      const draft = await begin(store, 'k')
      const growing = draft.growing!
      const [first, second] = [growing.hold(), growing.hold()]
      expect(await draft.write(value)).toBe(true)
      const view = growing.view(0)
      draft.abort()
      expect(await store.find('k')).toBeUndefined()
      expectBytes(await readGrowing(growing), value)
      first()
      first()
      expect(store.stats().pinnedBytes).toBeGreaterThanOrEqual(size)
      expectBytes(viewGrowing(growing), value)
      expectBytes(Buffer.from(view), value.subarray(0, view.length))
      second()
      expect(store.stats().pinnedBytes).toBe(0)
      await store.close()
    })

    test('hold what is committed, whatever happens to its key', async () => {
      const { store } = await open(make)
      const value = bytesOf(100_000, 'value')
      const draft = await begin(store, 'k', value.length)
      const growing = draft.growing!
      const letGo = growing.hold()
      expect(await draft.write(value)).toBe(true)
      expect(await draft.commit(metadataFor(value.length))).toBe(true)
      await mustPut(store, 'k', bytesOf(100_000, 'newer'))
      await store.delete('k')
      for (let index = 0; index < 40; index += 1) await put(store, `other ${index}`, bytesOf(200_000, index))
      expectBytes(await readGrowing(growing), value)
      letGo()
      expect(store.stats().pinnedBytes).toBe(0)
      await store.close()
    })

    // What a store has committed need not follow what lives in it; that it stays within its bound is checked elsewhere.
    const shown = (store: Store): number =>
      bytes === 'live' ? store.stats().bytes : store.stats().pinnedBytes

    test('of near stores: bytes come back to what they were', async () => {
      const { store } = await open(make)
      await mustPut(store, 'there', bytesOf(1000, 'there'))
      // What a policy keeps of uses begins with the first of them.
      await mustPut(store, 'k', bytesOf(1000, 'k'))
      ;(await mustFind(store, 'k')).release()
      await store.delete('k')
      const before = shown(store)
      expect(store.stats().bytes).toBeGreaterThan(1000)
      for (const size of [0, 1, 5000, 70_000, 200_000]) {
        const aborted = await begin(store, 'k')
        expect(await aborted.write(bytesOf(size, 'k'))).toBe(true)
        aborted.abort()
        aborted.abort()
        expect(shown(store)).toBe(before)

        const held = await begin(store, 'k', size)
        const letGo = held.growing!.hold()
        expect(await held.write(bytesOf(size, 'k'))).toBe(true)
        expect(await held.commit(metadataFor(size))).toBe(true)
        held.abort()
        const entry = await mustFind(store, 'k')
        expect(await store.delete('k')).toBe(true)
        expect(shown(store)).toBeGreaterThanOrEqual(before + size)
        letGo()
        letGo()
        entry.release()
        entry.release()
        expect(shown(store)).toBe(before)
      }
      await store.close()
    })

    test('go on after a refused write', async () => {
      const { store } = await open(make)
      const draft = await begin(store, 'k')
      const value = bytesOf(5000, 'value')
      expect(await draft.write(value)).toBe(true)
      expect(await draft.write(bytesOf(store.maxItemBytes, 'too much'))).toBe(false)
      expectBytes(await readGrowing(draft.growing!), value)
      expect(await draft.write(bytesOf(5000, 'more'))).toBe(true)
      expectBytes(await readGrowing(draft.growing!), Buffer.concat([value, bytesOf(5000, 'more')]))
      draft.abort()
      await store.close()
    })
  })
}
