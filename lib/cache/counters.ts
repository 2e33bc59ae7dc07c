import type { Outcome } from './answer.js'

/** What a cache answered from one tier, or from none: from the origin, or with nothing. */
export class AnswerCounts {
  hits = 0
  misses = 0
  joined = 0
  revalidated = 0
  stale = 0
  negative = 0
  /** Bytes of values that were read. */
  bytesOut = 0
}

/**
 * What a cache counts. Plain numbers: reading them costs the one who asks.
 *
 * Invariant: each answer is counted once, in the counts of one tier or in those of none; totals are their sums.
 */
export class Counters {
  fills = 0
  retries = 0
  leaks = 0
  lateLookups = 0
  /** Bytes that came from origins. */
  bytesIn = 0
  /** Bytes of values that were set. */
  bytesSet = 0
  readonly notStored: Record<string, number> = {}
  /** Of what no tier answered. */
  readonly #none = new AnswerCounts()
  readonly #first = new AnswerCounts()
  readonly #firstName: string
  readonly #others = new Map<string, AnswerCounts>()

  /** @param tiers their names, the first first */
  constructor(tiers: readonly string[]) {
    const [first = '', ...others] = tiers
    this.#firstName = first
    for (const name of others) this.#others.set(name, new AnswerCounts())
  }

  answered(outcome: Outcome, negative: boolean, tier: string | undefined): void {
    const counts = this.#of(tier)
    if (negative) counts.negative += 1
    switch (outcome) {
      case 'hit':
        counts.hits += 1
        return
      case 'miss':
        counts.misses += 1
        return
      case 'joined':
        counts.joined += 1
        return
      case 'revalidated':
        counts.revalidated += 1
        return
      case 'stale':
        counts.stale += 1
    }
  }

  /** Nothing was found, and no origin was to be asked. */
  absent(): void {
    this.#none.misses += 1
  }

  /** So many bytes of a value were given to a reader. */
  read(bytes: number, tier: string | undefined): void {
    this.#of(tier).bytesOut += bytes
  }

  refused(reason: string): void {
    this.notStored[reason] = (this.notStored[reason] ?? 0) + 1
  }

  /** Of all tiers, and of none. */
  totals(): AnswerCounts {
    const sum = new AnswerCounts()
    for (const counts of [this.#first, this.#none, ...this.#others.values()]) {
      sum.hits += counts.hits
      sum.misses += counts.misses
      sum.joined += counts.joined
      sum.revalidated += counts.revalidated
      sum.stale += counts.stale
      sum.negative += counts.negative
      sum.bytesOut += counts.bytesOut
    }
    return sum
  }

  /** What the tier answered; of tiers that share a name, all of them, and only the first is asked for. */
  ofTier(name: string): AnswerCounts {
    return this.#of(name)
  }

  #of(tier: string | undefined): AnswerCounts {
    if (tier === undefined) return this.#none
    return tier === this.#firstName ? this.#first : (this.#others.get(tier) ?? this.#none)
  }
}
