import { PASS_LIMIT, type PolicyNode } from './policy.js'
import type { Queue } from './queue.js'

/**
 * Passing over the entries that cannot go now, because they are being read or written out. They are in use,
 * so a queue that meets one at its old end makes it its newest: the next call does not meet it again.
 */
export class Pins<N extends PolicyNode<N>> {
  readonly #evictable: (node: N) => boolean
  #passes = 0
  #pinnedToo = false

  constructor(evictable: (node: N) => boolean) {
    this.#evictable = evictable
  }

  /** Begins an eviction. */
  begin(pinnedToo: boolean): void {
    this.#passes = PASS_LIMIT
    this.#pinnedToo = pinnedToo
  }

  /** Whether this eviction has passed over as many as it may. */
  get exhausted(): boolean {
    return this.#passes === 0
  }

  /** Whether the entry can go; if not, it has been passed over. */
  release(node: N): boolean {
    if (this.#pinnedToo || this.#evictable(node)) return true
    this.#passes -= 1
    return false
  }

  /** The oldest entry of `queue` that can go. Those before it become its newest. */
  oldestOf(queue: Queue<N>): N | undefined {
    for (let turns = Math.min(queue.count, this.#passes); turns > 0; turns -= 1) {
      const node = queue.oldest!
      if (this.release(node)) return node
      queue.renew(node)
    }
    return undefined
  }
}
