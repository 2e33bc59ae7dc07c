import { cpSync, rmSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DreyError } from '../../../../lib/errors.js'
import type { FileStore } from '../../../../lib/store/file/file-store.js'
import type { FileConfig } from '../../../../lib/store/file/options.js'
import { DAMAGE_KINDS } from '../../../../lib/store/file/verify/report.js'
import { verifyDirectory } from '../../../../lib/store/file/verify/verify.js'
import { bytesOf, metadataFor, put, readAll } from '../../../conformance/store-kit.js'
import { killed, stateOf } from '../../../helpers/file-model.js'
import { type Engine, emptyDir, enginesOfPath, NOW, opened } from '../../../helpers/file-rig.js'
import { type Harm, harm, inflict } from '../../../helpers/harm.js'

/*
 * Directories with bytes and files flipped, cut, extended, swapped and duplicated: never a wrong byte under a key, never a
 * crash, and the store is of use after, also when it was repaired before. `DREY_ROUNDS=10000` for the long job, in all.
 */

const KiB = 1024
const ROUNDS = Number(process.env['DREY_ROUNDS'] ?? 80)
const KEYS = 24
const MORE: Partial<FileConfig> = { chunkBytes: 4 * KiB, packLimit: 12 * KiB, segmentBytes: 64 * KiB }
/** What an open says of a directory whose own header is none any more, or in which something is in the place of something else. */
const REFUSALS = ['ERR_DREY_CORRUPT', 'ERR_DREY_CONFIG']

/** Values that a key was ever given: what is damaged may be missing, or older, and nothing else. */
type History = Map<string, Buffer[]>

async function fill(store: FileStore, seed: number, history: History): Promise<void> {
  for (let index = 0; index < KEYS * 2; index += 1) {
    const key = `key ${(index * 7) % KEYS}`
    const size = [0, 10, 700, 2000, 6000, 14_000, 300][(index + seed) % 7]!
    const value = bytesOf(size, `${key} ${index} ${seed}`)
    await put(store, key, value, { metadata: metadataFor(size, { user: { index } }) })
    history.set(key, [...(history.get(key) ?? []), value])
    if (index % 9 === 0) await store.delete(`key ${index % KEYS}`)
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

/** Runs what may find that the directory is none any more; says undefined then. */
async function unlessRefused<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof DreyError)) throw error
    expect(REFUSALS).toContain(error.code)
    return undefined
  }
}

/** Looks, repairs, and looks again; says whether it could. */
async function repaired(dir: string): Promise<boolean> {
  const before = stateOf(dir)
  const found = await unlessRefused(verifyDirectory(dir))
  expect(stateOf(dir)).toEqual(before)
  if (found === undefined) return false
  expect({ ...(await verifyDirectory(dir, { repair: true })), repaired: false }).toEqual(found)
  const { counts, unsound, leftovers } = await verifyDirectory(dir)
  expect([DAMAGE_KINDS.filter((kind) => counts[kind] > 0), unsound, leftovers]).toEqual([[], 0, []])
  return true
}

/** What became of harmed directories. */
interface Seen {
  harmed: number
  refused: number
  repaired: number
  found: number
}

async function round(
  engine: Engine,
  whole: string,
  history: History,
  harms: readonly Harm[],
  repair: boolean,
  seen: Seen,
): Promise<void> {
  const dir = emptyDir()
  cpSync(whole, dir, { recursive: true })
  for (const one of harms) inflict(dir, one)
  seen.harmed += 1
  const sound = repair && (await repaired(dir))
  if (sound) seen.repaired += 1
  const store = await unlessRefused(opened(engine.make({ ...MORE, dir }), NOW))
  if (store === undefined) {
    expect(sound).toBe(false)
    seen.refused += 1
    rmSync(dir, { recursive: true })
    return
  }
  const found = await readEverything(store, history)
  seen.found += found
  if (sound) expect(store.stats()).toMatchObject({ entries: found, corrupt: 0 })
  expect(await readEverything(store, history)).toBeLessThanOrEqual(found)
  // It is of use, and remembers.
  const value = bytesOf(30_000, 'after')
  expect(await put(store, 'after', value)).toBe(true)
  await store.close()
  const again = await opened(engine.make({ ...MORE, dir }), NOW)
  const after = await again.find('after')
  expect(after === undefined ? undefined : (await readAll(after)).equals(value)).toBe(true)
  after?.release()
  await readEverything(again, history)
  await again.close()
  rmSync(dir, { recursive: true })
}

describe.each(enginesOfPath())(
  'a directory that was damaged gives what was written, or nothing (I2): $name',
  (engine) => {
    test.each(['closed', 'killed'] as const)('%s', { timeout: 36_000_000 }, async (end) => {
      const history: History = new Map()
      const seen: Seen = { harmed: 0, refused: 0, repaired: 0, found: 0 }
      const dir = emptyDir()
      const store = await opened(engine.make({ ...MORE, dir }))
      await fill(store, 1, history)
      const left = killed(dir)
      await store.close()
      const whole = end === 'killed' ? left : killed(dir)
      await fc.assert(
        fc.asyncProperty(fc.array(harm, { minLength: 1, maxLength: 4 }), fc.boolean(), (harms, repair) =>
          round(engine, whole, history, harms, repair, seen),
        ),
        { numRuns: Math.ceil(ROUNDS / 2) },
      )
      console.log(
        `directories harmed, ${engine.name}, ${end}: ${seen.harmed}, refused: ${seen.refused}, repaired: ${seen.repaired}, entries found: ${seen.found}, wrong bytes: 0`,
      )
    })
  },
)
