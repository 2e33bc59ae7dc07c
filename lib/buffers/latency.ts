import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { CATEGORIES, type SizeCategory } from './strategy.js'

/** How long `get` took, in nanoseconds, of the calls that were timed. */
export interface LatencyStats {
  readonly samples: number
  readonly mean: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Histograms of `get` by category. */
export class Latency {
  readonly #histograms: readonly RecordableHistogram[] = CATEGORIES.map(() => createHistogram())

  record(category: number, ns: number): void {
    this.#histograms[category]!.record(Math.max(1, Math.round(ns)))
  }

  stats(): Partial<Record<SizeCategory, LatencyStats>> {
    const all: Partial<Record<SizeCategory, LatencyStats>> = {}
    for (const [at, name] of CATEGORIES.entries()) {
      const histogram = this.#histograms[at]!
      if (histogram.count === 0) continue
      all[name] = {
        samples: histogram.count,
        mean: histogram.mean,
        p50: histogram.percentile(50),
        p99: histogram.percentile(99),
        max: histogram.max,
      }
    }
    return all
  }
}
