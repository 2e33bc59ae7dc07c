import type { Addon } from '../../native/addon.js'
import { jsSupply } from './js.js'
import { nativeSupply } from './native.js'
import type { SlabSupply } from './supply.js'

export type { SlabSupply } from './supply.js'

/** The supply of this engine. Some (Electron's) allow no memory but their own: there the addon is of no use for this. */
export function slabSupply(addon: Addon | undefined): SlabSupply {
  return addon?.slabAllowed() === true ? nativeSupply(addon) : jsSupply
}
