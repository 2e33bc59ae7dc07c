import type { Reporter } from './report.js'
import type { Slab } from './slab.js'
import type { Slot } from './slot.js'

/** What is known of a slot by whom it outlives. It must not refer to the slot. */
class Witness {
  readonly slab: Slab
  got = ''

  constructor(slab: Slab) {
    this.slab = slab
  }
}

/**
 * Finds slots whose holder lost them: nothing refers to one that is out but the Buffer that was lent, so the collector
 * finds it. They are counted always, because a slab with such a one is never used for anything else (B6); whose fault it was is known only
 * where call sites are remembered.
 */
export class Leaks {
  readonly #sites: WeakMap<Slot, Witness> | undefined
  readonly #lost: FinalizationRegistry<Slab | Witness>

  /** @param remembers whether call sites are remembered, and losses reported */
  constructor(remembers: boolean, report: Reporter) {
    this.#sites = remembers ? new WeakMap() : undefined
    this.#lost = new FinalizationRegistry((held) => {
      const known = held instanceof Witness
      const slab = known ? held.slab : held
      // What the pool itself let go of was not lost.
      if (slab.retired) return
      const { magazine } = slab
      magazine.fold()
      magazine.slots -= 1
      magazine.lost += 1
      slab.lost += 1
      if (known) report.mistake({ kind: 'leak', bytes: magazine.bytes, got: held.got })
    })
  }

  watch(slot: Slot): void {
    if (this.#sites === undefined) {
      this.#lost.register(slot, slot.slab)
      return
    }
    const witness = new Witness(slot.slab)
    this.#sites.set(slot, witness)
    this.#lost.register(slot, witness)
  }

  got(slot: Slot, site: string): void {
    const witness = this.#sites?.get(slot)
    if (witness !== undefined) witness.got = site
  }
}
