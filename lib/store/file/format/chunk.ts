import { isZero, MAX_CHUNK_POWER, MIN_CHUNK_POWER } from './numbers.js'

/** What a chunk's description takes. */
export const CHUNK_ENTRY = 16

/** Ids of codecs on the disk. */
export const CODEC = { none: 0, lz4: 1, gzip: 2, zstd: 3, own: 4 } as const

/** A chunk as it is stored (docs/disk-format.md, section 5.2). */
export interface ChunkEntry {
  /** CRC32C of the bytes as they are stored. */
  readonly checksum: number
  readonly storedBytes: number
  readonly rawBytes: number
  readonly codec: number
}

export function encodeChunk(chunk: ChunkEntry, into: Buffer, at: number): void {
  into.writeUInt32LE(chunk.checksum, at)
  into.writeUInt32LE(chunk.storedBytes, at + 4)
  into.writeUInt32LE(chunk.rawBytes, at + 8)
  into.writeUInt32LE(chunk.codec, at + 12)
}

/** The chunk described at `at`; undefined unless it is one of exactly `rawBytes`. */
export function decodeChunk(bytes: Buffer, at: number, rawBytes: number): ChunkEntry | undefined {
  if (at + CHUNK_ENTRY > bytes.length) return undefined
  const chunk: ChunkEntry = {
    checksum: bytes.readUInt32LE(at),
    storedBytes: bytes.readUInt32LE(at + 4),
    rawBytes: bytes.readUInt32LE(at + 8),
    codec: bytes.readUInt8(at + 12),
  }
  const { storedBytes, codec } = chunk
  const sound =
    chunk.rawBytes === rawBytes &&
    storedBytes >= 1 &&
    (codec === CODEC.none ? storedBytes === rawBytes : storedBytes <= rawBytes) &&
    codec <= CODEC.own &&
    isZero(bytes, at + 13, at + CHUNK_ENTRY)
  return sound ? chunk : undefined
}

/** How many chunks a value has. */
export function chunkCount(size: number, chunkBytes: number): number {
  return Math.ceil(size / chunkBytes)
}

/** Bytes of the chunk number `index` before compression. */
export function rawBytesOf(index: number, size: number, chunkBytes: number): number {
  return Math.min(chunkBytes, size - index * chunkBytes)
}

/** Whether chunks may be of 2 to the `power` bytes. */
export function isChunkPower(power: number): boolean {
  return power >= MIN_CHUNK_POWER && power <= MAX_CHUNK_POWER
}
