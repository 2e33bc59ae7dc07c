import { parentPort, workerData } from 'node:worker_threads'
import { createCache, memoryStore } from '../../dist/index.js'
import { bufferPool } from './buffer-pool.mjs'

/*
 * A worker thread that reads, writes, deletes and fills a few keys of a shared store at random, and keeps a history of
 * it: who did what from when to when, by the monotonic clock that all threads of a process share.
 */

const { options, writer, keys, seed, until, clears } = workerData
const SIZES = [0, 1, 500, 4096, 20_000, 65_536, 65_537, 150_000, 400_000]

let state = seed
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}
const now = () => Number(process.hrtime.bigint())

let sequence = 0
function newValue(key) {
  sequence += 1
  const size = SIZES[random(SIZES.length)]
  const head = `${key}|${writer}|${sequence}|${size}|`
  const value = Buffer.alloc(head.length + size, (sequence * 31 + writer) & 0xff)
  value.write(head)
  return { value, sequence }
}

/** Which write the bytes are of; throws when they are not those of one. */
function writeOf(key, bytes) {
  const [ofKey, by, number, size] = bytes.subarray(0, 64).toString('latin1').split('|')
  const head = `${ofKey}|${by}|${number}|${size}|`
  const fill = (Number(number) * 31 + Number(by)) & 0xff
  const whole =
    ofKey === key &&
    bytes.length === head.length + Number(size) &&
    bytes.subarray(head.length).every((byte) => byte === fill)
  if (!whole) throw new Error(`torn or foreign: ${bytes.length} bytes for ${key}, beginning ${head}`)
  return [Number(by), Number(number)]
}

async function* inPieces(value) {
  for (let at = 0; at < value.length; at += 60_000) {
    yield value.subarray(at, at + 60_000)
    if (random(3) === 0) await new Promise(setImmediate)
  }
}

/** Of each: kind, key, start, end, writer and sequence of the value. */
const history = []

async function fetchOne(cache, key) {
  const start = now()
  const answer = await cache.fetch(key, () => {
    const made = newValue(key)
    history.push(['fill', key, now(), Infinity, writer, made.sequence])
    return { body: inPieces(made.value) }
  })
  const bytes = await answer.bytes()
  history.push(['fetched', key, start, now(), ...writeOf(key, bytes)])
}

async function readOne(cache, key) {
  const start = now()
  const found = random(2) === 0 ? cache.getSync(key) : await cache.get(key)
  if (found === undefined) return
  const bytes = 'value' in found ? found.value : await found.bytes()
  history.push(['read', key, start, now(), ...writeOf(key, bytes)])
}

async function setOne(cache, key) {
  const made = newValue(key)
  const start = now()
  await cache.set(key, random(2) === 0 ? made.value : inPieces(made.value))
  history.push(['set', key, start, now(), writer, made.sequence])
}

async function step(cache) {
  const key = keys[random(keys.length)]
  const what = random(100)
  if (what < 40) return readOne(cache, key)
  if (what < 65) return fetchOne(cache, key)
  if (what < 90) return setOne(cache, key)
  const start = now()
  if (what < 99 || !clears) {
    await cache.delete(key)
    history.push(['delete', key, start, now(), 0, 0])
  } else {
    await cache.clear()
    const end = now()
    for (const each of keys) history.push(['delete', each, start, end, 0, 0])
  }
}

// A leader that goes breaks bodies off, and a store that is in use has no room: neither is a wrong answer.
const EXPECTED = new Set(['ERR_DREY_TRUNCATED', 'ERR_DREY_NO_SPACE', 'ERR_DREY_ABORTED'])

async function run(cache) {
  while (Date.now() < until) {
    try {
      await step(cache)
    } catch (error) {
      if (!EXPECTED.has(error.code)) throw error
    }
    // Others of this thread, and news of flights, have their turn.
    if (random(8) === 0) await new Promise(setImmediate)
  }
}

const cache = await createCache({ bufferPool, tiers: [memoryStore(options)] })
parentPort.postMessage({ started: true })
await Promise.all([run(cache), run(cache), run(cache)])
parentPort.postMessage({ history, pinned: cache.stats().tiers[0].pinnedBytes })
await cache.close()
