import { describe, test } from 'vitest'
import { native } from '../../lib/native/loader.js'
import { aging } from '../../lib/store/aging/aging.js'
import { compressed } from '../../lib/store/compressed/compressed.js'
import { nativeMemoryStore } from '../../lib/store/memory/native.js'
import { DistantStore } from '../helpers/distant-store.js'
import { OwnCompressor } from '../helpers/own-compressor.js'
import { storeConformance } from './store.js'
import { jsStore } from './store-kit.js'

/*
 * A store whose entries say until when it answers with them is a store.
 */

storeConformance('a near store, as a tier with a ttl,', (bounds) =>
  aging(jsStore(bounds.maxBytes, bounds.maxItemBytes), '1h'),
)
storeConformance('a near store, compressed, as a tier with a ttl,', (bounds) =>
  aging(
    compressed(jsStore(bounds.maxBytes, bounds.maxItemBytes), { codec: new OwnCompressor(), minSize: 1 }),
    '1h',
  ),
)
storeConformance('a distant store, as a tier with a ttl,', (bounds) => aging(new DistantStore(bounds), '1h'))

const addon = native()
if (addon === undefined) {
  describe('the native engine, as a tier with a ttl', () => {
    test('is not there on the js path', () => undefined)
  })
} else {
  storeConformance(
    'the native engine, as a tier with a ttl,',
    (bounds) =>
      aging(
        nativeMemoryStore({ policy: 's3-fifo', maxItemFollows: false, ...bounds, name: undefined }, addon),
        '1h',
      ),
    'committed',
  )
}
