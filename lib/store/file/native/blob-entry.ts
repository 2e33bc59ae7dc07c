import type { ChunkCodec } from '../../../compression/index.js'
import { ClosedError } from '../../../errors.js'
import { showKey } from '../../../keys.js'
import type { Later, Metadata } from '../../store.js'
import { CODEC } from '../format/chunk.js'
import type { NativeEntry } from './found.js'
import type { FileThread } from './thread.js'

/** What an open blob needs of its store. */
export interface BlobHost {
  readonly thread: FileThread
  readonly closed: boolean
  readonly codec: ChunkCodec
  pin(blob: BlobInfo): void
  unpin(blob: BlobInfo): void
}

/** What a find said of a blob. */
export interface BlobInfo {
  readonly key: string
  readonly handle: number
  readonly sequence: number
  /** What it takes of the disk. */
  readonly charge: number
  readonly size: number
  readonly chunkBytes: number
  /** Of the entry. */
  readonly revision: number
}

/** Bytes of a value that were read, from a border of chunks on. */
interface Window {
  readonly from: number
  readonly bytes: Buffer
}

/** Bytes that are read ahead at most, and at once. */
const AHEAD = 256 * 1024
const AT_ONCE = 1024 * 1024
/** The one that is read, the one ahead, and one for a second reader of the same entry. */
const KEPT = 3

/**
 * An open value that has a file of its own: read by chunks, checked in the addon before a byte is given, the next ones while
 * some are consumed.
 *
 * Invariants: the addon's blob is closed once; windows do not overlap, and `#coming` is a read from a border on, or nothing.
 */
export class BlobEntry implements NativeEntry {
  readonly metadata: Metadata
  readonly #host: BlobHost
  readonly #blob: BlobInfo
  #windows: Window[] = []
  readonly #coming = new Map<number, Promise<Window>>()
  #step: number
  #released = false

  /** `first` are the bytes that were read with the find, if any. */
  constructor(host: BlobHost, blob: BlobInfo, metadata: Metadata, first: Buffer | undefined) {
    this.#host = host
    this.#blob = blob
    this.metadata = metadata
    this.#step = blob.chunkBytes
    if (first !== undefined && first.length > 0) this.#windows.push({ from: 0, bytes: first })
    host.pin(blob)
  }

  get sequence(): number {
    return this.#blob.revision
  }

  read(target: Uint8Array, position: number): Later<number> {
    const { size, chunkBytes, key } = this.#blob
    if (position >= size || target.length === 0) return 0
    if (this.#released || this.#host.closed) {
      throw new ClosedError(`the entry of ${showKey(key)} was released, or its store closed`)
    }
    const there = this.#windowAt(position)
    if (there !== undefined) {
      this.#ahead(there)
      return copyFrom(there, target, position)
    }
    if (position % chunkBytes === 0 && target.length >= 2 * chunkBytes)
      return this.#readInto(target, position)
    return this.#fetchAt(position).then((window) => {
      this.#ahead(window)
      return copyFrom(window, target, position)
    })
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.#windows = []
    this.#host.unpin(this.#blob)
    // What is under way has its own share.
    if (!this.#host.closed) this.#host.thread.addon.blobClose(this.#blob.handle)
  }

  #windowAt(position: number): Window | undefined {
    for (const window of this.#windows) {
      if (position >= window.from && position < window.from + window.bytes.length) return window
    }
    return undefined
  }

  /** Reads what follows the window, unless it is there or on its way. */
  #ahead(window: Window): void {
    const next = window.from + window.bytes.length
    if (next >= this.#blob.size || this.#released) return
    if (this.#windowAt(next) !== undefined || this.#coming.has(next)) return
    this.#step = Math.min(Math.max(AHEAD, this.#blob.chunkBytes), this.#step * 2)
    // Who reads on is told; who does not, need not know.
    this.#fetch(next, this.#step).catch(() => undefined)
  }

  #fetchAt(position: number): Promise<Window> {
    const from = position - (position % this.#blob.chunkBytes)
    for (const [start, coming] of this.#coming) {
      if (start === from) return coming
      // It may lie within what is on its way.
      if (start < from && from < start + AHEAD) {
        return coming.then((window) =>
          position < window.from + window.bytes.length ? window : this.#fetchAt(position),
        )
      }
    }
    return this.#fetch(from, this.#blob.chunkBytes)
  }

  #fetch(from: number, bytes: number): Promise<Window> {
    const target = Buffer.allocUnsafeSlow(Math.min(bytes, this.#blob.size - from))
    const coming = this.#chunks(target, from)
      .then((read) => {
        const window = { from, bytes: read }
        if (!this.#released) this.#windows = [...this.#windows.slice(1 - KEPT), window]
        return window
      })
      .finally(() => this.#coming.delete(from))
    this.#coming.set(from, coming)
    return coming
  }

  /** Straight into the caller's memory, whole chunks of it. */
  async #readInto(target: Uint8Array, position: number): Promise<number> {
    const part = target.subarray(0, Math.min(target.length, AT_ONCE, this.#blob.size - position))
    const { chunkBytes } = this.#blob
    const rest = this.#blob.size - position
    const whole = part.length === rest ? part : part.subarray(0, part.length - (part.length % chunkBytes))
    const read = await this.#chunks(whole, position)
    if (read.buffer !== target.buffer) target.set(read)
    return read.length
  }

  /** The value's bytes from `from` on, in `target` or in memory of their own when they had to be decompressed. */
  async #chunks(target: Uint8Array, from: number): Promise<Buffer> {
    const { chunkBytes, handle, size } = this.#blob
    const { operations, addon } = this.#host.thread
    const chunk = from / chunkBytes
    const count = Math.ceil(target.length / chunkBytes)
    const read = await operations.run(
      () => {
        if (this.#released || this.#host.closed) {
          throw new ClosedError(`the entry of ${showKey(this.#blob.key)} was released, or its store closed`)
        }
        return addon.blobRead(handle, chunk, count, target)
      },
      ({ outcome, first }) => ({ codec: outcome, bytes: first }),
    )
    const stored = Buffer.from(target.buffer, target.byteOffset, read.bytes)
    if (read.codec === CODEC.none) return stored
    const raw = Math.min(chunkBytes, size - from)
    const bytes = await this.#host.codec.decode({ codec: read.codec, size: raw, bytes: Buffer.from(stored) })
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
}

function copyFrom({ from, bytes }: Window, target: Uint8Array, position: number): number {
  return bytes.copy(target, 0, position - from)
}
