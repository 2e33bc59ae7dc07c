import { ConfigError } from '../../errors.js'
import type { Store } from '../store.js'
import { type TieredOptions, TieredStore } from './tiered.js'

export type { Lane } from './jobs.js'
export type { PromotionRule } from './lookups.js'
export { type TieredRules, TieredStore, type WritePolicy } from './tiered.js'

/** Bytes of values that are held for a tier below at most: small against a memory store of the usual size. */
const QUEUE_BYTES = 32 * 1024 * 1024
/** Keys that a tier may be behind with before it is emptied instead: about 10 MiB of them. */
const FENCES = 65_536

/** `stores` as one, fastest first; one alone is itself, and one that keeps nothing is left out beside others. */
export function tieredStore(
  stores: readonly Store[],
  options: Omit<TieredOptions, 'queueBytes' | 'fences'>,
): Store {
  if (new Set(stores).size < stores.length) {
    throw new ConfigError('tiers: a store is given twice; want a store of its own for each tier')
  }
  const kept = stores.filter(({ keeps }) => keeps !== false)
  if (kept.length < 2) return kept[0] ?? stores[0]!
  return new TieredStore(kept, { queueBytes: QUEUE_BYTES, fences: FENCES, ...options })
}
