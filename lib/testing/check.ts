import { AssertionError } from 'node:assert'
import { inspect, isDeepStrictEqual } from 'node:util'

/*
 * What the suites of the contracts assert with: every failure says what was expected and what was found.
 */

const show = (value: unknown): string =>
  inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 8, maxStringLength: 120 })

/** Fails unless `actual` is deeply equal to `expected`. */
export function same(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return
  const message = `${what}: expected ${show(expected)}, found ${show(actual)}`
  throw new AssertionError({ message, actual, expected, operator: 'deepStrictEqual' })
}

/** As `same`, of the properties of `expected` alone. */
export function samePart<T extends object>(actual: T, expected: Partial<T>, what: string): void {
  for (const name of Object.keys(expected) as Array<keyof T & string>) {
    same(actual[name], expected[name], `${what}, ${name}`)
  }
}

/** Fails unless `condition` holds. `expected` is what should be, in words; `found` what is. */
export function holds(condition: boolean, what: string, expected: string, found: unknown): void {
  if (condition) return
  const message = `${what}: expected ${expected}, found ${show(found)}`
  throw new AssertionError({ message, actual: found, expected, operator: 'holds' })
}

/** Fails unless `actual` is at least `least`. */
export function atLeast(actual: number, least: number, what: string): void {
  holds(actual >= least, what, `at least ${least}`, actual)
}

/** Fails unless `actual` is at most `most`. */
export function atMost(actual: number, most: number, what: string): void {
  holds(actual <= most, what, `at most ${most}`, actual)
}

/** Fails with what should be and what is. */
export function fails(what: string, expected: string, found: unknown): never {
  const message = `${what}: expected ${expected}, found ${show(found)}`
  throw new AssertionError({ message, actual: found, expected, operator: 'fails' })
}

/** Equality of values that may be large: a failure says where they differ instead of showing them. */
export function sameBytes(
  actual: Uint8Array | undefined,
  expected: Uint8Array,
  what = 'the value',
): asserts actual is Uint8Array {
  if (actual === undefined) fails(what, `${expected.length} bytes`, undefined)
  if (Buffer.compare(actual, expected) === 0) return
  const at = actual.findIndex((byte, index) => byte !== expected[index])
  fails(
    what,
    `${expected.length} bytes as they were given`,
    `${actual.length} bytes, the first difference at ${at === -1 ? actual.length : at}`,
  )
}
