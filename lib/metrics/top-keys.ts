import type { Clock } from '../clock.js'
import { ConfigError } from '../errors.js'

/*
 * Which keys are asked for most, in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi, 2005). So many keys have a counter each. A key that
 * has none takes the least one, and what that had counted is its error: it may have been asked for as often before, while nobody counted. A key
 * that is asked for more than the part 1/SLOTS of all times has a counter for certain.
 *
 * All counters are halved every HALF_LIFE_MS, so that what was asked for yesterday leaves: what is counted is worth half after that time.
 */

/** A key that is asked for often. */
export interface TopKey {
  readonly key: string
  /**
   * Answers, as estimated by those that were sampled: at least so many, those of the last 5 minutes in full, of the 5 before by half, and so on.
   */
  readonly requests: number
  /** Sizes of the values of those answers, added up. */
  readonly bytes: number
}

/** Keys that are counted at one moment. */
export const SLOTS = 256

/** After that long, what was counted is worth half. */
export const HALF_LIFE_MS = 300_000

/** Halved so often, nothing is left of any count. */
const MOST_HALVINGS = 64

/** Longer keys are not counted: so those that are take 512 KiB at most. */
const LONGEST_KEY = 1024

/**
 * Invariants: `#slots` says of each key of `#keys` where it stands there; `#errors` is nowhere more than `#counts`. Once all slots are taken, no counter is
 * less than `#floor`, and none before `#hand` is as little: so the least is found by going on, and all are looked through once for many that are taken.
 */
export class TopKeys {
  readonly #clock: Pick<Clock, 'monotonic'>
  /** For how many requests one that is seen stands. */
  readonly #each: number
  readonly #slots = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #counts = new Float64Array(SLOTS)
  readonly #errors = new Float64Array(SLOTS)
  readonly #bytes = new Float64Array(SLOTS)
  #floor = 0
  #hand = 0
  #halved: number

  constructor(clock: Pick<Clock, 'monotonic'>, each = 1) {
    this.#clock = clock
    this.#each = each
    this.#halved = clock.monotonic()
  }

  /** `key` was asked for, and answered with a value of so many bytes. */
  see(key: string, bytes: number): void {
    if (key.length > LONGEST_KEY) return
    this.#age()
    const slot = this.#slots.get(key) ?? this.#take(key)
    this.#counts[slot]! += this.#each
    this.#bytes[slot]! += bytes * this.#each
  }

  /** The keys that were asked for most, the first the most. */
  top(n: number): readonly TopKey[] {
    this.#age()
    const all = this.#keys.map(
      (key, slot): TopKey => ({
        key,
        requests: Math.round(this.#counts[slot]! - this.#errors[slot]!),
        bytes: Math.round(this.#bytes[slot]!),
      }),
    )
    const counted = all.filter(({ requests }) => requests > 0)
    return counted.sort((a, b) => b.requests - a.requests || b.bytes - a.bytes).slice(0, n)
  }

  #take(key: string): number {
    const keys = this.#keys
    let slot = keys.length
    if (slot < SLOTS) {
      keys.push(key)
    } else {
      slot = this.#least()
      this.#slots.delete(keys[slot]!)
      keys[slot] = key
      this.#errors[slot] = this.#counts[slot]!
      // Of the key itself nothing was seen yet.
      this.#bytes[slot] = 0
    }
    this.#slots.set(key, slot)
    return slot
  }

  #least(): number {
    const counts = this.#counts
    for (;;) {
      while (this.#hand < SLOTS) {
        const slot = this.#hand
        this.#hand += 1
        if (counts[slot]! <= this.#floor) return slot
      }
      this.#hand = 0
      this.#floor = Number.POSITIVE_INFINITY
      for (const count of counts) if (count < this.#floor) this.#floor = count
    }
  }

  #age(): void {
    const due = Math.floor((this.#clock.monotonic() - this.#halved) / HALF_LIFE_MS)
    if (due <= 0) return
    this.#halved += due * HALF_LIFE_MS
    // A power of two: what was as little as another still is.
    const factor = 2 ** -Math.min(due, MOST_HALVINGS)
    this.#floor *= factor
    for (let slot = 0; slot < this.#keys.length; slot += 1) {
      this.#counts[slot]! *= factor
      this.#errors[slot]! *= factor
      this.#bytes[slot]! *= factor
    }
  }
}

/** @throws `ERR_DREY_CONFIG` for what is no number of keys */
export function assertTop(n: number): void {
  if (Number.isInteger(n) && n >= 1 && n <= SLOTS) return
  throw new ConfigError(`topKeys: got ${String(n)}; want a whole number from 1 to ${SLOTS}`)
}
