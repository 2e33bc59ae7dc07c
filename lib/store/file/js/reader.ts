import { IN_HAND, type Metadata, type StoredEntry } from '../../store.js'
import { codeOf, readInto } from '../env.js'
import { CHUNK_ENTRY, CODEC } from '../format/chunk.js'
import { decodeMetadata, inDoubt } from '../format/metadata.js'
import { pad8 } from '../format/numbers.js'
import {
  blobSequenceOf,
  decodeRecord,
  FIXED_HEAD,
  isBlob,
  isPadded,
  KIND,
  partsOf,
  type RecordHead,
  type RecordParts,
} from '../format/record.js'
import { type BlobShape, blobBytes } from '../format/table.js'
import { blobAllotment } from '../space.js'
import { BlobReader, codecAmong, type ReaderHost } from './blob-reader.js'
import { type Core, headContext, type KeyId, segmentPath } from './core.js'
import type { OpenFile } from './files.js'
import type { IndexEntry } from './table.js'
import { packedChunks, unpack } from './value.js'

/** Why there is no entry: what came from the disk is not what was written, or cannot be read here, or is of another key. */
export type NoEntry = 'corrupt' | 'absent'

/** A record whose head was checked. */
interface ReadRecord {
  readonly head: RecordHead
  readonly bytes: Buffer
  readonly metadata: Metadata
  /** Of the user's compressor. */
  readonly codecName: string | undefined
}

/** An entry that this store opened. */
export interface OpenedEntry extends StoredEntry {
  readonly sequence: number
  /** Its record, to be written again with other metadata. */
  reviseWith(metadata: Buffer): RecordParts
  readonly blobUnits: number
}

/** Reads and checks the entry at that place. @throws what the system says */
export async function openEntry(
  host: ReaderHost,
  key: string,
  id: KeyId,
  entry: IndexEntry,
  peek: boolean,
): Promise<OpenedEntry | NoEntry> {
  const record = await readRecord(host, id, entry, entry.length)
  if (typeof record === 'string') return record
  const { head, bytes } = record
  const metadata = doubted(record.metadata, entry.sequence, host.core.doubt)
  if (!isBlob(head)) {
    const chunks = packedChunks(bytes, 0, head)
    if (chunks === undefined) return 'corrupt'
    const value = await decompressed(() => unpack(chunks, head.size, host.core.config.codec))
    if (typeof value === 'string') return value
    return packedEntry(compressedBy(host.core, record, metadata, codecAmong(chunks)), value, head, bytes)
  }
  return openBlob(host, key, id, entry, { ...record, metadata }, peek)
}

/** Key and metadata of the entry at that place, without its value. @throws what the system says */
export async function readMetadata(
  host: ReaderHost,
  entry: IndexEntry,
): Promise<readonly [string, Metadata] | NoEntry> {
  const most = Math.min(entry.length, 4096)
  let record = await readRecord(host, undefined, entry, most)
  if (record === 'corrupt' && most < entry.length)
    record = await readRecord(host, undefined, entry, entry.length)
  if (typeof record === 'string') return record
  const { head, bytes } = record
  const { key } = partsOf(head)
  const text = bytes.toString('utf8', key, key + head.keyBytes)
  const metadata = doubted(record.metadata, entry.sequence, host.core.doubt)
  return [text, compressedBy(host.core, record, metadata, codecInHead(head, bytes))]
}

/** Metadata that say how the value is stored, where a codec made it smaller. */
function compressedBy(
  { config }: Core,
  { head, codecName }: Pick<ReadRecord, 'head' | 'codecName'>,
  metadata: Metadata,
  codec: number,
): Metadata {
  if (codec === CODEC.none || head.storedBytes === head.size) return metadata
  const { size, storedBytes } = head
  const name = codec === CODEC.own && codecName !== undefined ? codecName : config.codec.nameOf(codec)
  return { ...metadata, compression: { codec: name, storedSize: storedBytes, ratio: size / storedBytes } }
}

/** The same of a packed value, by its head. Of a blob only its file knows. */
function codecInHead(head: RecordHead, bytes: Buffer): number {
  if (isBlob(head)) return CODEC.none
  const codecs = []
  for (let at = partsOf(head).table; at < head.headBytes; at += CHUNK_ENTRY)
    codecs.push({ codec: bytes[at + 12]! })
  return codecAmong(codecs)
}

async function readRecord(
  { core, lane }: ReaderHost,
  id: KeyId | undefined,
  entry: IndexEntry,
  length: number,
): Promise<ReadRecord | NoEntry> {
  const { files, dir, env, contexts } = core
  if (length < FIXED_HEAD) return 'corrupt'
  const bytes = Buffer.allocUnsafeSlow(length)
  const got = await lane.run(async () => {
    const file = await files.acquire(segmentPath(dir, entry.segment))
    try {
      return await readInto(env, file.fd, bytes, entry.offset)
    } finally {
      files.release(file)
    }
  })
  if (got < length) return 'corrupt'
  const head = decodeRecord(bytes, 0, entry.offset, headContext(contexts, entry.segment))
  const sound =
    head?.kind === KIND.put &&
    head.sequence === entry.sequence &&
    head.recordBytes === entry.length &&
    isPadded(bytes, 0, head)
  if (!sound) return 'corrupt'
  const { key, metadata, table } = partsOf(head)
  if (id !== undefined && !bytes.subarray(key, metadata).equals(id.bytes)) return 'absent'
  const stored = decodeMetadata(bytes.subarray(metadata, table), head.size)
  if (stored === undefined) return 'corrupt'
  const { codecName } = stored
  const { codec } = core.config
  // Chunks of somebody's own compressor, and ours is another or none.
  if (codecName !== undefined && codec.absence(CODEC.own, codecName) !== undefined && id !== undefined)
    return 'absent'
  return { head, bytes, metadata: stored.metadata, codecName }
}

