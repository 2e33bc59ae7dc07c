import { createPolicy } from '../../policy/create.js'
import type { Policy, PolicyName, PolicyNode } from '../../policy/policy.js'
import { IN_HAND } from '../../store/store.js'
import { isNegative, isRequest, type Recording, SLICE } from './recording.js'
import type { Slices } from './slices.js'
import { KIND, kindOf, UNKNOWN } from './window.js'

/** The tier as it would be. */
export interface Simulated {
  readonly policy: PolicyName
  /** Bytes of the whole tier. */
  readonly maxBytes: number
  /** Larger values, key included, are not kept. */
  readonly maxItemBytes: number
  /** What the store counts for an entry whose value and key have so many bytes. */
  charge(size: number): number
}

/** What came of a replay, in the part that counts. */
export interface Replayed {
  /** The share of requests that the tier answers, or a fill that was under way already. */
  readonly hitRatio: number
  /** Requests of the sample. */
  readonly requests: number
  readonly evictions: number
  /** At the end: entries, and bytes that they are charged, of the whole tier. */
  readonly entries: number
  readonly bytes: number
}

class Replayee implements PolicyNode<Replayee> {
  older: Replayee | undefined = undefined
  newer: Replayee | undefined = undefined
  mark = 0
  size = 0
  isHere = false
  /** Until when it answers by itself. */
  until = 0
  /** Whether it can be had at once: what is large, and what says "not found", cannot. */
  isAtHand = false
  /** The next fill was for a request that this cache answered itself: there is none here. */
  isSpared = false
  /** The next fetch was of somebody who had it at hand here: it was not called. */
  wasAtHand = false
  readonly hash: number

  constructor(hash: number) {
    this.hash = hash
  }
}

/**
 * A cache of the rate's share of the size, which keeps no values and decides by drey's own policies, given the sample: what of it would have been
 * answered. Entries that are no longer fresh miss as they do there. What followed a request only because it was not answered, and that is answered here, is
 * passed over: the fetch after a look at what is at hand, and the fill.
 *
 * A sample has by chance more or less than its share of the most popular keys, which are always hits: the difference between the requests that it has and its
 * share of all is counted as hits, as SHARDS-adj does.
 */
export function* replay(recording: Recording, simulated: Simulated): Slices<Replayed> {
  const cache = new ReplayedCache(simulated, recording.rate)
  const { length, from, ids, kinds, times, sizes, until } = recording
  const nodes = new Array<Replayee | undefined>(recording.hashes.length)
  let [asked, requests, hits, evicted] = [0, 0, 0, 0]
  for (let at = 0; at < length; at += 1) {
    if (at === from) evicted = cache.evictions
    const recorded = kinds[at]!
    const kind = kindOf(recorded)
    const id = ids[at]!
    let node = nodes[id]
    if (node === undefined) {
      node = new Replayee(recording.hashes[id]! | 0)
      nodes[id] = node
    }
    if (at >= from && isRequest(kind)) asked += 1
    if (kind === KIND.clear) cache.clear(nodes)
    else if (kind === KIND.delete) cache.remove(node)
    else if (!isRequest(kind)) cache.store(node, recorded, sizes[at]!, until[at]!)
    else if (kind === KIND.miss && node.wasAtHand) node.wasAtHand = false
    else {
      const isHit = cache.request(node, recorded, times[at]!, sizes[at]!, until[at]!)
      if (at >= from) {
        requests += 1
        if (isHit) hits += 1
      }
    }
    if (at % SLICE === SLICE - 1) yield
  }
  const { rate } = recording
  const absent = rate < 1 ? recording.requests * rate - asked : 0
  const counted = requests + absent
  return {
    hitRatio: counted <= 0 ? 0 : Math.max(0, Math.min(1, (hits + absent) / counted)),
    requests,
    evictions: (cache.evictions - evicted) / rate,
    entries: cache.entries / rate,
    bytes: cache.used / rate,
  }
}

class ReplayedCache {
  readonly #simulated: Simulated
  readonly #capacity: number
  readonly #policy: Policy<Replayee>
  used = 0
  evictions = 0

  constructor(simulated: Simulated, rate: number) {
    this.#simulated = simulated
    this.#capacity = Math.floor(simulated.maxBytes * rate)
    this.#policy = createPolicy<Replayee>(simulated.policy, this.#capacity, always)
  }

  get entries(): number {
    return this.#policy.count
  }

  /** Whether it is answered without that the origin gives a body. */
  request(node: Replayee, recorded: number, now: number, size: number, until: number): boolean {
    const kind = kindOf(recorded)
    if (node.isHere) {
      this.#policy.touch(node)
      const wasMiss = kind === KIND.miss || kind === KIND.notAtHand
      // What was an answer as it was, is one where the entry stayed for longer, too.
      const isHit = !wasMiss || (now < node.until && (kind === KIND.miss || node.isAtHand))
      node.isSpared = isHit && wasMiss
      node.wasAtHand = isHit && kind === KIND.notAtHand
      if (!isHit && size !== UNKNOWN) this.#renew(node, recorded, size, until)
      else if (kind === KIND.revalidated) node.until = until
      return isHit
    }
    node.isSpared = false
    node.wasAtHand = false
    if (size !== UNKNOWN) this.#admit(node, recorded, size, until)
    return kind === KIND.joined
  }

  /** A value was put under the key, or confirmed. */
  store(node: Replayee, recorded: number, size: number, until: number): void {
    const kind = kindOf(recorded)
    const isSpared = node.isSpared && kind === KIND.fill
    node.isSpared = false
    if (isSpared || size === UNKNOWN) return
    if (!node.isHere) {
      if (kind !== KIND.confirmed) this.#admit(node, recorded, size, until)
      return
    }
    if (kind === KIND.set) this.#policy.touch(node)
    this.#renew(node, recorded, size, until)
  }

  remove(node: Replayee): void {
    if (!node.isHere) return
    this.#policy.remove(node)
    this.#gone(node)
  }

  clear(nodes: ReadonlyArray<Replayee | undefined>): void {
    for (const node of nodes) if (node !== undefined) this.remove(node)
  }

  #renew(node: Replayee, recorded: number, size: number, until: number): void {
    node.until = until
    node.isAtHand = isAtHand(recorded, size)
    const charged = this.#simulated.charge(size)
    if (charged === node.size) return
    if (!this.#fits(size, charged)) return this.remove(node)
    this.used += charged - node.size
    this.#policy.resize(node, charged)
    this.#makeRoom(0)
  }

  #admit(node: Replayee, recorded: number, size: number, until: number): void {
    const charged = this.#simulated.charge(size)
    if (!this.#fits(size, charged)) return
    this.#makeRoom(charged)
    node.size = charged
    node.until = until
    node.isAtHand = isAtHand(recorded, size)
    node.isHere = true
    this.used += charged
    this.#policy.add(node)
  }

  #fits(size: number, charged: number): boolean {
    return size <= this.#simulated.maxItemBytes && charged <= this.#capacity
  }

  #makeRoom(bytes: number): void {
    while (this.used + bytes > this.#capacity) {
      const victim = this.#policy.evict()
      if (victim === undefined) return
      this.evictions += 1
      this.#gone(victim)
    }
  }

  #gone(node: Replayee): void {
    node.isHere = false
    this.used -= node.size
  }
}

/** The key counts little against what is at hand at most. */
function isAtHand(recorded: number, size: number): boolean {
  return size <= IN_HAND && !isNegative(recorded)
}

const always = (): boolean => true
