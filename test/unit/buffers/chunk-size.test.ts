import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ChunkSizes } from '../../../lib/buffers/chunk-size.js'

const KiB = 1024
const MiB = 1024 * KiB
const classes = [4, 16, 32, 64, 128, 256, 512, 1024].map((size) => size * KiB)
const bounds = { chunkSize: 64 * KiB, maxBufferSize: MiB, classes }

test('the class that holds the object, then a sixteenth of it, between the bounds', () => {
  const sizes = new ChunkSizes(bounds)
  for (const [size, chunk] of [
    [0, 4 * KiB],
    [1, 4 * KiB],
    [4 * KiB, 4 * KiB],
    [4 * KiB + 1, 16 * KiB],
    [64 * KiB, 64 * KiB],
    [64 * KiB + 1, 64 * KiB],
    [MiB, 64 * KiB],
    [MiB + 1, 128 * KiB],
    [10 * MiB, MiB],
    [16 * MiB, MiB],
    [1024 * MiB, MiB],
  ] as const) {
    expect([size, sizes.of(size)]).toEqual([size, chunk])
  }
  expect(sizes.of(undefined)).toBe(64 * KiB)
})

test('of what nobody knows the size, the size of late; one giant changes little', () => {
  const sizes = new ChunkSizes(bounds)
  // Never in crumbs: the next one may be large.
  for (let i = 0; i < 50; i += 1) sizes.saw(2000)
  expect(sizes.of(undefined)).toBe(64 * KiB)
  sizes.saw(1024 * MiB)
  expect(sizes.of(undefined)).toBeLessThanOrEqual(64 * KiB)
  for (let i = 0; i < 50; i += 1) sizes.saw(40 * MiB)
  expect(sizes.of(undefined)).toBe(MiB)
  expect(sizes.of(10)).toBe(4 * KiB)
})

test('always a class within the bounds', () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat()), fc.option(fc.maxSafeNat(), { nil: undefined }), (seen, size) => {
      const sizes = new ChunkSizes(bounds)
      for (const one of seen) sizes.saw(one)
      expect(classes).toContain(sizes.of(size))
    }),
  )
})
