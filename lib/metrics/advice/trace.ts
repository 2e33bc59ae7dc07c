import type { Clock } from '../../clock.js'
import type { Metadata } from '../../store/store.js'
import { FIRST_TIER, KIND, NEGATIVE, TraceWindow } from './window.js'

/** Windows are as many times as long as entries of the cache that are sampled: an entry is to be seen coming, being used and going. */
const RECORDS_PER_ENTRY = 32
/** After a window so many times as many requests pass by unseen. */
const PAUSE = 63
/** A hash of 32 bits. */
const ALL = 0xffff_ffff
/** Where lowering the rate leaves more than this of a window, few keys have nearly all of it, and it would have to be lowered for ever. */
const MOST_LEFT = 0.9

/** What a trace is of. */
export interface Traced {
  readonly clock: Clock
  /** Records of a window at most. */
  readonly most: number
  /** Of the hash that chooses keys. */
  readonly seed: number
  /** Entries of the tier that is sampled, now. Must not throw. */
  entries(): number
}

/** How a request was answered. */
export type TracedOutcome = 'hit' | 'miss' | 'joined' | 'revalidated' | 'stale'

/**
 * A sample of what is asked of a cache, for replaying it: all accesses of some keys. Which keys, their hash says, so that each of them has all of its history:
 * C. Waldspurger, N. Park, A. Garthwaite, I. Ahmad: "Efficient MRC Construction with SHARDS", FAST 2015. A cache of `rate` times the size misses of
 * the sample the share that the whole one misses of everything, within about 0.01 from some thousand keys on.
 *
 * As in the variant of fixed size there, the rate is lowered as the trace fills, and what a lower one would have left out is taken out. Here the bound is one
 * on records; the rate goes down for as long as more than a 32nd of that many entries of the cache are sampled, so that a window is long enough for
 * entries to come and go, and what is full then is a whole window. A pause of 63 times its requests follows, in which a request costs one decrement;
 * then the next window begins. To hash the key of every request would be felt in hits from memory.
 *
 * The hash has a seed of its own: who chooses keys without knowing it cannot choose which of them are sampled (I11). Two keys that share one are taken for one key.
 *
 * Invariants: `#pause` is above 0 exactly while there is no `#current`; `#last`, if there is one, is a whole window and never changes.
 */
export class Trace {
  readonly #of: Traced
  #pause = 0
  #current: TraceWindow | undefined
  #last: TraceWindow | undefined

  constructor(of: Traced) {
    this.#of = of
    // Of every key: how many entries there are is not to be asked of a store that is not open yet.
    this.#begin(ALL)
  }

  /** What there is to replay: the window that is whole, or the one under way where that has more. */
  window(): TraceWindow {
    const { requests = -1 } = this.#current ?? {}
    if (this.#last === undefined || requests >= this.#last.requests) return this.#current ?? this.#last!
    return this.#last
  }

  /** Somebody asked for `key`, and this came of it. `meta.size` below 0: it is not known yet. */
  answered(key: string, outcome: TracedOutcome, meta: Metadata, first: boolean): void {
    if (this.#pause > 0) {
      this.#pass()
      return
    }
    const window = this.#current!
    window.requests += 1
    const hash = hashOf(key, this.#of.seed)
    if (hash > window.threshold) return
    const kind = outcome === 'stale' ? KIND.hit : KIND[outcome]
    const recorded = kind | (first ? FIRST_TIER : 0) | (meta.negative ? NEGATIVE : 0)
    // What an origin sends may be kept or not: the fill says so in the end.
    const size = kind === KIND.miss && !meta.negative ? -1 : meta.size
    this.#record(window, recorded, key, hash, size, meta)
  }

  /** Somebody asked for `key`, and there was nothing; `atHand`: nothing that could be had at once, and who asked may fetch it now. */
  absent(key: string, atHand: boolean): void {
    if (this.#pause > 0) {
      this.#pass()
      return
    }
    const window = this.#current!
    window.requests += 1
    const hash = hashOf(key, this.#of.seed)
    if (hash > window.threshold) return
    this.#record(window, atHand ? KIND.notAtHand : KIND.miss, key, hash, -1, undefined)
  }

  /** A value was put under `key`, by a fill or because it was set; or the origin confirmed the one that is there. */
  stored(key: string, how: 'fill' | 'set' | 'confirmed', meta: Metadata): void {
    this.#change(key, KIND[how] | (meta.negative ? NEGATIVE : 0), meta)
  }

  deleted(key: string): void {
    this.#change(key, KIND.delete, undefined)
  }

  cleared(): void {
    const window = this.#current
    if (window === undefined) return
    const now = this.#of.clock.now()
    // Of every sample, whatever its rate.
    window.push(KIND.clear, 0, 0, now, now)
    if (window.isFull) this.#full(window)
  }

  #change(key: string, recorded: number, meta: Metadata | undefined): void {
    const window = this.#current
    if (window === undefined) return
    const hash = hashOf(key, this.#of.seed)
    if (hash <= window.threshold) this.#record(window, recorded, key, hash, meta?.size ?? 0, meta)
  }

  #record(
    window: TraceWindow,
    recorded: number,
    key: string,
    hash: number,
    size: number,
    meta: Metadata | undefined,
  ): void {
    const until = meta === undefined ? Number.NEGATIVE_INFINITY : Math.max(meta.freshUntil, meta.staleUntil)
    // The key lies beside the value wherever that does.
    window.push(recorded, hash, size < 0 ? size : size + key.length, this.#of.clock.now(), until)
    if (window.isFull) this.#full(window)
  }

  #full(window: TraceWindow): void {
    const { most } = this.#of
    const threshold = this.#threshold()
    if (threshold < window.threshold) {
      window.lower(threshold)
      if (window.length <= most * MOST_LEFT) return
    }
    this.#last = window
    this.#current = undefined
    this.#pause = Math.max(1, PAUSE * window.requests)
  }

  #pass(): void {
    this.#pause -= 1
    if (this.#pause === 0) this.#begin(this.#threshold())
  }

  #begin(threshold: number): void {
    const { most, clock } = this.#of
    this.#current = new TraceWindow(most, threshold, clock.now())
  }

  #threshold(): number {
    const { most, entries } = this.#of
    const rate = most / RECORDS_PER_ENTRY / Math.max(1, entries())
    return rate >= 1 ? ALL : Math.max(0, Math.ceil(rate * 2 ** 32) - 1)
  }
}

/**
 * 32 bits of `text`, under a seed: a character at a time by multiplying and turning, and the last mixing of MurmurHash3, so that every bit of what comes out
 * depends on all that went in.
 */
export function hashOf(text: string, seed: number): number {
  let hash = seed
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x9e37_79b1)
    hash = (hash << 13) | (hash >>> 19)
  }
  hash ^= text.length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
