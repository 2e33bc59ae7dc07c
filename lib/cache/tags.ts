import { type Clock, systemClock } from '../clock.js'
import { ConfigError } from '../errors.js'
import type { Later, Metadata, Store, TagJournal } from '../store/store.js'
import { TagFloors } from '../store/tag-floors.js'
import type { InvalidateOptions } from './cache.js'
import { readTag } from './metadata.js'
import { assertOptions } from './options.js'

/** How long it is waited before it is tried again to keep what could not be. */
const RETRY_MS = 1000

/**
 * Which entries were invalidated by tag.
 *
 * Nothing looks for the entries: each carries its tags, and the number of invalidations that there had been when the work
 * began that made it. A tag has a floor, the number of its last invalidation, and an entry below it does not count any
 * more. So an invalidation costs its tags, whatever there is in the cache, and beats all older work, whenever that commits (I5).
 *
 * Where others may find the entries, in other threads or after a restart, the store keeps a journal of what was invalidated, and this is
 * what the cache knows of it.
 *
 * Invariant: whoever judges an entry that has tags, or begins work, knows by then all that the journal has. Without a journal the floors
 * here are all there is.
 */
export class TagTable {
  /** For how long an entry that would never have become stale answers once it was made so, while a new one is fetched. */
  staleWhileRevalidate: number
  readonly #floors = new TagFloors()
  readonly #journal: TagJournal | undefined
  readonly #clock: Clock
  /** Of the journal, that is known here. */
  #seen = 0
  /** Invalidations that are being kept. */
  #keeping = 0
  /** When it was last tried to keep what could not be, by the monotonic clock. */
  #tried = Number.NEGATIVE_INFINITY

  constructor(staleWhileRevalidate: number, journal?: TagJournal, clock: Clock = systemClock) {
    this.staleWhileRevalidate = staleWhileRevalidate
    this.#journal = journal
    this.#clock = clock
  }

  /** What work that begins now is to carry: of the last invalidation that a crash would not take. */
  get sequence(): number {
    return this.#journal === undefined ? this.#floors.sequence : this.#journal.sequence
  }

  /** How many invalidations there were: what began when there were fewer may have been overtaken. */
  get latest(): number {
    return this.#journal === undefined ? this.#floors.sequence : this.#journal.latest
  }

  /** Tags that have a floor of their own. */
  get size(): number {
    return this.#floors.size
  }

  /** Entries of `tags` do not count any more from here on. Resolves when that is kept for whoever else may find them. */
  invalidate(tags: readonly string[], soft: boolean, now: number): Later<void> {
    if (this.#journal === undefined) return this.#floors.invalidate(tags, soft, now, 0)
    const kept = this.#journal.invalidate(tags, soft, now, 0)
    if (!(kept instanceof Promise)) return kept
    this.#keeping += 1
    return kept.finally(() => {
      this.#keeping -= 1
    })
  }

  /** What is left of an entry: its metadata as they stand now; undefined when it was invalidated. */
  standing(metadata: Metadata): Metadata | undefined {
    // Most entries have none.
    if (metadata.tags.length === 0) return metadata
    const journal = this.#journal
    if (journal !== undefined) this.#catchUp(journal)
    const standing = this.#standing(metadata)
    if (journal !== undefined && standing !== metadata) void this.#keep(journal)
    return standing
  }

  #standing(metadata: Metadata): Metadata | undefined {
    const { tags, sequence = 0 } = metadata
    const floors = this.#floors
    // What says that it is younger than all that is known is of a journal that was lost.
    if (sequence > floors.sequence && this.#journal !== undefined) return undefined
    // Most tags were never invalidated.
    if (sequence >= floors.sequence) return metadata
    const { base } = floors
    if (base.hard > sequence) return undefined
    let since = base.soft > sequence ? base.at : Number.POSITIVE_INFINITY
    for (const tag of tags) {
      const floor = floors.of(tag)
      if (floor === undefined) continue
      if (floor.hard > sequence) return undefined
      if (floor.soft > sequence) since = Math.min(since, floor.at)
    }
    return since >= metadata.freshUntil ? metadata : staleSince(metadata, since, this.staleWhileRevalidate)
  }

  /** Whether an entry, as it was found, may answer an error of the origin: it may have been invalidated since. */
  answersErrors(metadata: Metadata, now: number): boolean {
    const standing = this.standing(metadata)
    return standing !== undefined && now < standing.staleIfErrorUntil
  }

  /** Where something could not be kept, new entries may count as older than it: so it is tried again, while they are asked for. */
  async #keep(journal: TagJournal): Promise<void> {
    const { latest } = journal
    if (this.#keeping > 0 || journal.sequence >= latest) return
    const now = this.#clock.monotonic()
    if (now - this.#tried < RETRY_MS) return
    this.#tried = now
    this.#keeping += 1
    try {
      await journal.join([], latest)
    } catch {
      // Whoever invalidated was told that it is not kept; until it is, it costs hits.
    } finally {
      this.#keeping -= 1
    }
  }

  #catchUp(journal: TagJournal): void {
    const { version } = journal
    if (version === this.#seen) return
    // In this order, so that what is learned is at least what the version says.
    const { latest } = journal
    this.#floors.join(journal.since(this.#seen), latest)
    this.#seen = version
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

/** @throws `ERR_DREY_CONFIG` where others may find entries of `store`, and would not be told. */
export function assertInvalidates({ outlives, sharing, journal }: Store): void {
  if (journal !== undefined || (outlives !== true && sharing === undefined)) return
  throw new ConfigError(
    'invalidateTags: a tier keeps entries that other caches may find, after a restart or in other threads, and has no journal to tell them what was invalidated; want a tier that has one, as file stores and memory stores have, or delete the keys',
  )
}
