import { describe, expect, test } from 'vitest'
import { MiB, rig, SUPPLIES } from './rig.js'

const OPTIONS = { maxBytes: '32MiB', classes: ['64KiB', '1MiB'], maxIdle: '8s' }

describe.each(SUPPLIES)('idle memory, %s supply', (kind, supply) => {
  /** Has `count` Buffers out at once, and gives them back. */
  const use = (pool: ReturnType<typeof rig>['pool'], size: number, count: number): void => {
    const all = Array.from({ length: count }, () => pool.get(size))
    for (const buffer of all) pool.put(buffer)
  }

  test('goes back when it is not needed, not before maxIdle, and the timer with it', () => {
    const { pool, clock, supply: watched } = rig(OPTIONS, supply())
    use(pool, MiB, 16)
    expect(pool.stats().heldBytes).toBe(16 * MiB)
    clock.advance(8000)
    expect(pool.stats().heldBytes).toBe(16 * MiB)
    let last = 16 * MiB
    for (let second = 0; second < 60; second += 1) {
      clock.advance(1000)
      const { heldBytes } = pool.stats()
      // A tenth of the burst's peak a tick: no cliff.
      expect(last - heldBytes).toBeLessThanOrEqual(12 * MiB)
      expect(heldBytes).toBeLessThanOrEqual(last)
      last = heldBytes
    }
    expect(last).toBe(0)
    expect(clock.pending).toBe(0)
    if (kind === 'native') expect(watched.givenBack).toBe(16 * MiB)
  })

  test('what was let go of and is there still serves again, and counts until then', () => {
    const { pool, clock, supply: watched } = rig(OPTIONS, supply())
    use(pool, MiB, 32)
    clock.advance(1_000_000)
    // All in one job, in which the collector takes nothing that was looked at.
    expect(pool.stats()).toMatchObject({ heldBytes: 0, lingeringBytes: kind === 'js' ? 32 * MiB : 0 })
    const all = Array.from({ length: 512 }, () => pool.get(65536))
    expect(pool.stats()).toMatchObject({ heldBytes: 32 * MiB, lingeringBytes: 0, active: { count: 512 } })
    expect(watched.taken).toBe(32 * MiB)
    for (const buffer of all) pool.put(buffer)
  })

  test('what lingers leaves no room for another size', () => {
    const { pool, clock } = rig({ ...OPTIONS, classes: ['64KiB', '8MiB'] }, supply())
    use(pool, 8 * MiB, 4)
    clock.advance(1_000_000)
    const held = () => pool.stats().heldBytes + pool.stats().lingeringBytes
    use(pool, 65536, 64)
    expect(held()).toBeLessThanOrEqual(32 * MiB)
    expect(pool.stats().direct.count).toBe(kind === 'js' ? 64 : 0)
  })

  test('stays as far as usage asks for it', () => {
    const { pool, clock } = rig(OPTIONS, supply())
    use(pool, MiB, 16)
    for (let second = 0; second < 120; second += 1) {
      use(pool, MiB, 5)
      clock.advance(1000)
    }
    expect(pool.stats().heldBytes).toBe(6 * MiB)
    expect(pool.stats().misses).toBe(8)
  })

  test('what is out is never touched, and its slab stays', () => {
    const { pool, clock } = rig(OPTIONS, supply())
    const kept = pool.get(MiB).fill(5)
    use(pool, MiB, 10)
    clock.advance(1_000_000)
    expect(pool.stats()).toMatchObject({ heldBytes: 2 * MiB, active: { count: 1 } })
    expect(kept.every((byte) => byte === 5)).toBe(true)
    expect(clock.pending).toBe(1)
    pool.put(kept)
    clock.advance(1_000_000)
    expect(pool.stats().heldBytes).toBe(0)
  })

  test('comes back without new objects where the addresses were kept', () => {
    const { pool, clock, supply: watched } = rig(OPTIONS, supply())
    const first = pool.get(65536)
    pool.put(first)
    clock.advance(1_000_000)
    expect(pool.stats()).toMatchObject({ heldBytes: 0, idle: { count: 0 } })
    const all = Array.from({ length: 32 }, () => pool.get(65536))
    expect(all.includes(first)).toBe(kind === 'native')
    expect(watched.takes).toBe(1)
    for (const buffer of all) buffer.fill(1)
    for (const buffer of all) expect(pool.put(buffer)).toBe(true)
    // Another class may have what is cold.
    clock.advance(1_000_000)
    pool.get(MiB)
    expect(watched.takes).toBe(1)
  })

  test('what is used least is gathered, so that slabs come to lie idle whole', () => {
    const { pool, clock } = rig(OPTIONS, supply())
    const all = Array.from({ length: 256 }, () => pool.get(65536))
    expect(pool.stats().heldBytes).toBe(16 * MiB)
    // Every second one comes back: all slabs are half idle.
    const kept = all.filter((_, at) => at % 2 === 0)
    for (const [at, buffer] of all.entries()) if (at % 2 === 1) pool.put(buffer)
    let next = 0
    for (let round = 0; round < 3000; round += 1) {
      next = (next * 31 + 7) % 128
      pool.put(kept[next]!)
      kept[next] = pool.get(65536)
      if (round % 50 === 0) clock.advance(1000)
    }
    for (const buffer of kept.splice(16)) pool.put(buffer)
    for (let second = 0; second < 200; second += 1) {
      for (let at = 0; at < 16; at += 1) {
        pool.put(kept[at]!)
        kept[at] = pool.get(65536)
      }
      clock.advance(1000)
    }
    expect(pool.stats().heldBytes).toBeLessThanOrEqual(4 * MiB)
    expect(pool.stats().active.count).toBe(16)
  })

  test('an infinite maxIdle sets no timer', () => {
    const { pool, clock } = rig({ ...OPTIONS, maxIdle: Infinity }, supply())
    use(pool, MiB, 4)
    expect(clock.pending).toBe(0)
    expect(pool.stats().heldBytes).toBe(4 * MiB)
  })
})

