import { constants } from 'node:buffer'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { BufferPoolOptions } from '../../../lib/buffers/options.js'
import { BufferPool } from '../../../lib/buffers/pool.js'
import { KiB, MiB, overlap, rig, SUPPLIES } from './rig.js'

const SIZES = [4096, 5000, 16384, 20_000, 32768, 65536, 100_000, 131072, 262144, 300_000, 524288, 1048576]

describe.each(SUPPLIES)('a buffer pool, %s supply', (_, supply) => {
  const open = (options: BufferPoolOptions = {}) => rig(options, supply())

  test('gives exactly what is asked for, and takes it back', () => {
    const { pool } = open()
    const all = SIZES.map((size) => pool.get(size))
    expect(all.map(({ length }) => length)).toEqual(SIZES)
    for (const [at, buffer] of all.entries()) buffer.fill(at)
    for (const [at, buffer] of all.entries()) expect(buffer.every((byte) => byte === at)).toBe(true)
    for (const a of all) for (const b of all) expect(a !== b && overlap(a, b)).toBe(false)
    for (const buffer of all) expect(pool.put(buffer)).toBe(true)
    expect(pool.stats()).toMatchObject({
      gets: 12,
      puts: 12,
      active: { count: 0, bytes: 0 },
      direct: { count: 0 },
    })
  })

  test('what it gives is a Buffer like any other', () => {
    const { pool } = open()
    for (const size of [4096, 4097, 10]) {
      const buffer = pool.get(size).fill(1)
      const other = Buffer.alloc(size, 1)
      expect(Buffer.isBuffer(buffer)).toBe(true)
      expect(Object.getPrototypeOf(buffer)).toBe(Buffer.prototype)
      expect(buffer).toStrictEqual(other)
      expect(inspect(buffer)).toBe(inspect(other))
      expect(Reflect.ownKeys(buffer).length).toBe(size)
    }
  })

  test('holds nothing before the first get, and what was put back is what goes out next', () => {
    const { pool, supply, clock, pressure } = open()
    expect(pool.stats()).toMatchObject({ heldBytes: 0, gets: 0, hitRate: 1, efficiency: 1 })
    expect([supply.takes, clock.pending, pressure.listeners.size]).toEqual([0, 0, 0])
    const buffer = pool.get()
    expect(buffer.length).toBe(32 * KiB)
    expect(supply.takes).toBe(1)
    pool.put(buffer)
    expect(pool.get(32 * KiB)).toBe(buffer)
    expect(pool.stats()).toMatchObject({ hits: 1, misses: 1, heldBytes: 2 * MiB })
  })

  test('a put of anything but what it lent is refused, counted, and changes nothing', () => {
    const { pool } = open()
    const stranger = open().pool
    const buffer = pool.get(8192)
    const small = pool.get(100)
    const before = pool.stats()
    const put = (what: unknown): boolean => pool.put(what as Buffer)
    for (const what of [
      undefined,
      null,
      5,
      'x',
      {},
      new Uint8Array(8192),
      Buffer.alloc(8192),
      stranger.get(8192),
      stranger.get(5),
    ]) {
      expect(put(what)).toBe(false)
    }
    for (const what of [
      buffer.subarray(1),
      buffer.subarray(0),
      new Uint8Array(buffer.buffer),
      new DataView(buffer.buffer),
    ]) {
      expect(put(what)).toBe(false)
    }
    expect(put(small.subarray(0, 5))).toBe(false)
    expect(pool.stats()).toMatchObject({
      refused: { foreign: 10, sliced: 4, again: 0 },
      active: before.active,
      puts: 0,
    })
    expect(put(buffer)).toBe(true)
    expect(put(small)).toBe(true)
    expect(put(buffer)).toBe(false)
    expect(put(small)).toBe(false)
    expect(pool.stats()).toMatchObject({ refused: { again: 2 }, active: { count: 0 }, puts: 2 })
    expect(pool.get(8192)).not.toBe(pool.get(8192))
  })

  test('an earlier view of a slot does not serve for a later one', () => {
    const { pool } = open()
    const first = pool.get(5000)
    pool.put(first)
    const second = pool.get(6000)
    expect(overlap(first, second)).toBe(true)
    expect(pool.put(first)).toBe(false)
    expect(pool.put(second)).toBe(true)
    expect(pool.put(first)).toBe(false)
    expect(pool.put(second)).toBe(false)
    // The same size again makes no object anew.
    expect(pool.get(6000)).toBe(second)
    expect(pool.put(first)).toBe(false)
    expect(pool.put(second)).toBe(true)
  })

  test.each([-1, 0.5, Number.NaN, Infinity, -Infinity, constants.MAX_LENGTH + 1, 2 ** 60, '4096', null, {}])(
    'a size of %s is refused, and the bound is named',
    (size) => {
      const { pool } = open()
      for (const call of ['get', 'lease', 'explain'] as const) {
        expect(() => pool[call](size as number)).toThrow(
          expect.objectContaining({
            code: 'ERR_DREY_CONFIG',
            message: expect.stringContaining(String(constants.MAX_LENGTH)),
          }),
        )
      }
      expect(pool.stats()).toMatchObject({ gets: 0, heldBytes: 0 })
    },
  )

  test('nothing of nothing', () => {
    const { pool, supply } = open()
    const empty = pool.get(0)
    expect(empty).toStrictEqual(Buffer.alloc(0))
    expect(pool.get(-0).length).toBe(0)
    expect(pool.put(empty)).toBe(true)
    expect(pool.put(empty)).toBe(false)
    expect(supply.takes).toBe(0)
  })

  test('sizes outside the bounds are allocated, and counted apart', () => {
    const { pool, supply } = open()
    const all = [1, 4095, MiB + 1, 3 * MiB].map((size) => pool.get(size))
    expect(supply.takes).toBe(0)
    expect(pool.stats()).toMatchObject({
      direct: { count: 4, bytes: 4 * MiB + 4097, puts: 0 },
      strategies: { pooled: 0, direct: 4, fallbacks: { full: 0 } },
      misses: 0,
    })
    for (const buffer of all) expect(pool.put(buffer)).toBe(true)
    expect(pool.stats().direct.puts).toBe(4)
  })

  test('what is full serves memory of its own, and never holds more than its bound', () => {
    const { pool } = open({ maxBytes: '4MiB', maxBufferSize: '256KiB' })
    const all = Array.from({ length: 100 }, () => pool.get(256 * KiB).fill(3))
    const stats = pool.stats()
    expect(stats.heldBytes).toBeLessThanOrEqual(4 * MiB)
    expect(stats.active.count).toBe(16)
    expect(stats).toMatchObject({ direct: { count: 84 }, strategies: { fallbacks: { full: 84 } } })
    for (const buffer of all) expect(pool.put(buffer)).toBe(true)
    expect(pool.stats()).toMatchObject({ active: { count: 0 }, puts: 100, hits: 8 })
  })

  test('an idle slab of one class serves another when there is no room', () => {
    const { pool, supply } = open({ maxBytes: '4MiB', classes: ['4KiB', '1MiB'] })
    const large = [MiB, MiB, MiB, MiB].map((size) => pool.get(size))
    expect(pool.stats().heldBytes).toBe(4 * MiB)
    for (const buffer of large) pool.put(buffer)
    const small = Array.from({ length: 1024 }, () => pool.get(4096))
    expect(pool.stats()).toMatchObject({ direct: { count: 0 }, heldBytes: 4 * MiB, idle: { count: 0 } })
    expect(supply.takes).toBe(2)
    // What they were is nobody's.
    for (const buffer of large) expect(pool.put(buffer)).toBe(false)
    for (const buffer of small) expect(pool.put(buffer)).toBe(true)
  })

  test('slabs of unequal size make room for each other', () => {
    const { pool, supply } = open({ maxBytes: '1MiB' })
    pool.put(pool.get(MiB))
    expect(pool.stats()).toMatchObject({ heldBytes: MiB, idle: { count: 1 } })
    const buffer = pool.get(4096)
    // What the system cannot have back at once makes no room.
    if (supply.returns) expect(pool.stats()).toMatchObject({ heldBytes: 128 * KiB, direct: { count: 0 } })
    else expect(pool.stats()).toMatchObject({ heldBytes: MiB, direct: { count: 1 } })
    pool.put(buffer)
    pool.put(pool.get(MiB))
    expect(pool.stats()).toMatchObject({ heldBytes: MiB, idle: { count: 1 } })
  })

  test('every class has a slab, however small the bound', () => {
    const { pool } = open({ maxBytes: '64KiB', maxBufferSize: '32KiB' })
    const all = [4096, 16384].map((size) => pool.get(size))
    expect(pool.stats()).toMatchObject({ direct: { count: 0 }, active: { count: 2 } })
    for (const buffer of all) pool.put(buffer)
    pool.put(pool.get(32768))
    expect(pool.stats().direct.count).toBe(0)
  })

  test('a supply that refuses makes no error', () => {
    const { pool, supply } = open()
    supply.refuses = true
    const buffer = pool.get(8192)
    expect(buffer.length).toBe(8192)
    expect(pool.put(buffer)).toBe(true)
    expect(pool.stats()).toMatchObject({ heldBytes: 0, strategies: { fallbacks: { refused: 1 } } })
    supply.refuses = false
    pool.get(8192)
    expect(pool.stats().active.count).toBe(1)
  })

  test('a pool that is not enabled allocates, and otherwise does the same', () => {
    const { pool, supply } = open({ enabled: false })
    const buffer = pool.get(8192)
    expect(buffer.length).toBe(8192)
    expect([pool.put(buffer), pool.put(buffer), pool.put(Buffer.alloc(1))]).toEqual([true, false, false])
    using lease = pool.lease(10)
    expect(lease.buffer.length).toBe(10)
    expect(supply.takes).toBe(0)
    expect(pool.stats()).toMatchObject({
      enabled: false,
      gets: 2,
      direct: { count: 2 },
      refused: { again: 1, foreign: 1 },
    })
    expect(pool.explain(8192)).toMatchObject({ strategy: 'direct', lends: 'direct' })
  })

  test('a lease gives back at the end of its block, once', () => {
    const { pool } = open()
    let kept: Buffer
    let lease = pool.lease()
    {
      using one = pool.lease(8192)
      kept = one.buffer
      lease = one
      expect(pool.stats().active.count).toBe(2)
    }
    expect(pool.stats().active.count).toBe(1)
    expect(pool.get(8192).buffer).toBe(kept.buffer)
    lease.release()
    expect(pool.stats()).toMatchObject({ active: { count: 2 }, refused: { again: 0 } })
    expect(() => lease.buffer).toThrow(expect.objectContaining({ code: 'ERR_DREY_CLOSED' }))
  })

  test('after close nothing is lent, nothing is left, and what is out is good', async () => {
    const { pool, supply, clock, pressure } = open()
    const [whole, view, direct, lost] = [4096, 5000, 10, 65536].map((size) => pool.get(size))
    pool.put(pool.get(MiB))
    whole!.fill(7)
    await pool.close()
    await pool.close()
    expect([clock.pending, pressure.listeners.size]).toEqual([0, 0])
    expect(() => pool.get(10)).toThrow(expect.objectContaining({ code: 'ERR_DREY_CLOSED' }))
    expect(() => pool.lease(4096)).toThrow(expect.objectContaining({ code: 'ERR_DREY_CLOSED' }))
    expect(pool.stats()).toMatchObject({ idle: { count: 0 }, active: { count: 3 }, heldBytes: 6 * MiB })
    expect(whole!.every((byte) => byte === 7)).toBe(true)
    expect([whole, view, direct].map((buffer) => pool.put(buffer!))).toEqual([true, true, true])
    expect(pool.put(whole!)).toBe(false)
    expect(pool.stats()).toMatchObject({ active: { count: 1 }, heldBytes: 2 * MiB, puts: 4 })
    expect(lost!.length).toBe(65536)
    pressure.tell(0.2)
    if (supply.kind === 'native') expect(supply.givenBack).toBe(6 * MiB)
    expect(pool.health().length).toBe(8)
    await using another = open().pool
    expect(another.get(1).length).toBe(1)
  })

  test('its memory cannot be transferred away from others', () => {
    const { pool } = open()
    const buffer = pool.get(4096).fill(9)
    const other = pool.get(4096).fill(8)
    try {
      structuredClone(buffer, { transfer: [buffer.buffer as ArrayBuffer] })
    } catch (error) {
      // Later versions of Node say so; earlier ones copy.
      expect(error).toMatchObject({ name: 'DataCloneError' })
    }
    expect(buffer.every((byte) => byte === 9) && other.every((byte) => byte === 8)).toBe(true)
    expect(buffer.length).toBe(4096)
  })

  test('says what it would do with an object, and why', () => {
    const { pool, pressure, supply } = open({ maxBytes: '2MiB', classes: ['4KiB', '64KiB', '1MiB'] })
    expect(pool.explain(100)).toMatchObject({ category: 'small', strategy: 'pooled', lends: 'direct' })
    expect(pool.explain(5000)).toMatchObject({
      category: 'small',
      strategy: 'pooled',
      lends: 'pooled',
      classBytes: 65536,
    })
    expect(pool.explain(32768).category).toBe('medium')
    expect(pool.explain(256 * KiB).category).toBe('large')
    expect(pool.explain(MiB)).toMatchObject({ category: 'veryLarge', strategy: 'pooled', classBytes: MiB })
    expect(pool.explain(MiB + 1)).toMatchObject({ strategy: 'chunked', chunkSize: MiB, lends: 'direct' })
    expect(supply.takes).toBe(0)
    const held = [pool.get(MiB), pool.get(MiB)]
    expect(pool.explain(4096)).toMatchObject({
      strategy: 'direct',
      reason: expect.stringContaining('maxBytes'),
    })
    for (const buffer of held) pool.put(buffer)
    // What the slabs of the largest class give up is room at once where the system can have it back.
    expect(pool.explain(4096)).toMatchObject({ lends: supply.returns ? 'pooled' : 'direct' })
    expect(pool.explain(MiB)).toMatchObject({ lends: 'pooled', classBytes: MiB })
    pressure.tell(0.2)
    expect(pool.explain(4096)).toMatchObject({
      strategy: 'direct',
      reason: expect.stringContaining('memory is short'),
    })
    expect(pool.explain(0)).toMatchObject({ lends: 'direct' })
  })

  test.each(['pooled', 'chunked', 'direct', 'adaptive'] as const)(
    'large objects by strategy %s',
    (largeObjectStrategy) => {
      const { pool } = open({ largeObjectStrategy })
      const lends =
        largeObjectStrategy === 'pooled' || largeObjectStrategy === 'adaptive' ? 'pooled' : 'direct'
      for (const size of [4096, 255 * KiB, 256 * KiB, MiB, MiB + 1]) {
        const said = pool.explain(size)
        const pooled = pool.stats().strategies.pooled
        pool.put(pool.get(size))
        expect(pool.stats().strategies.pooled - pooled).toBe(said.lends === 'pooled' ? 1 : 0)
        if (size < 256 * KiB)
          expect(said).toMatchObject({ lends: 'pooled', strategy: size > 64 * KiB ? 'chunked' : 'pooled' })
        else if (size > MiB) expect(said.lends).toBe('direct')
        else
          expect(said).toMatchObject({
            lends,
            strategy: largeObjectStrategy === 'adaptive' ? 'pooled' : largeObjectStrategy,
          })
      }
    },
  )

  test('counts by class and category', () => {
    const { pool } = open()
    for (const size of [4096, 20_000, 65536, 300_000, MiB, 2 * MiB]) pool.get(size)
    const { categories, classes, efficiency, active } = pool.stats()
    expect(Object.values(categories).map(({ gets }) => gets)).toEqual([2, 1, 1, 2])
    expect(Object.values(categories).map(({ direct }) => direct)).toEqual([0, 0, 0, 1])
    expect(classes.filter(({ gets }) => gets > 0).map(({ classBytes }) => classBytes / KiB)).toEqual([
      4, 32, 64, 512, 1024,
    ])
    const lent = (4 + 32 + 64 + 512 + 1024) * KiB
    expect(active).toEqual({ count: 5, bytes: lent })
    expect(efficiency).toBeCloseTo((4096 + 20_000 + 65536 + 300_000 + MiB) / lent)
  })

  test('measures when it is asked to', () => {
    const { pool } = open({ detailedMetrics: true })
    for (let count = 0; count < 20_000; count += 1) pool.put(pool.get(4096))
    const { latency, gets, hits } = pool.stats()
    expect([gets, hits]).toEqual([20_000, 19_999])
    expect(latency?.small?.samples).toBe(3)
    expect(latency?.small?.p50).toBeGreaterThan(0)
    expect(latency?.large).toBeUndefined()
    expect(open().pool.stats()).not.toHaveProperty('latency')
  })

  test('says how each class does', () => {
    const { pool } = open({ maxBytes: '2MiB', classes: ['4KiB', '64KiB', '1MiB'] })
    const level = (bytes: number) => pool.health().find(({ classBytes }) => classBytes === bytes)
    expect(level(4096)).toMatchObject({ level: 'idle' })
    for (let count = 0; count < 200; count += 1) pool.put(pool.get(4096))
    expect(level(4096)).toMatchObject({ level: 'good' })
    for (let count = 0; count < 200; count += 1) pool.put(pool.get(5000))
    expect(level(65536)).toMatchObject({ level: 'poor', reason: expect.stringContaining('class') })
    const held = [pool.get(MiB), pool.get(MiB)]
    for (let count = 0; count < 200; count += 1) pool.get(MiB)
    expect(level(MiB)).toMatchObject({ level: 'bad', reason: expect.stringContaining('maxBytes') })
    expect(held.length).toBe(2)
  })
})

test('the supply is the best that there is', () => {
  expect(new BufferPool().stats().supply).toBe(SUPPLIES[0]![0])
})
