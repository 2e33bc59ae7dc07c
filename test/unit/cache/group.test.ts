import { afterEach, describe, expect, it } from 'vitest'
import {
  type CacheGroup,
  createGroupWith,
  type GroupCacheOptions,
  type GroupOptions,
} from '../../../lib/cache/group.js'
import { BufferPool, type Cache, createGroup, memoryStore } from '../../../lib/index.js'
import { patterned } from '../../helpers/bodies.js'
import { FakeClock } from '../../helpers/clock.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { type Gate, gate, turns, until } from '../../helpers/gate.js'

const groups: CacheGroup[] = []
afterEach(async () => {
  await Promise.all(groups.splice(0).map((group) => group.close()))
})

function made(options: GroupOptions = {}, clock = new FakeClock()): CacheGroup {
  const group = createGroupWith({ pressure: false, ...options }, { clock })
  groups.push(group)
  return group
}

const memory = () => memoryStore({ maxBytes: '2MiB' })
const one = (options: GroupCacheOptions = {}): GroupCacheOptions => ({ tiers: [memory()], ...options })

/** Refreshes of `count` keys, each of which ends when the test says; who began is noted. */
function flood(cache: Cache, name: string, count: number, began: Array<readonly [string, Gate]>): void {
  for (let at = 0; at < count; at += 1) {
    const scheduled = cache.refresh(`${name} ${at}`, async () => {
      const end = gate()
      began.push([name, end])
      await end.opened
      return { body: 'v' }
    })
    expect(scheduled).toBe(true)
  }
}

describe('turns of a group', () => {
  it('are of all caches together, by weight where more wait', async () => {
    const group = made({ background: { concurrency: 3 } })
    const light = await group.createCache('light', one({ weight: 1 }))
    const heavy = await group.createCache('heavy', one({ weight: 3 }))
    const began: Array<readonly [string, Gate]> = []
    flood(heavy, 'heavy', 80, began)
    flood(light, 'light', 40, began)
    for (let ended = 0; ended < 60; ended += 1) {
      await until(() => began.length === ended + 3, 'three run')
      expect(group.stats().running).toBe(3)
      began[ended]![1].open()
    }
    // The first three began before anybody else had come.
    const granted = began.slice(3).map(([name]) => name)
    for (let count = 8; count < granted.length; count += 1) {
      const lights = granted.slice(0, count).filter((name) => name === 'light').length
      expect(Math.abs(lights - count / 4)).toBeLessThanOrEqual(2)
    }
    expect(group.stats()).toMatchObject({
      concurrency: 3,
      caches: [
        { name: 'light', weight: 1 },
        { name: 'heavy', weight: 3 },
      ],
    })
    for (let ended = 60; ended < 120; ended += 1) {
      await until(() => began.length > ended, 'the next runs')
      began[ended]![1].open()
    }
    await until(() => group.stats().running === 0, 'all are done')
  })

  it('one that floods does not keep another waiting for more than its part', async () => {
    const group = made({ background: { concurrency: 1, queue: 10_000 } })
    const flooding = await group.createCache('flooding', one({ timeouts: { shutdown: 0 } }))
    const quiet = await group.createCache('quiet', one())
    const began: Array<readonly [string, Gate]> = []
    flood(flooding, 'flooding', 1000, began)
    await until(() => began.length === 1, 'one runs')
    flood(quiet, 'quiet', 1, began)
    let ended = 0
    while (!began.some(([name]) => name === 'quiet')) {
      began[ended]![1].open()
      ended += 1
      await until(() => began.length > ended, 'the next runs')
    }
    expect(ended).toBeLessThanOrEqual(2)
    const [waiting] = group.stats().caches.map((cache) => cache.waiting)
    expect(waiting).toBeGreaterThan(990)
    await flooding.close()
    began.at(-1)![1].open()
    await until(() => quiet.stats().refreshes.done === 1, 'the other is done')
    expect(flooding.stats().refreshes.dropped).toBeGreaterThan(990)
  })

  it('what waits is bounded for each cache by itself, and counted', async () => {
    const group = made({ background: { concurrency: 1, queue: 2 } })
    const full = await group.createCache('full', one())
    const other = await group.createCache('other', one())
    const began: Array<readonly [string, Gate]> = []
    flood(full, 'full', 3, began)
    expect(full.refresh('more', () => ({ body: 'v' }))).toBe(false)
    expect(full.stats().refreshes).toMatchObject({ waiting: 2, dropped: 1 })
    flood(other, 'other', 2, began)
    expect(other.stats().refreshes).toMatchObject({ waiting: 2, dropped: 0 })
    for (let ended = 0; ended < 5; ended += 1) {
      await until(() => began.length > ended, 'the next runs')
      began[ended]![1].open()
    }
    await until(() => group.stats().running === 0, 'all are done')
  })

  it('writes to tiers below take turns, too, and one that hangs gives its turn back', async () => {
    const clock = new FakeClock()
    const group = made({ background: { concurrency: 1 } }, clock)
    const hanging = new DistantStore()
    const stuck = await group.createCache('stuck', {
      tiers: [memory(), hanging],
      timeouts: { operation: 1000 },
    })
    const fine = await group.createCache('fine', { tiers: [memory(), new DistantStore()] })
    const held = hanging.hold('draft')
    for (let at = 0; at < 5; at += 1) await stuck.set(`k${at}`, 'v')
    await turns()
    await fine.set('k', 'v')
    await turns(20)
    expect(fine.stats().tiers[1]).toMatchObject({ entries: 0, pending: 1 })
    clock.advance(1000)
    await until(() => fine.stats().tiers[1]!.entries === 1, 'the other has its turn')
    held.open()
    await until(() => stuck.stats().tiers[1]!.pending === 0, 'what hung is written')
  })
})

