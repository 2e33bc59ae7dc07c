/*
 * Sizes and durations as people write them. Sizes: a number of bytes, or a number with B, KiB, MiB, GiB, TiB.
 * Decimal units (kB, MB) are refused rather than guessed at. Durations: milliseconds, or ms, s, m, h, d.
 */

/** Bytes, or text such as `'64KiB'`, `'2GiB'`. */
export type Size = number | string
/** Milliseconds, or text such as `'30s'`, `'5m'`, `'1d'`. */
export type Duration = number | string

export const SIZE_FORMS = "a whole number of bytes, or text such as '64KiB', '512MiB', '2GiB'"
export const DURATION_FORMS = "milliseconds, or text such as '250ms', '30s', '5m', '2h', '1d'"

/** The same for JSON. */
export const SIZE_JSON = {
  anyOf: [
    { type: 'integer', minimum: 0 },
    { type: 'string', pattern: '^\\s*\\d+(\\.\\d+)?\\s*([Bb]|[KkMmGgTt][Ii][Bb])\\s*$' },
  ],
} as const
export const DURATION_JSON = {
  anyOf: [
    { type: 'number', minimum: 0 },
    { type: 'string', pattern: '^\\s*\\d+(\\.\\d+)?\\s*([Mm][Ss]|[SsMmHhDd])\\s*$' },
  ],
} as const

const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
])

const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1e3],
  ['m', 6e4],
  ['h', 36e5],
  ['d', 864e5],
])

// No number that means something is longer, and messages and keys of hostile length are not worth a parse.
const LONGEST = 64

function parseUnits(text: string, units: ReadonlyMap<string, number>): number | undefined {
  if (text.length > LONGEST) return undefined
  const [, number, name] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text) ?? []
  const unit = units.get(name?.toLowerCase() ?? '')
  return unit === undefined ? undefined : Number(number) * unit
}

/** Bytes of a size, or undefined when it is none: negative, fractional, NaN, over 2^53 or of an unknown unit. Text may have a fraction (`'1.5KiB'`); what is left of a byte is cut off. */
export function parseSize(value: unknown): number | undefined {
  let bytes: number | undefined
  if (typeof value === 'number') bytes = value
  else if (typeof value === 'string') bytes = parseUnits(value, SIZE_UNITS)
  if (bytes === undefined) return undefined
  const whole = typeof value === 'string' ? Math.floor(bytes) : bytes
  return Number.isSafeInteger(whole) && whole >= 0 ? whole : undefined
}

/** Milliseconds of a duration, or undefined when it is none: negative, NaN or of an unknown unit. `Infinity` is one. */
export function parseDuration(value: unknown): number | undefined {
  let ms: number | undefined
  if (typeof value === 'number') ms = value
  else if (typeof value === 'string') ms = parseUnits(value, DURATION_UNITS)
  return ms !== undefined && ms >= 0 ? ms : undefined
}

/** A size for people: the largest unit that keeps a digit other than 0 before the point. */
export function showSize(bytes: number): string {
  let value = bytes
  let unit = 'B'
  for (const next of ['KiB', 'MiB', 'GiB', 'TiB']) {
    // What would be rounded up to 1024.0 is one of the next unit.
    if (value < (unit === 'B' ? 1024 : 1023.95)) break
    value /= 1024
    unit = next
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${unit}`
}

/** A duration for people: the largest unit that leaves a whole number. */
export function showDuration(ms: number): string {
  if (!Number.isFinite(ms)) return 'Infinity'
  for (const [unit, name] of DURATION_NAMES) if (ms >= unit && ms % unit === 0) return `${ms / unit} ${name}`
  return `${ms} ms`
}

const DURATION_NAMES = [
  [864e5, 'd'],
  [36e5, 'h'],
  [6e4, 'min'],
  [1e3, 's'],
] as const
