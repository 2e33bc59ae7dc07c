import type { Addon } from '../../../native/addon.js'
import { FILE_STATS } from '../../../native/file-numbers.js'
import type { RecoverySummary } from '../file-store.js'

/** What the addon says of a store. */
export type NativeStats = Readonly<Record<(typeof FILE_STATS)[number], number>>

const out = new Float64Array(FILE_STATS.length)

export function readStats(addon: Addon, store: number): NativeStats {
  addon.fileStats(store, out)
  return fromNumbers(out)
}

function fromNumbers(numbers: Float64Array): NativeStats {
  return Object.fromEntries(FILE_STATS.map((name, index) => [name, numbers[index]!])) as NativeStats
}

/** Of a store that was not opened. */
export const NO_STATS: NativeStats = fromNumbers(new Float64Array(FILE_STATS.length))

export function recoveryOf(stats: NativeStats): RecoverySummary {
  return {
    clean: stats.clean === 1,
    milliseconds: stats.milliseconds,
    entries: stats.recovered,
    replayed: stats.replayed,
    tornBytes: stats.tornBytes,
    damagedBytes: stats.damagedBytes,
    orphans: stats.orphans,
    doubt: stats.doubt > 0,
  }
}
