import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FileStore } from '../../../../lib/store/file/file-store.js'
import type { Durability } from '../../../../lib/store/file/options.js'
import { bytesOf, metadataFor, readAll } from '../../../conformance/store-kit.js'
import { FaultEnv } from '../../../helpers/fault-env.js'
import { killed } from '../../../helpers/file-model.js'
import { emptyDir, fileStoreOf, opened } from '../../../helpers/file-rig.js'
import { powerEnv } from '../../../helpers/power-env.js'

/*
 * The power goes while changes are under way: of what was not synced the disk has any pages, and any names. With durability
 * 'power' all that was acknowledged is there; below that it may be missing, or older, but has to be revalidated; and no byte is
 * wrong. `DREY_ROUNDS` for more rounds.
 */

const KiB = 1024
const ROUNDS = Math.ceil(Number(process.env['DREY_ROUNDS'] ?? 80) / 2)
const KEYS = 10

interface Version {
  readonly value: Buffer | undefined
  readonly acknowledged: boolean
}

function randomOf(seed: number): () => number {
  let state = seed * 2654435761 + 1
  return () => {
    state = Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
}

class Load {
  readonly history = new Map<string, Version[]>()
  readonly #store: FileStore
  readonly #random: () => number
  #versions = 0
  /** Changes of one key come one after another, as the cache has them. */
  readonly #last = new Map<string, Promise<unknown>>()

  constructor(store: FileStore, random: () => number) {
    this.#store = store
    this.#random = random
  }

  change(): Promise<unknown> {
    const key = `key ${Math.floor(this.#random() * KEYS)}`
    const size = Math.floor(this.#random() ** 2 * 40 * KiB)
    const deletes = this.#random() < 0.2
    const next = (this.#last.get(key) ?? Promise.resolve()).then(() =>
      deletes ? this.#delete(key) : this.#put(key, size),
    )
    this.#last.set(key, next)
    return next
  }

  #note(key: string, version: Version): void {
    const versions = this.history.get(key) ?? []
    if (version.acknowledged)
      versions.splice(
        versions.findIndex((one) => one.value === version.value),
        1,
      )
    versions.push(version)
    this.history.set(key, versions)
  }

  async #put(key: string, size: number): Promise<void> {
    this.#versions += 1
    const value = bytesOf(size, `${key} ${this.#versions}`)
    this.#note(key, { value, acknowledged: false })
    const draft = (await this.#store.draft(key, undefined))!
    expect(await draft.write(value)).toBe(true)
    if (await draft.commit(metadataFor(size))) this.#note(key, { value, acknowledged: true })
  }

  async #delete(key: string): Promise<void> {
    const value = undefined
    this.#note(key, { value, acknowledged: false })
    await this.#store.delete(key)
    this.#note(key, { value, acknowledged: true })
  }
}

/** What may be there: with `strict` the last that was acknowledged, or what came after it. */
function allowed(versions: readonly Version[], strict: boolean): Array<Buffer | undefined> {
  if (!strict) return [undefined, ...versions.map(({ value }) => value)]
  const last = versions.findLastIndex(({ acknowledged }) => acknowledged)
  const after = versions.slice(Math.max(0, last)).map(({ value }) => value)
  return last === -1 ? [undefined, ...after] : after
}

async function round(durability: Durability, seed: number): Promise<void> {
  const random = randomOf(seed)
  const dir = emptyDir()
  // Where most is under way: right behind a write.
  const goes = 5 + Math.floor(random() * 60)
  const keeping = random()
  let written = 0
  let left: Map<string, Buffer> | undefined
  let history = new Map<string, Version[]>()
  const pull = (): void => {
    left ??= lost(() => random() < keeping)
    history = new Map([...load.history].map(([key, versions]) => [key, [...versions]]))
  }
  const { env, lost } = powerEnv(() => {
    written += 1
    if (written === goes) pull()
  })
  const more = {
    maxBytes: 32 * 1024 * KiB,
    packLimit: 20 * KiB,
    chunkBytes: 4 * KiB,
    partitions: 2,
    durability,
  }
  const store = await opened(fileStoreOf({ ...more, dir }, { env }))
  const load = new Load(store, random)
  const changes: Array<Promise<unknown>> = []
  while (written < goes) {
    for (let index = 0; index < 6; index += 1) changes.push(load.change())
    await Promise.race(changes.slice(-3))
  }
  await Promise.all(changes)
  await store.close()
  if (left === undefined) throw new Error('the power did not go')

  const after = emptyDir()
  for (const [path, bytes] of left) {
    const place = path.replace(dir, after)
    mkdirSync(dirname(place), { recursive: true })
    writeFileSync(place, bytes)
  }
  const started = new FaultEnv()
  started.bootId = async () => Buffer.alloc(16, 9)
  // Twice: what was dropped must not come back.
  const seen = new Map<string, string>()
  let place = after
  for (const time of [0, 1]) {
    const again = await opened(fileStoreOf({ ...more, dir: place }, { env: started }))
    for (const [key, versions] of history) {
      const entry = await again.find(key)
      const value = entry === undefined ? undefined : await readAll(entry)
      const may = allowed(versions, durability === 'power')
      if (
        !may.some((one) =>
          one === undefined ? value === undefined : value !== undefined && one.equals(value),
        )
      ) {
        throw new Error(`${key} ${value === undefined ? 'is missing' : 'is wrong'} at open ${time}`)
      }
      if (entry !== undefined && durability !== 'power') expect(entry.metadata.freshUntil).toBe(0)
      entry?.release()
      const is = value?.toString('latin1') ?? 'nothing'
      if (time === 1) expect(is === seen.get(key), `${key} is the same at both opens`).toBe(true)
      seen.set(key, is)
    }
    // Without a word, so that the log is read again.
    place = killed(place)
    await again.close()
  }
}

describe('after the loss of power (I7)', () => {
  test.each(['process', 'power'] as const)(
    'nothing is wrong: %s',
    { timeout: 3_600_000 },
    async (durability) => {
      for (let seed = 1; seed <= ROUNDS; seed += 1) {
        try {
          await round(durability, seed)
        } catch (error) {
          throw new Error(`in round ${seed}`, { cause: error })
        }
      }
      console.log(`losses of power, ${durability}: ${ROUNDS}, wrong bytes: 0`)
    },
  )
})
