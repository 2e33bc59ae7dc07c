import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { isAnyArrayBuffer, isUint8Array } from 'node:util/types'
import { ConfigError, messageOf } from '../errors.js'
import { showKey } from '../keys.js'

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

/** What may be a body, for messages. */
export const BODY_FORMS =
  'bytes, a string, { json }, a Node or web stream that nobody reads yet, or an async iterable'

// The sending side was given up: how it fails after that concerns nobody any more.
const nobodyCares = (): void => undefined

/**
 * What `body` is; undefined when it is no body, or a stream that was read before and could only give a part. A stream
 * is taken over: it is read or cancelled from here on. Throws what a body of the user's own making throws.
 */
export function sourceOf(body: unknown): Source | undefined {
  const bytes = typeof body === 'string' ? Buffer.from(body) : bytesOf(body)
  if (bytes !== undefined) return { bytes }
  if (typeof body !== 'object' || body === null) return undefined
  if (body instanceof Readable) return fromNodeStream(body)
  if (body instanceof ReadableStream) return fromWebStream(body)
  if (isAsyncIterable(body)) return { pieces: fromIterable(body) }
  if ('json' in body) {
    const text = JSON.stringify(body.json)
    return text === undefined ? undefined : { bytes: Buffer.from(text) }
  }
  return undefined
}

/** Ends the body of `carrier` that nobody will read; what has no body, or none that arrives, has nothing to end. Never throws. */
export function cancelBody(carrier: { readonly body?: unknown } | null | undefined, reason: Error): void {
  try {
    const body = carrier?.body
    if (body instanceof Readable) {
      body.on('error', nobodyCares).destroy()
      return
    }
    if (typeof body !== 'object' || body === null || !isAsyncIterable(body)) return
    const source = sourceOf(body)
    if (source !== undefined && 'pieces' in source) source.pieces.cancel(reason)
  } catch {
    // A body that cannot even be begun has nothing to end; why it was given up is told already.
  }
}

/** Bytes of a piece; undefined when it is none. */
export function pieceBytes(piece: unknown): Uint8Array | undefined {
  return typeof piece === 'string' ? Buffer.from(piece) : bytesOf(piece)
}

/** Bytes of a piece of what `call` was given. @throws `ERR_DREY_CONFIG` when it is none */
export function givenBytes(call: string, piece: unknown): Uint8Array {
  const bytes = pieceBytes(piece)
  if (bytes !== undefined) return bytes
  throw new ConfigError(`${call}: a body is made of bytes or strings; got ${typeof piece}`)
}

function bytesOf(value: unknown): Uint8Array | undefined {
  // Not by `instanceof`: what was made in another realm (a test runner's, a vm's) is bytes, too.
  if (isUint8Array(value)) return value
  return isAnyArrayBuffer(value) ? new Uint8Array(value) : undefined
}

function isAsyncIterable(value: object): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in value
}

function fromNodeStream(stream: Readable): Source | undefined {
  if (stream.destroyed || stream.readableEnded) return undefined
  // Between now and the first `next` an error would otherwise have no listener and end the process; `next` reports it.
  stream.on('error', nobodyCares)
  const iterator = stream[Symbol.asyncIterator]()
  return {
    pieces: {
      next: () => iterator.next(),
      cancel: () => {
        stream.destroy()
      },
    },
  }
}

function fromWebStream(stream: ReadableStream): Source | undefined {
  // Node's check takes both kinds of stream; its types know of one.
  if (stream.locked || Readable.isDisturbed(stream as unknown as Readable)) return undefined
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

/** What `sourceOf` gives. @throws `ERR_DREY_CONFIG` for what is no body, or cannot be read. */
export function readBody(key: string, body: unknown): Source {
  let source: Source | undefined
  try {
    source = sourceOf(body)
  } catch (error) {
    throw new ConfigError(`set: the body of ${showKey(key)} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
  if (source === undefined)
    throw new ConfigError(`set: the body of ${showKey(key)} is none; want ${BODY_FORMS}`)
  return source
}
