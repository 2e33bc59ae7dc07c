import type { Addon } from '../../../native/addon.js'
import type { EvictionPolicy, PolicyNode } from '../../../policy/policy.js'
import { sayPolicyFault, UserPolicy } from '../../../policy/user.js'
import { drain, victimOf } from '../../../policy/victim.js'
import { ownKey } from '../entry.js'
import { halfOfHeap, MAX_ENTRIES } from '../heap.js'

/** An entry of the native store, as a policy knows it. */
interface HostedNode extends PolicyNode<HostedNode> {
  readonly key: string
}

/** What a node costs beside its key, on the JS heap. native/memory_store/shard.h has the same, and charges it. */
export const NODE_BYTES = 216

/** At most so many bytes of nodes, as the js engine limits what of its entries lies on the JS heap. */
const mostNodeBytes = (): number => Math.min(halfOfHeap(), MAX_ENTRIES * NODE_BYTES)

/**
 * A policy of the user's own, over the entries of a native store: says in its name who goes, and tells it what comes
 * and leaves.
 *
 * The addon evicts nothing by itself then, but where its bound would not hold otherwise: what finds no room is tried
 * again after `evictOne`. What it lets go all the same, and what expired, `hear` learns.
 *
 * Invariants: after `hear`, `#nodes` has the entries that the store has, and the policy those of them that it was
 * handed. No call of the addon is under way while the policy runs; nothing is added meanwhile. Without a policy
 * nothing is done.
 */
export class PolicyHost {
  readonly #addon: Addon
  readonly #id: number
  readonly #maxNodeBytes: number
  readonly #nodes = new Map<string, HostedNode>()
  #policy: UserPolicy<HostedNode> | undefined
  /** Refusals that the addon does not count, less those that it counts of attempts that were repeated. */
  uncounted = 0
  /** Faults of policies that were replaced. */
  #faults = 0
  #nodeBytes = 0
  #spared: string | undefined
  /** Key and whether it had expired, of what left and has not been reported. */
  #left: Array<string | boolean> = []
  #closed = false

  constructor(addon: Addon, id: number, maxNodeBytes = mostNodeBytes()) {
    this.#addon = addon
    this.#id = id
    this.#maxNodeBytes = maxNodeBytes
  }

  /** There is a policy, and the store is open. */
  get active(): boolean {
    return this.#policy !== undefined
  }

  /** Whether a method of the policy is running. */
  get running(): boolean {
    return this.#policy?.running === true
  }

  /** How often policies did not do as they must. */
  get faults(): number {
    return this.#faults + (this.#policy?.faults ?? 0)
  }

  /** Whether the policy is running: what comes meanwhile is refused. */
  refusesNow(): boolean {
    if (!this.running) return false
    this.uncounted += 1
    return true
  }

  /** The policy decides from here on, among the entries that are there. */
  begin(user: EvictionPolicy): void {
    this.#policy = this.#made(user)
    this.#addon.memoryListen(this.#id, true)
    const listed = this.#addon.memoryHost(this.#id)
    for (let at = 0; at < listed.length; at += 2) this.#file(listed[at] as string, listed[at + 1] as number)
    this.#handAll([...this.#nodes.values()])
    this.hear()
    this.#keepWithin()
  }

