import { spawn } from 'node:child_process'
import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { TagTable } from '../../lib/cache/tags.js'
import { native } from '../../lib/native/loader.js'
import type { FileStore } from '../../lib/store/file/file-store.js'
import { verifyDirectory } from '../../lib/store/file/verify/verify.js'
import { readAll } from '../conformance/store-kit.js'
import { blocksOf } from '../helpers/file-model.js'
import { type Engine, emptyDir, engines, opened } from '../helpers/file-rig.js'

/*
 * A process that writes is killed at whatever instant (I7): the directory opens warm, with every write that was acknowledged, and
 * nothing wrong. `DREY_ROUNDS=300` for the long job.
 */

const MiB = 2 ** 20
const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url))
/** On the js path there is one engine, and less to find out. */
const ROUNDS = Number(process.env['DREY_ROUNDS'] ?? (native() === undefined ? 10 : 30))
/** So many deaths one directory sees. */
const LIVES = 5
/** After so many changes at most that it was told are done, and so many ms, it is killed. */
const MOST_CHANGES = 250
const MOST_MS = 20

interface Bounds {
  readonly maxBytes: number
  readonly segmentBytes: number
  readonly maxItemBytes: number
}

const BOUNDS: Readonly<Record<'room' | 'evicting', Bounds>> = {
  // More than is written in all its lives.
  room: { maxBytes: 4096 * MiB, segmentBytes: 4 * MiB, maxItemBytes: 8 * MiB },
  evicting: { maxBytes: 8 * MiB, segmentBytes: MiB, maxItemBytes: MiB },
}

const NONE = 'none'

/** What a key may have: one thing, unless something was tried that was not acknowledged. */
type Possible = Map<string, Set<string>>

/** Changes that were to happen together, and were not acknowledged: what each key is to have, and had. */
interface OpenBatch {
  readonly keys: Map<string, { readonly version: string; readonly before: ReadonlySet<string> }>
}

function bytesFor(key: string, version: string): Buffer {
  const size = Number(version.split('.')[2])
  const text = `${key} ${version};`
  if (size % 2 === 0) return Buffer.alloc(size, text)
  const secret = createHash('md5').update(text).digest()
  return createCipheriv('aes-128-ctr', secret, Buffer.alloc(16)).update(Buffer.alloc(size))
}

/** Writes until it is killed. */
async function live(engine: Engine, task: object, changes: number, ms: number): Promise<void> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(task)], {
    env: { ...process.env, DREY_NATIVE: engine.name === 'native' ? '1' : '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const ended = once(child, 'exit')
  // One byte when it begins, and one for each change.
  let told = 0
  const enough = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      told += chunk.length
      if (told > changes) resolve()
    })
  })
  await Promise.race([enough, ended])
  await sleep(ms)
  child.kill('SIGKILL')
  const [, signal] = await ended
  if (signal !== 'SIGKILL') throw new Error(`the process ended by itself: ${said}`)
}

/** Brings `possible` up to what was noted; says how many changes were acknowledged, and which batches were not. */
function readNotes(log: string, possible: Possible): { done: number; batches: OpenBatch[] } {
  const text = readFileSync(log, 'utf8')
  const batches = new Map<string, OpenBatch>()
  const openBatch = new Map<string, string>()
  let done = 0
  // What is behind the last line end was being noted.
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    const [what, key, version, batch] = line.split(' ') as [string, string, string, string?]
    if (what === 'wrong') throw new Error(line)
    if (what === 'try') {
      const there = possible.get(key)!
      openBatch.delete(key)
      if (batch !== undefined) {
        const members = batches.get(batch) ?? { keys: new Map() }
        members.keys.set(key, { version, before: new Set(there) })
        batches.set(batch, members)
        openBatch.set(key, batch)
      }
      // The last that was tried is the last of them.
      there.delete(version)
      there.add(version)
    } else if (what === 'done') {
      possible.set(key, new Set([[...possible.get(key)!].at(-1)!]))
      const batch = openBatch.get(key)
      if (batch !== undefined) batches.delete(batch)
      done += 1
    }
  }
  // One that was refused, or whose keys were changed since, says nothing.
  const last = [...batches].filter(([name, { keys }]) =>
    [...keys.keys()].every((key) => openBatch.get(key) === name),
  )
  return { done, batches: last.map(([, batch]) => batch) }
}

