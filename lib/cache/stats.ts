import type { TierStats } from '../store/store.js'
import type { CacheStats, CacheTierStats, TierAnswers } from './cache.js'
import type { AnswerCounts, Counters } from './counters.js'

/** What the numbers are made of: what is told as it is, and what is counted. */
export interface Sources
  extends Pick<
    CacheStats,
    'origins' | 'originRefusals' | 'filling' | 'openBodies' | 'refreshes' | 'pool' | 'pressure' | 'metrics'
  > {
  readonly counters: Counters
  readonly tiers: readonly TierStats[]
}

export function statsOf({ counters, tiers, ...told }: Sources): CacheStats {
  const { fills, retries, leaks, lateLookups, bytesIn, bytesSet, notStored } = counters
  return {
    ...counters.totals(),
    bytesIn,
    bytesSet,
    fills,
    retries,
    lateLookups,
    leaks,
    notStored: { ...notStored },
    tiers: withAnswers(tiers, counters),
    ...told,
  }
}

function withAnswers(tiers: readonly TierStats[], counters: Counters): CacheTierStats[] {
  const seen = new Set<string>()
  return tiers.map((tier) => {
    const { name } = tier
    const answers = seen.has(name) ? NONE : answersOf(counters.ofTier(name))
    seen.add(name)
    return { ...tier, answers }
  })
}

function answersOf({ hits, joined, revalidated, stale, negative, bytesOut }: AnswerCounts): TierAnswers {
  return { hits, joined, revalidated, stale, negative, bytesOut }
}

const NONE: TierAnswers = { hits: 0, joined: 0, revalidated: 0, stale: 0, negative: 0, bytesOut: 0 }
