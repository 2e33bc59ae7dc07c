import { type Reading, VITALS, type Vital, type VitalRow, vitalsBetween } from './vitals.js'

/** How finely the past is kept: windows of so many milliseconds, and how many of them. */
export interface Resolution {
  readonly every: number
  readonly rows: number
}

const SECOND = 1000
const MINUTE = 60 * SECOND

/** 10 s for 10 min, 1 min for 6 h, 10 min for 30 days: 4740 rows, at most 370 KiB a cache. */
export const RESOLUTIONS: readonly Resolution[] = [
  { every: 10 * SECOND, rows: 60 },
  { every: MINUTE, rows: 360 },
  { every: 10 * MINUTE, rows: 4320 },
]

/** A window that is over: what happened until `at`, in milliseconds of the monotonic clock. */
export interface HistoryRow extends VitalRow {
  readonly at: number
}

/** Rows of one resolution, the last ones of them. Memory is taken as rows come, up to the bound. */
class Ring {
  readonly resolution: Resolution
  #times = new Float64Array(0)
  #values = new Float32Array(0)
  #count = 0

  constructor(resolution: Resolution) {
    this.resolution = resolution
  }

  get length(): number {
    return Math.min(this.#count, this.resolution.rows)
  }

  get memoryBytes(): number {
    return this.#times.byteLength + this.#values.byteLength
  }

  push(at: number, row: VitalRow): void {
    const { rows } = this.resolution
    const slot = this.#count % rows
    if (slot === this.#times.length) this.#grow(Math.min(rows, Math.max(8, 2 * slot)))
    this.#times[slot] = at
    for (const [column, name] of VITALS.entries()) this.#values[slot * VITALS.length + column] = row[name]
    this.#count += 1
  }

  /** The place of the row that is the `index`th, counted from the oldest one there is. */
  slot(index: number): number {
    return (this.#count - this.length + index) % this.resolution.rows
  }

  time(index: number): number {
    return this.#times[this.slot(index)]!
  }

  value(index: number, column: number): number {
    return this.#values[this.slot(index) * VITALS.length + column]!
  }

  #grow(rows: number): void {
    const [times, values] = [this.#times, this.#values]
    this.#times = new Float64Array(rows)
    this.#times.set(times)
    this.#values = new Float32Array(rows * VITALS.length)
    this.#values.set(values)
  }
}

/**
 * The course of a cache, in windows that are finer the younger they are.
 *
 * Invariants: a window of each resolution is measured from its own begin, never put together from finer ones, so that its percentiles are
 * true; no ring has more rows than its resolution says.
 */
export class History {
  readonly #levels: Array<{ readonly ring: Ring; from: Reading; since: number }>

  constructor(at: number, first: Reading, resolutions = RESOLUTIONS) {
    this.#levels = resolutions.map((resolution) => ({ ring: new Ring(resolution), from: first, since: at }))
  }

  /** Bytes that rows take now. */
  get memoryBytes(): number {
    return this.#levels.reduce((sum, { ring }) => sum + ring.memoryBytes, 0)
  }

  /** Ends the windows that are over; the row of the finest one. To be called as often as those end. */
  add(at: number, reading: Reading): VitalRow | undefined {
    let finest: VitalRow | undefined
    for (const [place, level] of this.#levels.entries()) {
      // A timer may be early by the part of a millisecond.
      if (at - level.since < level.ring.resolution.every - 1) continue
      const row = vitalsBetween(reading, level.from, at - level.since)
      level.ring.push(at, row)
      level.from = reading
      level.since = at
      if (place === 0) finest = row
    }
    return finest
  }

  /** Rows that ended within `span` milliseconds before `now`, oldest first: of the finest resolution that goes back so far, else of the coarsest. */
  rows(now: number, span: number): HistoryRow[] {
    const ring = this.#ringFor(span)
    const rows: HistoryRow[] = []
    for (let index = this.#first(ring, now - span); index < ring.length; index += 1) {
      const values = VITALS.map((name, column) => [name, ring.value(index, column)])
      rows.push({ at: ring.time(index), ...(Object.fromEntries(values) as VitalRow) })
    }
    return rows
  }

  /** Mean of a figure over the rows of `rows`, those left out of which the window says nothing; NaN where none is left. */
  mean(vital: Vital, now: number, span: number): number {
    let [sum, count] = [0, 0]
    this.#each(vital, now, span, (_, value) => {
      sum += value
      count += 1
    })
    return count === 0 ? Number.NaN : sum / count
  }

  /** How much a figure rises in an hour, by least squares over the rows of `rows`; NaN of fewer than three. */
  slope(vital: Vital, now: number, span: number): number {
    const [xs, ys]: [number[], number[]] = [[], []]
    this.#each(vital, now, span, (at, value) => {
      xs.push((at - now) / HOUR)
      ys.push(value)
    })
    return leastSquares(xs, ys)
  }

  #each(vital: Vital, now: number, span: number, use: (at: number, value: number) => void): void {
    const ring = this.#ringFor(span)
    const column = VITALS.indexOf(vital)
    for (let index = this.#first(ring, now - span); index < ring.length; index += 1) {
      const value = ring.value(index, column)
      if (!Number.isNaN(value)) use(ring.time(index), value)
    }
  }

  #ringFor(span: number): Ring {
    const level = this.#levels.find(({ ring: { resolution } }) => resolution.every * resolution.rows >= span)
    return (level ?? this.#levels.at(-1)!).ring
  }

  #first(ring: Ring, from: number): number {
    let [low, high] = [0, ring.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (ring.time(middle) < from) low = middle + 1
      else high = middle
    }
    return low
  }
}

const HOUR = 60 * MINUTE
const LEAST_POINTS = 3

/** The slope of the line through the points whose squared errors are least; NaN of fewer than three points, or of one x. */
export function leastSquares(xs: readonly number[], ys: readonly number[]): number {
  const n = xs.length
  if (n < LEAST_POINTS) return Number.NaN
  const meanX = xs.reduce((sum, x) => sum + x, 0) / n
  const meanY = ys.reduce((sum, y) => sum + y, 0) / n
  let [products, squares] = [0, 0]
  for (let i = 0; i < n; i += 1) {
    products += (xs[i]! - meanX) * (ys[i]! - meanY)
    squares += (xs[i]! - meanX) ** 2
  }
  return squares === 0 ? Number.NaN : products / squares
}
