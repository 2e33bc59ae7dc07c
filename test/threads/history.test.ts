import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { native } from '../../lib/native/loader.js'
import { type Read, type Removal, type Value, violations } from '../helpers/history.js'

/** How long the threads run: a minute and more by hand, a few seconds with all other tests. */
const SECONDS = Number(process.env['DREY_SECONDS'] ?? 4)

/** One thing that a thread did: from when to when, and which of its values it was about. */
type Event = readonly [
  kind: 'read' | 'fetched' | 'set' | 'fill' | 'delete',
  key: string,
  start: number,
  end: number,
  writer: number,
  sequence: number,
]

interface Outcome {
  readonly history: Event[]
  readonly pinned: number
}

function churn(workerData: object): Promise<Outcome> {
  const worker = new Worker(new URL('churn.mjs', import.meta.url), { workerData })
  return new Promise((resolve, reject) => {
    worker.on('message', (told) => 'history' in told && resolve(told))
    worker.on('error', reject)
    worker.on('exit', () => reject(new Error('the thread is gone')))
  })
}

/** What is wrong with what threads did. */
function wrongIn(history: readonly Event[]): string[] {
  const values = new Map<number, Value>()
  const reads: Read[] = []
  const removals: Removal[] = []
  for (const [kind, key, start, end, writer, sequence] of history) {
    const id = sequence * 16 + writer
    if (kind === 'delete') removals.push({ key, start, end })
    else if (kind === 'set' || kind === 'fill') values.set(id, { id, key, kind, start, end, done: true })
    else reads.push({ key, value: id, start, end, stored: kind === 'read' })
  }
  // Of a set that failed, or that its thread did not live to tell of, nothing is known.
  const told = reads.filter(({ value }) => values.has(value))
  return violations({ values: values.values(), reads: told, removals, ordered: false })
}

describe.skipIf(native() === undefined)('four threads at the same keys', () => {
  it.each(['w-tinylfu', 's3-fifo'])(
    'give the last or an overlapping write, or nothing: %s',
    async (policy) => {
      const keys = Array.from({ length: 12 }, (_, at) => `key ${at}`)
      const options = { name: `history ${policy}`, maxBytes: 4 * 2 ** 20, policy }
      const until = Date.now() + SECONDS * 1000
      const seed = Number(process.env['DREY_SEED'] ?? Date.now()) >>> 0
      const outcomes = await Promise.all(
        [1, 2, 3, 4].map((writer) =>
          churn({ options, writer, keys, until, seed: seed + writer * 7919, clears: true }),
        ),
      )
      const all = outcomes.flatMap(({ history }) => history)
      const reads = all.filter(([kind]) => kind === 'read' || kind === 'fetched').length
      expect(wrongIn(all), `seed ${seed}`).toEqual([])
      expect(reads).toBeGreaterThan(100)
      console.log(`${policy}: ${all.length} events, ${reads} reads in ${SECONDS} s`)
    },
    SECONDS * 1000 + 60_000,
  )
})
