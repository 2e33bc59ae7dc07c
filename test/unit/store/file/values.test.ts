import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCache } from '../../../../lib/cache/create.js'
import { fileStore } from '../../../../lib/store/file/index.js'
import { IN_HAND, type Metadata, type Store } from '../../../../lib/store/store.js'
import {
  bytesOf,
  expectBytes,
  keysOf,
  metadataFor,
  mustFind,
  readValue,
} from '../../../conformance/store-kit.js'
import { emptyDir, enginesOfPath, opened } from '../../../helpers/file-rig.js'

/* Values that are there already: in one call where the engine has it, and as a draft where not. */

const MiB = 1024 * 1024

/** Sets `bytes`, which the caller may use again at once. */
async function setIn(store: Store, key: string, bytes: Buffer, metadata?: Metadata): Promise<boolean> {
  const what = metadata ?? metadataFor(bytes.length)
  // What is larger stays as it is until it is stored.
  const mine = bytes.length > IN_HAND || store.setLater === undefined ? Buffer.from(bytes) : bytes
  if (store.setLater !== undefined) return store.setLater(key, mine, what)
  const draft = await store.draft(key, mine.length)
  if (draft === undefined) return false
  const kept = (await draft.write(mine)) && (await draft.commit(what))
  if (!kept) draft.abort()
  return kept
}

describe.each(enginesOfPath())('values in hand, $name', ({ make }) => {
  test('of every size come back as they were when they were given, after a restart, too', async () => {
    const dir = emptyDir()
    const limits = { dir, maxBytes: 32 * MiB, maxItemBytes: 4 * MiB, segmentBytes: MiB, packLimit: 32 * 1024 }
    const sizes = [0, 1, 100, 4096, 32 * 1024, 32 * 1024 + 1, IN_HAND, IN_HAND + 1, 256 * 1024, MiB + 7]
    let store = await opened(make(limits))
    const kept = await Promise.all(
      sizes.map((size) => {
        const bytes = bytesOf(size, size)
        const set = setIn(store, `key ${size}`, bytes)
        bytes.fill(0)
        return set
      }),
    )
    expect(kept).toEqual(sizes.map(() => true))
    for (const size of sizes) expectBytes(await readValue(store, `key ${size}`), bytesOf(size, size))
    await store.close()
    store = await opened(make(limits))
    for (const size of sizes) expectBytes(await readValue(store, `key ${size}`), bytesOf(size, size))
    await store.close()
  })

  test('keep their metadata', async () => {
    const store = await opened(make())
    const rich = metadataFor(9, {
      etag: '"é"',
      user: { type: 'text/plain' },
      negative: false,
      freshUntil: 7,
      staleUntil: 7,
    })
    const plain = metadataFor(9, {
      freshUntil: Number.POSITIVE_INFINITY,
      staleUntil: Number.POSITIVE_INFINITY,
      staleIfErrorUntil: Number.POSITIVE_INFINITY,
    })
    for (const metadata of [rich, plain]) {
      expect(await setIn(store, 'k', bytesOf(9, 1), metadata)).toBe(true)
      expect((await mustFind(store, 'k')).metadata).toEqual(metadata)
    }
    await store.close()
  })

  test('are stored or removed in the order in which that was asked for, within one turn', async () => {
    const step = fc.record({
      what: fc.constantFrom('set', 'delete', 'clear'),
      key: fc.constantFrom('a', 'b'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const store = await opened(make())
        const expected = new Map<string, Buffer>()
        const asked = steps.map(({ what, key }, at) => {
          if (what === 'delete') {
            expected.delete(key)
            return store.delete(key)
          }
          if (what === 'clear') {
            expected.clear()
            return store.clear()
          }
          const bytes = bytesOf(20 + at, at)
          expected.set(key, bytes)
          return store.setLater === undefined ? undefined : setIn(store, key, bytes)
        })
        // Drafts have an order of their own: theirs is asked for one after the other.
        if (store.setLater === undefined) {
          await Promise.all(asked)
          for (const [key, bytes] of expected) await setIn(store, key, bytes)
        }
        await Promise.all(asked)
        expect((await keysOf(store)).sort()).toEqual([...expected.keys()].sort())
        for (const [key, bytes] of expected) expectBytes(await readValue(store, key), bytes)
        await store.close()
      }),
      { numRuns: 30 },
    )
  })

  test('are refused when they are too large, are not what their metadata say, or the store is closed', async () => {
    const store = await opened(make({ maxItemBytes: 100_000 }))
    expect(await setIn(store, 'k', bytesOf(100_001, 1))).toBe(false)
    expect(await setIn(store, 'k', bytesOf(10, 1), metadataFor(11))).toBe(false)
    expect(await setIn(store, 'k', bytesOf(10, 1), metadataFor(10, { cachedAt: Number.NaN }))).toBe(false)
    expect(await store.find('k')).toBeUndefined()
    expect(store.stats().refusals).toBeGreaterThan(0)
    await store.close()
    expect(await store.setLater?.('k', bytesOf(10, 1), metadataFor(10))).toBe(
      store.setLater === undefined ? undefined : false,
    )
  })

  test('are all stored when more are set at once than the addon takes', async () => {
    const store = await opened(make({ maxBytes: 32 * MiB, segmentBytes: MiB }))
    const count = 6000
    const value = bytesOf(50, 1)
    const kept = await Promise.all(Array.from({ length: count }, (_, at) => setIn(store, `k${at}`, value)))
    expect(kept.every(Boolean)).toBe(true)
    expect(store.stats().entries).toBe(count)
    await store.close()
  })

  test('that were set in the turn of the close are there afterwards, or were not acknowledged', async () => {
    const dir = emptyDir()
    const store = await opened(make({ dir }))
    const set = setIn(store, 'k', bytesOf(10, 1))
    const closed = store.close()
    const kept = await set.catch(() => false)
    await closed
    const again = await opened(make({ dir }))
    if (kept) expectBytes(await readValue(again, 'k'), bytesOf(10, 1))
    await again.close()
  })
})

test('a cache over one file store: a set, a delete and a set of one key in one turn', async () => {
  const dir = emptyDir()
  const cache = await createCache({ tiers: [fileStore({ dir, maxBytes: 64 * MiB, minFree: 0 })] })
  const large = bytesOf(200_000, 'large')
  const given = Buffer.from(large)
  const first = cache.set('k', 'one')
  const removed = cache.delete('k')
  const last = cache.set('k', given)
  // Bytes are taken before the call returns.
  given.fill(0)
  await Promise.all([first, removed, last])
  const found = await cache.get('k')
  expect(found?.status === 'ok' && (await found.bytes()).equals(large)).toBe(true)
  await cache.close()
  expect(readFileSync(join(dir, 'DREY')).length).toBe(1024)
})
