/*
 * In a process of its own: what one entry of the js engine really takes, or what is kept of one for a policy of the
 * user's own beside the native engine, by the difference between a store that is a
 * quarter full and the same store full. A difference leaves out what the process takes anyway.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { metadataOf } from '../../../dist/cache/metadata.js'
import { native } from '../../../dist/native/loader.js'
import { jsMemoryStore } from '../../../dist/store/memory/js.js'
import { NODE_BYTES } from '../../../dist/store/memory/native/policy-host.js'
import { nativeMemoryStore } from '../../../dist/store/memory/native.js'
import { followParent, fromParent } from '../../shared/child.mjs'

const FRESHNESS = { ttl: 300_000, staleIfError: 60_000, negativeTtl: 10_000 }

/** Text of its own, as it comes from a socket: no slice of something larger. */
const own = (text) => Buffer.from(text).toString()

/** What may stand in `user`, made anew for each entry as the cache does. */
const USERS = {
  type: () => ({ type: 'text/html; charset=utf-8' }),
  head: (index) => ({
    status: 200,
    headers: [
      ['content-type', 'text/html; charset=utf-8'],
      ['cache-control', 'public, max-age=300'],
      ['last-modified', 'Wed, 21 Oct 2026 07:28:00 GMT'],
      ['vary', 'accept-encoding'],
      ['x-request-id', `${index}`.padStart(32, '0')],
    ].flat(),
    dated: 1_790_000_000_000 + index,
    bornAt: 1_790_000_000_000 + index,
    lifetime: 300_000,
    shared: false,
    revalidate: false,
  }),
  'empty objects': () => Array.from({ length: 100 }, () => ({})),
}

async function settle() {
  for (let turn = 0; turn < 6; turn += 1) {
    globalThis.gc()
    await pause(30)
  }
}

function memory(store) {
  const { rss, heapUsed, external } = process.memoryUsage()
  return { resident: rss, used: heapUsed + external, accounted: store.stats().bytes }
}

/** A policy that keeps nothing: what is measured is the store's. */
const NOTHING = { add() {}, touch() {}, remove() {}, evict: () => [] }

function makeStore(hosted) {
  const config = { maxItemBytes: 2 ** 20, maxItemFollows: false, name: undefined }
  if (hosted) return nativeMemoryStore({ ...config, maxBytes: 2 ** 30, policy: NOTHING }, native())
  return jsMemoryStore({ ...config, maxBytes: 2 ** 40, policy: 'lru' }, 2 ** 40)
}

async function run({ entries, size, declared, keyLength, etag, user, viewed, churn, hosted }) {
  const store = makeStore(hosted)
  store.open({ now: Date.now, onEvict: () => undefined, hearsEvictions: () => true })
  const body = Buffer.alloc(size, 0x61)

  const set = (index) => {
    const draft = store.draft(own(`${index}/`.padEnd(keyLength, 'k')), declared ? size : undefined)
    draft.write(body)
    const head = {
      ttl: undefined,
      staleIfError: undefined,
      etag: etag ? own(`"${index}-0123456789abcdef"`) : undefined,
      user:
        user === undefined
          ? undefined
          : JSON.parse(JSON.stringify(USERS[user](index)), (_, v) => Object.freeze(v)),
    }
    draft.commit(metadataOf(head, size, FRESHNESS, Date.now()))
    // Who lends a value to a socket makes V8 move a very small one out of its heap, for good.
    if (viewed)
      for (let at = 0; at < size; ) at += Buffer.from(store.find(keyOf(index)).view(at).buffer).length
  }
  const keyOf = (index) => `${index}/`.padEnd(keyLength, 'k')

  let next = 0
  while (next < entries / 4) set(next++)
  await settle()
  const before = memory(store)
  while (next < entries) set(next++)
  // Keys that come and go leave holes in a Map, which is then larger for as many keys.
  for (let oldest = 0; oldest < churn * entries; oldest += 1) {
    store.delete(keyOf(oldest))
    set(next++)
  }
  await settle()
  const after = memory(store)
  const each = (what) => (after[what] - before[what]) / (entries * 0.75)
  process.send({
    type: 'measured',
    resident: each('resident'),
    used: each('used'),
    accounted: hosted ? NODE_BYTES + keyLength : each('accounted'),
  })
}

followParent()
await run(await fromParent('measure'))
process.exit(0)
