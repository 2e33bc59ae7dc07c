import { type LatencySummary, summaryOf } from './histogram.js'
import type { LatencySeries, Operation, Result, SizeLabel } from './latencies.js'
import { GC_KINDS, type GcKind, type RuntimeTimes } from './runtime.js'

/** How long operations of one kind took, in milliseconds, of those that were timed. */
export interface OperationLatency extends LatencySummary {
  readonly operation: Operation
  readonly outcome: Result
  /** The tier that answered, or was looked into; `none` where it was none. */
  readonly tier: string
  readonly size: SizeLabel
}

/** Times that add up, in milliseconds. */
export interface TotalLatency extends LatencySummary {
  readonly total: number
}

/** What the thread does beside its work, since its first cache with metrics was made. */
export interface RuntimeStats {
  /** Garbage collections, by kind. */
  readonly gc: Readonly<Record<GcKind, TotalLatency>>
  /** How late the event loop was, each time that it was looked at. */
  readonly loopDelay: LatencySummary
}

/** What is measured, and what came of it. */
export interface MetricsStats {
  /** Whether anything is measured; else what follows is empty. */
  readonly enabled: boolean
  /** One of so many calls is timed. */
  readonly sampling: number
  /** How long operations took, of each kind of which one was timed. */
  readonly latency: readonly OperationLatency[]
  /** Calls that failed, by what was called and by code: `other` is what drey has no code for. Of bodies, `body`; of fetchers and what became of their answers, `fill`. */
  readonly errors: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Of the thread; undefined where nothing is measured. */
  readonly runtime: RuntimeStats | undefined
}

export function latencyOf({ operation, outcome, tier, size, times }: LatencySeries): OperationLatency {
  return { operation, outcome, tier, size, ...summaryOf(times) }
}

export function runtimeStatsOf({ gc, loopDelay }: RuntimeTimes): RuntimeStats {
  const total = Object.fromEntries(
    GC_KINDS.map((kind) => [kind, { ...summaryOf(gc[kind]), total: gc[kind].sum / 1e6 }]),
  )
  return { gc: total as Record<GcKind, TotalLatency>, loopDelay: summaryOf(loopDelay) }
}
