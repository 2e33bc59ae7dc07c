import { slotOf } from './changes.js'

const SLOTS = 16_384

/**
 * Remembers which keys were hit once: the last of each slot, by a number of 32 bits, in 64 KiB whatever keys come. One that
 * is taken for another is promoted a hit early, one that was pushed out a hit late.
 */
export class FirstHits {
  readonly #seen = new Uint32Array(SLOTS)

  /** Whether `key` was hit before, and is remembered from now on. */
  again(key: string): boolean {
    const slot = slotOf(key, SLOTS)
    const mark = markOf(key)
    if (this.#seen[slot] === mark) return true
    this.#seen[slot] = mark
    return false
  }
}

/** Another hash than that of the slots; never 0, which is an empty slot. */
function markOf(key: string): number {
  let hash = 5381
  for (let at = 0; at < key.length; at += 1) hash = (Math.imul(hash, 33) + key.charCodeAt(at)) | 0
  return hash >>> 0 || 1
}
