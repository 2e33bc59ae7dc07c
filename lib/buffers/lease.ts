import { ClosedError } from '../errors.js'

/** Who takes a leased Buffer back. */
interface Lender {
  put(buffer: Buffer): boolean
}

/** A Buffer that goes back by itself at the end of a block: `using lease = pool.lease(size)`. */
export class Lease {
  readonly #lender: Lender
  #buffer: Buffer | undefined

  /** @internal */
  constructor(lender: Lender, buffer: Buffer) {
    this.#lender = lender
    this.#buffer = buffer
  }

  /**
   * The memory, until the release.
   *
   * @throws `ERR_DREY_CLOSED` after it: the memory may be somebody else's by then.
   */
  get buffer(): Buffer {
    if (this.#buffer === undefined) {
      throw new ClosedError('lease: its Buffer was released: use it before, or lease another one')
    }
    return this.#buffer
  }

  /** Gives the Buffer back. Another call does nothing. */
  release(): void {
    const buffer = this.#buffer
    this.#buffer = undefined
    if (buffer !== undefined) this.#lender.put(buffer)
  }

  [Symbol.dispose](): void {
    this.release()
  }
}
