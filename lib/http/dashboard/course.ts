import { columnsOf, type HistoryLine, valuesBetween } from '../../metrics/health/history.js'
import type { Monitor } from '../../metrics/health/monitor.js'
import type { Reading } from '../../metrics/health/vitals.js'
import { LIVE_MS, type Line, WINDOWS, type WindowName } from './messages.js'

/** Of a window with more lines, an hour's become one. */
const MOST_LINES = 720
const HOUR = 3_600_000
/** What is no rate is measured over so many ticks: in a second too little happens. */
const SMOOTHED = 10
/** Figures of a second; all others are smoothed, or are of the moment. */
const RATES: ReadonlySet<string> = new Set(['requests', 'bytesOut', 'bytesIn', 'fills', 'evictions'])
/** Of these an hour's largest is shown, of others the mean: the mean of percentiles is none, and peaks count. */
const PEAKS = /^(?:p\d|pressure$|loopDelay$|filling$|memory$|disk$|used )/

/**
 * The course of a cache as lines of the page: the last minute by the second, while somebody looks on, and the windows that the monitor has.
 *
 * Invariant: `#readings` has those of the last `SMOOTHED` ticks, and `#live` lines of no more than `LIVE_MS`.
 */
export class Course {
  readonly columns: readonly string[]
  readonly #monitor: Pick<Monitor, 'lines' | 'newest'>
  /** Epoch milliseconds at 0 of the monotonic clock. */
  readonly #epoch: () => number
  readonly #readings: Array<{ readonly at: number; readonly reading: Reading }> = []
  #live: Array<{ readonly at: number; readonly line: Line }> = []

  constructor(first: Reading, monitor: Pick<Monitor, 'lines' | 'newest'>, epoch: () => number) {
    this.columns = columnsOf(first)
    this.#monitor = monitor
    this.#epoch = epoch
  }

  /** Somebody looks on, from now on: what was before is taken from coarser windows. */
  begin(now: number, reading: Reading): void {
    this.#readings.length = 0
    this.#readings.push({ at: now, reading })
    this.#prune(now)
    const until = this.#live[0]?.at ?? Number.POSITIVE_INFINITY
    const before = this.#monitor.lines(LIVE_MS).filter(({ at }) => at < until)
    this.#live = [...before.map((one) => ({ at: one.at, line: this.#lineOf(one) })), ...this.#live]
  }

  /** A second went by. */
  tick(now: number, reading: Reading): Line {
    const last = this.#readings.at(-1)!
    const oldest = this.#readings[0]!
    const sharp = valuesBetween(reading, last.reading, now - last.at)
    const smooth = valuesBetween(reading, oldest.reading, now - oldest.at)
    const values = this.columns.map((name, at) => (RATES.has(name) ? sharp[at]! : smooth[at]!))
    this.#readings.push({ at: now, reading })
    if (this.#readings.length > SMOOTHED) this.#readings.shift()
    const line = this.#lineOf({ at: now, values })
    this.#live.push({ at: now, line })
    this.#prune(now)
    return line
  }

  live(): readonly Line[] {
    return this.#live.map(({ line }) => line)
  }

  window(name: WindowName): readonly Line[] {
    const lines = this.#monitor.lines(WINDOWS[name])
    const few = lines.length > MOST_LINES ? this.#hourly(lines) : lines
    return few.map((line) => this.#lineOf(line))
  }

  /** When the last line of a window ended; undefined while there is none. */
  newest(name: WindowName): number | undefined {
    return this.#monitor.newest(WINDOWS[name])
  }

  #hourly(lines: readonly HistoryLine[]): HistoryLine[] {
    const hours = new Map<number, HistoryLine[]>()
    for (const line of lines) {
      const hour = Math.ceil(line.at / HOUR)
      const same = hours.get(hour)
      if (same === undefined) hours.set(hour, [line])
      else same.push(line)
    }
    return Array.from(hours.values(), (same) => this.#folded(same))
  }

  #folded(lines: readonly HistoryLine[]): HistoryLine {
    const values = this.columns.map((name, at) => {
      const known = lines.map((line) => line.values[at]!).filter((value) => !Number.isNaN(value))
      if (known.length === 0) return Number.NaN
      return PEAKS.test(name)
        ? Math.max(...known)
        : known.reduce((sum, value) => sum + value, 0) / known.length
    })
    return { at: lines.at(-1)!.at, values }
  }

  #lineOf({ at, values }: HistoryLine): Line {
    return [Math.round((this.#epoch() + at) / 100) / 10, ...values.map(rounded)]
  }

  #prune(now: number): void {
    const { length } = this.#live
    let old = 0
    while (old < length && this.#live[old]!.at < now - LIVE_MS) old += 1
    if (old > 0) this.#live.splice(0, old)
  }
}

/** Four digits say as much as a picture can. */
function rounded(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : null
}
