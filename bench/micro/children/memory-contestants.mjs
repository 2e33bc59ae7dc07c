/*
 * What a benchmark of memory compares, behind one face: drey with its native and its js engine, and lru-cache with a
 * Buffer of its own for each value.
 */

import { createRequire } from 'node:module'
import { metadataOf } from '../../shared/metadata.mjs'

const PEERS = new URL('../../peers/package.json', import.meta.url)
/** Bytes that an entry of 1 KiB takes of a bound, generously: enough to hold as many as lru-cache does. */
const ROOM = { native: 1200, js: 2500 }

/**
 * Opens a contestant with room for `entries` of `size` bytes. `sets` and `gets` are its ways in and out, by name; what a
 * way out gives may be looked at until the next call.
 *
 * @param {'native' | 'js' | 'lru-cache'} name
 * @param {'store' | 'cache'} level of drey
 */
export async function openContestant(name, level, entries, size) {
  if (name === 'lru-cache') return openLru(entries)
  // Read when drey is loaded: not before here.
  process.env['DREY_NATIVE'] = name === 'native' ? '1' : '0'
  const { createCache, memoryStore } = await import('../../../dist/index.js')
  const store = memoryStore({ maxBytes: Math.ceil((entries * ROOM[name] * size) / 1024) })
  const held = () => {
    const { entries, evictions, bytes } = store.stats()
    return { entries, evictions, bytes }
  }
  if (level === 'cache') {
    const cache = await createCache({ tiers: [store] })
    return {
      sets: { 'cache.set': { later: true, run: (key, bytes) => cache.set(key, bytes) } },
      gets: { 'cache.getSync': (key) => cache.getSync(key)?.value },
      held,
    }
  }
  await store.open({ now: Date.now, systemTime: true, onEvict: () => undefined, hearsEvictions: () => false })
  const metadata = metadataOf(size)
  const byDraft = (key, bytes) => {
    const draft = store.draft(key, bytes.length)
    if (!draft?.write(bytes) || !draft.commit(metadata)) throw new Error(`${key} was refused`)
  }
  const bySet = (key, bytes) => {
    if (!store.set(key, bytes, metadata)) throw new Error(`${key} was refused`)
  }
  return {
    sets: {
      'Store.set': { later: false, run: store.set === undefined ? byDraft : bySet },
      'Store.draft': { later: false, run: byDraft },
    },
    gets: { 'Store.find, view': (key) => store.find(key)?.view(0) },
    held,
  }
}

function openLru(entries) {
  const { LRUCache } = createRequire(PEERS)('lru-cache')
  const cache = new LRUCache({ max: entries })
  return {
    sets: { set: { later: false, run: (key, bytes) => cache.set(key, Buffer.from(bytes)) } },
    gets: {
      get: (key) => cache.get(key),
      'get, copied': (key) => {
        const bytes = cache.get(key)
        return bytes === undefined ? undefined : Buffer.from(bytes)
      },
    },
    // It does not count them; past `max`, every key that is new evicts one.
    held: () => ({ entries: cache.size, evictions: undefined, bytes: undefined }),
  }
}
