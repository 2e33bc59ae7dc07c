import { abortedBy, type DreyError, TimeoutError } from '../../errors.js'
import type { Timed } from './deadlines.js'
import type { Owner } from './owner.js'
import type { Listening, Signals } from './signals.js'
import type { Wanted } from './waiter.js'

/** What a holder has, until it releases it. */
export interface Permit {
  readonly weight: number
  /**
   * Aborted when the caller's own signal is, or when `holdTimeout` has passed (`reason` is then an `ERR_DREY_TIMEOUT`). The slot
   * stays taken: it comes back with `release()`.
   */
  readonly signal: AbortSignal
  /** Gives the slot back. Any further call does nothing. */
  release(): void
  [Symbol.dispose](): void
}

/** Whose permits they are. */
export interface Holdings {
  readonly name: string
  readonly signals: Signals
  released(permit: HeldPermit): void
  /** One that is not released is past its time. */
  overran(): void
}

/**
 * Invariants: it counts for the limiter until `released`, whatever else happens; it is told at most once, and never after
 * that. The caller's signal is listened to only while it is held, somebody wants to be told, and it was not yet.
 */
export class HeldPermit implements Permit, Timed, Listening {
  readonly owner: Owner
  readonly weight: number
  readonly deadline: number
  at = -1
  overdue = false
  readonly #holdings: Holdings
  readonly #holdTimeout: number
  readonly #caller: AbortSignal | undefined
  #released = false
  #listening = false
  #told: DreyError | undefined
  #onTold: ((error: DreyError) => void) | undefined
  #controller: AbortController | undefined

  constructor(holdings: Holdings, { owner, weight, holdTimeout, signal }: Wanted, now: number) {
    this.#holdings = holdings
    this.owner = owner
    this.weight = weight
    this.deadline = now + holdTimeout
    this.#holdTimeout = holdTimeout
    this.#caller = signal
  }

  // Made when it is asked for: most holders never do, and it costs more than all the rest.
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      this.#listen()
      if (this.#told !== undefined) this.#controller.abort(this.#told)
    }
    return this.#controller.signal
  }

  /** Calls `fn` when the holder should end: before it returns, where that is so already. */
  whenTold(fn: (error: DreyError) => void): void {
    if (this.#told !== undefined) return fn(this.#told)
    this.#onTold = fn
    this.#listen()
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.#unlisten()
    this.#holdings.released(this)
  }

  [Symbol.dispose](): void {
    this.release()
  }

  onDeadline(): void {
    this.overdue = true
    this.#holdings.overran()
    const { name } = this.#holdings
    this.#tell(
      new TimeoutError(
        `${name}.holdTimeout: an operation took longer than the ${this.#holdTimeout} ms that it may; its slot is taken until it ends`,
      ),
    )
  }

  onAbort(): void {
    this.#tell(abortedBy(this.#caller!, `an operation of ${this.#holdings.name}`))
  }

  #listen(): void {
    if (this.#caller === undefined || this.#listening || this.#released || this.#told !== undefined) return
    if (this.#caller.aborted) return this.onAbort()
    this.#listening = true
    this.#holdings.signals.add(this.#caller, this)
  }

  #unlisten(): void {
    if (!this.#listening) return
    this.#listening = false
    this.#holdings.signals.remove(this.#caller!, this)
  }

  #tell(error: DreyError): void {
    if (this.#told !== undefined) return
    this.#told = error
    this.#unlisten()
    this.#onTold?.(error)
    this.#controller?.abort(error)
  }
}
