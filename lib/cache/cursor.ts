import { OutOfRangeError } from '../errors.js'
import { showKey } from '../keys.js'
import type { Later } from '../store/store.js'
import type { ByteRange } from './answer.js'
import { type BodyReader, PIECE_BYTES } from './reader.js'

/** The one place in a body that a reading is at, between the first and the last byte of its range. */
export class Cursor {
  readonly #reader: BodyReader
  readonly #key: string
  readonly #start: number
  #position: number
  /** One past the last byte wanted; undefined for all there is. */
  #end: number | undefined

  /** @throws `ERR_DREY_RANGE` for a range outside the value, as far as its size is known. */
  constructor(reader: BodyReader, key: string, range: ByteRange | undefined) {
    this.#reader = reader
    this.#key = key
    const start = range?.start ?? 0
    const last = range?.end
    if (!isPosition(start) || (last !== undefined && (!isPosition(last) || last < start))) {
      throw this.#outside(start, last, 'want whole numbers from 0 on, the end not before the start')
    }
    const size = reader.size
    if (range !== undefined && size !== undefined && start >= size && start > 0) {
      throw this.#outside(start, last, `the value has ${size} bytes`)
    }
    this.#start = start
    this.#position = start
    this.#end = last === undefined ? size : Math.min(last + 1, size ?? Number.POSITIVE_INFINITY)
  }

  /** Bytes that are still to come, if known. */
  get left(): number | undefined {
    const end = this.#end
    return end === undefined || this.#reader.size === undefined
      ? undefined
      : Math.max(0, end - this.#position)
  }

  /** The next bytes in memory of the caller's own; empty at the end. */
  next(max = PIECE_BYTES): Later<Buffer> {
    const want = Math.min(max, this.#wanted())
    if (want <= 0) return EMPTY
    const piece = this.#reader.pull(this.#position, want)
    return piece instanceof Promise ? piece.then((bytes) => this.#advance(bytes)) : this.#advance(piece)
  }

  /** The next bytes in lent memory where the reader can lend, else as `next`; empty at the end. */
  lend(): Later<Uint8Array> {
    const want = this.#wanted()
    if (want <= 0) return EMPTY
    if (this.#reader.lend === undefined) return this.next()
    const view = this.#reader.lend(this.#position)
    return view instanceof Promise ? view.then((bytes) => this.#clip(bytes)) : this.#clip(view)
  }

  /** The memory of one `lend` is not used any more. */
  returned(): void {
    this.#reader.returned?.()
  }

  #wanted(): number {
    return this.#end === undefined ? Number.POSITIVE_INFINITY : this.#end - this.#position
  }

  #clip(view: Uint8Array): Uint8Array {
    const want = this.#wanted()
    return this.#advance(view.length > want ? view.subarray(0, want) : view)
  }

  #advance<T extends Uint8Array>(bytes: T): T {
    if (bytes.length === 0 && this.#position === this.#start && this.#start > 0) {
      // The size was not known when the reading began: only now is it clear that there is no such part.
      throw this.#outside(this.#start, undefined, `the value has ${this.#reader.size ?? 'fewer'} bytes`)
    }
    this.#position += bytes.length
    if (bytes.length === 0 || this.#wanted() <= 0) this.#reader.satisfied?.()
    return bytes
  }

  #outside(start: number, end: number | undefined, why: string): OutOfRangeError {
    const range = `{ start: ${start}${end === undefined ? '' : `, end: ${end}`} }`
    return new OutOfRangeError(`range ${range} of ${showKey(this.#key)}: ${why}`)
  }
}

const EMPTY = Buffer.alloc(0)

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
