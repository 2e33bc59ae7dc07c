import type { Clock, Timer } from '../../lib/clock.js'

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #now: number
  #jumped = 0
  readonly #timers = new Set<{ at: number; fn: () => void }>()

  constructor(now = 1_700_000_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now - this.#jumped
  }

  after(ms: number, fn: () => void): Timer {
    const timer = { at: this.#now + ms, fn }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  /** Timers that are set: none may be left when all is closed. */
  get pending(): number {
    return this.#timers.size
  }

  /** Goes on by `ms`, firing what is due in order of time. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      let next: { at: number; fn: () => void } | undefined
      for (const timer of this.#timers) {
        if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer
      }
      if (next === undefined) break
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.fn()
    }
    this.#now = end
  }

  /** Epoch time jumps, as when an operator sets the clock; timers do not notice. */
  jump(ms: number): void {
    this.#now += ms
    this.#jumped += ms
    for (const timer of this.#timers) timer.at += ms
  }
}
