import { describe, expect, test } from 'vitest'
import {
  asGiven,
  BOUNDS,
  begin,
  bytesOf,
  expectBytes,
  keysOf,
  type MakeStore,
  metadataFor,
  mustFind,
  mustPut,
  open,
  put,
  readAll,
  readValue,
  SIZES,
  scan,
  write,
} from './store-kit.js'

export function draftTests(make: MakeStore): void {
  describe('S1: a draft is invisible until it is committed', () => {
    test.each(SIZES)('to find, entries, delete and stats: %i bytes', async (size) => {
      const { store } = await open(make)
      const value = bytesOf(size, 'new')
      const draft = await begin(store, 'k', size)
      expect(await write(draft, value, 50_000)).toBe(true)

      expect(await store.find('k')).toBeUndefined()
      expect(await keysOf(store)).toEqual([])
      expect(store.stats().entries).toBe(0)

      expect(await draft.commit(metadataFor(size))).toBe(true)
      expectBytes(await readValue(store, 'k'), value)
      expect(await keysOf(store)).toEqual(['k'])
      expect(store.stats().entries).toBe(1)
      expect(store.stats().pinnedBytes).toBe(0)
      await store.close()
    })

    test.each(SIZES)('and leaves no trace when it is aborted: %i bytes', async (size) => {
      const { store } = await open(make)
      await mustPut(store, 'k', bytesOf(10, 'old'))
      const draft = await begin(store, 'k', size)
      expect(await write(draft, bytesOf(size, 'new'), 50_000)).toBe(true)
      draft.abort()
      draft.abort()

      expectBytes(await readValue(store, 'k'), bytesOf(10, 'old'))
      expect(await keysOf(store)).toEqual(['k'])
      expect(store.stats()).toMatchObject({ entries: 1, pinnedBytes: 0 })
      await store.close()
    })

    test('and one that was aborted cannot be committed', async () => {
      const { store } = await open(make)
      const draft = await begin(store, 'k', 10)
      expect(await write(draft, bytesOf(10, 'k'))).toBe(true)
      draft.abort()
      expect(await draft.commit(metadataFor(10))).toBe(false)
      expect(await store.find('k')).toBeUndefined()
      await store.close()
    })

    test('abort after commit does nothing', async () => {
      const { store } = await open(make)
      const draft = await begin(store, 'k', 10)
      expect(await write(draft, bytesOf(10, 'k'))).toBe(true)
      expect(await draft.commit(metadataFor(10))).toBe(true)
      draft.abort()
      expectBytes(await readValue(store, 'k'), bytesOf(10, 'k'))
      expect(store.stats().entries).toBe(1)
      await store.close()
    })

    test('to delete and clear, which leave it alone or fence it', async () => {
      const { store } = await open(make)
      const drafts = new Map([
        ['deleted', await begin(store, 'deleted', 10)],
        ['cleared', await begin(store, 'cleared', 10)],
      ])
      for (const [key, draft] of drafts) expect(await write(draft, bytesOf(10, key))).toBe(true)
      expect(await store.delete('deleted')).toBe(false)
      await store.clear()
      for (const [key, draft] of drafts) {
        const committed = await draft.commit(metadataFor(10))
        expect(draft.fenced ?? false).toBe(!committed)
        if (committed) expectBytes(await readValue(store, key), bytesOf(10, key))
        else expect(await store.find(key)).toBeUndefined()
      }
      await store.close()
    })
  })

  describe('S2: a commit replaces in one step', () => {
    test.each(SIZES)('what the key had before: %i bytes', async (size) => {
      const { store } = await open(make)
      const old = bytesOf(70_000, 'old')
      const value = bytesOf(size, 'new')
      await mustPut(store, 'k', old)
      const draft = await begin(store, 'k', size)
      expect(await write(draft, value)).toBe(true)
      expectBytes(await readValue(store, 'k'), old)
      expect(await draft.commit(metadataFor(size, { etag: '"new"' }))).toBe(true)
      expectBytes(await readValue(store, 'k'), value)
      expect(await scan(store)).toEqual([['k', metadataFor(size, { etag: '"new"' })]])
      expect(store.stats()).toMatchObject({ entries: 1, pinnedBytes: 0 })
      await store.close()
    })

    test('drafts of one key do not meet: the last commit wins, an abort takes nothing with it', async () => {
      const { store } = await open(make)
      const [a, b, c] = [await begin(store, 'k'), await begin(store, 'k'), await begin(store, 'k')]
      for (let at = 0; at < 3; at += 1) {
        for (const [index, draft] of [a, b, c].entries()) {
          expect(await draft.write(bytesOf(40_000, `${index} ${at}`))).toBe(true)
        }
      }
      const whole = (index: number): Buffer =>
        Buffer.concat([0, 1, 2].map((at) => bytesOf(40_000, `${index} ${at}`)))
      expect(await b.commit(metadataFor(120_000))).toBe(true)
      expectBytes(await readValue(store, 'k'), whole(1))
      expect(await a.commit(metadataFor(120_000))).toBe(true)
      c.abort()
      expectBytes(await readValue(store, 'k'), whole(0))
      expect(store.stats()).toMatchObject({ entries: 1, pinnedBytes: 0 })
      await store.close()
    })

    test('whoever reads while others write gets one value whole', async () => {
      const { store } = await open(make)
      const values = Array.from({ length: 20 }, (_, index) => bytesOf(1000 + 8000 * index, index))
      await mustPut(store, 'k', values[0]!)
      const writers = values.map((value) => put(store, 'k', value, { declared: undefined, piece: 30_000 }))
      const readers = values.map(() => readValue(store, 'k'))
      expect(await Promise.all(writers)).not.toContain(false)
      for (const read of [...(await Promise.all(readers)), await readValue(store, 'k')]) {
        expect(values.some((value) => read?.equals(value))).toBe(true)
      }
      expect(store.stats().entries).toBe(1)
      await store.close()
    })
  })

  describe('S5: written bytes are taken', () => {
    test('the caller may use its memory again', async () => {
      const { store } = await open(make)
      const draft = await begin(store, 'k')
      const piece = Buffer.alloc(30_000)
      const expected: Buffer[] = []
      for (let at = 0; at < 8; at += 1) {
        bytesOf(piece.length, at).copy(piece)
        expected.push(Buffer.from(piece))
        expect(await draft.write(piece)).toBe(true)
        piece.fill(0xdd)
      }
      expect(await draft.commit(metadataFor(240_000))).toBe(true)
      expectBytes(await readValue(store, 'k'), Buffer.concat(expected))
      await store.close()
    })

    test('in pieces of any size, empty ones too, with the size known or not', async () => {
      const { store } = await open(make)
      const value = bytesOf(140_000, 'pieces')
      for (const declared of [undefined, value.length]) {
        const draft = await begin(store, 'k', declared)
        let at = 0
        for (let length = 0; at < value.length; length = (length * 3 + 1) % 20_011) {
          const end = Math.min(value.length, at + length)
          expect(await draft.write(value.subarray(at, end))).toBe(true)
          at = end
        }
        expect(await draft.commit(metadataFor(value.length))).toBe(true)
        expectBytes(await readValue(store, 'k'), value)
      }
      await store.close()
    })
  })

  describe('maxItemBytes', () => {
    test('a draft that says it is larger is refused', async () => {
      const { store } = await open(make)
      expect(store.maxItemBytes).toBe(BOUNDS.maxItemBytes)
      expect(await store.draft('k', BOUNDS.maxItemBytes + 1)).toBeUndefined()
      expect(store.stats()).toMatchObject({ entries: 0, pinnedBytes: 0 })
      expect(store.stats().refusals).toBeGreaterThan(0)
      await store.close()
    })

    test.each([0, 1, 70_000, BOUNDS.maxItemBytes])(
      'a write that would pass it is refused whole, after %i bytes',
      async (before) => {
        const { store } = await open(make)
        const draft = await begin(store, 'k')
        const value = bytesOf(before, 'before')
        expect(await write(draft, value)).toBe(true)
        const refusals = store.stats().refusals
        expect(await draft.write(bytesOf(BOUNDS.maxItemBytes + 1 - before, 'more'))).toBe(false)
        expect(store.stats().refusals).toBe(refusals + 1)
        if (draft.growing !== undefined) {
          expectBytes(await readAll({ read: draft.growing.read.bind(draft.growing) }), value)
        }
        draft.abort()
        expect(await store.find('k')).toBeUndefined()
        expect(store.stats().pinnedBytes).toBe(0)
        await store.close()
      },
    )
  })

  test('revise replaces the metadata of the entry that was opened, and only of that', async () => {
    const { store } = await open(make)
    const value = bytesOf(70_000, 'value')
    await mustPut(store, 'k', value, { metadata: metadataFor(value.length, { etag: '"1"' }) })
    const opened = await mustFind(store, 'k')
    const revised = metadataFor(value.length, { etag: '"1"', freshUntil: 2e12, user: { n: 1 } })
    expect(await store.revise('k', opened, revised)).toBe(true)
    expect(asGiven(opened.metadata)).toEqual(metadataFor(value.length, { etag: '"1"' }))
    const again = await mustFind(store, 'k')
    expect(asGiven(again.metadata)).toEqual(revised)
    expectBytes(await readAll(again), value)
    again.release()

    expect(await store.revise('other', opened, revised)).toBe(false)
    await mustPut(store, 'k', bytesOf(10, 'newer'))
    expect(await store.revise('k', opened, revised)).toBe(false)
    expect(await store.delete('k')).toBe(true)
    expect(await store.revise('k', opened, revised)).toBe(false)
    expect(await store.find('k')).toBeUndefined()
    opened.release()
    expect(store.stats().pinnedBytes).toBe(0)
    await store.close()
  })
}
