/*
 * The bytes of one entry in the js engine: chunks of up to 64 KiB, outside the JS heap. A value only grows,
 * and what was written never changes, so readers may hold views of it while it grows.
 */

/** Chunks are this large but for the last, so that a position finds its chunk by a division. */
export const CHUNK_BYTES = 64 * 1024

// The first chunk of a value whose size nobody told begins here and grows fourfold: most such values are small.
const FIRST_CHUNK_BYTES = 4096

/** What a Buffer costs beside its bytes: the Buffer, its ArrayBuffer, the backing store and malloc's header. */
export const CHUNK_OVERHEAD = 256

const EMPTY = Buffer.alloc(0)

/**
 * Invariants: every chunk but the last holds CHUNK_BYTES; `size` bytes are written; `allocated` is what the
 * chunks and their overhead cost, and only `append` and `trim` change it.
 */
export class Value {
  size = 0
  allocated = 0
  /** Readers that hold the bytes beyond the life of the entry. */
  holds = 0
  #chunks: Buffer[] = []
  #declared: number | undefined

  constructor(declared: number | undefined) {
    this.#declared = declared
  }

  /** Bytes that `append` of `length` bytes would allocate beyond what is there. */
  growth(length: number): number {
    const end = this.size + length
    let bytes = 0
    for (let at = this.#chunks.length === 0 ? 0 : this.#chunks.length - 1; at * CHUNK_BYTES < end; at += 1) {
      bytes += this.#capacityFor(at, end) + CHUNK_OVERHEAD - this.#cost(at)
    }
    return bytes
  }

  /** Copies `bytes` to the end. The caller has reserved `growth(bytes.length)`. */
  append(bytes: Uint8Array): void {
    let from = 0
    const end = this.size + bytes.length
    while (from < bytes.length) {
      const at = Math.floor(this.size / CHUNK_BYTES)
      const within = this.size % CHUNK_BYTES
      const chunk = this.#chunkFor(at, within, end)
      const length = Math.min(chunk.length - within, bytes.length - from)
      chunk.set(from === 0 && length === bytes.length ? bytes : bytes.subarray(from, from + length), within)
      from += length
      this.size += length
    }
  }

  /** Gives back what the last chunk has too much; returns how many bytes that was. */
  trim(): number {
    const at = this.#chunks.length - 1
    const last = this.#chunks[at]
    if (last === undefined) return 0
    const used = this.size - at * CHUNK_BYTES
    const spare = last.length - used
    if (spare === 0) return 0
    this.#chunks[at] = copyOf(last, used, used)
    this.allocated -= spare
    return spare
  }

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

  view(position: number): Uint8Array {
    if (position >= this.size) return EMPTY
    const at = Math.floor(position / CHUNK_BYTES)
    const chunk = this.#chunks[at]!
    const start = position - at * CHUNK_BYTES
    const end = Math.min(chunk.length, this.size - at * CHUNK_BYTES)
    return start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end)
  }

  #cost(at: number): number {
    const chunk = this.#chunks[at]
    return chunk === undefined ? 0 : chunk.length + CHUNK_OVERHEAD
  }

  /** Bytes that chunk `at` needs so that the value can reach `end`. */
  #capacityFor(at: number, end: number): number {
    const there = this.#chunks[at]?.length ?? 0
    const start = at * CHUNK_BYTES
    const want = Math.min(end - start, CHUNK_BYTES)
    if (want <= there) return there
    // A declared size is believed for the allocation only as far as the first chunk that it fills.
    if (this.#declared !== undefined && this.#declared >= end) {
      return Math.min(this.#declared - start, CHUNK_BYTES)
    }
    if (at > 0) return CHUNK_BYTES
    return Math.min(CHUNK_BYTES, Math.max(want, FIRST_CHUNK_BYTES, there * 4))
  }

  #chunkFor(at: number, within: number, end: number): Buffer {
    const there = this.#chunks[at]
    const capacity = this.#capacityFor(at, end)
    if (there !== undefined && there.length === capacity) return there
    const chunk = there === undefined ? Buffer.allocUnsafeSlow(capacity) : copyOf(there, within, capacity)
    this.allocated += capacity + CHUNK_OVERHEAD - this.#cost(at)
    this.#chunks[at] = chunk
    return chunk
  }
}

function copyOf(from: Buffer, used: number, capacity: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(capacity)
  from.copy(copy, 0, 0, used)
  return copy
}
