import type { BufferPoolStats, ClassStats } from '../../buffers/stats.js'
import { showSize } from '../../config/units.js'
import type { Recommendation } from './advice.js'
import { gainOf, percent, rounded } from './figures.js'

/** Fewer gets say nothing of those to come. */
const LEAST_GETS = 1000
/** What a change has to bring, of the bytes that are lent. */
const WORTH = 0.1
/** Classes end at a multiple of a page. */
const PAGE = 4096
/** More classes at once than that are not worth their memory. */
const MOST_MORE = 3

/** Classes nearer to what is asked for, where much of what the pool lends lies unused. */
export function poolAdvice(stats: BufferPoolStats | undefined): Recommendation[] {
  if (stats === undefined || !stats.enabled) return []
  const gets = stats.classes.reduce((sum, one) => sum + one.gets, 0)
  if (gets < LEAST_GETS) return []
  const there = stats.classes.map(({ classBytes }) => classBytes)
  const lent = lentBy(stats.classes, there)
  const asked = stats.efficiency * lent
  let classes = there
  for (let more = 0; more < MOST_MORE; more += 1) {
    const best = candidates(stats.classes, classes)
      .map((added) => [...classes, added].sort((one, other) => one - other))
      .reduce(
        (one, other) => (lentBy(stats.classes, other) < lentBy(stats.classes, one) ? other : one),
        classes,
      )
    const gained = asked / lentBy(stats.classes, best) - asked / lentBy(stats.classes, classes)
    if (gained < WORTH / 2) break
    classes = best
  }
  const then = asked / lentBy(stats.classes, classes)
  if (then - stats.efficiency < WORTH) return []
  const added = classes.filter((bytes) => !there.includes(bytes))
  return [
    {
      id: 'pool-classes',
      level: 'advice',
      tier: undefined,
      message: `with classes of ${added.map(showSize).join(', ')} besides, ${percent(then)} of the bytes that the buffer pool lends would be used, not ${percent(stats.efficiency)}`,
      evidence: { gets, efficiency: rounded(stats.efficiency), maxBytes: stats.maxBytes },
      change: { option: 'bufferPool.classes', from: there, to: classes, live: false },
      gain: gainOf('bytes used of those that the pool lends', stats.efficiency, then),
    },
  ]
}

/** Bytes that the gets there were would have been lent from those classes. */
function lentBy(stats: readonly ClassStats[], classes: readonly number[]): number {
  let bytes = 0
  for (const { asked } of stats) {
    for (const { atMost, gets } of asked) bytes += gets * (classes.find((one) => one >= atMost) ?? atMost)
  }
  return bytes
}

/** Sizes that a class might have: where what is asked for ends. */
function candidates(stats: readonly ClassStats[], classes: readonly number[]): number[] {
  const ends = stats.flatMap(({ asked }) => asked.map(({ atMost }) => Math.ceil(atMost / PAGE) * PAGE))
  const [least = 0] = classes
  const most = classes.at(-1) ?? 0
  return [...new Set(ends)].filter((end) => end >= least && end < most && !classes.includes(end))
}
