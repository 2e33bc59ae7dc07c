import type { StoreStats } from '../../store.js'

/** How many numbers `memoryStats` writes; native/node/memory_store.cc has their order. */
export const STATISTICS = 13

const ENTRIES = 0
const BYTES = 1
const PINNED_BYTES = 2
export const MAX_BYTES = 3
export const MAX_ITEM_BYTES = 4
const EVICTIONS = 5
const EXPIRATIONS = 6
const REFUSALS = 7
/** How often the system refused memory. */
export const MEMORY_REFUSALS = 8

/** @param uncounted refusals that the addon does not know of */
export function statsOf(
  numbers: Float64Array,
  policy: string,
  policyFaults: number,
  uncounted: number,
): StoreStats {
  return {
    entries: numbers[ENTRIES]!,
    bytes: numbers[BYTES]!,
    pinnedBytes: numbers[PINNED_BYTES]!,
    maxBytes: numbers[MAX_BYTES]!,
    maxItemBytes: numbers[MAX_ITEM_BYTES]!,
    evictions: numbers[EVICTIONS]!,
    expirations: numbers[EXPIRATIONS]!,
    policyFaults,
    refusals: numbers[REFUSALS]! + uncounted,
    policy,
  }
}
