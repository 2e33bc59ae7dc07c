import type { Value } from './value.js'

/**
 * Who owns which bytes of a memory store, so that its bound is true at every moment.
 *
 * A value is pinned while it is a draft or is held by a reader: its bytes cannot be had by evicting. It leaves
 * the total when it is neither owned (draft or entry) nor held.
 *
 * Invariants: `pinned` ≤ `total` ≤ `maxBytes`; `pinned` is the sum of `allocated` over pinned values. Callers
 * reserve (`fits`) before they `charge`.
 */
export class Ledger {
  readonly maxBytes: number
  total = 0
  pinned = 0
  readonly #drafts = new Set<Value>()
  /** Values that no draft or entry owns any more; they live until their last hold. */
  readonly #dropped = new Set<Value>()

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  fits(bytes: number): boolean {
    return this.total + bytes <= this.maxBytes
  }

  /** Whether `bytes` would fit if all that is not pinned were evicted. */
  couldFit(bytes: number): boolean {
    return this.pinned + bytes <= this.maxBytes
  }

  /** Adds `bytes`, of `value` or of heads; negative gives back. */
  charge(bytes: number, value?: Value): void {
    this.total += bytes
    if (value !== undefined && this.#isPinned(value)) this.pinned += bytes
  }

  begin(draft: Value): void {
    this.#drafts.add(draft)
  }

  commit(draft: Value): void {
    this.#drafts.delete(draft)
    if (draft.holds === 0) this.pinned -= draft.allocated
  }

  /** The owner of `value`, a draft or an entry, is gone. */
  drop(value: Value): void {
    const pinned = this.#isPinned(value)
    this.#drafts.delete(value)
    if (value.holds > 0) {
      this.#dropped.add(value)
      return
    }
    this.total -= value.allocated
    if (pinned) this.pinned -= value.allocated
  }

  hold(value: Value): void {
    if (!this.#isPinned(value)) this.pinned += value.allocated
    value.holds += 1
  }

  release(value: Value): void {
    value.holds -= 1
    if (value.holds > 0 || this.#drafts.has(value)) return
    this.pinned -= value.allocated
    if (this.#dropped.delete(value)) this.total -= value.allocated
  }

  #isPinned(value: Value): boolean {
    return value.holds > 0 || this.#drafts.has(value)
  }
}
