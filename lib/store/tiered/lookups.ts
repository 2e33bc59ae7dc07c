import { forAbove, hasAged } from '../aging/label.js'
import { IN_HAND, type Later, type LookupTimer, type Metadata, type StoredEntry } from '../store.js'
import { BelowEntry } from './below-entry.js'
import type { Changes } from './changes.js'
import { FirstHits } from './first-hits.js'
import type { Source } from './job.js'
import type { Level } from './level.js'
import { Promotion } from './promotion.js'

/** When an entry that was found below is put into the tiers above. */
export type PromotionRule = 'always' | 'second-hit'

/** What lookups need of the tiers together. */
export interface LookupHost {
  readonly levels: readonly Level[]
  readonly changes: Changes
  readonly promotion: PromotionRule
  /** The value of `key` in tier `at`, for a tier below. */
  sourceOf(at: number, key: string): Source
  /** A failure was told to the caller of the store. */
  tell(): void
  /** Who takes the time of lookups, once the store is open. */
  timer(): LookupTimer | undefined
  /** Epoch milliseconds now. */
  now(): number
}

/** Readings that put a value above at a time: each holds a draft there. */
const MAX_PROMOTIONS = 64

/**
 * Finds what a key has, in the first tier that may be read of it, and puts what was found below into the tiers above.
 *
 * Invariants: what was found below counts only when the tier may still be read of the key once it has answered; a key is in `#promoting`
 * while a large value of it is put above.
 */
export class Lookups {
  readonly #host: LookupHost
  readonly #levels: readonly Level[]
  readonly #first: Level
  readonly #changes: Changes
  #firstHits: FirstHits | undefined
  readonly #promoting = new Set<string>()

  constructor(host: LookupHost) {
    this.#host = host
    this.#levels = host.levels
    this.#first = host.levels[0]!
    this.#changes = host.changes
    this.configure(host.promotion)
  }

  /** When an entry that was found below is put above, from now on. */
  configure(promotion: PromotionRule): void {
    if (promotion === 'always') this.#firstHits = undefined
    else this.#firstHits ??= new FirstHits()
  }

  /** As `Tiers.atHand`. */
  atHand(key: string): StoredEntry | undefined {
    const found = this.#findFirst(key, false)
    if (!(found instanceof Promise)) return found
    // Nothing of it is at hand. What it answers is given back.
    void found.then((entry) => entry?.release())
    return undefined
  }

