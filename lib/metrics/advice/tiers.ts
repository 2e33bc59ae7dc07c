import type { Store, StoreFacts, TierStats } from '../../store/store.js'

/** A tier that advice is for. */
export interface AdvisedTier {
  /** Its place among the tiers that the options name. */
  readonly place: number
  readonly name: string
  readonly store: Store
  readonly stats: TierStats
  /** Undefined of a store that is none of drey's. */
  readonly facts: StoreFacts | undefined
}

/** The tiers of a cache, as `stores` are, of which those that keep nothing have no place beside others. */
export function advisedTiers(stores: readonly Store[], stats: readonly TierStats[]): AdvisedTier[] {
  const kept = stores.filter(({ keeps }) => keeps !== false)
  const counted = kept.length === 0 ? stores.slice(0, 1) : kept
  return counted.flatMap((store, at) => {
    const own = stats[at]
    if (own === undefined) return []
    return [{ place: stores.indexOf(store), name: own.name, store, stats: own, facts: store.facts?.() }]
  })
}
