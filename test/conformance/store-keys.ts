import { describe, expect, test } from 'vitest'
import { MAX_KEY_BYTES } from '../../lib/keys.js'
import type { Metadata } from '../../lib/store/store.js'
import {
  asGiven,
  bytesOf,
  expectBytes,
  keysOf,
  type MakeStore,
  metadataFor,
  mustFind,
  mustPut,
  open,
  readValue,
  scan,
} from './store-kit.js'

/** Keys as strangers send them. Each is a key of its own: nothing is normalised. */
export const HOSTILE_KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  'null',
  'undefined',
  '0',
  '-0',
  '00',
  ' ',
  '  ',
  'a',
  'A',
  'a ',
  ' a',
  'a\0',
  '\0',
  '\0\0',
  'line\nbreak',
  'line\r\nbreak',
  '.',
  '..',
  '../../etc/passwd',
  '/',
  '//',
  'C:\\x',
  'con',
  '%2e%2e',
  '%00',
  'é',
  'e\u0301',
  'ﬁ',
  'fi',
  'ß',
  'ss',
  'İ',
  '\u200bzero width',
  '\ufeffmark',
  'مفتاح',
  '\u202eright to left',
  '🐿',
  '🐿️',
  '👩‍👩‍👧‍👦',
  '\u{10ffff}',
  '\uffff',
  'x'.repeat(MAX_KEY_BYTES),
  'x'.repeat(MAX_KEY_BYTES - 1),
  '🐿'.repeat(MAX_KEY_BYTES / 4),
]

export function keyTests(make: MakeStore): void {
  describe('keys', () => {
    test('of any kind name one entry each', async () => {
      const { store } = await open(make)
      for (const key of HOSTILE_KEYS) expect(await store.find(key)).toBeUndefined()
      for (const [index, key] of HOSTILE_KEYS.entries()) await mustPut(store, key, bytesOf(50 + index, index))
      for (const [index, key] of HOSTILE_KEYS.entries()) {
        expectBytes(await readValue(store, key), bytesOf(50 + index, index))
      }
      expect(await keysOf(store)).toEqual([...HOSTILE_KEYS].sort())
      expect(store.stats().entries).toBe(HOSTILE_KEYS.length)
      for (const [index, key] of HOSTILE_KEYS.entries()) {
        expect(await store.delete(key)).toBe(true)
        expect(store.stats().entries).toBe(HOSTILE_KEYS.length - index - 1)
      }
      await store.close()
    })
  })

  describe('metadata', () => {
    const cases: ReadonlyArray<readonly [string, Partial<Metadata>]> = [
      ['nothing but what must be', {}],
      ['an etag', { etag: 'W/"a, \u00e9 🐿"' }],
      ['an empty etag', { etag: '' }],
      ['no end', { freshUntil: Number.POSITIVE_INFINITY, staleIfErrorUntil: Number.POSITIVE_INFINITY }],
      ['a time to be stale', { freshUntil: 2, staleUntil: 3.5, staleIfErrorUntil: 1 }],
      ['a tag', { tags: ['t'], sequence: 0 }],
      [
        'tags and all else',
        { etag: 'e', tags: ['é 🐿', '#', '{}', 'x'.repeat(256)], sequence: 2 ** 53 - 1, user: { a: 1 } },
      ],
      ['tags and text', { tags: ['a', 'b'], sequence: 7, user: 'two\n\nlines' }],
      ['times that are no whole numbers', { cachedAt: 1.5, freshUntil: 2.25 }],
      ['times before 1970', { cachedAt: -1, freshUntil: -0.5, staleIfErrorUntil: 0 }],
      ['text', { user: 'héllo' }],
      ['null', { user: null }],
      ['false', { user: false }],
      ['zero', { user: 0 }],
      ['objects', { user: { a: [1, 2.5, { b: null }], 'é\0': '🐿', __proto__x: true } }],
      ['much', { user: 'x'.repeat(64 * 1024 - 2) }],
    ]
    test.each(cases)('is given back: %s', async (_, more) => {
      const { store } = await open(make)
      const metadata = metadataFor(3, more)
      await mustPut(store, 'k', bytesOf(3, 'k'), { metadata })
      const entry = await mustFind(store, 'k')
      expect(asGiven(entry.metadata)).toEqual(metadata)
      entry.release()
      expect(await scan(store)).toEqual([['k', metadata]])
      await store.close()
    })

    test('of a negative entry', async () => {
      const { store } = await open(make)
      const metadata = metadataFor(0, { negative: true })
      await mustPut(store, 'k', bytesOf(0, ''), { metadata })
      const entry = await mustFind(store, 'k')
      expect(asGiven(entry.metadata)).toEqual(metadata)
      expect(await entry.read(Buffer.alloc(1), 0)).toBe(0)
      entry.release()
      await store.close()
    })

    test('expired entries are given too: the cache decides what is fresh', async () => {
      const { store } = await open(make)
      const metadata = metadataFor(3, { cachedAt: 1, freshUntil: 2, staleIfErrorUntil: 3 })
      await mustPut(store, 'k', bytesOf(3, 'k'), { metadata })
      expectBytes(await readValue(store, 'k'), bytesOf(3, 'k'))
      await store.close()
    })
  })

  describe('entries', () => {
    test('gives each entry once while others are overwritten, deleted and set', async () => {
      const { store } = await open(make)
      for (let index = 0; index < 100; index += 1) await mustPut(store, `k${index}`, bytesOf(10, index))
      const seen: string[] = []
      for await (const [key] of store.entries()) {
        seen.push(key)
        const index = Number(key.slice(1))
        // Every third ahead is overwritten, every third is deleted, the others stay.
        if (index + 1 < 100 && index % 3 === 0) await mustPut(store, `k${index + 1}`, bytesOf(20, index))
        if (index + 3 < 100 && index % 3 === 0) await store.delete(`k${index + 3 - (index % 2)}`)
        await mustPut(store, key, bytesOf(30, key))
      }
      expect(new Set(seen).size).toBe(seen.length)
      expect(seen.length).toBeGreaterThan(0)
      await store.close()
    })

    test('ends, however many are set meanwhile', async () => {
      const { store } = await open(make)
      for (let index = 0; index < 10; index += 1) await mustPut(store, `k${index}`, bytesOf(10, index))
      let given = 0
      for await (const [key] of store.entries()) {
        given += 1
        if (given > 1000) break
        await store.delete(key)
        await mustPut(store, `new ${given}`, bytesOf(10, key))
        await mustPut(store, key, bytesOf(10, key))
      }
      expect(given).toBeLessThan(1000)
      await store.close()
    })
  })
}
