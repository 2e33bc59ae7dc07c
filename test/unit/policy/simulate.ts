/*
 * What the tests of the policies share: entries, traces, and a cache that holds nothing but decides as a real
 * one.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { createPolicy } from '../../../lib/policy/create.js'
import type { Policy, PolicyName, PolicyNode } from '../../../lib/policy/policy.js'

/** The key of the hash in tests and benches. Its answers are those of the tables. */
export const HASH_KEY = 415_870_660
/** What an entry weighs in a trace without sizes. */
export const UNIT = 4096

/** MurmurHash3's finalizer: a bijection, so that no two ids share a hash and no answer depends on luck. */
export function hashOf(id: number, key = HASH_KEY): number {
  let hash = id ^ key
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}

export class TestNode implements PolicyNode<TestNode> {
  older: TestNode | undefined = undefined
  newer: TestNode | undefined = undefined
  mark = 0
  size: number
  here = false
  pinned = false
  readonly id: number
  readonly hash: number

  constructor(id: number, size: number, hash: number) {
    this.id = id
    this.size = size
    this.hash = hash
  }
}

export const notPinned = (node: TestNode): boolean => !node.pinned

export interface Trace {
  readonly name: string
  readonly ids: Uint32Array
  readonly sizes: Uint32Array | undefined
}

/** The folder with the traces, if the environment names one. */
export const tracesFolder = process.env['DREY_TRACES']

/** Why there are no traces; undefined when there are. */
export function whyNoTraces(): string | undefined {
  if (tracesFolder === undefined) return 'DREY_TRACES names no folder with request traces'
  return existsSync(join(tracesFolder, 'oltp.u32.gz')) ? undefined : `there are no traces in ${tracesFolder}`
}

/** A trace of the collection, or its first `most` requests. */
export function loadTrace(name: string, most = Number.POSITIVE_INFINITY): Trace {
  const bytes = gunzipSync(readFileSync(join(tracesFolder!, `${name}.u32.gz`)))
  const words = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  if (!name.endsWith('.sized'))
    return { name, ids: words.slice(0, Math.min(most, words.length)), sizes: undefined }
  const length = Math.min(most, words.length / 2)
  return {
    name,
    ids: Uint32Array.from({ length }, (_, at) => words[2 * at]!),
    sizes: Uint32Array.from({ length }, (_, at) => words[2 * at + 1]!),
  }
}

/** FNV-1a over the ids of victims, a word at a time: two sequences of decisions are equal when this is. */
export class Digest {
  #state = 2_166_136_261

  add(id: number): void {
    this.#state = Math.imul(this.#state ^ id, 16_777_619)
  }

  get value(): number {
    return this.#state >>> 0
  }
}

export interface Outcome {
  readonly misses: number
  readonly hitPercent: number
  readonly digest: number
  readonly policy: Policy<TestNode>
}

/**
 * Plays a trace to a cache of `capacity` bytes: what is larger is not kept, and room is made before an entry
 * is added.
 */
export function play(trace: Trace, name: PolicyName, capacity: number, key = HASH_KEY): Outcome {
  const policy = createPolicy<TestNode>(name, capacity, notPinned)
  const nodes: (TestNode | undefined)[] = []
  const digest = new Digest()
  const { ids, sizes } = trace
  let used = 0
  let misses = 0
  for (let at = 0; at < ids.length; at += 1) {
    const id = ids[at]!
    let node = nodes[id]
    if (node?.here) {
      policy.touch(node)
      continue
    }
    misses += 1
    const size = sizes === undefined ? UNIT : sizes[at]!
    if (size > capacity) continue
    while (used + size > capacity) {
      const victim = policy.evict()!
      victim.here = false
      used -= victim.size
      digest.add(victim.id)
    }
    if (node === undefined) {
      node = new TestNode(id, size, hashOf(id, key))
      nodes[id] = node
    }
    node.size = size
    node.here = true
    used += size
    policy.add(node)
  }
  return { misses, hitPercent: 100 * (1 - misses / ids.length), digest: digest.value, policy }
}

/** What a policy can be asked for, by the numbers that the C++ driver knows. */
export const CALL = {
  add: 0,
  touch: 1,
  remove: 2,
  evict: 3,
  drain: 4,
  resize: 5,
  setCapacity: 6,
  pin: 7,
} as const

/**
 * Makes calls, given as triples of call, id and size. What makes no sense at the time, such as removing what
 * is not there, is left out, so that any sequence is one to try. `after` is called after each, with the entry
 * that was evicted.
 */
export function perform(
  calls: Uint32Array,
  policy: Policy<TestNode>,
  nodes: Map<number, TestNode>,
  after: (victim: TestNode | undefined, call: number) => void = () => {},
): number {
  const digest = new Digest()
  for (let at = 0; at + 3 <= calls.length; at += 3) {
    const [call, id, size] = [calls[at]!, calls[at + 1]!, calls[at + 2]!]
    let node = nodes.get(id)
    if (node === undefined) {
      node = new TestNode(id, size, hashOf(id))
      nodes.set(id, node)
    }
    let victim: TestNode | undefined
    if (call === CALL.add && !node.here) {
      node.here = true
      node.size = size
      policy.add(node)
    } else if (call === CALL.touch && node.here) policy.touch(node)
    else if (call === CALL.remove && node.here) {
      policy.remove(node)
      node.here = false
    } else if (call === CALL.evict || call === CALL.drain) {
      victim = policy.evict(call === CALL.drain)
      digest.add(victim?.id ?? NO_VICTIM)
      if (victim !== undefined) victim.here = false
    } else if (call === CALL.resize && node.here) policy.resize(node, size)
    else if (call === CALL.setCapacity) policy.setCapacity(size)
    else if (call === CALL.pin) node.pinned = !node.pinned
    after(victim, call)
  }
  return digest.value
}

/** What the C++ driver has for no victim. */
const NO_VICTIM = 2 ** 28 - 1
