/*
 * Levels of pressure, and how one changes into another: up at once, down one step at a time and only when it has
 * been calmer for a while. What is given back under pressure lowers the ratio by itself: without that margin and that
 * patience a store would shrink and grow in turns.
 */

/** From calm to worst. */
export const PRESSURE_LEVELS = ['none', 'low', 'normal', 'high', 'critical'] as const

/** How short memory is. */
export type PressureLevel = (typeof PRESSURE_LEVELS)[number]

/** From which ratio on each level holds. */
export type Thresholds = Readonly<Record<Exclude<PressureLevel, 'none'>, number>>

export const DEFAULT_THRESHOLDS: Thresholds = { low: 0.7, normal: 0.8, high: 0.9, critical: 0.95 }

/** The part of its bound that whoever holds memory should use. */
export const FACTORS: Readonly<Record<PressureLevel, number>> = {
  none: 1,
  low: 0.9,
  normal: 0.7,
  high: 0.5,
  critical: 0.2,
}

/** A level is left when the ratio is so far below its threshold ... */
export const MARGIN = 0.03
/** ... in so many samples, one after the other. */
export const PATIENCE = 20

/** The worst level whose threshold `ratio` reaches. */
export function levelAt(ratio: number, thresholds: Thresholds): PressureLevel {
  let level: PressureLevel = 'none'
  for (const [name, from] of Object.entries(thresholds) as [PressureLevel, number][]) {
    if (ratio >= from) level = name
  }
  return level
}

/** The level, over samples of a ratio. Invariant: `#calmer` samples in a row, the last ones, were below the level by the margin. */
export class LevelTracker {
  readonly #thresholds: Thresholds
  #level = 0
  #calmer = 0

  constructor(thresholds: Thresholds) {
    this.#thresholds = thresholds
  }

  get level(): PressureLevel {
    return PRESSURE_LEVELS[this.#level]!
  }

  /** Takes a sample; says whether the level is another one now. */
  take(ratio: number): boolean {
    const reached = this.#indexAt(ratio)
    if (reached > this.#level) {
      this.#level = reached
      this.#calmer = 0
      return true
    }
    this.#calmer = this.#indexAt(ratio + MARGIN) < this.#level ? this.#calmer + 1 : 0
    if (this.#calmer < PATIENCE) return false
    this.#calmer = 0
    this.#level -= 1
    return true
  }

  #indexAt(ratio: number): number {
    return PRESSURE_LEVELS.indexOf(levelAt(ratio, this.#thresholds))
  }
}
