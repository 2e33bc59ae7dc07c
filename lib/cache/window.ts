// Chunks begin at the size of their first bytes, at least this, and grow as long as the window does.
const MIN_CHUNK_BYTES = 4 * 1024
const MAX_CHUNK_BYTES = 64 * 1024

interface Chunk {
  readonly bytes: Buffer
  used: number
}

/**
 * Bytes in a row: appended at the end, dropped at the start. Small pieces are gathered into chunks, so that a
 * body that drips costs no more than its bytes.
 *
 * Invariants: the chunks hold [#first, end) without a gap, #first ≤ start; what was written into a chunk never
 * changes, so that a view stays right after its bytes were dropped.
 */
export class Window {
  /** Bytes before this position are gone. */
  start: number
  end: number
  /** Where the first chunk begins. */
  #first: number
  readonly #chunks: Chunk[] = []

  constructor(at: number) {
    this.start = at
    this.end = at
    this.#first = at
  }

  /** Copies `bytes` to the end. */
  push(bytes: Uint8Array): void {
    const last = this.#chunks.at(-1)
    const room = last === undefined ? 0 : last.bytes.length - last.used
    const head = Math.min(room, bytes.length)
    if (last !== undefined && head > 0) {
      last.bytes.set(head === bytes.length ? bytes : bytes.subarray(0, head), last.used)
      last.used += head
    }
    if (head < bytes.length) {
      const rest = bytes.subarray(head)
      const grown = Math.min(MAX_CHUNK_BYTES, 2 * (last?.bytes.length ?? 0))
      const chunk = Buffer.allocUnsafeSlow(Math.max(rest.length, grown, MIN_CHUNK_BYTES))
      chunk.set(rest)
      this.#chunks.push({ bytes: chunk, used: rest.length })
    }
    this.end += bytes.length
  }

  /** The bytes from `position` on, which is in the window, as far as they lie in one piece. */
  view(position: number): Buffer {
    let at = this.#first
    for (const { bytes, used } of this.#chunks) {
      if (position < at + used) return bytes.subarray(position - at, used)
      at += used
    }
    throw new Error(`window: position ${position} is not in [${this.start}, ${this.end})`)
  }

  /** Drops what lies before `position`, which is at most `end`. */
  dropBefore(position: number): void {
    if (position <= this.start) return
    this.start = position
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      if (this.#first + chunk.used > position) return
      this.#first += chunk.used
      this.#chunks.shift()
    }
  }
}
