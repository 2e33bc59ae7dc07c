import { parentPort, workerData } from 'node:worker_threads'
import { createCache, memoryStore } from '../../dist/index.js'
import { bufferPool } from './buffer-pool.mjs'

/*
 * A worker thread that keeps a shared store busy in every way until it is terminated, or ends by itself at a place that
 * `workerData.exitAt` chooses.
 */

const { options, exitAt } = workerData
let steps = 0

function mayExit() {
  steps += 1
  if (steps === exitAt) process.exit(0)
}

async function* slowly(size) {
  for (let at = 0; at < size; at += 40_000) {
    yield Buffer.alloc(Math.min(40_000, size - at), 0x61)
    mayExit()
    await new Promise(setImmediate)
  }
}

const cache = await createCache({ bufferPool, tiers: [memoryStore(options)] })
parentPort.postMessage('open')
mayExit()

async function fill(key, size) {
  const answer = await cache.fetch(key, () => ({ body: slowly(size), ...(size % 2 === 0 ? { size } : {}) }))
  mayExit()
  for await (const _ of answer) mayExit()
}

async function write(key, size) {
  const writer = cache.writer(key)
  for await (const piece of slowly(size)) writer.write(piece)
  writer.end()
  await new Promise((resolve) => writer.once('finish', resolve))
}

async function hold(key) {
  // Left open on purpose: what it pins has to come back when the thread goes.
  const found = await cache.get(key)
  mayExit()
  if (found?.status === 'ok') await found[Symbol.asyncIterator]().next()
}

for (let round = 0; ; round += 1) {
  const key = `key ${round % 5}`
  await Promise.allSettled([
    fill(key, 300_001),
    fill(`own ${round}`, 200_000),
    write(`written ${round % 3}`, 150_000),
    hold(key),
  ])
  mayExit()
  cache.getSync(key)
  if (round % 7 === 6) await cache.delete(key)
}
