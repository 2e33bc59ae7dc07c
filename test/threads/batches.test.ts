import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { native } from '../../lib/native/loader.js'

/*
 * Threads that set atomic batches under the same keys of a store that has a name: each finds, at every moment, all of one batch.
 * `DREY_BATCHES` is how many rounds each thread makes.
 */

const ROUNDS = Number(process.env['DREY_BATCHES'] ?? 100)
const WORKER = new URL('batches.mjs', import.meta.url)

interface Told {
  readonly wrong: readonly string[]
  readonly found: number
}

function run(workerData: object): Promise<Told> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER, { workerData })
    worker.on('message', resolve)
    worker.on('error', reject)
    worker.on('exit', (code) => reject(new Error(`the thread ended with ${code}`)))
  })
}

describe.skipIf(native() === undefined)('atomic batches of several threads', () => {
  it.each([16, 128])('are found whole, in a store of %d MiB', { timeout: 120_000 }, async (size) => {
    const store = { name: `batches of ${size}`, maxBytes: size * 2 ** 20 }
    const told = await Promise.all([1, 2, 3].map((id) => run({ store, keys: 24, rounds: ROUNDS, id })))
    expect(told.flatMap(({ wrong }) => wrong)).toEqual([])
    for (const { found } of told) expect(found).toBeGreaterThan(0)
  })
})
