import { Pins } from './pins.js'
import { type Policy, type PolicyNode, type TakeMemory, takeAny } from './policy.js'
import { Queue } from './queue.js'

const NONE = -1
const MAX_FREQUENCY = 2 ** 32 - 1
const MAX_BUCKETS = 2 ** 16 - 1
/** What a bucket takes on the JS heap, with its queue; 40 in C++. */
const BUCKET_BYTES = 128

/** The entries that were used equally often, in the order in which they came to be so. */
class Bucket<N extends PolicyNode<N>> {
  readonly queue = new Queue<N>()
  frequency = 0
  /** The next bucket towards either side, by its index. */
  rarer = NONE
  commoner = NONE
}

/**
 * LFU: the entry that was used least often since it came goes; of several, the one that has been at its
 * frequency for the longest time. A frequency is forgotten with its entry. No parameters.
 *
 * D. Matani, K. Shah and A. Mitra, "An O(1) Algorithm for Implementing the LFU Cache Eviction Scheme", 2010
 * (arXiv 2110.11602): the frequencies that occur are a list, and each has the list of its entries. Its
 * weakness: what was popular once stays for long.
 *
 * Cost: a hit moves the entry from one list to another, which writes to up to six entries. Beside the entries
 * there is a bucket for each frequency that occurs: as they all differ, at most √(2 × uses) of them, and at
 * most 65,535; when there is no bucket left for a new frequency, an entry waits at the one it has, so counts
 * are exact until more than 65,535 different ones occur at once, which takes 2^31 uses.
 *
 * Invariants: `mark` of an entry is the index of its bucket; from `#rarest` along `commoner` frequencies rise
 * and no bucket is empty; the other buckets are in `#free`.
 */
export class Lfu<N extends PolicyNode<N>> implements Policy<N> {
  readonly needsHash = false
  readonly #pins: Pins<N>
  readonly #buckets: Bucket<N>[] = []
  readonly #free: number[] = []
  readonly #maxBuckets: number
  readonly #take: TakeMemory
  #rarest = NONE
  count = 0
  bytes = 0

  constructor(evictable: (node: N) => boolean, take: TakeMemory = takeAny, maxBuckets = MAX_BUCKETS) {
    this.#pins = new Pins(evictable)
    this.#take = take
    this.#maxBuckets = maxBuckets
  }

  get memoryBytes(): number {
    return Math.max(1, this.#buckets.length) * BUCKET_BYTES
  }

  add(node: N): void {
    const rarest = this.#buckets[this.#rarest]
    const at = rarest?.frequency === 1 ? this.#rarest : this.#begin(1, NONE)
    node.mark = at === NONE ? this.#rarest : at
    this.#buckets[node.mark]!.queue.add(node)
    this.count += 1
    this.bytes += node.size
  }

  touch(node: N): void {
    const at = node.mark
    const bucket = this.#buckets[at]!
    const frequency = bucket.frequency + 1
    if (frequency > MAX_FREQUENCY) return
    let to = bucket.commoner
    if (to === NONE || this.#buckets[to]!.frequency !== frequency) {
      if (bucket.queue.count === 1) {
        // It is alone, so its bucket can be the one of the next frequency.
        bucket.frequency = frequency
        return
      }
      to = this.#begin(frequency, at)
      if (to === NONE) return
    }
    bucket.queue.remove(node)
    if (bucket.queue.count === 0) this.#end(at)
    node.mark = to
    this.#buckets[to]!.queue.add(node)
  }

  remove(node: N): void {
    const { queue } = this.#buckets[node.mark]!
    queue.remove(node)
    if (queue.count === 0) this.#end(node.mark)
    this.count -= 1
    this.bytes -= node.size
  }

  replace(node: N, by: N): void {
    by.mark = node.mark
    this.#buckets[node.mark]!.queue.substitute(node, by)
    this.bytes += by.size - node.size
    this.touch(by)
  }

  resize(node: N, size: number): void {
    this.bytes += size - node.size
    this.#buckets[node.mark]!.queue.resize(node, size)
  }

  evict(pinnedToo = false): N | undefined {
    this.#pins.begin(pinnedToo)
    for (let at = this.#rarest; at !== NONE && !this.#pins.exhausted; at = this.#buckets[at]!.commoner) {
      const victim = this.#pins.oldestOf(this.#buckets[at]!.queue)
      if (victim === undefined) continue
      this.remove(victim)
      return victim
    }
    return undefined
  }

  setCapacity(_bytes: number): void {
    // Nothing here is a share of it.
  }

  /** An empty bucket for `frequency`, next to `rarer`, or the first of all; NONE when there is none left. */
  #begin(frequency: number, rarer: number): number {
    const at = this.#free.pop() ?? this.#buckets.length
    if (at === this.#buckets.length && !this.#mayAddBucket()) return NONE
    const bucket = this.#buckets[at] ?? new Bucket<N>()
    this.#buckets[at] = bucket
    bucket.frequency = frequency
    bucket.rarer = rarer
    bucket.commoner = rarer === NONE ? this.#rarest : this.#buckets[rarer]!.commoner
    if (rarer === NONE) this.#rarest = at
    else this.#buckets[rarer]!.commoner = at
    if (bucket.commoner !== NONE) this.#buckets[bucket.commoner]!.rarer = at
    return at
  }

  /** The first is had without asking: an entry must be somewhere. */
  #mayAddBucket(): boolean {
    const count = this.#buckets.length
    return count === 0 || (count < this.#maxBuckets && this.#take(BUCKET_BYTES))
  }

  #end(at: number): void {
    const { rarer, commoner } = this.#buckets[at]!
    if (rarer === NONE) this.#rarest = commoner
    else this.#buckets[rarer]!.commoner = commoner
    if (commoner !== NONE) this.#buckets[commoner]!.rarer = rarer
    this.#free.push(at)
  }
}