  /** Another policy takes over, with all entries, coldest first. */
  handOver(user: EvictionPolicy): void {
    const nodes = this.#retire()
    if (this.#closed) return
    this.#policy = this.#made(user)
    this.#handAll(nodes)
  }

  /** The addon decides again, and has all entries, coldest first. */
  end(listening: boolean): void {
    const nodes = this.#retire()
    // By the policy, when it was told that they leave it.
    if (this.#closed) return
    for (const node of nodes) if (this.#has(node)) this.#addon.memoryRenew(this.#id, node.key)
    this.#addon.memoryUnhost(this.#id)
    this.#addon.memoryListen(this.#id, listening)
    this.#nodes.clear()
    this.#nodeBytes = 0
  }

  /** The store is closed: everything is gone, and the addon is not called any more. */
  close(): void {
    this.#closed = true
    this.cleared()
    this.#faults = this.faults
    this.#policy = undefined
  }

  touch(key: string): void {
    const node = this.#nodes.get(key)
    if (node !== undefined) this.#policy?.touch(node)
  }

  /** The key has a new entry. */
  committed(key: string): void {
    this.hear()
    const size = this.active ? this.#addon.memoryWeight(this.#id, key) : 0
    // What the policy did when it heard of others may have deleted it.
    if (size === 0) return
    const before = this.#nodes.get(key)
    const node = this.#file(before?.key ?? ownKey(key), size)
    if (before === undefined) this.#policy?.add(node)
    else this.#policy?.replace(before, node)
    this.#keepWithin()
  }

  /** The entry of the key may weigh otherwise than before. */
  revised(key: string): void {
    this.hear()
    const node = this.#nodes.get(key)
    if (node === undefined) return
    const size = this.#addon.memoryWeight(this.#id, key)
    if (size !== 0 && size !== node.size) this.#policy?.resize(node, size)
  }

  /** The entry of the key is gone. */
  removed(key: string): void {
    const node = this.#nodes.get(key)
    if (node === undefined) return
    this.#drop(node)
    this.#policy?.remove(node)
  }

  /** All entries are gone. */
  cleared(): void {
    for (const key of this.#nodes.keys()) this.removed(key)
  }

  /** Learns what the addon let go; true when there was something. */
  hear(): boolean {
    const left = this.active ? this.#addon.memoryEvicted(this.#id) : undefined
    if (left === undefined) return false
    for (let at = 0; at < left.length; at += 2) {
      const key = left[at] as string
      this.#left.push(key, left[at + 1]!)
      this.removed(key)
    }
    return true
  }

  /** Has one entry leave, as the policy says. False when none can. */
  evictOne(): boolean {
    const policy = this.#policy
    if (policy === undefined || policy.running) return false
    const node = victimOf(policy)
    if (node === undefined) return false
    // The policy may have deleted it when it was told, or closed the store.
    if (!this.#has(node)) return true
    this.#drop(node)
    this.#addon.memoryEvict(this.#id, node.key)
    this.#left.push(node.key, false)
    return true
  }

  /** Evicts until the store is within `maxBytes`, or nothing is left that can go. */
  shrink(maxBytes: number): void {
    while (this.active && this.#addon.memoryBeyond(this.#id, maxBytes) > 0) {
      if (!this.hear() && !this.evictOne()) return
    }
  }

  /** Does `act` while the entry of the key is not evicted. */
  sparing<T>(key: string, act: () => T): T {
    this.#spared = key
    try {
      return act()
    } finally {
      this.#spared = undefined
    }
  }

  /** [key, whether it had expired, key, ...] of what left since the last call. */
  takeLeft(): Array<string | boolean> | undefined {
    const left = this.#left
    if (left.length === 0) return undefined
    this.#left = []
    return left
  }

  #made(user: EvictionPolicy): UserPolicy<HostedNode> {
    return new UserPolicy<HostedNode>(user, {
      keyOf: (node) => node.key,
      nodeOf: (key) => this.#nodes.get(key),
      evictable: ({ key }) =>
        key !== this.#spared && this.active && this.#addon.memoryEvictable(this.#id, key),
      onFault: sayPolicyFault,
    })
  }

  /** Takes all entries from the policy, coldest first. */
  #retire(): HostedNode[] {
    const nodes = drain(this.#policy!)
    this.#faults = this.faults
    this.#policy = undefined
    return nodes
  }

  #keepWithin(): void {
    while (this.#nodeBytes > this.#maxNodeBytes && this.evictOne());
  }

  #handAll(nodes: readonly HostedNode[]): void {
    // The policy may delete some while it is told of others.
    for (const node of nodes) if (this.#has(node)) this.#policy?.add(node)
  }

  #has(node: HostedNode): boolean {
    return this.#nodes.get(node.key) === node
  }

  #file(key: string, size: number): HostedNode {
    const node = { key, size, mark: 0, hash: 0, newer: undefined, older: undefined }
    if (!this.#nodes.has(key)) this.#nodeBytes += NODE_BYTES + key.length
    this.#nodes.set(key, node)
    return node
  }

  #drop(node: HostedNode): void {
    this.#nodes.delete(node.key)
    this.#nodeBytes -= NODE_BYTES + node.key.length
  }
}
