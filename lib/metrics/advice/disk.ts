import { showSize } from '../../config/units.js'
import type { Recommendation } from './advice.js'
import { gainOf, percent } from './figures.js'
import type { AdvisedTier } from './tiers.js'

/** So much of its bound is all of it. */
const FULL = 0.95
/** With less of the disk in use, it is the index that is too small. */
const HALF_EMPTY = 0.8

/** Tiers on a disk that are full by their index, and not by what they may take of the disk. */
export function diskAdvice(tiers: readonly AdvisedTier[]): Recommendation[] {
  return tiers.flatMap(({ place, name, stats, facts }) => {
    const { bytes, maxBytes, indexBytes, entries, evictions } = stats
    const { maxIndexBytes } = facts ?? {}
    if (maxIndexBytes === undefined || indexBytes === undefined || evictions === 0) return []
    if (indexBytes < FULL * maxIndexBytes || bytes > HALF_EMPTY * maxBytes) return []
    const to = Math.ceil((maxIndexBytes * maxBytes) / Math.max(bytes, 1))
    const now = bytes / maxBytes
    return [
      {
        id: 'disk',
        level: 'advice',
        tier: name,
        message: `maxIndexBytes of ${showSize(to)} in place of ${showSize(maxIndexBytes)}: the index is full, and ${percent(now)} of maxBytes are in use`,
        evidence: { entries, bytes, maxBytes, indexBytes, maxIndexBytes, evictions },
        change: { option: `tiers.${place}.maxIndexBytes`, from: maxIndexBytes, to, live: true },
        gain: gainOf('part of maxBytes in use', now, 1),
      } satisfies Recommendation,
    ]
  })
}
