import { createCipheriv, createHash } from 'node:crypto'
import { openSync, writeSync } from 'node:fs'
import { createCache, fileStore, memoryStore } from '../../dist/index.js'

/*
 * A process that writes until it is killed, many things at a time. Before each change it notes what it is about to try, and
 * after the store has acknowledged it, that it has: what is noted survives its death. Each key belongs to one of its loops, so that of a
 * key one change is under way at a time. Values say which key and version they are of.
 */

const { options, mode, log, seed, loops, keys } = JSON.parse(process.argv[2])
const MOST_MS = 60_000

const notes = openSync(log, 'a')
let state = seed >>> 0
let changes = 0

function note(line) {
  writeSync(notes, `${line}\n`)
}

function done(...all) {
  for (const key of all) note(`done ${key}`)
  process.stdout.write('.')
}

function random(below) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}

/** Text that gets smaller, or noise; the parent has the same. */
function bytesFor(key, version) {
  const size = Number(version.split('.')[2])
  const text = `${key} ${version};`
  if (size % 2 === 0) return Buffer.alloc(size, text)
  const secret = createHash('md5').update(text).digest()
  return createCipheriv('aes-128-ctr', secret, Buffer.alloc(16)).update(Buffer.alloc(size))
}

function newVersion() {
  changes += 1
  const most = [0, 200, 200, 4000, 4000, 30_000, 90_000, 400_000][random(8)]
  return `${seed}.${changes}.${random(most + 1)}`
}

function fail(why) {
  note(`wrong ${why}`)
  process.exit(3)
}

function expectValue(key, etag, bytes) {
  if (!bytesFor(key, etag).equals(bytes)) fail(`${key} ${etag} has other bytes`)
}

const forever = { cachedAt: 1, freshUntil: 4e12, staleIfErrorUntil: 4e12, negative: false }

/** Straight to the store: sets in pieces, deletes, batches. */
async function workOnStore(store, own) {
  const draftOf = async (key, version) => {
    const value = bytesFor(key, version)
    const { sequence } = store.journal
    const draft = await store.draft(key, random(2) === 0 ? value.length : undefined)
    if (draft === undefined) return undefined
    const piece = random(2) === 0 ? value.length : 20_000
    for (let at = 0; at < value.length; at += piece) {
      if (await draft.write(value.subarray(at, at + piece))) continue
      draft.abort()
      return undefined
    }
    return { draft, metadata: { ...forever, size: value.length, etag: version, tags: [key], sequence } }
  }
  for (;;) {
    const key = own[random(own.length)]
    const what = random(20)
    if (what < 11) {
      const version = newVersion()
      note(`try ${key} ${version}`)
      const made = await draftOf(key, version)
      if (made !== undefined && (await made.draft.commit(made.metadata))) done(key)
    } else if (what < 14) {
      note(`try ${key} none`)
      await store.delete(key)
      done(key)
    } else if (what < 17) {
      const some = own.filter(() => random(3) === 0)
      const versions = some.map(() => (random(5) === 0 ? 'none' : newVersion()))
      changes += 1
      for (const [at, member] of some.entries()) note(`try ${member} ${versions[at]} ${changes}`)
      const drafts = []
      for (const [at, member] of some.entries()) {
        if (versions[at] === 'none') drafts.push({ key: member, remove: true })
        else drafts.push({ key: member, ...(await draftOf(member, versions[at])) })
      }
      if (drafts.some((one) => one.remove !== true && one.draft === undefined)) {
        for (const { draft } of drafts) draft?.abort()
      } else if (await store.commitAll(drafts)) {
        done(...some)
      }
    } else {
      const entry = await store.find(key)
      if (entry === undefined) continue
      const { size, etag } = entry.metadata
      const bytes = Buffer.alloc(size)
      for (let at = 0; at < size; ) at += await entry.read(bytes.subarray(at), at)
      entry.release()
      expectValue(key, etag, bytes)
    }
  }
}

/** Through a cache with memory above: sets of all tiers, deletes, also by tag, atomic batches, fills that go below behind their readers. */
async function workOnCache(cache, own) {
  for (;;) {
    const key = own[random(own.length)]
    const what = random(20)
    if (what < 8) {
      const version = newVersion()
      note(`try ${key} ${version}`)
      await cache.set(key, bytesFor(key, version), { etag: version, tags: [key] })
      done(key)
    } else if (what < 11) {
      note(`try ${key} none`)
      if (random(2) === 0) await cache.delete(key)
      else await cache.invalidateTags([key])
      done(key)
    } else if (what < 14) {
      const some = own.filter(() => random(3) === 0)
      changes += 1
      const batch = changes
      const entries = some.map((member) => {
        const version = newVersion()
        note(`try ${member} ${version} ${batch}`)
        return { key: member, body: bytesFor(member, version), etag: version, tags: [member] }
      })
      try {
        await cache.setMany(entries, { atomic: true })
        done(...some)
      } catch (error) {
        // Refused as a whole: it is as if it had been killed before.
        if (error.code !== 'ERR_DREY_NO_SPACE') throw error
      }
    } else {
      const found = await cache.fetch(key, () => {
        const version = newVersion()
        note(`try ${key} ${version}`)
        return { body: bytesFor(key, version), etag: version, tags: [key] }
      })
      expectValue(key, found.meta.etag, Buffer.from(await found.bytes()))
    }
  }
}

setTimeout(() => process.exit(4), MOST_MS)
const store = fileStore(options)
const own = Array.from({ length: loops }, (_, loop) =>
  Array.from({ length: keys }, (_, index) => `key.${loop}.${index}`),
)
let work
if (mode === 'cache') {
  const cache = await createCache({
    tiers: [memoryStore({ maxBytes: '4MiB' }), store],
    writePolicy: 'through',
  })
  work = (some) => workOnCache(cache, some)
} else {
  await store.open({ now: Date.now, onEvict: () => undefined, hearsEvictions: () => false })
  work = (some) => workOnStore(store, some)
}
process.stdout.write('!')
await Promise.all(own.map(work))
