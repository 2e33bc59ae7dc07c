import { createHash } from 'node:crypto'
import { cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Metadata, Store } from '../../lib/store/store.js'
import { bytesOf, metadataFor, put, readAll } from '../conformance/store-kit.js'
import { emptyDir } from './file-rig.js'

/** What `du` would say of the directory: the blocks of all that is in it, and its own. */
export function blocksOf(path: string): number {
  // What is removed while it is looked at takes nothing.
  const status = lstatSync(path, { throwIfNoEntry: false })
  if (status === undefined) return 0
  let bytes = status.blocks * 512
  if (status.isDirectory()) for (const name of readdirSync(path)) bytes += blocksOf(join(path, name))
  return bytes
}

/** All files below the directory but sockets. */
export function filesOf(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return filesOf(path)
    return entry.isFile() ? [path] : []
  })
}

/** Names, lengths and times of all that is in it: the same before and after means that nothing happened between. */
function listing(dir: string): string {
  return filesOf(dir)
    .map((path) => {
      const status = lstatSync(path, { throwIfNoEntry: false, bigint: true })
      return `${path} ${status?.size} ${status?.mtimeNs}`
    })
    .sort()
    .join()
}

/** The directory as a process leaves it that is killed now: what it has written is there, and its lock is dead. */
export function killed(dir: string): string {
  const copy = emptyDir()
  // A death is one moment, and a copy is none: threads of the store may go on meanwhile.
  for (let attempt = 0; attempt < 100; attempt += 1) {
    rmSync(copy, { recursive: true })
    const before = listing(dir)
    try {
      cpSync(dir, copy, { recursive: true, filter: (path) => !isSocket(path) })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      mkdirSync(copy, { recursive: true })
      continue
    }
    if (listing(dir) === before) return copy
  }
  throw new Error(`${dir} does not come to rest`)
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true
}

/** A value that says which key and version it is of. */
export function versionOf(key: string, version: number, size: number): Buffer {
  return bytesOf(size, `${key} ${version}`)
}

/** What a key was given last. */
export interface Version {
  readonly value: Buffer
  readonly metadata: Metadata
}

/** What a store should have, if it has room for all. */
export class FileModel {
  readonly entries = new Map<string, Version>()
  #versions = 0

  /** A version to put under the key. */
  next(key: string, size: number): Version {
    this.#versions += 1
    const value = versionOf(key, this.#versions, size)
    return { value, metadata: metadataFor(size, { etag: `"${this.#versions}"` }) }
  }

  async put(store: Store, key: string, size: number): Promise<boolean> {
    const version = this.next(key, size)
    const stored = await put(store, key, version.value, { metadata: version.metadata })
    if (stored) this.entries.set(key, version)
    return stored
  }
}

/** Compares a store with what it should have. A key may be missing only if `mayMiss`. */
export async function expectModel(
  store: Store,
  entries: ReadonlyMap<string, Version>,
  keys: Iterable<string>,
  mayMiss: boolean,
): Promise<void> {
  for (const key of keys) {
    const entry = await store.find(key)
    const expected = entries.get(key)
    if (entry === undefined) {
      if (expected !== undefined && !mayMiss) throw new Error(`${key} is missing, ${expected.metadata.etag}`)
      continue
    }
    if (expected === undefined) throw new Error(`${key} is there, ${entry.metadata.etag}, and should not be`)
    if (entry.metadata.etag !== expected.metadata.etag) {
      throw new Error(`${key} is ${entry.metadata.etag}, and should be ${expected.metadata.etag}`)
    }
    const value = await readAll(entry)
    entry.release()
    if (!value.equals(expected.value)) throw new Error(`${key} has wrong bytes`)
  }
}

/** What is in all files below the directory but sockets, to be compared: nothing was changed between two that are equal. */
export function stateOf(dir: string): Record<string, string> {
  const state: Record<string, string> = {}
  for (const path of filesOf(dir)) {
    const { mode, mtimeNs } = lstatSync(path, { bigint: true })
    const sum = createHash('sha256').update(readFileSync(path)).digest('hex')
    state[path.slice(dir.length + 1)] = `${mode} ${mtimeNs} ${sum}`
  }
  return state
}
