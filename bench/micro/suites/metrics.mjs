/*
 * What metrics cost: nanoseconds of processor time for a key that memory has, with metrics off, sampled as by default, and of every call; the median of
 * rounds in which they take turns. And what one recorded time costs. `DREY_NATIVE=0` measures the js engines.
 */
import { createCache, memoryStore, nativeStatus } from '../../../dist/index.js'
import { Histogram } from '../../../dist/metrics/histogram.js'
import { processorTimes } from '../../shared/processor-time.mjs'
import { record } from '../../shared/record.mjs'
import { median } from '../../shared/statistics.mjs'

const KEYS = Array.from({ length: 1000 }, (_, at) => `https://example.com/fetch/${at}`)
const VALUE = Buffer.alloc(1024, 7)
const TIMES = Float64Array.from({ length: 1000 }, () => 2 ** (10 + Math.random() * 20))

const SETTINGS = [
  ['off', false],
  ['1 of 64, the default', true],
  ['every call', { sampling: 1 }],
]

const noOrigin = () => {
  throw new Error('memory has it')
}

/** Nanoseconds for a key, of each round, by setting. */
async function measure(caches, work, how) {
  const times = await processorTimes(
    caches.map((cache) => () => work(cache)),
    how,
  )
  return times.map((rounds) => rounds.map((ns) => ns / KEYS.length))
}

export async function suite({ quick }) {
  const caches = []
  for (const [, metrics] of SETTINGS) {
    const cache = await createCache({ tiers: [memoryStore({ maxBytes: '64MiB' })], pressure: false, metrics })
    for (const key of KEYS) await cache.set(key, VALUE)
    caches.push(cache)
  }
  const how = { rounds: quick ? 9 : 25, times: quick ? 20 : 60 }
  const sync = await measure(
    caches,
    (cache) => {
      for (const key of KEYS) if (cache.getSync(key).value.length !== VALUE.length) throw new Error(key)
    },
    how,
  )
  const fetched = await measure(
    caches,
    async (cache) => {
      for (const key of KEYS) {
        const found = await cache.fetch(key, noOrigin)
        if ((await found.bytes()).length !== VALUE.length) throw new Error(key)
      }
    },
    how,
  )
  const histogram = new Histogram()
  const [histogramTimes] = await processorTimes(
    [
      () => {
        for (const time of TIMES) histogram.record(time)
      },
    ],
    how,
  )
  await Promise.all(caches.map((cache) => cache.close()))
  const claim = (what, times, most) => {
    const ratio = median(times[1]) / median(times[0])
    return { what: `${what}: at most ${most} × with metrics`, actual: ratio.toFixed(3), holds: ratio <= most }
  }
  const shown = (times, at) => [
    median(times[at]).toFixed(0),
    `${(median(times[at]) / median(times[0])).toFixed(3)} ×`,
  ]
  const recorded = median(histogramTimes) / TIMES.length
  const kept = (call, times) =>
    record({
      id: `metrics/${call}`,
      what: `${call} of 1 KiB in memory, with metrics and without`,
      unit: 'ns of processor',
      better: 'less',
      samples: Object.fromEntries(SETTINGS.map(([name], at) => [name, times[at]])),
      ratios: SETTINGS.slice(1).map(([name]) => ({ of: [name, SETTINGS[0][0]] })),
    })
  return {
    notes: [
      nativeStatus().loaded ? 'native engines' : 'js engines',
      `a time that is recorded: ${recorded.toFixed(1)} ns`,
    ],
    table: [
      ['1 KiB, in memory', 'getSync, ns', '', 'fetch and bytes(), ns', ''],
      ...SETTINGS.map(([name], at) => [name, ...shown(sync, at), ...shown(fetched, at)]),
    ],
    records: [kept('getSync', sync), kept('fetch', fetched)],
    claims: [
      claim('getSync', sync, 1.1),
      claim('fetch', fetched, 1.1),
      { what: 'a record costs at most 50 ns', actual: `${recorded.toFixed(1)} ns`, holds: recorded <= 50 },
    ],
  }
}
