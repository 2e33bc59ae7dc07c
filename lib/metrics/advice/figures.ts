import type { Recommendation } from './advice.js'

/** What a change makes of a figure. */
export function gainOf(figure: string, now: number, after: number): NonNullable<Recommendation['gain']> {
  // biome-ignore lint/suspicious/noThenProperty: it is a number, which makes no promise of its object, and reads as what it is.
  return { figure, now, then: after }
}

/** A share for people. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

/** A figure of evidence, with as many digits as it is worth. */
export function rounded(value: number): number {
  return Number(value.toFixed(4))
}