describe('a group', () => {
  it('has caches by name, each to be closed apart', async () => {
    const group = made()
    const a = await group.createCache('a', one())
    const b = await group.createCache('b', one())
    await a.set('k', 'of a')
    expect(await b.has('k')).toBe(false)
    expect([...group.caches]).toEqual([
      ['a', a],
      ['b', b],
    ])
    await expect(group.createCache('a', one())).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
    await a.close()
    expect([...group.caches.keys()]).toEqual(['b'])
    expect(await b.set('k', 'v')).toMatchObject({ size: 1 })
    await group.createCache('a', one())
    expect(group.stats().caches.map(({ name }) => name)).toEqual(['b', 'a'])
  })

  it('closes all together, ends their waits, and has nothing after', async () => {
    const clock = new FakeClock()
    const group = made({ background: { concurrency: 1 }, bufferPool: true }, clock)
    const caches = [
      await group.createCache('a', one({ timeouts: { shutdown: 0 } })),
      await group.createCache('b', one({ timeouts: { shutdown: 0 } })),
    ]
    const began: Array<readonly [string, Gate]> = []
    for (const [at, cache] of caches.entries()) flood(cache, `${at}`, 5, began)
    await until(() => began.length === 1, 'one runs')
    const opening = group.createCache('late', one())
    const closing = group.close()
    expect(group.close()).toBe(closing)
    await closing
    await expect(opening).rejects.toMatchObject({ code: 'ERR_DREY_CLOSED' })
    await expect(group.createCache('c', one())).rejects.toMatchObject({ code: 'ERR_DREY_CLOSED' })
    for (const cache of caches)
      await expect(cache.get('k')).rejects.toMatchObject({ code: 'ERR_DREY_CLOSED' })
    expect(began.length).toBe(1)
    expect(group.stats().caches).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('one that fails to open leaves the group as it was', async () => {
    const group = made()
    const broken = new DistantStore()
    broken.fail('open')
    await expect(group.createCache('a', { tiers: [broken] })).rejects.toThrow('injected')
    await expect(group.createCache('a', { tiers: [] })).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
    expect(group.stats().caches).toEqual([])
    const a = await group.createCache('a', one())
    await a.set('k', 'v')
    expect(await a.has('k')).toBe(true)
  })

  it('one that fails to close is told, and the others are closed', async () => {
    const group = made()
    const broken = new DistantStore()
    await group.createCache('a', { tiers: [broken] })
    const b = await group.createCache('b', one())
    broken.fail('close')
    await expect(group.close()).rejects.toThrow('injected')
    await expect(b.get('k')).rejects.toMatchObject({ code: 'ERR_DREY_CLOSED' })
    groups.splice(0)
  })

  it('has one pool for all where it is asked to', async () => {
    const group = made({ bufferPool: { maxBytes: '8MiB' } })
    const a = await group.createCache('a', one())
    const b = await group.createCache('b', one())
    expect(a.stats().pool?.maxBytes).toBe(8 * 2 ** 20)
    const found = await a.fetch('k', () => ({ body: patterned(300_000), store: false }))
    if (found.status === 'ok') await found.bytes()
    expect(b.stats().pool).toEqual(group.stats().pool)
    await a.close()
    expect(b.stats().pool).toEqual(group.stats().pool)

    const pool = new BufferPool({ maxBytes: '4MiB' })
    const given = made({ bufferPool: pool })
    await given.createCache('a', one())
    await given.close()
    pool.put(pool.get(4096))
    await pool.close()
    expect(made().stats().pool).toBeUndefined()
  })

  it.each([
    [{ background: { concurrency: 0 } }],
    [{ background: { threads: 2 } }],
    [{ bufferPool: 7 }],
    [{ weight: 2 }],
    [null],
  ])('refuses %j', (options) => {
    expect(() => createGroup(options as never)).toThrow(expect.objectContaining({ code: 'ERR_DREY_CONFIG' }))
  })

  it.each([
    ['', {}],
    [7, {}],
    ['a', null],
    ['a', { weight: 0 }],
    ['a', { weight: 1.5 }],
    ['a', { background: { concurrency: 2 } }],
    ['a', { refresh: { queue: 2 } }],
    ['a', { pressure: false }],
    ['a', { bufferPool: true }],
    ['a', { unknown: 1 }],
  ])('a cache of it refuses %j, %j', async (name, options) => {
    const group = made()
    const cache = group.createCache(name as never, options as never)
    await expect(cache).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
    expect(group.stats().caches).toEqual([])
  })
})
