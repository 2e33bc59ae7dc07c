import { Pins } from './pins.js'
import { type Policy, type PolicyNode, type TakeMemory, takeAny } from './policy.js'
import { Queue } from './queue.js'
import { FrequencySketch } from './sketch.js'
import { WindowClimber } from './window-climber.js'

const WINDOW = 0
const PROBATION = 1
const PROTECTED = 2

/** Entries that one call moves at most, beside those that it is about; the next call goes on. */
const MAX_MOVES = 256
/** A sample of the climber has so many uses for each entry of the cache. */
const USES_PER_ENTRY = 10
/** In smaller samples chance outweighs what a step of the window changes. */
const MIN_SAMPLE = 10_240

/**
 * W-TinyLFU: G. Einziger, R. Friedman and B. Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM
 * Transactions on Storage, 2017; with the adaptive window of G. Einziger, O. Eytan, R. Friedman and B. Manes,
 * "Adaptive Software Cache Management", Middleware 2018.
 *
 * New entries come into a window, least recently used first out, of 1 % of the capacity to begin with. Who
 * leaves it is a candidate for the main area, and is compared with the entry that would have to go from
 * there: the one that was used less often lately goes, the candidate if they are equal. How often is what a
 * sketch says, which counts the uses of all keys, also of those that are gone. The main area is in two: who
 * comes is on probation, least recently used first; a use moves it to the protected queue, which has four
 * fifths of the main area and hands back what it has too much. A hill climber moves bytes between window and
 * protected queue after each sample of ten uses an entry, at least 10,240, once the first entry had to go.
 *
 * Room is made before a newcomer is added, so the window is over its share by the last one that came; that is
 * the candidate. What an addition finds above the share moves on without a comparison, for nobody has to go
 * for it. An entry larger than the window is its next candidate.
 *
 * Unlike in Caffeine, no candidate is admitted by chance: that is a defence against keys that were chosen to
 * collide, which a keyed hash leaves no way to choose.
 *
 * Cost: a hit relinks the entry and counts in the sketch. Beside the entries there is the sketch: see there.
 *
 * Invariants: `mark` says which queue an entry is in; what the window's share gains the protected queue's
 * loses, and the window's is never below 1 %.
 */
export class WTinyLfu<N extends PolicyNode<N>> implements Policy<N> {
  readonly needsHash = true
  readonly #pins: Pins<N>
  readonly #window = new Queue<N>()
  readonly #probation = new Queue<N>()
  readonly #protected = new Queue<N>()
  readonly #sketch: FrequencySketch
  readonly #climber: WindowClimber
  #capacity = 0
  #leastWindow = 0
  #windowShare = 0
  #protectedShare = 0
  /** Whether an entry had to go yet. Before, all that is counted is how the cache fills. */
  #filled = false

  constructor(evictable: (node: N) => boolean, capacity: number, take: TakeMemory = takeAny) {
    this.#pins = new Pins(evictable)
    this.#sketch = new FrequencySketch(capacity, take)
    this.#climber = new WindowClimber(capacity)
    this.setCapacity(capacity)
  }

  get count(): number {
    return this.#window.count + this.#probation.count + this.#protected.count
  }

  get bytes(): number {
    return this.#window.bytes + this.#probation.bytes + this.#protected.bytes
  }

  get memoryBytes(): number {
    return this.#sketch.memoryBytes
  }

  add(node: N): void {
    this.#spill()
    const entries = this.count + 1
    this.#sketch.grow(entries)
    this.#sketch.count(node.hash, entries)
    node.mark = WINDOW
    if (node.size > this.#windowShare) this.#window.addOldest(node)
    else this.#window.add(node)
    if (!this.#filled) return
    this.#climber.miss()
    this.#adapt()
  }

  touch(node: N): void {
    this.#sketch.count(node.hash, this.count)
    if (node.mark === PROBATION && node.size <= this.#protectedShare) {
      this.#move(node, this.#probation, this.#protected, PROTECTED)
      this.#demote()
    } else {
      this.#queueOf(node).renew(node)
    }
    if (!this.#filled) return
    this.#climber.hit()
    this.#adapt()
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
    this.#filled = true
    this.#pins.begin(pinnedToo)
    const over = this.#window.bytes > this.#windowShare
    const candidate = over ? this.#pins.oldestOf(this.#window) : undefined
    const resident = this.#pins.oldestOf(this.#probation) ?? this.#pins.oldestOf(this.#protected)
    const victim = this.#loser(candidate, resident) ?? this.#pins.oldestOf(this.#window)
    if (victim === undefined) return undefined
    if (victim === resident && candidate !== undefined) {
      this.#move(candidate, this.#window, this.#probation, PROBATION)
    }
    this.remove(victim)
    return victim
  }

  /** The window keeps its share of the capacity, so that what the climber has found is not lost. */
  setCapacity(bytes: number): void {
    const least = Math.ceil(bytes / 100)
    const most = least + Math.floor(((bytes - least) * 4) / 5)
    const share = this.#capacity === 0 ? 0 : this.#windowShare / this.#capacity
    this.#windowShare = Math.min(most, Math.max(least, Math.floor(bytes * share)))
    this.#protectedShare = most - this.#windowShare
    this.#leastWindow = least
    this.#capacity = bytes
    this.#sketch.setCapacity(bytes)
    this.#climber.setCapacity(bytes)
  }

  /** Who goes of the two, if there is anybody. */
  #loser(candidate: N | undefined, resident: N | undefined): N | undefined {
    if (candidate === undefined || resident === undefined) return candidate ?? resident
    return this.#frequency(candidate) > this.#frequency(resident) ? resident : candidate
  }

  #frequency(node: N): number {
    return this.#sketch.estimate(node.hash)
  }

  #queueOf(node: N): Queue<N> {
    if (node.mark === WINDOW) return this.#window
    return node.mark === PROBATION ? this.#probation : this.#protected
  }

  #move(node: N, from: Queue<N>, to: Queue<N>, mark: number): void {
    from.remove(node)
    node.mark = mark
    to.add(node)
  }

  #spill(): void {
    for (let moves = MAX_MOVES; moves > 0 && this.#window.bytes > this.#windowShare; moves -= 1) {
      this.#move(this.#window.oldest!, this.#window, this.#probation, PROBATION)
    }
  }

  #demote(): void {
    for (let moves = MAX_MOVES; moves > 0 && this.#protected.bytes > this.#protectedShare; moves -= 1) {
      this.#move(this.#protected.oldest!, this.#protected, this.#probation, PROBATION)
    }
  }

  #adapt(): void {
    const step = this.#climber.climb(Math.max(USES_PER_ENTRY * this.count, MIN_SAMPLE))
    if (step === 0) return
    const least = this.#leastWindow - this.#windowShare
    const growth = Math.max(least, Math.min(step, this.#protectedShare))
    this.#windowShare += growth
    this.#protectedShare -= growth
    if (growth < 0) this.#spill()
    else if (growth > 0) this.#fillWindow()
  }

  /** Gives the window, which has grown, the entries of the main area that would be the first to go. */
  #fillWindow(): void {
    this.#demote()
    for (let moves = MAX_MOVES; moves > 0; moves -= 1) {
      const node = this.#probation.oldest ?? this.#protected.oldest
      if (node === undefined || this.#window.bytes + node.size > this.#windowShare) return
      this.#move(node, this.#queueOf(node), this.#window, WINDOW)
    }
  }
}
