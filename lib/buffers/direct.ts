import { Magazine } from './magazine.js'
import { Slab } from './slab.js'
import { Slot } from './slot.js'

const NO_MAGAZINE = new Magazine(0, -1)
const NO_SLAB = new Slab(NO_MAGAZINE, new ArrayBuffer(0))

/**
 * What all Buffers are tied to that a pool allocated for one use, or another one that they are tied to once they are back. It is a slot so that `put`
 * meets one kind of thing only, which is what makes it fast; nothing is ever out of it, so that `put` asks further.
 */
export function directSlot(owner: object): Slot {
  return new Slot(owner, NO_MAGAZINE, NO_SLAB, 0, Buffer.alloc(0))
}
