import { Pins } from './pins.js'
import type { Policy, PolicyNode } from './policy.js'
import { Queue } from './queue.js'

const UNVISITED = 0
const VISITED = 1

/**
 * SIEVE: Y. Zhang, J. Yang, Y. Yue, Y. Vigfusson and K. V. Rashmi, "SIEVE is Simpler than LRU: an Efficient
 * Turn-Key Eviction Algorithm for Web Caches", NSDI 2024. No parameters.
 *
 * Entries stand in the order in which they came. A hit marks its entry. A hand goes from the oldest towards
 * the newest and begins again; it takes the marks off the entries that it passes and stops at the first
 * without one, which goes. Unlike with CLOCK the survivors keep their places, so the hand soon gets among the
 * entries that came after the last lap, and sieves out those that nobody wanted a second time.
 *
 * Cost: a hit writes one mark. An eviction passes over marks that hits have made, so it is O(1) amortised; a
 * single one may pass over the whole cache. Nothing is kept beside the entries.
 *
 * Invariant: `#hand` is undefined, which stands for the oldest entry, or in the queue.
 */
export class Sieve<N extends PolicyNode<N>> implements Policy<N> {
  readonly needsHash = false
  readonly memoryBytes = 0
  readonly #queue = new Queue<N>()
  readonly #pins: Pins<N>
  #hand: N | undefined = undefined

  constructor(evictable: (node: N) => boolean) {
    this.#pins = new Pins(evictable)
  }

  get count(): number {
    return this.#queue.count
  }

  get bytes(): number {
    return this.#queue.bytes
  }

  add(node: N): void {
    node.mark = UNVISITED
    this.#queue.add(node)
  }

  touch(node: N): void {
    node.mark = VISITED
  }

  remove(node: N): void {
    if (this.#hand === node) this.#hand = node.newer
    this.#queue.remove(node)
  }

  replace(node: N, by: N): void {
    if (this.#hand === node) this.#hand = by
    this.#queue.substitute(node, by)
    by.mark = VISITED
  }

  resize(node: N, size: number): void {
    this.#queue.resize(node, size)
  }

  evict(pinnedToo = false): N | undefined {
    if (this.#queue.count === 0) return undefined
    this.#pins.begin(pinnedToo)
    let node = this.#hand ?? this.#queue.oldest!
    for (;;) {
      if (node.mark === VISITED) node.mark = UNVISITED
      else if (this.#pins.release(node)) break
      else if (this.#pins.exhausted) {
        this.#hand = node.newer
        return undefined
      }
      node = node.newer ?? this.#queue.oldest!
    }
    this.#hand = node
    this.remove(node)
    return node
  }

  setCapacity(_bytes: number): void {
    // Nothing here is a share of it.
  }
}
