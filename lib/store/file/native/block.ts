import type { Addon } from '../../../native/addon.js'
import { BLOCK_USED } from '../../../native/file-numbers.js'

/** Bytes of a block. A value that was read keeps its block in memory, so blocks are not large. */
const BLOCK_BYTES = 64 * 1024
/** What needs more gets a block of its own. */
const LARGE = BLOCK_BYTES / 4

/**
 * Memory that records are read into, one behind the other: a Buffer for each would cost more than all the rest of a small
 * read. What was handed out is never written to again (I9). One for a thread.
 *
 * Invariant: `bytes` is what the addon reads to.
 */
export class RecordBlock {
  bytes: Buffer
  readonly #addon: Addon
  readonly #numbers: Float64Array
  /** The block that was left for a large record, and how much of it was used. */
  #left: Buffer | undefined
  #leftUsed = 0

  constructor(addon: Addon, numbers: Float64Array) {
    this.#addon = addon
    this.#numbers = numbers
    this.bytes = Buffer.allocUnsafeSlow(BLOCK_BYTES)
    addon.fileBlock(this.bytes, 0)
  }

  /** Makes room for a record of so many bytes: called when the addon found none. `settle` is to be called after the find. */
  makeRoom(bytes: number): void {
    if (bytes > LARGE) {
      this.#left ??= this.bytes
      if (this.#left === this.bytes) this.#leftUsed = this.#numbers[BLOCK_USED]!
      this.#use(Buffer.allocUnsafeSlow(bytes), 0)
    } else {
      this.#left = undefined
      this.#use(Buffer.allocUnsafeSlow(BLOCK_BYTES), 0)
    }
  }

  /** Goes back to the block that a large record was kept out of. */
  settle(): void {
    if (this.#left === undefined) return
    this.#use(this.#left, this.#leftUsed)
    this.#left = undefined
  }

  #use(bytes: Buffer, used: number): void {
    this.#addon.fileBlock(bytes, used)
    this.bytes = bytes
  }
}
