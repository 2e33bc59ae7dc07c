import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KeyError } from '../../lib/errors.js'
import { assertKey, MAX_KEY_BYTES, showKey } from '../../lib/keys.js'
import { HOSTILE_KEYS } from '../../lib/testing/store/keys.js'

function problemOf(key: unknown): string {
  try {
    assertKey(key)
  } catch (error) {
    expect(error).toBeInstanceOf(KeyError)
    expect((error as KeyError).code).toBe('ERR_DREY_KEY')
    return (error as KeyError).message
  }
  throw new Error('was accepted')
}

/** Characters of 1 to 4 bytes in UTF-8. */
const CHARACTERS = ['a', 'é', '日', '🐿'] as const

describe('a key of at most 32 KiB in UTF-8', () => {
  test.each(CHARACTERS)('to the byte, made of %s', (character) => {
    const bytes = Buffer.byteLength(character)
    const most = Math.floor(MAX_KEY_BYTES / bytes)
    const longest = character.repeat(most) + 'a'.repeat(MAX_KEY_BYTES - most * bytes)
    expect(Buffer.byteLength(longest)).toBe(MAX_KEY_BYTES)
    expect(() => assertKey(longest)).not.toThrow()
    expect(() => assertKey(longest.slice(0, -1 * character.length))).not.toThrow()

    for (const over of [`${longest}a`, longest + character, `a${longest}`]) {
      expect(problemOf(over)).toBe(
        `a key has at most 32768 bytes of UTF-8; got ${Buffer.byteLength(over)} (${showKey(over)}): hash what is longer`,
      )
    }
  })

  test('and no longer one, whatever it is made of', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(text, fc.integer({ min: -4, max: 4 }), (unit, by) => {
        const bytes = Buffer.byteLength(unit)
        const key = unit.repeat(Math.floor((MAX_KEY_BYTES + by) / bytes))
        if (Buffer.byteLength(key) <= MAX_KEY_BYTES) assertKey(key)
        else expect(problemOf(key)).toContain('at most 32768 bytes')
      }),
    )
  })

  test('with a message that stays short', () => {
    expect(problemOf('x'.repeat(50_000_000)).length).toBeLessThan(300)
    expect(problemOf('\n'.repeat(50_000)).length).toBeLessThan(400)
  })
})

describe('a key is text', () => {
  test.each([
    undefined,
    null,
    0,
    1,
    Number.NaN,
    true,
    {},
    [],
    ['a'],
    1n,
    Symbol('a'),
    () => 'a',
    Object('a'),
    new URL('a:b'),
  ])('which %o is not', (value) => {
    expect(problemOf(value)).toBe(`a key is a string; got ${value === null ? 'null' : typeof value}`)
  })

  test('of at least one character', () => {
    expect(problemOf('')).toBe('a key has at least one character; got an empty string')
  })

  const lone = fc.integer({ min: 0xd800, max: 0xdfff }).map((unit) => String.fromCharCode(unit))
  const whole = fc.string({ unit: 'binary', maxLength: 30 })

  test('that is well-formed, wherever a surrogate stands alone', () => {
    fc.assert(
      fc.property(whole, lone, whole, (before, surrogate, after) => {
        const key = before + surrogate + after
        // Two halves that happen to meet are a character.
        const formed = !/\p{Surrogate}/u.test(key)
        if (formed) assertKey(key)
        else expect(problemOf(key)).toContain('a lone surrogate in "')
      }),
    )
    for (const key of [
      '\ud800',
      '\udc00',
      'a\ud800',
      '\udc00a',
      '\udc00\ud800',
      `${'x'.repeat(30_000)}\ud800`,
    ]) {
      expect(problemOf(key)).toContain('a key is well-formed UTF-16; got a lone surrogate in "')
    }
  })

  test('of any other kind', () => {
    for (const key of HOSTILE_KEYS) expect(() => assertKey(key)).not.toThrow()
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }), (key) => assertKey(key)),
    )
  })
})

test('a key is shown quoted, escaped and short', () => {
  expect(showKey('a\n"b"\u0000')).toBe('"a\\n\\"b\\"\\u0000"')
  expect(showKey('x'.repeat(80))).toBe(`"${'x'.repeat(80)}"`)
  expect(showKey('x'.repeat(81))).toBe(`"${'x'.repeat(77)}..."`)
  // A cut through a pair leaves half of it, which is escaped.
  expect(showKey(`${'x'.repeat(76)}${'🐿'.repeat(10)}`)).toBe(`"${'x'.repeat(76)}\\ud83d..."`)
})
