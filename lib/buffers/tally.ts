import { TooLargeError, TruncatedError } from '../errors.js'
import { callListener } from '../listener.js'
import { crc32c } from '../native/crc32c.js'
import type { CopyProgress } from './copy-options.js'

/** Counts what goes through, and holds it to the size that was declared (C3). */
export class Tally {
  bytes = 0
  chunks = 0
  checksum = 0
  /** Bytes that there must be. */
  declared: number | undefined
  /** Bytes that there will be, as far as is known. */
  expected: number | undefined
  readonly #what: string
  readonly #checks: boolean
  readonly #listener: ((progress: CopyProgress) => unknown) | undefined

  constructor(
    what: 'copy' | 'tee',
    declared: number | undefined,
    checks: boolean,
    listener: ((progress: CopyProgress) => unknown) | undefined,
  ) {
    this.#what = what
    this.declared = declared
    this.expected = declared
    this.#checks = checks
    this.#listener = listener
  }

  /** What the source itself says. @throws `ERR_DREY_TRUNCATED` or `ERR_DREY_TOO_LARGE`: it is not what was declared */
  known(size: number | undefined): void {
    if (size === undefined) return
    this.expected = size
    if (this.declared === undefined) this.declared = size
    else if (size > this.declared) throw this.#tooLarge()
    else if (size < this.declared) throw this.#truncated(size)
  }

  /**
   * @param checksum of all up to its end, where it is known already
   * @throws `ERR_DREY_TOO_LARGE`
   */
  add(piece: Uint8Array, checksum?: number): void {
    this.bytes += piece.length
    if (this.declared !== undefined && this.bytes > this.declared) throw this.#tooLarge()
    if (this.#checks) this.checksum = checksum ?? crc32c(piece, this.checksum)
  }

  /** A piece was handed over. */
  passed(): void {
    this.chunks += 1
    if (this.#listener === undefined) return
    const { bytes, expected } = this
    callListener(
      this.#listener,
      expected === undefined ? { bytes } : { bytes, size: expected },
      `${this.#what}.onProgress`,
    )
  }

  /** The source has ended. @throws `ERR_DREY_TRUNCATED` */
  end(): void {
    if (this.declared !== undefined && this.bytes < this.declared) throw this.#truncated(this.bytes)
  }

  #tooLarge(): TooLargeError {
    return new TooLargeError(
      `${this.#what}.size: the source has more than the ${this.declared} bytes that it should; what came of it was not kept`,
    )
  }

  #truncated(bytes: number): TruncatedError {
    return new TruncatedError(
      `${this.#what}.size: the source has ${bytes} bytes and should have ${this.declared}; what came of it was not kept`,
    )
  }
}
