/*
 * The bytes of one entry in the js engine: chunks of up to 64 KiB, outside the JS heap. A value only grows,
 * and what was written never changes, so readers may hold views of it while it grows.
 */

/** Chunks are this large but for the last, so that a position finds its chunk by a division. */
export const CHUNK_BYTES = 64 * 1024

// The first chunk of a value whose size nobody told begins here and grows fourfold: most such values are small.
const FIRST_CHUNK_BYTES = 4096

/** What a Buffer costs beside its bytes: the Buffer, its ArrayBuffer, the backing store and malloc's header. Measured by `npm run bench:micro -- memory-overhead`. */
export const CHUNK_OVERHEAD = 432

const EMPTY = Buffer.alloc(0)

const costOf = (chunk: Buffer | undefined): number =>
  chunk === undefined ? 0 : chunk.length + CHUNK_OVERHEAD

/**
 * Invariants: every chunk but the last holds CHUNK_BYTES; there is one for each that `size` bytes need, and
 * no other unless the system refused memory for the ones after it; `allocated` is what the chunks cost, together with those that were replaced since the last `compact`
 * while readers may have had views of them.
 */
export class Value {
  size = 0
  allocated = 0
  // Most values have one chunk: a field of its own saves them an array.
  #first: Buffer | undefined
  #rest: Buffer[] | undefined
  readonly #declared: number | undefined
  #replaced = 0

  constructor(declared: number | undefined) {
    this.#declared = declared
  }

  /** What a value of `size` bytes costs once it is compact. */
  static costOf(size: number): number {
    return size + Math.ceil(size / CHUNK_BYTES) * CHUNK_OVERHEAD
  }

  /** Bytes by which `append` of `length` bytes raises `allocated`. `viewed`: readers may have views of what is there. */
  growth(length: number, viewed: boolean): number {
    const end = this.size + length
    let bytes = 0
    for (let at = this.#last; at * CHUNK_BYTES < end; at += 1) {
      const there = this.#chunk(at)
      const capacity = this.#capacityFor(there, at, end)
      if (capacity === there?.length) continue
      bytes += capacity + CHUNK_OVERHEAD - (viewed ? 0 : costOf(there))
    }
    return bytes
  }

  /** Copies `bytes` to the end, all or, when the system has no memory and it throws, none. */
  append(bytes: Uint8Array, viewed: boolean): void {
    const end = this.size + bytes.length
    let from = 0
    let position = this.size
    while (from < bytes.length) {
      const at = Math.floor(position / CHUNK_BYTES)
      const within = position - at * CHUNK_BYTES
      const chunk = this.#chunkFor(at, within, end, viewed)
      const length = Math.min(chunk.length - within, bytes.length - from)
      chunk.set(length === bytes.length ? bytes : bytes.subarray(from, from + length), within)
      from += length
      position += length
    }
    this.size = end
  }

  /** Gives back what the last chunk has too much and what was replaced, once nobody has views; returns how many bytes that was. */
  compact(): number {
    const at = this.#last
    const last = this.#chunk(at)
    let bytes = this.#replaced
    this.#replaced = 0
    const used = this.size - at * CHUNK_BYTES
    if (last !== undefined && last.length > used) {
      try {
        this.#put(at, copyOf(last, used, used))
        bytes += last.length - used
      } catch {
        // The system has no memory for the copy: the chunk stays as large as it is, and charged.
      }
    }
    this.allocated -= bytes
    return bytes
  }

  /** As `StoredEntry.read`. */
  read(target: Uint8Array, position: number): number {
    let done = 0
    while (done < target.length) {
      const view = this.view(position + done)
      if (view.length === 0) break
      const length = Math.min(view.length, target.length - done)
      target.set(length === view.length ? view : view.subarray(0, length), done)
      done += length
    }
    return done
  }

  /** As `StoredEntry.view`: to the end of the chunk. */
  view(position: number): Uint8Array {
    if (position >= this.size) return EMPTY
    const at = Math.floor(position / CHUNK_BYTES)
    const chunk = this.#chunk(at)!
    const start = position - at * CHUNK_BYTES
    const end = Math.min(chunk.length, this.size - at * CHUNK_BYTES)
    return start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end)
  }

  /** Index of the last chunk, or of the first to come. */
  get #last(): number {
    return this.size === 0 ? 0 : Math.ceil(this.size / CHUNK_BYTES) - 1
  }

  #chunk(at: number): Buffer | undefined {
    return at === 0 ? this.#first : this.#rest?.[at - 1]
  }

  #put(at: number, chunk: Buffer): void {
    if (at === 0) this.#first = chunk
    else if (this.#rest === undefined) this.#rest = [chunk]
    else this.#rest[at - 1] = chunk
  }

  /** Bytes that chunk `at` is to have so that the value can reach `end`. */
  #capacityFor(chunk: Buffer | undefined, at: number, end: number): number {
    const there = chunk?.length ?? 0
    const start = at * CHUNK_BYTES
    const want = Math.min(end - start, CHUNK_BYTES)
    if (want <= there) return there
    // A declared size is believed only as far as the chunk that is being filled.
    if (this.#declared !== undefined && this.#declared >= end) {
      return Math.min(this.#declared - start, CHUNK_BYTES)
    }
    if (at > 0) return CHUNK_BYTES
    return Math.min(CHUNK_BYTES, Math.max(want, FIRST_CHUNK_BYTES, there * 4))
  }

  #chunkFor(at: number, used: number, end: number, viewed: boolean): Buffer {
    const there = this.#chunk(at)
    const capacity = this.#capacityFor(there, at, end)
    if (capacity === there?.length) return there
    const chunk = there === undefined ? Buffer.allocUnsafeSlow(capacity) : copyOf(there, used, capacity)
    const before = costOf(there)
    if (viewed) this.#replaced += before
    this.allocated += capacity + CHUNK_OVERHEAD - (viewed ? 0 : before)
    this.#put(at, chunk)
    return chunk
  }
}

function copyOf(from: Buffer, used: number, capacity: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(capacity)
  from.copy(copy, 0, 0, used)
  return copy
}
