import { IN_HAND, type Later, type StoredEntry } from '../store/store.js'

/** Largest piece that a body is handed out in: 64 KiB. */
export const PIECE_BYTES = 64 * 1024

/**
 * Where a body is read from: an entry of a store, or a fill that still grows. Positions never decrease from
 * call to call; what lies before the last one may be gone.
 */
export interface BodyReader {
  /** Size of the whole value, once known. */
  readonly size: number | undefined
  /** The value is here, small, and holds nothing that someone else may need. */
  readonly inHand: boolean
  /** A `pull` or `lend` is pending. */
  readonly waiting?: boolean
  /** Up to `max` bytes from `position` on in memory that is the caller's own; empty only at the end. Waits for what has not arrived; throws or rejects when it never will. */
  pull(position: number, max: number): Later<Buffer>
  /** As `pull`, but lends memory that must not be written to and is valid until it is `returned`. */
  lend?(position: number): Later<Uint8Array>
  /** The memory of one `lend` is not used any more. */
  returned?(): void
  /** The reading has all that it wanted; it will be released, but was not given up. */
  satisfied?(): void
  /** Ends a pending wait with `error`, and each later call. */
  fail(error: Error): void
  /** Gives back what the reader holds. Calling it again does nothing. */
  release(): void
  /** A reader in hand of the same value, if it is here by now, whole and small. */
  detach?(): BodyReader | undefined
}

const EMPTY = Buffer.alloc(0)

/** Reads an entry that a store has open. */
export class EntryReader implements BodyReader {
  readonly size: number
  readonly inHand: boolean
  readonly lend?: (position: number) => Uint8Array
  readonly #entry: StoredEntry
  #failure: Error | undefined

  constructor(entry: StoredEntry) {
    this.#entry = entry
    this.size = entry.metadata.size
    this.inHand = this.size <= IN_HAND
    if (entry.view !== undefined) {
      this.lend = (position) => {
        if (this.#failure !== undefined) throw this.#failure
        return entry.view!(position)
      }
    }
  }

  pull(position: number, max: number): Later<Buffer> {
    if (this.#failure !== undefined) throw this.#failure
    const length = Math.min(max, this.size - position)
    if (length <= 0) return EMPTY
    const piece = Buffer.allocUnsafeSlow(length)
    const read = this.#entry.read(piece, position)
    return typeof read === 'number' ? piece.subarray(0, read) : read.then((n) => piece.subarray(0, n))
  }

  fail(error: Error): void {
    this.#failure ??= error
  }

  release(): void {
    this.#entry.release()
  }
}
