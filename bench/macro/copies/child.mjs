/*
 * In a process of its own: so many copies and tees at once, of all kinds of source and sink, some of them aborted in the
 * middle, by a pool in debug mode: what comes back is poisoned, and every holder gets a view of its own.
 */
import { once } from 'node:events'
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { BufferPool } from '../../../dist/buffers/pool.js'
import { followParent, fromParent } from '../../shared/child.mjs'
import { randomFrom } from '../../shared/random.mjs'
import { checkerOf, objectOf } from './objects.mjs'

const MiB = 2 ** 20
const LARGEST = 2 * MiB
const FILES = 48
const ABORTED = 0.3

followParent()
const folder = mkdtempSync(join(tmpdir(), 'drey-copies-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const random = randomFrom(20_261_121)
const below = (n) => Math.floor(random() * n)
/** As many small ones as large ones, by their logarithm. */
const someSize = () => Math.floor(2 ** (random() * Math.log2(LARGEST)))

const files = Array.from({ length: FILES }, (_, id) => {
  const bytes = objectOf(id, someSize())
  const path = join(folder, `source-${id}`)
  writeFileSync(path, bytes)
  return { bytes, path }
})
let objects = FILES

/** Sockets find each other by a line that says whose they are. */
const waiting = new Map()
const server = createServer({ allowHalfOpen: true }, (peer) => {
  peer.once('readable', () => {
    const id = peer.read(8)
    if (id === null) return peer.destroy()
    waiting.get(id.toString('latin1'))?.(peer)
  })
})
server.listen(join(folder, 'socket'))
await once(server, 'listening')
let sockets = 0
async function socketPair() {
  const id = String(sockets++).padStart(8, '0')
  const sink = connect(server.address())
  const arrived = new Promise((resolve) => waiting.set(id, resolve))
  sink.write(id)
  const peer = await arrived
  waiting.delete(id)
  return { sink, peer }
}

function* cut(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + below(below(2) === 0 ? 3000 : 80_000))
    yield Buffer.from(bytes.subarray(at, end))
    at = end
  }
}
const own = (make) => () => {
  const bytes = objectOf(objects++, someSize())
  return { bytes, source: make(bytes) }
}
const SOURCES = {
  path: () => {
    const { bytes, path } = files[below(FILES)]
    return { bytes, source: { path } }
  },
  'read stream': () => {
    const { bytes, path } = files[below(FILES)]
    return { bytes, source: createReadStream(path) }
  },
  bytes: own((bytes) => bytes),
  'Node stream': own((bytes) => Readable.from(cut(bytes), { objectMode: false })),
  'web stream': own((bytes) => Readable.toWeb(Readable.from(cut(bytes), { objectMode: false }))),
  iterable: own((bytes) =>
    (async function* () {
      for (const piece of cut(bytes)) yield piece
    })(),
  ),
}

async function received(from, expected) {
  const check = checkerOf(expected)
  from.on('error', () => undefined)
  from.on('data', (piece) => check.take(piece))
  const ended = await new Promise((resolve) => {
    from.on('end', () => resolve(true))
    from.on('close', () => resolve(false))
  })
  return { whole: ended && check.seen === expected.length, ended, seen: check.seen }
}
let targets = 0
const SINKS = {
  file: async (expected) => {
    const path = join(folder, `target-${targets++}`)
    return {
      sink: { path },
      outcome: async () => {
        const got = await readFile(path).catch((error) => {
          if (error.code !== 'ENOENT') throw error
        })
        await rm(path, { force: true })
        if (got === undefined) return { whole: false, ended: false, seen: 0 }
        checkerOf(expected).take(got)
        return { whole: got.length === expected.length, ended: true, seen: got.length }
      },
      close: () => undefined,
    }
  },
  socket: async (expected) => {
    const { sink, peer } = await socketPair()
    const outcome = received(peer, expected)
    return {
      sink,
      // A Unix socket knows no reset: one that breaks off looks like one that ends.
      outcome: async () => ({ ...(await outcome), ended: false }),
      close: () => {
        sink.destroy()
        peer.destroy()
      },
    }
  },
  PassThrough: async (expected) => {
    const sink = new PassThrough()
    const outcome = received(sink, expected)
    return { sink, outcome: () => outcome, close: () => sink.destroy() }
  },
}

