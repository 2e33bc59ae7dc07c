import { ConsecutiveBreaker, ExponentialBackoff, type IBackoff, noJitterGenerator } from 'cockatiel'
import type { Clock } from '../../clock.js'

/** How a breaker behaves: checked, in milliseconds. */
export interface BreakerRule {
  /** Failures one after the other that open it. */
  readonly failures: number
  /** How long it stays open before something is tried. */
  readonly openFor: number
  /** The same, at most: each trial that fails doubles it. */
  readonly openForAtMost: number
}

export const BREAKER: BreakerRule = { failures: 5, openFor: 1000, openForAtMost: 30_000 }

/** `'closed'`: calls are made. `'open'`: none. `'half-open'`: one is, and decides. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/**
 * Keeps calls from what fails again and again, and finds out when it works again. When to open, and for how long, is
 * cockatiel's; what time it is, the clock's that is given, and nothing is wrapped: who makes calls says what came of them.
 *
 * Invariants: `#until` says when the next trial is due while it is open; `#wait` is what it is open for, and begins anew when it has
 * closed. No timer is set: it is who asks for a trial that finds it due.
 */
export class Breaker {
  state: BreakerState = 'closed'
  #rule: BreakerRule
  readonly #clock: () => Clock
  readonly #onChange: (isOpen: boolean) => void
  #count: ConsecutiveBreaker
  #wait: IBackoff<unknown> | undefined
  #until = 0
  /** Something failed since the last success: only then need successes be told. */
  ailing = false

  /** `onChange` is called when it opens, and when it closes again. */
  constructor(rule: BreakerRule, clock: () => Clock, onChange: (isOpen: boolean) => void) {
    this.#rule = rule
    this.#clock = clock
    this.#onChange = onChange
    this.#count = new ConsecutiveBreaker(rule.failures)
  }

  /** Another rule. What was counted so far does not count any more; while it is open, it stays so until the trial that is due. */
  configure(rule: BreakerRule): void {
    this.#rule = rule
    this.#count = new ConsecutiveBreaker(rule.failures)
    if (this.state === 'closed') this.#wait = undefined
  }

  /** A call succeeded. While it is open that was one from before: only a trial closes it. */
  succeeded(): void {
    if (this.state === 'open') return
    const wasOpen = this.state === 'half-open'
    this.#count.success()
    this.ailing = false
    this.#wait = undefined
    this.state = 'closed'
    if (wasOpen) this.#onChange(false)
  }

  /** A call failed, or took too long. */
  failed(): void {
    this.ailing = true
    if (this.state === 'open' || (this.state === 'closed' && !this.#count.failure())) return
    const opens = this.state === 'closed'
    this.#wait = this.#wait === undefined ? this.#firstWait() : this.#wait.next(undefined)
    this.#until = this.#clock().monotonic() + this.#wait.duration
    this.state = 'open'
    if (opens) this.#onChange(true)
  }

  /** Whether the caller is the one to make a trial now, and say what came of it. */
  claimTrial(): boolean {
    if (this.state !== 'open' || this.#clock().monotonic() < this.#until) return false
    this.state = 'half-open'
    return true
  }

  #firstWait(): IBackoff<unknown> {
    const { openFor, openForAtMost } = this.#rule
    return new ExponentialBackoff({
      generator: noJitterGenerator,
      initialDelay: openFor,
      maxDelay: openForAtMost,
    }).next()
  }
}
