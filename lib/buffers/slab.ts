import type { Magazine } from './magazine.js'
import type { Slot } from './slot.js'

/** Slots begin at such a border, so that no two share a line of a processor's cache. */
const ALIGNMENT = 64

/**
 * One range of memory, cut into Buffers of one class, some at a time.
 *
 * Invariants: `cut = idle + out`, where `out` counts those that were lost too, which come back never; so a slab with `out === 0` may be used for
 * something else, and no slab that a slice may still be seen through ever is (B6).
 */
export class Slab {
  readonly magazine: Magazine
  readonly bytes: number
  /** Undefined once it is retired: what is out keeps it alive then, and nothing else. */
  memory: ArrayBuffer | undefined
  /** Slots that were made so far. */
  cut = 0
  out = 0
  /** Those of `out` whose holder lost them. */
  lost = 0
  /** Its slots while it is cold: they are in no magazine then. */
  kept: Slot[] = []
  /** The pool let go of it: what becomes of its slots is no loss. */
  retired = false
  /** While slots are taken out of the magazine: this is one of the slabs whose slots go. */
  leaving = false
  /** When one of its idle slots was put back last, as of the last sweep. */
  newest = 0

  constructor(magazine: Magazine, memory: ArrayBuffer) {
    this.magazine = magazine
    this.memory = memory
    this.bytes = memory.byteLength
  }

  get #stride(): number {
    return Math.min(Math.ceil(this.magazine.bytes / ALIGNMENT) * ALIGNMENT, this.bytes)
  }

  /** Slots that it has room for beyond those that were made. */
  get uncut(): number {
    return Math.floor(this.bytes / this.#stride) - this.cut
  }

  /** Where the next slot begins. */
  next(): number {
    return this.cut++ * this.#stride
  }
}