const { supply, concurrency, ms, maxBytes } = await fromParent('run')
const pool = new BufferPool({ maxBytes, debug: true, maxConcurrentLargeOps: 32 })
const counts = { whole: 0, aborted: 0, tees: 0, bytes: 0, kinds: {} }
const sourceNames = Object.keys(SOURCES)
const sinkNames = Object.keys(SINKS)

async function one() {
  const sourceName = sourceNames[below(sourceNames.length)]
  const sinkName = sinkNames[below(sinkNames.length)]
  const { bytes, source } = SOURCES[sourceName]()
  const { sink, outcome, close } = await SINKS[sinkName](bytes)
  const aborts = random() < ABORTED
  const controller = new AbortController()
  const timer = aborts ? setTimeout(() => controller.abort(), random() * 20) : undefined
  let whole = false
  try {
    if (below(4) === 0) {
      counts.tees += 1
      const tee = pool.tee(source, sink, { signal: controller.signal })
      const check = checkerOf(bytes)
      for await (const piece of tee) check.take(piece)
      if (check.seen !== bytes.length)
        throw new Error(`a tee's reader ended after ${check.seen} of ${bytes.length}`)
      whole = (await tee.written).status === 'whole'
    } else {
      const { bytes: moved } = await pool.copy(source, sink, { signal: controller.signal })
      if (moved !== bytes.length) throw new Error(`${moved} bytes were moved of ${bytes.length}`)
      whole = true
    }
  } catch (error) {
    if (error.code !== 'ERR_DREY_ABORTED') throw error
    counts.aborted += 1
  } finally {
    clearTimeout(timer)
  }
  if (whole) {
    const got = await outcome()
    if (!got.whole)
      throw new Error(
        `${sourceName} to ${sinkName}: said to be whole, and ${got.seen} of ${bytes.length} came`,
      )
    counts.whole += 1
    counts.bytes += bytes.length
    const kind = `${sourceName} → ${sinkName}`
    counts.kinds[kind] = (counts.kinds[kind] ?? 0) + 1
    close()
  } else {
    close()
    const got = await outcome()
    // A copy that failed must not look as if it were whole, unless the abort came when all was there.
    if (got.ended && got.seen !== bytes.length)
      throw new Error(`${sourceName} to ${sinkName}: broken off at ${got.seen} and ended in order`)
  }
}

let most = 0
let over = 0
const samples = []
const begun = performance.now()
const sampler = setInterval(() => {
  const { heldBytes, lingeringBytes } = pool.stats()
  most = Math.max(most, heldBytes + lingeringBytes)
  if (heldBytes + lingeringBytes > maxBytes) over += 1
  samples.push([performance.now() - begun, process.memoryUsage.rss()])
}, 50)
const worker = async () => {
  while (performance.now() - begun < ms) await one()
}
await Promise.all(Array.from({ length: concurrency }, worker))
clearInterval(sampler)
// Sinks that were destroyed say by their own close that they are done.
for (let turn = 0; turn < 100 && pool.stats().active.count > 0; turn += 1)
  await new Promise((resolve) => setTimeout(resolve, 10))
const stats = pool.stats()
await pool.close()
server.close()
process.send({
  type: 'ran',
  supply,
  counts,
  most,
  over,
  samples,
  active: stats.active.count,
  poisoned: stats.poisoned,
  refused: stats.refused,
  leaked: stats.leaked.count,
  fallbacks: stats.strategies.fallbacks,
  strategies: stats.copies.strategies,
  supplyKind: stats.supply,
})
process.disconnect()
