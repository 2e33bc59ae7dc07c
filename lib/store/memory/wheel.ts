/** Lists of a level. */
const LISTS = 32
/** 32^8 ms are 35 years. */
const LEVELS = 8
const TOP = LEVELS - 1
/** Entries that one call files anew at most, so that it never takes long. */
const MAX_FILINGS = 1024

/** Links of an entry that the wheel has, to entries or to the head of the list; undefined otherwise. */
export interface Timed {
  sooner: Timed | undefined
  later: Timed | undefined
}

/** Begins and ends a list, which is a ring: so an entry can be taken out without knowing in which list it is. */
class Head<N extends Timed> implements Timed {
  sooner: Timed = this
  later: Timed = this
  readonly level: number
  readonly list: number

  constructor(level: number, list: number) {
    this.level = level
    this.list = list
  }

  get first(): N | undefined {
    return this.later === this ? undefined : (this.later as N)
  }

  push(entry: N): void {
    const last = this.sooner
    entry.sooner = last
    entry.later = this
    last.later = entry
    this.sooner = entry
  }

  /** Takes all that `other` has. */
  take(other: Head<N>): void {
    if (other.later === other) return
    const last = this.sooner
    last.later = other.later
    other.later.sooner = last
    other.sooner.later = this
    this.sooner = other.sooner
    other.sooner = other
    other.later = other
  }
}

/**
 * Which entries have expired, without looking at those that have not: a hierarchical timing wheel (G. Varghese and
 * T. Lauck, "Hashed and Hierarchical Timing Wheels", 1987) of eight levels with 32 lists each; a list of level L
 * spans 32^L ms. What lies further ahead than the last level waits in its last list and is filed anew then.
 *
 * Adding and removing are O(1). Asking is, amortised: an entry is filed at most eight times. A list whose whole span
 * has passed falls due as one; of the one that the time is in, a call files 1,024 entries at most, and the next call
 * goes on, so that many entries which expire together cost nobody a pause. Until then an entry that waits to be filed
 * may go unnoticed. A clock that goes back only delays.
 *
 * Invariants: an entry is in one list: that of the due when its deadline is at most `#elapsed`; that of the waiting
 * when the time has reached the list in which it was; else the list that its deadline falls into at the level of the
 * highest five bits in which deadline and `#elapsed` differ, or at the last level. A bit of `#occupied` is set exactly
 * while its list is not empty.
 */
export class Wheel<N extends Timed> {
  readonly #deadlineOf: (entry: N) => number
  readonly #lists: Head<N>[][]
  readonly #occupied = new Uint32Array(LEVELS)
  readonly #due = new Head<N>(-1, 0)
  readonly #waiting = new Head<N>(-1, 0)
  #elapsed = 0
  #count = 0

  /** @param deadlineOf whole epoch milliseconds, the same for as long as the wheel has the entry */
  constructor(deadlineOf: (entry: N) => number) {
    this.#deadlineOf = deadlineOf
    this.#lists = Array.from({ length: LEVELS }, (_, level) =>
      Array.from({ length: LISTS }, (_, list) => new Head<N>(level, list)),
    )
  }

  /** Entries that it has. */
  get count(): number {
    return this.#count
  }

  /** @param now what the time is; an empty wheel, which may not have been asked for long, begins there */
  add(entry: N, now: number): void {
    if (this.#count === 0) this.#elapsed = Math.max(this.#elapsed, now)
    this.#count += 1
    this.#file(entry)
  }

  /** Does nothing to an entry that it does not have. */
  remove(entry: N): void {
    const { sooner, later } = entry
    if (sooner === undefined || later === undefined) return
    sooner.later = later
    later.sooner = sooner
    entry.sooner = undefined
    entry.later = undefined
    this.#count -= 1
    if (sooner === later && sooner instanceof Head && sooner.level >= 0) this.#vacate(sooner)
  }

  /** An entry whose deadline has come at `now`, still filed; undefined when there is none. */
  due(now: number): N | undefined {
    if (this.#count === 0) return undefined
    this.#advance(now)
    return this.#due.first
  }

  #file(entry: N): void {
    const deadline = this.#deadlineOf(entry)
    if (deadline <= this.#elapsed) {
      this.#due.push(entry)
      return
    }
    let level = 0
    let span = 1
    while (
      level < TOP &&
      Math.floor(deadline / (span * LISTS)) !== Math.floor(this.#elapsed / (span * LISTS))
    ) {
      level += 1
      span *= LISTS
    }
    let at = Math.floor(deadline / span)
    // The last level goes round: its lists are those of the next 31 spans, wherever they begin.
    if (level === TOP) at = Math.min(at, Math.floor(this.#elapsed / span) + LISTS - 1)
    const list = at % LISTS
    this.#lists[level]![list]!.push(entry)
    this.#occupied[level]! |= 1 << list
  }

  /** Goes to `now` by way of the lists that are not empty. */
  #advance(now: number): void {
    for (let filings = MAX_FILINGS; ; ) {
      for (let entry = this.#waiting.first; entry !== undefined; entry = this.#waiting.first) {
        if (filings === 0) return
        filings -= 1
        // Taken out by hand: it stays counted.
        this.#waiting.later = entry.later!
        entry.later!.sooner = this.#waiting
        this.#file(entry)
      }
      if (this.#elapsed >= now) return
      this.#enterNext(now)
    }
  }

  /** Goes to the next list that is not empty and begins at `now` or before, or to `now`. */
  #enterNext(now: number): void {
    let span = 1
    for (let level = 0; level < LEVELS; level += 1, span *= LISTS) {
      const occupied = this.#occupied[level]!
      if (occupied === 0) continue
      const here = Math.floor(this.#elapsed / span)
      // Lower levels lie within the span that the time is in at the levels above: the first that has a list is next.
      const start = (here + distance(occupied, here % LISTS)) * span
      if (start > now) break
      this.#elapsed = Math.max(start, this.#elapsed)
      const head = this.#lists[level]![Math.floor(start / span) % LISTS]!
      // In the last list there may be what lies far ahead.
      const passed = level < TOP && start + span - 1 <= now
      ;(passed ? this.#due : this.#waiting).take(head)
      this.#vacate(head)
      return
    }
    this.#elapsed = now
  }

  #vacate({ level, list }: Head<N>): void {
    this.#occupied[level]! &= ~(1 << list)
  }
}

/** How many lists after `from` the next one is that is occupied, going round. */
function distance(occupied: number, from: number): number {
  const turned = (occupied >>> from) | (occupied << (LISTS - from))
  return LISTS - 1 - Math.clz32(turned & -turned)
}
