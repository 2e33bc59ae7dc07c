import { showSize } from '../../config/units.js'
import { POLICY_NAMES, type PolicyName } from '../../policy/policy.js'
import { IN_HAND } from '../../store/store.js'
import type { Recommendation } from './advice.js'
import { gainOf, percent, rounded } from './figures.js'
import { measuredRatio, type Recording } from './recording.js'
import { type Replayed, replay } from './replay.js'
import type { Slices } from './slices.js'
import type { AdvisedTier } from './tiers.js'

/** Fewer requests, or entries, of the sample say nothing. */
const LEAST_REQUESTS = 1000
const LEAST_ENTRIES = 32
/** What a change has to bring, of all requests. */
const WORTH = 0.03
/** What a smaller memory may lose, of all requests. */
const NOTHING = 0.002
/** Where the tier answered otherwise than its replay by more than this, something decides there that a replay does not know. */
const AGREES = 0.1
/** As much of the memory there is may be recommended. */
const MOST_MEMORY = 0.75
const LEAST_MEMORY = 2 ** 20
/** So much of its bound makes a tier full. */
const FULL = 0.85

/** What a store counts for an entry beside key and value: docs/reference/memory.md. */
const BESIDE = { native: 60, nativeLarge: 130, js: 520, jsChunk: 432 }
/** The largest value that lies in one piece in the arena. */
const IN_ONE_SLOT = 4096

const FIGURE = 'hit ratio'

/** Another policy, or another size, of the first tier, where that is a memory store with one of drey's policies. */
export function* memoryAdvice(
  recording: Recording,
  { place, name, stats, facts, store }: AdvisedTier,
  memoryThereIs: number,
): Slices<Recommendation[]> {
  if (facts?.kind !== 'memory' || store.sharing !== undefined || stats.evictions === 0) return []
  const present = POLICY_NAMES.find((one) => one === facts.policy)
  if (present === undefined) return []
  const { maxBytes } = stats
  let factor = 1
  const simulate = (policy: PolicyName, bytes: number): Slices<Replayed> =>
    replay(recording, {
      policy,
      maxBytes: bytes,
      maxItemBytes: facts.maxItemFollows ? Math.floor(bytes / 8) : stats.maxItemBytes,
      charge: (size) => factor * chargeOf(size, facts.native, keptShare(stats.compression)),
    })
  let now = yield* simulate(present, maxBytes)
  if (now.requests < LEAST_REQUESTS || now.entries * recording.rate < LEAST_ENTRIES) return []
  factor = factorOf(stats, now)
  if (factor !== 1) now = yield* simulate(present, maxBytes)
  const measured = measuredRatio(recording)
  if (Math.abs(measured - now.hitRatio) > AGREES) return []

  const found: Recommendation[] = []
  const common = { requests: now.requests, rate: rounded(recording.rate), measured: rounded(measured) }
  const at = `tiers.${place}`

  const byPolicy: Record<string, number> = { [present]: now.hitRatio }
  for (const policy of POLICY_NAMES) {
    if (policy !== present) byPolicy[policy] = (yield* simulate(policy, maxBytes)).hitRatio
  }
  const best = POLICY_NAMES.reduce((one, other) => (byPolicy[other]! > byPolicy[one]! ? other : one), present)
  if (byPolicy[best]! - now.hitRatio >= WORTH) {
    found.push({
      id: 'policy',
      level: 'advice',
      tier: name,
      message: `policy ${best} in place of ${present} would answer ${percent(byPolicy[best]!)} of the requests, not ${percent(now.hitRatio)}`,
      evidence: { ...common, ...named(byPolicy) },
      change: { option: `${at}.policy`, from: present, to: best, live: true },
      gain: gainOf(FIGURE, now.hitRatio, byPolicy[best]!),
    })
  }

  /** Whether another size is of use where the policy is the best one: to change that costs nothing. */
  function* isWorthBeside(policy: PolicyName, bytes: number): Slices<boolean> {
    if (policy === present || bytes < maxBytes || byPolicy[policy]! - now.hitRatio < WORTH) return true
    return (yield* simulate(policy, bytes)).hitRatio - byPolicy[policy]! >= WORTH
  }

  const most = Math.floor(memoryThereIs * MOST_MEMORY)
  const sizes = [maxBytes / 2, 2 * maxBytes, 4 * maxBytes]
    .map((bytes) => Math.max(LEAST_MEMORY, Math.floor(Math.min(bytes, Math.max(most, maxBytes)))))
    .filter((bytes, place, all) => bytes !== maxBytes && all.indexOf(bytes) === place)
  const curve = new Map([[maxBytes, now.hitRatio]])
  for (const bytes of sizes) curve.set(bytes, (yield* simulate(present, bytes)).hitRatio)
  const to = sizeFor(curve, maxBytes)
  if (to !== undefined && (yield* isWorthBeside(best, to))) {
    const then = curve.get(to)!
    const evidence = Object.fromEntries([...curve].map(([bytes, ratio]) => [showSize(bytes), ratio]))
    found.push({
      id: 'memory',
      level: 'advice',
      tier: name,
      message:
        to > maxBytes
          ? `${showSize(to)} in place of ${showSize(maxBytes)} would answer ${percent(then)} of the requests, not ${percent(now.hitRatio)}`
          : `${showSize(to)} in place of ${showSize(maxBytes)} would answer as many requests, ${percent(then)}`,
      evidence: { ...common, ...named(evidence) },
      change: { option: `${at}.maxBytes`, from: maxBytes, to, live: true },
      gain: gainOf(FIGURE, now.hitRatio, then),
    })
  }
  return found
}

/** The bound that is worth it, if there is one: a larger one that brings something, and no more than brings nearly as much; else a smaller one that loses nothing. */
function sizeFor(curve: ReadonlyMap<number, number>, maxBytes: number): number | undefined {
  const now = curve.get(maxBytes)!
  const larger = [...curve].filter(([bytes]) => bytes > maxBytes).sort(([one], [other]) => one - other)
  const best = Math.max(now, ...larger.map(([, ratio]) => ratio))
  if (best - now >= WORTH)
    return larger.find(([, ratio]) => best - ratio < WORTH && ratio - now >= WORTH)?.[0]
  const smaller = [...curve].find(([bytes]) => bytes < maxBytes)
  return smaller !== undefined && now - smaller[1] <= NOTHING ? smaller[0] : undefined
}

/** What a store of that kind counts for an entry whose key and value have `size` bytes, of which it keeps a `share`. */
function chargeOf(size: number, native: boolean, share: number): number {
  const kept = size * share
  if (!native) return Math.ceil(kept + BESIDE.js + BESIDE.jsChunk * Math.ceil(kept / IN_HAND))
  return Math.ceil(kept + BESIDE.native + (kept > IN_ONE_SLOT ? BESIDE.nativeLarge : 0))
}

function keptShare(compression: AdvisedTier['stats']['compression']): number {
  if (compression === undefined || compression.rawBytes === 0) return 1
  return compression.storedBytes / compression.rawBytes
}

/** By how much a store that is full counts more for an entry than `chargeOf` knows: for metadata, and for what no entry has. */
function factorOf({ bytes, entries, maxBytes }: AdvisedTier['stats'], replayed: Replayed): number {
  if (bytes < FULL * maxBytes || entries < LEAST_ENTRIES || replayed.bytes === 0) return 1
  const factor = bytes / entries / (replayed.bytes / replayed.entries)
  return Math.max(0.75, Math.min(2, factor))
}

function named(ratios: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(ratios).map(([name, ratio]) => [name, rounded(ratio)]))
}
