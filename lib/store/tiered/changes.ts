/** Slots of the table: keys that share one cost each other promotions, never anything else. */
const SLOTS = 8192

/** Where `key` lies in a table of `slots`, which is a power of two. */
export function slotOf(key: string, slots: number): number {
  let hash = 2166136261
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 16777619)
  return (hash ^ (hash >>> 15)) & (slots - 1)
}

/**
 * Says whether a key may have been changed since a moment: what was read below before a change must not be put above after
 * it (I5).
 *
 * Invariant: a slot has the number of the last change of any of its keys, so that what did not change for sure is known in a
 * bounded room, without a counter per key. Who is wrong errs to the safe side.
 */
export class Changes {
  readonly #last = new Float64Array(SLOTS)
  #all = 0
  #now = 0

  /** The moment: to be taken before what it stands for. */
  get now(): number {
    return this.#now
  }

  /** `key` changes. */
  mark(key: string): void {
    this.#now += 1
    this.#last[slotOf(key, SLOTS)] = this.#now
  }

  /** Every key changes. */
  markAll(): void {
    this.#now += 1
    this.#all = this.#now
  }

  /** Whether `key` may have changed since `moment`. */
  since(moment: number, key: string): boolean {
    return this.#all > moment || this.#last[slotOf(key, SLOTS)]! > moment
  }
}
