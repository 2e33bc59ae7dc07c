import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { native } from '../../lib/native/loader.js'
import { type Event, violations } from './history.js'

/** How long the threads run: a minute and more by hand, a few seconds with all other tests. */
const SECONDS = Number(process.env['DREY_SECONDS'] ?? 4)

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

describe('a history', () => {
  const history = (...events: Event[]): string[] => violations(events)
  const set: Event = ['set', 'k', 0, 1, 1, 1]

  it('is right when what is read is the last write, or one that overlaps', () => {
    expect(history(set, ['read', 'k', 2, 3, 1, 1])).toEqual([])
    expect(history(set, ['set', 'k', 2, 5, 2, 1], ['read', 'k', 3, 4, 1, 1])).toEqual([])
    expect(history(set, ['set', 'k', 0.5, 2, 2, 1], ['read', 'k', 3, 4, 1, 1])).toEqual([])
    expect(history(['fill', 'k', 0, Infinity, 1, 1], ['read', 'k', 2, 3, 1, 1])).toEqual([])
  })

  it('is wrong when it is older, deleted, or not yet written', () => {
    expect(history(set, ['set', 'k', 2, 3, 2, 1], ['read', 'k', 4, 5, 1, 1])).toHaveLength(1)
    expect(history(set, ['delete', 'k', 2, 3, 0, 0], ['read', 'k', 4, 5, 1, 1])).toHaveLength(1)
    expect(history(['set', 'k', 8, 9, 1, 1], ['read', 'k', 4, 5, 1, 1])).toHaveLength(1)
    const fill: Event = ['fill', 'k', 0, Infinity, 1, 1]
    expect(history(fill, ['delete', 'k', 1, 2, 0, 0], ['read', 'k', 4, 5, 1, 1])).toHaveLength(1)
  })
})

describe.skipIf(native() === undefined)('four threads at the same keys', () => {
  it.each(['w-tinylfu', 's3-fifo'])(
    'give the last or an overlapping write, or nothing: %s',
    async (policy) => {
      const keys = Array.from({ length: 12 }, (_, at) => `key ${at}`)
      const options = { name: `history ${policy}`, maxBytes: 4 * 2 ** 20, policy }
      const until = Date.now() + SECONDS * 1000
      const seed = Date.now() >>> 0
      const outcomes = await Promise.all(
        [1, 2, 3, 4].map((writer) =>
          churn({ options, writer, keys, until, seed: seed + writer * 7919, clears: true }),
        ),
      )
      const all = outcomes.flatMap(({ history }) => history)
      const reads = all.filter(([kind]) => kind === 'read').length
      expect(violations(all), `seed ${seed}`).toEqual([])
      expect(reads).toBeGreaterThan(100)
      console.log(`${policy}: ${all.length} events, ${reads} reads in ${SECONDS} s`)
    },
    SECONDS * 1000 + 60_000,
  )
})
