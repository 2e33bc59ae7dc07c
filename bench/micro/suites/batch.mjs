/*
 * What a call for 64 keys costs beside 64 calls for one, of a cache over a memory store and over a file store: nanoseconds of processor time of
 * all threads for a key, median of rounds in which the two take turns. `DREY_NATIVE=0` measures the js engines.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCache, fileStore, memoryStore, nativeStatus } from '../../../dist/index.js'

const KEYS = Array.from({ length: 64 }, (_, at) => `https://example.com/batch/${at}`)
const ROUNDS = { full: 15, quick: 7 }

async function cost(work, times) {
  const before = process.cpuUsage()
  for (let count = 0; count < times; count += 1) await work()
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / (times * KEYS.length)
}

const median = (all) => all.toSorted((a, b) => a - b)[all.length >> 1]

async function compare(rounds, times, single, batch) {
  const costs = [[], []]
  for (let round = 0; round <= rounds; round += 1) {
    for (const [at, work] of [single, batch].entries()) {
      const ns = await cost(work, times)
      // The first warms up.
      if (round > 0) costs[at].push(ns)
    }
  }
  return costs.map(median)
}

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

export async function suite({ quick }) {
  const rounds = quick ? ROUNDS.quick : ROUNDS.full
  const table = [['', '64 calls, ns a key', 'one call, ns a key', 'calls ÷ call']]
  const dir = mkdtempSync(join(tmpdir(), 'drey-bench-'))
  const stores = {
    memory: [memoryStore({ maxBytes: '64MiB' }), quick ? 200 : 1000],
    file: [fileStore({ dir, maxBytes: '256MiB', minFree: 0 }), quick ? 20 : 60],
  }
  try {
    for (const [name, [store, times]] of Object.entries(stores)) {
      const cache = await createCache({ tiers: [store], pressure: false })
      for (const [what, [single, batch]] of Object.entries(worksOf(cache))) {
        const [calls, call] = await compare(rounds, times, single, batch)
        table.push([`${name}: ${what}`, calls.toFixed(0), call.toFixed(0), (calls / call).toFixed(2)])
      }
      await cache.close()
    }
  } finally {
    rmSync(dir, { recursive: true })
  }
  return { notes: [nativeStatus().loaded ? 'native engines' : 'js engines'], table }
}
