import type { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { AbortedError, BodyUsedError, OverloadedError, TruncatedError } from '../errors.js'
import type { Later } from '../store/store.js'
import type { Chunks, ChunkWays } from './chunks.js'
import type { readTeeOptions } from './copy-options.js'
import type { Deadline } from './deadline.js'
import { Gather } from './gather.js'
import type { Input } from './input.js'
import { asError, type Output } from './output.js'
import { interruptible, iteration, nodeStream, type PieceSource, webStream } from './shapes.js'
import { Tally } from './tally.js'

/** What became of the sink of a tee. */
export interface TeeOutcome {
  /** `whole`: it has all and was ended. `dropped`: it was too slow. `failed`: it, or the source, failed. `left`: the reader left. */
  readonly status: 'whole' | 'dropped' | 'failed' | 'left'
  /** Bytes that were handed to it. */
  readonly bytes: number
  /** Why it is not whole. */
  readonly error?: Error
}

type TeeMove = ReturnType<typeof readTeeOptions>

const EMPTY = Buffer.alloc(0)
const DEPTH = 2

/**
 * A source that is read while a sink gets it too. Read once, in the shape that suits; it moves when it is read.
 *
 * Invariants: `#reading` until the reader has its end, an error, or has left; `#feeding` until the sink was ended or aborted, of which `written` tells.
 * The source is pulled by one at a time: by the reader, and after it left, if the sink is to be finished, by `#finish`.
 */
export class Tee implements AsyncIterable<Buffer> {
  /** What became of the sink. Never rejects, and settles also when nobody waits. */
  readonly written: Promise<TeeOutcome>
  readonly #input: Input
  readonly #output: Output
  readonly #move: TeeMove
  readonly #tally: Tally
  readonly #chunks: Chunks
  readonly #gather: Gather | undefined
  readonly #deadline: Deadline
  #used = false
  #reading = true
  #feeding = true
  #opened: Promise<void> | undefined
  /** Settles when the sink has room again. */
  #room: Promise<void> | undefined
  /** Ends a wait for a sink that failed. */
  #unblock: (() => void) | undefined
  #pull: Promise<unknown> | undefined
  #fed = 0
  #sourceEnded = false
  /** What the reader fails with. */
  #failure: Error | undefined
  #interrupt: ((error: Error) => void) | undefined
  #settle!: (outcome: TeeOutcome) => void

  /** @internal */
  constructor(
    input: Input,
    output: Output,
    chunks: ChunkWays,
    move: TeeMove,
    deadline: (fail: (error: Error) => void) => Deadline,
  ) {
    this.#input = input
    this.#output = output
    this.#move = move
    this.#tally = new Tally('tee', move.size, false, move.onProgress)
    const size = move.size ?? input.size
    const chunk = chunks.bytesFor(size)
    const depth = move.drops ? Math.max(DEPTH, Math.ceil(move.sinkBuffer / chunk)) : DEPTH
    this.#chunks = chunks.open(size, chunk, depth, 'pooled')
    this.#gather = output.lending === 'lent' ? this.#newGather() : undefined
    this.written = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.#deadline = deadline((error) => this.#fail(error))
    input.onFailure((error) => this.#fail(error))
    output.onFailure((error) => this.#sinkFailed(error))
    this.#deadline.check()
  }

  /** As a Node stream. @throws `ERR_DREY_BODY_USED` */
  stream(): Readable {
    return nodeStream(this.#pieces())
  }

  /** As a web stream. @throws `ERR_DREY_BODY_USED` */
  web(): ReadableStream<Uint8Array> {
    return webStream(this.#pieces())
  }

  /** As an iteration. @throws `ERR_DREY_BODY_USED` */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    return iteration(interruptible(this.#pieces()))
  }

  /** The reader leaves, also where it never came. */
  close(): void {
    this.#used = true
    const error = new AbortedError('the tee was closed')
    if (this.#reading) this.#failure ??= error
    this.#leave()
    this.#interrupt?.(error)
  }

  #pieces(): PieceSource {
    if (this.#used) {
      throw new BodyUsedError(
        'the tee was read or closed before; it can be read once: tee again, or keep its bytes',
      )
    }
    this.#used = true
    return {
      next: () => {
        const pull = this.#next()
        this.#pull = pull.catch(toldToReader)
        return pull
      },
      release: () => this.#leave(),
      onInterrupt: (interrupt) => {
        this.#interrupt = interrupt
        if (this.#failure !== undefined) interrupt(this.#failure)
      },
    }
  }

  /** The next piece for the reader, empty at the end. */
  async #next(): Promise<Buffer> {
    try {
      for (;;) {
        this.#assertReading()
        const piece = await this.#step()
        this.#assertReading()
        if (piece === undefined) return this.#readerEnd()
        if (piece.length > 0) return piece
      }
    } catch (error) {
      this.#fail(asError(error))
      throw this.#failure
    }
  }

  /** Takes one piece of the source and hands it to the sink. Undefined at the end. */
  async #step(): Promise<Buffer | undefined> {
    this.#opened ??= this.#open()
    await this.#opened
    if (this.#room !== undefined && !this.#move.drops) await this.#room
    const piece = await this.#take()
    if (piece === undefined) {
      this.#tally.end()
      this.#sourceEnded = true
      this.#input.release()
      const ended = this.#endSink()
      if (this.#move.failTogether) await ended
      return undefined
    }
    if (piece.length === 0) return piece
    this.#tally.add(piece)
    if (this.#feeding) this.#feed(piece)
    // Its memory is the reader's only when the sink is done with it.
    if (this.#room !== undefined && this.#output.lending !== 'own' && !this.#move.drops) await this.#room
    this.#tally.passed()
    return piece
  }

  async #take(): Promise<Buffer | undefined> {
    if (this.#sourceEnded) return undefined
    const input = this.#input
    if (input.kind === 'pieces') {
      const coming = input.next()
      const piece = coming instanceof Promise ? await coming : coming
      if (piece === undefined) return undefined
      // What a caller has stays its own.
      return input.borrowed ? Buffer.from(piece) : asBuffer(piece)
    }
    const filled = await input.fill(Buffer.allocUnsafeSlow(this.#chunks.bytes))
    return filled.length === 0 ? undefined : asBuffer(filled)
  }

  async #open(): Promise<void> {
    await this.#input.open()
    this.#tally.known(this.#input.size)
    if (!this.#feeding) return
    try {
      await this.#output.open()
    } catch (error) {
      this.#sinkFailed(asError(error))
    }
  }

  #feed(piece: Buffer): void {
    try {
      if (this.#move.drops && this.#isBehind(piece.length)) return this.#drop()
      const room = this.#give(piece)
      this.#fed += piece.length
      if (room instanceof Promise) {
        const settled = room.catch(toldByOutput).then(() => {
          if (this.#room === settled) this.#room = undefined
        })
        this.#room = settled
      }
    } catch (error) {
      this.#sinkFailed(asError(error))
    }
  }

  /** Settles when the sink has room, and nobody looks at `piece` any more. */
  #give(piece: Buffer): Later<void> {
    const output = this.#output
    // The reader, who has the piece from here on, does not wait for a sink that may be dropped.
    const given = this.#move.drops || output.lending === 'own' ? copyOf(piece) : piece
    if (this.#gather !== undefined) {
      const room = this.#gather.add(given)
      if (room instanceof Promise) return room.then(() => this.#gather?.flushSoon())
      this.#gather.flushSoon()
      return undefined
    }
    if (given !== piece) return output.write(given)
    return new Promise((resolve) => {
      this.#unblock = resolve
      const room = output.write(piece, resolve)
      // That it has taken the piece is what counts.
      if (room instanceof Promise) room.catch(toldByOutput)
    })
  }

  /** In the way that it counts: chunks that all are out, or bytes in its own queue. */
  #isBehind(more: number): boolean {
    if (this.#gather !== undefined) return this.#room !== undefined
    return this.#room !== undefined && this.#output.pending + more > this.#move.sinkBuffer
  }

  #drop(): void {
    const error = new OverloadedError(
      `tee.sinkBuffer: what waits for the sink takes more than ${this.#move.sinkBuffer} bytes of memory, and it was dropped; raise it, or let the reader wait: onSinkSlow: 'wait'`,
    )
    if (this.#move.failTogether) return this.#fail(error)
    this.#abortSink('dropped', error)
  }

  async #endSink(): Promise<void> {
    if (!this.#feeding) return
    try {
      if (this.#room !== undefined) await this.#room
      if (!this.#feeding) return
      this.#gather?.flush()
      await this.#output.end()
      if (!this.#feeding) return
      this.#feeding = false
      this.#chunks.loans.close(new TruncatedError('the tee has ended'))
      this.#output.release()
      this.#stopIfOver()
      this.#settle({ status: 'whole', bytes: this.#fed })
    } catch (error) {
      this.#sinkFailed(asError(error))
    }
  }

  #readerEnd(): Buffer {
    this.#reading = false
    this.#stopIfOver()
    return EMPTY
  }

  #sinkFailed(error: Error): void {
    if (!this.#feeding) return
    if (this.#move.failTogether) return this.#fail(error)
    this.#abortSink('failed', error)
    // Nobody is left who wants the rest.
    if (!this.#reading) this.#cancelSource(error)
  }

  /** Ends all of it with `error`. */
  #fail(error: Error): void {
    const reading = this.#reading
    this.#reading = false
    if (reading) this.#failure ??= error
    this.#cancelSource(error)
    this.#abortSink('failed', error)
    this.#stopIfOver()
    if (reading) this.#interrupt?.(error)
  }

  /** The reader wants no more: it has all, failed, or goes early. */
  #leave(): void {
    if (!this.#reading) return
    this.#reading = false
    if (this.#move.finishSink && this.#feeding) {
      const pull = this.#pull ?? Promise.resolve()
      pull.then(() => this.#finish())
      return
    }
    const error = new AbortedError('the reader of the tee left')
    this.#cancelSource(error)
    this.#abortSink('left', error)
    this.#stopIfOver()
  }

  /** Gives the sink what the reader did not want. */
  async #finish(): Promise<void> {
    try {
      while (this.#feeding && !this.#sourceEnded) {
        await this.#step()
        if (this.#room !== undefined) await this.#room
      }
    } catch (error) {
      this.#fail(asError(error))
    }
  }

  #cancelSource(error: Error): void {
    if (this.#sourceEnded) return
    this.#sourceEnded = true
    this.#input.cancel(error)
  }

  #abortSink(status: TeeOutcome['status'], error: Error): void {
    if (!this.#feeding) return
    this.#feeding = false
    const { loans } = this.#chunks
    this.#unblock?.()
    this.#gather?.drop()
    loans.close(error)
    this.#output.abort(error)
    this.#output.whenUnused(() => loans.backFromSink())
    this.#output.release()
    this.#stopIfOver()
    this.#settle({ status, bytes: this.#fed, error })
  }

  #stopIfOver(): void {
    if (!this.#reading && !this.#feeding) this.#deadline.stop()
  }

  #assertReading(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (!this.#reading) throw new AbortedError('the reading was left')
  }

  #newGather(): Gather {
    return new Gather(this.#output, this.#chunks.loans, (error) => this.#sinkFailed(asError(error)))
  }
}

// The reader has the failure from the promise that it waits for.
const toldToReader = (): void => undefined
// The output tells of its failure by itself.
const toldByOutput = (): void => undefined

function asBuffer(piece: Uint8Array): Buffer {
  return Buffer.isBuffer(piece) ? piece : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
}

function copyOf(piece: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(piece.length)
  own.set(piece)
  return own
}
