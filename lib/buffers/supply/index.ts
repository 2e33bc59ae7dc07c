import type { Addon } from '../../native/addon.js'
import { jsSupply } from './js.js'
import { nativeSupply } from './native.js'
import type { SlabSupply } from './supply.js'

export type { SlabSupply } from './supply.js'

/** The supply of this path. */
export function slabSupply(addon: Addon | undefined): SlabSupply {
  return addon === undefined ? jsSupply : nativeSupply(addon)
}
