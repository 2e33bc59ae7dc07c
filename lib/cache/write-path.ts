import { Writable } from 'node:stream'
import { ConfigError, type DreyError } from '../errors.js'
import { assertKey, showKey } from '../keys.js'
import type { Later, Metadata } from '../store/store.js'
import { EntryWriter, type WriteContext } from './entry-writer.js'
import type { Body, EntryOptions } from './fetcher.js'
import type { InFlight, Work } from './in-flight.js'
import { type EntryHead, type Freshness, readHead } from './metadata.js'
import { type Pieces, pieceBytes, sourceOf } from './source.js'

/** Stores what callers give: `set` and `writer`. */
export class WritePath {
  readonly #context: WriteContext
  readonly #freshness: Freshness
  readonly #inFlight: InFlight

  constructor(context: WriteContext, freshness: Freshness, inFlight: InFlight) {
    this.#context = context
    this.#freshness = freshness
    this.#inFlight = inFlight
  }

  /** As `Cache.set`; throws, too, what it rejects with. */
  set(key: string, body: Body, options: EntryOptions): Later<Metadata> {
    assertKey(key)
    const head = readHead(options)
    const source = sourceOf(body)
    if (source === undefined) {
      throw new ConfigError(
        `set: the body of ${showKey(key)} is none; want bytes, a string, { json }, a Node or web stream that nobody reads yet, or an async iterable`,
      )
    }
    if ('pieces' in source) return this.#setPieces(key, source.pieces, head)
    const writer = this.#begin(key, { ...head, size: head.size ?? source.bytes.length })
    try {
      const written = writer.write(source.bytes)
      // Far stores answer later and may read the bytes until then: they get a copy that nobody changes.
      const finished = written instanceof Promise ? written.then(() => writer.finish()) : writer.finish()
      return finished instanceof Promise ? this.#orAbort(writer, finished) : finished
    } catch (error) {
      writer.abort()
      throw error
    }
  }

  writer(key: string, options: EntryOptions): Writable {
    assertKey(key)
    const writer = this.#begin(key, readHead(options))
    const inFlight = this.#inFlight
    const stream = new Writable({
      write(chunk: Uint8Array, _encoding, done) {
        settle(() => writer.write(chunk), done)
      },
      final(done) {
        settle(() => writer.finish(), done)
      },
      destroy(error, done) {
        writer.abort()
        inFlight.remove(work)
        done(error)
      },
    })
    const work: Work = { end: (error) => void stream.destroy(error) }
    inFlight.add(work)
    return stream
  }

  #begin(key: string, head: EntryHead): EntryWriter {
    return new EntryWriter(key, head, this.#freshness, this.#context)
  }

  async #orAbort<T>(writer: EntryWriter, finished: Promise<T>): Promise<T> {
    try {
      return await finished
    } catch (error) {
      writer.abort()
      throw error
    }
  }

  async #setPieces(key: string, pieces: Pieces, head: EntryHead): Promise<Metadata> {
    let stop: (error: DreyError) => void = () => undefined
    const stopped = new Promise<never>((_, reject) => {
      stop = reject
    })
    const work: Work = { end: (error) => stop(error) }
    this.#inFlight.add(work)
    let writer: EntryWriter | undefined
    try {
      writer = this.#begin(key, head)
      for (;;) {
        const piece = await Promise.race([pieces.next(), stopped])
        if (piece.done === true) break
        const bytes = pieceBytes(piece.value)
        if (bytes === undefined) {
          throw new ConfigError(`set: a body is made of bytes or strings; got ${typeof piece.value}`)
        }
        await writer.write(bytes)
      }
      return await writer.finish()
    } catch (error) {
      writer?.abort()
      pieces.cancel(error as Error)
      throw error
    } finally {
      this.#inFlight.remove(work)
    }
  }
}

/** Runs `step`, which may throw, reject or answer at once, and tells the stream. */
function settle(step: () => Later<unknown>, done: (error?: Error | null) => void): void {
  try {
    const result = step()
    if (result instanceof Promise) {
      result.then(
        () => done(),
        (error) => done(error),
      )
    } else done()
  } catch (error) {
    done(error as Error)
  }
}
