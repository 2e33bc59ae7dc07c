import { MAX_KEY_BYTES } from '../../keys.js'
import type { Metadata } from '../../store/store.js'
import { holds, same, sameBytes } from '../check.js'
import type { Case } from '../suite.js'
import {
  bytesOf,
  keysOf,
  type MakeStore,
  metadataFor,
  mustFind,
  mustMiss,
  mustPut,
  type Opened,
  readAll,
  readValue,
  sameMetadata,
  sameStats,
  scan,
  storeCase,
} from './kit.js'

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

const KINDS_OF_METADATA: ReadonlyArray<readonly [string, Partial<Metadata>]> = [
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

/** Keys, metadata, and going through them. */
export function keyCases(make: MakeStore): Case[] {
  const check = (rule: string, what: string, run: (opened: Opened) => Promise<void>): Case =>
    storeCase(make, rule, what, run)
  return [
    check('keys', 'of any kind name one entry each', async ({ store }) => {
      for (const key of HOSTILE_KEYS) await mustMiss(store, key)
      for (const [index, key] of HOSTILE_KEYS.entries()) await mustPut(store, key, bytesOf(50 + index, index))
      for (const [index, key] of HOSTILE_KEYS.entries()) {
        const shown = JSON.stringify(key.slice(0, 40))
        sameBytes(await readValue(store, key), bytesOf(50 + index, index), `the value of ${shown}`)
      }
      same(await keysOf(store), [...HOSTILE_KEYS].sort(), 'the keys of entries()')
      await sameStats(store, { entries: HOSTILE_KEYS.length }, 'with all of them there')
      for (const [index, key] of HOSTILE_KEYS.entries()) {
        same(await store.delete(key), true, `what delete says of ${JSON.stringify(key.slice(0, 40))}`)
        await sameStats(store, { entries: HOSTILE_KEYS.length - index - 1 }, 'after that')
      }
    }),
    ...KINDS_OF_METADATA.map(([kind, more]) =>
      check('metadata', `is given back: ${kind}`, async ({ store }) => {
        const metadata = metadataFor(3, more)
        await mustPut(store, 'k', bytesOf(3, 'k'), { metadata })
        const entry = await mustFind(store, 'k')
        sameMetadata(entry.metadata, metadata)
        entry.release()
        const all = await scan(store)
        same(
          all.map(([key]) => key),
          ['k'],
          'the keys of entries()',
        )
        sameMetadata(all[0]![1], metadata, 'the metadata that entries() gives')
      }),
    ),
    check('metadata', 'is given back: of a negative entry', async ({ store }) => {
      const metadata = metadataFor(0, { negative: true })
      await mustPut(store, 'k', bytesOf(0, ''), { metadata })
      const entry = await mustFind(store, 'k')
      sameMetadata(entry.metadata, metadata)
      same(await entry.read(Buffer.alloc(1), 0), 0, 'what read says of no value')
      entry.release()
    }),
    check('find', 'gives expired entries, too: the cache decides what is fresh', async ({ store }) => {
      const metadata = metadataFor(3, { cachedAt: 1, freshUntil: 2, staleIfErrorUntil: 3 })
      await mustPut(store, 'k', bytesOf(3, 'k'), { metadata })
      sameBytes(await readValue(store, 'k'), bytesOf(3, 'k'), 'the value that has expired')
    }),
    check(
      'revise',
      'replaces the metadata of the entry that was opened, and only of that',
      async (opened) => {
        const { store } = opened
        const value = bytesOf(70_000, 'value')
        const before = metadataFor(value.length, { etag: '"1"' })
        await mustPut(store, 'k', value, { metadata: before })
        const entry = await mustFind(store, 'k')
        const revised = metadataFor(value.length, { etag: '"1"', freshUntil: 2e12, user: { n: 1 } })
        same(await store.revise('k', entry, revised), true, 'what revise says of the entry that the key has')
        const again = await mustFind(store, 'k')
        sameMetadata(again.metadata, revised, 'the metadata after revise')
        sameBytes(await readAll(again), value, 'the value after revise')
        again.release()

        same(await store.revise('other', entry, revised), false, 'what revise says of another key')
        await mustPut(store, 'k', bytesOf(10, 'newer'))
        same(await store.revise('k', entry, revised), false, 'what revise says after the key was overwritten')
        same(await store.delete('k'), true, 'what delete says')
        same(await store.revise('k', entry, revised), false, 'what revise says after the key was deleted')
        await mustMiss(store, 'k')
        entry.release()
        await sameStats(store, { pinnedBytes: 0 }, 'after all is released')
      },
    ),
    check('entries', 'gives each once while others are overwritten, deleted and set', async ({ store }) => {
      for (let index = 0; index < 100; index += 1) await mustPut(store, `k${index}`, bytesOf(10, index))
      const seen: string[] = []
      for await (const [key] of store.entries()) {
        seen.push(key)
        // One that gives what is set meanwhile has no end.
        if (seen.length > 1000) break
        const index = Number(key.slice(1))
        // Every third ahead is overwritten, every third is deleted, the others stay.
        if (index + 1 < 100 && index % 3 === 0) await mustPut(store, `k${index + 1}`, bytesOf(20, index))
        if (index + 3 < 100 && index % 3 === 0) await store.delete(`k${index + 3 - (index % 2)}`)
        await mustPut(store, key, bytesOf(30, key))
      }
      same(new Set(seen).size, seen.length, 'how many different keys, beside how many keys')
      holds(seen.length > 0, 'how many keys', 'more than 0', seen.length)
    }),
    check('entries', 'end, however many are set meanwhile', async ({ store }) => {
      for (let index = 0; index < 10; index += 1) await mustPut(store, `k${index}`, bytesOf(10, index))
      let given = 0
      for await (const [key] of store.entries()) {
        given += 1
        if (given > 1000) break
        await store.delete(key)
        await mustPut(store, `new ${given}`, bytesOf(10, key))
        await mustPut(store, key, bytesOf(10, key))
      }
      holds(given < 1000, 'entries() of a store of ten entries', 'an end', `${given} entries`)
    }),
  ]
}
