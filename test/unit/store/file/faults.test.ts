import { readdirSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { DreyError } from '../../../../lib/errors.js'
import type { FileStore } from '../../../../lib/store/file/file-store.js'
import type { FileConfig } from '../../../../lib/store/file/options.js'
import { bytesOf, metadataFor, readAll } from '../../../conformance/store-kit.js'
import { type Call, type Fault, FaultEnv } from '../../../helpers/fault-env.js'
import { blocksOf } from '../../../helpers/file-model.js'
import { emptyDir, fileStoreOf, opened } from '../../../helpers/file-rig.js'

/*
 * Each call of the system failed, and shortened, once at each position of a workload: the store says so or does without, gives
 * no wrong byte, is of use after, and leaks nothing. By default at some positions; `DREY_ROUNDS=2000` fails each of them by one error or another, and
 * `DREY_ROUNDS=10000` by every error.
 */

const KiB = 1024
const CODES = ['EIO', 'ENOSPC', 'EMFILE', 'EACCES', 'EROFS', 'EDQUOT'] as const
const ROUNDS = Number(process.env['DREY_ROUNDS'] ?? 0)
/** Beside the long job, one position of so many. */
const STRIDE = ROUNDS > 1000 ? 1 : 19
const MORE: Partial<FileConfig> = {
  maxBytes: 1024 * KiB,
  maxItemBytes: 128 * KiB,
  segmentBytes: 64 * KiB,
  packLimit: 8 * KiB,
  chunkBytes: 4 * KiB,
  openFiles: 8,
}

const unhandled: unknown[] = []
const onUnhandled = (reason: unknown): void => void unhandled.push(reason)
process.on('unhandledRejection', onUnhandled)
afterAll(() => void process.off('unhandledRejection', onUnhandled))

/** What may be under a key: exactly one, unless a change of it failed. Undefined stands for nothing. */
class Possible {
  readonly #values = new Map<string, Array<Buffer | undefined>>()

  keys(): Iterable<string> {
    return this.#values.keys()
  }

  /** `done`: whether the change is known to have happened. */
  changed(key: string, value: Buffer | undefined, done: boolean): void {
    this.#values.set(key, done ? [value] : [...(this.#values.get(key) ?? [undefined]), value])
  }

  cleared(done: boolean): void {
    for (const key of this.#values.keys()) this.changed(key, undefined, done)
  }

  allows(key: string, value: Buffer | undefined): boolean {
    if (value === undefined) return true
    return (this.#values.get(key) ?? []).some((one) => one?.equals(value))
  }
}

/** What `call` gives; undefined when it fails as it may. */
async function may<T>(call: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof DreyError)) throw error
    return undefined
  }
}

async function set(store: FileStore, possible: Possible, key: string, size: number): Promise<void> {
  const value = bytesOf(size, `${key} ${Math.random()}`)
  possible.changed(key, value, false)
  const draft = await may(() => store.draft(key, size))
  if (draft === undefined) return
  const done = await may(async () => {
    for (let at = 0; at < size; at += 20 * KiB) {
      if (!(await draft.write(value.subarray(at, at + 20 * KiB)))) return false
    }
    return draft.commit(metadataFor(size))
  })
  if (done !== true) draft.abort()
  possible.changed(key, value, done === true)
}

async function check(store: FileStore, possible: Possible, key: string): Promise<void> {
  const entry = await store.find(key)
  if (entry === undefined) return
  const value = await may(() => readAll(entry))
  entry.release()
  if (!possible.allows(key, value)) throw new Error(`${key} has a value that it was not given last`)
}

async function workload(store: FileStore, possible: Possible): Promise<void> {
  for (let index = 0; index < 12; index += 1) {
    await set(store, possible, `key ${index % 8}`, [100, 6000, 30_000, 0, 90_000][index % 5]!)
    await check(store, possible, `key ${(index * 3) % 8}`)
  }
  const deleted = await may(() => store.delete('key 1'))
  possible.changed('key 1', undefined, deleted !== undefined)
  if (deleted !== undefined) expect(await store.find('key 1')).toBeUndefined()
  const entry = await store.find('key 2')
  if (entry !== undefined) {
    await may(() => store.revise('key 2', entry, { ...entry.metadata, etag: '"revised"' }))
    entry.release()
  }
  // Enough for segments and blobs to be reclaimed.
  for (let index = 0; index < 14; index += 1) await set(store, possible, `more ${index}`, 8000 + 7000 * index)
  await may(async () => {
    for await (const [key] of store.entries()) expect(typeof key).toBe('string')
  })
  const cleared = await may(async () => {
    await store.clear()
    return true
  })
  possible.cleared(cleared === true)
  await set(store, possible, 'key 3', 50_000)
}

