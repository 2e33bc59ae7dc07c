import type { Clock, Timer } from '../../clock.js'

interface Wait {
  readonly since: number
  end(error: Error): void
}

/**
 * Waits that all may last equally long: one timer for all of them, set for the oldest.
 *
 * Invariants: `#waits` are in the order of their beginnings, and so of their ends; the timer is set exactly while there are any that may end.
 */
export class Deadlines {
  readonly #clock: () => Clock
  #ms: number
  readonly #late: () => Error
  readonly #waits = new Set<Wait>()
  #timer: Timer | undefined

  /** `late` is what a wait that lasted longer than `ms` rejects with; called once for each. */
  constructor(clock: () => Clock, ms: number, late: () => Error) {
    this.#clock = clock
    this.#ms = ms
    this.#late = late
  }

  get size(): number {
    return this.#waits.size
  }

  /** Waits may last so long from now on, those that are under way, too. */
  configure(ms: number): void {
    this.#ms = ms
    this.#stop()
    this.#schedule(this.#clock().monotonic())
  }

  /** What `coming` gives, in time. What it gives after that goes to `unused`, which must not throw; that it fails then is nobody's business. */
  wait<T>(coming: Promise<T>, unused?: (value: T) => void): Promise<T> {
    if (this.#ms === Number.POSITIVE_INFINITY) return coming
    return new Promise((resolve, reject) => {
      let over = false
      const wait: Wait = {
        since: this.#clock().monotonic(),
        end: (error) => {
          over = true
          reject(error)
        },
      }
      this.#waits.add(wait)
      this.#timer ??= this.#clock().after(this.#ms, this.#sweep)
      coming.then(
        (value) => {
          if (over) return unused?.(value)
          this.#leave(wait)
          resolve(value)
        },
        (error) => {
          if (over) return
          this.#leave(wait)
          reject(error)
        },
      )
    })
  }

  /** Ends all waits with `error`. */
  endAll(error: Error): void {
    const waits = [...this.#waits]
    this.#waits.clear()
    this.#stop()
    for (const wait of waits) wait.end(error)
  }

  #leave(wait: Wait): void {
    if (this.#waits.delete(wait) && this.#waits.size === 0) this.#stop()
  }

  #stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  readonly #sweep = (): void => {
    this.#timer = undefined
    const now = this.#clock().monotonic()
    for (const wait of this.#waits) {
      // A timer may fire a little before its time.
      if (wait.since + this.#ms > now + 1) break
      this.#waits.delete(wait)
      wait.end(this.#late())
    }
    this.#schedule(now)
  }

  #schedule(now: number): void {
    const [oldest] = this.#waits
    if (oldest === undefined || this.#ms === Number.POSITIVE_INFINITY) return
    this.#timer ??= this.#clock().after(Math.max(1, oldest.since + this.#ms - now), this.#sweep)
  }
}
