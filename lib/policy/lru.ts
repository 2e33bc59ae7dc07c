import { Pins } from './pins.js'
import type { Policy, PolicyNode } from './policy.js'
import { Queue } from './queue.js'

/**
 * LRU: the entry that was not used for the longest time goes. No parameters.
 *
 * Its bound: D. D. Sleator and R. E. Tarjan, "Amortized Efficiency of List Update and Paging Rules",
 * Communications of the ACM, 1985. On entries of one size it misses at most about twice as often as the best
 * policy there could be, one that knows the future, misses with half the cache; no policy that does not know
 * the future has a better bound of that kind. Its weakness: one scan as long as the cache is large pushes
 * everything out.
 *
 * Cost: a hit relinks the entry, which writes to up to four entries. Nothing is kept beside the entries.
 */
export class Lru<N extends PolicyNode<N>> implements Policy<N> {
  readonly needsHash = false
  readonly memoryBytes = 0
  readonly #queue = new Queue<N>()
  readonly #pins: Pins<N>

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
    this.#queue.add(node)
  }

  touch(node: N): void {
    this.#queue.renew(node)
  }

  remove(node: N): void {
    this.#queue.remove(node)
  }

  replace(node: N, by: N): void {
    this.#queue.substitute(node, by)
    this.touch(by)
  }

  resize(node: N, size: number): void {
    this.#queue.resize(node, size)
  }

  evict(pinnedToo = false): N | undefined {
    this.#pins.begin(pinnedToo)
    const victim = this.#pins.oldestOf(this.#queue)
    if (victim !== undefined) this.#queue.remove(victim)
    return victim
  }

  setCapacity(_bytes: number): void {
    // Nothing here is a share of it.
  }
}
