import { ConfigError } from '../errors.js'
import type { Later, Metadata, Store, StoreContext, StoreFacts, StoreStats, TagJournal } from './store.js'

type Listed = readonly [key: string, metadata: Metadata]

/** What a store around another one hands on as it is. The one within must be new, and is its own from then on. */
export abstract class StoreAround {
  readonly name: string
  readonly outlives: boolean
  readonly journal?: TagJournal
  readonly keeps?: false
  readonly knows?: (key: string) => boolean
  readonly discard?: (key: string) => Later<boolean>
  readonly facts?: () => StoreFacts
  protected readonly inner: Store

  /**
   * @param unshared what is said of a store that worker threads share
   * @throws `ERR_DREY_CONFIG` for such a one
   */
  constructor(inner: Store, unshared: string) {
    if (inner.sharing !== undefined) throw new ConfigError(unshared)
    this.inner = inner
    this.name = inner.name
    this.outlives = inner.outlives === true
    if (inner.journal !== undefined) this.journal = inner.journal
    if (inner.keeps === false) this.keeps = false
    if (inner.knows !== undefined) this.knows = (key) => inner.knows!(key)
    if (inner.facts !== undefined) this.facts = () => this.factsAbove(inner.facts!())
    if (inner.discard !== undefined) this.discard = (key) => inner.discard!(key)
  }

  /** Metadata for the cache, of what is `metadata` within. */
  protected abstract above(metadata: Metadata): Metadata

  /** What the store within says of itself, and what this one adds. */
  protected abstract factsAbove(facts: StoreFacts): StoreFacts

  get maxItemBytes(): number {
    return this.inner.maxItemBytes
  }

  open(context: StoreContext): Later<void> {
    return this.inner.open(context)
  }

  delete(key: string): Later<boolean> {
    return this.inner.delete(key)
  }

  clear(): Later<void> {
    return this.inner.clear()
  }

  entries(): Iterable<Listed> | AsyncIterable<Listed> {
    const within = this.inner.entries()
    return Symbol.asyncIterator in within ? this.#listedLater(within) : this.#listed(within)
  }

  stats(): StoreStats {
    return this.inner.stats()
  }

  pressure(factor: number): void {
    this.inner.pressure?.(factor)
  }

  close(): Later<void> {
    return this.inner.close()
  }

  *#listed(within: Iterable<Listed>): Generator<Listed> {
    for (const [key, metadata] of within) yield [key, this.above(metadata)]
  }

  async *#listedLater(within: AsyncIterable<Listed>): AsyncGenerator<Listed> {
    for await (const [key, metadata] of within) yield [key, this.above(metadata)]
  }
}

/** Removes what `store` has of `key` on nobody's behalf, so that what is being written under it stays. */
export function discardFrom(store: Store, key: string): Later<boolean> {
  return store.discard === undefined ? store.delete(key) : store.discard(key)
}
