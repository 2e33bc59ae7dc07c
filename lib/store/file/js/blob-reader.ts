import { ClosedError, CorruptError } from '../../../errors.js'
import { showKey } from '../../../keys.js'
import { crc32c } from '../../../native/crc32c.js'
import type { Later } from '../../store.js'
import { readInto } from '../env.js'
import { failure } from '../failure.js'
import { CODEC } from '../format/chunk.js'
import { type BlobShape, CHUNKS_PER_PAGE, decodePage, pagePlace, type TablePage } from '../format/table.js'
import type { Blobs } from './blobs.js'
import { blobContext, type Core, type KeyId } from './core.js'
import type { OpenFile } from './files.js'
import type { ReadLane } from './lane.js'

/** What readers of blobs need of their store. */
export interface ReaderHost {
  readonly core: Core
  readonly blobs: Blobs
  readonly lane: ReadLane
  readonly closed: boolean
  /** What was found is not what was written: it is to be dropped. */
  onDamage(key: string, id: KeyId, sequence: number): void
}

/** The codec of the first chunk that has one. */
export function codecAmong(chunks: ReadonlyArray<{ readonly codec: number }>): number {
  return chunks.find(({ codec }) => codec !== CODEC.none)?.codec ?? CODEC.none
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
export class BlobReader {
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
