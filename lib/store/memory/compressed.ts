import { type CompressionConfig, createChunkCodec } from '../../compression/index.js'
import type { MemoryStorePatch } from '../../config/schema.js'
import { CompressedStore } from '../compressed/compressed.js'
import type { StoreChange } from '../store.js'
import type { MemoryStore } from './memory-store.js'

/** A memory store that keeps values compressed in another one. */
export class CompressedMemoryStore extends CompressedStore implements MemoryStore {
  constructor(inner: MemoryStore, config: CompressionConfig) {
    super(inner, createChunkCodec(config))
  }

  override configure(patch: MemoryStorePatch): StoreChange {
    return super.configure(patch)
  }
}
