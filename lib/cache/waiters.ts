import { abortedBy } from '../errors.js'
import type { Later } from '../store/store.js'

/** One caller who waits. */
export interface Waiter<A> {
  deliver(answer: A): void
  reject(error: Error): void
}

/**
 * Those who wait for one answer.
 *
 * Invariant: a waiter is in the set until it is delivered, rejected, or its own signal ends its wait; the signal is
 * listened to exactly as long.
 */
export class Waiters<A> {
  readonly #waiting = new Set<Waiter<A>>()
  #leader: Waiter<A> | undefined

  get size(): number {
    return this.#waiting.size
  }

  /** Who came first, if that one still waits. */
  get leader(): Waiter<A> | undefined {
    return this.#leader !== undefined && this.#waiting.has(this.#leader) ? this.#leader : undefined
  }

  /** Who has waited longest. */
  get first(): Waiter<A> | undefined {
    const [first] = this.#waiting
    return first
  }

  /**
   * What `accept` makes of the answer, for one more caller. `accept` is called in the turn in which the answer is given, so
   * that nothing on its way to a caller is ever without an owner. `onLeft` is called when the caller's signal ended the wait.
   */
  add<T>(
    signal: AbortSignal | undefined,
    what: string,
    accept: (answer: A) => Later<T>,
    onLeft: () => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const onAbort = (): void => {
        leave()
        reject(abortedBy(signal!, what))
        onLeft()
      }
      const leave = (): void => {
        this.#waiting.delete(waiter)
        signal?.removeEventListener('abort', onAbort)
      }
      const waiter: Waiter<A> = {
        deliver: (answer) => {
          leave()
          try {
            resolve(accept(answer))
          } catch (error) {
            reject(error)
          }
        },
        reject: (error) => {
          leave()
          reject(error)
        },
      }
      this.#leader ??= waiter
      this.#waiting.add(waiter)
      signal?.addEventListener('abort', onAbort)
    })
  }

  /** Gives each waiter its answer. */
  deliver(answerFor: (waiter: Waiter<A>) => A): void {
    for (const waiter of [...this.#waiting]) waiter.deliver(answerFor(waiter))
  }

  reject(error: Error): void {
    for (const waiter of [...this.#waiting]) waiter.reject(error)
  }
}
