import type { Clock, Timer } from '../../../clock.js'

/** What a byte that is written makes reclaim read and write, at most: two of segments that are half kept, and the half; and a byte to catch up. */
const FACTOR = 4
/** What is let pass at once. */
const PIECE = 256 * 1024
/** Over which what is written is averaged, in milliseconds. */
const WINDOW = 100
/** Timers are no finer. */
const LEAST_WAIT = 1

/**
 * How fast reclaim in the background goes: as fast as what is written needs it to, and no faster, so that reads have the disk
 * to themselves for the rest of the time. Nobody who waits for room waits for it: while somebody does, there is no limit.
 *
 * Invariant: one `wait` at a time; it ends when its time has come, when somebody is in a hurry, or with `close`.
 */
export class ReclaimPace {
  readonly #clock: Clock
  #least: number
  readonly #given: () => number
  #hurried = 0
  #closed = false
  #owed = 0
  /** When all that was let pass is paid for, in milliseconds of the clock. */
  #paidAt = 0
  #windowFrom: number
  #givenBefore = 0
  #average = 0
  #waiting: { readonly timer: Timer; readonly go: () => void } | undefined

  /** @param least bytes a second that are let pass whatever is written; 0 is without limit @param given bytes that were given to be written so far */
  constructor(clock: Clock, least: number, given: () => number) {
    this.#clock = clock
    this.#least = least
    this.#given = given
    this.#windowFrom = clock.monotonic()
  }

  /** Bytes a second that are let pass now. */
  get rate(): number {
    const free = this.#least === 0 || this.#hurried > 0 || this.#closed
    return free ? Number.POSITIVE_INFINITY : Math.max(this.#least, this.#average * FACTOR)
  }

  /** `work` waits for room: reclaim goes on without limit until it has ended. */
  async hurry<T>(work: () => Promise<T>): Promise<T> {
    this.#hurried += 1
    this.#go()
    try {
      return await work()
    } finally {
      this.#hurried -= 1
    }
  }

  /** Reclaim is about to read or write so many bytes; undefined when it may at once. */
  wait(bytes: number): Promise<void> | undefined {
    this.#owed += bytes
    if (this.#owed < PIECE) return undefined
    this.#adapt()
    const now = this.#clock.monotonic()
    const { rate } = this
    const owed = this.#owed
    this.#owed = 0
    if (rate === Number.POSITIVE_INFINITY) {
      this.#paidAt = now
      return undefined
    }
    this.#paidAt = Math.max(this.#paidAt, now) + (owed / rate) * 1000
    const left = this.#paidAt - now - (PIECE / rate) * 1000
    if (left < LEAST_WAIT) return undefined
    return new Promise((go) => {
      this.#waiting = { timer: this.#clock.after(left, () => this.#go()), go }
    })
  }

  /** Another `least` from here on; who waits goes on. */
  setLeast(least: number): void {
    this.#least = least
    this.#go()
  }

  /** Nobody waits any more. */
  close(): void {
    this.#closed = true
    this.#go()
  }

  #go(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.timer.cancel()
    waiting?.go()
  }

  #adapt(): void {
    const now = this.#clock.monotonic()
    const elapsed = now - this.#windowFrom
    if (elapsed < WINDOW) return
    const given = this.#given()
    const latest = ((given - this.#givenBefore) / elapsed) * 1000
    // After a rest, what was before it says nothing.
    this.#average = elapsed > 10 * WINDOW ? latest : (this.#average + latest) / 2
    this.#windowFrom = now
    this.#givenBefore = given
  }
}
