import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../lib/index.js'
import type { Store } from '../../lib/store/store.js'
import { engines } from '../helpers/file-rig.js'
import { readByTheOther } from '../helpers/other-engine.js'
import { ownLru } from '../helpers/own-lru.js'
import { BOUNDS, bytesOf, jsStore, type MakeStore, metadataFor, open, readAll } from './store-kit.js'

/*
 * `Store.setAll`, of the stores that have it: all or none.
 */

const STORES: Readonly<Record<string, MakeStore>> = {
  'the js engine of memoryStore': ({ maxBytes, maxItemBytes }) => jsStore(maxBytes, maxItemBytes),
  'the js engine of memoryStore, with a policy of the user': ({ maxBytes, maxItemBytes }) =>
    jsStore(maxBytes, maxItemBytes, ownLru()),
  memoryStore: (bounds) => memoryStore(bounds),
  'memoryStore, with a policy of the user': (bounds) => memoryStore({ ...bounds, policy: ownLru() }),
  'memoryStore, compressed': (bounds) => memoryStore({ ...bounds, compression: 'gzip' }),
  ...Object.fromEntries(
    engines().map((engine) => [`the ${engine.name} engine of fileStore`, readByTheOther(engine)]),
  ),
}

const SIZES = [0, 10, 65_536, 70_000]
const values = (seed: string, sizes = SIZES) =>
  sizes.map((size, at) => ({
    key: `k${at}`,
    bytes: bytesOf(size, seed + at),
    metadata: metadataFor(size, { etag: seed }),
  }))

async function etags(store: Store): Promise<Array<string | undefined>> {
  const found: Array<string | undefined> = []
  for (const at of SIZES.keys()) {
    const entry = await store.find(`k${at}`, true)
    found.push(entry?.metadata.etag)
    entry?.release()
  }
  return found
}

describe.each(Object.keys(STORES))('%s sets several values as one', (name) => {
  it('all of them, over what was there', async () => {
    const { store } = await open(STORES[name]!)
    expect(await store.setAll!(values('one'))).toBe(true)
    expect(await store.setAll!(values('two'))).toBe(true)
    expect(await etags(store)).toEqual(SIZES.map(() => 'two'))
    for (const { key, bytes } of values('two')) {
      const entry = await store.find(key)
      expect((await readAll(entry!)).equals(bytes)).toBe(true)
      entry!.release()
    }
    await store.close()
  })

  it('none of them, where one is too large, or all are', async () => {
    const { store } = await open(STORES[name]!)
    await store.setAll!(values('one'))
    expect(await store.setAll!(values('two', [10, 10, 10, BOUNDS.maxItemBytes + 1]))).toBe(false)
    expect(await etags(store)).toEqual(SIZES.map(() => 'one'))
    // More than the store has room for.
    const many = Array.from({ length: 12 }, () => BOUNDS.maxItemBytes)
    expect(await store.setAll!(values('three', many))).toBe(false)
    const left = await etags(store)
    expect(left.filter((etag) => etag !== undefined && etag !== 'one')).toEqual([])
    const { pinnedBytes } = store.stats()
    expect(pinnedBytes).toBeLessThanOrEqual(BOUNDS.maxBytes / 8)
    await store.close()
  })

  it('nothing when it is closed', async () => {
    const { store } = await open(STORES[name]!)
    await store.close()
    expect(await store.setAll!(values('one'))).toBe(false)
  })
})
