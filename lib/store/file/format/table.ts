import { crc32c } from '../../../native/crc32c.js'
import { type Context, withNumber } from './checksum.js'
import { CHUNK_ENTRY, type ChunkEntry, chunkCount, decodeChunk, rawBytesOf } from './chunk.js'
import { readU64, writeU64 } from './numbers.js'

/*
 * The table of a blob's chunks, behind them in its file (docs/disk-format.md, section 6).
 */

export const TABLE_PAGE = 4096
export const CHUNKS_PER_PAGE = 255

const PAGE_HEAD = 16

/** A blob's measures, as its record has them. */
export interface BlobShape {
  readonly size: number
  readonly storedBytes: number
  readonly chunkBytes: number
}

/** A page that was checked. */
export interface TablePage {
  readonly chunks: readonly ChunkEntry[]
  /** Where each of them begins in the file, and behind the last where that ends. */
  readonly offsets: readonly number[]
}

/** Length of the table of `chunks` chunks. */
export function tableBytes(chunks: number): number {
  return Math.ceil(chunks / CHUNKS_PER_PAGE) * PAGE_HEAD + chunks * CHUNK_ENTRY
}

/** Length of a blob's file. */
export function blobBytes(shape: BlobShape): number {
  return shape.storedBytes + tableBytes(chunkCount(shape.size, shape.chunkBytes))
}

/** Where the page `page` lies in the file. */
export function pagePlace(
  page: number,
  shape: BlobShape,
): { readonly offset: number; readonly length: number } {
  const chunks = chunkCount(shape.size, shape.chunkBytes)
  const here = Math.min(CHUNKS_PER_PAGE, chunks - page * CHUNKS_PER_PAGE)
  return { offset: shape.storedBytes + page * TABLE_PAGE, length: PAGE_HEAD + here * CHUNK_ENTRY }
}

/** @param entries of all chunks, CHUNK_ENTRY each @param context of the tag `BLOB`, the key's hash and the blob's sequence */
export function encodeTable(entries: Buffer, context: Context): Buffer {
  const chunks = entries.length / CHUNK_ENTRY
  const table = Buffer.allocUnsafe(tableBytes(chunks))
  let offset = 0
  for (let page = 0, at = 0; at < table.length; page += 1, at += TABLE_PAGE) {
    const from = page * CHUNKS_PER_PAGE
    const here = Math.min(CHUNKS_PER_PAGE, chunks - from)
    const end = at + PAGE_HEAD + here * CHUNK_ENTRY
    table.writeUInt32LE(here, at + 4)
    writeU64(table, offset, at + 8)
    entries.copy(table, at + PAGE_HEAD, from * CHUNK_ENTRY, (from + here) * CHUNK_ENTRY)
    table.writeUInt32LE(crc32c(table.subarray(at + 4, end), withNumber(context, page)), at)
    for (let index = from; index < from + here; index += 1) {
      offset += entries.readUInt32LE(index * CHUNK_ENTRY + 4)
    }
  }
  return table
}

/** The page number `page` of the blob; undefined when it is not whole, or no page of such a blob. */
export function decodePage(
  bytes: Buffer,
  page: number,
  shape: BlobShape,
  context: Context,
): TablePage | undefined {
  const { size, chunkBytes, storedBytes } = shape
  const count = chunkCount(size, chunkBytes)
  const from = page * CHUNKS_PER_PAGE
  const here = Math.min(CHUNKS_PER_PAGE, count - from)
  if (here < 1 || bytes.length !== PAGE_HEAD + here * CHUNK_ENTRY) return undefined
  if (bytes.readUInt32LE(0) !== crc32c(bytes.subarray(4), withNumber(context, page))) return undefined
  if (bytes.readUInt32LE(4) !== here) return undefined
  const chunks: ChunkEntry[] = []
  let offset = readU64(bytes, 8)
  const offsets = [offset]
  for (let index = 0; index < here; index += 1) {
    const chunk = decodeChunk(
      bytes,
      PAGE_HEAD + index * CHUNK_ENTRY,
      rawBytesOf(from + index, size, chunkBytes),
    )
    if (chunk === undefined) return undefined
    chunks.push(chunk)
    offset += chunk.storedBytes
    offsets.push(offset)
  }
  const last = from + here === count
  const sound = (page > 0 || offsets[0] === 0) && offset <= storedBytes && (!last || offset === storedBytes)
  return sound ? { chunks, offsets } : undefined
}
