import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'

/*
 * One face for all that a body can be: bytes that are there, or pieces that arrive.
 */

/** Pieces that arrive one after the other. */
export interface Pieces {
  next(): Promise<IteratorResult<unknown>>
  /** Ends the sending side; never throws, and a pending `next` may stay pending. */
  cancel(reason: Error): void
}

export type Source = { readonly bytes: Uint8Array } | { readonly pieces: Pieces }

// The sending side was given up: how it fails after that concerns nobody any more.
const nobodyCares = (): void => undefined

/** What `body` is; undefined when it is no body. A stream is taken over: it is read or cancelled from here on. */
export function sourceOf(body: unknown): Source | undefined {
  if (typeof body === 'string') return { bytes: Buffer.from(body) }
  if (body instanceof Uint8Array) return { bytes: body }
  if (body instanceof ArrayBuffer) return { bytes: new Uint8Array(body) }
  if (typeof body !== 'object' || body === null) return undefined
  if (body instanceof Readable) return { pieces: fromNodeStream(body) }
  if (body instanceof ReadableStream || body instanceof globalThis.ReadableStream) return fromWebStream(body)
  if (Symbol.asyncIterator in body) return { pieces: fromIterable(body as AsyncIterable<unknown>) }
  if ('json' in body) {
    const text = JSON.stringify(body.json)
    return text === undefined ? undefined : { bytes: Buffer.from(text) }
  }
  return undefined
}

/** Ends a body that nobody will read; what is no body has nothing to end. */
export function cancelBody(body: unknown, reason: Error): void {
  if (body instanceof Readable || body instanceof ReadableStream || isAsyncIterable(body)) {
    const source = sourceOf(body)
    if (source !== undefined && 'pieces' in source) source.pieces.cancel(reason)
  }
}

function isAsyncIterable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

function fromNodeStream(stream: Readable): Pieces {
  // Between now and the first `next` an error would otherwise have no listener and end the process; `next` reports it.
  stream.on('error', nobodyCares)
  const iterator = stream[Symbol.asyncIterator]()
  return {
    next: () => iterator.next(),
    cancel: () => {
      stream.destroy()
    },
  }
}

function fromWebStream(stream: ReadableStream): Source | undefined {
  if (stream.locked) return undefined
  const reader = stream.getReader()
  return {
    pieces: {
      next: () => reader.read() as Promise<IteratorResult<unknown>>,
      cancel: (reason) => {
        reader.cancel(reason).catch(nobodyCares)
      },
    },
  }
}

function fromIterable(iterable: AsyncIterable<unknown>): Pieces {
  const iterator = iterable[Symbol.asyncIterator]()
  return {
    next: async () => iterator.next(),
    cancel: () => {
      // Async, so that an iterator that throws at once is caught as one that rejects.
      const ending = async (): Promise<unknown> => iterator.return?.()
      ending().catch(nobodyCares)
    },
  }
}

/** Bytes that are there, as pieces: all of them in one. */
export function onePiece(bytes: Uint8Array): Pieces {
  let given = false
  return {
    next: async () => {
      if (given) return { done: true, value: undefined }
      given = true
      return { done: false, value: bytes }
    },
    cancel: () => {
      given = true
    },
  }
}

/** Bytes of a piece; undefined when it is none. */
export function pieceBytes(piece: unknown): Uint8Array | undefined {
  if (piece instanceof Uint8Array) return piece
  if (typeof piece === 'string') return Buffer.from(piece)
  if (piece instanceof ArrayBuffer) return new Uint8Array(piece)
  return undefined
}
