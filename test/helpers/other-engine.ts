import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect } from 'vitest'
import type { FileStore } from '../../lib/store/file/file-store.js'
import type { FileConfig } from '../../lib/store/file/options.js'
import { verifyDirectory } from '../../lib/store/file/verify/verify.js'
import type { Metadata } from '../../lib/store/store.js'
import { expectBytes, type MakeStore, readAll } from '../conformance/store-kit.js'
import { type Engine, emptyDir, engines, opened } from './file-rig.js'

/** An entry as it was read. */
interface Read {
  readonly metadata: Metadata
  readonly value: Buffer
}

interface Made {
  readonly dir: string
  readonly config: Partial<FileConfig>
  readonly store: FileStore
  /** What was in it when it was closed. */
  entries: ReadonlyMap<string, Read>
}

/** All that can be read. */
async function readEntries(store: FileStore): Promise<Map<string, Read>> {
  const all = new Map<string, Read>()
  for await (const [key] of store.entries()) {
    const entry = await store.find(key, true)
    // Evicted since it was listed, or the count of what is damaged says so.
    if (entry === undefined) continue
    const value = await readAll(entry)
    entry.release()
    all.set(key, { metadata: entry.metadata, value })
  }
  return all
}

/** How many directories have been compared. */
export const compared = { directories: 0 }

/**
 * Makes stores of `engine`. After each test its directories are looked through, and opened by the other engine, which must have every
 * entry that there was when the store was closed, and no other.
 */
export function readByTheOther(engine: Engine, more: Partial<FileConfig> = {}): MakeStore {
  const made: Made[] = []
  const other = engines().find(({ name }) => name !== engine.name) ?? engine
  afterEach(async () => {
    for (const one of made.splice(0)) await check(one, other)
  })
  return (bounds) => {
    const dir = emptyDir()
    const config = { ...bounds, ...more, dir }
    const store = engine.make(config)
    const one: Made = { dir, config, store, entries: new Map() }
    made.push(one)
    const close = store.close.bind(store)
    let closing: Promise<void> | undefined
    store.close = () => {
      closing ??= readEntries(store).then((entries) => {
        one.entries = entries
        return close()
      })
      return closing
    }
    return store
  }
}

async function check(made: Made, other: Engine): Promise<void> {
  const { dir, config, store } = made
  // One that nobody opened.
  if (!existsSync(join(dir, 'DREY'))) return
  await store.close()
  const report = await verifyDirectory(dir)
  expect(report).toMatchObject({ closed: true, damages: [], unsound: 0, leftovers: [], strange: [] })
  const again = await opened(other.make({ ...config, dir }))
  const there = await readEntries(again)
  const { evictions } = again.stats()
  await again.close()
  expect([store.stats().corrupt, again.stats().corrupt]).toEqual([0, 0])
  let missing = 0
  for (const [key, { metadata, value }] of made.entries) {
    const read = there.get(key)
    if (read === undefined) {
      missing += 1
      continue
    }
    expect(read.metadata).toEqual(metadata)
    expectBytes(read.value, value)
  }
  // One that is full goes on reclaiming while it is read and closed, and when it is opened.
  if (store.stats().evictions + evictions === 0) expect(missing).toBe(0)
  expect(there.size).toBe(made.entries.size - missing)
  compared.directories += 1
}
