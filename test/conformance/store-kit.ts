import type { EvictionPolicy, PolicyName } from '../../lib/policy/policy.js'
import { jsMemoryStore } from '../../lib/store/memory/js.js'
import type { MemoryStore } from '../../lib/store/memory/memory-store.js'
import { DEFAULT_POLICY } from '../../lib/store/memory/options.js'
import { sameBytes } from '../../lib/testing/check.js'

/*
 * What tests of stores have in hand: that of the suite which the package exports, and the js engine.
 */

export * from '../../lib/testing/store/kit.js'

/** The js engine of `memoryStore`, told bounds that no option allows. */
export function jsStore(
  maxBytes: number,
  maxItemBytes = maxBytes,
  policy: PolicyName | EvictionPolicy = DEFAULT_POLICY,
  maxHeads?: number,
): MemoryStore {
  return jsMemoryStore({ maxBytes, maxItemBytes, maxItemFollows: false, policy, name: undefined }, maxHeads)
}

/** Equality of large values that fails with a position instead of megabytes of difference. */
export function expectBytes(actual: Buffer | undefined, expected: Buffer): void {
  sameBytes(actual, expected)
}