/** Compares all that is there; says what there is, by key. */
async function readBack(
  store: FileStore,
  possible: Possible,
  mayMiss: boolean,
): Promise<{ found: Map<string, string>; invalidated: number }> {
  const found = new Map<string, string>()
  const tags = new TagTable(0, store.journal)
  let invalidated = 0
  for await (const [key] of store.entries()) expect(possible.has(key)).toBe(true)
  for (const [key, versions] of possible) {
    const entry = await store.find(key, true)
    const standing = entry && tags.standing(entry.metadata)
    const version = standing === undefined ? NONE : standing.etag!
    if (standing === undefined && entry !== undefined) {
      invalidated += 1
      entry.release()
    } else if (entry !== undefined) {
      const value = await readAll(entry)
      entry.release()
      if (!value.equals(bytesFor(key, version))) throw new Error(`${key} ${version} has other bytes`)
    }
    found.set(key, version)
    if (versions.has(version) || (mayMiss && version === NONE)) continue
    throw new Error(`${key} is ${version}, and may be ${[...versions].join(' or ')}`)
  }
  return { found, invalidated }
}

/** All of a batch is there, or nothing. */
function expectAllOrNone(batches: readonly OpenBatch[], found: ReadonlyMap<string, string>): void {
  for (const { keys } of batches) {
    const all = [...keys]
    const isNew = all.filter(
      ([key, { version, before }]) => found.get(key) === version && !before.has(version),
    )
    const isOld = all.filter(([key, { version }]) => found.get(key) !== version)
    expect([isNew.length, isOld.length]).toContain(0)
  }
}

const LOOPS = 6
const KEYS = 8

function nothing(): Possible {
  const names = Array.from({ length: LOOPS * KEYS }, (_, at) => `key.${Math.floor(at / KEYS)}.${at % KEYS}`)
  return new Map(names.map((key) => [key, new Set([NONE])]))
}

describe.each(['room', 'evicting'] as const)(
  'a process that is killed leaves what it acknowledged (I7): %s',
  (kind) => {
    test('whoever wrote it and whoever opens it', { timeout: 3_600_000 }, async () => {
      const bounds = BOUNDS[kind]
      const all = engines()
      let dir = ''
      let possible = nothing()
      const seen = { kills: 0, 'opened warm': 0, acknowledged: 0, torn: 0, batches: 0 }
      for (let round = 0; round < ROUNDS / 2; round += 1) {
        if (round % LIVES === 0) {
          if (dir !== '') rmSync(dir, { recursive: true })
          dir = emptyDir()
          possible = nothing()
        }
        const writer = all[round % all.length]!
        const opener = all[Math.floor(round / 2) % all.length]!
        const log = join(emptyDir(), 'notes')
        const options = { ...bounds, dir, minFree: 0, compression: ['none', 'lz4', 'gzip'][round % 3] }
        const mode = round % 4 < 2 ? 'store' : 'cache'
        const seed = (round + 1) * 7919 + (kind === 'room' ? 0 : 1)
        // Numbers that depend on the round alone; what the machine makes of them does not.
        const chance = Math.imul(seed, 2654435761) >>> 0
        const task = { options, mode, log, seed, loops: LOOPS, keys: KEYS }
        await live(writer, task, chance % MOST_CHANGES, (chance >>> 16) % MOST_MS)
        seen.kills += 1
        const { done, batches } = readNotes(log, possible)

        expect(blocksOf(dir)).toBeLessThanOrEqual(bounds.maxBytes)
        const report = await verifyDirectory(dir)
        const told = `round ${round}, written by ${writer.name}: ${JSON.stringify(report)}`
        expect(report, told).toMatchObject({ damages: [], unsound: 0, strange: [] })
        const store = await opened(opener.make({ ...bounds, dir }), Date.now())
        const { recovery, bytes } = store.stats()
        expect(recovery).toMatchObject({ damagedBytes: 0, doubt: false })
        const { found, invalidated } = await readBack(store, possible, kind === 'evicting')
        const there = [...found.values()].filter((version) => version !== NONE).length
        // Warm: what was there is there, without anybody having to ask for it.
        if (kind === 'room') expect(recovery!.entries).toBe(there + invalidated)
        else if (done > LOOPS * KEYS) expect(recovery!.entries).toBeGreaterThan(0)
        if (kind === 'room') expectAllOrNone(batches, found)
        expect(blocksOf(dir)).toBeLessThanOrEqual(store.stats().bytes)
        expect(bytes).toBeLessThanOrEqual(bounds.maxBytes)
        expect(store.stats()).toMatchObject({ corrupt: 0, diskErrors: 0 })
        await store.close()
        for (const [key, version] of found) possible.set(key, new Set([version]))
        // Whatever was not as it had to be has ended the test above.
        seen['opened warm'] += 1
        seen.acknowledged += done
        seen.torn += recovery!.tornBytes > 0 ? 1 : 0
        seen.batches += batches.length
      }
      const said = Object.entries(seen).map(([what, count]) => `${what}: ${count}`)
      console.log(`killed by force, ${kind}: ${said.join(', ')}, wrong bytes: 0`)
      expect(seen.acknowledged).toBeGreaterThan(ROUNDS)
    })
  },
)
