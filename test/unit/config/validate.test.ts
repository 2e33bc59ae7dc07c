import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { showValue, validate } from '../../../lib/config/validate.js'
import { ConfigError } from '../../../lib/errors.js'

const schema = z.strictObject({
  on: z.boolean().optional(),
  name: z.string().min(1, 'want a name').optional(),
  count: z.int().min(1, 'want at least 1').max(9, 'want at most 9').optional(),
  level: z.enum(['low', 'high']).optional(),
  either: z.union([z.boolean(), z.string().regex(/^\//, "want a path such as '/x'")]).optional(),
  list: z.array(z.strictObject({ size: z.number().optional() })).optional(),
})

function problemOf(value: unknown, at = ''): string {
  try {
    validate(schema, value, at)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).message
  }
  throw new Error('was accepted')
}

describe('a wrong option', () => {
  test.each([
    [{ on: 1 }, 'on: got 1; want true or false'],
    [{ name: 5 }, 'name: got 5; want text'],
    [{ name: '' }, 'name: got ""; want a name'],
    [{ count: 'many' }, 'count: got "many"; want a number'],
    [{ count: 1.5 }, 'count: got 1.5; want a whole number'],
    [{ count: 0 }, 'count: got 0; want at least 1'],
    [{ count: 10 }, 'count: got 10; want at most 9'],
    [{ level: 'medium' }, 'level: got "medium"; want one of "low", "high"'],
    [{ either: 5 }, 'either: got 5; want true or false, or text'],
    [{ either: 'x' }, `either: got "x"; want a path such as '/x'`],
    [{ list: {} }, 'list: got an object without members of its own; want an array'],
    [{ list: [{}, { size: '1' }] }, 'list.1.size: got "1"; want a number'],
    [{ list: [{ length: 1 }] }, 'list.0.length: no such option; there are size'],
    [
      { lists: [] },
      'lists: no such option; did you mean list? there are on, name, count, level, either, list',
    ],
    [undefined, 'options: got undefined; want an object of options'],
  ])('is named with its path, its value and what would do: %o', (value, message) => {
    expect(problemOf(value)).toBe(message)
  })

  test('is named below the place where the options stand', () => {
    expect(problemOf({ on: 1 }, 'proxy')).toBe('proxy.on: got 1; want true or false')
    expect(problemOf({ no: 1 }, 'proxy')).toMatch(/^proxy\.no: no such option/)
    expect(problemOf(1, 'proxy')).toBe('proxy: got 1; want an object of options')
  })
})

test('right options come back as they were', () => {
  const value = { on: true, level: 'low', list: [{ size: 1 }, {}], either: '/x' }
  expect(validate(schema, value, '')).toEqual(value)
  expect(validate(schema, {}, '')).toEqual({})
})

test.each([
  ['x'.repeat(60), `"${'x'.repeat(60)}"`],
  ['x'.repeat(61), `"${'x'.repeat(57)}..."`],
  [-0, '0'],
  [12n, '12n'],
  [10n ** 50n, 'a bigint of more than 40 digits'],
  [new Uint16Array(3), '6 bytes'],
  [{ a: 1, b: 2, c: 3 }, 'an object with a, b, c'],
  [{ a: 1, b: 2, c: 3, d: 4 }, 'an object with a, b, c, ...'],
  [{ 'a b': 1 }, 'an object with "a b"'],
  [class {}, 'a function'],
])('a value is shown short: %o', (value, shown) => {
  expect(showValue(value)).toBe(shown)
})
