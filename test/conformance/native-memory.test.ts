import { describe, test } from 'vitest'
import { native } from '../../lib/native/loader.js'
import { nativeMemoryStore } from '../../lib/store/memory/native.js'
import { ownLru } from '../helpers/own-lru.js'
import { storeConformance } from './store.js'

const addon = native()
if (addon === undefined) {
  describe('the native engine of memoryStore', () => {
    test('is not there on the js path', () => undefined)
  })
} else {
  const config = { policy: 's3-fifo', maxItemFollows: false } as const
  storeConformance(
    'the native engine of memoryStore',
    (bounds) => nativeMemoryStore({ ...config, ...bounds, name: undefined }, addon),
    'committed',
    { maxBytes: '3MiB', policy: 'lfu' },
  )
  storeConformance(
    'the native engine of memoryStore, with a policy of the user',
    (bounds) => nativeMemoryStore({ ...config, ...bounds, name: undefined, policy: ownLru() }, addon),
    'committed',
    { maxBytes: '3MiB', policy: 'lfu' },
  )
  let stores = 0
  storeConformance(
    'the native engine of memoryStore, with a name',
    (bounds) => {
      stores += 1
      return nativeMemoryStore({ ...config, ...bounds, name: `conformance ${stores}` }, addon)
    },
    'committed',
    { maxBytes: '3MiB', policy: 'lfu' },
  )
}
