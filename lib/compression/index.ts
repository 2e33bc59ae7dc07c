export type { StoredChunk } from './chunk.js'
export { type ChunkCodec, type ChunkEncoder, createChunkCodec } from './chunk-codec.js'
export { CODEC_NAMES, type CodecName } from './codecs.js'
export { CODEC_IDS, type Compressor, codecId, MAX_CHUNK, ownNameOf } from './compressor.js'
export { type ContentHint, hintOf } from './content.js'
export {
  type CompressionConfig,
  type CompressionOption,
  type CompressionOptions,
  compressionOption,
  readCompression,
} from './options.js'
export type { CompressionStats } from './stats.js'
export { type CompressStreamOptions, compressStream, decompressStream } from './stream.js'
