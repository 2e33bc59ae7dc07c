import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BufferPool } from '../../../lib/buffers/pool.js'
import { KiB, overlap, type Rig, rig, SUPPLIES } from './rig.js'

/*
 * The pool against a model of it, over random histories: what is out is a list of Buffers, each with a mark that its holder filled it with. After each
 * step the invariants of docs/reference/buffers.md that can be seen from outside are looked at.
 */

const MAX_BYTES = 256 * KiB
/** Slabs are 64 KiB then, and the largest class has one to itself. */
const OPTIONS = {
  maxBytes: MAX_BYTES,
  classes: ['4KiB', '8KiB', '16KiB', '128KiB'],
  maxIdle: '8s',
}
/** Longer than it takes until everything that is idle was given back. */
const LONG = 1000_000

interface Held {
  readonly buffer: Buffer
  readonly mark: number
  readonly pooled: boolean
  readonly release: () => boolean
}

class World {
  readonly rig: Rig
  readonly held: Held[] = []
  /** Put back at some time; some are out again. */
  readonly past: Buffer[] = []
  marks = 0
  closed = false

  constructor(made: Rig) {
    this.rig = made
  }

  get pool(): BufferPool {
    return this.rig.pool
  }

  take(buffer: Buffer, size: number, pooled: boolean, release: () => boolean): void {
    // B1
    expect(buffer.length).toBe(size)
    // B2
    for (const other of this.held) expect(overlap(buffer, other.buffer)).toBe(false)
    const mark = this.marks++ % 251
    buffer.fill(mark)
    this.held.push({ buffer, mark, pooled, release })
  }

  give(at: number): void {
    const [held] = this.held.splice(at % this.held.length, 1)
    const { buffer, mark, release } = held!
    expect(buffer.equals(Buffer.alloc(buffer.length, mark))).toBe(true)
    expect(release()).toBe(true)
    this.past.push(buffer)
  }

  check(): void {
    const { pool, clock, pressure, supply } = this.rig
    const stats = pool.stats()
    const active = this.held.filter(({ pooled }) => pooled)
    expect(stats.active.count).toBe(active.length)
    expect(stats.gets - stats.puts).toBe(this.held.length)
    // B4
    expect(stats.heldBytes).toBeLessThanOrEqual(MAX_BYTES)
    expect(stats.active.bytes + stats.idle.bytes).toBeLessThanOrEqual(stats.heldBytes)
    for (const { active: out, idle } of stats.classes)
      expect(Math.min(out.count, idle.count)).toBeGreaterThanOrEqual(0)
    if (supply.kind === 'native') expect(supply.taken).toBeLessThanOrEqual(2 * MAX_BYTES)
    // B5
    if (stats.gets === 0) expect([supply.takes, clock.pending, pressure.listeners.size]).toEqual([0, 0, 0])
    // B7
    if (this.closed) {
      expect([clock.pending, pressure.listeners.size, stats.idle.count]).toEqual([0, 0, 0])
      if (active.length === 0) expect(stats.heldBytes).toBe(0)
    }
    expect(stats.leaked).toEqual({ count: 0, bytes: 0 })
  }
}

type Step = (world: World) => void

const size = fc.oneof(
  fc.constantFrom(4096, 8192, 16384, 131072),
  fc.integer({ min: 0, max: 140 * KiB }),
  fc.constantFrom(0, 1, 4095, 4097, 131073),
)

function pooledBefore(world: World): number {
  return world.pool.stats().strategies.pooled
}

function get(bytes: number): Step {
  return (world) => {
    if (world.closed) {
      expect(() => world.pool.get(bytes)).toThrow(expect.objectContaining({ code: 'ERR_DREY_CLOSED' }))
      return
    }
    const said = world.pool.explain(bytes)
    const before = pooledBefore(world)
    const { takes } = world.rig.supply
    const buffer = world.pool.get(bytes)
    const pooled = pooledBefore(world) > before
    // What the system will refuse is not known before.
    if (!world.rig.supply.refuses) expect(said.lends).toBe(pooled ? 'pooled' : 'direct')
    if (world.rig.pressure.critical) expect(world.rig.supply.takes).toBe(takes)
    world.take(buffer, bytes, pooled, () => world.pool.put(buffer))
  }
}

