import { stat } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { TruncatedError } from '../errors.js'
import type { Permit } from '../resilience/limiter/permit.js'
import type { Chunks, ChunkWays } from './chunks.js'
import type { Move } from './copy-options.js'
import { FileInput, FileOutput } from './file.js'
import { Gather, writeLoan } from './gather.js'
import type { FillInput, Input, PieceInput } from './input.js'
import { asError, type Output } from './output.js'
import { Tally } from './tally.js'

/** What was copied, and how. */
export interface CopyResult {
  readonly bytes: number
  /** What was done: see `docs/reference/buffers.md`. */
  readonly strategy: CopyStrategy
  /** Pieces that were handed to the sink, or gathered for it. */
  readonly chunks: number
  /** Of all bytes, with `checksum`. */
  readonly crc32c?: number
}

/** In one pooled Buffer, in pooled pieces, in pieces of the source's or the copy's own, or by the system. */
export type CopyStrategy = 'pooled' | 'chunked' | 'direct' | 'system'

/** What a copy needs of its pool. */
export interface CopyHost {
  readonly chunks: ChunkWays
  readonly largeObjectThreshold: number
  /** A slot for a large object, when its turn has come. */
  acquire(signal: AbortSignal): Promise<Permit>
  /** One that is free just now. */
  tryAcquire(): Permit | undefined
}

/** Smaller pieces are gathered: below, copying a piece costs less than the system call that it saves. */
const GATHER_BELOW = 8 * 2 ** 10
/** Bytes and pieces that may pass in one turn of the loop when neither side ever waits. */
const TURN_BYTES = 4 * 2 ** 20
const TURN_PIECES = 256
const COPY_DEPTH = 2

/**
 * One copy under way.
 *
 * Invariants: `#failure` is set once, by `fail`, and from then on the source is cancelled, the sink aborted, and nothing more is written; a chunk
 * that was lent comes back by the sink's word, or when the sink has closed. Whatever awaits in `#move` looks at `#failure` when it goes on.
 */
export class Copy {
  readonly #input: Input
  readonly #output: Output
  readonly #host: CopyHost
  readonly #move: Move
  readonly #checksum: boolean
  readonly #tally: Tally
  readonly #waiting = new AbortController()
  #chunks: Chunks | undefined
  #gather: Gather | undefined
  #permit: Permit | undefined
  #failure: Error | undefined
  #reject: ((error: Error) => void) | undefined

  constructor(input: Input, output: Output, host: CopyHost, move: Move & { readonly checksum: boolean }) {
    this.#input = input
    this.#output = output
    this.#host = host
    this.#move = move
    this.#checksum = move.checksum
    this.#tally = new Tally('copy', move.size, move.checksum, move.onProgress)
  }

  get bytes(): number {
    return this.#tally.bytes
  }

  run(): Promise<CopyResult> {
    return new Promise((resolve, reject) => {
      this.#reject = reject
      this.#input.onFailure((error) => this.fail(error))
      this.#output.onFailure((error) => this.fail(error))
      this.#all().then(resolve, (error) => this.fail(asError(error)))
    })
  }

