/*
 * In a process of its own: one large value that is streamed out of a cache, or the same bytes of a plain file. What comes
 * out is compared once, before the clock starts; then its length is.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BufferPool, crc32c, createCache, fileStore } from '../../../dist/index.js'
import { followParent } from '../../shared/child.mjs'
import { metadataOf } from '../../shared/metadata.mjs'
import { openFileStore } from './disk-contestants.mjs'

followParent()
const [name, dir, given] = process.argv.slice(2)
const size = Number(given)
const MiB = 2 ** 20
const piece = Buffer.from(Uint32Array.from({ length: MiB / 4 }, (_, at) => Math.imul(at, 0x9e3779b1)).buffer)

/** The value: a piece again and again, with the number of the turn in each. */
function* body() {
  for (let at = 0; at < size; at += MiB) {
    const copy = Buffer.from(piece)
    copy.writeUInt32LE(at / MiB, 0)
    yield copy
  }
}

let expected = 0
for (const bytes of body()) expected = crc32c(bytes, expected)

/** Gives each piece to `see`, as a stream gives it. */
const into = (see) =>
  new Writable({
    write(chunk, _encoding, done) {
      see(chunk)
      done()
    },
  })

async function openFile(chunkBytes) {
  const path = join(dir, 'plain')
  await pipeline(Readable.from(body()), createWriteStream(path))
  return {
    read: (see) => pipeline(createReadStream(path, { highWaterMark: chunkBytes }), into(see)),
    close: async () => undefined,
  }
}

async function openCached(how, options = {}) {
  const cache = await createCache({
    ...options,
    tiers: [fileStore({ dir: join(dir, 'cache'), maxBytes: 4 * size, maxItemBytes: 2 * size, minFree: 0 })],
  })
  await cache.set('large', Readable.from(body()), { size })
  return {
    read: async (see) => {
      const found = await cache.get('large')
      if (how === 'writeTo') await found.writeTo(into(see))
      else await pipeline(found.stream(), into(see))
    },
    close: () => cache.close(),
  }
}

/** The store alone, into memory of the reader's own. */
async function openStore(engine) {
  const store = await openFileStore(engine, {
    dir: join(dir, 'store'),
    maxBytes: 4 * size,
    maxItemBytes: 2 * size,
  })
  const draft = store.draft('large', size)
  for (const bytes of body()) await draft.write(bytes)
  await draft.commit(metadataOf(size))
  const targets = [Buffer.alloc(MiB), Buffer.alloc(MiB)]
  return {
    // The next is read while one is looked at.
    read: async (see) => {
      const entry = await store.find('large')
      let coming = entry.read(targets[0], 0)
      for (let at = 0, turn = 0; at < size; turn += 1) {
        const bytes = targets[turn % 2].subarray(0, await coming)
        at += bytes.length
        if (at < size) coming = entry.read(targets[(turn + 1) % 2], at)
        see(bytes)
      }
      entry.release()
    },
    close: () => store.close(),
  }
}

const OPEN = {
  'createReadStream, 64 KiB': () => openFile(64 * 1024),
  'createReadStream, 1 MiB': () => openFile(MiB),
  'native, Found.stream()': () => openCached('stream'),
  'native, Found.writeTo()': () => openCached('writeTo'),
  'native, Found.writeTo(), buffers pooled': () => openCached('writeTo', { bufferPool: new BufferPool() }),
  'js, Found.stream()': () => openCached('stream'),
  'js, Found.writeTo()': () => openCached('writeTo'),
  'native, StoredEntry.read of 1 MiB': () => openStore('native'),
  'js, StoredEntry.read of 1 MiB': () => openStore('js'),
}

const opened = await OPEN[name]()
let checksum = 0
await opened.read((bytes) => {
  checksum = crc32c(bytes, checksum)
})
if (checksum !== expected) throw new Error(`${name}: the bytes that came out are not those that went in`)

process.on('message', async ({ type }) => {
  if (type === 'close') {
    await opened.close()
    process.exit(0)
  }
  let bytes = 0
  const cpu = process.cpuUsage()
  const from = performance.now()
  await opened.read((chunk) => {
    bytes += chunk.length
  })
  const ms = performance.now() - from
  const { user, system } = process.cpuUsage(cpu)
  if (bytes !== size) throw new Error(`${name}: ${bytes} bytes instead of ${size}`)
  process.send({ type: 'measured', perSecond: size / ms / 1e6, cpuMs: (user + system) / 1000 })
})
process.send({ type: 'ready' })
