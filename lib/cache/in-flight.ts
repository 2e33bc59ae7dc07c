import type { Clock } from '../clock.js'
import type { DreyError } from '../errors.js'

/** Work that a closing cache lets finish, or ends. */
export interface Work {
  /** Ends the work without its end. It leaves the set by itself. */
  end(error: DreyError): void
}

/** Fills, bodies and writes under way. Invariant: work is in the set exactly while it may hold resources. */
export class InFlight {
  readonly #work = new Set<Work>()
  #onQuiet: (() => void) | undefined

  get size(): number {
    return this.#work.size
  }

  add(work: Work): void {
    this.#work.add(work)
  }

  remove(work: Work): void {
    if (this.#work.delete(work) && this.#work.size === 0) this.#onQuiet?.()
  }

  /** Resolves when there is no work, at the latest after `ms`. */
  quiet(clock: Clock, ms: number): Promise<void> {
    if (this.#work.size === 0 || ms === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = clock.after(ms, resolve)
      this.#onQuiet = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  endAll(error: DreyError): void {
    for (const work of [...this.#work]) work.end(error)
  }
}
