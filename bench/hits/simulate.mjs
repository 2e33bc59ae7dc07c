import { createPolicy } from '../../dist/policy/create.js'
import { UNIT } from './traces.mjs'

/*
 * A cache that keeps nothing but decides as a real one: what is larger than it is not kept, and room is made
 * before an entry is added.
 */

/** The key of the hash: the sketch of W-TinyLFU, and so its climber, take another way with another. */
export const HASH_KEY = 415_870_660

/** MurmurHash3's finalizer: a bijection, so that no two ids share a hash and no answer depends on luck. */
function hashOf(id) {
  let hash = id ^ HASH_KEY
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}

export class Node {
  older = undefined
  newer = undefined
  mark = 0
  here = false

  constructor(id, size) {
    this.id = id
    this.size = size
    this.hash = hashOf(id)
  }
}

export const always = () => true

/**
 * Plays a trace with a policy.
 *
 * @returns {{ misses: number, missedBytes: number, victims: number, ns: number, memory: number }} misses, and what
 *   they weigh; a digest of the victims in their order, as the C++ program makes it; nanoseconds for a request;
 *   bytes that the policy holds beside the entries
 */
export function play({ ids, sizes }, name, capacity) {
  const policy = createPolicy(name, capacity, always)
  const nodes = []
  let used = 0
  let misses = 0
  let missedBytes = 0
  let victims = 2_166_136_261
  const start = process.hrtime.bigint()
  for (let at = 0; at < ids.length; at += 1) {
    const id = ids[at]
    let node = nodes[id]
    if (node?.here) {
      policy.touch(node)
      continue
    }
    misses += 1
    const size = sizes === undefined ? UNIT : sizes[at]
    missedBytes += size
    if (size > capacity) continue
    while (used + size > capacity) {
      const victim = policy.evict()
      victim.here = false
      used -= victim.size
      victims = Math.imul(victims ^ victim.id, 16_777_619)
    }
    if (node === undefined) {
      node = new Node(id, size)
      nodes[id] = node
    }
    node.size = size
    node.here = true
    used += size
    policy.add(node)
  }
  const ns = Number(process.hrtime.bigint() - start) / ids.length
  return { misses, missedBytes, victims: victims >>> 0, ns, memory: policy.memoryBytes }
}

/**
 * The misses of a cache that knows the future, and lets go, or does not even keep, what is wanted again last:
 * with entries of one size nobody can miss less (Belady, 1966; Mattson, Gecsei, Slutz and Traiger, 1970).
 */
export function playBelady({ ids }, capacity) {
  const most = Math.floor(capacity / UNIT)
  const never = ids.length
  const nextUse = new Uint32Array(ids.length)
  const last = new Map()
  for (let at = ids.length - 1; at >= 0; at -= 1) {
    nextUse[at] = last.get(ids[at]) ?? never
    last.set(ids[at], at)
  }
  // An entry of the cache is known by when it is next wanted; what the heap has of earlier times is out of
  // date.
  const here = new Uint8Array(never + 1)
  const heap = new MaxHeap(ids.length + 1)
  let count = 0
  let misses = 0
  for (let at = 0; at < ids.length; at += 1) {
    const next = nextUse[at]
    if (here[at] === 1) {
      here[at] = 0
      count -= 1
    } else {
      misses += 1
    }
    // What is never wanted again need not be kept.
    if (next === never) continue
    here[next] = 1
    count += 1
    heap.push(next)
    while (count > most) {
      const farthest = heap.pop()
      if (here[farthest] === 0) continue
      here[farthest] = 0
      count -= 1
    }
  }
  return misses
}

/** Numbers, of which the largest comes out first. */
class MaxHeap {
  #values
  #size = 0

  constructor(most) {
    this.#values = new Uint32Array(most)
  }

  push(value) {
    const values = this.#values
    let at = this.#size
    this.#size += 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (values[parent] >= value) break
      values[at] = values[parent]
      at = parent
    }
    values[at] = value
  }

  pop() {
    const values = this.#values
    const top = values[0]
    this.#size -= 1
    const value = values[this.#size]
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.#size) break
      if (child + 1 < this.#size && values[child + 1] > values[child]) child += 1
      if (values[child] <= value) break
      values[at] = values[child]
      at = child
    }
    values[at] = value
    return top
  }
}
