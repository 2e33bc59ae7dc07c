import type { ChunkCodec } from '../../../compression/index.js'
import {
  BLOB,
  BLOB_CHARGE,
  BLOB_SEQUENCE,
  CHUNK_POWER,
  CODEC_ID,
  SEQUENCE,
  SIZE,
  STORED,
  TABLE_AT,
  VALUE_AT,
  VALUE_BYTES,
} from '../../../native/file-numbers.js'
import { IN_HAND, type Later, type Metadata, type StoredEntry } from '../../store.js'
import { CHUNK_ENTRY, CODEC, chunkCount, decodeChunk, rawBytesOf } from '../format/chunk.js'
import { type PackedChunk, unpack } from '../js/value.js'
import { BlobEntry, type BlobHost } from './blob-entry.js'
import { foundCodecName, foundMetadata, InHandEntry } from './found.js'

/*
 * What a find gave, made an entry of.
 */

/** The packed entry whose numbers these are; undefined where it cannot be read here. */
export function readPacked(
  codec: ChunkCodec,
  numbers: Float64Array,
  memory: Buffer,
): Later<StoredEntry | undefined> {
  const found = foundMetadata(numbers, memory)
  if (found === undefined || isForeign(codec, numbers, memory)) return undefined
  const metadata = compressedBy(codec, found, numbers, memory)
  const at = numbers[VALUE_AT]!
  const sequence = numbers[SEQUENCE]!
  if (numbers[CODEC_ID] === CODEC.none) {
    return new InHandEntry(metadata, memory.subarray(at, at + metadata.size), sequence)
  }
  const chunks = packedChunks(numbers, memory)
  return unpack(chunks, metadata.size, codec).then(
    (value) => (value === 'absent' ? undefined : new InHandEntry(metadata, value, sequence)),
    // What its own codec does not read was written so: a miss, as anywhere else.
    () => undefined,
  )
}

/** The entry with a file of its own; undefined when the numbers are not of such a one. */
export function readBlob(
  host: BlobHost,
  key: string,
  numbers: Float64Array,
  memory: Buffer,
): Later<StoredEntry | undefined> | undefined {
  const handle = numbers[BLOB]!
  if (handle === -1) return undefined
  const found = foundMetadata(numbers, memory)
  const first = memory.subarray(numbers[VALUE_AT]!, numbers[VALUE_AT]! + numbers[VALUE_BYTES]!)
  const codec = numbers[CODEC_ID]!
  if (found === undefined || isForeign(host.codec, numbers, memory)) {
    host.thread.addon.blobClose(handle)
    return Promise.resolve(undefined)
  }
  const metadata = compressedBy(host.codec, found, numbers, memory)
  const { size } = metadata
  const sequence = numbers[SEQUENCE]!
  if (size <= IN_HAND && codec === CODEC.none && first.length === size) {
    host.thread.addon.blobClose(handle)
    return new InHandEntry(metadata, first, sequence)
  }
  const blob = {
    key,
    handle,
    sequence: numbers[BLOB_SEQUENCE]!,
    charge: numbers[BLOB_CHARGE]!,
    size,
    chunkBytes: 2 ** numbers[CHUNK_POWER]!,
    revision: sequence,
  }
  const entry = new BlobEntry(host, blob, metadata, codec === CODEC.none ? first : undefined)
  return size <= IN_HAND ? whole(entry) : entry
}

/** Chunks of a codec that is not here, or of somebody's own compressor, and ours is another or none. */
function isForeign(codec: ChunkCodec, numbers: Float64Array, memory: Buffer): boolean {
  const id = numbers[CODEC_ID]!
  const name = foundCodecName(numbers, memory)
  if (name !== undefined && codec.absence(CODEC.own, name) !== undefined) return true
  return id !== CODEC.none && codec.absence(id, name) !== undefined
}

/** Metadata that say how the value is stored, where a codec made it smaller: of a blob, as far as its first chunks say which. */
function compressedBy(
  codec: ChunkCodec,
  metadata: Metadata,
  numbers: Float64Array,
  memory: Buffer,
): Metadata {
  const id = numbers[CODEC_ID]!
  const storedSize = numbers[STORED]!
  const { size } = metadata
  if (id === CODEC.none || storedSize === size) return metadata
  const own = id === CODEC.own ? foundCodecName(numbers, memory) : undefined
  return {
    ...metadata,
    compression: { codec: own ?? codec.nameOf(id), storedSize, ratio: size / storedSize },
  }
}

/** Reads a small value to its end. */
async function whole(entry: BlobEntry): Promise<StoredEntry | undefined> {
  const value = Buffer.allocUnsafeSlow(entry.metadata.size)
  try {
    for (let at = 0; at < value.length; ) at += await entry.read(value.subarray(at), at)
    return new InHandEntry(entry.metadata, value, entry.sequence)
  } catch {
    // An error of the disk never rejects a find: the addon has counted it.
    return undefined
  } finally {
    entry.release()
  }
}

/** The addon has checked them. */
function packedChunks(numbers: Float64Array, memory: Buffer): PackedChunk[] {
  const size = numbers[SIZE]!
  const chunkBytes = 2 ** numbers[CHUNK_POWER]!
  const chunks: PackedChunk[] = []
  let at = numbers[VALUE_AT]!
  for (let index = 0; index < chunkCount(size, chunkBytes); index += 1) {
    const tableAt = numbers[TABLE_AT]! + index * CHUNK_ENTRY
    const entry = decodeChunk(memory, tableAt, rawBytesOf(index, size, chunkBytes))!
    chunks.push({ ...entry, bytes: memory.subarray(at, at + entry.storedBytes) })
    at += entry.storedBytes
  }
  return chunks
}
