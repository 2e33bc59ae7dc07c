import { describe, expect, test } from 'vitest'
import { IN_HAND } from '../../lib/store/store.js'
import {
  asGiven,
  BOUNDS,
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
  SIZES,
  viewAll,
  write,
} from './store-kit.js'

export function readTests(make: MakeStore, views: boolean): void {
  describe('reading', () => {
    test.each(SIZES)('gives what was written, at every position and step: %i bytes', async (size) => {
      const { store } = await open(make)
      const value = bytesOf(size, 'value')
      await mustPut(store, 'k', value)
      const entry = await mustFind(store, 'k')
      expect(entry.metadata.size).toBe(size)
      for (const step of [997, IN_HAND, size + 1]) expectBytes(await readAll(entry, step), value)
      const borders = [0, 1, IN_HAND - 1, IN_HAND, IN_HAND + 1, size - 1].filter((at) => at >= 0 && at < size)
      for (const position of borders) {
        const target = Buffer.alloc(10)
        const read = await entry.read(target, position)
        expect(read).toBeGreaterThan(0)
        expectBytes(target.subarray(0, read), value.subarray(position, position + read))
      }
      for (const past of [size, size + 1, size + IN_HAND]) {
        expect(await entry.read(Buffer.alloc(10), past)).toBe(0)
      }
      entry.release()
      await store.close()
    })

    test('S4: copies into the memory of the caller', async () => {
      const { store } = await open(make)
      const value = bytesOf(100_000, 'value')
      await mustPut(store, 'k', value)
      const entry = await mustFind(store, 'k')
      const target = Buffer.alloc(100_000)
      await entry.read(target, 0)
      target.fill(0)
      expectBytes(await readAll(entry), value)
      entry.release()
      await store.close()
    })

    test.each(SIZES)(
      "S4: what is the reader's own may be changed, and nobody else sees it: %i bytes",
      async (size) => {
        const { store } = await open(make)
        const value = bytesOf(size, 'value')
        await mustPut(store, 'k', value)
        const entry = await mustFind(store, 'k')
        const own = entry.own?.() ?? Buffer.from(value)
        expectBytes(own, value)
        own.fill(0xff)
        expectBytes(await readAll(await mustFind(store, 'k')), value)
        await mustPut(store, 'k', bytesOf(size, 'another'))
        expect(own.every((byte) => byte === 0xff)).toBe(true)
        entry.release()
        await store.close()
      },
    )

    if (views) {
      test.each(SIZES)('S4: a view lends the same bytes, and nothing at the end: %i bytes', async (size) => {
        const { store } = await open(make)
        const value = bytesOf(size, 'value')
        await mustPut(store, 'k', value, { declared: undefined, piece: 10_000 })
        const entry = await mustFind(store, 'k')
        expectBytes(
          viewAll((position) => entry.view!(position)),
          value,
        )
        for (const position of [1, IN_HAND - 1, IN_HAND + 1].filter((at) => at < size)) {
          const view = entry.view!(position)
          expect(view.length).toBeGreaterThan(0)
          expectBytes(Buffer.from(view), value.subarray(position, position + view.length))
        }
        expect(entry.view!(size)).toHaveLength(0)
        expect(entry.view!(size + 1)).toHaveLength(0)
        entry.release()
        await store.close()
      })
    }
  })

  const fates: ReadonlyArray<
    readonly [string, (store: Awaited<ReturnType<typeof open>>) => Promise<unknown>]
  > = [
    ['overwritten', async ({ store }) => put(store, 'k', bytesOf(70_001, 'newer'))],
    ['deleted', async ({ store }) => store.delete('k')],
    [
      'deleted and set anew',
      async ({ store }) => (await store.delete('k')) && put(store, 'k', bytesOf(5, 'x')),
    ],
    ['cleared away', async ({ store }) => store.clear()],
    [
      'revised',
      async ({ store }) => {
        const entry = await mustFind(store, 'k')
        await store.revise('k', entry, metadataFor(entry.metadata.size, { etag: '"revised"' }))
        entry.release()
      },
    ],
    [
      'pushed at by more than the store holds',
      async ({ store }) => {
        for (let index = 0; index < 40; index += 1)
          await put(store, `other ${index}`, bytesOf(200_000, index))
      },
    ],
  ]

  describe.each(fates)('S3: an open entry whose key is %s', (_, befall) => {
    test.each([0, 1, IN_HAND, IN_HAND + 1, BOUNDS.maxItemBytes])(
      'is read on unchanged: %i bytes',
      async (size) => {
        const opened = await open(make)
        const { store } = opened
        const value = bytesOf(size, 'value')
        await mustPut(store, 'k', value, { metadata: metadataFor(size, { etag: '"opened"' }) })
        const [entry, twin] = [await mustFind(store, 'k'), await mustFind(store, 'k')]
        await befall(opened)
        expectBytes(await readAll(entry), value)
        twin.release()
        twin.release()
        expectBytes(await readAll(entry), value)
        expect(asGiven(entry.metadata)).toEqual(metadataFor(size, { etag: '"opened"' }))
        entry.release()
        entry.release()
        expect(store.stats().pinnedBytes).toBe(0)
        await store.close()
      },
    )
  })

  describe('S7: up to 64 KiB', () => {
    test.each([0, 1, IN_HAND - 1, IN_HAND])('%i bytes need no release', async (size) => {
      const { store } = await open(make)
      const value = bytesOf(size, 'value')
      await mustPut(store, 'k', value)
      const forgotten = [await mustFind(store, 'k'), await mustFind(store, 'k')]
      expect(store.stats().pinnedBytes).toBe(0)
      await store.delete('k')
      expect(store.stats()).toMatchObject({ entries: 0, pinnedBytes: 0 })
      for (const entry of forgotten) expectBytes(await readAll(entry), value)
      await store.close()
    })
  })

  describe('after close', () => {
    test('what is open gives the right bytes or fails, and nothing is kept any more', async () => {
      const { store } = await open(make)
      const value = bytesOf(IN_HAND + 1, 'value')
      await mustPut(store, 'k', value)
      const entry = await mustFind(store, 'k')
      const draft = await begin(store, 'new', 10)
      expect(await write(draft, bytesOf(10, 'new'))).toBe(true)
      await store.close()
      const read = await readAll(entry).catch(() => undefined)
      if (read !== undefined) expectBytes(read, value)
      const committed = await Promise.resolve()
        .then(() => draft.commit(metadataFor(10)))
        .catch(() => false)
      expect(committed).toBe(false)
      draft.abort()
      entry.release()
      expect(store.stats()).toMatchObject({ entries: 0, pinnedBytes: 0 })
    })
  })
}
