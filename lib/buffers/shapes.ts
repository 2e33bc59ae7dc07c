import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'

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
    // One piece ahead, however small pieces are.
    highWaterMark: 1,
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

/** The same pieces, of which one that is waited for fails at once when the reading is ended from outside. */
export function interruptible(from: PieceSource): PieceSource {
  let failure: Error | undefined
  let waiting: ((error: Error) => void) | undefined
  from.onInterrupt((error) => {
    failure = error
    waiting?.(error)
  })
  return {
    next: () =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failure)
        waiting = reject
        from.next().then(resolve, reject)
      }),
    release: () => from.release(),
    onInterrupt: (interrupt) => from.onInterrupt(interrupt),
  }
}

/**
 * An iteration that gives its place up also when it is left before its first step, or in the middle of one. By hand,
 * because a generator would keep the last piece reachable until the next one comes.
 */
export function iteration(from: PieceSource): AsyncIterableIterator<Buffer> {
  type Step = IteratorResult<Buffer, undefined>
  let over = false
  /** Steps that were asked for and have not ended; each begins after the one before. */
  let steps = 0
  let last: Promise<Step> | undefined
  const ended = (): void => {
    steps -= 1
    if (steps === 0) last = undefined
  }
  const leave = (): IteratorReturnResult<undefined> => {
    over = true
    from.release()
    return { done: true, value: undefined }
  }
  const give = (piece: Buffer): Step => {
    ended()
    return piece.length === 0 ? leave() : { done: false, value: piece }
  }
  const fail = (error: unknown): never => {
    ended()
    leave()
    throw error
  }
  const step = (): Promise<Step> => {
    if (!over) return from.next().then(give, fail)
    ended()
    return Promise.resolve({ done: true, value: undefined })
  }
  return {
    next: () => {
      steps += 1
      last = last === undefined ? step() : last.then(step, step)
      return last
    },
    return: async () => leave(),
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
