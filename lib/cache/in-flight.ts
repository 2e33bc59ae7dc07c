import type { Clock } from '../clock.js'
import { abortedBy, type DreyError } from '../errors.js'
import type { Later } from '../store/store.js'

/** Work that a closing cache lets finish, or ends. */
export interface Work {
  /** Ends the work without its end. It leaves the set by itself. */
  end(error: DreyError): void
}

/** How a wait for something that may never come is left. */
export interface Waiting<T, U> {
  /** Called with what came, unless the wait was left before; the wait gives what it returns. */
  readonly use: (value: T) => Later<U>
  /** Gets what came after the wait was left. Must not throw. */
  readonly late?: (value: T) => void
  /** Called when the wait is left before its end. Must not throw. */
  readonly onEnd?: (error: DreyError) => void
  /** The caller's own way to leave, and what it leaves, for the message. */
  readonly signal?: AbortSignal | undefined
  readonly what?: string
}

/**
 * Fills, bodies, writes and waits under way.
 *
 * Invariants: work is in the set exactly while it may hold resources; what work hands over to (a wait to a fill, a
 * fill to a body) enters the set before the work itself leaves it, so that the set is empty only when all is quiet.
 */
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

  /** Waits for `coming` as work of its own: closing the cache, or the caller's signal, ends the wait at once. */
  wait<T, U>(coming: Promise<T>, { use, late, onEnd, signal, what }: Waiting<T, U>): Promise<U> {
    return new Promise<U>((resolve, reject) => {
      let over = false
      const leave = (): void => {
        over = true
        signal?.removeEventListener('abort', onAbort)
        this.remove(work)
      }
      const end = (error: DreyError): void => {
        if (over) return
        leave()
        reject(error)
        onEnd?.(error)
      }
      const onAbort = (): void => end(abortedBy(signal!, what ?? 'waiting'))
      const work: Work = { end }
      this.add(work)
      signal?.addEventListener('abort', onAbort)
      coming.then(
        (value) => {
          if (over) return late?.(value)
          try {
            resolve(use(value))
          } catch (error) {
            reject(error)
          }
          leave()
        },
        (error) => {
          if (over) return
          leave()
          reject(error)
        },
      )
    })
  }

  /** Resolves when there is no work, at the latest after `ms`. */
  quiet(clock: Clock, ms: number): Promise<void> {
    if (this.#work.size === 0 || ms === 0) return Promise.resolve()
    return new Promise((resolve) => {
      // Awake: who awaits the close of a cache wants to see its end.
      const timer = clock.after(ms, resolve, true)
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
