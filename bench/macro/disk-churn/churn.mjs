import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { createCache, fileStore, nativeStatus } from '../../../dist/index.js'
import { followParent, fromParent } from '../../shared/child.mjs'
import { randomFrom } from '../../shared/random.mjs'
import { percentile } from '../../shared/statistics.mjs'

/*
 * The process that writes. Values are stretches of the same noise, so that what is read can be compared with what was
 * written without having been kept; half of each repeats itself, so that a codec has something to do.
 */

const PLACES = 2 ** 16
const AT_ONCE = 16
const KEYS_READ = 4

function makeNoise(bytes) {
  const noise = Buffer.alloc(bytes)
  const random = randomFrom(20)
  for (let at = 0; at < bytes; at += 1) noise[at] = at % 128 < 64 ? random() * 256 : at >>> 12
  return noise
}

followParent()
process.send({ type: 'awake' })
const { options, writes, largest, keys, paced } = await fromParent('begin')
const noise = makeNoise(largest + PLACES)
const stretch = (key, version, size) => {
  const place = ((Math.imul(key, 0x9e3779b1) + Math.imul(version, 0x61c88647)) >>> 0) % PLACES
  return noise.subarray(place, place + size)
}

const store = fileStore(options)
const cache = await createCache({ tiers: [store] })
process.send({ type: 'ready', native: nativeStatus().loaded })

const random = randomFrom(7)
const below = (count) => Math.floor(random() * count)
const versions = new Uint32Array(keys)
const sizes = new Uint32Array(keys)
const busy = new Set()
const did = { sets: 0, gets: 0, hits: 0, refused: 0, wrong: 0 }
const gets = []
let written = 0
let version = 0

async function set() {
  const key = below(keys)
  if (busy.has(key)) return
  busy.add(key)
  version += 1
  const mine = version
  // As many of each order of magnitude.
  const size = Math.round(largest ** random())
  try {
    await cache.set(`/${key}`, stretch(key, mine, size), below(8) === 0 ? { ttl: 50 } : {})
    versions[key] = mine
    sizes[key] = size
    written += size
  } catch (error) {
    if (error.code !== 'ERR_DREY_NO_SPACE') throw error
    versions[key] = 0
    did.refused += 1
  } finally {
    busy.delete(key)
  }
  did.sets += 1
}

async function get() {
  // Some keys are asked for again and again: a policy has something to keep.
  const key = below(2) === 0 ? below(Math.ceil(keys / 50)) : below(keys)
  if (busy.has(key)) return
  busy.add(key)
  try {
    const began = performance.now()
    const found = await cache.get(`/${key}`)
    const bytes = await found?.bytes()
    gets.push(performance.now() - began)
    did.gets += 1
    if (bytes === undefined) return
    did.hits += 1
    if (!bytes.equals(stretch(key, versions[key], sizes[key]))) did.wrong += 1
  } finally {
    busy.delete(key)
  }
}

const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
const began = performance.now()
async function write() {
  while (written < writes) {
    if (paced > 0) {
      // So many bytes a second, whatever else there is to do: what reads suffer is then reclaim's doing.
      const due = (written / paced) * 1000 - (performance.now() - began)
      if (due > 0) await new Promise((go) => setTimeout(go, due))
    }
    await set()
  }
}
async function read() {
  while (written < writes) {
    await get()
    await new Promise((go) => setImmediate(go))
  }
}
await Promise.all([...Array.from({ length: AT_ONCE }, write), ...Array.from({ length: KEYS_READ }, read)])
const seconds = (performance.now() - began) / 1000
delay.disable()

let live = 0
const before = store.stats()
for await (const [key, meta] of cache.entries()) live += key.length + meta.size
const after = store.stats()
process.send({
  type: 'churned',
  did,
  written,
  seconds,
  live,
  bytes: after.bytes,
  stats: before,
  get: { p50: percentile(gets, 0.5), p99: percentile(gets, 0.99), p999: percentile(gets, 0.999) },
  loop: delay.percentile(99) / 1e6,
})
await fromParent('end')
await cache.close()
process.disconnect()
