import type { Clock } from '../clock.js'
import { assertKey } from '../keys.js'
import type { Trace } from '../metrics/advice/trace.js'
import { IN_HAND, type Metadata, type StoredEntry } from '../store/store.js'
import type { Found } from './answer.js'
import type { Answers } from './answers.js'
import type { Counters } from './counters.js'
import type { DirectHit } from './direct.js'
import { isFresh } from './metadata.js'
import type { TagTable } from './tags.js'
import type { Tier } from './tier.js'

/** Reading what the tier has at hand, without a turn of the event loop. */
export class AtHand {
  readonly #tier: Tier
  readonly #clock: Clock
  readonly #counters: Counters
  readonly #answers: Answers
  readonly #tags: TagTable
  readonly #trace: Trace | undefined

  constructor(
    tier: Tier,
    clock: Clock,
    counters: Counters,
    answers: Answers,
    tags: TagTable,
    trace: Trace | undefined,
  ) {
    this.#tier = tier
    this.#clock = clock
    this.#counters = counters
    this.#answers = answers
    this.#tags = tags
    this.#trace = trace
  }

  /** As `Cache.getSync`. */
  copy(key: string): { value: Buffer; meta: Metadata } | undefined {
    const tier = this.#tier
    const entry = this.#find(key)
    if (entry === LATER) return undefined
    const hit = entry === undefined ? undefined : this.#copyOf(entry)
    tier.release(entry)
    if (hit === undefined) {
      this.#counters.absent()
      this.#trace?.absent(key, true)
    } else this.#hit(key, entry!, hit.meta)
    return hit
  }

  /** As `DirectCache.hitSync`. */
  hit(key: string): DirectHit | undefined {
    const tier = this.#tier
    const entry = this.#find(key)
    if (entry === undefined || entry === LATER) return undefined
    const meta = this.#tags.standing(entry.metadata)
    if (meta === undefined || !isFresh(meta, this.#clock.now()) || meta.negative) {
      tier.release(entry)
      return undefined
    }
    if (meta.size > IN_HAND) {
      const found = this.#answers.fromEntry(key, entry, meta, 'hit', NO_OPTIONS) as Found
      return { meta, bytes: undefined, found }
    }
    const bytes = entry.view === undefined ? tier.own(entry) : tier.view(entry, 0)
    if (bytes?.length !== meta.size) {
      tier.release(entry)
      return undefined
    }
    this.#hit(key, entry, meta)
    // Small, so that it holds nothing, and what was lent of it stays as it is without a release (S3, S7).
    return { meta, bytes, found: undefined }
  }

  /** Answered, with all of the value. */
  #hit(key: string, entry: StoredEntry, meta: Metadata): void {
    const name = entry.tier ?? this.#tier.store.name
    this.#counters.answered('hit', false, name)
    this.#counters.read(meta.size, name)
    this.#trace?.answered(key, 'hit', meta, entry.tier === undefined)
  }

  /** What the tier answers at once; LATER when it does not. */
  #find(key: string): StoredEntry | typeof LATER | undefined {
    assertKey(key)
    const tier = this.#tier
    const entry = tier.findAtHand(key)
    if (!(entry instanceof Promise)) return entry
    // Nothing of it is at hand. What it answers is given back.
    void entry.then((late) => tier.release(late))
    return LATER
  }

  /** The value of `entry` when it is fresh and at hand, in memory of its own. */
  #copyOf(entry: StoredEntry): { value: Buffer; meta: Metadata } | undefined {
    const meta = this.#tags.standing(entry.metadata)
    if (meta === undefined || !isFresh(meta, this.#clock.now())) return undefined
    if (meta.negative || meta.size > IN_HAND) return undefined
    if (entry.own !== undefined) {
      const value = this.#tier.own(entry)
      return value?.length === meta.size ? { value, meta } : undefined
    }
    const value = Buffer.allocUnsafe(meta.size)
    try {
      const read = meta.size === 0 ? 0 : this.#tier.ask(() => entry.read(value, 0))
      if (read instanceof Promise) read.catch(nobodyWaits)
      return read === meta.size ? { value, meta } : undefined
    } catch {
      // Counted by the tier: a store that fails costs the hit.
      return undefined
    }
  }
}

const NO_OPTIONS = {}
const LATER = Symbol('later')

// A copy that comes too late for `getSync` is wanted by nobody.
const nobodyWaits = (): void => undefined
