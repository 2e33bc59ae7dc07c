import { MAX_KEY_BYTES } from '../../../keys.js'
import { crc32c } from '../../../native/crc32c.js'
import { type Context, withNumber } from './checksum.js'
import { CHUNK_ENTRY, chunkCount, isChunkPower } from './chunk.js'
import {
  isZero,
  KEY_HASH_BYTES,
  MAX_HEAD,
  MAX_PACKED,
  MAX_VALUE,
  pad8,
  readU64,
  writeU64,
} from './numbers.js'

/*
 * Records of the log (docs/disk-format.md, section 5.2).
 */

export const KIND = { put: 1, delete: 2, clear: 3, batch: 4, doubt: 5, end: 6 } as const
export const FLAG = { blob: 1, member: 2, copied: 4 } as const
/** The part of a head that all records have. */
export const FIXED_HEAD = 48
/** Of `unsynced`: nobody knows. */
export const NOT_KNOWN = 0xffffffff

const MARK = 0xd4e7
const BATCH_BODY = 8
const BLOB_SEQUENCE = 8

/** What a head says, checked for itself. */
export interface RecordHead {
  /** Of the head. */
  readonly checksum: number
  readonly kind: number
  readonly flags: number
  /** Length of the head, without padding. */
  readonly headBytes: number
  readonly keyBytes: number
  readonly chunkPower: number
  readonly sequence: number
  /** Of the value. */
  readonly size: number
  readonly storedBytes: number
  readonly metadataBytes: number
  readonly unsynced: number
  /** All of the record, with padding. */
  readonly recordBytes: number
}

/** What a writer says of a record; the rest follows from its place. */
export interface RecordParts {
  readonly kind: number
  readonly flags: number
  readonly chunkPower: number
  readonly size: number
  readonly storedBytes: number
  readonly keyBytes: number
  readonly metadataBytes: number
  /** Behind the fixed part of the head. */
  readonly body: Buffer
  /** What follows the head of a packed value, one piece after another. */
  readonly data: readonly Uint8Array[]
}

/** A record's place: the rest that is written of it. */
export interface RecordPlace {
  readonly offset: number
  readonly sequence: number
  readonly unsynced: number
}

export function isBlob(head: Pick<RecordHead, 'flags'>): boolean {
  return (head.flags & FLAG.blob) !== 0
}

/** What the record takes in the log. */
export function recordBytesOf(parts: Pick<RecordParts, 'body' | 'flags' | 'storedBytes'>): number {
  return pad8(FIXED_HEAD + parts.body.length) + (isBlob(parts) ? 0 : pad8(parts.storedBytes))
}

/**
 * Writes the record to `into` at `at`, padding too; says the checksum of its head.
 *
 * @param context of the tag `HEAD` and the segment's number
 */
export function encodeRecord(
  parts: RecordParts,
  place: RecordPlace,
  context: Context,
  into: Buffer,
  at: number,
): number {
  const headBytes = FIXED_HEAD + parts.body.length
  into.writeUInt16LE(MARK, at + 4)
  into.writeUInt8(parts.kind, at + 6)
  into.writeUInt8(parts.flags, at + 7)
  into.writeUInt32LE(headBytes, at + 8)
  into.writeUInt16LE(parts.keyBytes, at + 12)
  into.writeUInt8(parts.chunkPower, at + 14)
  into.writeUInt8(0, at + 15)
  writeU64(into, place.sequence, at + 16)
  writeU64(into, parts.size, at + 24)
  writeU64(into, parts.storedBytes, at + 32)
  into.writeUInt32LE(parts.metadataBytes, at + 40)
  into.writeUInt32LE(place.unsynced, at + 44)
  parts.body.copy(into, at + FIXED_HEAD)
  const checksum = crc32c(into.subarray(at + 4, at + headBytes), withNumber(context, place.offset))
  into.writeUInt32LE(checksum, at)
  let end = at + headBytes
  const dataAt = at + pad8(headBytes)
  into.fill(0, end, dataAt)
  end = dataAt
  for (const piece of parts.data) {
    into.set(piece, end)
    end += piece.length
  }
  into.fill(0, end, dataAt + pad8(end - dataAt))
  return checksum
}

/** What the fixed part of a head at `at` says, before its checksum was looked at; undefined when it cannot be one. */
export function peekRecord(bytes: Buffer, at: number): RecordHead | undefined {
  if (at + FIXED_HEAD > bytes.length || bytes.readUInt16LE(at + 4) !== MARK) return undefined
  const head = {
    checksum: bytes.readUInt32LE(at),
    kind: bytes.readUInt8(at + 6),
    flags: bytes.readUInt8(at + 7),
    headBytes: bytes.readUInt32LE(at + 8),
    keyBytes: bytes.readUInt16LE(at + 12),
    chunkPower: bytes.readUInt8(at + 14),
    sequence: readU64(bytes, at + 16),
    size: readU64(bytes, at + 24),
    storedBytes: readU64(bytes, at + 32),
    metadataBytes: bytes.readUInt32LE(at + 40),
    unsynced: bytes.readUInt32LE(at + 44),
  }
  const sound =
    head.headBytes >= FIXED_HEAD &&
    head.headBytes <= MAX_HEAD &&
    bytes[at + 15] === 0 &&
    Number.isSafeInteger(head.sequence) &&
    FIXED_HEAD + bodyBytesOf(head) === head.headBytes
  if (!sound) return undefined
  return { ...head, recordBytes: pad8(head.headBytes) + (isBlob(head) ? 0 : pad8(head.storedBytes)) }
}

