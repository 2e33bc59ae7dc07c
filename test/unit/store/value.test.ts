import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { CHUNK_BYTES, CHUNK_OVERHEAD, Value } from '../../../lib/store/memory/value.js'
import { bytesOf, expectBytes, readAll, viewAll } from '../../conformance/store-kit.js'

const NOISE = bytesOf(400_000, 'noise')

function append(value: Value, bytes: Buffer, viewed = false): number {
  const growth = value.growth(bytes.length, viewed)
  const before = value.allocated
  value.append(bytes, viewed)
  expect(value.allocated - before).toBe(growth)
  return growth
}

const sizes = fc.array(
  fc.oneof(
    fc.nat(100),
    fc.nat(70_000),
    fc.integer({ min: -2, max: 2 }).map((by) => CHUNK_BYTES + by),
  ),
  { maxLength: 12 },
)

describe('the bytes of an entry', () => {
  test('come back as they were, and cost what growth said', () => {
    fc.assert(
      fc.property(sizes, fc.option(fc.nat(400_000)), fc.boolean(), (pieces, declared, viewed) => {
        const value = new Value(declared ?? undefined)
        let end = 0
        for (const length of pieces.slice(0, 5)) {
          append(value, NOISE.subarray(end, end + length), viewed)
          end += length
        }
        expectBytes(
          viewAll((position) => value.view(position)),
          NOISE.subarray(0, end),
        )
        const before = value.allocated
        expect(value.compact()).toBe(before - value.allocated)
        expect(value.allocated).toBe(Value.costOf(end))
        expect(value.compact()).toBe(0)
        expectBytes(
          viewAll((position) => value.view(position)),
          NOISE.subarray(0, end),
        )
      }),
      { numRuns: 200 },
    )
  })

  test('of a known size are allocated once and to the byte', () => {
    for (const size of [1, 4095, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES - 1]) {
      const value = new Value(size)
      for (let at = 0; at < size; at += 1000) append(value, NOISE.subarray(at, Math.min(size, at + 1000)))
      expect(value.allocated).toBe(size + Math.ceil(size / CHUNK_BYTES) * CHUNK_OVERHEAD)
      expect(value.compact()).toBe(0)
    }
  })

  test('of a size that was declared too small or too large are kept all the same', () => {
    const more = new Value(10)
    append(more, NOISE.subarray(0, 10))
    append(more, NOISE.subarray(10, 100_000))
    expectBytes(
      viewAll((position) => more.view(position)),
      NOISE.subarray(0, 100_000),
    )
    const fewer = new Value(1_000_000)
    append(fewer, NOISE.subarray(0, 10))
    expect(fewer.allocated).toBe(CHUNK_BYTES + CHUNK_OVERHEAD)
    fewer.compact()
    expect(fewer.allocated).toBe(10 + CHUNK_OVERHEAD)
  })

  test('of an unknown size cost at most four times themselves while they are small', () => {
    const value = new Value(undefined)
    append(value, NOISE.subarray(0, 1))
    expect(value.allocated).toBe(4096 + CHUNK_OVERHEAD)
    append(value, NOISE.subarray(1, 4097))
    expect(value.allocated).toBe(16_384 + CHUNK_OVERHEAD)
    append(value, NOISE.subarray(4097, 16_385))
    expect(value.allocated).toBe(CHUNK_BYTES + CHUNK_OVERHEAD)
  })

  test('do not change under a view, and what the view keeps alive stays charged until compact', () => {
    const value = new Value(undefined)
    append(value, NOISE.subarray(0, 4000))
    const view = value.view(0)
    expect(append(value, NOISE.subarray(4000, 5000), true)).toBe(16_384 + CHUNK_OVERHEAD)
    expect(value.allocated).toBe(4096 + 16_384 + 2 * CHUNK_OVERHEAD)
    expectBytes(Buffer.from(view), NOISE.subarray(0, 4000))
    expect(value.compact()).toBe(4096 + CHUNK_OVERHEAD + 16_384 - 5000)
    expect(value.allocated).toBe(Value.costOf(5000))
    expectBytes(Buffer.from(view), NOISE.subarray(0, 4000))
  })

  test('are read from any position into any length', async () => {
    const value = new Value(undefined)
    append(value, NOISE.subarray(0, 200_000))
    expectBytes(
      await readAll({ read: (target, position) => value.read(target, position) }, 70_001),
      NOISE.subarray(0, 200_000),
    )
    const target = Buffer.alloc(10)
    expect(value.read(target, 199_995)).toBe(5)
    expect(value.read(target, 200_000)).toBe(0)
    expect(value.read(target, 1e9)).toBe(0)
    expect(value.read(Buffer.alloc(0), 0)).toBe(0)
    expect(value.view(1e9)).toHaveLength(0)
  })
})

describe('when the system has no memory', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  function failAfter(allocations: number): void {
    const allocate = Buffer.allocUnsafeSlow
    let left = allocations
    vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation((size) => {
      left -= 1
      if (left < 0) throw new RangeError('Array buffer allocation failed')
      return allocate(size)
    })
  }

  test.each([0, 1, 2])('append takes nothing, and charges what it has: after %i chunks', (chunks) => {
    const value = new Value(undefined)
    append(value, NOISE.subarray(0, 100))
    failAfter(chunks)
    expect(() => value.append(NOISE.subarray(100, 200_000), false)).toThrow(RangeError)
    vi.restoreAllMocks()
    expect(value.size).toBe(100)
    expectBytes(
      viewAll((position) => value.view(position)),
      NOISE.subarray(0, 100),
    )
    append(value, NOISE.subarray(100, 300_000))
    expectBytes(
      viewAll((position) => value.view(position)),
      NOISE.subarray(0, 300_000),
    )
    value.compact()
    expect(value.allocated).toBe(Value.costOf(300_000))
  })

  test('compact leaves the chunk as large as it is', () => {
    const value = new Value(undefined)
    append(value, NOISE.subarray(0, 100))
    failAfter(0)
    expect(value.compact()).toBe(0)
    expect(value.allocated).toBe(4096 + CHUNK_OVERHEAD)
    expectBytes(
      viewAll((position) => value.view(position)),
      NOISE.subarray(0, 100),
    )
  })
})
