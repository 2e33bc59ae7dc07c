import { once } from 'node:events'
import { createServer } from 'node:net'
import { GCProfiler, getHeapStatistics } from 'node:v8'
import { followParent, fromParent } from '../../shared/child.mjs'
import { ArenaStore } from './arena-store.mjs'

/*
 * The process under test: `node server.mjs POOL`, a cache for each workload, and a server that answers a line, the name of a
 * workload and a key, with the value. The origin gives views of bytes that are there, and the far store copies to and from an
 * arena, so that what is allocated is the cache's and the sockets'.
 */

followParent()

const SIZE = 2 ** 20
const PIECE = 64 * 1024
const SLOTS = 64

/** Bytes of Buffers that were allocated: V8 counts those that are there, and frees them between its collections. */
let buffers = 0
for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow', 'from', 'concat']) {
  const own = Buffer[name]
  Buffer[name] = (...given) => {
    const buffer = own.apply(Buffer, given)
    // A Buffer over memory that is there already allocates none.
    if (!(name === 'from' && given[0] instanceof ArrayBuffer)) buffers += buffer.length
    return buffer
  }
}

const { createCache, memoryStore } = await import('../../../dist/index.js')
const bufferPool = process.argv[2] === 'on'

const bytes = Buffer.alloc(SIZE)
for (let at = 0; at < SIZE; at += 1) bytes[at] = (at * 7 + (at >> 8) * 13) & 0xff

async function* pieces() {
  for (let at = 0; at < SIZE; at += PIECE) yield bytes.subarray(at, at + PIECE)
}

const near = () => memoryStore({ maxBytes: '96MiB', maxItemBytes: '8MiB' })
const far = () => new ArenaStore(SLOTS, SIZE)
const made = async (store) => createCache({ tiers: [store], bufferPool, pressure: false })
const near1 = await made(near())
const far1 = await made(far())
const passing = await made(near())
const WORKLOADS = {
  'near, hits': near1,
  'near, misses': near1,
  'far, hits': far1,
  'far, misses': far1,
  'not kept': passing,
}

const server = createServer((socket) => {
  socket.once('data', (line) => {
    const [workload, key] = line.toString('latin1').trim().split(';')
    const cache = WORKLOADS[workload]
    const result = { body: pieces(), size: SIZE, store: cache !== passing }
    cache
      .fetch(key, () => result)
      .then((found) => found.writeTo(socket))
      .catch((error) => socket.destroy(error))
  })
  // The client sees that it has too few bytes.
  socket.on('error', () => undefined)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
process.send({ type: 'ready', port: server.address().port, size: SIZE })

/** Bytes of the JS heap that were allocated meanwhile, and what the collections took. */
function heapOf(start, { statistics }, end) {
  let allocated = 0
  let used = start
  let microseconds = 0
  for (const { beforeGC, afterGC, cost } of statistics) {
    allocated += beforeGC.heapStatistics.usedHeapSize - used
    used = afterGC.heapStatistics.usedHeapSize
    microseconds += cost
  }
  return { heap: allocated + end - used, gcMs: microseconds / 1000 }
}

for (;;) {
  const { workload } = await fromParent('begin')
  const profiler = new GCProfiler()
  const start = getHeapStatistics().used_heap_size
  profiler.start()
  buffers = 0
  const cpu = process.cpuUsage()
  process.send({ type: 'begun' })
  await fromParent('stop')
  const { user, system } = process.cpuUsage(cpu)
  const allocated = buffers
  const { heap, gcMs } = heapOf(start, profiler.stop(), getHeapStatistics().used_heap_size)
  const { pool } = WORKLOADS[workload].stats()
  process.send({
    type: 'measured',
    heap,
    gcMs,
    buffers: allocated,
    cpuMs: (user + system) / 1000,
    held: pool?.heldBytes ?? 0,
    out: pool?.active.count ?? 0,
  })
}
