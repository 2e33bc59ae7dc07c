import { Writable } from 'node:stream'
import { takesAtOnce } from '../buffers/lending.js'
import { endStream } from '../buffers/shapes.js'
import { assertKey } from '../keys.js'
import { IN_HAND, type Later, type Metadata } from '../store/store.js'
import { assertSize, EntryWriter, noRoom, sequenceFor, type WriteContext } from './entry-writer.js'
import type { Body, EntryOptions } from './fetcher.js'
import type { InFlight, Work } from './in-flight.js'
import { drawn, type EntryHead, metadataOf, readHead } from './metadata.js'
import { assertOptions } from './options.js'
import { cancelBody, givenBytes, type Pieces, readBody } from './source.js'

/** Stores what callers give: `set` and `writer`. */
export class WritePath {
  readonly #context: WriteContext
  readonly #inFlight: InFlight

  constructor(context: WriteContext, inFlight: InFlight) {
    this.#context = context
    this.#inFlight = inFlight
  }

  /** As `Cache.set`; throws, too, what it rejects with. A body that it cannot store is cancelled. */
  set(key: string, body: Body, options: EntryOptions): Later<Metadata> {
    const stored = this.#set(key, body, options)
    return stored instanceof Promise
      ? stored.then((metadata) => this.#everywhere(key, metadata))
      : this.#everywhere(key, stored)
  }

  /** `result`, when every tier that a write waits for has the value; the cache closing ends the wait. */
  #everywhere<T>(key: string, result: T): Later<T> {
    const written = this.#context.tier.written(key)
    return written === undefined ? result : this.#inFlight.wait(written, { use: () => result })
  }

  #set(key: string, body: Body, options: EntryOptions): Later<Metadata> {
    try {
      this.#context.assertOpen()
      assertKey(key)
      assertOptions(options)
      const head = readHead(options)
      const source = readBody(key, body)
      if ('bytes' in source && this.#context.tier.setsAtOnce) {
        const metadata = this.#setAtOnce(key, head, source.bytes)
        if (metadata !== undefined) return metadata
      }
      if ('bytes' in source && this.#context.tier.setsLater(key)) {
        return this.#follow(this.#setLater(key, head, source.bytes), gone)
      }
      const size = 'bytes' in source ? (head.size ?? source.bytes.length) : head.size
      const writer = new EntryWriter(key, { ...head, size }, this.#context)
      return 'bytes' in source ? this.#setBytes(writer, source.bytes) : this.#setPieces(writer, source.pieces)
    } catch (error) {
      cancelBody({ body }, error as Error)
      throw error
    }
  }

  writer(key: string, options: EntryOptions): Writable {
    assertKey(key)
    assertOptions(options)
    const writer = new EntryWriter(key, readHead(options), this.#context)
    const inFlight = this.#inFlight
    const written = (finished: Later<Metadata>): Later<Metadata> =>
      finished instanceof Promise
        ? finished.then((metadata) => this.#everywhere(key, metadata))
        : this.#everywhere(key, finished)
    const stream = new Writable({
      write(chunk: Uint8Array, _encoding, done) {
        settle(() => writer.write(chunk), done)
      },
      final(done) {
        settle(() => written(writer.finish()), done)
      },
      destroy(error, done) {
        writer.abort()
        inFlight.remove(work)
        done(error)
      },
    })
    const work: Work = { end: (error) => endStream(stream, error) }
    inFlight.add(work)
    takesAtOnce(stream, () => writer.takesAtOnce)
    return stream
  }

  /** In one step, so that nothing can come between and there is nothing to be fenced. Undefined when another tier may take it. */
  #setAtOnce(key: string, head: EntryHead, bytes: Uint8Array): Metadata | undefined {
    const { tier, fences, freshness, tags, now, onCommit, onStored } = this.#context
    const { length } = bytes
    assertSize(key, head, length)
    const metadata = metadataOf(head, length, drawn(freshness), now(), sequenceFor(head, tags))
    if (!tier.set(key, bytes, metadata)) {
      if (tier.store.tiers !== undefined) return undefined
      throw noRoom(key, length, tier.store)
    }
    fences.fenceFills(key)
    onCommit(key)
    onStored(key, metadata)
    return metadata
  }

  /** In one call of a store that answers later: what comes after it, in this process or in the log, finds it done. */
  async #setLater(key: string, head: EntryHead, bytes: Uint8Array): Promise<Metadata> {
    const { tier, fences, freshness, tags, now, onCommit } = this.#context
    const { length } = bytes
    assertSize(key, head, length)
    const metadata = metadataOf(head, length, drawn(freshness), now(), sequenceFor(head, tags))
    const { scratch } = tier
    const copy = length > IN_HAND ? scratch.get(length) : undefined
    copy?.set(bytes)
    const pass = fences.enter(key, 'write')
    try {
      fences.fenceFills(key)
      onCommit(key)
      const ok = await tier.change(key, () =>
        tier.ask(() => tier.store.setLater!(key, copy ?? bytes, metadata)),
      )
      // Who looked the key up meanwhile may have found the old value, and begun a fill that knows only that.
      fences.fenceLookups(key)
      onCommit(key)
      if (!ok) throw noRoom(key, length, tier.store)
      this.#context.onStored(key, metadata)
      // The delete that won may be under way still: until it is done, what was there before can be seen.
      if (pass.fenced) await tier.change(key, nothingMore)
      return metadata
    } finally {
      fences.leave(pass)
      if (copy !== undefined) scratch.put(copy)
    }
  }

  #setBytes(writer: EntryWriter, bytes: Uint8Array): Later<Metadata> {
    try {
      const written = writer.takesAtOnce ? writer.write(bytes) : this.#writeCopy(writer, bytes)
      const finished = written instanceof Promise ? written.then(() => writer.finish()) : writer.finish()
      return finished instanceof Promise ? this.#follow(finished, () => writer.abort()) : finished
    } catch (error) {
      writer.abort()
      throw error
    }
  }

  /** For a store that takes bytes later: a copy that the caller cannot change, until the store has it (S5). */
  async #writeCopy(writer: EntryWriter, bytes: Uint8Array): Promise<void> {
    const { scratch } = this.#context.tier
    const copy = scratch.get(bytes.length)
    try {
      copy.set(bytes)
      await writer.write(copy)
    } finally {
      scratch.put(copy)
    }
  }

  #setPieces(writer: EntryWriter, pieces: Pieces): Promise<Metadata> {
    return this.#follow(writeAll(writer, pieces), (error) => {
      writer.abort()
      pieces.cancel(error)
    })
  }

  /** `written` as work in flight; `giveUp` is called when it fails, and when the cache closes before. */
  #follow(written: Promise<Metadata>, giveUp: (error: Error) => void): Promise<Metadata> {
    const stored = written.catch((error) => {
      giveUp(error)
      throw error
    })
    return this.#inFlight.wait(stored, { use: (metadata) => metadata, onEnd: giveUp })
  }
}

const nothingMore = (): void => undefined

// The store has all of it: there is nothing that could be given up.
const gone = (): void => undefined

async function writeAll(writer: EntryWriter, pieces: Pieces): Promise<Metadata> {
  for (;;) {
    const piece = await pieces.next()
    if (piece.done === true) break
    const written = writer.write(givenBytes('set', piece.value))
    if (written instanceof Promise) await written
  }
  return writer.finish()
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
