import type { Clock } from '../clock.js'
import { BreakerOpenError, TimeoutError } from '../errors.js'
import { Breaker, type BreakerRule, type BreakerState } from '../resilience/breaker/breaker.js'
import { Deadlines } from '../resilience/timeouts/deadlines.js'
import type { Store, StoredEntry } from './store.js'

/** When a tier is left alone. */
export interface HealthRule {
  readonly breaker: BreakerRule
  /** How long a call of the tier may take, in milliseconds. */
  readonly operation: number
}

/** What is said of a tier's health, and to whom. */
export interface HealthHost extends HealthRule {
  readonly name: string
  clock(): Clock
  /** The breaker opened, or closed. */
  onChange(isDown: boolean): void
}

/**
 * Whether a tier works: counts what fails of it, ends waits for what takes too long (which is a failure), and says when it is
 * not to be called.
 *
 * Invariant: `down` is true exactly while the breaker is not closed; then nobody waits for the tier.
 */
export class Health {
  /** Calls of the store that failed, or took too long. */
  failures = 0
  /** Calls that were not made because the breaker was open. */
  skipped = 0
  down = false
  readonly #host: HealthHost
  #rule: HealthRule
  readonly #breaker: Breaker
  readonly #waits: Deadlines
  readonly #watched: Deadlines

  constructor(host: HealthHost) {
    this.#host = host
    this.#rule = host
    const clock = (): Clock => host.clock()
    const late = (): Error => {
      this.count()
      return this.#late()
    }
    this.#waits = new Deadlines(clock, host.operation, late)
    this.#watched = new Deadlines(clock, host.operation, late)
    this.#breaker = new Breaker(host.breaker, clock, (isOpen) => {
      this.down = isOpen
      // Who waits goes on without it. What is watched is not waited for.
      if (isOpen) this.#waits.endAll(this.refusal())
      host.onChange(isOpen)
    })
  }

  /** Another rule, from now on. */
  configure(rule: HealthRule): void {
    this.#rule = rule
    this.#breaker.configure(rule.breaker)
    this.#waits.configure(rule.operation)
    this.#watched.configure(rule.operation)
  }

  get breaker(): BreakerState {
    return this.#breaker.state
  }

  /** Something failed since the last success: successes have to be told. */
  get ailing(): boolean {
    return this.#breaker.ailing
  }

  /** A call failed. */
  count(): undefined {
    this.failures += 1
    this.#breaker.failed()
  }

  /** A call succeeded. */
  succeeded(): void {
    if (this.#breaker.ailing) this.#breaker.succeeded()
  }

  /** What `coming` gives, unless that takes too long; what comes after that goes to `unused`. What it rejects with is counted. */
  inTime<T>(coming: Promise<T>, unused?: (value: T) => void): Promise<T> {
    return this.#waits.wait(
      coming.catch((error) => {
        this.count()
        throw error
      }),
      unused,
    )
  }

  /** As `inTime`, of what its maker counts where it fails. */
  wait<T>(coming: Promise<T>): Promise<T> {
    return this.#waits.wait(coming)
  }

  /** As it comes: that it takes too long is counted, and that it fails. */
  watched<T>(coming: Promise<T>): Promise<T> {
    this.#watched.wait(coming).catch(countedAlready)
    return coming.catch((error) => {
      this.count()
      throw error
    })
  }

  /** What is said instead of calling the tier; counted as skipped. */
  refused(): BreakerOpenError {
    this.skipped += 1
    return this.refusal()
  }

  refusal(): BreakerOpenError {
    return new BreakerOpenError(
      `the ${this.#host.name} tier failed ${this.#rule.breaker.failures} times in a row or more, and is left alone until it answers again; its failures are in stats().tiers`,
    )
  }

  /**
   * Looks `key`, whichever that is, up in `store`, to see whether that works again, if it is time for it. Nobody waits for it but who asks. What is found goes to
   * `letGo`, which must not throw. Undefined when it is not time; never rejects.
   */
  trial(
    store: Store,
    key: string,
    letGo: (found: StoredEntry | undefined) => void,
  ): Promise<void> | undefined {
    if (!this.#breaker.claimTrial()) return undefined
    const failed = (): void => this.count()
    try {
      const found = store.find(key, true)
      if (found instanceof Promise) {
        return this.#waits.wait(found.then(letGo)).then(
          () => this.succeeded(),
          // What was late is counted; a breaker that is open again counts no more.
          () => {
            if (this.#breaker.state === 'half-open') failed()
          },
        )
      }
      letGo(found)
      this.succeeded()
    } catch {
      // Counted, and the breaker opens for longer.
      failed()
    }
    return Promise.resolve()
  }

  /** Nobody waits from now on. */
  stop(error: Error): void {
    this.#waits.endAll(error)
    this.#watched.endAll(error)
  }

  #late(): TimeoutError {
    return new TimeoutError(
      `the ${this.#host.name} tier did not answer within timeouts.operation, ${this.#rule.operation} ms`,
    )
  }
}

// By the watch itself, or by who made the call.
const countedAlready = (): undefined => undefined
