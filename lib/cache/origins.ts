import type { Clock } from '../clock.js'
import { BreakerOpenError } from '../errors.js'
import { BoundedTally } from '../metrics/tally.js'
import { Breaker, type BreakerRule, type BreakerState } from '../resilience/breaker/breaker.js'

/** What is known of an origin that `fetch` was given a name of. */
export interface OriginStats {
  readonly name: string
  readonly breaker: BreakerState
  /** Calls that were not made because its breaker was open. */
  readonly refused: number
}

/** Names whose refusals are counted apart. */
const MOST_COUNTED = 50

/** Names that are kept: of those beyond, the ones that work and were used longest ago are forgotten. */
export const MAX_ORIGINS = 1000

/** One call of an origin, which says once what came of it. */
export interface OriginCall {
  /** It answered. */
  succeeded(): void
  /** It failed. */
  failed(): void
  /** Nobody waited for it. A trial counts as failed then: nobody knows better. */
  dropped(): void
}

/** Of an origin without a name: nobody counts. */
const nothing = (): void => undefined
const UNNAMED: OriginCall = { succeeded: nothing, failed: nothing, dropped: nothing }

/**
 * The breakers of origins, by the names that callers give them.
 *
 * Invariant: who claimed the trial of a breaker says what came of it, so that none stays half open.
 */
export class Origins {
  #rule: BreakerRule
  readonly #clock: Clock
  readonly #onChange: (origin: string, isDown: boolean) => void
  readonly #onForget: (origin: string) => void
  /** The one used last is the last. */
  readonly #byName = new Map<string, Origin>()
  readonly #refusals = new BoundedTally(MOST_COUNTED)

  /** @param onForget told of an origin that is left alone no more because there are too many of them */
  constructor(
    rule: BreakerRule,
    clock: Clock,
    onChange: (origin: string, isDown: boolean) => void,
    onForget: (origin: string) => void = nothing,
  ) {
    this.#rule = rule
    this.#clock = clock
    this.#onChange = onChange
    this.#onForget = onForget
  }

  /** Another rule, from now on. */
  configure(rule: BreakerRule): void {
    this.#rule = rule
    for (const { breaker } of this.#byName.values()) breaker.configure(rule)
  }

  /** Begins a call of the origin. @throws `ERR_DREY_BREAKER_OPEN` while it is left alone */
  enter(name: string | undefined): OriginCall {
    if (name === undefined) return UNNAMED
    const origin = this.#origin(name)
    const { breaker } = origin
    const isTrial = breaker.claimTrial()
    if (breaker.state !== 'closed' && !isTrial) {
      origin.refused += 1
      this.#refusals.add(name)
      throw new BreakerOpenError(
        `the origin ${JSON.stringify(name)} failed ${this.#rule.failures} times in a row or more, and is left alone; it is tried again within breaker.openForAtMost, ${this.#rule.openForAtMost} ms`,
      )
    }
    let told = false
    const once = (tell: () => void) => () => {
      if (!told) tell()
      told = true
    }
    const failed = once(() => breaker.failed())
    return { succeeded: once(() => breaker.succeeded()), failed, dropped: isTrial ? failed : nothing }
  }

  /** Refusals by name, also of origins that were forgotten. */
  refusals(): Readonly<Record<string, number>> {
    return this.#refusals.counts()
  }

  stats(): OriginStats[] {
    return Array.from(this.#byName, ([name, { breaker, refused }]) => ({
      name,
      breaker: breaker.state,
      refused,
    }))
  }

  #origin(name: string): Origin {
    let origin = this.#byName.get(name)
    if (origin !== undefined) this.#byName.delete(name)
    else {
      this.#forget()
      const breaker = new Breaker(
        this.#rule,
        () => this.#clock,
        (isOpen) => this.#onChange(name, isOpen),
      )
      origin = { breaker, refused: 0 }
    }
    this.#byName.set(name, origin)
    return origin
  }

  #forget(): void {
    if (this.#byName.size < MAX_ORIGINS) return
    for (const [name, { breaker }] of this.#byName) {
      if (breaker.state !== 'closed' || breaker.ailing) continue
      this.#byName.delete(name)
      return
    }
    // All fail: the one that was asked longest ago is found out anew.
    const [[oldest]] = this.#byName as unknown as [[string]]
    this.#byName.delete(oldest)
    this.#onForget(oldest)
  }
}

interface Origin {
  readonly breaker: Breaker
  refused: number
}
