import type { Addon } from '../../native/addon.js'
import { jsSupply } from './js.js'
import type { SlabSupply } from './supply.js'

/**
 * Slabs that the engine allocates, and whose memory the addon gives back to the system while they stay.
 *
 * The addon maps none itself: where a slab is marked as not to be transferred, Node 22 and later abort at their end over memory that an
 * addon lent them (docs/decisions/0010-memory-of-slabs.md).
 */
export function nativeSupply(addon: Addon): SlabSupply {
  return {
    kind: 'native',
    take: jsSupply.take,
    giveBack: (slab) => addon.slabGiveBack(slab),
    returns: true,
  }
}
