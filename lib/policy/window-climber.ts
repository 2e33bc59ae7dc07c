/** How far the first step goes, as a share of the capacity: a sixteenth, as in Caffeine. */
const STEP = 0.0625
/** What the next step in the same direction is of the last one. */
const DECAY = 0.98
/** A change of the hit ratio as large as this means that the workload is another: steps begin anew. */
const RESTART = 0.05

/**
 * How large W-TinyLFU's window should be, found by hill climbing: G. Einziger, O. Eytan, R. Friedman and B.
 * Manes, "Adaptive Software Cache Management", Middleware 2018. The window changes by a step; if the hit
 * ratio of the next sample is lower, the direction turns. The first step is towards more window; the next is
 * always 0.98 of the last, so that it comes to rest, until the hit ratio changes by five points or more: then
 * the workload is another, and steps begin anew.
 *
 * The same arithmetic as in C++, so that both round alike; no product is added to anything here, which a
 * compiler could do in one rounding instead of two.
 */
export class WindowClimber {
  #step: number
  #capacity: number
  #hits = 0
  #misses = 0
  #hitRatio = 0

  constructor(capacity: number) {
    this.#capacity = capacity
    this.#step = STEP * capacity
  }

  /** What was learnt stays; steps are shares of the new capacity from the next beginning on. */
  setCapacity(capacity: number): void {
    this.#capacity = capacity
  }

  hit(): void {
    this.#hits += 1
  }

  miss(): void {
    this.#misses += 1
  }

  /** By how many bytes the window should grow now. 0 until a sample of `size` uses has passed. */
  climb(size: number): number {
    const uses = this.#hits + this.#misses
    if (uses < size) return 0
    const hitRatio = this.#hits / uses
    const change = hitRatio - this.#hitRatio
    const amount = change >= 0 ? this.#step : -this.#step
    const restart = amount >= 0 ? STEP * this.#capacity : -STEP * this.#capacity
    this.#step = Math.abs(change) >= RESTART ? restart : DECAY * amount
    this.#hitRatio = hitRatio
    this.#hits = 0
    this.#misses = 0
    return Math.trunc(amount)
  }
}
