import type { Metadata, StoredEntry } from '../store/store.js'
import type { Tier } from './tier.js'

/**
 * One open entry for several readers.
 *
 * Invariant: the entry is released once, when its owner let go and every reader released its own.
 */
export class SharedEntry {
  readonly entry: StoredEntry
  /** As they stand now, which may be other than those that are stored. */
  readonly metadata: Metadata
  readonly #tier: Tier
  #holders = 1

  constructor(entry: StoredEntry, metadata: Metadata, tier: Tier) {
    this.entry = entry
    this.metadata = metadata
    this.#tier = tier
  }

  /** The entry for one more reader. */
  open(): StoredEntry {
    this.#holders += 1
    const { entry } = this
    let open = true
    return {
      metadata: this.metadata,
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
