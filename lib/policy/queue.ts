import type { PolicyNode } from './policy.js'

/**
 * Entries in order, linked through their own fields: every operation is O(1) and allocates nothing.
 *
 * Invariants: following `newer` from `oldest` meets each of `count` entries once and ends at `newest`;
 * `older` is the reverse; `bytes` is the sum of their sizes.
 */
export class Queue<N extends PolicyNode<N>> {
  oldest: N | undefined = undefined
  newest: N | undefined = undefined
  count = 0
  bytes = 0

  add(node: N): void {
    node.older = this.newest
    node.newer = undefined
    if (this.newest === undefined) this.oldest = node
    else this.newest.newer = node
    this.newest = node
    this.count += 1
    this.bytes += node.size
  }

  addOldest(node: N): void {
    node.older = undefined
    node.newer = this.oldest
    if (this.oldest === undefined) this.newest = node
    else this.oldest.older = node
    this.oldest = node
    this.count += 1
    this.bytes += node.size
  }

  remove(node: N): void {
    if (node.newer === undefined) this.newest = node.older
    else node.newer.older = node.older
    if (node.older === undefined) this.oldest = node.newer
    else node.older.newer = node.newer
    node.newer = undefined
    node.older = undefined
    this.count -= 1
    this.bytes -= node.size
  }

  /** Makes the entry the newest. */
  renew(node: N): void {
    if (this.newest === node) return
    this.remove(node)
    this.add(node)
  }

  /** Puts `by` where `node` is. */
  substitute(node: N, by: N): void {
    by.older = node.older
    by.newer = node.newer
    if (by.older === undefined) this.oldest = by
    else by.older.newer = by
    if (by.newer === undefined) this.newest = by
    else by.newer.older = by
    node.older = undefined
    node.newer = undefined
    this.bytes += by.size - node.size
  }

  resize(node: N, size: number): void {
    this.bytes += size - node.size
    node.size = size
  }
}
