import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SizeClasses } from '../../../lib/buffers/classes.js'

const classes = fc
  .uniqueArray(fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 2 ** 28 })), {
    minLength: 1,
    maxLength: 64,
  })
  .map((sizes) => sizes.sort((a, b) => a - b))

test('every size has the smallest class that fits', () => {
  fc.assert(
    fc.property(classes, fc.double({ min: 0, max: 1, noNaN: true }), (sizes, part) => {
      const table = new SizeClasses(sizes)
      const largest = sizes.at(-1)!
      const near = sizes.flatMap((size) => [size - 1, size, size + 1])
      for (const size of [1, Math.ceil(largest * part), ...near]) {
        if (size < 1 || size > largest) continue
        expect(table.indexOf(size)).toBe(sizes.findIndex((one) => one >= size))
      }
    }),
  )
})
