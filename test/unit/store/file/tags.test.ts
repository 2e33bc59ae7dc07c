import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Cache, createCache } from '../../../../lib/index.js'
import type { Env } from '../../../../lib/store/file/env.js'
import type { Durability } from '../../../../lib/store/file/options.js'
import { verifyDirectory } from '../../../../lib/store/file/verify/verify.js'
import type { Store } from '../../../../lib/store/store.js'
import { FaultEnv } from '../../../helpers/fault-env.js'
import { killed } from '../../../helpers/file-model.js'
import { emptyDir, engines, enginesOfPath, fileStoreOf } from '../../../helpers/file-rig.js'
import { gate } from '../../../helpers/gate.js'
import { powerEnv } from '../../../helpers/power-env.js'

/*
 * An invalidation that was acknowledged holds (I5), whatever happens: the process is killed at any call of the system, the power goes, calls fail,
 * the disk changes a byte. `DREY_ROUNDS` for more rounds.
 */

const ROUNDS = Math.ceil(Number(process.env['DREY_ROUNDS'] ?? 80) / 20)
const TAGS = ['s', 't', 'u', 'v']
const KEYS = ['a', 'b', 'c', 'd', 'e']

function randomOf(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9
    return ((state ^ (state >>> 13)) >>> 0) % below
  }
}

const cacheOver = (store: Store): Promise<Cache> => createCache({ tiers: [store], pressure: false })

interface Version {
  readonly tags: readonly string[]
  /** How many invalidations had been asked for when it was begun. */
  readonly began: number
}

interface Invalidated {
  readonly tag: string
  acknowledged: boolean
}

/** Writes and invalidations, and what must not be found after them. */
class Load {
  readonly versions: Version[] = []
  readonly invalidated: Invalidated[] = []
  readonly #random: (below: number) => number
  cache: Cache

  constructor(cache: Cache, random: (below: number) => number) {
    this.cache = cache
    this.#random = random
  }

  async step(): Promise<void> {
    const random = this.#random
    if (random(3) === 0) return this.invalidate(TAGS[random(TAGS.length)]!)
    const tags = TAGS.filter(() => random(2) === 0)
    const version = this.versions.push({ tags, began: this.invalidated.length }) - 1
    await this.cache.set(KEYS[random(KEYS.length)]!, `${version}`, { tags }).catch(failed)
  }

  async invalidate(tag: string): Promise<void> {
    const one = { tag, acknowledged: false }
    this.invalidated.push(one)
    await this.cache.invalidateTags([tag]).then(() => {
      one.acknowledged = true
    }, failed)
    // In this process it holds either way.
    await this.check(this.cache, [{ ...one, acknowledged: true }], this.invalidated.indexOf(one))
  }

  /** @param first which of all invalidations the first of those given is */
  async check(cache: Cache, invalidated: readonly Invalidated[], first = 0): Promise<void> {
    for (const key of KEYS) {
      const answer = await cache.get(key, { allowStale: true })
      if (answer?.status !== 'ok') continue
      const text = await answer.text()
      const { tags, began } = this.versions[Number(text)]!
      for (const [at, { tag, acknowledged }] of invalidated.entries()) {
        const gone = acknowledged && tags.includes(tag) && began <= at + first
        if (gone) throw new Error(`${key} is version ${text}, though ${tag} was invalidated after it`)
      }
    }
  }
}

// What is not acknowledged is nobody's.
const failed = (): undefined => undefined

/** Opens what is left twice, each time invalidating what was not: numbers that were lost must not come again. */
async function checkLeft(
  load: Load,
  dir: string,
  invalidated: readonly Invalidated[],
  make: (dir: string, time: number) => Store,
): Promise<void> {
  let place = dir
  const all = [...invalidated]
  for (const time of [0, 1]) {
    const cache = await cacheOver(make(place, time))
    await load.check(cache, all)
    for (const tag of TAGS.slice(time * 2, time * 2 + 2)) {
      // Of all versions there are.
      while (all.length < load.versions.length + load.invalidated.length)
        all.push({ tag, acknowledged: false })
      all.push({ tag, acknowledged: true })
      await cache.invalidateTags([tag])
      await load.check(cache, all)
    }
    place = killed(place)
    await cache.close()
  }
}

const anotherBoot = async (): Promise<Buffer> => Buffer.alloc(16, 9)

/** A directory of what the disk had. */
function leftBy(left: ReadonlyMap<string, Buffer>, dir: string): string {
  const after = emptyDir()
  for (const [path, bytes] of left) {
    const place = path.replace(dir, after)
    mkdirSync(dirname(place), { recursive: true })
    writeFileSync(place, bytes)
  }
  return after
}

const tagsFiles = (dir: string): string[] =>
  readdirSync(join(dir, 'log')).filter((name) => name.endsWith('.tag'))

async function rounds(round: (seed: number) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= ROUNDS; seed += 1) {
    try {
      await round(seed)
    } catch (error) {
      throw new Error(`in round ${seed}`, { cause: error })
    }
  }
}

