import type { Slices } from './slices.js'
import { FIRST_TIER, KIND, kindOf, NEGATIVE, type TraceWindow } from './window.js'

/** Records that are looked at in one turn of the event loop. */
export const SLICE = 1024
/** As much of a window is for filling the cache that is replayed. */
const WARM_UP = 0.5

/** A window, read for being replayed any number of times. */
export interface Recording {
  readonly length: number
  /** The share of keys that are in it. */
  readonly rate: number
  /** By record: the key, as a number from 0 on. */
  readonly ids: Uint32Array
  /** By key. */
  readonly hashes: Uint32Array
  readonly kinds: Uint8Array
  /** Milliseconds since the window began. */
  readonly times: Uint32Array
  /** `UNKNOWN` where nothing was there: what a fill kept stands where it ended. */
  readonly sizes: Uint32Array
  /** Milliseconds since the window began. */
  readonly until: Float64Array
  /** The first record that counts. */
  readonly from: number
  /** Requests that count, of all keys, sampled or not. */
  readonly requests: number
  /** Requests that are in it. */
  readonly sampled: number
}

/** Of a window as it is now, whatever comes to it meanwhile. */
export function* recordingOf(window: TraceWindow): Slices<Recording> {
  const { length, rate, requests: all } = window
  const hashed = window.hashes.slice(0, length)
  const kinds = window.kinds.slice(0, length)
  const times = window.times.slice(0, length)
  const sizes = window.sizes.slice(0, length)
  const until = window.until.slice(0, length)
  const from = Math.floor(length * WARM_UP)
  const requests = length === 0 ? 0 : all - window.ordinals[from]! + 1
  yield
  const ids = new Uint32Array(length)
  const hashes = new Uint32Array(length)
  const known = new Map<number, number>()
  let sampled = 0
  for (let at = 0; at < length; at += 1) {
    const hash = hashed[at]!
    let id = known.get(hash)
    if (id === undefined) {
      id = known.size
      known.set(hash, id)
      hashes[id] = hash
    }
    ids[at] = id
    if (isRequest(kindOf(kinds[at]!))) sampled += 1
    if (at % SLICE === SLICE - 1) yield
  }
  const ofKeys = hashes.subarray(0, known.size)
  return { length, rate, ids, hashes: ofKeys, kinds, times, sizes, until, from, requests, sampled }
}

export function isRequest(kind: number): boolean {
  return kind <= KIND.notAtHand
}

export function isNegative(recorded: number): boolean {
  return (recorded & NEGATIVE) !== 0
}

/** The share of the sample's requests that the first tier answered, in what counts, as it was. */
export function measuredRatio({ length, from, kinds, rate, requests: all }: Recording): number {
  let [requests, hits] = [0, 0]
  for (let at = from; at < length; at += 1) {
    const recorded = kinds[at]!
    const kind = kindOf(recorded)
    if (!isRequest(kind)) continue
    requests += 1
    const answered = kind === KIND.hit || kind === KIND.revalidated
    if (kind === KIND.joined || (answered && (recorded & FIRST_TIER) !== 0)) hits += 1
  }
  // Keys that the sample has too few of, or too many, are popular ones: as in a replay.
  const absent = rate < 1 ? all * rate - requests : 0
  return requests + absent <= 0 ? 0 : Math.max(0, Math.min(1, (hits + absent) / (requests + absent)))
}
