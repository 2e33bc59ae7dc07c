import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCache, memoryPressure, memoryStore, nativeStatus } from '../../../dist/index.js'

/*
 * A server that caches, in a group with little memory: `node --expose-gc child.mjs STORE_BYTES`. Something else in it takes memory until the
 * level is critical, holds on to it, and gives it back. Lines of JSON say what became of that.
 */

const MiB = 2 ** 20
const maxBytes = Number(process.argv[2])
const KEYS = Math.ceil((2 * maxBytes) / 24_000)
const HELD_MS = 4000

const store = memoryStore({ maxBytes })
const cache = await createCache({ tiers: [store] })
const pressure = memoryPressure()
const delay = monitorEventLoopDelay({ resolution: 5 })
const begun = performance.now()
const say = (what) =>
  process.stdout.write(`${JSON.stringify({ at: Math.round(performance.now() - begun), ...what })}\n`)
const show = (event) => {
  const { level, factor, ratio, source } = pressure.current()
  const { rss } = process.memoryUsage()
  say({ event, level, factor, ratio, source, store: store.stats().bytes, rss, taken: taken.length * 4 * MiB })
}

const counts = { requests: 0, failures: 0 }
let going = true
let taken = []

const bodyOf = (key) => Buffer.alloc(4000 + ((key * 7919) % 40_000), key & 255)

async function request() {
  const key = Math.floor(Math.random() * KEYS)
  counts.requests += 1
  try {
    const answer = await cache.fetch(`key ${key}`, async () => ({ body: bodyOf(key) }))
    if (!bodyOf(key).equals(await answer.bytes())) throw new Error(`key ${key}: wrong bytes`)
  } catch (error) {
    counts.failures += 1
    if (counts.failures < 5) say({ event: 'failure', message: String(error) })
  }
}

async function load() {
  while (going) {
    for (let at = 0; at < 20; at += 1) await request()
    await sleep(1)
  }
}

async function until(condition, ms) {
  const end = performance.now() + ms
  while (!condition() && performance.now() < end) await sleep(20)
  return condition()
}

const loads = [1, 2, 3, 4].map(load)
await until(() => store.stats().bytes > 0.9 * maxBytes, 60_000)
cache.on('pressure', () => show('level'))
show('full')
delay.enable()
// Something that leaks, until the detector says critical.
while (pressure.current().level !== 'critical') {
  taken.push(Buffer.alloc(4 * MiB, 1))
  await sleep(30)
}
const gaveWay = await until(() => store.stats().bytes <= 0.2 * maxBytes, 5000)
show('gave way')
let most = 0
const end = performance.now() + HELD_MS
while (performance.now() < end && pressure.current().level === 'critical') {
  most = Math.max(most, store.stats().bytes)
  await sleep(20)
}
show('held')
taken = []
globalThis.gc()
const calm = await until(() => pressure.current().level === 'none', 30_000)
const grown = await until(() => store.stats().bytes > 0.8 * maxBytes, 60_000)
show('grown back')
delay.disable()
going = false
await Promise.all(loads)
const { samples, changes, msAt, ratios, failures, cost } = pressure.stats()
say({
  event: 'done',
  engine: nativeStatus().loaded ? 'native' : 'js',
  ...counts,
  gaveWay,
  most,
  calm,
  grown,
  loopMs: { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
  pressure: { samples, changes, msAt, ratios, failures, cost },
})
await cache.close()