/** An entry in doubt can be revalidated with its origin, and nothing else. */
function doubted(metadata: Metadata, sequence: number, doubt: number): Metadata {
  return sequence < doubt ? inDoubt(metadata) : metadata
}

/** What cannot be decompressed although its checksum is right was written so. */
async function decompressed<T>(work: () => Promise<T>): Promise<T | 'corrupt' | 'absent'> {
  try {
    return await work()
  } catch (error) {
    if (codeOf(error) !== 'ERR_DREY_COMPRESSION') throw error
    return (error as { readonly absent?: boolean }).absent === true ? 'absent' : 'corrupt'
  }
}

/** A value in memory. */
function inHand(metadata: Metadata, value: Buffer): StoredEntry {
  return {
    metadata,
    read: (target, position) => (position < value.length ? value.copy(target, 0, position) : 0),
    own: () => value,
    release: () => undefined,
  }
}

function packedEntry(metadata: Metadata, value: Buffer, head: RecordHead, bytes: Buffer): OpenedEntry {
  const { key, metadata: metadataAt, table } = partsOf(head)
  const dataAt = pad8(head.headBytes)
  // What `own` gave may be changed by its owner: what is written again is read again.
  const keyBytes = Buffer.from(bytes.subarray(key, metadataAt))
  const tableBytes = Buffer.from(bytes.subarray(table, head.headBytes))
  const data = bytes.subarray(dataAt, dataAt + head.storedBytes)
  const shared = value.buffer === bytes.buffer
  let stored = data
  const opened = inHand(metadata, value)
  return {
    ...opened,
    own: () => {
      if (shared && stored === data) stored = Buffer.from(data)
      return value
    },
    sequence: head.sequence,
    blobUnits: 0,
    reviseWith: (revised) => ({
      kind: KIND.put,
      flags: 0,
      chunkPower: head.chunkPower,
      size: head.size,
      storedBytes: head.storedBytes,
      keyBytes: head.keyBytes,
      metadataBytes: revised.length,
      body: Buffer.concat([keyBytes, revised, tableBytes]),
      data: [stored],
    }),
  }
}

async function openBlob(
  host: ReaderHost,
  key: string,
  id: KeyId,
  entry: IndexEntry,
  record: ReadRecord,
  peek: boolean,
): Promise<OpenedEntry | NoEntry> {
  const { core, blobs } = host
  const { head, bytes } = record
  const sequence = blobSequenceOf(bytes, 0)
  const shape: BlobShape = {
    size: head.size,
    storedBytes: head.storedBytes,
    chunkBytes: 2 ** head.chunkPower,
  }
  let file: OpenFile
  try {
    file = await core.files.acquire(blobs.path(id, sequence))
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ELOOP') return 'corrupt'
    throw error
  }
  const blob = new BlobReader(host, key, id, head.sequence, file, shape, sequence)
  try {
    const status = await core.env.statusOf(file.fd)
    const whole = status.kind === 'file' && status.size === blobBytes(shape)
    if (!whole) {
      blob.release()
      return 'corrupt'
    }
    // The first chunk is looked at now, so that what is wrong with it is a miss.
    const small = head.size <= IN_HAND
    const first = peek && !small ? undefined : await decompressed(() => blob.check())
    if (first === 'corrupt' || first === 'absent') {
      blob.release()
      return first
    }
    const codec = head.storedBytes === head.size ? CODEC.none : await blob.codec()
    const metadata = compressedBy(core, record, record.metadata, codec)
    const { key: keyAt, metadata: metadataAt } = partsOf(head)
    const begin = Buffer.from(bytes.subarray(FIXED_HEAD, metadataAt))
    const revision = {
      sequence: head.sequence,
      blobUnits: entry.blobUnits,
      reviseWith: (revised: Buffer): RecordParts => ({
        kind: KIND.put,
        flags: head.flags & 1,
        chunkPower: head.chunkPower,
        size: head.size,
        storedBytes: head.storedBytes,
        keyBytes: metadataAt - keyAt,
        metadataBytes: revised.length,
        body: Buffer.concat([begin, revised]),
        data: [],
      }),
    }
    if (small) {
      const value = Buffer.allocUnsafeSlow(head.size)
      for (let at = 0; at < value.length; ) at += await blob.read(value.subarray(at), at)
      blob.release()
      return { ...inHand(metadata, value), ...revision }
    }
    blob.hold(blobAllotment(entry.blobUnits))
    return {
      metadata,
      read: (target, position) => blob.read(target, position),
      release: () => blob.release(),
      ...revision,
    }
  } catch (error) {
    blob.release()
    if (codeOf(error) === 'ERR_DREY_CORRUPT') return 'corrupt'
    throw error
  }
}
