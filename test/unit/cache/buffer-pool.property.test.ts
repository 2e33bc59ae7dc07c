import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { BufferPoolChoice, Found } from '../../../lib/index.js'
import { patterned, pieces } from '../../helpers/bodies.js'
import { RANGE_SHAPES, read, SHAPES } from '../../helpers/reading.js'
import { found, leftOf, overStores, rig, settled } from '../../helpers/rig.js'

/*
 * The same bytes with every pool: with none; with one that fills what comes back, so that whoever still sees it reads 0xdb; and with one that
 * is always full. Whatever the size, at the borders of all pieces, however it is read, by several, some of whom leave.
 */

const KiB = 1024
const BORDERS = [4, 8, 12, 28, 60, 64, 124, 128, 192, 256, 1024, 1088].map((size) => size * KiB)
const size = fc.oneof(
  fc.constantFrom(...BORDERS).chain((border) => fc.constantFrom(border - 1, border, border + 1)),
  fc.constantFrom(0, 1, 2 * 1024 * KiB + 17),
)
const step = fc.constantFrom(1_000, 4_096, 8_192, 65_535, 65_536, 65_537, 300_000)
const reading = fc.record({
  shape: fc.constantFrom(...SHAPES),
  /** After so many bytes it leaves; most do not. */
  leaves: fc.option(fc.constantFrom(0, 1, 5_000, 70_000), { freq: 4 }),
})

const POOLS: ReadonlyArray<readonly [string, BufferPoolChoice]> = [
  ['no pool', false],
  ['a pool that fills what comes back', { debug: true }],
  ['a pool that is always full', { maxBytes: '64KiB', classes: ['16KiB'], debug: true }],
]

interface Reading {
  readonly shape: (typeof SHAPES)[number]
  readonly leaves: number | null
}

/** Reads, or leaves, and says whether what was seen is right. */
async function right(body: Found, value: Buffer, { shape, leaves }: Reading): Promise<boolean> {
  if (leaves === null) {
    const { bytes, error } = await read(body, shape)
    if (error !== undefined) throw error
    return value.equals(bytes)
  }
  const seen: Buffer[] = []
  let length = 0
  for await (const piece of body) {
    // Kept, and looked at when the reading was left long ago: it is the caller's own (I9).
    seen.push(piece)
    length += piece.length
    if (length >= leaves) break
  }
  await new Promise(setImmediate)
  return value.subarray(0, length).equals(Buffer.concat(seen))
}

overStores((kind) => {
  it.each(POOLS)('%s', async (_, bufferPool) => {
    await fc.assert(
      fc.asyncProperty(
        size,
        step,
        fc.array(reading, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        fc.boolean(),
        async (bytes, by, readings, kept, declared) => {
          const made = await rig(kind, { bufferPool }, { maxItemBytes: 1024 * KiB })
          const value = patterned(bytes)
          const asking = async (one: Reading): Promise<boolean> => {
            const answer = await made.cache.fetch('k', () => ({
              body: pieces(value, by),
              store: kept,
              ...(declared ? { size: bytes } : {}),
            }))
            return right(found(answer), value, one)
          }
          expect(await Promise.all(readings.map(asking))).toEqual(readings.map(() => true))
          await settled(made)
          // Now from the store, where that has it, and in part.
          for (const { shape } of readings) {
            const stored = await made.cache.get('k')
            if (stored === undefined) break
            const one = await right(found(stored), value, { shape, leaves: null })
            expect(one, `stored, ${shape}`).toBe(true)
          }
          const part = await made.cache.get('k')
          if (part !== undefined && bytes > 2) {
            const range = { start: 1, end: bytes - 2 }
            const { bytes: got } = await read(found(part), RANGE_SHAPES[by % RANGE_SHAPES.length]!, range)
            expect(value.subarray(1, -1).equals(got)).toBe(true)
          } else if (part !== undefined) found(part).close()
          await made.cache.set('set', value.subarray(0, 1024 * KiB))
          const own = found(await made.cache.get('set'))
          expect(value.subarray(0, 1024 * KiB).equals(await own.bytes())).toBe(true)
          expect(await leftOf(made)).toEqual([])
        },
      ),
      { numRuns: Number(process.env['POOL_RUNS'] ?? 60) },
    )
  })
})
