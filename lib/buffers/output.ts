import type { FileHandle } from 'node:fs/promises'
import { OutgoingMessage } from 'node:http'
import { Socket } from 'node:net'
import { Writable } from 'node:stream'
import { WritableStream, type WritableStreamDefaultWriter } from 'node:stream/web'
import { TLSSocket } from 'node:tls'
import { showValue } from '../config/validate.js'
import { AbortedError, ConfigError } from '../errors.js'
import type { Later } from '../store/store.js'
import { FileOutput, type FilePath, isFileHandle, isFilePath } from './file.js'
import { type Lending, lendingOf, whenUnused } from './lending.js'

/** Where a copy or tee writes to: one face for all sinks. */
export interface Output {
  readonly lending: Lending
  /** Each write costs a system call: few large ones are better. */
  readonly gathers: boolean
  /** Bytes that were written and not taken yet. */
  readonly pending: number
  /** Has `listener` told, once, what the sink failed with, also while nobody writes. */
  onFailure(listener: (error: Error) => void): void
  /** Gets ready; awaited before the first write. */
  open(): Later<void>
  /** Hands over a chunk; waits for room for the next. `taken` is called when the sink is done with the memory, and not after a failure. */
  write(chunk: Uint8Array, taken?: () => void): Later<void>
  /** All was written: resolves when the sink has finished. */
  end(): Promise<void>
  /** Ends it with an error. Never throws. */
  abort(error: Error): void
  /** After `abort`: calls `fn` once nothing that was written is looked at any more. */
  whenUnused(fn: () => void): void
  /** Lets go of what it listens to; it was ended or aborted. */
  release(): void
}

/** What may be copied to. */
export type CopySink = NodeJS.WritableStream | WritableStream | FileHandle | FilePath

const SINK_FORMS =
  'a Node Writable, socket or HTTP response, a web WritableStream that nobody writes to, a FileHandle, or { path }'

/** @throws `ERR_DREY_CONFIG`: `sink` is none, or cannot take anything any more. */
export function outputOf(sink: unknown): Output {
  if (typeof sink === 'object' && sink !== null) {
    if (sink instanceof WritableStream) return webOutput(sink)
    if (isFileHandle(sink)) return new FileOutput({ handle: sink })
    if (isWritable(sink)) return nodeOutput(sink)
    if (isFilePath(sink)) return new FileOutput({ path: sink.path })
  }
  throw new ConfigError(`sink: got ${showValue(sink)}; want ${SINK_FORMS}`)
}

function isWritable(sink: object): sink is Writable {
  if (sink instanceof Writable) return true
  const { write, end, on, off } = sink as Partial<Writable>
  return [write, end, on, off].every((method) => typeof method === 'function')
}

function nodeOutput(writable: Writable): Output {
  if (writable.destroyed || writable.writableEnded) {
    throw new ConfigError('sink: got a stream that has ended or was destroyed; want one that takes bytes')
  }
  return new NodeOutput(writable)
}

function webOutput(stream: WritableStream): Output {
  if (stream.locked) {
    throw new ConfigError('sink: got a web stream that somebody else writes to; want one that is not locked')
  }
  return new WebOutput(stream.getWriter())
}

// The rejection says it already, or nobody is left who could care.
const nobodyCares = (_error: unknown): void => undefined

/** Not over TLS, where the other side misses the notice of the end; nor when the end was said already. */
function canReset(socket: Socket): boolean {
  return (
    !(socket instanceof TLSSocket) &&
    !socket.destroyed &&
    !socket.connecting &&
    !socket.writableEnded &&
    socket.remoteFamily?.startsWith('IP') === true
  )
}

function once(fn: () => void): () => void {
  let called = false
  return () => {
    if (called) return
    called = true
    fn()
  }
}

/** A write that failed may be under way still: its memory comes back when the sink has closed. */
function unlessFailed(taken: () => void): (error?: Error | null) => void {
  return (error) => {
    if (error === undefined || error === null) taken()
  }
}

/** Of a response of HTTP/2's compatible kind. Where its session ends while something waits to be sent, that closes never, but its stream says `aborted`. */
function http2StreamOf(writable: Writable): Writable | undefined {
  const { stream } = writable as { readonly stream?: unknown }
  return stream instanceof Writable && 'rstCode' in stream ? stream : undefined
}

interface Waiting {
  resolve(): void
  reject(error: Error): void
}

/** Invariant: who waits in `#room` or `#ending` is told, once, by the sink's own events or by its failure. */
class NodeOutput implements Output {
  readonly lending: Lending
  readonly gathers: boolean
  readonly #writable: Writable
  /** Tells when the other side is gone, as HTTP/2 does. */
  readonly #connection: Pick<Writable, 'on' | 'off'>
  #failure: Error | undefined
  #listener: ((error: Error) => void) | undefined
  #room: Waiting | undefined
  #ending: Waiting | undefined
  #finished = false

