import type { Clock } from '../clock.js'
import type { Detail } from './cache-status.js'

/*
 * Remembers for a while what could not be stored, so that requests for it need not wait for one another only to
 * learn that again. Bounded in entries and in the length of each.
 */

const MAX_KEYS = 4096
const MAX_KEY_CHARACTERS = 1024
const PERIOD_MS = 60_000

export interface PassMemory {
  /** Why the answer of `key` was not stored when it was last seen, if that is remembered. */
  recall(key: string): Detail | undefined
  remember(key: string, why: Detail): void
  forget(key: string): void
}

export function createPassMemory(clock: Clock): PassMemory {
  const known = new Map<string, { readonly why: Detail; readonly until: number }>()
  return {
    recall(key) {
      if (known.size === 0) return undefined
      const entry = known.get(key)
      if (entry === undefined) return undefined
      if (clock.now() < entry.until) return entry.why
      known.delete(key)
      return undefined
    },
    remember(key, why) {
      if (key.length > MAX_KEY_CHARACTERS) return
      known.delete(key)
      if (known.size >= MAX_KEYS) {
        // A Map gives its keys in the order of insertion: the first is the oldest.
        for (const oldest of known.keys()) {
          known.delete(oldest)
          break
        }
      }
      known.set(key, { why, until: clock.now() + PERIOD_MS })
    },
    forget(key) {
      known.delete(key)
    },
  }
}
