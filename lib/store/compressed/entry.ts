import type { ChunkCodec, StoredChunk } from '../../compression/index.js'
import { CODEC_IDS, codecId } from '../../compression/index.js'
import { CompressionError, messageOf } from '../../errors.js'
import { IN_HAND, type Later, type Metadata, type StoredEntry } from '../store.js'
import { chunkSize, chunksOf, type Layout, offsetsOf, tableBytes } from './layout.js'

/** An entry of the store beneath whose `user` was wrapped, though its value is as it is. */
export class WrappedEntry implements StoredEntry {
  readonly metadata: Metadata
  readonly inner: StoredEntry

  constructor(inner: StoredEntry, metadata: Metadata) {
    this.inner = inner
    this.metadata = metadata
  }

  read(target: Uint8Array, position: number): Later<number> {
    return this.inner.read(target, position)
  }

  release(): void {
    this.inner.release()
  }
}

/**
 * A compressed entry opened for reading. A read decompresses the chunk that it begins in, and no other; the last one stays
 * at hand, since what it was read for may have been a part of it. Who reads one chunk after the other has the next ones
 * decompressed meanwhile.
 *
 * Invariant: the entry beneath is released once, after `release` and when nothing reads its memory any more.
 */
export class CompressedEntry implements StoredEntry {
  readonly metadata: Metadata
  readonly inner: StoredEntry
  readonly layout: Layout
  readonly own?: () => Buffer
  readonly #codec: ChunkCodec
  readonly #id: number
  readonly #onUnreadable: () => void
  #offsets: Float64Array | undefined
  /** The chunk that was read last. */
  #bytes: Uint8Array | undefined
  #index = -1
  /** Chunks that are decompressed before they are asked for, in order. */
  #ahead: Array<{ readonly index: number; readonly bytes: Promise<Uint8Array> }> = []
  #busy = 0
  #released = false

  constructor(
    inner: StoredEntry,
    metadata: Metadata,
    layout: Layout,
    codec: ChunkCodec,
    onUnreadable: () => void,
  ) {
    this.inner = inner
    this.metadata = metadata
    this.layout = layout
    this.#codec = codec
    this.#id = codecId(layout.codec)
    this.#onUnreadable = onUnreadable
    if (this.#atHand && inner.view !== undefined && codec.readsAtOnce(this.#id, layout.size)) {
      this.own = () => this.#whole()
    }
  }

  read(target: Uint8Array, position: number): Later<number> {
    const { size, chunkBytes } = this.layout
    if (position >= size || target.length === 0) return 0
    const index = Math.floor(position / chunkBytes)
    const bytes = index === this.#index ? this.#bytes! : this.#load(index)
    return bytes instanceof Promise
      ? bytes.then((loaded) => copy(loaded, position - index * chunkBytes, target))
      : copy(bytes, position - index * chunkBytes, target)
  }

  release(): void {
    this.#released = true
    if (this.#busy === 0) this.inner.release()
  }

  /** Small enough to be handed over whole. */
  get #atHand(): boolean {
    const { size, chunkBytes } = this.layout
    return size <= IN_HAND && size <= chunkBytes
  }

  #whole(): Buffer {
    const { size } = this.layout
    const stored = this.#lent(this.inner.metadata.size)
    const bytes = this.#guarded(() => this.#codec.decodeSync({ codec: this.#id, size, bytes: stored }))!
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  #load(index: number): Later<Uint8Array> {
    if (this.own !== undefined) return this.#keep(index, this.own())
    return this.#loadLater(index)
  }

  async #loadLater(index: number): Promise<Uint8Array> {
    while (this.#ahead.length > 0 && this.#ahead[0]!.index !== index) this.#ahead.shift()
    const bytes = this.#ahead.shift()?.bytes ?? this.#decoded(index)
    // Who reads the second chunk after the first is going to read the third.
    if (index > 0 && index === this.#index + 1) this.#readAhead(index + 1)
    return this.#keep(index, await bytes)
  }

  #readAhead(next: number): void {
    const chunks = chunksOf(this.layout)
    for (
      let index = (this.#ahead.at(-1)?.index ?? next - 1) + 1;
      index < Math.min(next + AHEAD, chunks);
      index += 1
    ) {
      const bytes = this.#decoded(index)
      // Who comes to it is told; until then a failure is not one that nobody handles.
      bytes.catch(toldLater)
      this.#ahead.push({ index, bytes })
    }
  }

  /** A chunk, in memory of its own. */
  async #decoded(index: number): Promise<Uint8Array> {
    this.#busy += 1
    try {
      this.#offsets ??= await this.#readOffsets()
      const from = this.#offsets[index]!
      const stored = await this.#stored(from, this.#offsets[index + 1]! - from)
      const decoded = await this.#codec.decode(this.#chunk(index, stored))
      // What was kept as it is lies in memory that goes with the entry.
      return decoded === stored ? Uint8Array.from(decoded) : decoded
    } catch (error) {
      throw this.#unreadable(error)
    } finally {
      this.#busy -= 1
      if (this.#released && this.#busy === 0) this.inner.release()
    }
  }

  async #readOffsets(): Promise<Float64Array> {
    const stored = this.inner.metadata.size
    const bytes = tableBytes(chunksOf(this.layout))
    const table = bytes === 0 ? NOTHING : await this.#stored(stored - bytes, bytes)
    try {
      return offsetsOf(this.layout, table, stored)
    } catch (error) {
      throw new CompressionError(`the table of a compressed value is damaged: ${messageOf(error)}`, {
        cause: error,
      })
    }
  }

  /** Stored bytes: lent, where the store lends and they lie together. */
  #stored(position: number, length: number): Later<Uint8Array> {
    const view = this.inner.view?.(position)
    if (view !== undefined && view.length >= length) return view.subarray(0, length)
    return this.#copied(position, length)
  }

  /** The first `length` stored bytes, at once. */
  #lent(length: number): Uint8Array {
    const view = this.inner.view!(0)
    if (view.length >= length) return view.subarray(0, length)
    const pieces = [view]
    for (let at = view.length; at < length; at += pieces.at(-1)!.length) {
      pieces.push(this.inner.view!(at))
      if (pieces.at(-1)!.length === 0) throw new Error(`the store has no more at ${at}`)
    }
    return Buffer.concat(pieces, length)
  }

  async #copied(position: number, length: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(length)
    for (let at = 0; at < length; ) {
      const read = await this.inner.read(bytes.subarray(at), position + at)
      if (read === 0) throw new Error(`the store has no more at ${position + at}`)
      at += read
    }
    return bytes
  }

  #chunk(index: number, bytes: Uint8Array): StoredChunk {
    const size = chunkSize(this.layout, index)
    return { codec: bytes.length === size ? CODEC_IDS.none : this.#id, size, bytes }
  }

  #keep(index: number, bytes: Uint8Array): Uint8Array {
    this.#index = index
    this.#bytes = bytes
    return bytes
  }

  #guarded<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      throw this.#unreadable(error)
    }
  }

  #unreadable(error: unknown): unknown {
    if (error instanceof CompressionError && !error.absent) this.#onUnreadable()
    return error
  }
}

const NOTHING = new Uint8Array(0)

/** So many chunks are read ahead of one that reads them all. */
const AHEAD = 2

const toldLater = (): void => undefined

function copy(bytes: Uint8Array, from: number, target: Uint8Array): number {
  const length = Math.min(target.length, bytes.length - from)
  target.set(bytes.subarray(from, from + length))
  return length
}
