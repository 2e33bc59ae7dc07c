import { PLAIN, type Scratch } from './scratch.js'

// Chunks begin at the size of their first bytes, at least this, and grow as long as the window does.
const MIN_CHUNK_BYTES = 4 * 1024
const MAX_CHUNK_BYTES = 64 * 1024

interface Chunk {
  readonly bytes: Buffer
  /** Position of its first byte. */
  readonly at: number
  used: number
  /** Pieces of it that somebody still looks at. */
  holds: number
}

/**
 * Bytes in a row: appended at the end, dropped at the start. Small pieces are gathered into chunks, so that a
 * body that drips costs no more than its bytes.
 *
 * Invariants: [start, end) lies in the chunks without a gap, in order; all but the last are full. What was written into a
 * chunk never changes before the chunk goes back: when it was dropped and nobody holds it. So a view that is to outlive the turn is held.
 */
export class Window {
  /** Bytes before this position are gone. */
  start: number
  end: number
  readonly #chunks: Chunk[] = []
  readonly #scratch: Scratch

  constructor(at: number, scratch: Scratch = PLAIN) {
    this.start = at
    this.end = at
    this.#scratch = scratch
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
      const chunk = this.#scratch.get(Math.max(rest.length, grown, MIN_CHUNK_BYTES))
      chunk.set(rest)
      this.#chunks.push({ bytes: chunk, at: this.end + head, used: rest.length, holds: 0 })
    }
    this.end += bytes.length
  }

  /** The bytes from `position` on, which is in the window or held, as far as they lie in one piece. */
  view(position: number): Buffer {
    const { bytes, at, used } = this.#chunkAt(position)
    return bytes.subarray(position - at, used)
  }

  /** Keeps what `view(position)` gives as it is until `letGo(position)`. */
  hold(position: number): void {
    this.#chunkAt(position).holds += 1
  }

  /** Ends one `hold` of the same position. */
  letGo(position: number): void {
    const chunk = this.#chunkAt(position)
    chunk.holds -= 1
    if (this.#isOver(chunk)) this.#giveBack()
  }

  /** Drops what lies before `position`, which is at most `end`. */
  dropBefore(position: number): void {
    if (position <= this.start) return
    this.start = position
    this.#giveBack()
  }

  #chunkAt(position: number): Chunk {
    for (const chunk of this.#chunks) {
      if (position >= chunk.at && position < chunk.at + chunk.used) return chunk
    }
    throw new Error(`window: position ${position} is not in [${this.start}, ${this.end})`)
  }

  #isOver({ at, used, holds }: Chunk): boolean {
    return holds === 0 && at + used <= this.start
  }

  #giveBack(): void {
    const chunks = this.#chunks
    let kept = 0
    for (const chunk of chunks) {
      if (this.#isOver(chunk)) this.#scratch.put(chunk.bytes)
      else {
        chunks[kept] = chunk
        kept += 1
      }
    }
    chunks.length = kept
  }
}
