import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Compressor, MAX_CHUNK } from '../../lib/compression/compressor.js'
import { contentsOf } from '../helpers/contents.js'

const KiB = 1024
const BORDERS = [
  1,
  2,
  3,
  4,
  255,
  256,
  4 * KiB - 1,
  4 * KiB,
  4 * KiB + 1,
  64 * KiB - 1,
  64 * KiB,
  64 * KiB + 1,
]
const SIZES = [...BORDERS, MAX_CHUNK - 1, MAX_CHUNK]

/**
 * What every compressor must do: C1 to C6 of the `Compressor` contract. `make` gives one that is there; each of `older` is one whose output
 * it must read, too: of other levels, say.
 */
export function compressorConformance(
  name: string,
  make: () => Compressor,
  older: ReadonlyArray<() => Compressor> = [],
): void {
  describe(`${name} keeps the contract of a compressor`, () => {
    test('it is named, and can be used', () => {
      const compressor = make()
      expect(compressor.name).toMatch(/^[a-z0-9._-]{1,32}$/)
      expect(compressor.unavailable).toBeUndefined()
    })

    test.each(SIZES)('C1: gives back what it was given: %i bytes', async (size) => {
      const compressor = make()
      for (const [kind, bytes] of contentsOf(size)) {
        const made = await compressor.compress(bytes)
        expectSame(await compressor.decompress(made, size), bytes, kind)
        if (compressor.decompressSync !== undefined) {
          expectSame(compressor.decompressSync(made, size), bytes, `${kind}, at once`)
        }
        if (compressor.compressSync !== undefined) {
          const input = Uint8Array.from(bytes)
          const atOnce = compressor.compressSync(input)
          expectSame(input, bytes, `${kind}, the input`)
          input.fill(0xdd)
          expectSame(await compressor.decompress(atOnce, size), bytes, `${kind}, compressed at once`)
        }
      }
    })

    test('C1: whatever the bytes', async () => {
      const compressor = make()
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 3000 }), async (bytes) => {
          expectSame(
            await compressor.decompress(await compressor.compress(bytes), bytes.length),
            bytes,
            'any',
          )
        }),
        { numRuns: 50 },
      )
    })

    test('C2: the input stays as it is, and is not read once the promise has settled', async () => {
      const compressor = make()
      for (const [kind, bytes] of contentsOf(20_000)) {
        const input = Uint8Array.from(bytes)
        const made = await compressor.compress(input)
        expectSame(input, bytes, kind)
        input.fill(0xdd)
        const stored = Uint8Array.from(made)
        const whole = await compressor.decompress(stored, bytes.length)
        expectSame(stored, made, kind)
        stored.fill(0xdd)
        expectSame(whole, bytes, kind)
      }
    })

    test('C2: also in the middle of larger memory', async () => {
      const compressor = make()
      for (const [kind, bytes] of contentsOf(5000)) {
        const around = new Uint8Array(7000).fill(0xee)
        around.set(bytes, 1001)
        const made = await compressor.compress(around.subarray(1001, 6001))
        const aside = new Uint8Array(made.length + 99).fill(0xee)
        aside.set(made, 33)
        expectSame(await compressor.decompress(aside.subarray(33, 33 + made.length), 5000), bytes, kind)
        expect(around.subarray(0, 1001).every((byte) => byte === 0xee)).toBe(true)
      }
    })

    test('C3: what it made stays as it is while it makes more', async () => {
      const compressor = make()
      const kept: Array<[Uint8Array, Uint8Array, Uint8Array, Uint8Array]> = []
      for (const [, bytes] of contentsOf(9000)) {
        const made = await compressor.compress(bytes)
        const whole = await compressor.decompress(made, bytes.length)
        kept.push([made, Uint8Array.from(made), whole, bytes])
      }
      for (const [made, before, whole, bytes] of kept) {
        expectSame(made, before, 'compressed')
        expectSame(whole, bytes, 'decompressed')
        whole.fill(0)
        expectSame(made, before, 'compressed, after the other was written to')
      }
    })

    test('C4: damaged bytes give as many as there must be, or an error', async () => {
      const compressor = make()
      const size = 3000
      const made = new Map<string, Uint8Array>()
      for (const [kind, bytes] of contentsOf(size)) made.set(kind, await compressor.compress(bytes))
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...made.keys()),
          fc.oneof(
            fc.record({ flip: fc.nat(), bit: fc.nat(7) }),
            fc.record({ cut: fc.nat() }),
            fc.record({ grow: fc.uint8Array({ minLength: 1, maxLength: 64 }) }),
            fc.record({ over: fc.nat(64), by: fc.uint8Array({ minLength: 1, maxLength: 8 }) }),
            fc.record({ instead: fc.uint8Array({ maxLength: 200 }) }),
          ),
          async (kind, damage) => {
            await expectBounded(compressor, damaged(made.get(kind)!, damage), size)
          },
        ),
        { numRuns: 400 },
      )
    })

    test.each([1, 100, 2999, 3001, MAX_CHUNK])('C4: %i bytes were not what it made of 3000', async (size) => {
      const compressor = make()
      for (const [, bytes] of contentsOf(3000))
        await expectBounded(compressor, await compressor.compress(bytes), size)
    })

    test('C4: lengths that it says itself are not believed', async () => {
      const compressor = make()
      const made = await compressor.compress(new Uint8Array(3000))
      for (let at = 0; at + 4 <= made.length; at += 1) {
        const hostile = Uint8Array.from(made)
        hostile.fill(0xff, at, at + 4)
        await expectBounded(compressor, hostile, 3000)
      }
      await expectBounded(compressor, await compressor.compress(new Uint8Array(MAX_CHUNK)), 1)
    })

    test('C5: what was compressed otherwise is read', async () => {
      const compressor = make()
      for (const other of older) {
        expect(other().name).toBe(compressor.name)
        for (const size of [1, 4096, 64 * KiB]) {
          for (const [kind, bytes] of contentsOf(size)) {
            expectSame(await compressor.decompress(await other().compress(bytes), size), bytes, kind)
          }
        }
      }
    })

    test('C6: many at once', async () => {
      const compressor = make()
      const all = [...Array(20).keys()].flatMap((seed) => contentsOf(1000 + 371 * seed, seed))
      const made = await Promise.all(all.map(([, bytes]) => compressor.compress(bytes)))
      const whole = await Promise.all(made.map((one, at) => compressor.decompress(one, all[at]![1].length)))
      for (const [at, [kind, bytes]] of all.entries()) expectSame(whole[at]!, bytes, kind)
    })
  })
}