/** The head at `at`, if it is whole and `bytes` have all of it. @param context of the tag `HEAD` and the segment's number */
export function decodeRecord(
  bytes: Buffer,
  at: number,
  offset: number,
  context: Context,
): RecordHead | undefined {
  const head = peekRecord(bytes, at)
  if (head === undefined || at + head.headBytes > bytes.length) return undefined
  const sum = crc32c(bytes.subarray(at + 4, at + head.headBytes), withNumber(context, offset))
  return sum === head.checksum ? head : undefined
}

/** Length of the body that such a head must have; negative when its numbers are none of its kind. */
function bodyBytesOf(head: Omit<RecordHead, 'recordBytes'>): number {
  if (head.kind === KIND.put) return putBodyBytes(head)
  const { flags, kind } = head
  const bare =
    head.keyBytes === 0 &&
    head.chunkPower === 0 &&
    head.size === 0 &&
    head.storedBytes === 0 &&
    head.metadataBytes === 0
  if (!bare) return -1
  switch (kind) {
    case KIND.delete:
      return (flags & ~(FLAG.member | FLAG.copied)) === 0 ? KEY_HASH_BYTES : -1
    case KIND.clear:
    case KIND.doubt:
      return (flags & ~FLAG.copied) === 0 ? 0 : -1
    case KIND.batch:
      return flags === 0 ? BATCH_BODY : -1
    case KIND.end:
      return flags === 0 ? 0 : -1
    default:
      return -1
  }
}

function putBodyBytes(head: Omit<RecordHead, 'recordBytes'>): number {
  const { flags, keyBytes, size, storedBytes, chunkPower, metadataBytes } = head
  const sound =
    (flags & ~(FLAG.blob | FLAG.member | FLAG.copied)) === 0 &&
    keyBytes >= 1 &&
    keyBytes <= MAX_KEY_BYTES &&
    isChunkPower(chunkPower) &&
    size < MAX_VALUE &&
    storedBytes <= size &&
    (size === 0) === (storedBytes === 0)
  if (!sound) return -1
  if (isBlob(head)) return size === 0 ? -1 : BLOB_SEQUENCE + keyBytes + metadataBytes
  if (size > MAX_PACKED) return -1
  return keyBytes + metadataBytes + chunkCount(size, 2 ** chunkPower) * CHUNK_ENTRY
}

/** Where the parts of a put's head begin, from the head's start. */
export function partsOf(head: RecordHead): {
  readonly key: number
  readonly metadata: number
  readonly table: number
} {
  const key = FIXED_HEAD + (isBlob(head) ? BLOB_SEQUENCE : 0)
  const metadata = key + head.keyBytes
  return { key, metadata, table: metadata + head.metadataBytes }
}

/** The blob sequence of a put of a blob whose head is at `at`. */
export function blobSequenceOf(bytes: Buffer, at: number): number {
  return readU64(bytes, at + FIXED_HEAD)
}

/** The body of a put, without the table of a packed value's chunks. */
export function putBody(blobSequence: number | undefined, key: Uint8Array, metadata: Uint8Array): Buffer {
  const first = blobSequence === undefined ? 0 : BLOB_SEQUENCE
  const body = Buffer.allocUnsafe(first + key.length + metadata.length)
  if (blobSequence !== undefined) writeU64(body, blobSequence, 0)
  body.set(key, first)
  body.set(metadata, first + key.length)
  return body
}

/** The body of the end of a batch whose members' heads have these checksums. */
export function batchBody(checksums: readonly number[]): Buffer {
  const body = Buffer.alloc(BATCH_BODY)
  body.writeUInt32LE(checksums.length, 0)
  body.writeUInt32LE(batchChecksum(checksums), 4)
  return body
}

/** Whether the end of a batch whose head is at `at` is that of members with these checksums. */
export function endsBatch(bytes: Buffer, at: number, checksums: readonly number[]): boolean {
  return (
    bytes.readUInt32LE(at + FIXED_HEAD) === checksums.length &&
    bytes.readUInt32LE(at + FIXED_HEAD + 4) === batchChecksum(checksums)
  )
}

function batchChecksum(checksums: readonly number[]): number {
  const words = Buffer.allocUnsafe(4 * checksums.length)
  for (const [index, checksum] of checksums.entries()) words.writeUInt32LE(checksum, 4 * index)
  return crc32c(words)
}

/** Whether the padding behind the head is zeros. */
export function isPadded(bytes: Buffer, at: number, head: RecordHead): boolean {
  return isZero(bytes, at + head.headBytes, Math.min(bytes.length, at + pad8(head.headBytes)))
}
