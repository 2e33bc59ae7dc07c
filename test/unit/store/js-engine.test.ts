import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ConfigError } from '../../../lib/errors.js'
import { ENTRY_OVERHEAD } from '../../../lib/store/memory/entry.js'
import { CHUNK_OVERHEAD } from '../../../lib/store/memory/value.js'
import { type Draft, IN_HAND, type Store, type StoredEntry } from '../../../lib/store/store.js'
import {
  bytesOf,
  expectBytes,
  jsStore,
  keysOf,
  metadataFor,
  mustPut,
  put,
  readValue,
} from '../../conformance/store-kit.js'

/** What an entry of `size` bytes in one chunk costs under a key of one letter. */
const costOf = (size: number): number => ENTRY_OVERHEAD + 1 + size + CHUNK_OVERHEAD

interface Made {
  readonly store: Store
  readonly evicted: string[]
}

function make(maxBytes: number, maxItemBytes = maxBytes, maxHeads?: number): Made {
  const store = jsStore(maxBytes, maxItemBytes, 'lru', maxHeads)
  const evicted: string[] = []
  store.open({ now: () => 0, onEvict: (key) => void evicted.push(key), hearsEvictions: () => true })
  return { store, evicted }
}

const draftOf = (store: Store, key: string, size?: number): Draft => store.draft(key, size) as Draft
const findIn = (store: Store, key: string, peek?: boolean): StoredEntry =>
  store.find(key, peek) as StoredEntry

async function fill(store: Store, keys: string, size = 1000): Promise<void> {
  for (const key of keys) await mustPut(store, key, bytesOf(size, key))
}

describe('the order of use', () => {
  test('decides who goes: the least recently used first', async () => {
    const { store, evicted } = make(3 * costOf(1000))
    await fill(store, 'abc')
    findIn(store, 'a').release()
    await fill(store, 'd')
    expect(evicted).toEqual(['b'])
    await fill(store, 'ef')
    expect(evicted).toEqual(['b', 'c', 'a'])
    expect(store.stats()).toMatchObject({ entries: 3, evictions: 3, bytes: 3 * costOf(1000) })
  })

  test('does not change by peeking', async () => {
    const { store, evicted } = make(3 * costOf(1000))
    await fill(store, 'abc')
    findIn(store, 'a', true).release()
    await fill(store, 'd')
    expect(evicted).toEqual(['a'])
  })

  test('counts an overwrite as a use, and a revision not: who revises has found the entry before', async () => {
    const { store, evicted } = make(4 * costOf(1000))
    await fill(store, 'abc')
    await fill(store, 'a')
    const b = findIn(store, 'b', true)
    expect(store.revise('b', b, metadataFor(1000))).toBe(true)
    await fill(store, 'def')
    expect(evicted).toEqual(['b', 'c'])
  })

  test('spares what is open, which then counts as used', async () => {
    const size = IN_HAND + 1
    const cost = ENTRY_OVERHEAD + 1 + size + 2 * CHUNK_OVERHEAD
    const { store, evicted } = make(3 * cost)
    await fill(store, 'abc', size)
    const a = findIn(store, 'a', true)
    await fill(store, 'd', size)
    expect(evicted).toEqual(['b'])
    a.release()
    await fill(store, 'ef', size)
    expect(evicted).toEqual(['b', 'c', 'a'])
  })
})

