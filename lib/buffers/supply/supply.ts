/** Where the memory of slabs comes from. */
export interface SlabSupply {
  readonly kind: 'native' | 'js'
  /** A range of memory of that many bytes, whose content is anything; undefined when the system refuses it. */
  take(bytes: number): ArrayBuffer | undefined
  /**
   * Gives the memory behind a slab back to the system while the object stays, and may be used again at any time. False when that cannot
   * be done here: the caller lets go of the object instead.
   */
  giveBack(slab: ArrayBuffer): boolean
  /** Whether `giveBack` can be done here at all. */
  readonly returns: boolean
}
