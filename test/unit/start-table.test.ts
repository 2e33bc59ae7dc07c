import fc from 'fast-check'
import { expect, test } from 'vitest'
import { median, percentile, spread } from '../../bench/shared/statistics.mjs'
import { digits, layOut, showBytes, showCount, showMs, showPercent } from '../../bench/shared/table.mjs'

test('a percentile is the value that so many do not exceed', () => {
  const values = [50, 10, 40, 20, 30]
  expect(percentile(values, 0)).toBe(10)
  expect(percentile(values, 0.2)).toBe(10)
  expect(percentile(values, 0.21)).toBe(20)
  expect(percentile(values, 0.5)).toBe(30)
  expect(percentile(values, 0.99)).toBe(50)
  expect(percentile(values, 1)).toBe(50)
  expect(percentile([], 0.5)).toBeNaN()
  expect(values).toEqual([50, 10, 40, 20, 30])
  for (const p of [-0.1, 1.1, Number.NaN]) expect(() => percentile(values, p)).toThrow(/want 0 to 1/)
})

test('a percentile is one of the values, and at least its share of them are no larger', () => {
  const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 })
  fc.assert(
    fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (list, p) => {
      const found = percentile(list, p)
      expect(list).toContain(found)
      expect(list.filter((value) => value <= found).length).toBeGreaterThanOrEqual(
        Math.floor(p * list.length),
      )
      expect(list.filter((value) => value < found).length).toBeLessThanOrEqual(Math.ceil(p * list.length))
    }),
  )
})

test('median and spread', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(median([])).toBeNaN()
  expect(spread([90, 100, 110])).toBeCloseTo(0.2)
  expect(spread([5])).toBe(0)
})

test('a table is as wide as what is in it, names to the left and figures to the right', () => {
  const table = layOut(
    ['', 'direct', 'cached'],
    [
      ['response time', '31.0 ms', '0.61 ms'],
      ['hits', '-', '71.1 %'],
    ],
  )
  expect(table.split('\n')).toEqual([
    '                  direct   cached',
    '  -------------  -------  -------',
    '  response time  31.0 ms  0.61 ms',
    '  hits                 -   71.1 %',
  ])
})

test('a row that does not fit the head is refused', () => {
  expect(() => layOut(['a', 'b'], [['1']])).toThrow('a row has 1 cells, its head 2')
})

test('figures keep three digits', () => {
  expect([0.1234, 1.2345, 12.345, 123.45, 12345].map(digits)).toEqual([
    '0.12',
    '1.23',
    '12.3',
    '123',
    '12345',
  ])
  expect(digits(-12.345)).toBe('-12.3')
  expect(digits(Number.NaN)).toBe('-')
  expect(showMs(31.04)).toBe('31.0 ms')
  expect(showPercent(0.7113)).toBe('71.1 %')
  expect(showCount(12345.6)).toBe('12,346')
  expect([100, 1024, 65_536, 2 ** 20, 1.5 * 2 ** 30].map(showBytes)).toEqual([
    '100 B',
    '1.00 KiB',
    '64.0 KiB',
    '1.00 MiB',
    '1536 MiB',
  ])
})
