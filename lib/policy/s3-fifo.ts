import { Ghost } from './ghost.js'
import { Pins } from './pins.js'
import { type Policy, type PolicyNode, type TakeMemory, takeAny } from './policy.js'
import { Queue } from './queue.js'

/** Uses that take an entry from the small queue to the main one. */
const USES_TO_MOVE = 2
const MAX_USES = 3
/** `mark` is the uses, 0 to MAX_USES, and this for an entry of the main queue. */
const MAIN = 4

/**
 * S3-FIFO: J. Yang, Y. Zhang, Z. Qiu, Y. Yue and K. V. Rashmi, "FIFO queues are all you need for cache
 * eviction", SOSP 2023.
 *
 * Three queues, first in, first out. New entries come into the small one, a tenth of the capacity. At its end
 * those that were used twice or more move to the main one, nine tenths; the others go, and the ghost queue
 * remembers nine tenths of the capacity of them. Who comes back while it is remembered enters the main queue
 * at once. At the end of the main queue an entry that was used goes round again, for one use less, of three
 * that are counted at most; one that was not used goes and is not remembered. An eviction takes from the main
 * queue if that has more than its share, or the small one is empty, else from the small one.
 *
 * Most entries are wanted once only, and these pass through a tenth of the cache, so a scan costs little.
 *
 * Details that the published figures depend on: an entry that moves to the main queue begins there with no
 * uses; while the small queue is searched for a victim, entries move even if the main queue passes its share;
 * whether a newcomer is remembered is decided before the room that was made for it changes the ghost queue.
 *
 * Cost: a hit counts in its entry. An eviction undoes uses that were counted, so it is O(1) amortised. Beside
 * the entries there is the ghost queue: see there.
 */
export class S3Fifo<N extends PolicyNode<N>> implements Policy<N> {
  readonly needsHash = true
  readonly #pins: Pins<N>
  readonly #small = new Queue<N>()
  readonly #main = new Queue<N>()
  readonly #ghost: Ghost
  #mainShare = 0

  constructor(evictable: (node: N) => boolean, capacity: number, take: TakeMemory = takeAny) {
    this.#pins = new Pins(evictable)
    this.#ghost = new Ghost(0, 0, take)
    this.setCapacity(capacity)
  }

  get count(): number {
    return this.#small.count + this.#main.count
  }

  get bytes(): number {
    return this.#small.bytes + this.#main.bytes
  }

  get memoryBytes(): number {
    return this.#ghost.memoryBytes
  }

  add(node: N): void {
    const remembered = this.#ghost.take(node.hash)
    node.mark = remembered ? MAIN : 0
    this.#queueOf(node).add(node)
  }

  touch(node: N): void {
    if ((node.mark & MAX_USES) < MAX_USES) node.mark += 1
  }

  remove(node: N): void {
    this.#queueOf(node).remove(node)
  }

  replace(node: N, by: N): void {
    by.mark = node.mark
    this.#queueOf(node).substitute(node, by)
    this.touch(by)
  }

  resize(node: N, size: number): void {
    this.#queueOf(node).resize(node, size)
  }

  evict(pinnedToo = false): N | undefined {
    this.#pins.begin(pinnedToo)
    if (this.#main.bytes > this.#mainShare || this.#small.count === 0) {
      return this.#evictFromMain() ?? this.#evictFromSmall()
    }
    return this.#evictFromSmall() ?? this.#evictFromMain()
  }

  setCapacity(bytes: number): void {
    this.#mainShare = bytes - Math.floor(bytes / 10)
    this.#ghost.setCapacity(Math.floor((bytes * 9) / 10), bytes)
  }

  #queueOf(node: N): Queue<N> {
    return node.mark >= MAIN ? this.#main : this.#small
  }

  #evictFromSmall(): N | undefined {
    for (let turns = this.#small.count; turns > 0 && !this.#pins.exhausted; turns -= 1) {
      const node = this.#small.oldest!
      if (node.mark >= USES_TO_MOVE) {
        this.#small.remove(node)
        node.mark = MAIN
        this.#main.add(node)
      } else if (this.#pins.release(node)) {
        this.#small.remove(node)
        this.#ghost.add(node.hash, node.size)
        return node
      } else {
        this.#small.renew(node)
      }
    }
    return undefined
  }

  #evictFromMain(): N | undefined {
    // After so many turns no entry has a use left, so that all of them were found to be pinned.
    for (let turns = this.#main.count * (MAX_USES + 1); turns > 0 && !this.#pins.exhausted; turns -= 1) {
      const node = this.#main.oldest!
      if (node.mark > MAIN) {
        node.mark -= 1
        this.#main.renew(node)
      } else if (this.#pins.release(node)) {
        this.#main.remove(node)
        return node
      } else {
        this.#main.renew(node)
      }
    }
    return undefined
  }
}
