import { describe, test } from 'vitest'
import { native } from '../../lib/native/loader.js'
import { compressed } from '../../lib/store/compressed/compressed.js'
import { nativeMemoryStore } from '../../lib/store/memory/native.js'
import { DistantStore } from '../helpers/distant-store.js'
import { OwnCompressor } from '../helpers/own-compressor.js'
import { storeConformance } from './store.js'
import { jsStore } from './store-kit.js'

/*
 * A store that compresses is a store: where everything gets smaller, and where nothing does.
 */

const own = (): { codec: OwnCompressor; minSize: number } => ({ codec: new OwnCompressor(), minSize: 1 })

storeConformance('a near store, compressed,', (bounds) =>
  compressed(jsStore(bounds.maxBytes, bounds.maxItemBytes), own()),
)
storeConformance('a near store, where compressing does not pay,', (bounds) =>
  compressed(jsStore(bounds.maxBytes, bounds.maxItemBytes), { codec: 'lz4', minRatio: 50 }),
)
storeConformance('a distant store, compressed,', (bounds) => compressed(new DistantStore(bounds), own()))
storeConformance('a distant store, where compressing does not pay,', (bounds) =>
  compressed(new DistantStore(bounds), { codec: 'gzip', minRatio: 50 }),
)

const addon = native()
if (addon === undefined) {
  describe('the native engine, compressed', () => {
    test('is not there on the js path', () => undefined)
  })
} else {
  storeConformance(
    'the native engine, compressed,',
    (bounds) =>
      compressed(
        nativeMemoryStore({ policy: 's3-fifo', maxItemFollows: false, ...bounds, name: undefined }, addon),
        own(),
      ),
    'committed',
  )
}