describe('room', () => {
  test('is full to the byte', async () => {
    const { store, evicted } = make(2 * costOf(1000))
    await fill(store, 'ab')
    expect(store.stats().bytes).toBe(store.stats().maxBytes)
    expect(evicted).toEqual([])
    const less = make(2 * costOf(1000) - 1)
    await fill(less.store, 'ab')
    expect(less.evicted).toEqual(['a'])
  })

  test('is taken by a draft from its beginning', () => {
    const { store } = make(10 * (ENTRY_OVERHEAD + 1))
    const drafts = [...'abcdefghij'].map((key) => draftOf(store, key))
    expect(store.stats()).toMatchObject({
      bytes: store.stats().maxBytes,
      pinnedBytes: store.stats().maxBytes,
    })
    expect(store.draft('k', undefined)).toBeUndefined()
    expect(store.stats().refusals).toBe(1)
    drafts[0]!.abort()
    expect(store.draft('k', undefined)).toBeDefined()
  })

  test('is not made in vain for a value that cannot fit beside what is in use', async () => {
    const { store, evicted } = make(200_000)
    await fill(store, 'a', 100_000)
    const open = findIn(store, 'a')
    await fill(store, 'b', 50_000)
    expect(store.draft('c', 150_000)).toBeUndefined()
    expect(await put(store, 'd', bytesOf(150_000, 'd'), { declared: undefined, piece: 150_000 })).toBe(false)
    expect(evicted).toEqual([])
    expect(await keysOf(store)).toEqual(['a', 'b'])
    open.release()
    await fill(store, 'c', 150_000)
    expect(evicted).toEqual(['a', 'b'])
  })

  test('counts a draft as refused once, however often it is tried', async () => {
    const { store } = make(100_000)
    const draft = draftOf(store, 'a')
    for (let tries = 0; tries < 3; tries += 1) expect(draft.write(bytesOf(200_000, 'a'))).toBe(false)
    expect(draft.write(bytesOf(10, 'a'))).toBe(true)
    expect(draft.commit(metadataFor(10, { user: 'x'.repeat(100_000) }))).toBe(false)
    expect(store.stats()).toMatchObject({ refusals: 1, bytes: 0, pinnedBytes: 0, entries: 0 })
    draft.abort()
    expect(draft.write(bytesOf(10, 'a'))).toBe(false)
    expect(store.stats().refusals).toBe(1)
  })

  test('for metadata that does not fit is not made by dropping the entry itself', async () => {
    const { store, evicted } = make(100_000)
    await fill(store, 'ab', 10_000)
    const a = findIn(store, 'a')
    expect(store.revise('a', a, metadataFor(10_000, { user: 'x'.repeat(100_000) }))).toBe(false)
    expect(evicted).toEqual([])
    expectBytes(await readValue(store, 'a'), bytesOf(10_000, 'a'))
  })

  test('on the JS heap is bounded too: entries that are nearly all head do not outgrow it', async () => {
    const { store, evicted } = make(100_000_000, 1000, 5 * (ENTRY_OVERHEAD + 1))
    await fill(store, 'abcdefgh', 0)
    expect(await keysOf(store)).toEqual(['d', 'e', 'f', 'g', 'h'])
    expect(evicted).toEqual(['a', 'b', 'c'])
    expect(store.stats().bytes).toBe(5 * (ENTRY_OVERHEAD + 1))
    expect(
      await put(store, 'i', bytesOf(0, 'i'), { metadata: metadataFor(0, { user: 'x'.repeat(5000) }) }),
    ).toBe(false)
  })
})

describe('what an untrimmed value costs', () => {
  test('is what was allocated, until nobody may have a view of it', async () => {
    const { store } = make(1_000_000)
    const head = ENTRY_OVERHEAD + 1
    const draft = draftOf(store, 'a')
    const letGo = draft.growing!.hold()
    draft.write(bytesOf(4000, 1))
    draft.write(bytesOf(4000, 2))
    const grown = 4096 + 16_384 + 2 * CHUNK_OVERHEAD
    expect(store.stats()).toMatchObject({ bytes: head + grown, pinnedBytes: head + grown })
    draft.commit(metadataFor(8000))
    expect(store.stats()).toMatchObject({ bytes: head + grown, pinnedBytes: head + grown })
    letGo()
    expect(store.stats()).toMatchObject({ bytes: costOf(8000), pinnedBytes: 0 })
    store.delete('a')
    expect(store.stats().bytes).toBe(0)
  })

  test('is given back by a commit when nobody holds it', () => {
    const { store } = make(1_000_000)
    const draft = draftOf(store, 'a')
    draft.write(bytesOf(100, 1))
    expect(store.stats().bytes).toBe(ENTRY_OVERHEAD + 1 + 4096 + CHUNK_OVERHEAD)
    draft.commit(metadataFor(100))
    expect(store.stats().bytes).toBe(costOf(100))
  })
})

