import type { Clock, Timer } from '../clock.js'

/** Something that holds resources while it is read, and may be forgotten. */
export interface Watched {
  /** Epoch milliseconds of the last reading. */
  lastRead: number
  /** Called once it lay unread for the whole period; it is watched no more. */
  onIdle(): void
}

/**
 * Finds bodies that lie unread. One timer for all of them, set only while there are any: a body is found
 * between one and one and a quarter of the period after its last reading.
 */
export class IdleWatch {
  readonly #clock: Clock
  readonly #period: number
  readonly #watched = new Set<Watched>()
  #timer: Timer | undefined

  constructor(clock: Clock, period: number) {
    this.#clock = clock
    this.#period = period
  }

  get size(): number {
    return this.#watched.size
  }

  add(body: Watched): void {
    body.lastRead = this.#clock.now()
    this.#watched.add(body)
    this.#timer ??= this.#clock.after(this.#period / 4, this.#sweep)
  }

  touch(body: Watched): void {
    body.lastRead = this.#clock.now()
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
    const before = this.#clock.now() - this.#period
    for (const body of this.#watched) {
      if (body.lastRead > before) continue
      this.#watched.delete(body)
      body.onIdle()
    }
    if (this.#watched.size > 0) this.#timer ??= this.#clock.after(this.#period / 4, this.#sweep)
  }
}
