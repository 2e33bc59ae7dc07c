import type { Clock, Timer } from '../clock.js'

/** Something that holds resources while it is read, and may be forgotten. */
export interface Watched {
  /** The sweep after which it was last read; kept by the watch. */
  lastRead: number
  /** Called once it lay unread for the whole period; it is watched no more. */
  onIdle(): void
}

/** Sweeps that a period is divided into. */
const SWEEPS = 4

/**
 * Finds bodies that lie unread. One timer for all of them, set only while there are any: a body is found between
 * one and one and a quarter of the period after its last reading. Time is counted in sweeps of the timer, so
 * that a reading costs no look at a clock, and a clock that is set neither closes bodies nor keeps them.
 *
 * Invariant: the timer is set exactly while something is watched.
 */
export class IdleWatch {
  readonly #clock: Clock
  #period: number
  readonly #watched = new Set<Watched>()
  #timer: Timer | undefined
  #sweeps = 0

  constructor(clock: Clock, period: number) {
    this.#clock = clock
    this.#period = period
  }

  /** Another period: of what is watched, too, from the next sweep on. */
  configure(period: number): void {
    this.#period = period
    if (this.#timer === undefined) return
    this.#timer.cancel()
    this.#timer = this.#clock.after(this.#period / SWEEPS, this.#sweep)
  }

  get size(): number {
    return this.#watched.size
  }

  add(body: Watched): void {
    body.lastRead = this.#sweeps
    this.#watched.add(body)
    this.#timer ??= this.#clock.after(this.#period / SWEEPS, this.#sweep)
  }

  touch(body: Watched): void {
    body.lastRead = this.#sweeps
  }

  remove(body: Watched): void {
    if (this.#watched.delete(body) && this.#watched.size === 0) this.#stop()
  }

  #stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  readonly #sweep = (): void => {
    this.#timer = undefined
    this.#sweeps += 1
    for (const body of this.#watched) {
      // It was read somewhere between that sweep and the one after: only the later one is sure.
      if (body.lastRead + 1 + SWEEPS > this.#sweeps) continue
      this.#watched.delete(body)
      body.onIdle()
    }
    if (this.#watched.size > 0) this.#timer ??= this.#clock.after(this.#period / SWEEPS, this.#sweep)
  }
}