describe('evictions are told', () => {
  test('when the change that made them is done, so that the listener finds the store whole', async () => {
    const seen: string[][] = []
    const store = jsStore(3 * costOf(1000), 1000, 'lru')
    store.open({
      now: () => 0,
      hearsEvictions: () => true,
      onEvict: (key) => {
        // Calls back into the store, as a listener of the cache may.
        seen.push([
          key,
          ...[...(store.entries() as Iterable<readonly [string, unknown]>)].map(([there]) => there),
        ])
        expect(store.find(key)).toBeUndefined()
        store.delete('c')
        const { bytes, pinnedBytes, maxBytes } = store.stats()
        expect(pinnedBytes).toBeLessThanOrEqual(bytes)
        expect(bytes).toBeLessThanOrEqual(maxBytes)
      },
    })
    await fill(store, 'abc')
    const draft = draftOf(store, 'd', 1000)
    draft.write(bytesOf(1000, 'd'))
    draft.commit(metadataFor(1000))
    expect(seen).toEqual([['a', 'b', 'c']])
    expect(await keysOf(store)).toEqual(['b', 'd'])
    expect(store.stats()).toMatchObject({ bytes: 2 * costOf(1000), pinnedBytes: 0, evictions: 1 })
  })

  test('without recursion to a listener that sets again what went', async () => {
    const told: string[] = []
    let depth = 0
    const store = jsStore(2 * costOf(1000), 1000, 'lru')
    store.open({
      now: () => 0,
      hearsEvictions: () => true,
      onEvict: (key) => {
        told.push(key)
        depth += 1
        expect(depth).toBe(1)
        const draft = draftOf(store, key, 1000)
        expect(draft.write(bytesOf(1000, key))).toBe(true)
        expect(draft.commit(metadataFor(1000))).toBe(true)
        depth -= 1
      },
    })
    await fill(store, 'abc')
    expect(told.length).toBeGreaterThan(0)
    await fill(store, 'd')
    expect(store.stats()).toMatchObject({ entries: 2, bytes: 2 * costOf(1000), pinnedBytes: 0 })
    expect(store.stats().evictions).toBeGreaterThan(told.length)
  })
})

describe('the life of the store', () => {
  test('belongs to one cache', () => {
    const { store } = make(100_000)
    expect(() => store.open({ now: () => 0, onEvict: () => undefined, hearsEvictions: () => true })).toThrow(
      ConfigError,
    )
  })

  test('ends with nothing kept: entries, drafts begun before and drafts begun after', async () => {
    const { store } = make(1_000_000)
    await fill(store, 'ab')
    const draft = draftOf(store, 'c', 1000)
    draft.write(bytesOf(1000, 'c'))
    store.close()
    expect(store.draft('d', undefined)).toBeUndefined()
    expect(draft.commit(metadataFor(1000))).toBe(false)
    expect(store.find('a')).toBeUndefined()
    expect(store.stats()).toMatchObject({ entries: 0, bytes: 0, pinnedBytes: 0 })
  })

  test('does not let a draft be held that is gone', () => {
    const { store } = make(1_000_000)
    const draft = draftOf(store, 'a', 10)
    draft.abort()
    expect(() => draft.growing!.hold()).toThrow('held')
    expect(store.stats()).toMatchObject({ bytes: 0, pinnedBytes: 0 })
  })
})

describe('when the system refuses memory', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  test('a write is refused as by a full store, and nothing is lost', async () => {
    const { store } = make(10_000_000)
    await fill(store, 'a', 100_000)
    const before = store.stats().bytes
    const draft = draftOf(store, 'b', 200_000)
    expect(draft.write(bytesOf(100_000, 'b'))).toBe(true)
    vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation(() => {
      throw new RangeError('Array buffer allocation failed')
    })
    expect(draft.write(bytesOf(100_000, 'more'))).toBe(false)
    expectBytes(Buffer.from(draft.growing!.view(0)), bytesOf(100_000, 'b').subarray(0, 65_536))
    draft.abort()
    expect(store.stats()).toMatchObject({ bytes: before, pinnedBytes: 0, refusals: 1 })
    vi.restoreAllMocks()
    expectBytes(await readValue(store, 'a'), bytesOf(100_000, 'a'))
  })
})

test('a key that was cut out of a large text does not keep the text alive', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { store } = make(100_000_000)
  collect()
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < 50; index += 1) {
    const text = Buffer.alloc(1_000_000, 97 + (index % 20)).toString('latin1')
    await mustPut(store, `${index}`.padStart(3, '0') + text.slice(100, 140), bytesOf(1, index))
    await mustPut(store, text.slice(0, 40 + index), bytesOf(1, index))
  }
  collect()
  // Without a copy of the keys it would be 50 MB.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000)
})
