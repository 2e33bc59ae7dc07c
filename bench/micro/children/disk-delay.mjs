/*
 * In a process of its own: how late the event loop is while much goes through a file store, and while nothing does, or a
 * plain file is copied: a machine that is shared is late by itself.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCache, fileStore } from '../../../dist/index.js'
import { followParent } from '../../shared/child.mjs'

followParent()
const [, dir, given] = process.argv.slice(2)
const bytes = Number(given)
const MiB = 2 ** 20
const VALUE = 8 * MiB
const SMALL = Buffer.alloc(4096, 's')

// Half of what is written fits, so that the other half is written while reclaim makes room.
const cache = await createCache({
  tiers: [fileStore({ dir: join(dir, 'cache'), maxBytes: bytes / 2, maxItemBytes: VALUE, minFree: 0 })],
})

function* body(size) {
  const piece = Buffer.alloc(64 * 1024, 'p')
  for (let at = 0; at < size; at += piece.length) yield piece
}
const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() })

/** Values of 8 MiB in as streams and out again, with small ones beside, of which the older are evicted. */
async function churn() {
  let read = 0
  for (let at = 0; at < bytes / VALUE; at += 1) {
    const small = Promise.all(
      Array.from({ length: 256 }, (_, index) => cache.set(`small ${at} ${index}`, SMALL)),
    )
    await cache.set(`large ${at}`, Readable.from(body(VALUE)), { size: VALUE })
    await small
    const found = await cache.get(`large ${at}`)
    if (found === undefined) continue
    await pipeline(found.stream(), nowhere())
    read += VALUE
  }
  const { reclaimed, writeAmplification } = cache.stats().tiers[0]
  return { read, reclaimed, writeAmplification }
}

async function copyPlain() {
  const path = join(dir, 'plain')
  await pipeline(Readable.from(body(bytes / 4)), createWriteStream(path))
  await pipeline(createReadStream(path), nowhere())
  return {}
}

const WORK = { 'nothing at all': () => sleep(1000, {}), 'a plain file, in and out': copyPlain, churn }

process.on('message', async ({ type, work }) => {
  if (type === 'close') {
    await cache.close()
    process.exit(0)
  }
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const from = performance.now()
  const said = await WORK[work]()
  const ms = performance.now() - from
  delay.disable()
  // The timer's own millisecond is none of it.
  const late = (p) => Math.max(0, delay.percentile(p) / 1e6 - 1)
  process.send({ type: 'measured', ms, p50: late(50), p99: late(99), max: delay.max / 1e6 - 1, ...said })
})
process.send({ type: 'ready' })
