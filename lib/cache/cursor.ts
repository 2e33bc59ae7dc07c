import { OutOfRangeError } from '../errors.js'
import { showKey } from '../keys.js'
import type { Later } from '../store/store.js'
import type { ByteRange } from './answer.js'
import { type BodyReader, PIECE_BYTES } from './reader.js'

/**
 * The one place in a body that a reading is at, between the first and the last byte of its range.
 *
 * Invariant: `#position` is in [#start, #limit], and never decreases.
 */
export class Cursor {
  readonly #reader: BodyReader
  readonly #key: string
  readonly #start: number
  #position: number
  /** The last byte wanted; infinite for all there is. */
  readonly #last: number

  /** @throws `ERR_DREY_RANGE` for a range outside the value, as far as its size is known. */
  constructor(reader: BodyReader, key: string, range: ByteRange | undefined) {
    this.#reader = reader
    this.#key = key
    const start = range?.start ?? 0
    const last = range?.end ?? Number.POSITIVE_INFINITY
    this.#start = start
    this.#position = start
    this.#last = last
    if (!isPosition(start) || (last !== Number.POSITIVE_INFINITY && (!isPosition(last) || last < start))) {
      throw this.#outside('want whole numbers from 0 on, the end not before the start')
    }
    const { size } = reader
    if (size !== undefined && start >= size && start > 0) throw this.#outside(`the value has ${size} bytes`)
  }

  /** Bytes that were given. */
  get taken(): number {
    return this.#position - this.#start
  }

  /** Bytes that are still to come; undefined while the size of the value is not known. */
  get left(): number | undefined {
    return this.#reader.size === undefined ? undefined : this.#limit - this.#position
  }

  /** The next bytes in memory of the caller's own; empty at the end. */
  next(max = PIECE_BYTES): Later<Buffer> {
    const want = Math.min(max, this.#limit - this.#position)
    if (want <= 0) return this.#atEnd()
    const piece = this.#reader.pull(this.#position, want)
    return piece instanceof Promise ? piece.then((bytes) => this.#advance(bytes)) : this.#advance(piece)
  }

  /** The next bytes in lent memory, until `returned`; empty, and not on loan, at the end. */
  lend(): Later<Uint8Array> {
    if (this.#limit <= this.#position) return this.#atEnd()
    const view = this.#reader.lend(this.#position)
    return view instanceof Promise ? view.then((bytes) => this.#clip(bytes)) : this.#clip(view)
  }

  /** What one `lend` gave is not used any more. */
  returned(memory: Uint8Array): void {
    this.#reader.returned(memory)
  }

  /** One past the last byte that will come. */
  get #limit(): number {
    return Math.min(this.#last + 1, this.#reader.size ?? Number.POSITIVE_INFINITY)
  }

  #clip(view: Uint8Array): Uint8Array {
    const want = this.#limit - this.#position
    return this.#advance(view.length > want ? view.subarray(0, want) : view)
  }

  #advance<T extends Uint8Array>(bytes: T): T {
    if (bytes.length === 0 && this.#position === this.#start && this.#start > 0) {
      // The size was not known when the reading began: only now is it clear that there is no such part.
      throw this.#outside(`the value has ${this.#reader.size ?? 'fewer'} bytes`)
    }
    this.#position += bytes.length
    if (bytes.length === 0 || this.#position >= this.#limit) this.#reader.satisfied()
    return bytes
  }

  #atEnd(): Buffer {
    this.#reader.satisfied()
    return EMPTY
  }

  #outside(why: string): OutOfRangeError {
    const end = this.#last === Number.POSITIVE_INFINITY ? '' : `, end: ${this.#last}`
    return new OutOfRangeError(`range { start: ${this.#start}${end} } of ${showKey(this.#key)}: ${why}`)
  }
}

const EMPTY = Buffer.alloc(0)

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
