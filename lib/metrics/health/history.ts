import { detailNames, detailsBetween } from './details.js'
import { type Reading, VITALS, type Vital, type VitalRow, vitalsBetween } from './vitals.js'

/** How finely the past is kept: windows of so many milliseconds, and how many of them. */
export interface Resolution {
  readonly every: number
  readonly rows: number
}

const SECOND = 1000
const MINUTE = 60 * SECOND

/** 10 s for 10 min, 1 min for 6 h, 10 min for 30 days: 4740 rows, of a cache with two tiers at most 600 KiB. */
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
  readonly #width: number
  #times = new Float64Array(0)
  #values = new Float32Array(0)
  #count = 0

  constructor(resolution: Resolution, width: number) {
    this.resolution = resolution
    this.#width = width
  }

  get length(): number {
    return Math.min(this.#count, this.resolution.rows)
  }

  get memoryBytes(): number {
    return this.#times.byteLength + this.#values.byteLength
  }

  push(at: number, values: readonly number[]): void {
    const { rows } = this.resolution
    const slot = this.#count % rows
    if (slot === this.#times.length) this.#grow(Math.min(rows, Math.max(8, 2 * slot)))
    this.#times[slot] = at
    this.#values.set(values, slot * this.#width)
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
    return this.#values[this.slot(index) * this.#width + column]!
  }

  values(index: number): number[] {
    const from = this.slot(index) * this.#width
    return [...this.#values.subarray(from, from + this.#width)]
  }

  #grow(rows: number): void {
    const [times, values] = [this.#times, this.#values]
    this.#times = new Float64Array(rows)
    this.#times.set(times)
    this.#values = new Float32Array(rows * this.#width)
    this.#values.set(values)
  }
}

/** A window that is over, as numbers in the order of `History.columns`. */
export interface HistoryLine {
  readonly at: number
  readonly values: readonly number[]
}

/**
 * The course of a cache, in windows that are finer the younger they are.
 *
 * Invariants: a window of each resolution is measured from its own begin, never put together from finer ones, so that its percentiles are
 * true; no ring has more rows than its resolution says.
 */
export class History {
  /** What is kept of each window: the vitals, then details. */
  readonly columns: readonly string[]
  readonly #levels: Array<{ readonly ring: Ring; from: Reading; since: number }>

  constructor(at: number, first: Reading, resolutions = RESOLUTIONS) {
    this.columns = columnsOf(first)
    const width = this.columns.length
    this.#levels = resolutions.map((resolution) => ({
      ring: new Ring(resolution, width),
      from: first,
      since: at,
    }))
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
      level.ring.push(at, valuesOf(row, detailsBetween(reading, level.from)))
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

  /** As `rows`, with details. */
  lines(now: number, span: number): HistoryLine[] {
    const ring = this.#ringFor(span)
    const lines: HistoryLine[] = []
    for (let index = this.#first(ring, now - span); index < ring.length; index += 1) {
      lines.push({ at: ring.time(index), values: ring.values(index) })
    }
    return lines
  }

  /** When the last of the rows of `rows` ended, however long ago; undefined while there is none. */
  newest(span: number): number | undefined {
    const ring = this.#ringFor(span)
    return ring.length === 0 ? undefined : ring.time(ring.length - 1)
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

/** Names of the figures that `valuesBetween` gives, of a cache that was read so. */
export function columnsOf({ stats }: Reading): readonly string[] {
  return [...VITALS, ...detailNames(stats.tiers.length)]
}

/** What happened from `before` to `now`, in so many milliseconds: a figure for each of `columnsOf`. */
export function valuesBetween(now: Reading, before: Reading, ms: number): number[] {
  return valuesOf(vitalsBetween(now, before, ms), detailsBetween(now, before))
}

function valuesOf(row: VitalRow, details: readonly number[]): number[] {
  return [...VITALS.map((name) => row[name]), ...details]
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
