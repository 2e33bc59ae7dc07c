import { AbortedError } from '../errors.js'
import { IN_HAND, type Later } from '../store/store.js'
import { type BodyReader, BytesReader, isSame } from './reader.js'

/** The bytes of a body that arrives, as far as they are there. */
export interface FillBytes {
  readonly end: number
  /** Whether all from byte 0 on can still be read. */
  readonly whole: boolean
  /** The bytes from `position` on, which is before `end`, without a copy: as they are for this turn of the loop, or while they are lent. */
  view(position: number): Uint8Array
}

/** What a reader sees of its fill. */
export interface FillView {
  readonly bytes: FillBytes
  /** Size of the whole value, once known. */
  readonly size: number | undefined
  /** Where readers may read to for now. */
  readonly available: number
  /** All bytes are there, and available. */
  readonly ended: boolean
  /** Why no more bytes will come. */
  readonly failure: Error | undefined
  /** A reader went on, or waits for more. */
  onAdvance(): void
  /** A reader was lent the piece at `position`, and gave it back. */
  onLend(position: number): void
  onReturn(position: number): void
  /** A reader leaves. */
  onLeave(reader: FillReader): void
}

interface Pending {
  /** Gives the reader what there is at its position; undefined while there is nothing. */
  readonly attempt: () => Uint8Array | undefined
  resolve(bytes: Uint8Array): void
  reject(error: Error): void
}

/**
 * One reader of a fill, at its own place. What has arrived before a failure is still read; then it throws.
 *
 * Invariants: there is at most one `#pending` wait, and it is settled when bytes come, when none will, by `fail` and by `release`;
 * `#lent` is what is on loan, as the fill knows it.
 */
export class FillReader implements BodyReader {
  readonly inHand = false
  readonly inPieces = true
  readonly staysLent = false
  /** Where the last reading began: all before it may go. */
  position = 0
  /** It had all that it wanted: leaving is not giving up. */
  content = false
  readonly #fill: FillView
  #pending: Pending | undefined
  #failure: Error | undefined
  #left = false
  readonly #lent: Array<{ readonly position: number; readonly memory: Uint8Array }> = []

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
    return this.#take(position, (view) => copyOf(upTo(max, view)))
  }

  lend(position: number): Later<Uint8Array> {
    return this.#take(position, (memory) => {
      this.#fill.onLend(position)
      this.#lent.push({ position, memory })
      return memory
    })
  }

  returned(memory: Uint8Array): void {
    const at = this.#lent.findIndex((loan) => isSame(loan.memory, memory))
    const [loan] = at < 0 ? [] : this.#lent.splice(at, 1)
    if (loan !== undefined) this.#fill.onReturn(loan.position)
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
    if (this.waiting) this.fail(new AbortedError('the reading was left'))
    this.#fill.onLeave(this)
  }

  detach(): BodyReader | undefined {
    const { bytes, ended } = this.#fill
    return ended && bytes.end <= IN_HAND && bytes.whole ? new BytesReader(copyAll(bytes)) : undefined
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
      const { bytes, available, failure, ended } = this.#fill
      if (position < available) return give(upTo(available - position, bytes.view(position)))
      if (failure !== undefined) throw failure
      return ended ? (EMPTY as Uint8Array as T) : undefined
    }
    this.position = position
    const now = attempt()
    const later =
      now ??
      new Promise<T>((resolve, reject) => {
        this.#pending = { attempt, resolve: resolve as Pending['resolve'], reject }
      })
    this.#fill.onAdvance()
    return later
  }
}

const EMPTY = Buffer.alloc(0)

function upTo(max: number, view: Uint8Array): Uint8Array {
  return view.length > max ? view.subarray(0, max) : view
}

/** A copy in memory of its own: `Buffer.from` would take that of small ones from a pool that others see (I9). */
function copyOf(view: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(view.length)
  own.set(view)
  return own
}

function copyAll(bytes: FillBytes): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.end)
  for (let at = 0; at < own.length; ) {
    const view = bytes.view(at)
    own.set(view, at)
    at += view.length
  }
  return own
}
