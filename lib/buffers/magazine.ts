import type { Slab } from './slab.js'
import type { Slot } from './slot.js'

/** In so many parts it is known how much of a class is asked for. */
export const PARTS = 8

/**
 * The slots of one class. The fields up to `wholes` are what `get` and `put` touch.
 *
 * Invariants: `idle[0 .. count)` are the idle slots, the one put back last at the end, and what lies beyond is null: a slot that is out must not be
 * reachable from here. `slots` are those of warm slabs, idle or out, without the lost; `idleSlabs` of `slabs` have none out.
 */
export class Magazine {
  readonly bytes: number
  /** Place among the classes. */
  readonly index: number
  readonly idle: Array<Slot | null> = []
  count = 0
  /** The least that `count` was since `fold`. */
  low = 0
  idleSlabs = 0
  /** Gets of just this size. */
  wholes = 0
  /** Gets of other sizes, and the bytes that they asked for. */
  views = 0
  viewBytes = 0
  /** Those gets, by the part of the way from the class before to this one in which they lie. */
  readonly parts = new Float64Array(PARTS)
  /** Bytes of the class before: what is at most as large is served there. */
  readonly least: number
  readonly #perPart: number
  /** Gets that found nothing idle. */
  misses = 0
  slots = 0
  /** Slots whose holder lost them, ever. */
  lost = 0
  /** Gets that went elsewhere for want of room, or because the system refused memory. */
  unserved = 0
  /** Warm slabs: they count as held. */
  slabs: Slab[] = []
  /** Slabs whose memory went back to the system, and whose Buffers are kept. */
  readonly cold: Slab[] = []
  /** The warm slab that is not cut to its end yet. */
  open: Slab | undefined
  /** The most that was out since the last sweep, as far as `fold` knows. */
  peak = 0
  /** As many slots stay, however long they are idle. */
  target = 0
  /** Tick of the last sweep before which it was used. */
  usedAt = 0
  #seen = 0

  /** @param least the class before; 0 where there is none */
  constructor(bytes: number, index: number, least = 0) {
    this.bytes = bytes
    this.index = index
    this.least = least
    this.#perPart = PARTS / (bytes - least)
  }

  /** A get of `size` bytes, more than the class before has and fewer than this one. */
  viewed(size: number): void {
    this.views += 1
    this.viewBytes += size
    // Smaller ones come here only where the class before could not serve them.
    this.parts[Math.max(0, Math.floor((size - this.least) * this.#perPart))]! += 1
  }

  /** Slots that are out and not known to be lost. */
  get out(): number {
    return this.slots - this.count
  }

  get gets(): number {
    return this.wholes + this.views
  }

  /** To be called before `slots` changes, and to learn `peak`. */
  fold(): void {
    this.peak = Math.max(this.peak, this.slots - this.low)
    this.low = this.count
  }

  /** Says whether it was used since this was called last. */
  wasUsed(): boolean {
    const used = this.gets !== this.#seen
    this.#seen = this.gets
    return used
  }

  /** Takes in slots that are idle. */
  add(slots: readonly Slot[]): void {
    this.fold()
    for (const slot of slots) this.idle[this.count++] = slot
    this.slots += slots.length
    this.low = this.count
  }

  /** Takes slabs out of which nothing is out but what was lost; their idle slots are in `kept` of each then. */
  withdraw(slabs: readonly Slab[]): void {
    for (const slab of slabs) slab.leaving = true
    this.fold()
    let left = 0
    for (let at = 0; at < this.count; at += 1) {
      const slot = this.idle[at]!
      if (slot.slab.leaving) slot.slab.kept.push(slot)
      else this.idle[left++] = slot
    }
    this.idle.fill(null, left, this.count)
    this.slots -= this.count - left
    this.count = left
    this.low = left
    this.slabs = this.slabs.filter((slab) => !slab.leaving)
    for (const slab of slabs) {
      slab.leaving = false
      if (slab.out === 0) this.idleSlabs -= 1
      if (this.open === slab) this.open = undefined
    }
  }

  /** Moves the slots of the slabs that are used least to the far end, so that those come to lie idle whole. */
  gather(): void {
    const bySlab = new Map<Slab, Slot[]>()
    for (let at = 0; at < this.count; at += 1) {
      const slot = this.idle[at]!
      const slots = bySlab.get(slot.slab)
      if (slots === undefined) bySlab.set(slot.slab, [slot])
      else slots.push(slot)
    }
    let at = 0
    for (const [, slots] of [...bySlab].sort(([a], [b]) => a.out - b.out)) {
      for (const slot of slots) this.idle[at++] = slot
    }
  }
}
