import { Readable, type Writable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { AbortedError, abortedBy, BodyUsedError, TimeoutError } from '../errors.js'
import { showKey } from '../keys.js'
import type { Later, Metadata } from '../store/store.js'
import type { ByteRange, Found, NotStored, Outcome } from './answer.js'
import { Cursor } from './cursor.js'
import type { IdleWatch, Watched } from './idle.js'
import type { InFlight } from './in-flight.js'
import { type BodyReader, PIECE_BYTES } from './reader.js'
import { mayBeLent, writeOut } from './sink.js'

/** What an answer needs of its cache. */
export interface FoundContext {
  readonly idle: IdleWatch
  readonly inFlight: InFlight
  onLeak(key: string): void
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
    const cursor = this.#begin(range)
    const answer = this
    const readable = new Readable({
      highWaterMark: PIECE_BYTES,
      read() {
        answer.#next(cursor).then(
          (piece) => this.push(piece.length === 0 ? null : piece),
          (error) => this.destroy(error),
        )
      },
      destroy(error, done) {
        answer.#release()
        done(error)
      },
    })
    this.#interrupt = (error) => readable.destroy(error)
    return readable
  }

  web(range?: ByteRange): ReadableStream<Uint8Array> {
    const cursor = this.#begin(range)
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#interrupt = (error) => controller.error(error)
        },
        pull: async (controller) => {
          const piece = await this.#next(cursor).catch((error) => {
            this.#release()
            throw error
          })
          if (piece.length > 0) return controller.enqueue(piece)
          this.#release()
          controller.close()
        },
        cancel: () => this.#release(),
      },
      { highWaterMark: 0 },
    )
  }

  async writeTo(writable: Writable, range?: ByteRange): Promise<void> {
    const cursor = this.#begin(range)
    try {
      if (this.#reader.inHand && !writable.destroyed) {
        const first = mayBeLent(writable) ? cursor.lend() : cursor.next()
        const piece = first instanceof Promise ? await first : first
        if (cursor.left === 0) {
          // In hand already: one write, and nothing on loan.
          writable.end(piece)
          return
        }
        writable.write(piece)
      }
      await writeOut(cursor, writable, this.#touch)
    } finally {
      this.#release()
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    const cursor = this.#begin()
    try {
      for (;;) {
        const piece = await this.#next(cursor)
        if (piece.length === 0) return
        yield piece
      }
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
    const cursor = new Cursor(this.#reader, this.key, range)
    this.#used = true
    return cursor
  }

  /** The next piece, always as a promise. */
  #next(cursor: Cursor, max?: number): Promise<Buffer> {
    let piece: Later<Buffer>
    try {
      piece = cursor.next(max)
    } catch (error) {
      return Promise.reject(error)
    }
    if (!(piece instanceof Promise)) {
      this.#touch()
      return Promise.resolve(piece)
    }
    return piece.finally(this.#touch)
  }

  async #gather(cursor: Cursor): Promise<Buffer> {
    const size = cursor.left
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

  #track(): void {
    this.#tracked = true
    this.#context.inFlight.add(this)
    this.#context.idle.add(this)
    if (this.#signal?.aborted === true) this.#onAbort()
    else this.#signal?.addEventListener('abort', this.#onAbort)
  }

  readonly #touch = (): void => {
    if (this.#tracked) this.#context.idle.touch(this)
  }

  readonly #onAbort = (): void => {
    this.end(abortedBy(this.#signal!, `reading ${showKey(this.key)}`))
  }

  #release(): void {
    this.#reader.release()
    if (!this.#tracked) return
    this.#tracked = false
    this.#context.inFlight.remove(this)
    this.#context.idle.remove(this)
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}
