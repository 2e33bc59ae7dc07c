import { Pins } from './pins.js'
import type { Policy, PolicyNode } from './policy.js'
import { Queue } from './queue.js'

/**
 * FIFO: the entry that came first goes. No parameters.
 *
 * L. A. Belady, "A Study of Replacement Algorithms for a Virtual-Storage Computer", IBM Systems Journal,
 * 1966, compares it with random choice and with the best there could be. It has LRU's bound of Sleator and
 * Tarjan (1985), and a larger FIFO may miss more often (Belady, Nelson and Shedler, 1969).
 *
 * Cost: a hit costs nothing at all. Nothing is kept beside the entries.
 */
export class Fifo<N extends PolicyNode<N>> implements Policy<N> {
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

  touch(_node: N): void {
    // Being used changes nothing.
  }

  remove(node: N): void {
    this.#queue.remove(node)
  }

  replace(node: N, by: N): void {
    this.#queue.substitute(node, by)
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
