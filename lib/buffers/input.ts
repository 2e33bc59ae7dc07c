import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import {
  ReadableStream,
  type ReadableStreamBYOBReader,
  type ReadableStreamDefaultReader,
} from 'node:stream/web'
import { isAnyArrayBuffer } from 'node:util/types'
import { showValue } from '../config/validate.js'
import { ConfigError, messageOf, TruncatedError } from '../errors.js'
import type { Later } from '../store/store.js'
import { FileInput, type FilePath, isFileHandle, isFilePath } from './file.js'

interface AnyInput {
  /** Bytes that there are, where that is known. */
  readonly size: number | undefined
  /** Has `listener` told, once, what the source failed with, also while nobody reads. */
  onFailure(listener: (error: Error) => void): void
  /** Gets ready; awaited before anything is read. */
  open(): Later<void>
  /** Ends the sending side. Never throws, and a pending read may stay pending. */
  cancel(error: Error): void
  /** Lets go of what was read to its end. */
  release(): void
}

/** A source that gives pieces, which are the reader's from then on, or its caller's as long as it waits. */
export interface PieceInput extends AnyInput {
  readonly kind: 'pieces'
  /** Of bytes that a caller has: they are looked at until the sink is done with them. */
  readonly borrowed: boolean
  /** The next one; undefined at the end. */
  next(): Later<Uint8Array | undefined>
}

/** A source that fills memory. */
export interface FillInput extends AnyInput {
  readonly kind: 'fills'
  /** The memory is taken away meanwhile, and what is returned is of another ArrayBuffer: it cannot be pooled. */
  readonly transfers?: boolean
  /** Gives the part that was filled, empty at the end. */
  fill(memory: Uint8Array): Promise<Uint8Array>
  /** The same, with the CRC32C of what was filled, on from `seed`, taken in the same pass. Where that is to be had. */
  readonly fillChecked?: ((memory: Uint8Array, seed: number) => Promise<CheckedPiece>) | undefined
}

/** Bytes, and the CRC32C of all up to their end. */
export interface CheckedPiece {
  readonly piece: Uint8Array
  readonly checksum: number
}

export type Input = PieceInput | FillInput

/** What may be copied from. */
export type CopySource =
  | string
  | ArrayBufferView
  | ArrayBufferLike
  | Readable
  | ReadableStream
  | AsyncIterable<unknown>
  | FileHandle
  | FilePath

const SOURCE_FORMS =
  'bytes, a string, a Node or web stream that nobody reads, an async iterable, a FileHandle, or { path }'

/**
 * What reads `source`. A stream is taken over: it is read or cancelled from here on.
 *
 * @param fills memory may be filled and filled again, because the sink is known to be done with it
 * @throws `ERR_DREY_CONFIG`: it is none, or was read before and could only give a part
 */
export function inputOf(source: unknown, fills: boolean): Input {
  if (typeof source === 'string') return new BytesInput(Buffer.from(source), false)
  if (ArrayBuffer.isView(source)) {
    return new BytesInput(new Uint8Array(source.buffer, source.byteOffset, source.byteLength), true)
  }
  if (isAnyArrayBuffer(source)) return new BytesInput(new Uint8Array(source), true)
  if (typeof source === 'object' && source !== null) {
    if (source instanceof Readable) return nodeInput(source)
    if (source instanceof ReadableStream) return webInput(source, fills)
    if (isFileHandle(source)) return new FileInput({ handle: source })
    if (Symbol.asyncIterator in source) return new IterableInput(source as AsyncIterable<unknown>)
    if (isFilePath(source)) return new FileInput({ path: source.path })
  }
  throw new ConfigError(`source: got ${showValue(source)}; want ${SOURCE_FORMS}`)
}

function nodeInput(stream: Readable): Input {
  if (stream.destroyed || stream.readableEnded) {
    throw new ConfigError(
      'source: got a stream that was read to its end or destroyed; want one that is whole',
    )
  }
  if (stream.readableFlowing === true) {
    throw new ConfigError(
      "source: got a stream that somebody reads by 'data' or pipe(); want one that nobody reads",
    )
  }
  return new NodeInput(stream)
}

