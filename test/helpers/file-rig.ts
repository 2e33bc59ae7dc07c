import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { native } from '../../lib/native/loader.js'
import type { FileStore } from '../../lib/store/file/file-store.js'
import type { FileSeams } from '../../lib/store/file/js/store.js'
import { jsFileStore } from '../../lib/store/file/js.js'
import { nativeFileStore } from '../../lib/store/file/native.js'
import { type FileConfig, readFileOptions } from '../../lib/store/file/options.js'

/*
 * File stores under test, in directories of their own, and with bounds that no option allows: small ones find more.
 */

const KiB = 1024
const MiB = 1024 * KiB

const made: string[] = []

afterAll(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true })
})

/** An empty directory, removed after the tests of the file. */
export function emptyDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'drey-'))
  made.push(dir)
  return dir
}

export function fileConfig(more: Partial<FileConfig> = {}): FileConfig {
  return {
    ...readFileOptions({ dir: more.dir ?? emptyDir(), maxBytes: 64 * MiB, minFree: 0 }),
    maxBytes: 4 * MiB,
    maxItemBytes: 512 * KiB,
    maxItemFollows: false,
    maxIndexFollows: false,
    segmentBytes: 256 * KiB,
    partitions: 4,
    ...more,
  }
}

/** The js engine. */
export function fileStoreOf(more: Partial<FileConfig> = {}, seams: Partial<FileSeams> = {}): FileStore {
  return jsFileStore(fileConfig(more), seams)
}

/** An engine of the file store. */
export interface Engine {
  readonly name: string
  make(more?: Partial<FileConfig>): FileStore
}

export const jsEngine: Engine = { name: 'js', make: (more) => fileStoreOf(more) }

/** The engines that this run has: the native one where the addon is in use. */
export function engines(): readonly Engine[] {
  const addon = native()
  if (addon === undefined) return [jsEngine]
  return [jsEngine, { name: 'native', make: (more) => nativeFileStore(fileConfig(more), addon) }]
}

/** The one that this path takes: the other is tested by itself on its own path. */
export function enginesOfPath(): readonly Engine[] {
  return engines().slice(-1)
}

export const NOW = 1_700_000_000_000

/** Opens a store, outside of a cache. */
export async function opened(store: FileStore, now = NOW): Promise<FileStore> {
  await store.open({ now: () => now, onEvict: () => undefined, hearsEvictions: () => false })
  return store
}