describe.each(SUPPLIES)('pressure, %s supply', (_, supply) => {
  test('takes idle memory at once, bounds growth, and lets go again', () => {
    const { pool, pressure } = rig(OPTIONS, supply())
    const all = Array.from({ length: 32 }, () => pool.get(MiB))
    const kept = all.splice(0, 8)
    for (const buffer of all) pool.put(buffer)
    expect(pool.stats().heldBytes).toBe(32 * MiB)
    pressure.tell(0.5)
    expect(pool.stats()).toMatchObject({
      heldBytes: 16 * MiB,
      pressure: { factor: 0.5, reductions: 1, reducedBytes: 16 * MiB, rejections: 0 },
    })
    const more = Array.from({ length: 10 }, () => pool.get(MiB))
    expect(pool.stats()).toMatchObject({
      heldBytes: 16 * MiB,
      pressure: { rejections: 2 },
      direct: { count: 2 },
    })
    // What is calmer takes nothing away.
    pressure.tell(0.7)
    expect(pool.stats()).toMatchObject({ heldBytes: 16 * MiB, pressure: { reductions: 1 } })
    expect(pool.get(MiB).length).toBe(MiB)
    expect(pool.stats().heldBytes).toBe(18 * MiB)
    for (const buffer of [...kept, ...more]) expect(pool.put(buffer)).toBe(true)
  })

  test('at the worst it lends what is there, and allocates the rest', () => {
    const { pool, pressure, supply: watched } = rig(OPTIONS, supply())
    const first = pool.get(MiB)
    pressure.tell(0.2)
    const all = [MiB, MiB, 65536].map((size) => pool.get(size))
    expect(watched.takes).toBe(1)
    expect(all.map(({ length }) => length)).toEqual([MiB, MiB, 65536])
    expect(pool.stats()).toMatchObject({
      active: { count: 2 },
      direct: { count: 2 },
      pressure: { rejections: 2 },
    })
    for (const buffer of [first, ...all]) expect(pool.put(buffer)).toBe(true)
    pressure.tell(1)
    pool.get(65536)
    expect(watched.takes).toBe(2)
  })
})
