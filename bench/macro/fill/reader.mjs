/*
 * In a process of its own: one body to three readers, by drey or by `tee()`. Each reader counts and checks its bytes; one of them may be
 * slower than the others.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { crc32c, createCache, fileStore, memoryStore } from '../../../dist/index.js'
import { followParent, fromParent } from '../../shared/child.mjs'

followParent()
const MiB = 2 ** 20
const { how, url, size, slowMs } = await fromParent('prepare')
let cache
let dir
if (how === 'drey') {
  dir = mkdtempSync(join(tmpdir(), 'drey-fill-'))
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  cache = await createCache({
    tiers: [memoryStore({ maxBytes: '64MiB' }), fileStore({ dir, maxBytes: 5 * size, maxItemBytes: size })],
  })
}

async function bodies() {
  if (cache === undefined) {
    const [one, rest] = (await fetch(url)).body.tee()
    return [one, ...rest.tee()]
  }
  const fetcher = async () => {
    const response = await fetch(url)
    const length = response.headers.get('content-length')
    return { body: response.body, ...(length === null ? {} : { size: Number(length) }) }
  }
  return Promise.all([0, 1, 2].map(() => cache.fetch('body', fetcher)))
}

async function read(body, waitMs) {
  let sum = 0
  let bytes = 0
  let awaited = 0
  for await (const piece of body) {
    sum = crc32c(piece, sum)
    bytes += piece.length
    if (waitMs > 0 && bytes - awaited >= MiB) {
      awaited = bytes
      await pause(waitMs)
    }
  }
  return { bytes, sum }
}

process.send({ type: 'ready' })
await fromParent('go')
const begun = performance.now()
const readers = await bodies()
const results = await Promise.all(readers.map((body, at) => read(body, at === 2 ? slowMs : 0)))
const ms = performance.now() - begun
let stored
if (cache !== undefined) {
  // What is left to be written is no reader's business.
  for (let i = 0; i < 600 && cache.stats().filling > 0; i += 1) await pause(50)
  const there = await cache.get('body')
  stored = there === undefined ? undefined : { tier: there.tier, ...(await read(there, 0)) }
}
process.send({ type: 'done', ms, results, stored, said: readers[0].stored })
await fromParent('end')
await cache?.close()
process.disconnect()
