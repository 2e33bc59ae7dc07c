import type { Store } from '../../lib/store/store.js'
import { TieredStore } from '../../lib/store/tiered/tiered.js'
import { DistantStore } from '../helpers/distant-store.js'
import { storeConformance } from './store.js'
import { jsStore, type StoreBounds } from './store-kit.js'

// What is written in the background holds entries of the first tier open for a while, which the suite takes for a leak: the other
// policies are the model's.
const over =
  (make: (bounds: StoreBounds) => Store[]) =>
  (bounds: StoreBounds): Store =>
    new TieredStore(make(bounds), {
      promotion: 'always',
      writePolicy: 'first',
      concurrency: 4,
      queue: 100,
      queueBytes: 2 ** 24,
      fences: 10_000,
    })

storeConformance(
  'memory above a distant store',
  over(({ maxBytes, maxItemBytes }) => [
    jsStore(maxBytes, maxItemBytes),
    new DistantStore({ maxBytes, maxItemBytes }),
  ]),
)

storeConformance(
  'a distant store above another',
  over((bounds) => [new DistantStore(bounds), new DistantStore(bounds)]),
)
