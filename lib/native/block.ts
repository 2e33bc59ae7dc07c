/** Bytes of a block. A value that was read keeps its block in memory, so blocks are not large. */
const BLOCK_BYTES = 64 * 1024
/** What needs more gets a block of its own. */
const LARGE = BLOCK_BYTES / 4

/**
 * Memory that the addon copies values into, one behind the other, and that is handed out as views: a Buffer for each would cost
 * more than all the rest of a small read. What was handed out is never written to again (I9). One for a thread and kind of store.
 *
 * Invariant: `bytes` is what the addon copies to.
 */
export class Block {
  bytes: Buffer
  readonly #use: (bytes: Buffer, used: number) => void
  readonly #used: () => number
  /** The block that was left for a large value, and how much of it was used. */
  #left: Buffer | undefined
  #leftUsed = 0

  /**
   * @param use has the addon copy to `bytes` from here on, behind the first `used` of it
   * @param used how much of it was used, as of the copy that found no room
   */
  constructor(use: (bytes: Buffer, used: number) => void, used: () => number) {
    this.#use = use
    this.#used = used
    this.bytes = this.#begin(Buffer.allocUnsafeSlow(BLOCK_BYTES), 0)
  }

  /** Makes room for `bytes`: called when the addon found none. `settle` is to be called after the copy. */
  makeRoom(bytes: number): void {
    if (bytes > LARGE) {
      this.#left ??= this.bytes
      if (this.#left === this.bytes) this.#leftUsed = this.#used()
      this.bytes = this.#begin(Buffer.allocUnsafeSlow(bytes), 0)
    } else {
      this.#left = undefined
      this.bytes = this.#begin(Buffer.allocUnsafeSlow(BLOCK_BYTES), 0)
    }
  }

  /** Goes back to the block that a large value was kept out of. */
  settle(): void {
    if (this.#left === undefined) return
    this.bytes = this.#begin(this.#left, this.#leftUsed)
    this.#left = undefined
  }

  #begin(bytes: Buffer, used: number): Buffer {
    this.#use(bytes, used)
    return bytes
  }
}
