import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Cache, compressed, createCache, memoryStore } from '../../../lib/index.js'
import { native } from '../../../lib/native/loader.js'
import type { Durability } from '../../../lib/store/file/options.js'
import type { Store } from '../../../lib/store/store.js'
import { killed } from '../../helpers/file-model.js'
import { type Engine, emptyDir, engines } from '../../helpers/file-rig.js'
import { gate, until } from '../../helpers/gate.js'
import { found, noOrigin } from '../../helpers/rig.js'

/*
 * What was invalidated by tag stays so, whoever opens the directory next: after a close and after a kill, in either engine, with
 * other tiers than before.
 */

const MiB = 1024 * 1024
const LARGE = { maxBytes: 16 * MiB }

// The disk of a busy machine is waited for, though no origin here takes any time.
const timeouts = { lookup: '1m' } as const
const cacheOver = (...tiers: Store[]): Promise<Cache> => createCache({ tiers, pressure: false, timeouts })

describe.each(engines())('with the $name engine', (engine) => {
  const open = (dir: string, by: Engine = engine): Promise<Cache> => cacheOver(by.make({ ...LARGE, dir }))

  it.each(engines())('a hard one holds after a close, in the $name engine', async (next) => {
    const dir = emptyDir()
    let cache = await open(dir)
    await cache.set('gone', 'v', { tags: ['t', 'u'] })
    await cache.set('stays', 'v', { tags: ['u'] })
    await cache.set('plain', 'v')
    await cache.invalidateTags(['t'])
    await cache.set('anew', 'v', { tags: ['t'] })
    const has = (): Promise<boolean[]> =>
      Promise.all(['gone', 'stays', 'plain', 'anew'].map((key) => cache.has(key)))
    expect(await has()).toEqual([false, true, true, true])
    await cache.close()
    cache = await open(dir, next)
    expect(await has()).toEqual([false, true, true, true])
    expect([await cache.get('gone', { allowStale: true }), await cache.stat('gone')]).toEqual([
      undefined,
      undefined,
    ])
    await cache.invalidateTags(['u'])
    expect(await has()).toEqual([false, false, true, true])
    await cache.close()
    cache = await open(dir)
    expect(await has()).toEqual([false, false, true, true])
    await cache.close()
  })

  it('a soft one is stale since the same moment', async () => {
    const dir = emptyDir()
    let cache = await open(dir)
    await cache.set('k', 'v', { tags: ['t'], ttl: '1h', staleWhileRevalidate: '1h' })
    await cache.invalidateTags(['t'], { soft: true })
    const before = await cache.stat('k')
    await cache.close()
    cache = await open(dir)
    expect(await cache.stat('k')).toEqual(before)
    expect(before!.freshUntil).toBeLessThanOrEqual(Date.now())
    expect(found(await cache.fetch('k', () => ({ body: 'w' }))).outcome).toBe('stale')
    await cache.close()
  })

  it('wins over a fill and a write that began before it', async () => {
    const dir = emptyDir()
    let cache = await open(dir)
    const answers = gate()
    const asked = cache.fetch('fill', async () => {
      await answers.opened
      return { body: 'old', tags: ['t'] }
    })
    const writer = cache.writer('write', { tags: ['t'] })
    writer.write('old')
    await cache.invalidateTags(['t'])
    answers.open()
    await found(await asked).text()
    await new Promise<void>((resolve) => writer.end(resolve))
    expect([await cache.has('fill'), await cache.has('write')]).toEqual([false, false])
    await cache.close()
    cache = await open(dir)
    expect([await cache.has('fill'), await cache.has('write')]).toEqual([false, false])
    await cache.close()
  })

  it('counts its bytes', async () => {
    const dir = emptyDir()
    const store = engine.make({ ...LARGE, dir })
    const cache = await cacheOver(store)
    const before = store.stats().bytes
    await cache.invalidateTags(['t'])
    const first = store.stats().bytes
    expect(first).toBeGreaterThan(before)
    for (let at = 0; at < 3000; at += 100) {
      await cache.invalidateTags(Array.from({ length: 100 }, (_, i) => `a rather long tag ${at + i}`))
    }
    expect(store.stats().bytes).toBe(first)
    await cache.close()
  })

  it('of more tags than it keeps, none comes back', async () => {
    const dir = emptyDir()
    let cache = await open(dir)
    await cache.set('k', 'v', { tags: ['the first'] })
    await cache.invalidateTags(['the first'])
    for (let at = 0; at < 8; at += 1) {
      await cache.invalidateTags(Array.from({ length: 2000 }, (_, i) => `tag ${at} ${i}`))
    }
    await cache.set('new', 'v', { tags: ['the first', 'tag 0 0'] })
    await cache.close()
    cache = await open(dir)
    expect([await cache.stat('k'), await cache.has('new')]).toEqual([undefined, true])
    await cache.close()
  })

  it('goes with the compressed store, and beneath another tier', async () => {
    const dir = emptyDir()
    const make = (): Promise<Cache> =>
      cacheOver(memoryStore({ maxBytes: '1MiB' }), compressed(engine.make({ ...LARGE, dir }), 'gzip'))
    let cache = await make()
    await cache.set('k', 'v', { tags: ['t'] })
    await cache.invalidateTags(['t'])
    expect(cache.getSync('k')).toBeUndefined()
    await cache.set('l', 'v', { tags: ['t'] })
    await cache.close()
    cache = await make()
    expect([await cache.has('k'), await cache.has('l')]).toEqual([false, true])
    await cache.close()
  })
})

