import { ConfigError } from '../errors.js'
import type { Metadata } from '../store/store.js'
import type { InvalidateOptions } from './cache.js'
import { readTag } from './metadata.js'
import { assertOptions } from './options.js'

const UNTOUCHED: Floor = { hard: 0, soft: 0, at: 0 }

/** What became of the entries of a tag: those of work that began before `hard` are gone, those before `soft` are stale since `at`. */
interface Floor {
  readonly hard: number
  readonly soft: number
  /** Epoch milliseconds of the last soft invalidation; 0 where there was none. */
  readonly at: number
}

/** Tags whose floors are kept one by one. */
export const MAX_FLOORS = 10_000

/**
 * Which entries were invalidated by tag.
 *
 * Nothing looks for the entries: each carries its tags, and the number of invalidations that there had been when the work
 * began that made it. A tag has a floor, the number of its last invalidation, and an entry below it does not count any
 * more. So an invalidation costs its tags, whatever there is in the cache, and beats all older work, whenever that commits (I5).
 *
 * Invariants: `sequence` only grows, and no floor is above it. Of a tag that has no floor of its own, `#base` is the floor: the
 * highest of those that were given up to stay within `MAX_FLOORS`, so that nothing that was invalidated comes back.
 */
export class TagTable {
  readonly #floors = new Map<string, Floor>()
  readonly #staleWhileRevalidate: number
  #base: Floor = UNTOUCHED
  #sequence = 0

  /** For how long an entry that would never have become stale answers once it was made so, while a new one is fetched. */
  constructor(staleWhileRevalidate: number) {
    this.#staleWhileRevalidate = staleWhileRevalidate
  }

  /** What work that begins now is to carry. */
  get sequence(): number {
    return this.#sequence
  }

  /** Tags that have a floor of their own. */
  get size(): number {
    return this.#floors.size
  }

  /** Entries of `tags` do not count any more from here on. */
  invalidate(tags: readonly string[], soft: boolean, now: number): void {
    this.#sequence += 1
    const sequence = this.#sequence
    for (const tag of tags) {
      const before = this.#floors.get(tag) ?? this.#base
      this.#put(tag, soft ? { ...before, soft: sequence, at: now } : { ...before, hard: sequence })
    }
  }

  /** What is left of an entry: its metadata as they stand now; undefined when it was invalidated. */
  standing(metadata: Metadata): Metadata | undefined {
    const { tags, sequence = 0 } = metadata
    // Most entries have none, and most tags were never invalidated.
    if (tags.length === 0 || sequence >= this.#sequence) return metadata
    let since = Number.POSITIVE_INFINITY
    for (const tag of tags) {
      const floor = this.#floors.get(tag) ?? this.#base
      if (floor.hard > sequence) return undefined
      if (floor.soft > sequence) since = Math.min(since, floor.at)
    }
    return since >= metadata.freshUntil ? metadata : staleSince(metadata, since, this.#staleWhileRevalidate)
  }

  /** Whether an entry, as it was found, may answer an error of the origin: it may have been invalidated since. */
  answersErrors(metadata: Metadata, now: number): boolean {
    const standing = this.standing(metadata)
    return standing !== undefined && now < standing.staleIfErrorUntil
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

/** What a call of `invalidateTags` was given. @throws `ERR_DREY_CONFIG` */
export function readInvalidation(
  tags: unknown,
  options: InvalidateOptions,
): { readonly given: readonly string[]; readonly soft: boolean } {
  assertOptions(options)
  const { soft = false } = options
  if (!Array.isArray(tags)) throw new ConfigError(`tags: got ${typeof tags}; want an array of strings`)
  if (typeof soft !== 'boolean') throw new ConfigError(`soft: got ${typeof soft}; want true or false`)
  return { given: [...new Set(tags.map((tag, at) => readTag(`tags[${at}]`, tag)))], soft }
}

/** Why entries cannot be invalidated by tag that another cache may find. */
export function outlived(): ConfigError {
  return new ConfigError(
    'invalidateTags: a tier is a file store, or a memory store with a name: its entries can be found by other caches, after a restart or in other threads, which are not told; want memory stores without a name, or delete the keys',
  )
}
