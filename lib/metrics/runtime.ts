import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { type Clock, systemClock, type Timer } from '../clock.js'
import { Histogram, type HistogramSnapshot } from './histogram.js'

/** Kinds of collection, as V8 tells them apart. */
export const GC_KINDS = ['major', 'minor', 'incremental', 'weak'] as const

export type GcKind = (typeof GC_KINDS)[number]

const KIND_OF: Readonly<Record<number, GcKind>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak',
}

/** Times of the thread, since it was watched for the first time. */
export interface RuntimeTimes {
  readonly gc: Readonly<Record<GcKind, HistogramSnapshot>>
  readonly loopDelay: HistogramSnapshot
}

/** What a test may replace. */
export interface RuntimeSeams {
  readonly clock: Clock
  /** Has `onGc` told of each collection and how many milliseconds it took, until the returned function is called. */
  observeGc(onGc: (kind: GcKind, ms: number) => void): () => void
}

/**
 * What the thread does beside its work: collecting garbage, and being late.
 *
 * The delay is that of a timer, and not what `monitorEventLoopDelay` gives: of that one no two moments can be subtracted, and no buckets be had.
 *
 * Invariants: the collector is observed and one timer is set exactly while there are users; neither keeps the process alive. What was
 * counted stays when the last user leaves, so that no count ever falls.
 */
export class RuntimeWatch {
  readonly #seams: RuntimeSeams
  /** Of each user, the milliseconds it wants between two looks. */
  readonly #users = new Map<symbol, number>()
  readonly #gc: Readonly<Record<GcKind, Histogram>> = {
    major: new Histogram(),
    minor: new Histogram(),
    incremental: new Histogram(),
    weak: new Histogram(),
  }
  readonly #loopDelay = new Histogram()
  #interval = 0
  #timer: Timer | undefined
  #unobserve: (() => void) | undefined

  constructor(seams: RuntimeSeams) {
    this.#seams = seams
  }

  /** Watches, at least every `interval` milliseconds, until the returned function is called; calling that again does nothing. */
  use(interval: number): () => void {
    const user = Symbol('user')
    this.#users.set(user, interval)
    this.#unobserve ??= this.#seams.observeGc((kind, ms) => this.#gc[kind].record(ms * 1e6))
    this.#pace()
    return () => {
      if (!this.#users.delete(user)) return
      this.#pace()
      if (this.#users.size > 0) return
      this.#unobserve?.()
      this.#unobserve = undefined
    }
  }

  times(): RuntimeTimes {
    const gc = Object.fromEntries(GC_KINDS.map((kind) => [kind, this.#gc[kind].snapshot()]))
    return { gc: gc as Record<GcKind, HistogramSnapshot>, loopDelay: this.#loopDelay.snapshot() }
  }

  #pace(): void {
    const interval = this.#users.size === 0 ? 0 : Math.min(...this.#users.values())
    if (interval === this.#interval) return
    this.#interval = interval
    this.#timer?.cancel()
    this.#timer = undefined
    if (interval > 0) this.#look()
  }

  #look(): void {
    const { clock } = this.#seams
    const due = clock.monotonic() + this.#interval
    this.#timer = clock.after(this.#interval, () => {
      this.#loopDelay.record(Math.max(0, clock.monotonic() - due) * 1e6)
      this.#look()
    })
  }
}

/** What entries of this kind have beside what all have. */
interface GcDetail {
  readonly detail?: { readonly kind: number }
}

function observeGc(onGc: (kind: GcKind, ms: number) => void): () => void {
  const observer = new PerformanceObserver((list) => {
    for (const { detail, duration } of list.getEntries() as ReadonlyArray<PerformanceEntry & GcDetail>) {
      const kind = KIND_OF[detail?.kind ?? -1]
      if (kind !== undefined) onGc(kind, duration)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => observer.disconnect()
}

/** The one of this thread. */
export const runtimeWatch = new RuntimeWatch({ clock: systemClock, observeGc })
