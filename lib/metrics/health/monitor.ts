import type { CacheStats } from '../../cache/cache.js'
import type { Clock, Timer } from '../../clock.js'
import type { PressureState } from '../../resilience/pressure/index.js'
import type { LatencySeries } from '../latencies.js'
import type { RuntimeTimes } from '../runtime.js'
import { type AlertEvent, Alerts, type RaisedAlert } from './alerts.js'
import { type CacheHealth, healthOf } from './health.js'
import { History, type HistoryLine, type HistoryRow, RESOLUTIONS } from './history.js'
import type { AlertsConfig } from './options.js'
import { RULES } from './rules.js'
import { type Reading, readingOf, type Vital } from './vitals.js'

/** What of a cache is watched. */
export interface Watchable {
  stats(): CacheStats
  latencies(): readonly LatencySeries[]
  runtime(): RuntimeTimes | undefined
}

export interface MonitorHost {
  readonly clock: Clock
  readonly config: AlertsConfig
  /** Whether anything is measured: without that there is no history, and no timer. */
  readonly measures: boolean
  readonly tiers: number
  /** Must not throw. */
  tell(event: AlertEvent): void
}

/** Of the factors that stores are told, those that are amber and red: of the levels `high` and `critical`. */
const SHORT = { amber: 0.5, red: 0.2 }
const EVERY = RESOLUTIONS[0]!.every
/** Names of origins that a message has at most. */
const MOST_NAMED = 5

/**
 * Watches over a cache: its course, its alerts and its health.
 *
 * Invariants: there is a timer exactly from `open` to `close` where anything is measured; it holds the cache by a weak reference only, so
 * that one that nobody has any more is collected, and ends with it.
 */
export class Monitor {
  readonly #host: MonitorHost
  readonly #alerts: Alerts
  readonly #downTiers = new Set<string>()
  readonly #downOrigins = new Set<string>()
  #history: History | undefined
  #timer: Timer | undefined
  #last = 0
  #closedAt: number | undefined

  constructor(host: MonitorHost) {
    this.#host = host
    this.#alerts = new Alerts(
      () => host.clock.now(),
      (event) => {
        if (host.config.enabled) host.tell(event)
      },
    )
  }

  open(of: Watchable): void {
    if (!this.#host.measures) return
    this.#begin(read(of))
    this.#wait(new WeakRef(of))
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#closedAt ??= this.#host.clock.now()
  }

  health(): CacheHealth {
    return healthOf(this.#alerts.raised(), this.#closedAt)
  }

  /** Of the last `span` milliseconds; none where nothing is measured. */
  rows(span: number): HistoryRow[] {
    return this.#history?.rows(this.#host.clock.monotonic(), span) ?? []
  }

  /** As `rows`, with details, in the order of `History.columns`. */
  lines(span: number): HistoryLine[] {
    return this.#history?.lines(this.#host.clock.monotonic(), span) ?? []
  }

  /** When the last of those ended. */
  newest(span: number): number | undefined {
    return this.#history?.newest(span)
  }

  alerts(): readonly RaisedAlert[] {
    return this.#alerts.raised()
  }

  slope(vital: Vital, span: number): number {
    return this.#history?.slope(vital, this.#host.clock.monotonic(), span) ?? Number.NaN
  }

  onTier(tier: string, isDown: boolean): void {
    const down = this.#downTiers
    if (isDown) down.add(tier)
    else down.delete(tier)
    const isAll = down.size >= this.#host.tiers
    const is = {
      level: isAll ? ('red' as const) : ('amber' as const),
      reason: `${isAll ? 'no tier is in use' : 'a tier is left alone'}, because it failed again and again: ${named(down)}`,
      value: down.size,
      threshold: isAll ? this.#host.tiers : 1,
    }
    this.#alerts.state('tier-down', down.size === 0 ? undefined : is, down.size)
  }

  onOrigin(origin: string, isDown: boolean): void {
    const down = this.#downOrigins
    if (isDown) down.add(origin)
    else down.delete(origin)
    const reason = `origins are left alone, because they failed again and again: ${named(down)}`
    const is = { level: 'amber' as const, reason, value: down.size, threshold: 1 }
    this.#alerts.state('origin-down', down.size === 0 ? undefined : is, down.size)
  }

  onPressure({ factor, ratio }: PressureState): void {
    const level = factor <= SHORT.red ? 'red' : 'amber'
    const reason = `${(ratio * 100).toFixed(0)} % of memory is in use; the tiers may use ${(factor * 100).toFixed(0)} % of their bounds`
    const is = { level, reason, value: factor, threshold: SHORT[level] } as const
    this.#alerts.state('pressure', factor > SHORT.amber ? undefined : is, factor)
  }

  #wait(of: WeakRef<Watchable>): void {
    this.#timer = this.#host.clock.after(EVERY, () => {
      const watched = of.deref()
      if (watched === undefined) return
      this.#wait(of)
      this.#look(read(watched))
    })
  }

  #begin(first: Reading | undefined): void {
    this.#last = this.#host.clock.monotonic()
    if (first !== undefined) this.#history = new History(this.#last, first)
  }

  #look(reading: Reading | undefined): void {
    if (this.#history === undefined) return this.#begin(reading)
    if (reading === undefined) return
    const { clock, config } = this.#host
    const now = clock.monotonic()
    const row = this.#history.add(now, reading)
    if (row === undefined) return
    const seconds = (now - this.#last) / 1000
    this.#last = now
    if (!config.enabled) return
    for (const rule of RULES) {
      const value = rule.read(row, this.#history, now, seconds)
      const patience = { raiseAfter: rule.atOnce ? 1 : config.raiseAfter, clearAfter: config.clearAfter }
      if (value === undefined) this.#alerts.quiet(rule.id, patience)
      else this.#alerts.window(rule.id, value, rule.describe(value), config.limits[rule.id], patience)
    }
  }
}

/** Undefined where somebody's own store or detector cannot say: whoever asks for `stats()` is told why, and a timer has nobody to tell. */
function read(of: Watchable): Reading | undefined {
  try {
    return readingOf(of.stats(), of.latencies(), of.runtime()?.loopDelay)
  } catch {
    return undefined
  }
}

function named(all: ReadonlySet<string>): string {
  const names = [...all].slice(0, MOST_NAMED).map((name) => JSON.stringify(name))
  return all.size > MOST_NAMED ? `${names.join(', ')} and ${all.size - MOST_NAMED} more` : names.join(', ')
}
