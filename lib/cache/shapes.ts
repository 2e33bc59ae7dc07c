import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { PIECE_BYTES } from './reader.js'

/*
 * The shapes of streams that a body is read in. Each takes pieces from one place, and gives that place up
 * when it ends, fails or is left.
 */

/** Where a stream takes its pieces from. */
export interface PieceSource {
  /** The next piece, empty at the end. Called again only after the last one settled. */
  next(): Promise<Buffer>
  /** Nothing more will be taken. May be called again. */
  release(): void
  /** Hands over what ends the stream with an error from outside. */
  onInterrupt(interrupt: (error: Error) => void): void
}

// The reading was ended from outside, before anybody listened to the stream: who never looked at it is not told.
const nobodyListens = (): void => undefined

export function nodeStream(from: PieceSource): Readable {
  const readable = new Readable({
    highWaterMark: PIECE_BYTES,
    read() {
      from.next().then(
        (piece) => this.push(piece.length === 0 ? null : piece),
        (error) => this.destroy(error),
      )
    },
    destroy(error, done) {
      from.release()
      done(error)
    },
  })
  from.onInterrupt((error) => endStream(readable, error))
  return readable
}

/** Destroys a stream of ours with `error`, without ending the process where nobody listens for errors. */
export function endStream(
  stream: {
    listenerCount(event: 'error'): number
    on(event: 'error', listener: () => void): unknown
    destroy(error: Error): unknown
  },
  error: Error,
): void {
  if (stream.listenerCount('error') === 0) stream.on('error', nobodyListens)
  stream.destroy(error)
}

export function webStream(from: PieceSource): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => from.onInterrupt((error) => controller.error(error)),
      pull: async (controller) => {
        try {
          const piece = await from.next()
          if (piece.length > 0) return controller.enqueue(piece)
        } catch (error) {
          from.release()
          throw error
        }
        from.release()
        controller.close()
      },
      cancel: () => from.release(),
    },
    { highWaterMark: 0 },
  )
}

/** An iteration that gives its place up also when it is left before its first step, or in the middle of one. */
export function iteration(from: PieceSource): AsyncIterableIterator<Buffer> {
  async function* pieces(): AsyncGenerator<Buffer, undefined, undefined> {
    try {
      for (let piece = await from.next(); piece.length > 0; piece = await from.next()) yield piece
    } finally {
      from.release()
    }
  }
  const generator = pieces()
  return {
    next: () => generator.next(),
    return: () => {
      from.release()
      return generator.return(undefined)
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
