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

const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 }

function parseUnits(value: unknown, units: Readonly<Record<string, number>>): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return undefined
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(value)
  const unit = units[match?.[2]?.toLowerCase() ?? '']
  return match && unit !== undefined ? Number(match[1]) * unit : undefined
}

/** Bytes of a size, or undefined when it is none: negative, fractional, NaN, over 2^53 or of an unknown unit. */
export function parseSize(value: unknown): number | undefined {
  const bytes = parseUnits(value, SIZE_UNITS)
  if (bytes === undefined) return undefined
  const whole = typeof value === 'string' ? Math.floor(bytes) : bytes
  return Number.isSafeInteger(whole) && whole >= 0 ? whole : undefined
}

/** Milliseconds of a duration, or undefined when it is none: negative, NaN or of an unknown unit. `Infinity` is one. */
export function parseDuration(value: unknown): number | undefined {
  const ms = parseUnits(value, DURATION_UNITS)
  return ms !== undefined && ms >= 0 ? ms : undefined
}

/** A size for people: the largest unit that keeps one digit before the point. */
export function showSize(bytes: number): string {
  let value = bytes
  let unit = 'B'
  for (const next of ['KiB', 'MiB', 'GiB', 'TiB']) {
    if (value < 1024) break
    value /= 1024
    unit = next
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${unit}`
}
