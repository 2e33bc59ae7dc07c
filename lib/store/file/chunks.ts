import type { Later } from '../store.js'
import { CODEC } from './format/chunk.js'

/*
 * What the file store asks of compression: chunks one by one.
 */

/** A chunk as it is stored. */
export interface StoredChunk {
  /** Id of the codec: 0 when `bytes` are the chunk itself. */
  readonly codec: number
  /** Bytes of the chunk before. */
  readonly size: number
  /** As they are stored: fewer than `size` unless `codec` is 0. */
  readonly bytes: Uint8Array
}

export interface ChunkEncoder {
  /** `bytes` must not change until the answer is there; where they are kept as they are, they are the answer's, too. */
  encode(bytes: Uint8Array): Later<StoredChunk>
}

export interface ChunkCodec {
  /** The name of the user's compressor, if it is one, that makes chunks of codec 4. */
  readonly ownName: string | undefined
  /** For the chunks of one value. */
  encoder(): ChunkEncoder
  /** Why chunks of that codec cannot be read here; undefined when they can. */
  absence(codec: number): string | undefined
  /** The chunk, of exactly `size` bytes. @throws (or rejects) when the bytes are none of that codec and size */
  decode(chunk: StoredChunk): Later<Uint8Array>
}

const raw: ChunkEncoder = { encode: (bytes) => ({ codec: CODEC.none, size: bytes.length, bytes }) }

/** Keeps chunks as they are. */
export const noCompression: ChunkCodec = {
  ownName: undefined,
  encoder: () => raw,
  absence: (codec) => (codec === CODEC.none ? undefined : `there is no codec with the id ${codec}`),
  decode: ({ bytes }) => bytes,
}
