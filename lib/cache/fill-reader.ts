import { IN_HAND, type Later } from '../store/store.js'
import type { BodyReader } from './reader.js'
import type { Spool } from './spool.js'

/** What a reader sees of its fill. */
export interface FillView {
  readonly spool: Spool
  /** Size of the whole value, once known. */
  readonly size: number | undefined
  /** All bytes are in the spool. */
  readonly ended: boolean
  /** Why no more bytes will come. */
  readonly failure: Error | undefined
  /** A reader went on, or gave back what was lent to it. */
  onAdvance(): void
  /** A reader leaves. */
  onLeave(reader: FillReader): void
}

interface Pending {
  /** Gives the reader what there is at its position; undefined while there is nothing. */
  readonly attempt: () => Uint8Array | undefined
  resolve(bytes: Uint8Array): void
  reject(error: Error): void
}

const EMPTY = Buffer.alloc(0)

/** One reader of a fill, at its own place. What has arrived before a failure is still read; then it throws. */
export class FillReader implements BodyReader {
  readonly inHand = false
  /** Where the last reading began: all before it may go. */
  position = 0
  /** Pieces lent and not yet returned. */
  loans = 0
  /** It had all that it wanted: leaving is not giving up. */
  content = false
  readonly #fill: FillView
  #pending: Pending | undefined
  #failure: Error | undefined
  #left = false

  constructor(fill: FillView) {
    this.#fill = fill
  }

  get size(): number | undefined {
    return this.#fill.size
  }

  get waiting(): boolean {
    return this.#pending !== undefined
  }

  pull(position: number, max: number): Later<Buffer> {
    return this.#take(position, (view) => Buffer.from(view.length > max ? view.subarray(0, max) : view))
  }

  lend(position: number): Later<Uint8Array> {
    return this.#take(position, (view) => {
      this.loans += 1
      return view
    })
  }

  returned(): void {
    this.loans -= 1
    this.#fill.onAdvance()
  }

  satisfied(): void {
    this.content = true
  }

  fail(error: Error): void {
    this.#failure ??= error
    const pending = this.#pending
    this.#pending = undefined
    pending?.reject(this.#failure)
  }

  release(): void {
    if (this.#left) return
    this.#left = true
    this.#fill.onLeave(this)
  }

  detach(): BodyReader | undefined {
    const { spool, ended } = this.#fill
    if (!ended || spool.end > IN_HAND || !spool.whole) return undefined
    const own = spool.end === 0 ? EMPTY : copyAll(spool)
    return new BytesReader(own)
  }

  /** Bytes came, or none will come any more. */
  wake(): void {
    const pending = this.#pending
    if (pending === undefined) return
    try {
      const bytes = pending.attempt()
      if (bytes === undefined) return
      this.#pending = undefined
      pending.resolve(bytes)
    } catch (error) {
      this.#pending = undefined
      pending.reject(error as Error)
    }
  }

  #take<T extends Uint8Array>(position: number, give: (view: Uint8Array) => T): Later<T> {
    const attempt = (): T | undefined => {
      if (this.#failure !== undefined) throw this.#failure
      const { spool, failure, ended } = this.#fill
      if (position < spool.end) return give(spool.view(position))
      if (failure !== undefined) throw failure
      return ended ? (EMPTY as Uint8Array as T) : undefined
    }
    this.position = position
    this.#fill.onAdvance()
    const now = attempt()
    if (now !== undefined) return now
    return new Promise<T>((resolve, reject) => {
      this.#pending = { attempt, resolve: resolve as Pending['resolve'], reject }
    })
  }
}

function copyAll(spool: Spool): Buffer {
  const own = Buffer.allocUnsafeSlow(spool.end)
  for (let at = 0; at < own.length; ) {
    const view = spool.view(at)
    own.set(view, at)
    at += view.length
  }
  return own
}

/** Reads bytes that are the reader's own. */
export class BytesReader implements BodyReader {
  readonly inHand = true
  readonly size: number
  readonly #bytes: Buffer
  #failure: Error | undefined

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.size = bytes.length
  }

  pull(position: number, max: number): Buffer {
    if (this.#failure !== undefined) throw this.#failure
    return this.#bytes.subarray(position, position + max)
  }

  lend(position: number): Buffer {
    return this.pull(position, this.size)
  }

  fail(error: Error): void {
    this.#failure ??= error
  }

  release(): void {
    // Its memory is nobody else's: there is nothing to give back.
  }
}
