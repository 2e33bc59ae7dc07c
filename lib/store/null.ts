import type { Metadata, Store } from './store.js'

/**
 * A store that keeps nothing: for turning a cache off by configuration, without another path in the program, and for measuring what the
 * cache itself costs. Every call of the cache works over it as it does over one from which everything has been evicted: `fetch` asks the
 * origin, once for all who wait at that time; what `set` and `writer` are given is checked, and gone; `get` finds nothing.
 *
 * Beside other tiers it is as if it were not there: `stats().tiers` does not list it.
 */
export function nullStore(): Store {
  let refusals = 0
  return {
    name: 'null',
    // Whoever waits for a value together gets it together, of whatever size: none is too large to be shared.
    maxItemBytes: Number.POSITIVE_INFINITY,
    keeps: false,
    open: () => undefined,
    find: () => undefined,
    draft: () => {
      refusals += 1
      return undefined
    },
    revise: () => false,
    delete: () => false,
    clear: () => undefined,
    entries: (): Iterable<readonly [string, Metadata]> => [],
    stats: () => ({
      entries: 0,
      bytes: 0,
      pinnedBytes: 0,
      maxBytes: 0,
      maxItemBytes: Number.POSITIVE_INFINITY,
      evictions: 0,
      expirations: 0,
      policyFaults: 0,
      refusals,
    }),
    close: () => undefined,
  }
}
