import {
  type ChunkCodec,
  type CompressionOption,
  codecId,
  createChunkCodec,
  readCompression,
} from '../../compression/index.js'
import { showValue } from '../../config/validate.js'
import { ConfigError } from '../../errors.js'
import { discardFrom, StoreAround } from '../around.js'
import { AT, compressionChange, together } from '../change.js'
import type {
  Draft,
  Later,
  Metadata,
  Store,
  StoreChange,
  StoredEntry,
  StoreFacts,
  StoreStats,
  WholeValue,
} from '../store.js'
import { CompressedEntry, WrappedEntry } from './entry.js'
import { GatheredDraft } from './gathered.js'
import { GrowingDraft } from './growing-draft.js'
import { above, beneath, layoutOf } from './layout.js'
import { PassingDraft } from './passing-draft.js'

/** Bytes of a chunk of what lies in memory: those of a piece that a body is handed out in. */
const CHUNK_BYTES = 64 * 1024

/**
 * A store that keeps values compressed in another one, which must be new and is its own from then on. `maxItemBytes` is that of the
 * store beneath, and for values as they are given.
 *
 * @throws `ERR_DREY_CONFIG` for an option that is wrong, and for a store that worker threads share
 */
export function compressed(store: Store, option: CompressionOption): Store {
  return new CompressedStore(store, createChunkCodec(readCompression(option)))
}

/**
 * Values are compressed by the chunk, so that of a range only the chunks are read that it touches. What does not get smaller lies in the
 * store beneath as it is, and is read as fast as there.
 */
export class CompressedStore extends StoreAround implements Store {
  readonly setAll?: (values: readonly WholeValue[]) => Promise<boolean>
  readonly #codec: ChunkCodec
  readonly #chunkBytes: number
  #refusals = 0

  constructor(inner: Store, codec: ChunkCodec, chunkBytes = CHUNK_BYTES) {
    super(
      inner,
      'compression: the store is one that worker threads share, whose bodies they read from each other while they grow; give a store without a name',
    )
    this.#codec = codec
    this.#chunkBytes = chunkBytes
    if (inner.setAll !== undefined) this.setAll = this.#setAll
  }

  find(key: string, peek?: boolean): Later<StoredEntry | undefined> {
    const found = this.inner.find(key, peek)
    return found instanceof Promise
      ? found.then((entry) => this.#opened(key, entry))
      : this.#opened(key, found)
  }

  draft(key: string, size: number | undefined, user?: unknown): Later<Draft | undefined> {
    const draft = this.inner.draft(key, size)
    return draft instanceof Promise
      ? draft.then((begun) => this.#drafted(key, begun, user))
      : this.#drafted(key, draft, user)
  }

  revise(key: string, entry: StoredEntry, metadata: Metadata): Later<boolean> {
    if (entry instanceof CompressedEntry) {
      const { inner, layout } = entry
      return this.inner.revise(key, inner, beneath(metadata, layout, inner.metadata.size))
    }
    return this.inner.revise(key, entry instanceof WrappedEntry ? entry.inner : entry, beneath(metadata))
  }

  override stats(): StoreStats {
    const stats = this.inner.stats()
    return { ...stats, refusals: stats.refusals + this.#refusals, compression: this.#codec.stats() }
  }

  configure(patch: Readonly<Record<string, unknown>>): StoreChange {
    if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
      throw new ConfigError(`${AT}: got ${showValue(patch)}; want an object of options`)
    }
    const { compression, ...rest } = patch
    const own = compressionChange(this.#codec, compression)
    if (this.inner.configure !== undefined) return together([own, this.inner.configure(rest)])
    const [unknown] = Object.keys(rest)
    if (unknown === undefined) return own
    throw new ConfigError(`${AT}.${unknown}: no such option; there are compression`)
  }

  protected above(metadata: Metadata): Metadata {
    return above(metadata, layoutOf(metadata))
  }

  protected factsAbove(facts: StoreFacts): StoreFacts {
    return { ...facts, compression: this.#codec.stats().codec }
  }

  readonly #setAll = async (values: readonly WholeValue[]): Promise<boolean> => {
    const packed: WholeValue[] = []
    for (const { key, bytes, metadata } of values) {
      const gathered = new GatheredDraft()
      const draft = this.#passing(gathered, metadata.user)
      if (!(await draft.write(bytes)) || !(await draft.commit(metadata))) return false
      packed.push({ key, bytes: gathered.bytes, metadata: gathered.metadata! })
    }
    return this.inner.setAll!(packed)
  }

  #opened(key: string, entry: StoredEntry | undefined): StoredEntry | undefined {
    if (entry === undefined) return undefined
    const layout = layoutOf(entry.metadata)
    const metadata = above(entry.metadata, layout)
    if (layout === undefined) return metadata === entry.metadata ? entry : new WrappedEntry(entry, metadata)
    if (this.#codec.absence(codecId(layout.codec), layout.codec) === undefined) {
      return new CompressedEntry(entry, metadata, layout, this.#codec, () => this.#drop(key))
    }
    // A miss, and nothing is destroyed: whoever has the codec can read it (I10).
    entry.release()
    return undefined
  }

  #drafted(key: string, draft: Draft | undefined, user: unknown): Draft | undefined {
    if (draft === undefined) return undefined
    if (draft.growing === undefined) return this.#passing(draft, user)
    const begin = (size: number | undefined): Later<Draft | undefined> => this.inner.draft(key, size)
    return new GrowingDraft(draft, draft.growing, begin, this.#codec, this.#chunkBytes, user)
  }

  #passing(draft: Draft, user: unknown): Draft {
    const { maxItemBytes } = this
    return new PassingDraft(draft, this.#codec, this.#chunkBytes, user, {
      maxItemBytes,
      onRefusal: () => {
        this.#refusals += 1
      },
    })
  }

  /** What cannot be read leaves the store, so that the next fetch replaces it. */
  #drop(key: string): void {
    const ignored = (): void => undefined
    // The reader is told that its entry cannot be read; that it could not be removed either changes nothing for anybody.
    Promise.resolve(discardFrom(this.inner, key)).then(ignored, ignored)
  }
}