const files = (): number => readdirSync('/proc/self/fd').length

/** The workload in a directory that was used before, with what `onCall` does to it; says which calls were made. */
async function run(more: Partial<FileConfig>, onCall: (call: Call) => Fault): Promise<FaultEnv> {
  const dir = emptyDir()
  const config = { ...MORE, ...more, dir }
  const possible = new Possible()
  const before = await opened(fileStoreOf(config))
  await set(before, possible, 'key 0', 70_000)
  await set(before, possible, 'key 1', 300)
  await before.close()
  const open = files()

  const env = new FaultEnv()
  env.onCall = onCall
  const store = fileStoreOf(config, { env })
  const isOpen = await may(() => opened(store))
  if (isOpen !== undefined) {
    await workload(store, possible)
    env.onCall = () => undefined
    const value = bytesOf(40_000, 'of use')
    const draft = (await store.draft('of use', undefined))!
    expect(await draft.write(value)).toBe(true)
    expect(await draft.commit(metadataFor(value.length))).toBe(true)
    possible.changed('of use', value, true)
    const entry = (await store.find('of use'))!
    expect((await readAll(entry)).equals(value)).toBe(true)
    entry.release()
    for (const key of possible.keys()) await check(store, possible, key)
    expect(store.stats().pinnedBytes).toBe(0)
    expect(store.stats().bytes).toBeLessThanOrEqual(MORE.maxBytes!)
    expect(blocksOf(dir)).toBeLessThanOrEqual(store.stats().bytes)
    env.onCall = onCall
  }
  await store.close()
  expect(files(), 'open files').toBe(open)

  const again = await opened(fileStoreOf(config))
  for (const key of possible.keys()) await check(again, possible, key)
  await again.close()
  await new Promise((resolve) => setImmediate(resolve))
  expect(unhandled).toEqual([])
  return env
}

describe.runIf(process.platform === 'linux')('each call of the system, once', () => {
  test.each(['process', 'power'] as const)('fails: %s', { timeout: 3_600_000 }, async (durability) => {
    const { calls } = await run({ durability }, () => undefined)
    let failed = 0
    for (let at = 0; at < calls.length; at += STRIDE) {
      for (const code of ROUNDS >= 10_000 ? CODES : [CODES[at % CODES.length]!]) {
        try {
          await run({ durability }, ({ index }) => (index === at ? { code } : undefined))
          failed += 1
        } catch (error) {
          throw new Error(`with ${code} at call ${at}, ${calls[at]}`, { cause: error })
        }
      }
    }
    console.log(
      `calls of the system failed, ${durability}: ${failed}, at places: ${calls.length}, wrong bytes: 0, files left open: 0`,
    )
  })

  test('does one byte of what it should', { timeout: 3_600_000 }, async () => {
    const { calls } = await run({}, () => undefined)
    let shortened = 0
    for (let at = 0; at < calls.length; at += STRIDE) {
      const name = calls[at]
      if (name !== 'read' && name !== 'write') continue
      try {
        await run({}, ({ index }) => (index === at ? 'short' : undefined))
        shortened += 1
      } catch (error) {
        throw new Error(`with a short ${name} at call ${at}`, { cause: error })
      }
    }
    console.log(`calls of the system cut short: ${shortened}, wrong bytes: 0, files left open: 0`)
  })

  test.each(CODES)('and from some time on, each: %s', { timeout: 600_000 }, async (code) => {
    for (const from of [30, 60, 120, 200]) {
      try {
        await run({}, ({ index, name }) => (index >= from && name !== 'close' ? { code } : undefined))
      } catch (error) {
        throw new Error(`with ${code} from call ${from} on`, { cause: error })
      }
    }
  })
})
