import type { ChunkCodec, StoredChunk } from '../../../compression/index.js'
import { crc32c } from '../../../native/crc32c.js'
import {
  CHUNK_ENTRY,
  type ChunkEntry,
  CODEC,
  chunkCount,
  decodeChunk,
  encodeChunk,
  rawBytesOf,
} from '../format/chunk.js'
import { pad8 } from '../format/numbers.js'
import {
  decodeRecord,
  FIXED_HEAD,
  isBlob,
  KIND,
  partsOf,
  putBody,
  type RecordHead,
  type RecordParts,
} from '../format/record.js'
import type { IndexEntry } from './table.js'

/*
 * Packed values: the chunks in a record.
 */

/** Describes a chunk as it is stored. */
export function entryOf({ codec, size, bytes }: StoredChunk): ChunkEntry {
  return { checksum: crc32c(bytes), storedBytes: bytes.length, rawBytes: size, codec }
}

/** The record of a value in these chunks. */
export function packedParts(
  key: Uint8Array,
  metadata: Uint8Array,
  size: number,
  chunkPower: number,
  chunks: readonly StoredChunk[],
): RecordParts {
  const head = putBody(undefined, key, metadata)
  const body = Buffer.allocUnsafe(head.length + chunks.length * CHUNK_ENTRY)
  head.copy(body)
  body.fill(0, head.length)
  let storedBytes = 0
  for (const [index, chunk] of chunks.entries()) {
    encodeChunk(entryOf(chunk), body, head.length + index * CHUNK_ENTRY)
    storedBytes += chunk.bytes.length
  }
  return {
    kind: KIND.put,
    flags: 0,
    chunkPower,
    size,
    storedBytes,
    keyBytes: key.length,
    metadataBytes: metadata.length,
    body,
    data: chunks.map(({ bytes }) => bytes),
  }
}

/** A chunk of a packed value, checked. */
export interface PackedChunk extends ChunkEntry {
  readonly bytes: Buffer
}

/** The chunks of the record whose checked head is at `at`; undefined when one is not what was written. */
export function packedChunks(bytes: Buffer, at: number, head: RecordHead): PackedChunk[] | undefined {
  if (at + head.recordBytes > bytes.length) return undefined
  const chunkBytes = 2 ** head.chunkPower
  const { table } = partsOf(head)
  const chunks: PackedChunk[] = []
  let from = at + pad8(head.headBytes)
  const end = from + head.storedBytes
  for (let index = 0; index < chunkCount(head.size, chunkBytes); index += 1) {
    const rawBytes = rawBytesOf(index, head.size, chunkBytes)
    const entry = decodeChunk(bytes, at + table + index * CHUNK_ENTRY, rawBytes)
    if (entry === undefined || from + entry.storedBytes > end) return undefined
    const stored = bytes.subarray(from, from + entry.storedBytes)
    if (crc32c(stored) !== entry.checksum) return undefined
    chunks.push({ ...entry, bytes: stored })
    from += entry.storedBytes
  }
  return from === end ? chunks : undefined
}

/** The value of these chunks; 'absent' when a codec is not here. @throws (rejects) when one cannot be decompressed */
export async function unpack(
  chunks: readonly PackedChunk[],
  size: number,
  codec: ChunkCodec,
): Promise<Buffer | 'absent'> {
  const [first] = chunks
  if (first === undefined) return Buffer.alloc(0)
  if (chunks.every((chunk) => chunk.codec === CODEC.none)) {
    // One behind the other, as they were written.
    return Buffer.from(first.bytes.buffer, first.bytes.byteOffset, size)
  }
  if (chunks.some((chunk) => codec.absence(chunk.codec) !== undefined)) return 'absent'
  const pieces = await Promise.all(
    chunks.map((chunk) => codec.decode({ codec: chunk.codec, size: chunk.rawBytes, bytes: chunk.bytes })),
  )
  const value = Buffer.allocUnsafeSlow(size)
  let at = 0
  for (const piece of pieces) {
    value.set(piece, at)
    at += piece.length
  }
  return value
}

/** The record of the entry, to be written elsewhere; undefined when it is not what was written. */
export function partsFrom(bytes: Buffer, entry: IndexEntry, context: number): RecordParts | undefined {
  const head = decodeRecord(bytes, 0, entry.offset, context)
  if (head?.kind !== KIND.put || head.sequence !== entry.sequence || head.recordBytes !== bytes.length)
    return undefined
  if (!isBlob(head) && packedChunks(bytes, 0, head) === undefined) return undefined
  const dataAt = pad8(head.headBytes)
  const { kind, flags, chunkPower, size, storedBytes, keyBytes, metadataBytes } = head
  return {
    ...{ kind, flags, chunkPower, size, storedBytes, keyBytes, metadataBytes },
    body: bytes.subarray(FIXED_HEAD, head.headBytes),
    data: isBlob(head) ? [] : [bytes.subarray(dataAt, dataAt + storedBytes)],
  }
}
