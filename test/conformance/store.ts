import { describe } from 'vitest'
import { IN_HAND } from '../../lib/store/store.js'
import { boundTests } from './store-bounds.js'
import { draftTests } from './store-drafts.js'
import { growingTests } from './store-growing.js'
import { keyTests } from './store-keys.js'
import { begin, bytesOf, type MakeStore, mustFind, mustPut, open } from './store-kit.js'
import { readTests } from './store-reads.js'

export type { MakeStore, StoreBounds } from './store-kit.js'

/**
 * What every store must do: S1 to S7 of the `Store` contract and the promise of each method. `make` is called
 * once for each test. Growing reads and views are checked where the store has them. `bytes`: what its statistics count,
 * the bytes of what lives in it, or those that it has committed for that.
 */
export function storeConformance(name: string, make: MakeStore, bytes: 'live' | 'committed' = 'live'): void {
  describe(`${name} keeps the contract of a store`, async () => {
    const { growing, views } = await capabilities(make)
    draftTests(make)
    readTests(make, views)
    boundTests(make)
    keyTests(make)
    if (growing) growingTests(make, bytes)
  })
}

async function capabilities(make: MakeStore): Promise<{ growing: boolean; views: boolean }> {
  const { store } = await open(make)
  const draft = await begin(store, 'probe')
  const growing = draft.growing !== undefined
  draft.abort()
  await mustPut(store, 'probe', bytesOf(IN_HAND + 1, 'probe'))
  const entry = await mustFind(store, 'probe')
  const views = entry.view !== undefined
  entry.release()
  await store.close()
  return { growing, views }
}
