import { type Clock, systemClock, type Timer } from '../../clock.js'
import { callListener } from '../../listener.js'
import { FACTORS, LevelTracker, PRESSURE_LEVELS, type PressureLevel } from './level.js'
import { type PressureConfig, type PressureOptions, readPressureOptions } from './options.js'
import type { PressureSource, PressureSources } from './source.js'
import { residentSource, systemSources } from './system.js'

/** How short memory is. */
export interface PressureState {
  readonly level: PressureLevel
  /** The part of its bound that whoever holds memory should use: 1, 0.9, 0.7, 0.5 or 0.2. */
  readonly factor: number
  /** The part of memory that is in use, 0 to 1, as of the source that is worst off. */
  readonly ratio: number
  /** That source: `cgroup`, `system`, `stall`, `rss`, or the name of one that was injected; `none` when none knew anything. */
  readonly source: string
}

/** What a detector counts since it was made. */
export interface PressureStats extends PressureState {
  readonly samples: number
  /** Changes of the level. */
  readonly changes: number
  /** Milliseconds spent at each level, while there were subscribers. */
  readonly msAt: Readonly<Record<PressureLevel, number>>
  /** The last answer of each source that ever gave one. */
  readonly ratios: Readonly<Record<string, number>>
  /** How often each source failed, of those that did. */
  readonly failures: Readonly<Record<string, number>>
  /** Milliseconds that samples took on the event loop: all of them, and the longest. */
  readonly cost: { readonly total: number; readonly longest: number }
  readonly subscribers: number
}

/** A detector of memory pressure. */
export interface Pressure {
  /** As of the last sample. It is up to date while there are subscribers. */
  current(): PressureState
  /** `current().factor`. */
  factor(): number
  /** Looks now, in addition to the timer. Never throws. */
  sample(): PressureState
  /**
   * Has `listener` told of each change of the level from now on; `current()` is up to date when it returns. The first subscriber
   * starts the timer, the last one to leave stops it. A listener that fails is reported as a warning.
   *
   * @returns what ends it; calling that again does nothing
   */
  subscribe(listener: (state: PressureState) => void): () => void
  stats(): PressureStats
}

/** What a test may replace. */
export interface PressureSeams {
  readonly clock?: Clock
  /** Milliseconds from some moment on, which never jump. */
  readonly monotonic?: () => number
  /** In place of those of the system. */
  readonly sources?: PressureSources
}

/** Samples take at most this part of the time: where the system is slow to answer, it is asked less often. */
const MOST_TIME = 0.05
/** ... but not more seldom than this, in milliseconds. */
const LONGEST_PAUSE = 10_000
/** A sample counts as at most twice as costly as those before: that one took long says nothing of the next, and memory that is short makes everything slow now and then. */
const DEARER = 2
const LEAST_COST = 0.01

interface Subscription {
  readonly listener: (state: PressureState) => void
}

/**
 * Invariants: a timer is set exactly while there are subscribers; each change of the level is told once to those who were there when
 * it happened and still are, in order, also when a listener has a sample taken.
 */
class PressureDetector implements Pressure {
  readonly #config: PressureConfig
  readonly #sources: PressureSources
  readonly #clock: Clock
  readonly #monotonic: () => number
  readonly #tracker: LevelTracker
  readonly #subscriptions = new Set<Subscription>()
  #state: PressureState = { level: 'none', factor: 1, ratio: 0, source: 'none' }
  #timer: Timer | undefined
  #untold: Array<{ readonly state: PressureState; readonly to: readonly Subscription[] }> = []
  #telling = false
  #samples = 0
  #changes = 0
  /** Milliseconds, as samples usually take. */
  #usualCost = LEAST_COST
  #cost = { total: 0, longest: 0 }
  /** Since when the level holds and nothing of it is in `#msAt`; undefined while nobody is subscribed. */
  #since: number | undefined
  readonly #msAt = Object.fromEntries(PRESSURE_LEVELS.map((level) => [level, 0])) as Record<
    PressureLevel,
    number
  >
  readonly #ratios = new Map<string, number>()
  readonly #failures = new Map<string, number>()

  constructor(config: PressureConfig, seams: PressureSeams) {
    this.#config = config
    const { thresholds, source, rssLimit } = config
    const sources = seams.sources ?? (source === undefined ? systemSources(thresholds) : [[source]])
    this.#sources = rssLimit === undefined ? sources : [...sources, [residentSource(rssLimit)]]
    this.#clock = seams.clock ?? systemClock
    this.#monotonic = seams.monotonic ?? (() => performance.now())
    this.#tracker = new LevelTracker(thresholds)
  }

