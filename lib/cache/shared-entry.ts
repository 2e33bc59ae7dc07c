import type { Metadata, StoredEntry } from '../store/store.js'

/** One open entry for several readers: released when its owner let go and every reader released its own. */
export class SharedEntry {
  readonly entry: StoredEntry
  #holders = 1

  constructor(entry: StoredEntry) {
    this.entry = entry
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
    if (this.#holders === 0) this.entry.release()
  }
}
