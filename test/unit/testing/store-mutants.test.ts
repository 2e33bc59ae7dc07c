import { rmSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import type { Draft, Later, Metadata, Store, StoredEntry, WholeValue } from '../../../lib/index.js'
import { native } from '../../../lib/native/loader.js'
import {
  type MakeStore,
  type StoreBounds,
  type StoreCapabilities,
  storeSuite,
} from '../../../lib/testing/index.js'
import { BOUNDS, jsStore } from '../../conformance/store-kit.js'
import { brokenRules } from './broken.js'
import { type Change, folder, ofGuide } from './guide.js'

/*
 * The suite of stores is worth something: each of these breaks one rule, and just that is found. Most are the store of the guide with one bug.
 */

afterAll(() => rmSync(folder, { recursive: true }))

const BUGS: ReadonlyArray<readonly [rule: string, bug: string, changes: readonly Change[]]> = [
  ['S1', 'a draft is committed after abort', [['if (over) return false\n', '']]],
  [
    'S1',
    'a draft that was begun counts as an entry',
    [
      ['const chunks = []', 'let count = (drafts += 1)\n      const chunks = []'],
      ['over = true\n', 'over = true\n        drafts -= count > 0 ? 1 : 0\n'],
      ['let closed = false', 'let closed = false\n  let drafts = 0'],
      ['delete(key) {', 'delete(key) {\n      if (drafts > 0 && !records.has(key)) return true'],
    ],
  ],
  [
    'S2',
    'the first commit wins',
    [
      ['const chunks = []', 'const was = records.get(key)\n      const chunks = []'],
      [
        'if (before !== undefined) remove(before)',
        'if (before !== was) return true\n          if (before !== undefined) remove(before)',
      ],
    ],
  ],
  [
    'S2',
    'a commit keeps the metadata of what it replaces',
    [
      [
        'if (before !== undefined) remove(before)',
        'if (before !== undefined) {\n            remove(before)\n            metadata = { ...before.metadata, size: bytes.length }\n          }',
      ],
    ],
  ],
  [
    'S3',
    'an open entry sees what revise did',
    [['metadata: record.metadata, //', 'get metadata() {\n        return record.metadata\n      }, //']],
  ],
  [
    'S4',
    'what is the reader’s own is the store’s',
    [['read(target, position) {', 'own: () => record.bytes,\n      read(target, position) {']],
  ],
  ['S5', 'a chunk is not copied', [['chunks.push(Buffer.from(chunk))', 'chunks.push(chunk)']]],
  ['S6', 'a value may be of any size', [['length + chunk.length > maxItemBytes || ', '']]],
  ['S6', 'a draft of any size is begun', [['closed || size > maxItemBytes', 'closed']]],
  ['S6', 'room is never refused', [['return used + bytes <= maxBytes\n', 'return true\n']]],
  [
    'S6',
    'drafts do not count',
    [
      ['used -= length\n', ''],
      ['used += chunk.length\n', ''],
    ],
  ],
  ['S6', 'metadata does not count', [[' + 2 * JSON.stringify(metadata).length', '']]],
  ['S6', 'an eviction is not told', [["context.onEvict(key, 'size')", 'void key']]],
  ['S7', 'small entries hold', [['record.bytes.length > IN_HAND', 'true']]],
  [
    'delete',
    'a second delete says that there was one',
    [
      ['delete(key) {', 'delete(key) {\n      if (key === gone) return true\n      gone = key'],
      ['let closed = false', 'let closed = false\n  let gone'],
    ],
  ],
  [
    'clear',
    'one entry stays',
    [
      [
        'clear() {\n      for (const record of [...records.values()]) remove',
        'clear() {\n      for (const record of [...records.values()].slice(records.size > 1 ? 1 : 0)) remove',
      ],
    ],
  ],
  [
    'revise',
    'an entry that is gone is revised',
    [['if (records.get(key) !== record) return false', 'if (!records.has(key)) return false']],
  ],
  [
    'entries',
    'what is set meanwhile is given, too',
    [
      [
        'entries: () => [...records.values()].map(({ key, metadata }) => [key, metadata])',
        '*entries() {\n      for (const { key, metadata } of records.values()) yield [key, metadata]\n    }',
      ],
    ],
  ],
  [
    'metadata',
    'null is nothing',
    [
      [
        '{ key, bytes, metadata, weight,',
        '{ key, bytes, metadata: metadata.user === null ? { ...metadata, user: undefined } : metadata, weight,',
      ],
    ],
  ],
  [
    'keys',
    'keys are normalised',
    [
      [
        'const record = records.get(key)\n      if (record === undefined) return undefined',
        'const record = records.get(key.normalize())\n      if (record === undefined) return undefined',
      ],
    ],
  ],
  [
    'find',
    'what has expired is not given',
    [
      [
        'return open(record)',
        'if (record.metadata.cachedAt === 1) return undefined\n      return open(record)',
      ],
    ],
  ],
  [
    'write',
    'an empty chunk is refused',
    [['write(chunk) {', 'write(chunk) {\n          if (chunk.length === 0) return false']],
  ],
  [
    'read',
    'behind the end is an error',
    [
      [
        'const piece =',
        "if (position > record.bytes.length) throw new RangeError('behind the end')\n        const piece =",
      ],
    ],
  ],
  ['close', 'a draft is committed after close', [['closed = true\n', '']]],
  ['stats', 'it has no name', [["name: 'map'", "name: ''"]]],
  ['capabilities', 'it has what it does not say', [["name: 'map',", "name: 'map',\n    set: () => false,"]]],
]

test('the store of the guide breaks no rule', async () => {
  expect(await brokenRules(storeSuite(await ofGuide<MakeStore>('mapStore')))).toEqual([])
})

// The store of the guide knows nothing of the addon: once is enough. And what takes half of the time is left to the long job.
const bugs = native() === undefined ? BUGS : BUGS.slice(0, 1)
const LONG = /^S6: (entries of all sizes|open entries|metadata) /
const isWanted = (rule: string, name: string): boolean =>
  rule === 'S6' || process.env['DREY_ROUNDS'] !== undefined || !LONG.test(name)

test.each(bugs)('%s: %s', async (rule, _, changes) => {
  const suite = storeSuite(await ofGuide<MakeStore>('mapStore', changes))
  expect(await brokenRules(suite.filter(({ name }) => isWanted(rule, name)))).toEqual([rule])
})

describe('of what a store can do beside', () => {
  const near: StoreCapabilities = { growing: true, views: true, setAll: true }
  const over =
    (change: (store: Store) => Partial<Store>): MakeStore =>
    ({ maxBytes, maxItemBytes }) => {
      const store: Store = jsStore(maxBytes, maxItemBytes)
      const changed = change(store)
      return new Proxy(store, {
        get: (_, name) => {
          const value = Reflect.get(name in changed ? changed : store, name)
          return typeof value === 'function' ? value.bind(store) : value
        },
      })
    }
  const inner = new WeakMap<StoredEntry, StoredEntry>()
  const opened = (of: (entry: StoredEntry) => Partial<StoredEntry>): MakeStore =>
    over((store) => ({
      find: (key, peek) => {
        const entry = store.find(key, peek) as StoredEntry | undefined
        if (entry === undefined) return undefined
        const changed = new Proxy(entry, { get: (target, name) => bound(of(target), target, name) })
        inner.set(changed, entry)
        return changed
      },
      revise: (key, entry, metadata) => store.revise(key, inner.get(entry)!, metadata),
    }))
  const drafted = (of: (draft: Draft) => Partial<Draft>): MakeStore =>
    over((store) => ({
      draft: (key, size) => {
        const draft = store.draft(key, size) as Draft | undefined
        return draft && new Proxy(draft, { get: (target, name) => bound(of(target), target, name) })
      },
    }))

  test('growing: what is held goes with abort', async () => {
    const make = drafted((draft) => ({ growing: { ...growingOf(draft), hold: () => () => undefined } }))
    expect(await brokenRules(storeSuite(make, near))).toEqual(['growing'])
  })

  test('S4: a view is short', async () => {
    const make = opened((entry) =>
      entry.view === undefined ? {} : { view: (position) => entry.view!(position).subarray(0, -1) },
    )
    expect(await brokenRules(storeSuite(make, near))).toEqual(['S4'])
  })

  const put = (store: Store, key: string, bytes: Uint8Array, metadata: Metadata): boolean => {
    const draft = store.draft(key, bytes.length) as Draft | undefined
    return draft !== undefined && (draft.write(bytes) as boolean) && (draft.commit(metadata) as boolean)
  }

  test('set: the metadata of a value that was there stays', async () => {
    const base = await ofGuide<MakeStore>('mapStore')
    const make: MakeStore = async (bounds) => {
      const store = await base(bounds)
      const set: Store['set'] = (key, bytes, metadata) => {
        const before = (store.find(key, true) as StoredEntry | undefined)?.metadata
        return put(store, key, bytes, { ...metadata, ...(before && { etag: 'before' }) })
      }
      return { ...store, set }
    }
    expect(await brokenRules(storeSuite(make, { set: true }))).toEqual(['set'])
  })

  test('setLater: what it is given is taken later', async () => {
    const base = await ofGuide<MakeStore>('mapStore')
    const make: MakeStore = async (bounds) => {
      const store = await base(bounds)
      const setLater: Store['setLater'] = async (key, bytes, metadata) => {
        await new Promise(setImmediate)
        return put(store, key, bytes, metadata)
      }
      return { ...store, setLater }
    }
    expect(await brokenRules(storeSuite(make, { setLater: true }))).toEqual(['setLater'])
  })

  const together = (setAll: (store: Store, values: readonly WholeValue[]) => Later<boolean>) => {
    return async (bounds: StoreBounds): Promise<Store> => {
      const store = await (await ofGuide<MakeStore>('mapStore'))(bounds)
      return { ...store, setAll: (values) => setAll(store, values) }
    }
  }
  const haveRoom = (values: readonly WholeValue[]): boolean =>
    values.length < 9 && values.every(({ bytes }) => bytes.length <= BOUNDS.maxItemBytes)

  test('setAll: nothing is wrong where each is set at once, if all fit', async () => {
    const make = together(
      (store, values) =>
        haveRoom(values) && values.every(({ key, bytes, metadata }) => put(store, key, bytes, metadata)),
    )
    const suite = storeSuite(make, { setAll: true }).filter(({ rule }) => rule === 'setAll')
    // It is not told that it is closed.
    expect(suite.length).toBeGreaterThan(4)
    expect(await brokenRules(suite)).toEqual([])
  })

  test.each<[string, (store: Store, values: readonly WholeValue[]) => Later<boolean>]>([
    [
      'those before the first that does not fit are set',
      (store, values) => values.every(({ key, bytes, metadata }) => put(store, key, bytes, metadata)),
    ],
    [
      'those that fit are set, and it says that all are',
      (store, values) => {
        for (const { key, bytes, metadata } of values) put(store, key, bytes, metadata)
        return true
      },
    ],
    [
      'they are set one after the other',
      async (store, values) => {
        if (!haveRoom(values)) return false
        for (const { key, bytes, metadata } of values.toReversed()) {
          if (!put(store, key, bytes, metadata)) return false
          await new Promise(setImmediate)
        }
        return true
      },
    ],
  ])('setAll: %s', async (_, setAll) => {
    const suite = storeSuite(together(setAll), { setAll: true })
    const wanted = suite.filter(({ rule, name }) => isWanted(rule, name))
    expect(await brokenRules(wanted)).toEqual(['setAll'])
  })

  test('reopen: nothing is there again', async () => {
    const make = await ofGuide<MakeStore>('mapStore')
    expect(await brokenRules(storeSuite(make, { reopen: make }))).toEqual(['reopen'])
  })

  test('keeps nothing: something is kept', async () => {
    const make = await ofGuide<MakeStore>('mapStore')
    expect(await brokenRules(storeSuite(make, { keeps: 'nothing' }))).toContain('draft')
  })
})

function growingOf(draft: Draft): NonNullable<Draft['growing']> {
  const growing = draft.growing!
  return {
    read: (target, position) => growing.read(target, position),
    view: (position) => growing.view(position),
    hold: () => growing.hold(),
  }
}

function bound<T extends object>(changed: Partial<T>, target: T, name: string | symbol): unknown {
  if (Object.hasOwn(changed, name)) return changed[name as keyof T]
  const value: unknown = Reflect.get(target, name)
  return typeof value === 'function' ? value.bind(target) : value
}
