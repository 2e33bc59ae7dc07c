import { open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { BufferPool } from '../../dist/buffers/pool.js'

/*
 * A thread with a pool of its own, that ends with Buffers out: some held, some lost, some being read into. As `workerData` says it
 * exits by itself, throws, or goes on until it is terminated.
 */

const pool = new BufferPool({ maxBytes: '16MiB', maxIdle: '100ms' })
const held = []
for (let at = 0; at < 40; at += 1) held.push(pool.get(4096 * (1 + (at % 30))).fill(at))
for (let at = 0; at < 40; at += 3) pool.put(held[at])
const file = await open(fileURLToPath(import.meta.url))
const reads = held.filter((_, at) => at % 3 === 1).map((buffer) => file.read(buffer, 0, 1000, 0))
const { active } = pool.stats()
if (workerData.how === 'message') {
  // A copy of what it holds; the memory itself stays.
  parentPort.postMessage({ active: active.count, bytes: Uint8Array.from(held[1]) })
  await Promise.all(reads)
} else {
  parentPort.postMessage({ active: active.count, bytes: Uint8Array.from(held[1]) })
}
if (workerData.how === 'exit') process.exit(0)
if (workerData.how === 'throw') throw new Error('told to')
if (workerData.how === 'terminate') {
  for (;;) {
    const buffer = pool.get(65536).fill(1)
    await file.read(buffer, 0, 100, 0)
    if (Math.random() < 0.9) pool.put(buffer)
  }
}
await file.close()
