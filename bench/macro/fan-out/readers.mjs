import { createHash } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { createCache, memoryStore } from '../../../dist/index.js'
import { followParent, fromParent } from '../../shared/child.mjs'
import { randomFrom } from '../../shared/random.mjs'

/*
 * The process under test: a cache, and readers that join one fill at random moments, hash what they read as it
 * comes, and keep nothing.
 */

followParent()

const cache = await createCache({ tiers: [memoryStore({ maxBytes: '256MiB', maxItemBytes: '128MiB' })] })

process.send({ type: 'awake' })
const { url, size, readers, seed, pauseMs } = await fromParent('prepare')
// The HTTP client loads its parser at its first request: that is none of what is measured.
await (await request(url, { method: 'HEAD' })).body.dump()
process.send({ type: 'ready' })
await fromParent('go')

const loop = monitorEventLoopDelay({ resolution: 5 })
loop.enable()
const random = randomFrom(seed)
// The first begins the fill; the others wait for a moment of it, so that each joins mid-stream however fast it goes.
const joinAt = Array.from({ length: readers - 1 }, () => Math.floor(random() * size * 0.98)).sort(
  (a, b) => a - b,
)
const began = performance.now()
const running = []

async function* watched(body) {
  let arrived = 0
  for await (const piece of body) {
    arrived += piece.length
    while (joinAt.length > 0 && joinAt[0] <= arrived) {
      joinAt.shift()
      running.push(read(running.length))
    }
    yield piece
  }
}

async function fetcher({ signal }) {
  const { body, headers } = await request(url, { signal })
  return { body: watched(body), size: Number(headers['content-length']) }
}

async function read(number) {
  const found = await cache.fetch('/body', fetcher)
  const hash = createHash('sha256')
  // The second reader is the slow one: it stops halfway, while the fill is still on its way.
  const slow = pauseMs > 0 && number === 1
  let pauseAt = slow ? size / 2 : Number.POSITIVE_INFINITY
  let bytes = 0
  for await (const piece of found) {
    hash.update(piece)
    bytes += piece.length
    if (bytes >= pauseAt) {
      pauseAt = Number.POSITIVE_INFINITY
      await sleep(pauseMs)
    }
  }
  return {
    outcome: found.outcome,
    slow,
    bytes,
    sha256: hash.digest('hex'),
    finishedMs: performance.now() - began,
  }
}

running.push(read(0))
// Readers start while others run: the list is complete when its end is reached.
const results = []
for (let at = 0; at < running.length; at += 1) results.push(await running[at])

loop.disable()
const loopDelay = {
  p50Ms: loop.percentile(50) / 1e6,
  p99Ms: loop.percentile(99) / 1e6,
  maxMs: loop.max / 1e6,
}
process.send({ type: 'done', results, fills: cache.stats().fills, loopDelay })
await fromParent('end')
await cache.close()
process.disconnect()
