/*
 * What `cache.fetch` costs beside `cache.getSync` where memory has the value: nanoseconds of processor time for a key, median of rounds in which
 * they take turns. `DREY_NATIVE=0` measures the js engines.
 */
import assert from 'node:assert/strict'
import { createCache, memoryStore, nativeStatus } from '../../../dist/index.js'
import { processorTimes } from '../../shared/processor-time.mjs'
import { record } from '../../shared/record.mjs'
import { median } from '../../shared/statistics.mjs'

const KEYS = Array.from({ length: 1000 }, (_, at) => `https://example.com/fetch/${at}`)
const VALUE = Buffer.alloc(1024, 7)

const noOrigin = () => {
  throw new Error('memory has it')
}

export async function suite({ quick }) {
  const cache = await createCache({ tiers: [memoryStore({ maxBytes: '64MiB' })], pressure: false })
  for (const key of KEYS) await cache.set(key, VALUE)
  const works = {
    getSync: () => {
      for (const key of KEYS) if (cache.getSync(key).value.length !== VALUE.length) throw new Error(key)
    },
    'await fetch': async () => {
      for (const key of KEYS) if ((await cache.fetch(key, noOrigin)).status !== 'ok') throw new Error(key)
    },
    'await fetch, await bytes()': async () => {
      for (const key of KEYS) {
        const found = await cache.fetch(key, noOrigin)
        if ((await found.bytes()).length !== VALUE.length) throw new Error(key)
      }
    },
  }
  assert.deepEqual(cache.getSync(KEYS[1]).value, VALUE)
  assert.deepEqual(await (await cache.fetch(KEYS[2], noOrigin)).bytes(), VALUE)
  const how = { rounds: quick ? 9 : 25, times: quick ? 20 : 60 }
  const samples = (await processorTimes(Object.values(works), how)).map((rounds) =>
    rounds.map((ns) => ns / KEYS.length),
  )
  const [sync, ...others] = samples.map(median)
  await cache.close()
  const beyond = others[0] - sync
  return {
    notes: [nativeStatus().loaded ? 'native engines' : 'js engines'],
    table: [
      ['1 KiB, in memory', 'ns', 'beyond getSync'],
      ...Object.keys(works).map((name, at) => {
        const ns = at === 0 ? sync : others[at - 1]
        return [name, ns.toFixed(0), at === 0 ? '' : (ns - sync).toFixed(0)]
      }),
    ],
    records: [
      record({
        id: 'fetch/hit',
        what: 'a hit of 1 KiB in memory',
        unit: 'ns of processor',
        better: 'less',
        samples: Object.fromEntries(Object.keys(works).map((name, at) => [name, samples[at]])),
        ratios: Object.keys(works)
          .slice(1)
          .map((name) => ({ of: [name, 'getSync'] })),
      }),
    ],
    claims: [
      {
        what: 'fetch costs at most 1 µs more than getSync',
        actual: `${beyond.toFixed(0)} ns`,
        holds: beyond <= 1000,
      },
    ],
  }
}
