import { showSize } from '../config/units.js'
import type { Magazine } from './magazine.js'

/** How one class of a pool does. */
export interface ClassHealth {
  readonly classBytes: number
  /** `idle`: never used; `good`; `poor`: it works, and could do better; `bad`: memory is lost, or most Buffers are not pooled. */
  readonly level: 'idle' | 'good' | 'poor' | 'bad'
  /** One sentence. */
  readonly reason: string
}

/** So few gets say nothing of a rate. */
const FEW = 100
const GOOD_HITS = 0.9
const GOOD_EFFICIENCY = 0.6
const BAD_UNSERVED = 0.5
const POOR_UNSERVED = 0.05

export function healthOf(magazine: Magazine): ClassHealth {
  return { classBytes: magazine.bytes, ...judge(magazine) }
}

function judge(magazine: Magazine): Pick<ClassHealth, 'level' | 'reason'> {
  const { bytes, gets, misses, unserved, lost, viewBytes, wholes } = magazine
  const asked = gets + unserved
  if (asked === 0) return { level: 'idle', reason: 'nothing of this class was asked for yet' }
  if (lost > 0) {
    return {
      level: 'bad',
      reason: `${lost} Buffers, ${showSize(lost * bytes)}, were lost before they were given back: find by whom with detectLeaks`,
    }
  }
  if (asked < FEW) return { level: 'good', reason: `${asked} gets: too few to judge` }
  const share = unserved / asked
  if (share > POOR_UNSERVED) {
    return {
      level: share > BAD_UNSERVED ? 'bad' : 'poor',
      reason: `${percent(share)} of the gets found no room and were allocated: raise maxBytes, or give Buffers back sooner`,
    }
  }
  const hits = (asked - misses) / asked
  if (hits < GOOD_HITS) {
    return {
      level: 'poor',
      reason: `only ${percent(hits)} of the gets found an idle Buffer: raise maxIdle, or use the pool for more than a few`,
    }
  }
  const efficiency = (wholes * bytes + viewBytes) / (gets * bytes)
  if (efficiency < GOOD_EFFICIENCY) {
    return {
      level: 'poor',
      reason: `only ${percent(efficiency)} of the bytes lent were asked for: add a class nearer to what is asked for`,
    }
  }
  return { level: 'good', reason: `${percent(hits)} of the gets found an idle Buffer` }
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