  /** Ends it, unless it has ended. */
  fail(error: Error): void {
    if (this.#failure !== undefined || this.#reject === undefined) return
    this.#failure = error
    this.#waiting.abort(error)
    this.#gather?.drop()
    this.#chunks?.loans.close(error)
    this.#input.cancel(error)
    this.#output.abort(error)
    const loans = this.#chunks?.loans
    if (loans !== undefined) this.#output.whenUnused(() => loans.backFromSink())
    this.#output.release()
    this.#end()
    this.#reject(error)
  }

  async #all(): Promise<CopyResult> {
    const strategy = await this.#transfer()
    this.#assertGoing()
    this.#reject = undefined
    this.#chunks?.loans.close(new TruncatedError('the copy has ended'))
    this.#input.release()
    this.#output.release()
    this.#end()
    const { bytes, chunks, checksum } = this.#tally
    return { bytes, strategy, chunks, ...(this.#checksum ? { crc32c: checksum } : {}) }
  }

  async #transfer(): Promise<CopyStrategy> {
    // Somebody may be told of a failure that is there already: not within the constructor of the promise.
    await undefined
    this.#assertGoing()
    const bySystem = await this.#bySystem()
    if (bySystem) return 'system'
    const input = this.#input
    await input.open()
    this.#assertGoing()
    this.#tally.known(input.size)
    await this.#turnOf(this.#tally.expected)
    await this.#output.open()
    this.#assertGoing()
    const size = this.#tally.expected
    const ways = this.#host.chunks
    const fellBack = (): void => {
      ways.fallbacks += 1
    }
    const bytes = this.#fillsLent(input) ? ways.bytesToFill(size, fellBack) : ways.bytesFor(size)
    const chunks = ways.open(size, bytes, COPY_DEPTH, this.#waysOf(input))
    this.#chunks = chunks
    if (input.kind === 'fills') await this.#fill(input)
    else await this.#pass(input)
    this.#assertGoing()
    this.#tally.end()
    await this.#output.end()
    this.#assertGoing()
    if (this.#move.size === undefined && input.size === undefined) this.#host.chunks.saw(this.#tally.bytes)
    return chunks.strategy(this.#tally.bytes)
  }

  /** Whether the object is read into what the pool lends. */
  #fillsLent(input: Input): boolean {
    return input.kind === 'fills' && input.transfers !== true && this.#output.lending !== 'own'
  }

  #waysOf(input: Input): 'own' | 'pooled' {
    return input.kind === 'fills' && input.transfers === true ? 'own' : 'pooled'
  }

  /** Has the kernel do it where it can. */
  async #bySystem(): Promise<boolean> {
    const input = this.#input
    const output = this.#output
    if (!(input instanceof FileInput && output instanceof FileOutput)) return false
    const { path } = input
    if (path === undefined || output.path === undefined || this.#checksum) return false
    const there = await stat(path)
    this.#assertGoing()
    if (!there.isFile() || there.size === 0) return false
    const makesFile = await output.makesFile()
    this.#assertGoing()
    if (!makesFile) return false
    this.#tally.known(there.size)
    await this.#turnOf(there.size)
    const bytes = await output.copyFrom(path)
    this.#assertGoing()
    this.#tally.bytes = bytes
    this.#tally.known(bytes)
    this.#tally.passed()
    await output.end()
    return true
  }

  /** Waits for a slot if the object is large (C7). */
  async #turnOf(size: number | undefined): Promise<void> {
    if (size === undefined || size < this.#host.largeObjectThreshold) return
    const permit = await this.#host.acquire(this.#waiting.signal)
    if (this.#failure !== undefined) permit.release()
    this.#assertGoing()
    this.#permit = permit
  }

  /** What turns out to be large takes a slot if one is free. */
  #turnOnTheWay(): void {
    if (this.#permit !== undefined || this.#tally.bytes < this.#host.largeObjectThreshold) return
    if (this.#tally.expected !== undefined) return
    this.#permit = this.#host.tryAcquire()
  }

  /** From a source that fills memory. */
  async #fill(input: FillInput): Promise<void> {
    const { loans, bytes: size } = this.#chunks!
    const output = this.#output
    const tally = this.#tally
    const lends = output.lending !== 'own'
    for (;;) {
      // A file has what it had when it was opened; that there is no more needs not be read.
      const left = input.size === undefined ? size : Math.min(size, input.size - tally.bytes)
      if (left === 0) return
      if (!lends) {
        const { piece: filled, checksum } = await this.#filled(input, Buffer.allocUnsafeSlow(left))
        this.#assertGoing()
        if (filled.length === 0) return
        tally.add(filled, checksum)
        await output.write(filled)
        this.#assertGoing()
      } else {
        const taken = loans.take()
        const loan = taken instanceof Promise ? await taken : taken
        let filled: Uint8Array
        try {
          this.#assertGoing()
          const { memory } = loan
          const part = left < memory.length ? memory.subarray(0, left) : memory
          const { piece, checksum } = await this.#filled(input, part)
          filled = piece
          if (input.transfers === true) loan.memory = wholeOf(filled, size)
          this.#assertGoing()
          tally.add(filled, checksum)
        } catch (error) {
          loans.back(loan)
          throw error
        }
        if (filled.length === 0) return loans.back(loan)
        writeLoan(output, loans, loan, filled)
      }
      tally.passed()
      this.#turnOnTheWay()
    }
  }

  /** Checked while it is read where it is to be checked and the source can. */
  async #filled(input: FillInput, memory: Uint8Array): Promise<{ piece: Uint8Array; checksum?: number }> {
    const checked = this.#checksum ? input.fillChecked : undefined
    return checked === undefined
      ? { piece: await input.fill(memory) }
      : await checked(memory, this.#tally.checksum)
  }

  /** From a source that gives pieces. */
  async #pass(input: PieceInput): Promise<void> {
    const { loans, bytes: size } = this.#chunks!
    const output = this.#output
    const tally = this.#tally
    const gather = new Gather(output, loans, (error) => this.fail(asError(error)))
    this.#gather = gather
    let bytes = 0
    let pieces = 0
    for (;;) {
      const coming = input.next()
      let piece: Uint8Array | undefined
      if (coming instanceof Promise) {
        gather.flushSoon()
        piece = await coming
        this.#assertGoing()
      } else piece = coming
      if (piece === undefined) break
      if (piece.length === 0) continue
      tally.add(piece)
      const room = this.#hand(piece, input.borrowed, gather, size)
      if (room instanceof Promise) await room
      this.#assertGoing()
      tally.passed()
      this.#turnOnTheWay()
      bytes += piece.length
      pieces += 1
      if (bytes >= TURN_BYTES || pieces >= TURN_PIECES) {
        bytes = 0
        pieces = 0
        await turn()
        this.#assertGoing()
      }
    }
    gather.flush()
  }

  #hand(piece: Uint8Array, borrowed: boolean, gather: Gather, size: number): void | Promise<void> {
    const output = this.#output
    if (borrowed && output.lending === 'own') return this.#handCopies(piece, size)
    if (
      output.gathers &&
      piece.length < GATHER_BELOW &&
      !(borrowed && piece.length === this.#tally.declared)
    ) {
      return gather.add(piece)
    }
    gather.flush()
    return output.write(piece)
  }

  /** Of what is its caller's, to a sink that may keep it. */
  async #handCopies(piece: Uint8Array, size: number): Promise<void> {
    for (let at = 0; at < piece.length; at += size) {
      const part = piece.subarray(at, at + size)
      const own = Buffer.allocUnsafeSlow(part.length)
      own.set(part)
      await this.#output.write(own)
      this.#assertGoing()
    }
  }

  #assertGoing(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  #end(): void {
    this.#permit?.release()
  }
}

/** All of a block that a read gave back: the part that was filled begins it. */
function wholeOf(filled: Uint8Array, length: number): Uint8Array {
  return filled.buffer.byteLength < length ? new Uint8Array(length) : new Uint8Array(filled.buffer, 0, length)
}
