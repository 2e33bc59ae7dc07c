import { setImmediate as turn } from 'node:timers/promises'
import type { BatchEntry, Body, Fetcher, Found } from '../../../../lib/index.js'
import { notFound, notModified } from '../../../../lib/index.js'
import type { Value } from '../../../helpers/history.js'
import type { Moment, Random, User, World } from './world.js'

/*
 * One of those who use a cache at the same time: what it does next, and how long that takes, is chance.
 */

export const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'] as const
const TAGS = ['red', 'blue'] as const
const SIZES = [0, 10, 300, 300, 4000, 4000, 20_000, 65_000, 70_000, 150_000] as const

/** The body breaks off, or the origin fails, because the test wants it to. */
class Broken extends Error {}

/** What is right to be told by a cache that closes, whose bodies break off, and whose stores have no room. */
const EXPECTED: ReadonlySet<unknown> = new Set([
  'ERR_DREY_CLOSED',
  'ERR_DREY_ABORTED',
  'ERR_DREY_TRUNCATED',
  'ERR_DREY_NO_SPACE',
  'ERR_DREY_TOO_LARGE',
  'ERR_DREY_ORIGIN',
])

export interface ClientOptions {
  readonly world: World
  readonly random: Random
  readonly steps: number
}

export async function client({ world, random, steps }: ClientOptions): Promise<void> {
  const one = <T>(of: readonly T[]): T => of[random(of.length)]!
  const chance = (percent: number): boolean => random(100) < percent
  const some = (least: number, most: number): string[] => {
    const keys = new Set<string>()
    const count = least + random(most - least + 1)
    while (keys.size < count) keys.add(one(KEYS))
    return [...keys]
  }
  const pause = async (most: number): Promise<void> => {
    for (let n = random(most + 1); n > 0; n -= 1) await turn()
  }
  const options = (value: Value) => ({
    ...(chance(50) ? { etag: `"${value.id}"` } : {}),
    ...(chance(30)
      ? ({ ttl: 0, staleWhileRevalidate: chance(50) ? '1h' : 0, staleIfError: '1h' } as const)
      : {}),
    tags: value.tags ?? [],
    user: { id: value.id },
  })
  const tagsOf = (): readonly string[] => TAGS.filter(() => chance(25))

  async function* inPieces(bytes: Buffer, breaksAt = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
    const step = Math.max(1, Math.ceil(bytes.length / (1 + random(4))))
    for (let at = 0; at < bytes.length; at += step) {
      if (at + step >= breaksAt) throw new Broken('it breaks off')
      yield bytes.subarray(at, at + step)
      await pause(4)
    }
  }

  const bodyOf = (value: Value): Body => {
    const bytes = world.bytesOf(value)
    if (chance(50)) return bytes
    if (!chance(15)) return inPieces(bytes)
    value.failed = true
    return inPieces(bytes, bytes.length)
  }

  const fetcher =
    (life: number): Fetcher<User> =>
    async ({ key, meta }) => {
      const value = (): Value => world.begin(life, 'fill', key, one(SIZES), { tags: tagsOf() })
      const asked = world.tick()
      const what = random(100)
      // A fill is as old as the call of its fetcher, however long that takes.
      const made = what < 65 ? value() : undefined
      await pause(chance(30) ? 20 : 3)
      if (made !== undefined) {
        const body = bodyOf(made)
        return { body, ...options(made), ...(chance(5) ? { store: false } : {}) }
      }
      const there = meta?.user && world.values[meta.user.id]
      if (what < 80 && there !== undefined) {
        there.confirmed = asked
        return notModified(chance(50) ? { ttl: '1h' } : {})
      }
      if (what < 90) return notFound({ ttl: chance(50) ? '1h' : 0 })
      throw new Broken('the origin fails')
    }

  const readOf = async (
    { life }: Moment,
    found: Found<User>,
    start: number,
    group?: number,
  ): Promise<void> => {
    const { key, outcome, meta } = found
    if (chance(5)) return found.close()
    const stored = outcome === 'hit' || outcome === 'stale' || outcome === 'revalidated'
    await pause(2)
    const bytes = chance(50) ? await found.bytes() : await gathered(found)
    const { id } = world.valueOf(key, bytes, meta.user)
    const fresh = outcome === 'hit'
    world.saw(life, { key, value: id, start, stored, fresh, ...(group === undefined ? {} : { group }) })
  }

  const write = async (moment: Moment, key: string): Promise<void> => {
    const { cache, life } = moment
    const value = world.begin(life, 'set', key, one(SIZES), { tags: tagsOf() })
    if (chance(70)) {
      await settling(value, life, () => cache.set(key, bodyOf(value), options(value)))
      return
    }
    await settling(value, life, async () => {
      const into = cache.writer(key, options(value))
      const done = new Promise<void>((resolve, reject) => {
        into.on('finish', resolve).on('error', reject)
      })
      // It is awaited below, unless the pieces break off.
      done.catch(() => undefined)
      for await (const piece of inPieces(world.bytesOf(value))) into.write(piece)
      if (chance(15)) {
        value.failed = true
        into.destroy()
        return
      }
      into.end()
      await done
    })
  }

  /** Once a write was answered nothing more becomes of it. */
  const settling = async (value: Value, life: number, call: () => Promise<unknown>): Promise<void> => {
    try {
      await call()
    } catch (error) {
      if (world.isOf(life) && !isClosing(error)) value.end = world.tick()
      throw error
    }
    if (value.failed !== true) world.wrote(life, value)
  }

  const writeMany = async ({ cache, life }: Moment): Promise<void> => {
    const atomic = chance(75)
    const keys = some(2, 4)
    const batch = world.batch(keys)
    const values = keys.map((key) =>
      world.begin(life, 'set', key, one(SIZES), { tags: tagsOf(), ...(atomic ? { batch } : {}) }),
    )
    const entries = values.map((value): BatchEntry<User> => {
      return { key: value.key, body: world.bytesOf(value), ...options(value) }
    })
    try {
      await cache.setMany(entries, { atomic })
    } catch (error) {
      if (world.isOf(life) && !isClosing(error)) {
        const end = world.tick()
        for (const value of values) value.end = end
      }
      throw error
    }
    for (const value of values) world.wrote(life, value)
  }

  const readMany = async (moment: Moment): Promise<void> => {
    const start = world.tick()
    const answers = await moment.cache.getMany(some(2, KEYS.length), { allowStale: chance(50) })
    const bodies = answers.flatMap((answer) => (answer?.status === 'ok' ? [answer] : []))
    const outcomes = await Promise.allSettled(bodies.map((body) => readOf(moment, body, start, start)))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  const step = async (): Promise<void> => {
    const moment = await world.now()
    const { cache, life } = moment
    const key = one(KEYS)
    const what = random(100)
    if (what < 30) {
      const start = world.tick()
      const answer = await cache.fetch(
        key,
        fetcher(life),
        chance(20) ? { freshness: { fresh: () => false } } : {},
      )
      if (answer.status === 'ok') await readOf(moment, answer, start)
    } else if (what < 42) {
      const start = world.tick()
      const answer = await cache.get(key, { allowStale: chance(50) })
      if (answer?.status === 'ok') await readOf(moment, answer, start)
    } else if (what < 46) {
      const start = world.tick()
      const found = cache.getSync(key)
      if (found === undefined) return
      const { id } = world.valueOf(key, found.value, found.meta.user)
      world.saw(life, { key, value: id, start, stored: true, fresh: true })
    } else if (what < 50) {
      const start = world.tick()
      const meta = await cache.stat(key)
      if (meta?.user !== undefined) world.saw(life, { key, value: meta.user.id, start, stored: true })
    } else if (what < 66) await write(moment, key)
    else if (what < 74) await writeMany(moment)
    else if (what < 84) await readMany(moment)
    else if (what < 88) cache.refresh(key, fetcher(life))
    else if (what < 95) {
      const start = world.tick()
      const keys = chance(20) ? some(1, 3) : [key]
      await (keys.length === 1 ? cache.delete(keys[0]!) : cache.deleteMany(keys))
      for (const one of keys) world.removed(life, { key: one, start })
    } else if (what < 96) {
      const start = world.tick()
      await cache.clear()
      world.removed(life, { start })
    } else {
      const start = world.tick()
      const given = [one(TAGS)]
      const soft = chance(50)
      await cache.invalidateTags(given, { soft })
      world.removed(life, { tags: given, soft, start })
    }
  }

  for (let n = 0; n < steps; n += 1) {
    try {
      await step()
    } catch (error) {
      if (!EXPECTED.has((error as { code?: unknown }).code) && !(error instanceof Broken)) throw error
    }
    await pause(3)
  }
}

function isClosing(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === 'ERR_DREY_CLOSED' || code === 'ERR_DREY_ABORTED'
}

async function gathered(found: Found<User>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of found) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}
