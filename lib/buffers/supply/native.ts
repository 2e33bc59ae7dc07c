import type { Addon } from '../../native/addon.js'
import type { SlabSupply } from './supply.js'

/** Slabs that the addon maps, in huge pages where there are such. */
export function nativeSupply(addon: Addon): SlabSupply {
  return {
    kind: 'native',
    take: (bytes) => addon.slabTake(bytes),
    giveBack: (slab) => addon.slabGiveBack(slab),
    returns: true,
  }
}
