/*
 * The file store, native beside js beside lmdb: sets and gets by size of the value, one at a time and 64 at once, and how long a
 * directory of many entries takes to open after a close. Contestants take turns, the median of the rounds counts, and every byte
 * that comes back is compared. What is read was written before, so it comes from the page cache.
 *
 * Wants lmdb for its column: npm --prefix bench/peers ci
 */
import { strict as assert } from 'node:assert'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findAddon } from '../../../dist/native/loader.js'
import { jsFileStore } from '../../../dist/store/file/js.js'
import { nativeFileStore } from '../../../dist/store/file/native.js'
import { readFileOptions } from '../../../dist/store/file/options.js'
import { median } from '../../shared/statistics.mjs'
import { digits, showBytes } from '../../shared/table.mjs'

const KiB = 1024
const SIZES = [100, KiB, 4 * KiB, 64 * KiB, 1024 * KiB]
const AT_ONCE = [1, 64]
const MAX_BYTES = 2 ** 30
const PEER = new URL('../../peers/node_modules/lmdb/dist/index.cjs', import.meta.url)

function metadataOf(size) {
  return { size, cachedAt: 1, freshUntil: 4e12, staleIfErrorUntil: 4e12, negative: false }
}

/** A store of drey as a contestant. */
async function openStore(make, dir) {
  const store = make(readFileOptions({ dir, maxBytes: MAX_BYTES, minFree: 0 }))
  await store.open({ now: () => Date.now(), onEvict: () => undefined, hearsEvictions: () => false })
  return {
    set: async (key, value) => {
      const draft = store.draft(key, value.length)
      const taken = draft.write(value)
      assert(taken === true || (await taken))
      assert(await draft.commit(metadataOf(value.length)))
    },
    get: async (key, size) => {
      const found = store.find(key)
      const entry = found instanceof Promise ? await found : found
      if (entry.own !== undefined) return entry.own()
      const target = Buffer.allocUnsafeSlow(size)
      for (let at = 0; at < size; ) at += await entry.read(target.subarray(at), at)
      entry.release()
      return target
    },
    close: () => store.close(),
  }
}

async function openPeer(dir) {
  const { default: lmdb } = await import(PEER.href)
  const db = lmdb.open({ path: dir, encoding: 'binary', mapSize: MAX_BYTES })
  return {
    set: (key, value) => db.put(key, value),
    // A copy, as the others give: what getBinaryFast gives is gone with the next call.
    get: async (key) => db.getBinary(key),
    close: () => db.close(),
  }
}

function contestants() {
  const { addon } = findAddon()
  return [
    ...(addon === undefined
      ? []
      : [['native', (dir) => openStore((config) => nativeFileStore(config, addon), dir)]]),
    ['js', (dir) => openStore(jsFileStore, dir)],
    ...(existsSync(PEER) ? [['lmdb', openPeer]] : []),
  ]
}

/** Microseconds for each of `count` calls, so many at once. */
async function timed(count, atOnce, work) {
  let next = 0
  const lane = async () => {
    while (next < count) await work(next++)
  }
  const from = process.hrtime.bigint()
  await Promise.all(Array.from({ length: atOnce }, lane))
  return Number(process.hrtime.bigint() - from) / 1000 / count
}

export async function suite({ quick }) {
  const rounds = quick ? 3 : 7
  const budget = quick ? 8 * 2 ** 20 : 32 * 2 ** 20
  const folder = mkdtempSync(join(tmpdir(), 'drey-bench-'))
  const all = contestants()
  const names = all.map(([name]) => name)
  const table = [['', ...names.flatMap((name) => [`set, ${name}`, `get, ${name}`])]]
  try {
    for (const size of SIZES) {
      const count = Math.max(24, Math.min(quick ? 2000 : 10_000, Math.floor(budget / size)))
      const values = Array.from({ length: 16 }, (_, at) => Buffer.alloc(size, `value ${at} `))
      for (const atOnce of AT_ONCE) {
        const open = []
        for (const [name, make] of all) {
          open.push({ name, store: await make(join(folder, `${name} ${size} ${atOnce}`)), set: [], get: [] })
        }
        for (let round = 0; round < rounds; round += 1) {
          for (const { store, set, get } of open) {
            set.push(await timed(count, atOnce, (at) => store.set(`key ${at}`, values[at % 16])))
            get.push(
              await timed(count, atOnce, async (at) => {
                const value = await store.get(`key ${at}`, size)
                assert(value.length === size && values[at % 16].compare(value) === 0)
              }),
            )
          }
        }
        for (const { store } of open) await store.close()
        table.push([
          `${showBytes(size)}, ${atOnce} at once`,
          ...open.flatMap(({ set, get }) => [`${digits(median(set))} µs`, `${digits(median(get))} µs`]),
        ])
      }
    }
    table.push(await openTimes(all, folder, quick ? 20_000 : 100_000))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return {
    notes: [`µs for a call, median of ${rounds} rounds; every byte that was read was compared`],
    table,
  }
}

async function openTimes(all, folder, entries) {
  const value = Buffer.alloc(100, 'x')
  const row = [`open, ${entries} entries`]
  for (const [name, make] of all) {
    const dir = join(folder, `${name} open`)
    const store = await make(dir)
    await timed(entries, 64, (at) => store.set(`key ${at}`, value))
    await store.close()
    const from = process.hrtime.bigint()
    const again = await make(dir)
    const ms = Number(process.hrtime.bigint() - from) / 1e6
    assert((await again.get(`key ${entries - 1}`, 100)).equals(value))
    await again.close()
    row.push(`${digits(ms)} ms`, '')
  }
  return row
}
