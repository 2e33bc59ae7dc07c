import { crc32c } from '../../../native/crc32c.js'
import { type Context, withNumber } from './checksum.js'
import { BOOT_ID_BYTES, FORMAT_VERSION, isZero, readU64, STORE_ID_BYTES, writeU64 } from './numbers.js'

/** Length of a segment's header; the first record is behind it. */
export const SEGMENT_HEADER = 128

const MAGIC = Buffer.from('DREYSEG\0', 'latin1')
const CHECKED = 124

/** What a writer promised, as it stands in a segment. */
export const DURABILITY = { none: 0, process: 1, power: 2 } as const

/** The head of a file of the log (docs/disk-format.md, section 5.1). */
export interface SegmentHeader {
  readonly number: number
  /** The lowest number of a segment in use when this one was begun. */
  readonly oldest: number
  /** Greater than that of any record before. */
  readonly nextSequence: number
  /** 16 bytes; zeros where there is none. */
  readonly bootId: Buffer
  readonly durability: number
  /** Epoch milliseconds. */
  readonly begunAt: number
}

/** @param context of the tag `SEGM` */
export function encodeSegment(header: SegmentHeader, storeId: Buffer, context: Context): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER)
  MAGIC.copy(bytes, 0)
  bytes.writeUInt32LE(FORMAT_VERSION, 8)
  bytes.writeUInt32LE(SEGMENT_HEADER, 12)
  storeId.copy(bytes, 16, 0, STORE_ID_BYTES)
  writeU64(bytes, header.number, 32)
  writeU64(bytes, header.oldest, 40)
  writeU64(bytes, header.nextSequence, 48)
  header.bootId.copy(bytes, 56, 0, BOOT_ID_BYTES)
  bytes.writeUInt8(header.durability, 72)
  writeU64(bytes, header.begunAt, 80)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, CHECKED), withNumber(context, header.number)), CHECKED)
  return bytes
}

/** The header of the segment that has `number` in its name; undefined when it is not whole. */
export function decodeSegment(
  bytes: Buffer,
  number: number,
  storeId: Buffer,
  context: Context,
): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER) return undefined
  const sum = crc32c(bytes.subarray(0, CHECKED), withNumber(context, number))
  const header: SegmentHeader = {
    number: readU64(bytes, 32),
    oldest: readU64(bytes, 40),
    nextSequence: readU64(bytes, 48),
    bootId: Buffer.from(bytes.subarray(56, 56 + BOOT_ID_BYTES)),
    durability: bytes.readUInt8(72),
    begunAt: readU64(bytes, 80),
  }
  const sound =
    bytes.readUInt32LE(CHECKED) === sum &&
    bytes.subarray(0, 8).equals(MAGIC) &&
    bytes.readUInt32LE(8) === FORMAT_VERSION &&
    bytes.readUInt32LE(12) === SEGMENT_HEADER &&
    bytes.subarray(16, 32).equals(storeId) &&
    header.number === number &&
    header.oldest <= number &&
    Number.isSafeInteger(header.nextSequence) &&
    Number.isSafeInteger(header.begunAt) &&
    header.durability <= DURABILITY.power &&
    isZero(bytes, 73, 80) &&
    isZero(bytes, 88, CHECKED)
  return sound ? header : undefined
}
