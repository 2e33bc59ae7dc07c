import type { Addon } from '../../../native/addon.js'
import {
  DONE_FIRST,
  DONE_NUMBERS,
  DONE_OPERATION,
  DONE_OUTCOME,
  DONE_SECOND,
  WRITTEN,
} from '../../../native/file-numbers.js'
import { nativeFailure } from './native-failure.js'

/** How an operation ended; what the numbers mean says lib/native/addon.ts. */
export interface Ended {
  readonly operation: number
  readonly outcome: number
  readonly first: number
  readonly second: number
  /** Of a write that is done: it is not written yet, for no more was promised. */
  readonly early: boolean
}

interface Begun {
  /** Begins it; -1 when the addon takes no more just now. */
  readonly start: () => number
  readonly ended: (ended: Ended) => void
  readonly failed: (error: unknown) => void
}

/** As the addon has it: what is begun beyond that waits. */
const MOST_OPERATIONS = 4096

/**
 * The operations of this thread's native file stores that are under way. What the addon takes no more of waits here, in order.
 *
 * Invariant: while anything waits, something is under way, whose end begins what waits.
 */
export class Operations {
  readonly addon: Addon
  readonly numbers: Float64Array
  readonly #completions: Float64Array
  readonly #begun = new Map<number, Begun>()
  readonly #standing = new Map<number, () => void>()
  #waiting: Begun[] = []

  constructor(addon: Addon) {
    this.addon = addon
    const [numbers, completions] = addon.fileAttach((count) => this.#deliver(count))
    this.numbers = numbers
    this.#completions = completions
  }

  /** Whether what is begun now has to wait. */
  get full(): boolean {
    return this.#waiting.length > 0 || this.#begun.size >= MOST_OPERATIONS
  }

  /** Resolves to what `settle` makes of its end, which is called before anything else of this thread runs. Rejects with the failure. */
  run<T>(start: () => number, settle: (ended: Ended) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const begun: Begun = {
        start,
        ended: (ended) => {
          if (ended.outcome === -1) reject(nativeFailure(this.addon.fileFailure(ended.operation)))
          else resolve(settle(ended))
        },
        failed: reject,
      }
      if (this.#waiting.length > 0 || !this.#begin(begun)) this.#waiting.push(begun)
    })
  }

  /** Has `tell` called each time that `operation` is told of. */
  stand(operation: number, tell: () => void): void {
    this.#standing.set(operation, tell)
  }

  unstand(operation: number): void {
    this.#standing.delete(operation)
  }

  /** False when it has to wait. */
  #begin(begun: Begun): boolean {
    try {
      const operation = begun.start()
      if (operation === -1) return false
      this.#begun.set(operation, begun)
    } catch (error) {
      begun.failed(error)
    }
    return true
  }

  #deliver(count: number): void {
    const completions = this.#completions
    for (let index = 0; index < count; index += 1) {
      const at = index * DONE_NUMBERS
      const operation = completions[at + DONE_OPERATION]!
      const begun = this.#begun.get(operation)
      if (begun === undefined) {
        this.#standing.get(operation)?.()
        continue
      }
      this.#begun.delete(operation)
      const outcome = completions[at + DONE_OUTCOME]!
      const early = outcome === WRITTEN.promised
      try {
        begun.ended({
          operation,
          outcome: early ? WRITTEN.done : outcome,
          early,
          first: completions[at + DONE_FIRST]!,
          second: completions[at + DONE_SECOND]!,
        })
      } catch (error) {
        begun.failed(error)
      }
    }
    if (this.#waiting.length > 0) this.#beginWaiting()
  }

  #beginWaiting(): void {
    const waiting = this.#waiting
    this.#waiting = []
    let at = 0
    while (at < waiting.length && this.#begin(waiting[at]!)) at += 1
    // Those that came while these began are behind them.
    this.#waiting = [...waiting.slice(at), ...this.#waiting]
  }
}
