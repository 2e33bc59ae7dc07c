import { AbortedError, messageOf, TruncatedError } from '../errors.js'
import { showKey } from '../keys.js'
import { IN_HAND, type Later, type StoredEntry } from '../store/store.js'
import type { Tier } from './tier.js'

/** Largest piece that a body is handed out in: 64 KiB. */
export const PIECE_BYTES = 64 * 1024

/**
 * Where a body is read from: an entry of a store, or a fill that still grows. Positions never decrease from
 * call to call; what lies before the last one may be gone. One call waits at a time.
 */
export interface BodyReader {
  /** Size of the whole value, once known. Who was given so many bytes has the whole value. */
  readonly size: number | undefined
  /** The value is here, small, and holds nothing that someone else may need. */
  readonly inHand: boolean
  /** Its bytes come one by one: who wants all of them does best to gather what it lends. */
  readonly inPieces: boolean
  /** What it lends while it is in hand stays as it is, also when it was returned. */
  readonly staysLent: boolean
  /** It waits for bytes that its origin has not sent. */
  readonly waiting?: boolean
  /** Up to `max` bytes from `position` on in memory that is the caller's own; empty only at the end. Waits for what has not arrived; throws or rejects when it never will. */
  pull(position: number, max: number): Later<Buffer>
  /** As `pull`, but lends memory that must not be written to and is valid until it is `returned`, also after `release`. */
  lend(position: number): Later<Uint8Array>
  /** What one `lend` gave, or the part that it begins with, is not used any more. Saying so of what is not on loan does nothing. */
  returned(memory: Uint8Array): void
  /** The reading has all that it wanted; it will be released, but was not given up. */
  satisfied(): void
  /** Ends a pending wait with `error`, and each later call. */
  fail(error: Error): void
  /** Ends a pending wait, and gives back what the reader holds as soon as nothing is on loan. Calling it again does nothing. */
  release(): void
  /** A reader in hand of the same value, if it is here by now, whole and small. */
  detach?(): BodyReader | undefined
}

const EMPTY = Buffer.alloc(0)

/** Whether one of them begins where the other does. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.byteOffset === other.byteOffset && one.buffer === other.buffer
}

/**
 * Reads an entry that a store has open. A store that gives fewer bytes than the entry has, or fails, breaks the
 * body off: it never ends it (I1).
 *
 * Invariants: the entry is released once, after `release` and when nothing of its own is on loan; memory that a store without
 * views reads into is the tier's scratch, in `#scratch` while it is on loan, and goes back when neither the store nor the borrower looks at it.
 */
export class EntryReader implements BodyReader {
  readonly size: number
  readonly inHand: boolean
  readonly inPieces = false
  readonly staysLent: boolean
  readonly #key: string
  readonly #entry: StoredEntry
  readonly #tier: Tier
  #loans = 0
  #scratch: Buffer[] | undefined
  #left = false
  #failure: Error | undefined
  /** Rejects the read that is waited for. */
  #interrupt: ((error: Error) => void) | undefined

  constructor(key: string, entry: StoredEntry, tier: Tier) {
    this.#key = key
    this.#entry = entry
    this.#tier = tier
    this.size = entry.metadata.size
    this.inHand = this.size <= IN_HAND
    // S7: what a store lends of small entries does. What it reads into scratch does not.
    this.staysLent = entry.view !== undefined
  }

