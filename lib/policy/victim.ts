import { PASS_LIMIT, type Policy } from './policy.js'

/** The entry that goes, which the policy has let go of; undefined when all that it has are pinned. */
export function victimOf<N>(policy: Policy<N>): N | undefined {
  // One call passes over so many pinned entries at most; the next goes on behind them.
  for (let left = policy.count; left >= 0; left -= PASS_LIMIT) {
    const node = policy.evict()
    if (node !== undefined) return node
  }
  return undefined
}

/** All entries, those first that the policy would have evicted first; it has none of them any more. */
export function drain<N>(policy: Policy<N>): N[] {
  const nodes: N[] = []
  for (let node = policy.evict(true); node !== undefined; node = policy.evict(true)) nodes.push(node)
  return nodes
}