function lease(bytes: number): Step {
  return (world) => {
    if (world.closed) return
    const before = pooledBefore(world)
    const one = world.pool.lease(bytes)
    world.take(one.buffer, bytes, pooledBefore(world) > before, () => {
      one.release()
      one.release()
      return true
    })
  }
}

/** Fills up with one class, and gives all of it back. */
function burst(bytes: number, count: number): Step {
  return (world) => {
    if (world.closed) return
    const first = world.held.length
    for (let at = 0; at < count; at += 1) get(bytes)(world)
    while (world.held.length > first) world.give(world.held.length - 1)
  }
}

const put =
  (at: number): Step =>
  (world) => {
    if (world.held.length > 0) world.give(at)
  }

/** B3: whatever is not out is refused. */
const misuse =
  (at: number): Step =>
  (world) => {
    const { pool, past, held } = world
    const refused = (buffer: Buffer): void => expect(pool.put(buffer)).toBe(false)
    refused(Buffer.alloc(8192))
    const once = past[at % past.length]
    // What is out again is its holder's, and is the same object: only debug mode tells them apart.
    if (once !== undefined && !held.some(({ buffer }) => buffer === once)) refused(once)
    const now = held[at % held.length]
    if (now !== undefined) refused(now.buffer.subarray(0))
  }

const wait =
  (ms: number): Step =>
  (world) =>
    world.rig.clock.advance(ms)

const press =
  (factor: number): Step =>
  (world) => {
    const { pool, pressure } = world.rig
    const before = pool.stats()
    pressure.tell(factor)
    const stats = pool.stats()
    expect(stats.heldBytes).toBeLessThanOrEqual(before.heldBytes)
    expect(stats.active).toEqual(before.active)
  }

const refuse =
  (refuses: boolean): Step =>
  (world) => {
    world.rig.supply.refuses = refuses
  }

const close: Step = (world) => {
  void world.pool.close()
  world.closed = true
}

const step = fc.oneof(
  { weight: 30, arbitrary: fc.record({ name: fc.constant('get'), n: size }) },
  { weight: 8, arbitrary: fc.record({ name: fc.constant('lease'), n: size }) },
  { weight: 30, arbitrary: fc.record({ name: fc.constant('put'), n: fc.nat() }) },
  { weight: 6, arbitrary: fc.record({ name: fc.constant('misuse'), n: fc.nat() }) },
  {
    weight: 4,
    arbitrary: fc.record({ name: fc.constant('burst'), n: fc.constantFrom(4096, 8192, 16384, 131072) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ name: fc.constant('wait'), n: fc.constantFrom(500, 1000, 9000, 60_000) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ name: fc.constant('press'), n: fc.constantFrom(1, 0.9, 0.7, 0.5, 0.2) }),
  },
  { weight: 3, arbitrary: fc.record({ name: fc.constant('refuse'), n: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant('close'), n: fc.constant(0) }) },
)

function play({ name, n }: { readonly name: string; readonly n: number }): Step {
  switch (name) {
    case 'get':
      return get(n)
    case 'lease':
      return lease(n)
    case 'put':
      return put(n)
    case 'misuse':
      return misuse(n)
    case 'burst':
      return burst(n, 20)
    case 'wait':
      return wait(n)
    case 'press':
      return press(n)
    case 'refuse':
      return refuse(n === 1)
    default:
      return close
  }
}

describe.each(SUPPLIES)('any history, %s supply', (_, supply) => {
  test.each([false, true])('keeps the invariants; debug mode: %s', (debug) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const world = new World(
          rig(
            { ...OPTIONS, debug, loggingInterval: Infinity, logging: { info: () => {}, warn: () => {} } },
            supply(),
          ),
        )
        world.check()
        for (const one of steps) {
          play(one)(world)
          world.check()
        }
        // All comes back, and in the end nothing is held.
        while (world.held.length > 0) world.give(0)
        world.rig.pressure.tell(1)
        world.rig.clock.advance(LONG)
        world.check()
        expect(world.pool.stats().heldBytes).toBe(0)
        if (!world.closed) close(world)
        world.check()
      }),
      { numRuns: 150 },
    )
  })
})