  /** As `Store.find`. */
  find(key: string, peek: boolean): Later<StoredEntry | undefined> {
    const moment = this.#changes.now
    const found = this.#findFirst(key, peek)
    if (!(found instanceof Promise)) return this.#orBelow(found, key, peek, 1, moment)
    return found.then((entry) => this.#orBelow(entry, key, peek, 1, moment))
  }

  /** What was found, unless its tier does not answer with it by itself any more and a tier from `from` on has what does. */
  #orBelow(
    found: StoredEntry | undefined,
    key: string,
    peek: boolean,
    from: number,
    moment: number,
  ): Later<StoredEntry | undefined> {
    if (found !== undefined && !hasAged(found.metadata, this.#host.now())) return found
    const below = this.#findBelow(key, peek, from, moment)
    if (found === undefined) return below
    const better = (other: StoredEntry | undefined): StoredEntry => {
      const left = other === undefined || hasAged(other.metadata, this.#host.now()) ? other : found
      left?.release()
      return left === found ? other! : found
    }
    return below instanceof Promise ? below.then(better) : better(below)
  }

  #findFirst(key: string, peek: boolean): Later<StoredEntry | undefined> {
    const level = this.#first
    if (!level.readable(key)) {
      level.retry(key)
      return undefined
    }
    const timer = peek ? undefined : this.#host.timer()
    const began = timer === undefined ? -1 : timer.begin()
    try {
      const found = level.store.find(key, peek)
      if (found instanceof Promise) return inTime(level, peek ? found : this.#looked(found, 0, began))
      if (!peek) level.looked(found)
      if (began >= 0) timer!.took(0, began, found)
      // Who is well need not be told so at each hit.
      if (level.health.ailing) level.succeeded()
      return found
    } catch {
      // Counted; the next tier is asked.
      level.health.count()
      return undefined
    }
  }

  #findBelow(key: string, peek: boolean, from: number, moment: number): Later<StoredEntry | undefined> {
    for (let at = from; at < this.#levels.length; at += 1) {
      const level = this.#levels[at]!
      if (!level.readable(key)) {
        level.retry(key)
        continue
      }
      const timer = peek ? undefined : this.#host.timer()
      const began = timer === undefined ? -1 : timer.beginSlow()
      let found: Later<StoredEntry | undefined>
      try {
        found = level.store.find(key, peek)
      } catch {
        // Counted; the next tier is asked.
        level.health.count()
        continue
      }
      if (found instanceof Promise) {
        const looked = peek ? found : this.#looked(found, at, began)
        return this.#foundLater(looked, at, key, peek, moment)
      }
      if (!peek) level.looked(found)
      timer?.took(at, began, found)
      level.succeeded()
      if (found === undefined) continue
      return this.#orBelow(this.#foundBelow(found, at, key, peek, moment), key, peek, at + 1, moment)
    }
    return undefined
  }

  /** What `finding` comes to, counted and timed when it does. */
  #looked(
    finding: Promise<StoredEntry | undefined>,
    at: number,
    began: number,
  ): Promise<StoredEntry | undefined> {
    return finding.then((found) => {
      this.#levels[at]!.looked(found)
      if (began >= 0) this.#host.timer()?.took(at, began, found)
      return found
    })
  }

  async #foundLater(
    finding: Promise<StoredEntry | undefined>,
    at: number,
    key: string,
    peek: boolean,
    moment: number,
  ): Promise<StoredEntry | undefined> {
    const level = this.#levels[at]!
    const found = await inTime(level, finding)
    if (found === undefined) return this.#findBelow(key, peek, at + 1, moment)
    if (level.readable(key)) {
      return this.#orBelow(this.#foundBelow(found, at, key, peek, moment), key, peek, at + 1, moment)
    }
    // It was changed meanwhile: what there is now is above, if anywhere.
    found.release()
    return this.#findFirst(key, peek)
  }

  #foundBelow(inner: StoredEntry, at: number, key: string, peek: boolean, moment: number): StoredEntry {
    const level = this.#levels[at]!
    const { metadata } = inner
    const promotes = !peek && !hasAged(metadata, this.#host.now())
    const promotion = promotes ? this.#promotionOf(forAbove(metadata), at, key, moment) : undefined
    if (metadata.size === 0) promotion?.offerEmpty()
    return new BelowEntry(inner, level, promotion, this.#host.tell)
  }

  /** What puts an entry of tier `at` above, where it is to be. */
  #promotionOf(metadata: Metadata, at: number, key: string, moment: number): Promotion | undefined {
    const level = this.#levels.find(
      ({ store, blind }, i) => i < at && !blind && metadata.size <= store.maxItemBytes,
    )
    if (level === undefined || level.isBusy(key) || this.#firstHits?.again(key) === false) return undefined
    // A small one holds nothing until it was read, so that nobody may ever say that it ended.
    const large = metadata.size > IN_HAND
    if (large) {
      if (this.#promoting.has(key) || this.#promoting.size >= MAX_PROMOTIONS) return undefined
      this.#promoting.add(key)
    }
    return new Promotion(key, metadata, {
      level,
      isOver: () => this.#changes.since(moment, key) || !this.#levels[at]!.readable(key),
      onKept: () => {
        const to = this.#levels.indexOf(level)
        for (let i = to + 1; i < at; i += 1) this.#levels[i]!.write(key, this.#host.sourceOf(to, key))
      },
      onEnd: () => {
        if (large) this.#promoting.delete(key)
      },
    })
  }
}

const nothing = (): undefined => undefined

/** What `finding` comes to, undefined when it fails or takes too long: the next tier is asked. Never rejects. */
function inTime(level: Level, finding: Promise<StoredEntry | undefined>): Promise<StoredEntry | undefined> {
  return level.health
    .inTime(finding, (late) => level.attempt(() => late?.release()))
    .then((found) => {
      level.succeeded()
      return found
    }, nothing)
}