  pull(position: number, max: number): Later<Buffer> {
    if (this.#failure !== undefined) throw this.#failure
    const length = Math.min(max, this.size - position)
    if (length <= 0) return EMPTY
    let piece: Buffer
    let read: Later<number>
    try {
      const own = length === this.size ? this.#entry.own?.() : undefined
      if (own?.length === length) return own
      piece = Buffer.allocUnsafeSlow(length)
      read = this.#entry.read(piece, position)
    } catch (error) {
      throw this.#brokenOff(position, error)
    }
    return read instanceof Promise ? this.#await(read, piece, position) : this.#filled(piece, read, position)
  }

  lend(position: number): Later<Uint8Array> {
    const entry = this.#entry
    if (this.#failure !== undefined) throw this.#failure
    if (position >= this.size) return EMPTY
    if (entry.view === undefined) return this.#lendScratch(position)
    let view: Uint8Array
    try {
      view = entry.view(position)
    } catch (error) {
      throw this.#brokenOff(position, error)
    }
    if (view.length === 0) throw this.#brokenOff(position, undefined)
    this.#loans += 1
    return view
  }

  returned(memory: Uint8Array): void {
    if (this.#scratch !== undefined) {
      const at = this.#scratch.findIndex((lent) => isSame(lent, memory))
      const [lent] = at < 0 ? [] : this.#scratch.splice(at, 1)
      if (lent !== undefined) this.#tier.scratch.put(lent)
      return
    }
    if (this.#loans === 0) return
    this.#loans -= 1
    this.#releaseIfDone()
  }

  satisfied(): void {
    // Nobody else depends on how far this reading went.
  }

  fail(error: Error): void {
    this.#failure ??= error
    this.#interrupt?.(this.#failure)
  }

  release(): void {
    if (this.#left) return
    this.#left = true
    this.#interrupt?.(new AbortedError('the reading was left'))
    this.#releaseIfDone()
  }

  #releaseIfDone(): void {
    if (this.#left && this.#loans === 0) this.#tier.release(this.#entry)
  }

  /** Has the store read into memory that is nobody's for longer than the loan. */
  #lendScratch(position: number): Later<Uint8Array> {
    const { scratch } = this.#tier
    const memory = scratch.get(Math.min(PIECE_BYTES, this.size - position))
    let read: Later<number>
    try {
      read = this.#entry.read(memory, position)
    } catch (error) {
      scratch.put(memory)
      throw this.#brokenOff(position, error)
    }
    return read instanceof Promise
      ? this.#awaitScratch(read, memory, position)
      : this.#lent(memory, read, position)
  }

  #awaitScratch(read: Promise<number>, memory: Buffer, position: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      let left = false
      this.#interrupt = (error) => {
        left = true
        reject(error)
      }
      read
        .then(
          (length) => {
            // The store wrote into it until now, though nobody waited any more.
            if (left) this.#tier.scratch.put(memory)
            else resolve(this.#lent(memory, length, position))
          },
          (error) => {
            this.#tier.scratch.put(memory)
            reject(this.#brokenOff(position, error))
          },
        )
        .catch(reject)
    })
  }

  #lent(memory: Buffer, length: number, position: number): Uint8Array {
    if (length > 0) {
      this.#scratch ??= []
      this.#scratch.push(memory)
      return length === memory.length ? memory : memory.subarray(0, length)
    }
    this.#tier.scratch.put(memory)
    throw this.#brokenOff(position, undefined)
  }

  #await(read: Promise<number>, piece: Buffer, position: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject
      read
        .then(
          (length) => resolve(this.#filled(piece, length, position)),
          (error) => reject(this.#brokenOff(position, error)),
        )
        .catch(reject)
    })
  }

  #filled(piece: Buffer, length: number, position: number): Buffer {
    if (length > 0) return length === piece.length ? piece : piece.subarray(0, length)
    throw this.#brokenOff(position, undefined)
  }

  #brokenOff(position: number, cause: unknown): TruncatedError {
    this.#tier.failures += 1
    const name = this.#entry.tier ?? this.#tier.store.name
    const why = cause === undefined ? 'has no more' : `failed: ${messageOf(cause)}`
    return new TruncatedError(
      `the body of ${showKey(this.#key)} broke off after ${position} of ${this.size} bytes: the ${name} tier ${why}`,
      { cause },
    )
  }
}

/** Reads bytes that are the reader's own. */
export class BytesReader implements BodyReader {
  readonly inHand = true
  readonly inPieces = false
  readonly staysLent = true
  readonly size: number
  readonly #bytes: Buffer
  #failure: Error | undefined

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.size = bytes.length
  }

  pull(position: number, max: number): Buffer {
    if (this.#failure !== undefined) throw this.#failure
    return this.#bytes.subarray(position, position + max)
  }

  lend(position: number): Buffer {
    return this.pull(position, this.size)
  }

  returned(): void {
    // Its memory is nobody else's.
  }

  satisfied(): void {
    // Nobody else depends on how far this reading went.
  }

  fail(error: Error): void {
    this.#failure ??= error
  }

  release(): void {
    // Its memory is nobody else's: there is nothing to give back.
  }
}
