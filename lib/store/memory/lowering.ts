import type { Later } from '../store.js'

/** What is given up between two looks at how many entries went: those that go first may be far smaller than others. */
const STEP_BYTES = 2 ** 18
/** What one turn of the event loop gives up at most, but for its last step: a few milliseconds of evicting, of large values or of small ones. */
const TURN_BYTES = 8 * 2 ** 20
const TURN_ENTRIES = 2048

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
export function lowerTo(
  store: Lowerable,
  maxBytes: number,
  later: (turn: () => void) => void = setImmediate,
): Later<void> {
  if (turn(store, maxBytes)) return undefined
  return new Promise<void>((resolve, reject) => {
    const next = (): void => {
      try {
        if (turn(store, maxBytes)) resolve()
        else later(next)
      } catch (error) {
        reject(error)
      }
    }
    later(next)
  })
}

/** Whether no more need be done. */
function turn(store: Lowerable, maxBytes: number): boolean {
  const had = store.bound()
  for (let given = 0; ; given += STEP_BYTES) {
    const { maxBytes: from, bytes, entries } = store.bound()
    if (from <= maxBytes) return true
    // One large value may be more than many steps.
    if (Math.max(given, had.bytes - bytes) >= TURN_BYTES || had.entries - entries >= TURN_ENTRIES)
      return false
    const to = Math.max(maxBytes, Math.min(from, bytes) - STEP_BYTES)
    if (!store.lower(from, to)) return true
  }
}
