import type { MemoryStoreOptions } from '../../lib/index.js'
import { jsMemoryStore } from '../../lib/store/memory/js.js'
import { readMemoryOptions } from '../../lib/store/memory/options.js'
import type { Store, StoreContext, TagJournal } from '../../lib/store/store.js'
import { TagFloors } from '../../lib/store/tag-floors.js'
import { Flight, type Pass } from './shared-pass.js'
import { SharedStore } from './shared-store.js'

/*
 * A memory store that several threads share, with the threads left out: each `attach()` gives the store of one more
 * "thread", all over one memory of the js engine. It is the model of `Sharing`, and strict about how it is used.
 */

/** The memory, and who has it open. */
export class SharedMemory {
  readonly base: Store
  /** Calls that the contract forbids. */
  readonly misuse: string[] = []
  readonly passes = new Set<Pass>()
  /** What was invalidated by tag, in whichever thread. */
  readonly tags = new TagFloors()
  readonly #versions = new Map<string, number>()
  readonly #attached = new Set<SharedStore>()
  #opened = false
  #count = 0

  constructor(options: MemoryStoreOptions) {
    this.base = jsMemoryStore(readMemoryOptions(options))
  }

  attach(): SharedStore {
    const store = new SharedStore(this)
    this.#attached.add(store)
    return store
  }

  /** Flights that are not over. */
  get flights(): number {
    let count = 0
    for (const pass of this.passes) if (pass instanceof Flight) count += 1
    return count
  }

  /** The next number: versions of entries, and the order in which passes began. */
  next(): number {
    this.#count += 1
    return this.#count
  }

  version(key: string): number {
    return this.#versions.get(key) ?? 0
  }

  changed(key: string): void {
    this.#versions.set(key, this.next())
  }

  /** A write fences the fills of its key, a fill those that began before it, a delete all. */
  fence(concerns: (pass: Pass) => boolean): void {
    for (const pass of this.passes) if (concerns(pass)) pass.fenced = true
  }

  fenceFills(key: string, before = Number.POSITIVE_INFINITY): void {
    this.fence((pass) => pass.key === key && pass instanceof Flight && pass.order < before)
  }

  /** The flight that may be joined. What began before the last invalidation may not, and is fenced by who comes after that. */
  flightOf(key: string): Flight | undefined {
    for (const pass of this.passes) {
      if (!(pass instanceof Flight) || pass.key !== key || pass.alone || pass.fenced) continue
      if (pass.began === this.tags.sequence) return pass
      pass.fenced = true
    }
    return undefined
  }

  get journal(): TagJournal {
    const { tags } = this
    return {
      get version() {
        return tags.version
      },
      get sequence() {
        return tags.sequence
      },
      get latest() {
        return tags.sequence
      },
      since: (version) => tags.since(version),
      invalidate: (...given) => tags.invalidate(...given),
      join: (...given) => tags.join(...given),
    }
  }

  async open(): Promise<void> {
    if (this.#opened) return
    this.#opened = true
    await this.base.open({
      now: () => this.#first().now(),
      onEvict: (key, reason) => {
        for (const { context } of this.#attached) context?.onEvict(key, reason)
      },
      hearsEvictions: () => true,
    })
  }

  async leave(store: SharedStore): Promise<void> {
    if (this.#attached.delete(store) && this.#attached.size === 0) await this.base.close()
  }

  #first(): StoreContext {
    for (const { context } of this.#attached) if (context !== undefined) return context
    throw new Error('nobody has the memory open')
  }
}

/** A memory to be shared: 64 MiB, values up to 8 MiB, unless told otherwise. */
export function sharedMemory(options: MemoryStoreOptions = {}): SharedMemory {
  return new SharedMemory({ maxBytes: 64 * 2 ** 20, maxItemBytes: 8 * 2 ** 20, ...options })
}
