/*
 * What a trace has of a while: numbers alone, so that no key and no value is kept by it.
 */

/** What happened to a key. The first five are requests. */
export const KIND = {
  /** Answered by what a tier had. */
  hit: 0,
  /** Answered by nothing that was there: the origin was asked, or there was no answer. */
  miss: 1,
  /** Answered by a fill that was under way. */
  joined: 2,
  /** Answered by what a tier had, and the origin confirmed. */
  revalidated: 3,
  /** Nothing was at hand. Whoever asked is going to fetch it, or not. */
  notAtHand: 4,
  /** A fill brought a value. */
  fill: 5,
  /** A value was set. */
  set: 6,
  delete: 7,
  /** Everything was removed. */
  clear: 8,
  /** The origin said that what was there is right still, whoever waited for it. */
  confirmed: 9,
} as const

/** Beside the kind: the first tier answered. */
export const FIRST_TIER = 16
/** Beside the kind: the answer was "not found". */
export const NEGATIVE = 32

const KIND_BITS = 15

/** The kind in what is recorded as one. */
export function kindOf(recorded: number): number {
  return recorded & KIND_BITS
}

/** A size that nobody knows yet. */
export const UNKNOWN = 0xffff_ffff
/** Larger values are taken for as large: no memory has them. */
const MOST_SIZE = UNKNOWN - 1
const MOST_TIME = 0xffff_ffff
const FIRST_ROOM = 1024

/**
 * Accesses in their order, of keys whose hash is at most `threshold`, with nothing left out between the first and the last.
 *
 * Invariants: `[0, length)` of each array is one record; `ordinals` do not fall; a record lies here exactly when its hash is at most `threshold`, so that
 * lowering that leaves what a trace of the lower rate would have been.
 */
export class TraceWindow {
  /** Epoch milliseconds of its beginning, which `times` and `until` count from. */
  readonly began: number
  threshold: number
  length = 0
  /** Requests that there were, of all keys. */
  requests = 0
  hashes: Uint32Array
  sizes: Uint32Array
  times: Uint32Array
  /** Until when the entry may answer by itself. */
  until: Float64Array
  /** `requests` when it came. */
  ordinals: Float64Array
  kinds: Uint8Array
  readonly #most: number

  /** @param most records at most */
  constructor(most: number, threshold: number, began: number) {
    this.#most = most
    this.began = began
    this.threshold = threshold
    const room = Math.min(most, FIRST_ROOM)
    this.hashes = new Uint32Array(room)
    this.sizes = new Uint32Array(room)
    this.times = new Uint32Array(room)
    this.until = new Float64Array(room)
    this.ordinals = new Float64Array(room)
    this.kinds = new Uint8Array(room)
  }

  /** The share of keys that are recorded. */
  get rate(): number {
    return (this.threshold + 1) / 2 ** 32
  }

  get isFull(): boolean {
    return this.length >= this.#most
  }

  /** Bytes of memory that it takes. */
  get memoryBytes(): number {
    const { hashes, sizes, times, until, ordinals, kinds } = this
    return [hashes, sizes, times, until, ordinals, kinds].reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  /** Records one, unless the window is full. @param until epoch milliseconds */
  push(recorded: number, hash: number, size: number, now: number, until: number): void {
    if (this.isFull) return
    if (this.length === this.hashes.length) this.#grow()
    const at = this.length
    this.hashes[at] = hash
    this.sizes[at] = size < 0 ? UNKNOWN : Math.min(size, MOST_SIZE)
    this.times[at] = Math.max(0, Math.min(now - this.began, MOST_TIME))
    this.until[at] = until - this.began
    this.ordinals[at] = this.requests
    this.kinds[at] = recorded
    this.length = at + 1
  }

  /** Leaves out what has a hash above `threshold`. */
  lower(threshold: number): void {
    this.threshold = threshold
    const { hashes, sizes, times, until, ordinals, kinds } = this
    let kept = 0
    for (let at = 0; at < this.length; at += 1) {
      if (hashes[at]! > threshold) continue
      hashes[kept] = hashes[at]!
      sizes[kept] = sizes[at]!
      times[kept] = times[at]!
      until[kept] = until[at]!
      ordinals[kept] = ordinals[at]!
      kinds[kept] = kinds[at]!
      kept += 1
    }
    this.length = kept
  }

  #grow(): void {
    const room = Math.min(this.#most, 2 * this.hashes.length)
    this.hashes = grown(this.hashes, new Uint32Array(room))
    this.sizes = grown(this.sizes, new Uint32Array(room))
    this.times = grown(this.times, new Uint32Array(room))
    this.until = grown(this.until, new Float64Array(room))
    this.ordinals = grown(this.ordinals, new Float64Array(room))
    this.kinds = grown(this.kinds, new Uint8Array(room))
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from)
  return to
}
