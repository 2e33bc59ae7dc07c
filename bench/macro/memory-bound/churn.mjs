import { constants, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { createCache, memoryStore, nativeStatus } from '../../../dist/index.js'
import { followParent, fromParent } from '../../shared/child.mjs'
import { createWorkload } from './workload.mjs'

/*
 * The process whose memory is measured. It does the same work over a small store first, which stays open: what a
 * process takes for itself when it works at all (code, connections, a JS heap of the size that V8 gives to a process
 * that is busy) is none of what the store under test adds.
 */

const WARM_UP_BYTES = 16 * 2 ** 20
const WARM_UP_OPERATIONS = 20_000
/** Full collections after which the heap is about as large as it gets. */
const WARM_UP_COLLECTIONS = 4
const TURNOVERS = 10
const HEAP_LOOKED_AT_EVERY = 64

async function open(spec) {
  const { maxBytes, largest } = spec
  const store = memoryStore({ maxBytes, maxItemBytes: Math.max(largest, maxBytes / 8) })
  const cache = await createCache({ tiers: [store] })
  return { store, cache, ...createWorkload({ ...spec, cache, store }) }
}

followParent()
process.send({ type: 'awake' })
const spec = await fromParent('prepare')

let collections = 0
const observer = new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) {
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections += 1
  }
})
observer.observe({ entryTypes: ['gc'] })
const small = await open({ ...spec, maxBytes: WARM_UP_BYTES, keys: Math.ceil(spec.keys / 10) })
const { store, cache, figures, run } = await open(spec)

let operations = 0
await small.run(() => {
  operations += 1
  return operations > WARM_UP_OPERATIONS && collections >= WARM_UP_COLLECTIONS
})
observer.disconnect()
const heapBytes = () => getHeapStatistics().total_heap_size
const heapBefore = heapBytes()
process.send({ type: 'ready', native: nativeStatus().loaded })

await fromParent('churn')
let heap = heapBefore
await run(() => {
  operations += 1
  if (operations % HEAP_LOOKED_AT_EVERY === 0) heap = Math.max(heap, heapBytes())
  return figures.written >= TURNOVERS * spec.maxBytes
})
process.send({
  type: 'churned',
  ...figures,
  // The checker has seen those of both.
  sent: figures.sent + small.figures.sent,
  sentInPart: figures.sentInPart + small.figures.sentInPart,
  heapGrown: heap - heapBefore,
  stats: store.stats(),
})
await fromParent('end')
await Promise.all([cache.close(), small.cache.close()])
process.disconnect()
