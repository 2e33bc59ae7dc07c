import type { Later } from '../store.js'

/** What one turn of the event loop gives up at most: a few milliseconds of evicting, of large values or of small ones. */
const TURN_BYTES = 8 * 2 ** 20
const TURN_ENTRIES = 8192

/** What a bound is lowered in. */
export interface Lowerable {
  /** The bound that holds now, and what is used of it. */
  bound(): { readonly maxBytes: number; readonly bytes: number; readonly entries: number }
  /** Lowers the bound to that by evicting; false when it is not to go on, because it was changed otherwise meanwhile. */
  lower(from: number, to: number): boolean
}

/**
 * Brings the bound of a store down to `maxBytes`, a little in each turn of the event loop: to evict hundreds of thousands of entries at once
 * would keep every request waiting. At every moment the bound that holds is one that the store keeps to, and it never rises on its way; what
 * nobody uses is given up at once. What takes no more than a turn is done when it returns.
 */
export function lowerTo(store: Lowerable, maxBytes: number): Later<void> {
  if (turn(store, maxBytes)) return undefined
  return new Promise<void>((resolve, reject) => {
    const next = (): void => {
      try {
        if (turn(store, maxBytes)) resolve()
        else setImmediate(next)
      } catch (error) {
        reject(error)
      }
    }
    setImmediate(next)
  })
}

/** Whether no more need be done. */
function turn(store: Lowerable, maxBytes: number): boolean {
  const { maxBytes: from, bytes, entries } = store.bound()
  if (from <= maxBytes) return true
  const share = Math.ceil((bytes / Math.max(entries, 1)) * TURN_ENTRIES)
  const to = Math.max(maxBytes, Math.min(from, bytes) - Math.min(share, TURN_BYTES))
  return !store.lower(from, to) || to === maxBytes
}
