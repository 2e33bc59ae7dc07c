import type { Clock, Timer } from '../../clock.js'
import { Heap, type Heaped } from './heap.js'

/** Something that must be over by a time. */
export interface Timed extends Heaped {
  /** On the monotonic clock. Stays the same while the deadlines have it. */
  readonly deadline: number
  /** Called when the deadline has come; the deadlines have it no more. Must not throw. */
  onDeadline(): void
}

/**
 * One timer for any number of deadlines. It does not keep the process alive: what is waited for does.
 *
 * Invariant: the timer is set exactly while there is a deadline, for the first of them or, where that one was taken
 * out, for an earlier time.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #afterwards: () => void
  readonly #heap = new Heap<Timed>((a, b) => a.deadline < b.deadline)
  #timer: Timer | undefined
  #timerAt = Number.POSITIVE_INFINITY

  /** @param afterwards called when all whose deadline had come were told */
  constructor(clock: Clock, afterwards: () => void) {
    this.#clock = clock
    this.#afterwards = afterwards
  }

  /** An endless deadline is none. */
  add(timed: Timed): void {
    if (timed.deadline === Number.POSITIVE_INFINITY) return
    this.#heap.push(timed)
    this.#set()
  }

  /** Does nothing to one that it does not have. */
  remove(timed: Timed): void {
    this.#heap.remove(timed)
    if (this.#heap.size === 0) this.#unset()
  }

  #set(): void {
    const first = this.#heap.first
    if (first === undefined || first.deadline >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = first.deadline
    this.#timer = this.#clock.after(
      Math.max(0, Math.ceil(first.deadline - this.#clock.monotonic())),
      this.#fire,
    )
  }

  #unset(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
  }

  readonly #fire = (): void => {
    this.#unset()
    const now = this.#clock.monotonic()
    // Looked up anew each time: a signal that is aborted here may run code that adds and removes.
    for (
      let first = this.#heap.first;
      first !== undefined && first.deadline <= now;
      first = this.#heap.first
    ) {
      this.#heap.remove(first)
      first.onDeadline()
    }
    this.#set()
    this.#afterwards()
  }
}
