/*
 * What the bench of the disk compares: each keeps values of bytes under keys in a directory, and survives the end of
 * its process. `set` resolves when it says that the value is kept, `get` gives memory that is the caller's.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { findAddon } from '../../../dist/native/loader.js'
import { jsFileStore } from '../../../dist/store/file/js.js'
import { nativeFileStore } from '../../../dist/store/file/native.js'
import { readFileOptions } from '../../../dist/store/file/options.js'
import { metadataOf } from '../../shared/metadata.mjs'

const peers = createRequire(new URL('../../peers/package.json', import.meta.url))
const MAP_BYTES = 16 * 2 ** 30

/** A file store that belongs to no cache. */
export async function openFileStore(engine, options, { onEvict = () => undefined } = {}) {
  const config = readFileOptions({ minFree: 0, ...options })
  const store = engine === 'native' ? nativeFileStore(config, findAddon().addon) : jsFileStore(config)
  await store.open({ now: () => Date.now(), onEvict, hearsEvictions: () => false })
  return store
}

/** The whole value of an entry, in memory of the caller's. */
export async function readWhole(entry) {
  if (entry.own !== undefined) return entry.own()
  const target = Buffer.allocUnsafeSlow(entry.metadata.size)
  for (let at = 0; at < target.length; ) at += await entry.read(target.subarray(at), at)
  entry.release()
  return target
}

export async function setIn(store, key, value) {
  const metadata = metadataOf(value.length)
  if (store.setLater !== undefined) return store.setLater(key, value, metadata)
  const draft = store.draft(key, value.length)
  const taken = draft.write(value)
  return (taken === true || (await taken)) && draft.commit(metadata)
}

async function openDrey(engine, dir) {
  const store = await openFileStore(engine, { dir, maxBytes: MAP_BYTES })
  return {
    set: async (key, value) => {
      if (!(await setIn(store, key, value))) throw new Error(`${key} was refused`)
    },
    get: async (key) => {
      const found = store.find(key)
      return readWhole(found instanceof Promise ? await found : found)
    },
    close: () => store.close(),
  }
}

function openLmdb(dir, noSync) {
  const db = peers('lmdb').open({ path: dir, encoding: 'binary', mapSize: MAP_BYTES, noSync })
  return {
    set: (key, value) => db.put(key, value),
    // A copy, as the others give: what getBinaryFast gives is gone with the next call.
    get: async (key) => db.getBinary(key),
    close: () => db.close(),
  }
}

function openSqlite(dir) {
  const Database = peers('better-sqlite3')
  const db = new Database(join(dir, 'values.db'))
  // What its own guide to performance wants; a commit survives the process, not the machine.
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = NORMAL')
  db.exec('CREATE TABLE entry (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID')
  const put = db.prepare('INSERT OR REPLACE INTO entry VALUES (?, ?)')
  const find = db.prepare('SELECT value FROM entry WHERE key = ?').pluck()
  return {
    set: async (key, value) => put.run(key, value),
    get: async (key) => find.get(key),
    close: async () => db.close(),
  }
}

async function openLevel(dir) {
  const { ClassicLevel } = peers('classic-level')
  const db = new ClassicLevel(dir, { valueEncoding: 'buffer' })
  await db.open()
  return { set: (key, value) => db.put(key, value), get: (key) => db.get(key), close: () => db.close() }
}

function openCacache(dir) {
  const cacache = peers('cacache')
  return {
    set: (key, value) => cacache.put(dir, key, value),
    get: async (key) => (await cacache.get(dir, key)).data,
    close: async () => undefined,
  }
}

const OPEN = {
  native: (dir) => openDrey('native', dir),
  js: (dir) => openDrey('js', dir),
  lmdb: (dir) => openLmdb(dir, false),
  'lmdb noSync': (dir) => openLmdb(dir, true),
  'better-sqlite3': openSqlite,
  'classic-level': openLevel,
  cacache: openCacache,
}

export const CONTESTANTS = Object.keys(OPEN)

export async function openContestant(name, dir) {
  return OPEN[name](dir)
}

/** What its process is told: the js engine is what there is where the addon does not load, checksums included. */
export function envOf(name) {
  return { DREY_NATIVE: name.startsWith('js') ? '0' : '1' }
}

/** Why it cannot take part; undefined when it can. */
export function absenceOf(name) {
  if (name === 'native') return findAddon().addon === undefined ? 'the addon is not built' : undefined
  if (name === 'js') return undefined
  const [peer] = name.split(' ')
  try {
    const path = peers.resolve(peer)
    if (peer === 'better-sqlite3') {
      const binary = join(path, '../../build/Release/better_sqlite3.node')
      if (!existsSync(binary))
        return 'its binary is not built: npm --prefix bench/peers rebuild better-sqlite3'
    }
    return undefined
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error
    return 'not installed: npm --prefix bench/peers ci'
  }
}
