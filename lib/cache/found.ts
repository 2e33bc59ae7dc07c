import { constants } from 'node:buffer'
import { OutgoingMessage } from 'node:http'
import type { Readable, Writable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { mayBeLent } from '../buffers/lending.js'
import { iteration, nodeStream, type PieceSource, webStream } from '../buffers/shapes.js'
import {
  AbortedError,
  abortedBy,
  BodyUsedError,
  ConfigError,
  TimeoutError,
  TooLargeError,
} from '../errors.js'
import { showKey } from '../keys.js'
import type { Later, Metadata } from '../store/store.js'
import type { ByteRange, Found, NotStored, Outcome } from './answer.js'
import { Cursor } from './cursor.js'
import type { IdleWatch, Watched } from './idle.js'
import type { InFlight } from './in-flight.js'
import type { BodyReader } from './reader.js'
import { writeOut } from './sink.js'
import { pieceBytesAmong, turns } from './turns.js'

/** What an answer needs of its cache. */
export interface FoundContext {
  readonly idle: IdleWatch
  readonly inFlight: InFlight
  onLeak(key: string): void
  /** So many bytes more were given to a reader, from the tier that answered, if one did. */
  onRead(bytes: number, tier: string | undefined): void
  /** A reading failed. */
  onFailure(error: unknown): void
}

/** Where an answer comes from, and where its value ends up. */
export interface Provenance {
  readonly metadata: Metadata
  readonly tier: string | undefined
  readonly stored: string | NotStored | undefined
}

/**
 * A value with its body, read once.
 *
 * Invariants: `#reader` is released exactly once, at the end of the reading, on an error, by `close()`, by the
 * caller's signal or by the idle watch; while it is not, and the value is not in hand, the answer is in
 * `context.inFlight` and watched. After `#used` is set no second reading begins.
 */
export class FoundAnswer implements Found, Watched {
  readonly status = 'ok'
  readonly key: string
  readonly outcome: Outcome
  lastRead = 0
  #reader: BodyReader
  readonly #from: Provenance
  readonly #context: FoundContext
  readonly #signal: AbortSignal | undefined
  /** Where the reading is; set while there is one. */
  #cursor: Cursor | undefined
  /** Bytes that were given and are counted. */
  #counted = 0
  #broken = false
  #used = false
  #tracked = false
  /** Ends the reading in progress with an error; set while there is one. */
  #interrupt: ((error: Error) => void) | undefined

  constructor(
    key: string,
    outcome: Outcome,
    reader: BodyReader,
    from: Provenance,
    context: FoundContext,
    signal: AbortSignal | undefined,
  ) {
    this.key = key
    this.outcome = outcome
    this.#reader = reader
    this.#from = from
    this.#context = context
    this.#signal = signal
    if (!reader.inHand) this.#track()
  }

  get tier(): string | undefined {
    return this.#from.tier
  }

  get meta(): Metadata {
    return this.#from.metadata
  }

  get size(): number | undefined {
    return this.#reader.size
  }

  get stored(): string | NotStored | undefined {
    return this.#from.stored
  }

  async bytes(): Promise<Buffer> {
    const cursor = this.#begin()
    try {
      return await this.#gather(cursor)
    } catch (error) {
      return this.#failed(error)
    } finally {
      this.#release()
    }
  }

  async text(): Promise<string> {
    return (await this.bytes()).toString('utf8')
  }

  async json<T = unknown>(): Promise<T> {
    return JSON.parse(await this.text()) as T
  }

  stream(range?: ByteRange): Readable {
    return nodeStream(this.#pieces(range))
  }

  web(range?: ByteRange): ReadableStream<Uint8Array> {
    return webStream(this.#pieces(range))
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    return iteration(this.#pieces())
  }

  async writeTo(writable: Writable, range?: ByteRange): Promise<void> {
    if (typeof writable?.write !== 'function' || typeof writable.on !== 'function') {
      throw new ConfigError('writeTo: want a Writable, a socket or an HTTP response')
    }
    const cursor = this.#begin(range)
    try {
      if (this.#reader.inHand && writable instanceof OutgoingMessage && isOpen(writable)) {
        return await this.#sendInHand(cursor, writable)
      }
      const outflow = writeOut(cursor, writable, this.#touch)
      this.#interrupt = outflow.stop
      await outflow.done
    } catch (error) {
      return this.#failed(error)
    } finally {
      this.#release()
    }
  }

  close(): void {
    this.#used = true
    this.end(new AbortedError(`the body of ${showKey(this.key)} was closed`))
  }

  /** Ends the reading, begun or not, with `error`. */
  end(error: Error): void {
    this.#reader.fail(error)
    this.#interrupt?.(error)
    this.#release()
  }

  onIdle(): void {
    if (this.#reader.waiting === true) {
      // A reading that waits for the origin is nobody's neglect.
      this.#context.idle.add(this)
      return
    }
    const own = this.#used ? undefined : this.#reader.detach?.()
    if (own !== undefined) {
      // A small value that has arrived by now needs no close(): it is taken in hand instead of being a leak.
      this.#release()
      this.#reader = own
      return
    }
    this.#context.onLeak(this.key)
    const size = this.#reader.size
    const what = size === undefined ? 'a body' : `a body of ${size} bytes`
    this.end(
      new TimeoutError(`${what} of ${showKey(this.key)} lay unread for timeouts.idle; read it or close() it`),
    )
  }

  #begin(range?: ByteRange): Cursor {
    if (this.#used) {
      throw new BodyUsedError(
        `the body of ${showKey(this.key)} was read or closed before; it can be read once: fetch again, or keep its bytes()`,
      )
    }
    if (this.#signal?.aborted === true) throw abortedBy(this.#signal, `reading ${showKey(this.key)}`)
    const cursor = new Cursor(this.#reader, this.key, range)
    this.#used = true
    this.#cursor = cursor
    return cursor
  }

  #pieces(range?: ByteRange): PieceSource {
    const cursor = this.#begin(range)
    return {
      next: () => this.#next(cursor),
      release: () => this.#release(),
      onInterrupt: (interrupt) => {
        this.#interrupt = interrupt
      },
    }
  }

  /** The next piece, always as a promise. What is in hand is given at once, the rest as the turns of the loop allow. */
  #next(cursor: Cursor, max?: number): Promise<Buffer> {
    const turn = this.#reader.inHand ? undefined : turns.wait()
    if (turn === undefined) return this.#take(cursor, max)
    return turn.then(() => {
      // The reading may have been left meanwhile, and what it read from be released.
      if (!this.#tracked) this.#reader.fail(new AbortedError('the reading was left'))
      return this.#take(cursor, max)
    })
  }

  #take(cursor: Cursor, max = pieceBytesAmong(this.#context.inFlight.size)): Promise<Buffer> {
    let piece: Later<Buffer>
    try {
      piece = cursor.next(max)
    } catch (error) {
      this.#noteFailure(error)
      return Promise.reject(error)
    }
    return piece instanceof Promise
      ? piece.then((got) => this.#give(got), this.#failed)
      : Promise.resolve(this.#give(piece))
  }

  #give(piece: Buffer): Buffer {
    this.#touch()
    turns.spend(piece.length, this.#context.inFlight.size)
    return piece
  }

  async #gather(cursor: Cursor): Promise<Buffer> {
    const size = cursor.left
    if (size !== undefined && size > constants.MAX_LENGTH) {
      throw new TooLargeError(
        `the value of ${showKey(this.key)} has ${size} bytes; a Buffer holds ${constants.MAX_LENGTH}: read it as a stream`,
      )
    }
    if (size !== undefined && this.#reader.inPieces) return this.#gatherLent(cursor, size)
    const first = await this.#next(cursor, size)
    if (first.length === size) return first
    const whole = size === undefined ? undefined : Buffer.allocUnsafeSlow(size)
    const pieces: Buffer[] = []
    let at = 0
    for (let piece = first; piece.length > 0; piece = await this.#next(cursor)) {
      if (whole === undefined) pieces.push(piece)
      else whole.set(piece, at)
      at += piece.length
    }
    return whole ?? Buffer.concat(pieces, at)
  }

  /** Straight into memory of the caller's own: no piece is anybody's in between. */
  async #gatherLent(cursor: Cursor, size: number): Promise<Buffer> {
    let whole: Buffer | undefined
    for (let at = 0; ; ) {
      const lent = await this.#lend(cursor)
      if (lent.length === 0) return whole ?? Buffer.alloc(0)
      try {
        whole ??= Buffer.allocUnsafeSlow(size)
        whole.set(lent, at)
        at += lent.length
      } finally {
        cursor.returned(lent)
      }
    }
  }

  /** As `#next`, of lent memory. */
  async #lend(cursor: Cursor): Promise<Uint8Array> {
    const turn = this.#reader.inHand ? undefined : turns.wait()
    if (turn !== undefined) {
      await turn
      if (!this.#tracked) this.#reader.fail(new AbortedError('the reading was left'))
    }
    const lent = await cursor.lend()
    this.#touch()
    // One reader: what is lent leaves no garbage.
    turns.spend(lent.length, 1)
    return lent
  }

  /** In hand already, and HTTP tells of failures by closing: one call, and nothing to wait for. */
  async #sendInHand(cursor: Cursor, response: OutgoingMessage): Promise<void> {
    try {
      const lends = mayBeLent(response)
      if (lends && !this.#reader.staysLent) return await this.#sendScratch(cursor, response)
      const lent = lends ? cursor.lend() : this.#gather(cursor)
      const first = lent instanceof Promise ? await lent : lent
      if (cursor.left === 0) response.end(first)
      else {
        // A store may lend a small value in parts, too.
        response.end(Buffer.concat([first, await this.#gather(cursor)]))
      }
      if (first.length > 0) cursor.returned(first)
    } catch (error) {
      response.destroy()
      throw error
    }
  }

  /** What has to be given back: when the response was handed to the system, or its connection is gone. */
  async #sendScratch(cursor: Cursor, response: OutgoingMessage): Promise<void> {
    const first = await cursor.lend()
    const back = (): void => cursor.returned(first)
    const { socket } = response
    if (cursor.left === 0 && socket !== null && !socket.closed) {
      response.once('finish', back).once('close', back)
      response.end(first)
      return
    }
    try {
      // In parts; or it waits for its turn on a connection, and would not be told that this is gone.
      response.end(Buffer.concat([first, await this.#gather(cursor)]))
    } finally {
      back()
    }
  }

  #track(): void {
    this.#tracked = true
    this.#context.inFlight.add(this)
    this.#context.idle.add(this)
    if (this.#signal?.aborted === true) this.#onAbort()
    else this.#signal?.addEventListener('abort', this.#onAbort)
  }

  readonly #touch = (): void => {
    if (!this.#tracked) return
    this.#context.idle.touch(this)
    this.#count()
  }

  /** Counts what was given since it was counted last: a large body is counted while it goes out. */
  #count(): void {
    const taken = this.#cursor?.taken ?? 0
    if (taken === this.#counted) return
    this.#context.onRead(taken - this.#counted, this.#from.tier)
    this.#counted = taken
  }

  readonly #failed = (error: unknown): never => {
    this.#noteFailure(error)
    throw error
  }

  /** Once, however many ways it is told. */
  #noteFailure(error: unknown): void {
    if (!this.#broken) this.#context.onFailure(error)
    this.#broken = true
  }

  readonly #onAbort = (): void => {
    this.end(abortedBy(this.#signal!, `reading ${showKey(this.key)}`))
  }

  #release(): void {
    this.#count()
    this.#reader.release()
    if (!this.#tracked) return
    this.#tracked = false
    this.#context.inFlight.remove(this)
    this.#context.idle.remove(this)
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}

function isOpen(writable: OutgoingMessage): boolean {
  return !writable.destroyed && !writable.writableEnded
}
