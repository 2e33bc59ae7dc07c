import type { Metadata } from '../store/store.js'

/** What became of the entries of a tag: those of work that began before `hard` are gone, those before `soft` are stale since `at`. */
export interface Floor {
  readonly hard: number
  readonly soft: number
  /** Epoch milliseconds of the last soft invalidation; 0 where there was none. */
  readonly at: number
}

/** One call of `invalidateTags`, as it is told to those who keep it. */
export interface Invalidation {
  readonly tag: string
  readonly floor: Floor
}

const UNTOUCHED: Floor = { hard: 0, soft: 0, at: 0 }

/** Tags whose floors are kept one by one. */
export const MAX_FLOORS = 10_000

/**
 * Which entries were invalidated by tag.
 *
 * Nothing looks for the entries: each carries its tags, and the number of invalidations that there had been when the work
 * began that made it. A tag has a floor, the number of its last invalidation, and an entry below it does not count any
 * more. So an invalidation costs its tags, whatever there is in the cache, and beats all older work, whenever that commits (I5).
 *
 * Invariants: `sequence` only grows, and no floor is above it, except while an invalidation is being kept: what begins
 * meanwhile is below its floor. Of a tag that has no floor of its own, `#base` is the floor: the highest of those that were given up to
 * stay within `MAX_FLOORS`, so that nothing that was invalidated comes back.
 */
export class TagTable {
  readonly #floors = new Map<string, Floor>()
  readonly #staleWhileRevalidate: number
  #base: Floor = UNTOUCHED
  #sequence = 0
  #next = 0

  /** For how long an entry that would never have become stale answers once it was made so, while a new one is fetched. */
  constructor(staleWhileRevalidate: number) {
    this.#staleWhileRevalidate = staleWhileRevalidate
  }

  /** What work that begins now is to carry. */
  get sequence(): number {
    return this.#sequence
  }

  /** The number of the last invalidation, kept or not: what was begun with it is older than none. */
  get latest(): number {
    return this.#next
  }

  /** Tags that have a floor of their own. */
  get size(): number {
    return this.#floors.size
  }

  /**
   * Entries of `tags` do not count any more from here on. Gives what is to be kept, and by `settle` is told when that is done: until
   * then new work counts as older.
   */
  invalidate(
    tags: readonly string[],
    soft: boolean,
    now: number,
  ): { readonly changes: readonly Invalidation[]; readonly settle: () => void } {
    this.#next += 1
    const sequence = this.#next
    const changes = tags.map((tag) => {
      const before = this.#floors.get(tag) ?? this.#base
      const floor = soft ? { ...before, soft: sequence, at: now } : { ...before, hard: sequence }
      this.#put(tag, floor)
      return { tag, floor }
    })
    const settle = (): void => {
      this.#sequence = Math.max(this.#sequence, sequence)
    }
    return { changes, settle }
  }

  /** Takes over what was kept; of what is here already, the later counts. */
  restore(kept: readonly Invalidation[]): void {
    for (const { tag, floor } of kept) {
      this.#put(tag, later(this.#floors.get(tag) ?? this.#base, floor))
      this.#next = Math.max(this.#next, floor.hard, floor.soft)
    }
    this.#sequence = this.#next
  }

  /** All floors, for who writes them anew. */
  *floors(): Generator<Invalidation> {
    for (const [tag, floor] of this.#floors) yield { tag, floor }
  }

  /** What is left of an entry: its metadata as they stand now; undefined when it was invalidated. */
  standing(metadata: Metadata): Metadata | undefined {
    const { tags, sequence = 0 } = metadata
    // Most entries have none, and most tags were never invalidated.
    if (tags.length === 0 || sequence >= this.#next) return metadata
    let since = Number.POSITIVE_INFINITY
    for (const tag of tags) {
      const floor = this.#floors.get(tag) ?? this.#base
      if (floor.hard > sequence) return undefined
      if (floor.soft > sequence) since = Math.min(since, floor.at)
    }
    return since >= metadata.freshUntil ? metadata : staleSince(metadata, since, this.#staleWhileRevalidate)
  }

  #put(tag: string, floor: Floor): void {
    // In the order of their invalidation, so that the first is the one that is given up.
    this.#floors.delete(tag)
    this.#floors.set(tag, floor)
    if (this.#floors.size <= MAX_FLOORS) return
    const [[first, given]] = this.#floors as unknown as [[string, Floor]]
    this.#floors.delete(first)
    this.#base = later(this.#base, given)
  }
}

function later(one: Floor, other: Floor): Floor {
  return {
    hard: Math.max(one.hard, other.hard),
    soft: Math.max(one.soft, other.soft),
    at: Math.max(one.at, other.at),
  }
}

/** The entry is stale since then, and of use as long as it would have been had it become stale by itself. */
function staleSince(metadata: Metadata, since: number, staleWhileRevalidate: number): Metadata {
  const { freshUntil, staleUntil, staleIfErrorUntil } = metadata
  const ends = freshUntil !== Number.POSITIVE_INFINITY
  return {
    ...metadata,
    freshUntil: since,
    staleUntil: since + (ends ? staleUntil - freshUntil : staleWhileRevalidate),
    // One that never became stale had no end for errors, either.
    staleIfErrorUntil: ends ? since + (staleIfErrorUntil - freshUntil) : staleIfErrorUntil,
  }
}
