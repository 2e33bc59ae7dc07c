import type { Magazine } from './magazine.js'
import type { Slab } from './slab.js'

/**
 * One Buffer of a class, whoever has it. Invariants (B2, B3): `out` is the object that was lent, and null while the slot is idle; nothing
 * but that object refers to a slot that is out, so that the collector finds what a holder lost.
 */
export class Slot {
  /** Whose it is: a pool takes back its own only. */
  readonly owner: object
  readonly magazine: Magazine
  readonly slab: Slab
  readonly at: number
  /** All of it. Made once, and lent itself when that is the size that is asked for. */
  readonly whole: Buffer
  /** The part of it that was lent last, where that was not all: lent again when just as much is asked for. */
  view: Buffer | null = null
  out: Buffer | null = null
  /** Tick of the pool's clock at which it was put back last. */
  since = 0

  constructor(owner: object, magazine: Magazine, slab: Slab, at: number, whole: Buffer) {
    this.owner = owner
    this.magazine = magazine
    this.slab = slab
    this.at = at
    this.whole = whole
  }
}

/** Makes `new` of what is derived from it give the object that it is given. */
class Given {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: what follows is a mark on an object that is there already
    return object
  }
}

/*
 * A Buffer's slot is a private field that is put on it from outside. Of all ways to get from one to the other it alone costs
 * nothing that can be measured, and shows nowhere: not in `util.inspect`, not in a comparison, not in a copy.
 */

class SlotMark extends Given {
  #slot: Slot

  constructor(buffer: Buffer, slot: Slot) {
    super(buffer)
    this.#slot = slot
  }

  static of(buffer: object): Slot | undefined {
    return #slot in buffer ? buffer.#slot : undefined
  }

  static change(buffer: object, slot: Slot): void {
    if (#slot in buffer) buffer.#slot = slot
  }
}

/** Ties a Buffer to its slot, once. */
export function markSlot(buffer: Buffer, slot: Slot): void {
  new SlotMark(buffer, slot)
}

/** The slot that a Buffer was tied to; of a slice, a copy or somebody else's Buffer there is none. */
export function slotOf(buffer: object): Slot | undefined {
  return SlotMark.of(buffer)
}

/** Ties a Buffer that is tied already to another slot. */
export function changeSlot(buffer: Buffer, slot: Slot): void {
  SlotMark.change(buffer, slot)
}
