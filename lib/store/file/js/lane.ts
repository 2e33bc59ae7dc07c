/** A bounded number of reads at a time. */
export class ReadLane {
  readonly #limit: number
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
      const next = this.#waiting.shift()
      if (next !== undefined) next()
      else this.#leave()
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
