import type { EvictionPolicy } from '../../lib/policy/policy.js'

/** The least recently used goes, as a user would write it; `order` has the keys, that one first. */
export function ownLru(): EvictionPolicy & { readonly order: ReadonlySet<string> } {
  const order = new Set<string>()
  return {
    order,
    add: (key) => void order.add(key),
    touch(key) {
      order.delete(key)
      order.add(key)
    },
    remove: (key) => void order.delete(key),
    evict: () => [...order].slice(0, 1),
  }
}
