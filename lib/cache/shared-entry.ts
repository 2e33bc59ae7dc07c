import type { Metadata, StoredEntry } from '../store/store.js'
import type { Tier } from './tier.js'

/**
 * One open entry for several readers.
 *
 * Invariant: the entry is released once, when its owner let go and every reader released its own.
 */
export class SharedEntry {
  readonly entry: StoredEntry
  readonly #tier: Tier
  #holders = 1

  constructor(entry: StoredEntry, tier: Tier) {
    this.entry = entry
    this.#tier = tier
  }

  get metadata(): Metadata {
    return this.entry.metadata
  }

  /** The entry for one more reader. */
  open(): StoredEntry {
    this.#holders += 1
    const { entry } = this
    let open = true
    return {
      metadata: entry.metadata,
      read: (target, position) => entry.read(target, position),
      ...(entry.view === undefined ? {} : { view: (position: number) => entry.view!(position) }),
      release: () => {
        if (open) this.letGo()
        open = false
      },
    }
  }

  /** Gives up one holding; the owner calls it once. */
  letGo(): void {
    this.#holders -= 1
    if (this.#holders === 0) this.#tier.release(this.entry)
  }
}