describe.each(['none', 'process', 'power'] as Durability[])('with durability %s', (durability) => {
  const small = { durability, partitions: 2 }
  const all = engines()

  it('a kill at any call of the system loses none that was acknowledged', () =>
    rounds(async (seed) => {
      const random = randomOf(seed)
      const dir = emptyDir()
      const env = new FaultEnv()
      const store = fileStoreOf({ ...small, dir }, { env })
      const load = new Load(await cacheOver(store), random)
      const goes = env.calls.length + random(120)
      let left: string | undefined
      let invalidated: Invalidated[] = []
      env.onCall = ({ index }) => {
        if (index < goes || left !== undefined) return undefined
        left = killed(dir)
        invalidated = load.invalidated.map((one) => ({ ...one }))
        return undefined
      }
      while (left === undefined) await Promise.all([load.step(), load.step(), load.step()])
      env.onCall = () => undefined
      await load.cache.close()
      await checkLeft(load, left, invalidated, (place, time) =>
        all[time % all.length]!.make({ ...small, dir: place }),
      )
    }))

  it('the power may go at any write', () =>
    rounds(async (seed) => {
      const random = randomOf(seed)
      const dir = emptyDir()
      const keeping = random(100)
      const goes = 3 + random(60)
      let written = 0
      let left: Map<string, Buffer> | undefined
      let invalidated: Invalidated[] = []
      const { env, lost } = powerEnv(() => {
        written += 1
        if (written !== goes) return
        left = lost(() => random(100) < keeping)
        invalidated = load.invalidated.map((one) => ({ ...one }))
      })
      // Sometimes of one that was closed before, and to which nothing but invalidations are written.
      const closed = random(2) === 0
      const first = new Load(await cacheOver(fileStoreOf({ ...small, dir }, { env })), random)
      let load = first
      if (closed) {
        written = -1000
        for (let count = 0; count < 6; count += 1) await load.step()
        await load.cache.close()
        written = 0
        load.cache = await cacheOver(fileStoreOf({ ...small, dir }, { env }))
      }
      while (left === undefined) {
        if (closed) await load.invalidate(TAGS[random(TAGS.length)]!)
        else await Promise.all([load.step(), load.step(), load.step()])
      }
      load = first
      await load.cache.close()
      const after = leftBy(left, dir)
      const started: Env = Object.assign(new FaultEnv(), { bootId: anotherBoot })
      await checkLeft(load, after, invalidated, (place) =>
        fileStoreOf({ ...small, dir: place }, { env: started }),
      )
    }))

  it('the power goes after invalidations and nothing else', async () => {
    const dir = emptyDir()
    const { env, lost } = powerEnv()
    const keys = ['a', 'b', 'c', 'd', 'e']
    let cache = await cacheOver(fileStoreOf({ ...small, dir }, { env }))
    for (const key of keys) await cache.set(key, 'v', { tags: [key] })
    await cache.close()
    cache = await cacheOver(fileStoreOf({ ...small, dir }, { env }))
    for (const key of keys.slice(1)) await cache.invalidateTags([key])
    const after = leftBy(
      lost(() => false),
      dir,
    )
    await cache.close()
    const again = await cacheOver(
      fileStoreOf({ ...small, dir: after }, { env: Object.assign(new FaultEnv(), { bootId: anotherBoot }) }),
    )
    // Stale values, too: what is only in doubt may answer yet, what was invalidated may not.
    const got = await Promise.all(keys.map((key) => again.get(key, { allowStale: true })))
    const has = got.map((answer) => answer !== undefined)
    expect(has.slice(1)).toEqual([false, false, false, false])
    // Where all was synced, there is no reason to drop what was not invalidated.
    expect(has[0]).toBe(durability === 'power')
    await again.close()
  })

  it('a file that is full gives way to one that has everything', async () => {
    const dir = emptyDir()
    const [engine] = all.slice(-1)
    const cache = await cacheOver(engine!.make({ ...small, dir }))
    await cache.set('k', 'v', { tags: ['first'] })
    await cache.invalidateTags(['first'])
    // Of 64 KiB.
    for (let count = 0; count < 250; count += 1) await cache.invalidateTags(['x'.repeat(250)])
    const place = killed(dir)
    await cache.close()
    expect(Number.parseInt(tagsFiles(place)[0]!, 16)).toBeGreaterThan(1)
    const again = await cacheOver(all[0]!.make({ ...small, dir: place }))
    expect(await again.stat('k')).toBeUndefined()
    await again.close()
  })

  it('nothing that is stored while an invalidation is written says that it is younger', async () => {
    const dir = emptyDir()
    const env = new FaultEnv()
    const cache = await cacheOver(fileStoreOf({ ...small, dir }, { env }))
    await cache.invalidateTags(['other'])
    const written = gate()
    let held = false
    env.onCall = ({ name }) => {
      if (name !== 'write' || held) return undefined
      held = true
      return written.opened
    }
    const kept = cache.invalidateTags(['other'])
    await cache.set('k', 'v', { tags: ['t'] })
    await cache.set('written', 'v')
    const place = killed(dir)
    written.open()
    await kept
    await cache.close()
    const again = await cacheOver(all[0]!.make({ ...small, dir: place }))
    await again.invalidateTags(['t'])
    expect(await again.stat('k')).toBeUndefined()
    await again.close()
  })

  it('calls of the system that fail lose none that was acknowledged', () =>
    rounds(async (seed) => {
      const random = randomOf(seed)
      const dir = emptyDir()
      const env = new FaultEnv()
      const load = new Load(await cacheOver(fileStoreOf({ ...small, dir }, { env })), random)
      const often = 2 + random(12)
      const until = env.calls.length + 150
      env.onCall = ({ index, name }) => {
        if (index > until || random(often) > 0) return undefined
        if (name === 'write') return random(2) === 0 ? 'short' : { code: 'ENOSPC' }
        return ['datasync', 'sync', 'unlink', 'open'].includes(name) ? { code: 'EIO' } : undefined
      }
      for (let count = 0; count < 30; count += 1) await Promise.all([load.step(), load.step()])
      env.onCall = () => undefined
      const left = killed(dir)
      const invalidated = load.invalidated.map((one) => ({ ...one }))
      await load.invalidate('s')
      await load.cache.close()
      await checkLeft(load, left, invalidated, (place, time) =>
        all[time % all.length]!.make({ ...small, dir: place }),
      )
    }))
})