function webInput(stream: ReadableStream, fills: boolean): Input {
  // Node's check takes both kinds of stream; its types know of one.
  if (stream.locked || Readable.isDisturbed(stream as unknown as Readable)) {
    throw new ConfigError('source: got a web stream that was read before; want one that is whole')
  }
  const reader = fills ? byobReader(stream) : undefined
  return reader === undefined ? new WebInput(stream.getReader()) : new ByobInput(reader)
}

function byobReader(stream: ReadableStream): ReadableStreamBYOBReader | undefined {
  try {
    return stream.getReader({ mode: 'byob' })
  } catch (error) {
    // It is no stream of bytes, which cannot be asked otherwise.
    if (error instanceof TypeError) return undefined
    throw error
  }
}

/** Bytes of a piece. */
function pieceBytes(piece: unknown): Uint8Array {
  if (piece instanceof Uint8Array) return piece
  if (typeof piece === 'string') return Buffer.from(piece)
  if (ArrayBuffer.isView(piece)) return new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength)
  if (isAnyArrayBuffer(piece)) return new Uint8Array(piece)
  throw new ConfigError(`source: gave ${showValue(piece)} as a piece; want bytes or text`)
}

/** What a source failed with, as an error. */
function failureOf(cause: unknown): Error {
  if (cause instanceof Error) return cause
  return new TruncatedError(`the source failed: ${messageOf(cause)}`, { cause })
}

// The sending side was given up: how it fails after that concerns nobody any more.
const nobodyCares = (_error: unknown): void => undefined

class BytesInput implements PieceInput {
  readonly kind = 'pieces'
  readonly borrowed: boolean
  readonly size: number
  #bytes: Uint8Array | undefined

  constructor(bytes: Uint8Array, borrowed: boolean) {
    this.#bytes = bytes
    this.size = bytes.length
    this.borrowed = borrowed
  }

  onFailure(): void {
    // It cannot fail.
  }

  open(): void {
    // It is there.
  }

  next(): Uint8Array | undefined {
    const bytes = this.#bytes
    this.#bytes = undefined
    return bytes
  }

  cancel(): void {
    this.#bytes = undefined
  }

  release(): void {
    this.#bytes = undefined
  }
}

interface Waiting {
  resolve(piece: Uint8Array | undefined): void
  reject(error: Error): void
}

/** Reads by `read()`, which needs no promise where there is something, and gives all that is there as one piece. */
class NodeInput implements PieceInput {
  readonly kind = 'pieces'
  readonly borrowed = false
  readonly size = undefined
  readonly #stream: Readable
  #ended = false
  #failure: Error | undefined
  #listener: ((error: Error) => void) | undefined
  #waiting: Waiting | undefined

