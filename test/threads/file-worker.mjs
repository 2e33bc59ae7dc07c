import { parentPort, workerData } from 'node:worker_threads'
import { fileStore } from '../../dist/store/file/index.js'

/*
 * A thread that works on a shared directory, many things at a time, until it has done all or is terminated. Every value
 * says which key and version it is of.
 */

const { options, seed, steps, together } = workerData
let state = seed

function random(below) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}

function fail(why) {
  throw new Error(why)
}

async function put(store, key) {
  const size = [0, 100, 5000, 70_000, 300_000][random(5)]
  const version = `${seed}.${random(2 ** 30)}`
  const draft = store.draft(key, size)
  if (draft === undefined) return
  const value = Buffer.alloc(size, `${key} ${version};`)
  for (let at = 0; at < size; at += 50_000) {
    if (!(await draft.write(value.subarray(at, at + 50_000)))) {
      draft.abort()
      return
    }
  }
  const metadata = {
    size,
    etag: version,
    cachedAt: 1,
    freshUntil: 4e12,
    staleUntil: 4e12,
    staleIfErrorUntil: 4e12,
    negative: false,
    tags: [],
  }
  if (random(10) === 0) draft.abort()
  else await draft.commit(metadata)
}

async function check(store, key) {
  const entry = await store.find(key)
  if (entry === undefined) return
  const { size, etag } = entry.metadata
  const expected = Buffer.alloc(size, `${key} ${etag};`)
  const target = Buffer.alloc(size)
  for (let at = 0; at < size; ) {
    const read = await entry.read(target.subarray(at), at)
    if (read === 0) fail(`${key} ends at ${at} of ${size}`)
    at += read
  }
  entry.release()
  if (!target.equals(expected)) fail(`${key} has bytes of another`)
}

async function work(store, count) {
  for (let step = 0; step < count; step += 1) {
    const key = `key ${random(40)}`
    const what = random(20)
    if (what < 9) await put(store, key)
    else if (what < 17) await check(store, key)
    else if (what < 19) await store.delete(key)
    else for await (const [listed] of store.entries()) if (!/^(key |still)/.test(listed)) fail(listed)
  }
}

const store = fileStore(options)
await store.open({ now: () => Date.now(), onEvict: () => undefined, hearsEvictions: () => true })
parentPort.postMessage('open')
await Promise.all(Array.from({ length: together }, () => work(store, steps / together)))
await store.close()
parentPort.postMessage('done')
