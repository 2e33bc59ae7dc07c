import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseDuration, parseSize, showSize } from '../../../lib/config/units.js'

const SIZES = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const
const DURATIONS = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 } as const

const spaces = fc.constantFrom('', ' ', '  ', '\t')
const cased = (unit: string): fc.Arbitrary<string> =>
  fc.constantFrom(unit, unit.toLowerCase(), unit.toUpperCase())

describe('a size', () => {
  test('as a number is itself when it counts bytes, else none', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => parseSize(bytes) === bytes))
    fc.assert(
      fc.property(fc.double(), (bytes) => {
        const parsed = parseSize(bytes)
        expect(parsed).toBe(Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : undefined)
      }),
    )
  })

  test('as text is the number times the unit, in any case, with or without a space', () => {
    const unit = fc.constantFrom(...(Object.keys(SIZES) as Array<keyof typeof SIZES>))
    fc.assert(
      fc.property(fc.nat(8000), unit, spaces, spaces, spaces, (n, name, a, b, c) => {
        for (const written of [name, name.toLowerCase(), name.toUpperCase()]) {
          expect(parseSize(`${a}${n}${b}${written}${c}`)).toBe(n * SIZES[name])
        }
      }),
    )
  })

  test('as text may have a fraction, of which whole bytes count', () => {
    expect(parseSize('1.5KiB')).toBe(1536)
    expect(parseSize('0.3B')).toBe(0)
    expect(parseSize('0.0009765625KiB')).toBe(1)
    expect(parseSize('1.0001KiB')).toBe(1024)
  })

  test.each([
    ...['', ' ', 'KiB', '1', '1024', '1 KB', '1kB', '1MB', '1GB', '1K', '1k', '1M', '1Gi', '1PiB', '1 bytes'],
    ...[
      '-1KiB',
      '+1KiB',
      '1e3KiB',
      '1,5KiB',
      '.5KiB',
      '1.KiB',
      '1_000KiB',
      '0x10KiB',
      'InfinityKiB',
      'NaNKiB',
    ],
    ...['1KiB 2', '1 KiB KiB', '1\nKiB\n2', '１KiB', '1constructor', '1__proto__', '1toString', '1valueof'],
    ...['9007199254740993B', '8192TiB', `${'9'.repeat(50)}B`, `${'9'.repeat(400)}B`, `${' '.repeat(1e6)}1B`],
    ...[-1, -0.5, 0.5, 1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53],
    ...[null, undefined, true, false, {}, [], [1], ['1KiB'], 1n, Symbol('1KiB'), () => 1, new Date(1)],
    ...[Object(1), Object('1KiB'), { valueOf: () => 1 }, { toString: () => '1KiB' }],
  ])('is none: %o', (value) => {
    expect(parseSize(value)).toBeUndefined()
  })
})

describe('a duration', () => {
  test('as a number is milliseconds, whatever is not negative', () => {
    fc.assert(
      fc.property(fc.double(), (ms) => {
        expect(parseDuration(ms)).toBe(ms >= 0 ? ms : undefined)
      }),
    )
    expect(parseDuration(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY)
    expect(parseDuration(Number.NaN)).toBeUndefined()
  })

  test('as text is the number times the unit', () => {
    const unit = fc.constantFrom(...(Object.keys(DURATIONS) as Array<keyof typeof DURATIONS>))
    fc.assert(
      fc.property(
        fc.nat(1e6),
        unit.chain((name) => fc.tuple(fc.constant(name), cased(name))),
        spaces,
        (n, [name, written], a) => {
          expect(parseDuration(`${a}${n}${a}${written}${a}`)).toBe(n * DURATIONS[name])
        },
      ),
    )
    expect(parseDuration('1.5s')).toBe(1500)
    expect(parseDuration('0s')).toBe(0)
  })

  test.each([
    ...['', '1', '30', 's', '-1s', '+1s', '1e3s', '1sec', '1 min', '1w', '1y', '1us', '1m30s', '1:30'],
    ...['Infinitys', 'NaNs', 'Infinity', '1constructor', `${'9'.repeat(400)}s`, '1s\0'],
    ...[-1, -0.001, Number.NaN, Number.NEGATIVE_INFINITY],
    ...[null, undefined, true, {}, [], 1n, Symbol('1s'), () => 1, new Date(1), Object('1s')],
  ])('is none: %o', (value) => {
    expect(parseDuration(value)).toBeUndefined()
  })
})

describe('a size for people', () => {
  test.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [1025, '1.0 KiB'],
    [2 ** 20 - 1, '1.0 MiB'],
    [2 ** 20, '1 MiB'],
    [512 * 2 ** 20, '512 MiB'],
    [2 ** 30 - 1, '1.0 GiB'],
    [1.5 * 2 ** 30, '1.5 GiB'],
    [2 ** 40, '1 TiB'],
    [2 ** 52, '4096 TiB'],
  ])('%i is %s', (bytes, shown) => {
    expect(showSize(bytes)).toBe(shown)
  })

  test('is one that parses, to within a twentieth', () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat().map((bytes) => Math.floor(bytes / 2)),
        (bytes) => {
          const parsed = parseSize(showSize(bytes))!
          expect(Math.abs(parsed - bytes)).toBeLessThanOrEqual(bytes * 0.05)
          expect(showSize(bytes)).toMatch(/^(\d{1,4}|\d{1,4}\.\d) ([KMGT]i)?B$/)
        },
      ),
    )
  })
})