  constructor(stream: Readable) {
    this.#stream = stream
    stream.on('error', this.#onError)
    stream.on('end', this.#onEnd)
    stream.on('close', this.#onClose)
  }

  onFailure(listener: (error: Error) => void): void {
    this.#listener = listener
    if (this.#failure !== undefined) listener(this.#failure)
  }

  open(): void {
    this.#stream.on('readable', this.#onReadable)
  }

  next(): Later<Uint8Array | undefined> {
    if (this.#failure !== undefined) throw this.#failure
    const piece = this.#stream.read() as unknown
    if (piece !== null) return pieceBytes(piece)
    if (this.#ended) return undefined
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  cancel(error: Error): void {
    const stream = this.#stream
    stream.on('error', nobodyCares)
    this.release()
    try {
      stream.destroy()
    } catch (thrown) {
      // A method of the user's own: `error`, which led here, is what counts.
      nobodyCares(thrown)
    }
    this.#failure ??= error
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }

  release(): void {
    const stream = this.#stream
    stream.off('readable', this.#onReadable)
    stream.off('error', this.#onError)
    stream.off('end', this.#onEnd)
    stream.off('close', this.#onClose)
  }

  readonly #onReadable = (): void => {
    const waiting = this.#waiting
    if (waiting === undefined) return
    try {
      const piece = this.#stream.read() as unknown
      if (piece === null) return
      const bytes = pieceBytes(piece)
      this.#waiting = undefined
      waiting.resolve(bytes)
    } catch (error) {
      this.#onError(error as Error)
    }
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    this.#waiting?.resolve(undefined)
    this.#waiting = undefined
  }

  readonly #onClose = (): void => {
    if (this.#ended) return
    this.#onError(
      this.#stream.errored ??
        new TruncatedError('the source closed before its end: what came of it is not whole'),
    )
  }

  readonly #onError = (cause: Error): void => {
    if (this.#failure !== undefined || this.#ended) return
    const failure = failureOf(cause)
    this.#failure = failure
    this.#waiting?.reject(failure)
    this.#waiting = undefined
    this.#listener?.(failure)
  }
}

/** What both readers of web streams have in common. */
class WebReading {
  readonly size = undefined
  readonly #reader: ReadableStreamDefaultReader | ReadableStreamBYOBReader
  #listener: ((error: Error) => void) | undefined
  #over = false

  constructor(reader: ReadableStreamDefaultReader | ReadableStreamBYOBReader) {
    this.#reader = reader
    reader.closed.catch((cause) => {
      if (!this.#over) this.#listener?.(failureOf(cause))
    })
  }

  onFailure(listener: (error: Error) => void): void {
    this.#listener = listener
  }

  open(): void {
    // It is open.
  }

  cancel(error: Error): void {
    this.#over = true
    this.#reader.cancel(error).catch(nobodyCares)
  }

  release(): void {
    this.#over = true
    this.#reader.releaseLock()
    this.#reader.closed.catch(nobodyCares)
  }
}

class WebInput extends WebReading implements PieceInput {
  readonly kind = 'pieces'
  readonly borrowed = false
  readonly #pieces: ReadableStreamDefaultReader

  constructor(reader: ReadableStreamDefaultReader) {
    super(reader)
    this.#pieces = reader
  }

  async next(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#pieces.read().catch(rethrow)
    return done ? undefined : pieceBytes(value)
  }
}

class ByobInput extends WebReading implements FillInput {
  readonly kind = 'fills'
  readonly transfers = true
  readonly #bytes: ReadableStreamBYOBReader

  constructor(reader: ReadableStreamBYOBReader) {
    super(reader)
    this.#bytes = reader
  }

  async fill(memory: Uint8Array): Promise<Uint8Array> {
    const { value } = await this.#bytes.read(memory).catch(rethrow)
    return (value as Uint8Array | undefined) ?? new Uint8Array(0)
  }
}

function rethrow(cause: unknown): never {
  throw failureOf(cause)
}

class IterableInput implements PieceInput {
  readonly kind = 'pieces'
  readonly borrowed = false
  readonly size = undefined
  readonly #iterable: AsyncIterable<unknown>
  #iterator: AsyncIterator<unknown> | undefined

  constructor(iterable: AsyncIterable<unknown>) {
    this.#iterable = iterable
  }

  onFailure(): void {
    // It fails when it is asked only.
  }

  open(): void {
    this.#iterator = this.#iterable[Symbol.asyncIterator]()
  }

  async next(): Promise<Uint8Array | undefined> {
    let step: IteratorResult<unknown>
    try {
      step = await this.#iterator!.next()
    } catch (error) {
      throw failureOf(error)
    }
    return step.done === true ? undefined : pieceBytes(step.value)
  }

  cancel(): void {
    // Async, so that an iterator that throws at once is caught as one that rejects. One that was not begun holds resources, too (an answer of the cache).
    const ending = async (): Promise<unknown> =>
      (this.#iterator ?? this.#iterable[Symbol.asyncIterator]()).return?.()
    ending().catch(nobodyCares)
  }

  release(): void {
    // It has ended by itself.
  }
}
