import { crc32c } from '../../../native/crc32c.js'
import { type Context, withNumber } from './checksum.js'
import { FORMAT_VERSION, isZero, readU64, writeU64 } from './numbers.js'

/*
 * Images of the index (docs/disk-format.md, section 7).
 */

export const IMAGE_HEADER = 4096
export const IMAGE_PAGE = 64 * 1024
export const PAGE_HEAD = 16
export const IMAGE_ENTRY = 40
export const ENTRIES_PER_PAGE = 1638
export const IMAGE_FLAG = { clean: 1, synced: 2 } as const

const MAGIC = Buffer.from('DREYIMG\0', 'latin1')
const CHECKED = IMAGE_HEADER - 4

export interface ImageHeader {
  readonly number: number
  /** Position of the log: replay goes on there. */
  readonly segment: number
  readonly offset: number
  /** Oldest segment in use. */
  readonly oldest: number
  readonly nextSequence: number
  /** Sequences below are in doubt. */
  readonly doubt: number
  readonly entries: number
  readonly pages: number
  readonly flags: number
  readonly bootId: Buffer
  /** Epoch milliseconds. */
  readonly writtenAt: number
}

/** An entry of an image, as of the index. */
export interface ImageEntry {
  /** Identity of the key: low and high half. */
  readonly lo: number
  readonly hi: number
  readonly sequence: number
  /** Its number less the oldest's in the header. */
  readonly segment: number
  /** In bytes. */
  readonly offset: number
  readonly length: number
  readonly expires: number
  readonly blobUnits: number
  readonly policy: number
}

/** Length of an image of so many entries. */
export function imageBytes(entries: number): number {
  return IMAGE_HEADER + Math.ceil(entries / ENTRIES_PER_PAGE) * PAGE_HEAD + entries * IMAGE_ENTRY
}

/** @param context of the tag `IMAG` */
export function encodeImageHeader(header: ImageHeader, storeId: Buffer, context: Context): Buffer {
  const bytes = Buffer.alloc(IMAGE_HEADER)
  MAGIC.copy(bytes, 0)
  bytes.writeUInt32LE(FORMAT_VERSION, 8)
  bytes.writeUInt32LE(IMAGE_HEADER, 12)
  storeId.copy(bytes, 16, 0, 16)
  writeU64(bytes, header.number, 32)
  writeU64(bytes, header.segment, 40)
  writeU64(bytes, header.offset, 48)
  writeU64(bytes, header.oldest, 56)
  writeU64(bytes, header.nextSequence, 64)
  writeU64(bytes, header.doubt, 72)
  writeU64(bytes, header.entries, 80)
  writeU64(bytes, header.pages, 88)
  bytes.writeUInt32LE(header.flags, 96)
  header.bootId.copy(bytes, 104, 0, 16)
  writeU64(bytes, header.writtenAt, 120)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, CHECKED), withNumber(context, header.number)), CHECKED)
  return bytes
}

/** The header of the image of that number, in a file of `fileBytes`; undefined when it is not whole. */
export function decodeImageHeader(
  bytes: Buffer,
  number: number,
  fileBytes: number,
  storeId: Buffer,
  context: Context,
): ImageHeader | undefined {
  if (bytes.length < IMAGE_HEADER) return undefined
  const header: ImageHeader = {
    number: readU64(bytes, 32),
    segment: readU64(bytes, 40),
    offset: readU64(bytes, 48),
    oldest: readU64(bytes, 56),
    nextSequence: readU64(bytes, 64),
    doubt: readU64(bytes, 72),
    entries: readU64(bytes, 80),
    pages: readU64(bytes, 88),
    flags: bytes.readUInt32LE(96),
    bootId: Buffer.from(bytes.subarray(104, 120)),
    writtenAt: readU64(bytes, 120),
  }
  const numbers = [header.segment, header.offset, header.oldest, header.nextSequence, header.doubt]
  const sound =
    bytes.readUInt32LE(CHECKED) === crc32c(bytes.subarray(0, CHECKED), withNumber(context, number)) &&
    bytes.subarray(0, 8).equals(MAGIC) &&
    bytes.readUInt32LE(8) === FORMAT_VERSION &&
    bytes.readUInt32LE(12) === IMAGE_HEADER &&
    bytes.subarray(16, 32).equals(storeId) &&
    header.number === number &&
    numbers.every((value) => Number.isSafeInteger(value)) &&
    header.offset % 8 === 0 &&
    header.oldest <= header.segment &&
    (header.flags & ~(IMAGE_FLAG.clean | IMAGE_FLAG.synced)) === 0 &&
    // Compared before it is multiplied: the length of a file is no untrusted number.
    header.entries <= fileBytes / IMAGE_ENTRY &&
    header.pages === Math.ceil(header.entries / ENTRIES_PER_PAGE) &&
    imageBytes(header.entries) === fileBytes &&
    isZero(bytes, 100, 104) &&
    isZero(bytes, 128, CHECKED)
  return sound ? header : undefined
}

/** Writes the entry to a page. */
export function encodeImageEntry(entry: ImageEntry, into: Buffer, at: number): void {
  into.writeUInt32LE(entry.lo, at)
  into.writeUInt32LE(entry.hi, at + 4)
  writeU64(into, entry.sequence, at + 8)
  into.writeUInt32LE(entry.segment, at + 16)
  into.writeUInt32LE(entry.offset / 8, at + 20)
  into.writeUInt32LE(entry.length, at + 24)
  into.writeUInt32LE(entry.expires, at + 28)
  into.writeUInt32LE(entry.blobUnits, at + 32)
  into.writeUInt32LE(entry.policy, at + 36)
}

export function decodeImageEntry(bytes: Buffer, at: number): ImageEntry {
  return {
    lo: bytes.readUInt32LE(at),
    hi: bytes.readUInt32LE(at + 4),
    sequence: readU64(bytes, at + 8),
    segment: bytes.readUInt32LE(at + 16),
    offset: bytes.readUInt32LE(at + 20) * 8,
    length: bytes.readUInt32LE(at + 24),
    expires: bytes.readUInt32LE(at + 28),
    blobUnits: bytes.readUInt32LE(at + 32),
    policy: bytes.readUInt32LE(at + 36),
  }
}

/**
 * Writes the head of a page that has `entries` entries in it already.
 *
 * @param context of the tag `PAGE` and the image's number
 */
export function sealImagePage(page: Buffer, number: number, entries: number, context: Context): void {
  page.writeUInt32LE(entries, 4)
  page.fill(0, 8, PAGE_HEAD)
  const end = PAGE_HEAD + entries * IMAGE_ENTRY
  page.writeUInt32LE(crc32c(page.subarray(4, end), withNumber(context, number)), 0)
}

/** How many entries the page has, which is all of `page`; 0 when it is not whole. */
export function checkImagePage(page: Buffer, number: number, context: Context): number {
  const entries = (page.length - PAGE_HEAD) / IMAGE_ENTRY
  const sound =
    entries >= 1 &&
    entries <= ENTRIES_PER_PAGE &&
    page.readUInt32LE(4) === entries &&
    isZero(page, 8, PAGE_HEAD) &&
    page.readUInt32LE(0) === crc32c(page.subarray(4), withNumber(context, number))
  return sound ? entries : 0
}
