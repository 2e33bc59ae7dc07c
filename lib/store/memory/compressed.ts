import { type CompressionConfig, createChunkCodec } from '../../compression/index.js'
import type { MemoryStorePatch } from '../../config/schema.js'
import { CompressedStore } from '../compressed/compressed.js'
import type { MemoryStore } from './memory-store.js'

/** A memory store that keeps values compressed in another one. */
export class CompressedMemoryStore extends CompressedStore implements MemoryStore {
  readonly #inner: MemoryStore

  constructor(inner: MemoryStore, config: CompressionConfig) {
    super(inner, createChunkCodec(config))
    this.#inner = inner
  }

  configure(patch: MemoryStorePatch): void {
    this.#inner.configure(patch)
  }
}
