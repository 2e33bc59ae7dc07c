import type { SlabSupply } from './supply.js'

/** Slabs that the engine allocates. What is let go of goes when the collector comes by. */
export const jsSupply: SlabSupply = {
  kind: 'js',
  take(bytes) {
    try {
      return new ArrayBuffer(bytes)
    } catch (error) {
      // The engine's way of saying that there is no memory.
      if (error instanceof RangeError) return undefined
      throw error
    }
  },
  giveBack: () => false,
  returns: false,
}
