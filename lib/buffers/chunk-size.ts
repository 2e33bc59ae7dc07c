/** Sizes of the chunks that objects are moved in: classes of the pool, so that no memory is left over. */

/** Large objects are moved in about so many. */
const PARTS = 16
/** How much the newest size counts: a burst of others is forgotten after some tens. */
const NEWEST = 1 / 8

/** What it needs to know of a pool. */
export interface ChunkBounds {
  readonly chunkSize: number
  readonly maxBufferSize: number
  readonly classes: readonly number[]
}

/** Chooses them, and remembers how large objects were whose size nobody knew. */
export class ChunkSizes {
  readonly #bounds: ChunkBounds
  /** Logarithm of the typical size of those, so that one giant among thousands does not make all chunks large. */
  #typical: number | undefined

  constructor(bounds: ChunkBounds) {
    this.#bounds = bounds
  }

  /** The size for an object, of `size` bytes where that is known: at most `maxBufferSize`, and a class or the largest Buffer. */
  of(size: number | undefined): number {
    const { chunkSize, maxBufferSize, classes } = this.#bounds
    // One that is larger than those before it should not be moved in crumbs.
    const expected = size ?? Math.max(chunkSize, Math.ceil(2 ** (this.#typical ?? 0)))
    const wanted =
      expected <= chunkSize
        ? expected
        : Math.min(Math.max(Math.ceil(expected / PARTS), chunkSize), maxBufferSize)
    const fitting = classes.find((bytes) => bytes >= wanted) ?? maxBufferSize
    return Math.min(fitting, maxBufferSize)
  }

  /** An object came whose size was not known, and had so many bytes. */
  saw(bytes: number): void {
    const log = Math.log2(Math.max(1, bytes))
    this.#typical = this.#typical === undefined ? log : this.#typical + (log - this.#typical) * NEWEST
  }
}
