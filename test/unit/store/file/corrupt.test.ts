import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DreyError } from '../../../../lib/errors.js'
import type { FileStore } from '../../../../lib/store/file/file-store.js'
import type { FileConfig } from '../../../../lib/store/file/options.js'
import { bytesOf, metadataFor, put, readAll } from '../../../conformance/store-kit.js'
import { filesOf, killed } from '../../../helpers/file-model.js'
import { fileStoreOf, NOW, opened } from '../../../helpers/file-rig.js'

/*
 * Directories with bytes and files flipped, cut, extended, swapped and duplicated: never a wrong byte under a key, never a
 * crash, and the store is of use after. `DREY_ROUNDS=10000` for the long job.
 */

const KiB = 1024
const ROUNDS = Number(process.env['DREY_ROUNDS'] ?? 40)
const KEYS = 30
const MORE: Partial<FileConfig> = { chunkBytes: 4 * KiB, packLimit: 16 * KiB, segmentBytes: 128 * KiB }

/** Values that a key was ever given: what is damaged may be missing, or older, and nothing else. */
type History = Map<string, Buffer[]>

async function fill(store: FileStore, seed: number, history: History): Promise<void> {
  for (let index = 0; index < KEYS * 2; index += 1) {
    const key = `key ${(index * 7) % KEYS}`
    const size = [0, 10, 700, 5000, 12_000, 20_000, 70_000][(index + seed) % 7]!
    const value = bytesOf(size, `${key} ${index} ${seed}`)
    await put(store, key, value, { metadata: metadataFor(size, { user: { index } }) })
    history.set(key, [...(history.get(key) ?? []), value])
    if (index % 9 === 0) await store.delete(`key ${index % KEYS}`)
  }
}

interface Damage {
  readonly kind: 'flip' | 'zero' | 'cut' | 'extend' | 'swap' | 'duplicate' | 'remove' | 'insert'
  readonly file: number
  readonly other: number
  readonly at: number
  readonly length: number
}

const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom(
    'flip',
    'flip',
    'flip',
    'zero',
    'cut',
    'extend',
    'swap',
    'duplicate',
    'remove',
    'insert',
  ),
  file: fc.nat(),
  other: fc.nat(),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  length: fc.integer({ min: 1, max: 9000 }),
})

function inflict(dir: string, { kind, file, other, at, length }: Damage): void {
  const files = filesOf(dir)
  const path = files[file % files.length]!
  const second = files[other % files.length]!
  const bytes = readFileSync(path)
  const from = Math.floor(bytes.length * at)
  switch (kind) {
    case 'flip':
      if (bytes.length === 0) return
      bytes[from] = bytes[from]! ^ (1 << (length % 8))
      writeFileSync(path, bytes)
      return
    case 'zero':
      writeFileSync(path, bytes.fill(0, from, Math.min(bytes.length, from + length)))
      return
    case 'cut':
      truncateSync(path, from)
      return
    case 'extend':
      appendFileSync(path, bytesOf(length, 'more'))
      return
    case 'insert':
      writeFileSync(
        path,
        Buffer.concat([bytes.subarray(0, from), bytesOf(length, 'in'), bytes.subarray(from)]),
      )
      return
    case 'swap':
      if (path === second) return
      renameSync(path, join(dir, 'swapped'))
      renameSync(second, path)
      renameSync(join(dir, 'swapped'), second)
      return
    case 'duplicate':
      if (path !== second) copyFileSync(path, second)
      return
    case 'remove':
      rmSync(path)
  }
}

/** Reads everything, in two ways; says how many were there. */
async function readEverything(store: FileStore, history: History): Promise<number> {
  let found = 0
  for await (const [key] of store.entries()) expect(history.has(key) || key === 'after').toBe(true)
  for (const [key, values] of history) {
    const entry = await store.find(key)
    if (entry === undefined) continue
    found += 1
    try {
      const value = await readAll(entry)
      if (!values.some((one) => one.equals(value))) throw new Error(`${key} has wrong bytes`)
    } catch (error) {
      if (!(error instanceof DreyError)) throw error
      expect(error.code).toBe('ERR_DREY_CORRUPT')
    }
    entry.release()
  }
  return found
}

async function round(dir: string, history: History, damages: readonly Damage[]): Promise<void> {
  const copy = killed(dir)
  for (const one of damages) inflict(copy, one)
  let store: FileStore
  try {
    store = await opened(fileStoreOf({ ...MORE, dir: copy }), NOW)
  } catch (error) {
    if (!(error instanceof DreyError)) throw error
    // Of the directory's own header alone.
    expect(['ERR_DREY_CORRUPT', 'ERR_DREY_CONFIG']).toContain(error.code)
    rmSync(copy, { recursive: true })
    return
  }
  const found = await readEverything(store, history)
  expect(await readEverything(store, history)).toBeLessThanOrEqual(found)
  // It is of use, and remembers.
  const value = bytesOf(30_000, 'after')
  expect(await put(store, 'after', value)).toBe(true)
  await store.close()
  const again = await opened(fileStoreOf({ ...MORE, dir: copy }), NOW)
  const after = await again.find('after')
  expect(after === undefined ? undefined : (await readAll(after)).equals(value)).toBe(true)
  after?.release()
  await readEverything(again, history)
  await again.close()
  rmSync(copy, { recursive: true })
}

describe('a directory that was damaged gives what was written, or nothing', () => {
  test.each(['closed', 'killed'] as const)('%s', { timeout: 3_600_000 }, async (end) => {
    const history: History = new Map()
    const store = fileStoreOf(MORE)
    await opened(store)
    await fill(store, 1, history)
    const { dir } = (store as unknown as { core: { dir: string } }).core
    const left = end === 'killed' ? killed(dir) : dir
    await store.close()
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), (damages) =>
        round(left, history, damages),
      ),
      { numRuns: Math.ceil(ROUNDS / 2) },
    )
  })
})
