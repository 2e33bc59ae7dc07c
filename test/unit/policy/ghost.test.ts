import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Ghost } from '../../../lib/policy/ghost.js'
import { takeAny } from '../../../lib/policy/policy.js'

/** A size as it is remembered: its eight highest bits, and at most 255 × 2^30. */
function rounded(size: number): number {
  const unit = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, size))) - 7)
  return Math.min(255 * 2 ** 30, Math.floor(size / unit) * unit)
}

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
    size: fc.oneof(fc.constantFrom(0, 1, 127, 128, 255, 256, 511, 5000, 2 ** 33, 2 ** 50), fc.nat(2000)),
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
        const ghost = new Ghost(maxBytes, LARGE, takeAny, lastNumber)
        const model = new Model(maxBytes)
        for (const { take, fingerprint, size } of sequence) {
          if (take) {
            expect(ghost.take(fingerprint)).toBe(model.take(fingerprint))
          } else {
            ghost.add(fingerprint, size)
            model.entries.push({ fingerprint, size: rounded(size) })
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

  it('remembers one entry for 2 KiB of capacity, at 11 to 12 bytes each', () => {
    const capacity = 2 ** 22
    const ghost = new Ghost(LARGE, capacity)
    for (let at = 0; at < 10_000; at += 1) ghost.add(at, 1)
    expect(ghost.take(10_000 - 2048)).toBe(true)
    expect(ghost.take(10_000 - 2049)).toBe(false)
    expect(ghost.memoryBytes).toBe(2048 * 11)
    ghost.setCapacity(LARGE, capacity / 2)
    expect(ghost.memoryBytes).toBe(1024 * 11)
    expect(ghost.take(9999)).toBe(true)
    expect(ghost.take(10_000 - 1025)).toBe(false)
  })

  it('moves together rather than forgets when much of it was taken', () => {
    const ghost = new Ghost(LARGE, 1)
    for (let at = 0; at < 64; at += 1) ghost.add(at, 1)
    for (let at = 10; at < 18; at += 1) expect(ghost.take(at)).toBe(true)
    for (let at = 100; at < 108; at += 1) ghost.add(at, 1)
    // The places of eight that were taken have served the eight that came.
    expect(ghost.bytes).toBe(64)
    ghost.add(200, 1)
    expect(ghost.bytes).toBe(64)
    expect([0, 1, 9, 18, 107, 200].map((at) => ghost.take(at))).toEqual([false, true, true, true, true, true])
  })

  it('forgets at once what a smaller bound has no room for', () => {
    const ghost = new Ghost(100, LARGE)
    for (let at = 0; at < 10; at += 1) ghost.add(at, 10)
    ghost.setCapacity(30, LARGE)
    expect(ghost.bytes).toBe(30)
    expect([6, 7, 8, 9].map((at) => ghost.take(at))).toEqual([false, true, true, true])
  })
})
