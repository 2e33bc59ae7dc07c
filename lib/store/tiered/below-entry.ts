import type { Later, Metadata, StoredEntry } from '../store.js'
import type { Level } from './level.js'
import type { Promotion } from './promotion.js'

/** An entry of a tier below the first, which may be put above while it is read. */
export class BelowEntry implements StoredEntry {
  readonly metadata: Metadata
  readonly tier: string
  readonly inner: StoredEntry
  readonly level: Level
  readonly #promotion: Promotion | undefined
  readonly #onFailure: () => void

  constructor(inner: StoredEntry, level: Level, promotion: Promotion | undefined, onFailure: () => void) {
    this.inner = inner
    this.metadata = inner.metadata
    this.level = level
    this.tier = level.store.name
    this.#promotion = promotion
    this.#onFailure = onFailure
  }

  read(target: Uint8Array, position: number): Later<number> {
    try {
      const read = this.inner.read(target, position)
      if (read instanceof Promise) {
        return read.then(
          (length) => this.#taken(target, position, length),
          (error) => this.#failed(error),
        )
      }
      return this.#taken(target, position, read)
    } catch (error) {
      return this.#failed(error)
    }
  }

  release(): void {
    this.#promotion?.end()
    this.inner.release()
  }

  #taken(target: Uint8Array, position: number, length: number): number {
    this.#promotion?.offer(target.subarray(0, length), position)
    return length
  }

  #failed(error: unknown): never {
    this.#promotion?.end()
    this.#onFailure()
    return this.level.failed(error)
  }
}