  constructor(writable: Writable) {
    this.#writable = writable
    this.#connection = http2StreamOf(writable) ?? writable
    this.lending = lendingOf(writable)
    this.gathers = this.lending === 'lent'
    writable.on('drain', this.#onDrain)
    writable.on('finish', this.#onFinish)
    writable.on('close', this.#onClose)
    writable.on('error', this.#onError)
    this.#connection.on('aborted', this.#onClose)
  }

  get pending(): number {
    return this.#writable.writableLength ?? 0
  }

  onFailure(listener: (error: Error) => void): void {
    this.#listener = listener
    if (this.#failure !== undefined) listener(this.#failure)
  }

  open(): void {
    // It is open.
  }

  write(chunk: Uint8Array, taken?: () => void): Later<void> {
    if (this.#failure !== undefined) throw this.#failure
    const done = taken === undefined ? undefined : once(taken)
    const room = this.#writable.write(chunk, done === undefined ? undefined : unlessFailed(done))
    // Nothing is left of it in the queue of the stream, so it was taken.
    if (this.lending === 'at-once' && this.#writable.writableLength === 0) done?.()
    if (room !== false || this.#failure !== undefined) return undefined
    return new Promise((resolve, reject) => {
      this.#room = { resolve, reject }
    })
  }

  end(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#ending = { resolve, reject }
      this.#writable.end()
    })
  }

  abort(error: Error): void {
    const writable = this.#writable
    this.#fail(error)
    // The error listener stays: destroying emits `error`, and who copies learns of it by the rejection.
    writable.on('error', nobodyCares)
    // A connection that is closed in order looks whole to the other side, and nothing but a reset tells it.
    try {
      if (writable instanceof Socket && canReset(writable)) writable.resetAndDestroy()
      // One that is no Writable may have no such method: there is nothing that it could be told by.
      else writable.destroy?.(writable instanceof OutgoingMessage ? undefined : error)
    } catch (thrown) {
      // A method of the user's own: `error`, which led here, is what counts.
      nobodyCares(thrown)
    }
  }

  whenUnused(fn: () => void): void {
    whenUnused(this.#writable, fn)
  }

  release(): void {
    const writable = this.#writable
    writable.off('drain', this.#onDrain)
    writable.off('finish', this.#onFinish)
    writable.off('close', this.#onClose)
    writable.off('error', this.#onError)
    this.#connection.off('aborted', this.#onClose)
  }

  readonly #onDrain = (): void => {
    this.#room?.resolve()
    this.#room = undefined
  }

  readonly #onFinish = (): void => {
    this.#finished = true
    // Somebody else ended it, if nobody waits for its end.
    if (this.#ending === undefined) return this.#fail(new AbortedError('the sink was ended by somebody else'))
    this.#ending.resolve()
    this.#ending = undefined
  }

  readonly #onClose = (): void => {
    if (this.#finished) return
    const cause = this.#writable.errored ?? undefined
    this.#fail(cause ?? new AbortedError('the sink closed before it had taken everything'))
  }

  readonly #onError = (error: Error): void => this.#fail(error)

  #fail(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    const waiting = [this.#room, this.#ending]
    this.#room = undefined
    this.#ending = undefined
    for (const one of waiting) one?.reject(error)
    this.#listener?.(error)
  }
}

class WebOutput implements Output {
  readonly lending = 'own'
  readonly gathers = false
  readonly #writer: WritableStreamDefaultWriter
  #pending = 0
  #failure: Error | undefined
  #listener: ((error: Error) => void) | undefined

  constructor(writer: WritableStreamDefaultWriter) {
    this.#writer = writer
    writer.ready.catch(nobodyCares)
    writer.closed.catch((error) => this.#fail(error))
  }

  get pending(): number {
    return this.#pending
  }

  onFailure(listener: (error: Error) => void): void {
    this.#listener = listener
    if (this.#failure !== undefined) listener(this.#failure)
  }

  open(): void {
    // It is open.
  }

  write(chunk: Uint8Array): Later<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#pending += chunk.length
    this.#writer.write(chunk).then(
      () => {
        this.#pending -= chunk.length
      },
      (error) => this.#fail(error),
    )
    const { desiredSize } = this.#writer
    if (desiredSize !== null && desiredSize > 0) return undefined
    const { ready } = this.#writer
    ready.catch(nobodyCares)
    return ready as Promise<unknown> as Promise<void>
  }

  async end(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      await this.#writer.close()
    } catch (error) {
      throw asError(error)
    }
  }

  abort(error: Error): void {
    this.#failure ??= error
    this.#writer.abort(error).catch(nobodyCares)
  }

  whenUnused(fn: () => void): void {
    // What it got was its own.
    fn()
  }

  release(): void {
    // The stream has ended: an other writer could do nothing with it.
    this.#writer.releaseLock()
    this.#writer.closed.catch(nobodyCares)
    this.#writer.ready.catch(nobodyCares)
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = asError(cause)
    this.#listener?.(this.#failure)
  }
}

/** What was thrown, as an error. */
export function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new AbortedError('the sink was aborted', { cause })
}