type Damage = {
  readonly flip?: number
  readonly bit?: number
  readonly cut?: number
  readonly grow?: Uint8Array
  readonly over?: number
  readonly by?: Uint8Array
  readonly instead?: Uint8Array
}

function damaged(bytes: Uint8Array, { flip, bit = 0, cut, grow, over = 0, by, instead }: Damage): Uint8Array {
  if (instead !== undefined) return instead
  if (cut !== undefined) return bytes.slice(0, cut % bytes.length)
  if (grow !== undefined) return Uint8Array.from([...bytes, ...grow])
  const copy = Uint8Array.from(bytes)
  if (flip !== undefined) copy[flip % copy.length]! ^= 1 << bit
  if (by !== undefined) copy.set(by.subarray(0, Math.max(0, copy.length - over)), Math.min(over, copy.length))
  return copy
}

async function expectBounded(compressor: Compressor, bytes: Uint8Array, size: number): Promise<void> {
  const whole = await compressor.decompress(bytes, size).catch((error: unknown) => {
    expect(error).toBeInstanceOf(Error)
    return undefined
  })
  // A compressor may find nothing wrong with the length and leave it to its caller; but never give more than that.
  if (whole !== undefined) expect(whole.length).toBeLessThanOrEqual(size)
  if (compressor.decompressSync === undefined) return
  let atOnce: Uint8Array | undefined
  try {
    atOnce = compressor.decompressSync(bytes, size)
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
  }
  expect(atOnce?.length).toBe(whole?.length)
}

function expectSame(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(actual, expected) === 0) return
  const at = actual.findIndex((byte, index) => byte !== expected[index])
  throw new Error(
    `${what}: got ${actual.length} bytes, want ${expected.length}; the first difference is at ${at}`,
  )
}
