/*
 * What a call for 64 keys costs beside 64 calls for one, of a cache over a memory store and over a file store: nanoseconds of processor time of
 * all threads for a key, median of rounds in which the two take turns. `DREY_NATIVE=0` measures the js engines.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCache, fileStore, memoryStore, nativeStatus } from '../../../dist/index.js'
import { processorTimes } from '../../shared/processor-time.mjs'
import { record } from '../../shared/record.mjs'
import { median } from '../../shared/statistics.mjs'

const KEYS = Array.from({ length: 64 }, (_, at) => `https://example.com/batch/${at}`)
const ROUNDS = { full: 15, quick: 7 }

function worksOf(cache) {
  const body = Buffer.alloc(1024, 7)
  const entries = KEYS.map((key) => ({ key, body }))
  const each = (call) => () => Promise.all(KEYS.map(call))
  return {
    getMany: [each((key) => cache.get(key)), () => cache.getMany(KEYS)],
    setMany: [each((key) => cache.set(key, body)), () => cache.setMany(entries)],
    'setMany, atomic': [each((key) => cache.set(key, body)), () => cache.setMany(entries, { atomic: true })],
    'deleteMany, of nothing': [
      each((key) => cache.delete(`no ${key}`)),
      () => cache.deleteMany(KEYS.map((key) => `no ${key}`)),
    ],
  }
}

/** What is measured gives what was set. */
async function assertRight(cache) {
  const body = Buffer.alloc(1024, 9)
  await cache.setMany(
    KEYS.map((key) => ({ key, body })),
    { atomic: true },
  )
  for (const found of await cache.getMany(KEYS)) assert.deepEqual(await found.bytes(), body)
}

export async function suite({ quick }) {
  const rounds = quick ? ROUNDS.quick : ROUNDS.full
  const table = [['', '64 calls, ns a key', 'one call, ns a key', 'calls ÷ call']]
  const records = []
  const dir = mkdtempSync(join(tmpdir(), 'drey-bench-'))
  const stores = {
    memory: [memoryStore({ maxBytes: '64MiB' }), quick ? 200 : 1000],
    file: [fileStore({ dir, maxBytes: '256MiB', minFree: 0 }), quick ? 20 : 60],
  }
  try {
    for (const [name, [store, times]] of Object.entries(stores)) {
      const cache = await createCache({ tiers: [store], pressure: false })
      await assertRight(cache)
      for (const [what, [single, batch]] of Object.entries(worksOf(cache))) {
        const costs = await processorTimes([single, batch], { rounds, times })
        const [all, one] = costs.map((rounds) => rounds.map((ns) => ns / KEYS.length))
        const [calls, call] = [median(all), median(one)]
        records.push(
          record({
            id: `batch/${name}: ${what}`,
            what: `${what} of 64 keys, ${name} store`,
            unit: 'ns of processor a key',
            better: 'less',
            samples: { 'one call': one, '64 calls': all },
            ratios: [{ of: ['one call', '64 calls'] }],
          }),
        )
        table.push([`${name}: ${what}`, calls.toFixed(0), call.toFixed(0), (calls / call).toFixed(2)])
      }
      await cache.close()
    }
  } finally {
    rmSync(dir, { recursive: true })
  }
  return { notes: [nativeStatus().loaded ? 'native engines' : 'js engines'], table, records }
}
