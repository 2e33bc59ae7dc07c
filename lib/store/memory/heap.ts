import { getHeapStatistics } from 'node:v8'

/** A Map refuses its 2^24th key, and under churn, with deleted keys not yet swept out, the 2^23rd. */
export const MAX_ENTRIES = 2 ** 23

/** Half of what the JS heap may become: V8 ends the process that passes its limit, and the application needs some too. */
export function halfOfHeap(): number {
  return Math.floor(getHeapStatistics().heap_size_limit / 2)
}