describe.each(enginesOfPath())('owners that die replacing, $name', (engine) => {
  it('however many, one opens it and invalidates', async () => {
    const dir = emptyDir()
    let cache = await cacheOver(engine.make({ dir }))
    await cache.set('gone', 'v', { tags: ['t'] })
    await cache.set('stays', 'v', { tags: ['u'] })
    await cache.invalidateTags(['t'])
    const place = killed(dir)
    await cache.close()
    const last = Number.parseInt(tagsFiles(place)[0]!, 16)
    // Each left one that it had made and not written to.
    for (let more = 1; more <= 5; more += 1) {
      const name = (last + more).toString(16).padStart(tagsFiles(place)[0]!.length - '.tag'.length, '0')
      writeFileSync(join(place, 'log', `${name}.tag`), '')
    }
    cache = await cacheOver(engine.make({ dir: place }))
    expect(tagsFiles(place)).toHaveLength(1)
    expect([await cache.has('gone'), await cache.has('stays')]).toEqual([false, true])
    await cache.invalidateTags(['u'])
    expect(await cache.has('stays')).toBe(false)
    await cache.close()
  })
})

describe.each(enginesOfPath())('damage, $name', (engine) => {
  const tagsFile = (dir: string): string => join(dir, 'log', tagsFiles(dir)[0]!)

  it('brings nothing back, and is told', async () => {
    const dir = emptyDir()
    const cache = await cacheOver(engine.make({ dir }))
    await cache.set('gone', 'v', { tags: ['t'] })
    await cache.invalidateTags(['t'])
    await cache.invalidateTags(['u'])
    await cache.set('younger', 'v', { tags: ['t'] })
    await cache.set('plain', 'v')
    await cache.close()
    expect(await verifyDirectory(dir)).toMatchObject({ damages: [], leftovers: [], strange: [] })
    const { length } = readFileSync(tagsFile(dir))
    for (let at = -1; at < length; at += 31) {
      const place = killed(dir)
      const path = tagsFile(place)
      if (at === -1) truncateSync(path, length - 30)
      else {
        const bytes = readFileSync(path)
        bytes[at]! ^= 0x10
        writeFileSync(path, bytes)
      }
      expect(await verifyDirectory(place)).toMatchObject({ counts: { tags: 1 } })
      const store = engine.make({ dir: place })
      const again = await cacheOver(store)
      expect(store.stats()).toMatchObject({ recovery: { clean: true } })
      const { recovery } = store.stats() as unknown as { recovery: { damagedBytes: number } }
      expect(recovery.damagedBytes).toBeGreaterThan(0)
      const has = await Promise.all(['gone', 'younger', 'plain'].map((key) => again.has(key)))
      expect(has).toEqual([false, false, true])
      await again.set('new', 'v', { tags: ['t'] })
      expect(await again.has('new')).toBe(true)
      await again.close()
      expect(await verifyDirectory(place)).toMatchObject({ damages: [], leftovers: [], strange: [] })
    }
  })

  it('a file that ends within what was being written when the process was killed is none', async () => {
    const dir = emptyDir()
    const cache = await cacheOver(engine.make({ dir }))
    await cache.set('gone', 'v', { tags: ['t'] })
    await cache.set('younger', 'v', { tags: ['u'] })
    await cache.invalidateTags(['t'])
    await cache.invalidateTags(['nobody'])
    const place = killed(dir)
    await cache.close()
    const path = tagsFile(place)
    truncateSync(path, readFileSync(path).length - 10)
    expect((await verifyDirectory(place)).leftovers).toHaveLength(1)
    const store = engine.make({ dir: place })
    const again = await cacheOver(store)
    expect(await Promise.all(['gone', 'younger'].map((key) => again.has(key)))).toEqual([false, true])
    expect(store.stats()).toMatchObject({ recovery: { damagedBytes: 0 } })
    await again.close()
  })
})
