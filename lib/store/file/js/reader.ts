import { ClosedError, CorruptError } from '../../../errors.js'
import { showKey } from '../../../keys.js'
import { crc32c } from '../../../native/crc32c.js'
import { IN_HAND, type Later, type Metadata, type StoredEntry } from '../../store.js'
import { codeOf, readInto } from '../env.js'
import { failure } from '../failure.js'
import { CHUNK_ENTRY, CODEC } from '../format/chunk.js'
import { decodeMetadata } from '../format/metadata.js'
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
import {
  type BlobShape,
  blobBytes,
  CHUNKS_PER_PAGE,
  decodePage,
  pagePlace,
  type TablePage,
} from '../format/table.js'
import { blobAllotment, unitsOf } from '../space.js'
import type { Blobs } from './blobs.js'
import { blobContext, type Core, headContext, type KeyId, segmentPath } from './core.js'
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

/** A bounded number of reads at a time. */
export class ReadLane {
  readonly #limit: number
  readonly #waiting: Array<() => void> = []
  #running = 0
  #idle: Array<() => void> = []

  constructor(limit: number) {
    this.#limit = limit
  }

  async run<T>(read: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((go) => this.#waiting.push(go))
    else this.#running += 1
    try {
      return await read()
    } finally {
      const next = this.#waiting.shift()
      if (next !== undefined) next()
      else this.#leave()
    }
  }

  /** Resolves when none is under way. */
  async quiet(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((done) => this.#idle.push(done))
  }

  #leave(): void {
    this.#running -= 1
    if (this.#running > 0) return
    const idle = this.#idle
    this.#idle = []
    for (const done of idle) done()
  }
}

/** What readers of blobs need of their store. */
export interface ReaderHost {
  readonly core: Core
  readonly blobs: Blobs
  readonly lane: ReadLane
  readonly closed: boolean
  /** What was found is not what was written: it is to be dropped. */
  onDamage(key: string, id: KeyId, sequence: number): void
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

/** The codec of the first chunk that has one. */
function codecAmong(chunks: ReadonlyArray<{ readonly codec: number }>): number {
  return chunks.find(({ codec }) => codec !== CODEC.none)?.codec ?? CODEC.none
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
  return sequence < doubt ? { ...metadata, freshUntil: 0, staleIfErrorUntil: 0 } : metadata
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
    if (!whole || unitsOf(status.size) !== entry.blobUnits) {
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

/** Chunks kept: the one that is read, the one ahead, and one for a second reader of the same entry. */
const KEPT_CHUNKS = 3
const KEPT_PAGES = 2

/**
 * Reads a blob chunk by chunk, the next one while one is consumed, and gives no byte before its checksum was compared.
 *
 * Invariants: the file is released once, when `release` was called and no read is under way; it is pinned from `hold` to
 * `release`.
 */
class BlobReader {
  readonly #host: ReaderHost
  readonly #key: string
  readonly #id: KeyId
  readonly #sequence: number
  readonly #file: OpenFile
  readonly #shape: BlobShape
  readonly #context: number
  readonly #pages = new Map<number, Promise<TablePage>>()
  readonly #chunks = new Map<number, Promise<Uint8Array> | Uint8Array>()
  #held = false
  #released = false
  #reading = 0

  constructor(
    host: ReaderHost,
    key: string,
    id: KeyId,
    sequence: number,
    file: OpenFile,
    shape: BlobShape,
    blobSequence: number,
  ) {
    this.#host = host
    this.#key = key
    this.#id = id
    this.#sequence = sequence
    this.#file = file
    this.#shape = shape
    this.#context = blobContext(host.core.contexts, id.hash, blobSequence)
  }

  hold(bytes: number): void {
    this.#held = true
    this.#host.core.files.pin(this.#file, bytes)
  }

  /** Sees to the first chunk. */
  async check(): Promise<void> {
    await this.#chunk(0)
  }

  /** Of its first chunks, as far as they have one. */
  async codec(): Promise<number> {
    return codecAmong((await this.#page(0)).chunks)
  }

  read(target: Uint8Array, position: number): Later<number> {
    const { size, chunkBytes } = this.#shape
    if (position >= size || target.length === 0) return 0
    if (this.#released || this.#host.closed) {
      throw new ClosedError(`the entry of ${showKey(this.#key)} was released, or its store closed`)
    }
    const index = Math.floor(position / chunkBytes)
    const chunk = this.#chunk(index)
    if ((index + 1) * chunkBytes < size) this.#ahead(index + 1)
    const copy = (bytes: Uint8Array): number => {
      const from = position - index * chunkBytes
      const length = Math.min(target.length, bytes.length - from)
      target.set(bytes.subarray(from, from + length))
      return length
    }
    return chunk instanceof Promise ? chunk.then(copy) : copy(chunk)
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    if (this.#held) this.#host.core.files.unpin(this.#file)
    this.#letGo()
  }

  #letGo(): void {
    if (this.#released && this.#reading === 0) {
      this.#reading = -1
      this.#chunks.clear()
      this.#host.core.files.release(this.#file)
    }
  }

  #ahead(index: number): void {
    const chunk = this.#chunk(index)
    // Who reads on is told; who does not, need not know.
    if (chunk instanceof Promise) chunk.catch(() => undefined)
  }

  #chunk(index: number): Promise<Uint8Array> | Uint8Array {
    const there = this.#chunks.get(index)
    if (there !== undefined) return there
    const chunk = this.#busy(() => this.#readChunk(index))
    this.#keep(this.#chunks, index, chunk, KEPT_CHUNKS)
    chunk.then(
      (bytes) => {
        if (this.#chunks.get(index) === chunk) this.#chunks.set(index, bytes)
      },
      // A disk that failed may not fail again.
      () => this.#chunks.delete(index),
    )
    return chunk
  }

  #keep<T>(kept: Map<number, T>, index: number, value: T, most: number): void {
    for (const oldest of kept.keys()) {
      if (kept.size < most) break
      kept.delete(oldest)
    }
    kept.set(index, value)
  }

  async #busy<T>(work: () => Promise<T>): Promise<T> {
    this.#reading += 1
    try {
      return await work()
    } finally {
      this.#reading -= 1
      this.#letGo()
    }
  }

  async #readChunk(index: number): Promise<Uint8Array> {
    const pageNumber = Math.floor(index / CHUNKS_PER_PAGE)
    const page = await this.#page(pageNumber)
    const at = index - pageNumber * CHUNKS_PER_PAGE
    const chunk = page.chunks[at]!
    const bytes = await this.#bytes(page.offsets[at]!, chunk.storedBytes)
    if (crc32c(bytes) !== chunk.checksum) throw this.#damaged(`chunk ${index}`)
    if (chunk.codec === CODEC.none) return bytes
    return this.#host.core.config.codec.decode({ codec: chunk.codec, size: chunk.rawBytes, bytes })
  }

  #page(number: number): Promise<TablePage> {
    const there = this.#pages.get(number)
    if (there !== undefined) return there
    const page = this.#readPage(number)
    this.#keep(this.#pages, number, page, KEPT_PAGES)
    page.catch(() => this.#pages.delete(number))
    return page
  }

  async #readPage(number: number): Promise<TablePage> {
    const { offset, length } = pagePlace(number, this.#shape)
    const page = decodePage(await this.#bytes(offset, length), number, this.#shape, this.#context)
    if (page === undefined) throw this.#damaged(`page ${number} of its table`)
    return page
  }

  async #bytes(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length)
    const { core, lane } = this.#host
    const got = await lane
      .run(async () => {
        if (this.#host.closed) throw new ClosedError('the file store is closed')
        return readInto(core.env, this.#file.fd, bytes, offset)
      })
      .catch((error: unknown) => {
        if (!(error instanceof ClosedError)) core.tally.diskErrors += 1
        throw failure(error, this.#file.path, 'reading')
      })
    if (got < length) throw this.#damaged('the end of its file')
    return bytes
  }

  #damaged(what: string): CorruptError {
    this.#host.onDamage(this.#key, this.#id, this.#sequence)
    return new CorruptError(`${this.#file.path}: ${what} of ${showKey(this.#key)} is not what was written`)
  }
}
