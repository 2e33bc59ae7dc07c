/** A bounded number of reads at a time. */
export class ReadLane {
  #limit: number
  readonly #waiting: Array<() => void> = []
  #running = 0
  #idle: Array<() => void> = []

  constructor(limit: number) {
    this.#limit = limit
  }

  async run<T>(read: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((go) => this.#waiting.push(go))
    else this.#running += 1
    try {
      return await read()
    } finally {
      // Its place goes to the next, unless there are to be fewer.
      const next = this.#running > this.#limit ? undefined : this.#waiting.shift()
      if (next !== undefined) next()
      else this.#leave()
    }
  }

  /** So many at a time from here on; those that are under way beyond that end. */
  setLimit(limit: number): void {
    this.#limit = limit
    while (this.#running < limit && this.#waiting.length > 0) {
      this.#running += 1
      this.#waiting.shift()!()
    }
  }

  /** Resolves when none is under way. */
  async quiet(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((done) => this.#idle.push(done))
  }

  #leave(): void {
    this.#running -= 1
    if (this.#running > 0) return
    const idle = this.#idle
    this.#idle = []
    for (const done of idle) done()
  }
}
