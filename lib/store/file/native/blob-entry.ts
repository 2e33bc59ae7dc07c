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
  /** The thread's, which goes back when nobody looks at it any more. */
  readonly memory: Buffer | undefined
}

/** A window that is on its way, of at most so many bytes. */
interface Coming {
  readonly bytes: number
  readonly window: Promise<Window>
}

/** Bytes that are read ahead at most, and at once. */
const AHEAD = 256 * 1024
const AT_ONCE = 1024 * 1024
/** Windows that are read ahead for who had to wait for one. */
const DEEPEST = 2
/** The one that is read, those ahead, and one for a second reader of the same entry. */
const KEPT = 2 + DEEPEST

/**
 * An open value that has a file of its own: read by chunks, checked in the addon before a byte is given, the next ones while
 * some are consumed.
 *
 * Invariants: the addon's blob is closed once; windows do not overlap, and `#coming` is a read from a border on, or nothing; the memory
 * of a window goes back to the thread only while nobody waits, so that no read copies from what is used again.
 */
export class BlobEntry implements NativeEntry {
  readonly metadata: Metadata
  readonly #host: BlobHost
  readonly #blob: BlobInfo
  readonly #windows: Window[] = []
  readonly #coming = new Map<number, Coming>()
  #step: number
  #depth = 1
  /** Reads that wait for a window. */
  #waiting = 0
  #released = false

  /** `first` are the bytes that were read with the find, if any. */
  constructor(host: BlobHost, blob: BlobInfo, metadata: Metadata, first: Buffer | undefined) {
    this.#host = host
    this.#blob = blob
    this.metadata = metadata
    this.#step = blob.chunkBytes
    if (first !== undefined && first.length > 0)
      this.#windows.push({ from: 0, bytes: first, memory: undefined })
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
      const copied = copyFrom(there, target, position)
      this.#trim()
      this.#ahead(there)
      return copied
    }
    if (position % chunkBytes === 0 && target.length >= 2 * chunkBytes)
      return this.#readInto(target, position)
    // It was not there in time.
    if (position > 0) this.#depth = DEEPEST
    return this.#awaited(target, position)
  }

  async #awaited(target: Uint8Array, position: number): Promise<number> {
    this.#waiting += 1
    try {
      const window = await this.#fetchAt(position)
      const copied = copyFrom(window, target, position)
      this.#ahead(window)
      return copied
    } finally {
      this.#waiting -= 1
      this.#trim()
    }
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.#trim()
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
    let next = window.from + window.bytes.length
    for (let ahead = 0; ahead < this.#depth; ahead += 1) {
      if (next >= this.#blob.size || this.#released) return
      const there = this.#windowAt(next)
      const coming = this.#coming.get(next)
      if (there !== undefined) next = there.from + there.bytes.length
      else if (coming !== undefined) next += coming.bytes
      else {
        this.#step = Math.min(Math.max(AHEAD, this.#blob.chunkBytes), this.#step * 2)
        // Who reads on is told; who does not, need not know.
        this.#fetch(next, this.#step).catch(() => undefined)
        next += this.#step
      }
    }
  }

  /** Gives back the oldest windows of too many, all when nobody reads on. Not while a read may be about to copy from one. */
  #trim(): void {
    if (this.#waiting > 0) return
    const most = this.#released ? 0 : KEPT
    while (this.#windows.length > most) {
      const { memory } = this.#windows.shift()!
      if (memory !== undefined) this.#host.thread.stages.give(memory)
    }
  }

  #fetchAt(position: number): Promise<Window> {
    const from = position - (position % this.#blob.chunkBytes)
    for (const [start, coming] of this.#coming) {
      if (start === from) return coming.window
      // It may lie within what is on its way.
      if (start < from && from < start + coming.bytes) {
        return coming.window.then((window) =>
          position < window.from + window.bytes.length ? window : this.#fetchAt(position),
        )
      }
    }
    return this.#fetch(from, this.#blob.chunkBytes)
  }

  #fetch(from: number, most: number): Promise<Window> {
    const bytes = Math.min(most, this.#blob.size - from)
    const { stages } = this.#host.thread
    const memory = stages.take(bytes)
    const window = this.#chunks(memory.subarray(0, bytes), from)
      .then(
        (read) => {
          const own = read.buffer !== memory.buffer
          if (own) stages.give(memory)
          const window = { from, bytes: read, memory: own ? undefined : memory }
          this.#windows.push(window)
          if (this.#released) this.#trim()
          return window
        },
        (error) => {
          stages.give(memory)
          throw error
        },
      )
      .finally(() => this.#coming.delete(from))
    this.#coming.set(from, { bytes, window })
    return window
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