  current(): PressureState {
    return this.#state
  }

  factor(): number {
    return this.#state.factor
  }

  sample(): PressureState {
    const begun = this.#monotonic()
    const { ratio, source } = this.#ask()
    const changed = this.#tracker.take(ratio)
    const now = this.#monotonic()
    this.#samples += 1
    const cost = now - begun
    this.#usualCost = Math.max(LEAST_COST, Math.min(cost, this.#usualCost * DEARER))
    this.#cost.total += cost
    this.#cost.longest = Math.max(this.#cost.longest, cost)
    if (changed) this.#settle(now)
    const { level } = this.#tracker
    this.#state = Object.freeze({ level, factor: FACTORS[level], ratio, source })
    if (changed) {
      this.#changes += 1
      this.#tell()
    }
    return this.#state
  }

  subscribe(listener: (state: PressureState) => void): () => void {
    if (this.#timer === undefined) {
      this.sample()
      this.#since = this.#monotonic()
    }
    const subscription: Subscription = { listener }
    this.#subscriptions.add(subscription)
    this.#timer ??= this.#wait()
    return () => this.#leave(subscription)
  }

  stats(): PressureStats {
    if (this.#since !== undefined) this.#settle(this.#monotonic())
    return {
      ...this.#state,
      samples: this.#samples,
      changes: this.#changes,
      msAt: { ...this.#msAt },
      ratios: Object.fromEntries(this.#ratios),
      failures: Object.fromEntries(this.#failures),
      cost: { ...this.#cost },
      subscribers: this.#subscriptions.size,
    }
  }

  #ask(): { readonly ratio: number; readonly source: string } {
    let worst = { ratio: 0, source: 'none' }
    for (const row of this.#sources) {
      for (const source of row) {
        const ratio = this.#ratioOf(source)
        if (ratio === undefined) continue
        if (worst.source === 'none' || ratio > worst.ratio) worst = { ratio, source: source.name }
        break
      }
    }
    return worst
  }

  #ratioOf(source: PressureSource): number | undefined {
    try {
      const ratio: unknown = source.ratio()
      if (ratio === undefined) return undefined
      if (typeof ratio === 'number' && ratio >= 0) {
        const known = Math.min(1, ratio)
        this.#ratios.set(source.name, known)
        return known
      }
    } catch {
      // Counted as what is no ratio is: the next source is asked, and the statistics say so.
    }
    this.#failures.set(source.name, (this.#failures.get(source.name) ?? 0) + 1)
    return undefined
  }

  /** Books the time since the last booking to the level of the state. */
  #settle(now: number): void {
    if (this.#since === undefined) return
    this.#msAt[this.#state.level] += Math.max(0, now - this.#since)
    this.#since = now
  }

  #wait(): Timer {
    const { calmMs, tenseMs } = this.#config
    const interval = this.#state.level === 'none' ? calmMs : tenseMs
    return this.#clock.after(
      Math.max(interval, Math.min(this.#usualCost / MOST_TIME, LONGEST_PAUSE)),
      this.#look,
    )
  }

  readonly #look = (): void => {
    // Set first, so that a listener which leaves, or has a sample taken, finds things as they always are.
    this.#timer = this.#wait()
    const { level } = this.#state
    this.sample()
    if (this.#timer === undefined || level === this.#state.level) return
    this.#timer.cancel()
    this.#timer = this.#wait()
  }

  #leave(subscription: Subscription): void {
    if (!this.#subscriptions.delete(subscription) || this.#subscriptions.size > 0) return
    this.#settle(this.#monotonic())
    this.#since = undefined
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #tell(): void {
    if (this.#subscriptions.size === 0) return
    this.#untold.push({ state: this.#state, to: [...this.#subscriptions] })
    if (this.#telling) return
    this.#telling = true
    for (let next = this.#untold.shift(); next !== undefined; next = this.#untold.shift()) {
      for (const subscription of next.to) {
        if (this.#subscriptions.has(subscription)) callListener(subscription.listener, next.state, 'pressure')
      }
    }
    this.#telling = false
  }
}

/**
 * Makes a detector of memory pressure of its own. Most want `memoryPressure()`, the one that all of a thread share. It costs
 * nothing until somebody subscribes.
 *
 * @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do.
 */
export function createPressure(options: PressureOptions = {}, seams: PressureSeams = {}): Pressure {
  return new PressureDetector(readPressureOptions(options, 'pressure'), seams)
}

let ofThread: Pressure | undefined

/** The detector that all caches of this thread share: of the system, with its defaults, on one timer. */
export function memoryPressure(): Pressure {
  ofThread ??= createPressure()
  return ofThread
}
