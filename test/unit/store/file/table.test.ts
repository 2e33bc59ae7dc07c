import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ENTRY_BYTES, type IndexEntry, IndexTable } from '../../../../lib/store/file/js/table.js'

/** Identities of four shards, so that a few thousand make large ones. */
function entryOf(key: number, sequence: number): IndexEntry {
  return {
    lo: Math.imul(key, 0x9e3779b1) >>> 0,
    hi: (((key % 4) << 24) | key) >>> 0,
    sequence,
    segment: 5,
    offset: 8 * key,
    length: 64,
    expires: 0,
    blobUnits: 0,
    policy: 0,
  }
}

test('has what was put, and takes no more memory than what is there wants, however much there was', () => {
  const step = fc.record({ from: fc.nat(3000), count: fc.nat(3000), put: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      let counted = 0
      const table = new IndexTable(1, (_, by) => {
        counted += by
      })
      const model = new Map<number, number>()
      for (const [at, { from, count, put }] of steps.entries()) {
        for (let key = from; key < from + count; key += 1) {
          const { lo, hi } = entryOf(key, at)
          if (put) {
            expect(table.put(entryOf(key, at))?.sequence).toBe(model.get(key))
            model.set(key, at)
          } else {
            expect(table.remove(lo, hi)?.sequence).toBe(model.get(key))
            model.delete(key)
          }
        }
        expect([table.size, counted]).toEqual([model.size, model.size])
        for (const [key, sequence] of model) {
          const { lo, hi } = entryOf(key, 0)
          if (table.get(lo, hi)?.sequence !== sequence) throw new Error(`${key} is not what was put`)
        }
        // A fifth more than full shards have, and what the smallest take.
        expect(table.bytes).toBeLessThanOrEqual(1.3 * ENTRY_BYTES * model.size + 4 * 64 * ENTRY_BYTES)
      }
    }),
    { numRuns: 30 },
  )
})