/** A directory of each, with caches that come and go over one of them or both. */
const tag = fc.constantFrom('s', 't', 'u')
const key = fc.constantFrom('a', 'b', 'c')
const step = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), key, tags: fc.uniqueArray(tag, { maxLength: 2 }) }),
  fc.record({ kind: fc.constant('fill' as const), key, tags: fc.uniqueArray(tag, { maxLength: 2 }) }),
  fc.record({ kind: fc.constant('invalidate' as const), tags: fc.uniqueArray(tag, { minLength: 1 }) }),
  fc.record({ kind: fc.constant('clear' as const) }),
  fc.record({
    kind: fc.constant('restart' as const),
    kills: fc.boolean(),
    tiers: fc.constantFrom('x', 'y', 'xy', 'yx', 'mx', 'mxy'),
    engine: fc.nat(),
  }),
)

describe('any caches over two directories', () => {
  it.each(['process', 'power'] as Durability[])(
    'find nothing that was invalidated: %s',
    async (durability) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
          const dirs = new Map([
            ['x', emptyDir()],
            ['y', emptyDir()],
          ])
          const start = (tiers: string, engine: number): Promise<Cache> =>
            cacheOver(
              ...[...tiers].map((one) => {
                const dir = dirs.get(one)
                if (dir === undefined) return memoryStore({ maxBytes: '1MiB' })
                const all = engines()
                return all[engine % all.length]!.make({ ...LARGE, dir, durability })
              }),
            )
          // Of each version that was stored: its tags, and the tiers in which it may be found.
          const made: Array<{ readonly tags: readonly string[]; readonly places: Set<string> }> = []
          let tiers = 'x'
          let cache = await start(tiers, 0)
          const store = (tags: readonly string[]): string =>
            `${made.push({ tags, places: new Set(tiers) }) - 1}`
          // What a cache was told is true of every tier that it has.
          const end = (which: (tags: readonly string[]) => boolean): void => {
            for (const { tags, places } of made) if (which(tags)) for (const one of tiers) places.delete(one)
          }
          const check = async (): Promise<void> => {
            for (const at of ['a', 'b', 'c']) {
              const answer = await cache.get(at, { allowStale: true })
              if (answer?.status !== 'ok') continue
              const { places } = made[Number(await answer.text())]!
              const may = [...tiers].some((one) => places.has(one))
              expect(may, `${at} may be found after ${JSON.stringify(steps)}`).toBe(true)
              // What is found below is copied above.
              for (const one of tiers) places.add(one)
            }
          }
          try {
            for (const one of steps) {
              switch (one.kind) {
                case 'set':
                  await cache.set(one.key, store(one.tags), { tags: one.tags })
                  expect(await cache.has(one.key)).toBe(true)
                  break
                case 'fill': {
                  await cache.delete(one.key)
                  const body = store(one.tags)
                  await found(await cache.fetch(one.key, () => ({ body, tags: one.tags }))).text()
                  break
                }
                case 'invalidate':
                  await cache.invalidateTags(one.tags)
                  end((tags) => one.tags.some((given) => tags.includes(given)))
                  break
                case 'clear':
                  await cache.clear()
                  end(() => true)
                  break
                case 'restart': {
                  if (one.kills) {
                    const copies = [...dirs].map(([name, dir]) => [name, killed(dir)] as const)
                    await cache.close()
                    for (const [name, dir] of copies) dirs.set(name, dir)
                  } else await cache.close()
                  tiers = one.tiers
                  // Memory is empty again.
                  for (const { places } of made) places.delete('m')
                  cache = await start(tiers, one.engine)
                  break
                }
              }
              await check()
            }
          } finally {
            await cache.close()
          }
        }),
        { numRuns: Number(process.env['TAGS_RUNS'] ?? 15) },
      )
    },
  )
})

it.skipIf(native() === undefined)(
  'I5: what a cache invalidates that has not all tiers, the others of those who have learn',
  async () => {
    const [x, y] = [emptyDir(), emptyDir()]
    const make = (dir: string): Store =>
      engines()
        .at(-1)!
        .make({ ...LARGE, dir })
    const one = await cacheOver(make(x))
    let both = await cacheOver(make(x), make(y))
    await both.set('k', 'v', { tags: ['t'] })
    await one.invalidateTags(['t'])
    expect(await both.has('k')).toBe(false)
    // Once the other has it, too, what is new counts.
    let hits = false
    for (let count = 0; count < 100 && !hits; count += 1) {
      await both.set('new', 'v', { tags: ['t'] })
      hits = await both.has('new')
    }
    expect(hits).toBe(true)
    await both.close()
    await one.close()
    both = await cacheOver(make(y))
    expect([await both.has('k'), await both.has('new')]).toEqual([false, true])
    await both.close()
  },
)

it('a tag whose origin answers again is a hit again', async () => {
  const dir = emptyDir()
  const [engine] = engines()
  const cache = await cacheOver(engine!.make({ ...LARGE, dir }))
  await cache.invalidateTags(['t'])
  const answer = found(await cache.fetch('k', () => ({ body: 'v', tags: ['t'] })))
  await answer.text()
  await until(() => answer.stored !== undefined, 'it is stored')
  expect(found(await cache.fetch('k', noOrigin)).outcome).toBe('hit')
  await cache.close()
})
