import { type CategoryBorders, categoryIndex } from '../buffers/category.js'
import { CATEGORIES, type SizeCategory } from '../buffers/strategy.js'
import { Histogram, type HistogramSnapshot } from './histogram.js'

/*
 * How long things take, by what was done, what came of it, which tier answered and how large the value was.
 */

/**
 * What is timed. `fetch get getSync set delete`: a call of the cache, until it is answered; of a body, until there is something to be read of it.
 * `lookup`: of one tier, until it says whether it has the key. `firstByte`: from the call of a fetcher to the first byte of its body, or to its
 * answer where that has none; `fill`: until the value is in the tier, or it is settled that it is not kept.
 */
export const OPERATIONS = ['fetch', 'get', 'getSync', 'set', 'delete', 'lookup', 'firstByte', 'fill'] as const

export type Operation = (typeof OPERATIONS)[number]

/** What came of it: the outcome of an answer; `done` of what has none; `error` of a call that failed. */
export const RESULTS = ['hit', 'miss', 'joined', 'stale', 'revalidated', 'done', 'error'] as const

export type Result = (typeof RESULTS)[number]

/** Sizes by category, with the borders that a pool has by default; `unknown`: there is no value, or its size is not known yet. */
export const SIZES = [...CATEGORIES, 'unknown'] as const

export type SizeLabel = SizeCategory | 'unknown'

/** Where no tier has part in it, or the origin answered. */
export const NO_TIER = 'none'

/** Those of every pool that is not told otherwise, and of all caches, so that they can be compared. */
const BORDERS: CategoryBorders = { largeObjectThreshold: 256 * 1024, veryLargeObjectThreshold: 1024 * 1024 }

/** The place of a size's label in `SIZES`. */
export function sizeIndex(size: number | undefined): number {
  return size === undefined || size < 0 ? CATEGORIES.length : categoryIndex(BORDERS, size)
}

/** Times of one kind. */
export interface LatencySeries {
  readonly operation: Operation
  readonly outcome: Result
  /** The tier's name, or `none`. */
  readonly tier: string
  readonly size: SizeLabel
  readonly times: HistogramSnapshot
}

/**
 * The histograms of a cache. There is one for each kind of which a time was ever taken: some dozens as a rule, and never more than the
 * tiers, operations, results and sizes allow for.
 */
export class Latencies {
  readonly #tiers: readonly string[]
  readonly #byKind = new Map<number, Histogram>()

  /** @param tiers their names, the first first */
  constructor(tiers: readonly string[]) {
    this.#tiers = tiers
  }

  /** @param tier its place among the tiers; -1 for none */
  record(operation: Operation, outcome: Result, tier: number, size: number | undefined, ns: number): void {
    const kind =
      ((OPERATIONS.indexOf(operation) * RESULTS.length + RESULTS.indexOf(outcome)) *
        (this.#tiers.length + 1) +
        tier +
        1) *
        SIZES.length +
      sizeIndex(size)
    let histogram = this.#byKind.get(kind)
    if (histogram === undefined) {
      histogram = new Histogram()
      this.#byKind.set(kind, histogram)
    }
    histogram.record(ns)
  }

  series(): LatencySeries[] {
    const kinds = [...this.#byKind.keys()].sort((a, b) => a - b)
    return kinds.map((kind) => {
      const size = SIZES[kind % SIZES.length]!
      const rest = Math.floor(kind / SIZES.length)
      const tier = this.#tiers[(rest % (this.#tiers.length + 1)) - 1] ?? NO_TIER
      const what = Math.floor(rest / (this.#tiers.length + 1))
      const outcome = RESULTS[what % RESULTS.length]!
      const operation = OPERATIONS[Math.floor(what / RESULTS.length)]!
      return { operation, outcome, tier, size, times: this.#byKind.get(kind)!.snapshot() }
    })
  }
}
