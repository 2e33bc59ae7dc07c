import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Ghost } from '../../../lib/policy/ghost.js'

/** The definition: a list, oldest first. */
class Model {
  maxBytes: number
  entries: { fingerprint: number; size: number }[] = []

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  get bytes(): number {
    return this.entries.reduce((sum, { size }) => sum + size, 0)
  }

  trim(): void {
    while (this.bytes > this.maxBytes) this.entries.shift()
  }

  /** Whether it was there. Of equal ones, the newest goes. */
  take(fingerprint: number): boolean {
    const at = this.entries.findLastIndex((entry) => entry.fingerprint === fingerprint)
    if (at >= 0) this.entries.splice(at, 1)
    this.trim()
    return at >= 0
  }
}

const LARGE = 2 ** 40

const steps = fc.array(
  fc.record({
    take: fc.boolean(),
    fingerprint: fc.oneof(fc.nat(30), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
    size: fc.oneof(fc.constantFrom(0, 1, 5000, 2 ** 33), fc.nat(2000)),
  }),
  { maxLength: 1500, size: 'max' },
)

describe('ghost queue', () => {
  it.each([
    ['', undefined],
    [', also where its numbers begin anew', 1000],
  ])('remembers as a list would%s', (_where, lastNumber) => {
    fc.assert(
      fc.property(steps, fc.nat(5000), (sequence, maxBytes) => {
        const ghost = new Ghost(maxBytes, LARGE, lastNumber)
        const model = new Model(maxBytes)
        for (const { take, fingerprint, size } of sequence) {
          if (take) {
            expect(ghost.take(fingerprint)).toBe(model.take(fingerprint))
          } else {
            ghost.add(fingerprint, size)
            model.entries.push({ fingerprint, size: Math.min(size, 2 ** 32 - 1) })
          }
          expect(ghost.bytes).toBe(model.bytes)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('keeps to its bound in bytes when asked, and not before', () => {
    const ghost = new Ghost(100, LARGE)
    for (let at = 0; at < 20; at += 1) ghost.add(at, 10)
    expect(ghost.bytes).toBe(200)
    // The first of those driven out was still to be had.
    expect(ghost.take(0)).toBe(true)
    expect(ghost.bytes).toBe(100)
    expect(ghost.take(9)).toBe(false)
    expect(ghost.take(10)).toBe(true)
  })

  it('remembers one entry for 512 bytes of capacity, at 14 bytes each', () => {
    const capacity = 2 ** 20
    const ghost = new Ghost(LARGE, capacity)
    for (let at = 0; at < 10_000; at += 1) ghost.add(at, 1)
    expect(ghost.take(10_000 - 2048)).toBe(true)
    expect(ghost.take(10_000 - 2049)).toBe(false)
    expect(ghost.memoryBytes).toBe(2048 * 14)
    ghost.setCapacity(LARGE, capacity / 2)
    expect(ghost.memoryBytes).toBe(1024 * 14)
    expect(ghost.take(9999)).toBe(true)
    expect(ghost.take(10_000 - 1025)).toBe(false)
  })

  it('forgets at once what a smaller bound has no room for', () => {
    const ghost = new Ghost(100, LARGE)
    for (let at = 0; at < 10; at += 1) ghost.add(at, 10)
    ghost.setCapacity(30, LARGE)
    expect(ghost.bytes).toBe(30)
    expect([6, 7, 8, 9].map((at) => ghost.take(at))).toEqual([false, true, true, true])
  })
})
