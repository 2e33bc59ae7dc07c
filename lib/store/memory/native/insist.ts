import { DRAFT } from '../../../native/addon.js'
import type { NativeStore } from './host.js'

/**
 * Makes `attempt` until it finds room, or no more can be made. `again`: it is not the last.
 *
 * @param attempt says one of DRAFT or STORED, in which "no room" is the same number
 */
export function insist(store: NativeStore, attempt: (again: boolean) => number): number {
  for (;;) {
    const outcome = attempt(true)
    if (outcome !== DRAFT.noRoom) return outcome
    if (!store.makeRoom()) return attempt(false)
  }
}
