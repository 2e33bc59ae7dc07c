import { parentPort, workerData } from 'node:worker_threads'
import { createCache, memoryStore } from '../../dist/index.js'
import { bufferPool } from './buffer-pool.mjs'

/*
 * A thread that sets atomic batches under the same keys as others do, and looks all of them up: at once, and one after the other. It says what
 * it found that is not whole.
 */

const { store, keys, rounds, id } = workerData
const cache = await createCache({ bufferPool, pressure: false, tiers: [memoryStore(store)] })
const names = Array.from({ length: keys }, (_, at) => `key ${at}`)
const wrong = []
let found = 0

const sizeOf = (at, round) => [20, 3000, 70_000][(at + round) % 3]

for (let round = 1; round <= rounds; round += 1) {
  // Numbers of all threads are different, and those of one grow.
  const version = round * 100 + id
  const entries = names.map((key, at) => ({
    key,
    body: Buffer.alloc(sizeOf(at, version), `${version};`),
    etag: `"${version}"`,
  }))
  // The last batch of a thread is of the smallest, so that not all of them are large at once.
  if (round % 2 === id % 2) await cache.setMany(entries, { atomic: true })
  const answers = await cache.getMany(names)
  const versions = new Set()
  for (const answer of answers) {
    if (answer === undefined) continue
    versions.add(answer.meta.etag)
    const bytes = await answer.bytes()
    const said = answer.meta.etag.slice(1, -1)
    if (!bytes.subarray(0, said.length + 1).equals(Buffer.from(`${said};`))) wrong.push(`torn: ${said}`)
    found += 1
  }
  if (versions.size > 1) wrong.push(`getMany: ${[...versions].join()}`)
}
await cache.close()
parentPort.postMessage({ wrong, found })
