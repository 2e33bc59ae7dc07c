import type { Clock } from '../clock.js'
import type { CompressionStats } from '../compression/stats.js'

/*
 * The contract between the cache and what its tiers are made of.
 *
 * A store keeps entries: a key, a value of bytes, metadata. It may be near (answers at once, entries can be
 * read while they grow) or far (answers later, no growing reads, no locks, failures). The cache is written
 * against the far kind and takes the short way where a store offers it:
 *
 *  - Whatever returns `Later<T>` may answer at once or with a promise. The cache looks before it awaits, so
 *    that a hit in a near store costs no turn of the event loop.
 *  - `Draft.read` is optional. With it, readers of a fill read from the store while the entry grows; without
 *    it, the cache keeps a bounded window of its own beside the draft.
 *  - A store needs no lock. Which fill may run, and which may still commit, is the cache's business.
 *
 * What a store MUST do, and `storeSuite` of `drey/testing` checks, beside what each method promises:
 *
 *  S1  A draft is invisible to `find`, `entries` and `delete` until `commit` returns true, and leaves no trace
 *      after `abort`. A store that fences by itself lets no draft commit that began before a delete of its key.
 *  S2  A commit replaces what the key had before in one step: `find` gives the old entry or the new one.
 *  S3  An open entry stays readable, unchanged, until `release`, whatever happens to its key meanwhile.
 *  S4  `read` copies into the caller's memory, and does not touch it once it has answered. Only `view` lends the store's own, until `release`.
 *  S5  Bytes given to `Draft.write` are taken before its promise settles, and not looked at after; where the draft offers `growing`, before it
 *      returns. Both kinds of memory are used again for other values.
 *  S6  The store never holds more than its bound, drafts and open entries included; it refuses instead.
 *  S7  An entry of at most IN_HAND bytes holds nothing: forgetting to release it leaks nothing, and what `view` lent of it
 *      stays as it is without a release.
 */

/** A value, now or later. The cache never awaits what is already there. */
export type Later<T> = T | Promise<T>

/** Values up to this size are handed over whole with the answer and need no release: 64 KiB. */
export const IN_HAND = 64 * 1024

/** What a store keeps beside the bytes. All times are epoch milliseconds; `Infinity` is never. */
export interface Metadata<User = unknown> {
  /** Size of the value in bytes. */
  readonly size: number
  /** Validator of this representation, as the origin gave it. */
  readonly etag?: string
  /** When the value was stored, or last confirmed by its origin. */
  readonly cachedAt: number
  /** The entry answers by itself until then. */
  readonly freshUntil: number
  /** Where the tier that it was found in has a `ttl`: it answers by itself only until then, and then the tiers below are asked, and the origin. */
  readonly tierFreshUntil?: number
  /** After that, it may still answer until then, while a new one is fetched; not before `freshUntil`. */
  readonly staleUntil: number
  /** The entry may answer an error of the origin until then. */
  readonly staleIfErrorUntil: number
  /** True for a remembered "there is no such thing". Its value is empty. */
  readonly negative: boolean
  /** Labels by which many entries can be invalidated at once. Frozen. */
  readonly tags: readonly string[]
  /** Where there are tags: how many changes the cache had seen when the work began that made the entry; later invalidations of a tag hit it. */
  readonly sequence?: number
  /** How the value is stored, where a store compressed it. Said by the store; what is given to one of it counts for nothing. */
  readonly compression?: StoredCompression
  /** The user's own: JSON, at most 64 KiB. Frozen. */
  readonly user?: User
}

/** How a value is stored that has `size` bytes when it is read. */
export interface StoredCompression {
  /** Who compressed it. */
  readonly codec: string
  /** Bytes that are stored for it. */
  readonly storedSize: number
  /** How many times smaller that is. */
  readonly ratio: number
}

/** An entry opened for reading. Unchanged until `release`, whatever happens to its key. */
export interface StoredEntry {
  readonly metadata: Metadata
  /** Of a store of several tiers: the one that it comes from, unless that is the first. */
  readonly tier?: string
  /** Copies bytes from `position` into `target`; returns how many: fewer than asked for only before a border of the store's own, 0 only at the end. */
  read(target: Uint8Array, position: number): Later<number>
  /** Lends bytes from `position` on, without a copy, valid until `release` and not to be written to; empty at the end. Near stores only. */
  view?(position: number): Uint8Array
  /** The whole value, in memory that is the caller's for good: nobody else sees it or writes to it. Only where the store has made such a copy already. */
  own?(): Buffer
  /** Ends the reading. Calling it again does nothing. */
  release(): void
}

/** An entry that is being written and that nobody finds yet. */
export interface Draft {
  /** Takes all of `chunk` and says true, or none of it and says false: the store has no room, or the entry would pass `maxItemBytes`. The draft stays readable and can still be aborted. */
  write(chunk: Uint8Array): Later<boolean>
  /** Makes the entry visible under its key. False when the store gave it up; then it is aborted. */
  commit(metadata: Metadata): Later<boolean>
  /** Drops what was written, once open readers of the draft have released it. Calling it after commit, or again, does nothing. */
  abort(): void
  /** Of a store of several tiers: the one that it is written to. */
  readonly tier?: string
  /**
   * Of a store of several tiers, after `write` said false: a draft of a tier below that has what this one took, and may take more. Undefined
   * when there is none. This one is to be aborted then as ever.
   */
  spill?(): Later<Draft | undefined>
  /** Of a store that fences by itself, after `commit` said false: a delete or a clear came between, in this thread or another. */
  readonly fenced?: boolean
  /** Bytes written so far can be read while the draft grows. Near stores only. */
  readonly growing?: GrowingReads
}

/** Reading of a draft while it grows; positions up to what was written. */
export interface GrowingReads {
  /** As `StoredEntry.read`, and always at once. */
  read(target: Uint8Array, position: number): number
  /** As `StoredEntry.view`; the bytes stay valid until the draft is committed or aborted and `hold` was given back. */
  view(position: number): Uint8Array
  /** Keeps the bytes readable past commit and abort until the returned function is called. Only while the draft is open or held already. */
  hold(): () => void
}

/** What a store says of itself. */
export interface StoreStats {
  /** Committed entries. */
  readonly entries: number
  /** Bytes held now: values, keys, metadata, index, drafts and open entries. */
  readonly bytes: number
  /** Of `bytes`, those that evicting would not give back: drafts, and entries that are open, removed or not. */
  readonly pinnedBytes: number
  readonly maxBytes: number
  readonly maxItemBytes: number
  /** Entries removed to make room, since the store was opened, though they had not expired. */
  readonly evictions: number
  /** Entries removed because they had expired: past both `freshUntil` and `staleIfErrorUntil`. */
  readonly expirations: number
  /** How often a policy of the user's own threw or did not answer as it must; 0 for others. */
  readonly policyFaults: number
  /** Drafts refused or given up for want of room or for size. */
  readonly refusals: number
  /** What decides which entry goes, by name; `own` for a policy of the user's own. Where the store says so. */
  readonly policy?: string
  /** Of a store that compresses: what came of it since it was opened. */
  readonly compression?: CompressionStats
  /** Of a store on a disk: files of its log, now. */
  readonly segments?: number
  /** Of a store on a disk: entries that have files of their own, now. */
  readonly blobs?: number
  /** Of a store on a disk: bytes of memory that its index takes, now. */
  readonly indexBytes?: number
  /** Of a store on a disk: of `refusals`, those for want of room: nothing more could go, `minFree` was reached, or the disk was full. */
  readonly roomRefusals?: number
  /** Of a store on a disk: bytes of its file system that are free, and of these what `minFree` leaves to the store, when it was last looked; asking has it looked anew, each 5 s at most. */
  readonly freeBytes?: number
  readonly roomBytes?: number
  /** Entries dropped because what came from the disk was not what was written, since the store was opened. */
  readonly corrupt?: number
  /** Calls of the system that failed, since the store was opened. */
  readonly diskErrors?: number
  /** Segments reclaimed, since the store was opened. */
  readonly reclaimed?: number
  /** Bytes that were given to be written, since the store was opened, and bytes that were written for them, reclaim included. */
  readonly givenBytes?: number
  readonly writtenBytes?: number
  /** `writtenBytes` for each of `givenBytes`; 0 before the first. */
  readonly writeAmplification?: number
}

/** What a cache says of one of its tiers. */
export interface TierStats extends StoreStats {
  readonly name: string
  /** Failures of the tier since it was opened: each cost a hit, none an answer. */
  readonly failures: number
  /** Values that a tier below the first did not get in the background: too much waited, it had no room, or it failed. */
  readonly dropped: number
  /** Keys of a tier below the first that it is not up to date with: not read there until it is. */
  readonly pending: number
  /** Lookups of the tier for an answer: that found an entry, fresh or not, and that did not. Those of `stat` and of refreshes are not counted. */
  readonly lookups: { readonly hits: number; readonly misses: number }
  /** Values that were put into the tier, by whomever, and their bytes as they were given. */
  readonly stores: number
  readonly storedBytes: number
  /** Of those, values that came from a tier below while they were read there. */
  readonly promotions: number
  /** Values that wait to be written to the tier in the background, or are being written, now; and bytes that are held for that. */
  readonly queued: number
  readonly queuedBytes: number
  /** Lookups and drafts that were not asked of the tier, because its breaker was open. */
  readonly skipped: number
  /** Whether the tier is used: `'open'` while it is left alone, `'half-open'` while one call finds out whether it works again. */
  readonly breaker: 'closed' | 'open' | 'half-open'
}

/** Why an entry left a store by the store's own doing: to make room, while it was of use or when it had expired. */
export type EvictReason = 'size' | 'expired'

/** Takes the time of lookups, in milliseconds of a monotonic clock. */
export interface LookupTimer {
  /** When one begins; less than 0 when this one is not timed. */
  begin(): number
  /** As `begin`, of one that takes so long that to time it is nothing. */
  beginSlow(): number
  /** It is over, in the tier at that place, with what it found. Nothing where it was not timed. */
  took(tier: number, began: number, found: StoredEntry | undefined): void
}

/** What the cache gives to a store when it opens it. */
export interface StoreContext {
  /** Epoch milliseconds now. */
  now(): number
  /** `now` is the machine's own time, which a store may as well ask the machine for. */
  readonly systemTime?: boolean
  /**
   * To be called for each entry that leaves by the store's own doing, after the change that it made room for. Must not throw; may call the
   * store. `tier`: whose it was, where that is not the store itself.
   */
  onEvict(key: string, reason: EvictReason, tier?: string): void
  /** To be called for each entry that was dropped because what the disk gave is not what was written. Must not throw; may call the store. */
  onCorrupt?(key: string, tier?: string): void
  /** What intervals and timers of a store of several tiers go by. Default: the system's. */
  readonly clock?: Clock
  /** To be called by a store of several tiers when one of them is not used any more, for it failed again and again, and when it is again. Must not throw; may call the store. */
  onTier?(tier: string, isDown: boolean): void
  /** Of a store of several tiers: takes the time of its lookups in each. Without it nobody wants to know. */
  readonly lookupTimer?: LookupTimer | undefined
  /** Whether anybody wants to be told now: a store to which telling is costly need not call `onEvict` otherwise. */
  hearsEvictions(): boolean
}

/**
 * What a store adds that other threads have open, too: one call of the origin for a key, whichever thread asks for it
 * (I6), and fences that hold for the fills of all of them (I5). Always at once.
 *
 * Whoever wants to call an origin claims the key first. One leads: it calls the origin, and says on its flight what
 * comes of it. The others follow, and are told. A write, a delete or a clear in any thread fences the flights that
 * were there: they commit nothing, and nobody new joins them.
 */
export interface Sharing {
  /**
   * @param seen the entry that the caller found, and means to have renewed; undefined when it found none
   * @param alone the caller may not share the answer: it leads, and nobody follows it
   * @returns 'look' when the key has an entry that the caller has not seen, unless `alone`
   */
  claim(key: string, seen: StoredEntry | undefined, alone: boolean): LedFlight | FollowedFlight | 'look'
}

/** The duty to call the origin. It is over with the first of: a draft of it committed or aborted, `set` or `revise` that said true, `end`. */
export interface LedFlight {
  readonly leads: true
  /** How many follow, in other threads and in this one. */
  readonly followers: number
  /** A follower left that had all it wanted: the fill is worth going on with, though nobody waits. */
  readonly wanted: boolean
  /** A change came since it was claimed, in any thread, or it is over: who asks from now on may not be answered by it. */
  readonly fenced: boolean
  /** To be called when the last follower has left. Not called any more once the flight is over. */
  onAlone(callback: () => void): void
  /** As `Store.draft`, under the flight's fence. */
  draft(size: number | undefined): Draft | undefined
  /** Tells the followers that a body arrives in `draft`, which is one of this flight. `note` is what they need to know of it. */
  grow(draft: Draft, note: string): void
  /** What the followers are to be told if the draft ends without being committed from here on: that all of the body is there, say. */
  atEnd(note: string): void
  /** Puts a whole value under the key, unless fenced: true, or 'fenced', or false when there is no room. */
  set(bytes: Uint8Array, metadata: Metadata): boolean | 'fenced'
  /** As `Store.revise`, unless fenced. */
  revise(entry: StoredEntry, metadata: Metadata): boolean | 'fenced'
  /** Ends the flight, and tells the followers `note`. Does nothing when it is over already. */
  end(note: string): void
}

/** A flight that somebody else leads. */
export interface FollowedFlight {
  readonly leads: false
  /** As `LedFlight.fenced`. Not asked for after `leave`. */
  readonly fenced: boolean
  /** How it stands. */
  look(): FlightState
  /** To be called whenever it stands otherwise than at this call, or more bytes came: later, never from within a call. One callback at a time, until `leave`. */
  onNews(callback: () => void): void
  /** Leaves; `wanted` says that the caller had all that it wanted. Once. What `hold` kept stays. */
  leave(wanted: boolean): void
}

/** How a flight stands: it only goes on, to one of the last three. */
export type FlightState =
  /** The origin has not answered. */
  | { readonly kind: 'asking' }
  /** A body arrives, of which `size` bytes are there. */
  | {
      readonly kind: 'growing'
      readonly note: string
      readonly growing: GrowingReads
      readonly size: number
    }
  /** The store has the answer; a body that grew can still be read, whole. */
  | { readonly kind: 'committed'; readonly size: number }
  /** There is no more to come than `note`, and of a body that grew the first `size` bytes. */
  | { readonly kind: 'ended'; readonly note: string; readonly size: number }
  /** As 'ended', because the leader's thread is gone or its draft was aborted without a word. */
  | { readonly kind: 'lost'; readonly size: number }

/** Of one tag: entries of work that began before `hard` are gone, of work that began before `soft` stale since `at`. */
export interface TagFloor {
  /** Empty: the base, which counts for every tag. */
  readonly tag: string
  readonly hard: number
  readonly soft: number
  /** Epoch milliseconds of the last soft invalidation; 0 where there was none. */
  readonly at: number
}

/**
 * What a store adds whose entries others may find: the caches that open it later, or have it open beside this one. It keeps
 * what was invalidated by tag for all of them, and judges nothing by it.
 *
 *  T1  What was added is in `since`, for everybody, as soon as the call that adds it has returned; `version` has risen by then. It never
 *      goes: a bounded store gives single tags up into the base.
 *  T2  `sequence` is the number of an invalidation only when that one is kept, for whoever opens the store next, as well as the store keeps
 *      its entries. So no entry that a crash leaves says that it is younger than an invalidation that the crash took.
 *  T3  Numbers are not used twice. Where invalidations may have been lost, the base is above all that may have been.
 */
export interface TagJournal {
  /** Rises with every change, by anybody. Asked for whenever an entry with tags is judged: at once, and cheap. */
  readonly version: number
  /** How many invalidations there were that are kept: what work that begins now carries. */
  readonly sequence: number
  /** The number of the last invalidation, kept or not. */
  readonly latest: number
  /** All floors that were changed after `version`; after 0, all. */
  since(version: number): readonly TagFloor[]
  /** Invalidates `tags` by a number greater than all before, and than `least`. Resolves when it is kept; when it rejects, it holds nevertheless until the store is closed. */
  invalidate(tags: readonly string[], soft: boolean, at: number, least: number): Later<void>
  /** Adds what another store's journal knows. As `invalidate`. */
  join(floors: readonly TagFloor[], sequence: number): Later<void>
}

/** What a store adds that is made of several tiers. */
export interface Tiers {
  /** As `Store.find`, of what the first tier has at once. */
  atHand(key: string): StoredEntry | undefined
  /**
   * Resolves when what the key has now is in every tier that a write waits for, or cannot be, and nothing older in one that outlives the cache; undefined
   * when that is so already. Never rejects.
   */
  written(key: string): Promise<void> | undefined
  /** Resolves when nothing is written in the background any more. Never rejects. */
  flush(): Promise<void>
  /** Of each tier, the first first. What the store says as its own `stats` is what the first says. */
  tierStats(): readonly TierStats[]
  /** The tier that is why the store has no `setAll`. */
  readonly noBatches?: string
  /** Failures of tiers that the caller of the store was told, too. */
  readonly told: number
}

/** One of several values that are set together. */
export interface WholeValue {
  readonly key: string
  readonly bytes: Uint8Array
  readonly metadata: Metadata
}

/** A change of a store's options while it runs, checked and not made yet. */
export interface StoreChange {
  /** What becomes different, by the option's name below the store's own; sizes in bytes, as they are without their units. Empty when nothing does. */
  readonly changes: readonly OptionChange[]
  /**
   * Makes the change: all of it, or none when it throws or rejects. Settles when all of it holds for what is asked of the store from then on;
   * what that makes the store do with what it has may go on behind it, and each store says what. Once.
   */
  readonly apply: () => Later<void>
  /** After `apply`, whether that has settled or not: the options are again what they were before it. What was evicted for the change stays gone. */
  readonly undo: () => Later<void>
}

/** One option that a `StoreChange` gives another value. */
export interface OptionChange {
  readonly path: string
  readonly from: unknown
  readonly to: unknown
}

/** What one of drey's own stores goes by now, for whoever gives advice on it. */
export interface StoreFacts {
  readonly kind: 'memory' | 'file'
  /** Whether the addon does the work. */
  readonly native: boolean
  /** Which policy decides, by its name: `'own'` for one of the user's. */
  readonly policy: string
  /** Who makes values smaller; `'none'` where nobody does. */
  readonly compression: string
  /** `maxItemBytes` was not asked for, and follows `maxBytes`. */
  readonly maxItemFollows: boolean
  /** How long entries are fresh in this tier, in milliseconds, where it has a ttl of its own. */
  readonly ttl?: number
  /** Of a store on a disk. */
  readonly dir?: string
  readonly durability?: string
  readonly maxIndexBytes?: number
  /** What is to stay free of the file system: a share below 1, or bytes. */
  readonly minFree?: number
}

/** What a tier is made of. */
export interface Store {
  /** Said in `Found.tier`, statistics and errors. */
  readonly name: string
  /** Values larger than this are not kept, in bytes. */
  readonly maxItemBytes: number
  /** Called once, before anything else. A store belongs to one cache. */
  open(context: StoreContext): Later<void>
  /** Opens the entry of `key`, counting as a use of it for eviction unless `peek`. Expired entries are given too: the cache decides what is fresh. */
  find(key: string, peek?: boolean): Later<StoredEntry | undefined>
  /**
   * Begins an entry of `size` bytes, if known. Undefined when the store cannot hold it. `user` is what its metadata is going to say
   * for `user`, where that is known by now: a store that compresses looks there for the type of the content.
   */
  draft(key: string, size: number | undefined, user?: unknown): Later<Draft | undefined>
  /**
   * As `draft`, `write` and `commit` in one call, for stores that do it at once and cheaper. The bytes are taken before it
   * returns. False when there is no room.
   */
  set?(key: string, bytes: Uint8Array, metadata: Metadata): boolean
  /**
   * As `draft`, `write` and `commit` in one call, for stores that answer later and do it cheaper so. At most IN_HAND bytes are taken before it
   * returns; more stay as they are until it has settled. A delete of the key, or a clear, that is asked for after it comes after it. False when there is no room.
   */
  setLater?(key: string, bytes: Uint8Array, metadata: Metadata): Promise<boolean>
  /**
   * Sets all of `values`, whose keys are different, or none. Whoever finds one of the new values finds none of the old ones of the others any
   * more, in any thread that shares the store; and where entries outlive the process, its death leaves all of them or none. Looking several keys
   * up takes its time: who wants them of one moment sees to that, by `batches` where threads share the store. Bytes stay as they
   * are until it has settled. False when there is no room for all: then none is set, and what the keys had may have been evicted.
   */
  setAll?(values: readonly WholeValue[]): Later<boolean>
  /**
   * Of a store that several threads share: how often any of them called `setAll`. What is looked up between two equal answers is of one
   * moment. `holdOff` has the others wait with it for a little while: for a caller that was overtaken again and again.
   */
  batches?(holdOff: boolean): number
  /** Replaces the metadata of the entry that `entry` opened, if the key still has that one; false otherwise. The value stays. */
  revise(key: string, entry: StoredEntry, metadata: Metadata): Later<boolean>
  /** Removes the entry; says whether there was one. Resolves when it can no longer be found, now or after a restart. */
  delete(key: string): Later<boolean>
  /**
   * As `delete`, of what there is: what is being written under the key may still be committed. Of a store that fences by itself: tiers give way to each
   * other, and what they have of a key may be older than what is being written.
   */
  discard?(key: string): Later<boolean>
  /** Removes all entries. Drafts stay; a store that several threads may share fences them. */
  clear(): Later<void>
  /** Keys and metadata, as a scan: what changes meanwhile may be missed, an entry is given once unless it was removed and set anew, and it ends however many are set meanwhile. */
  entries(): Iterable<readonly [string, Metadata]> | AsyncIterable<readonly [string, Metadata]>
  stats(): StoreStats
  /** Of one of drey's own. */
  facts?(): StoreFacts
  /**
   * Memory is short, or not any more: the store should use `factor` of its bound, more than 0 and at most 1, until it is called
   * again. It gives the rest back to the system, in its own time but soon, and what it says of itself as its bounds
   * stays the same. Called while it is open.
   */
  pressure?(factor: number): void
  /**
   * Checks a change of options by which the store was made, and changes nothing yet: whoever changes several stores checks all of them before
   * the first is changed. Options that are not named stay as they are; one that is fixed for the life of the store may be named with the
   * value that it has.
   *
   * @throws `ERR_DREY_CONFIG` for an option that is wrong, unknown or fixed, with its path below `configure`, its value, and what would do
   * or why it is fixed. `ERR_DREY_CLOSED` after `close()`
   */
  configure?(patch: Readonly<Record<string, unknown>>): StoreChange
  /** Of a store that several threads share: what they need to act as one cache. Of drey's own making; other stores leave it out. */
  readonly sharing?: Sharing
  /**
   * False: nothing is ever kept, every draft is refused. What is set in a cache of such a store alone counts as kept, and is gone at once. Beside
   * other tiers it is left out. Default: entries are kept.
   */
  readonly keeps?: false
  /**
   * Whether there may be an entry of `key`: at once, without asking a disk; false only when there is none. Of a store that outlives: a cache that writes
   * there in the background lets nobody believe that a value was replaced while this says that an older one could be found after a restart.
   */
  knows?(key: string): boolean
  /** Entries may be found again by another cache, after this one or beside it. Without a `journal` nothing can be invalidated by tag. */
  readonly outlives?: boolean
  /** Where entries may be found by other caches: what was invalidated by tag, for all of them. Used once the store is open. */
  readonly journal?: TagJournal
  /** Of a store of several tiers: what they do together. Of drey's own making; other stores leave it out, and `tier` and `spill` of drafts and entries. */
  readonly tiers?: Tiers
  /** Gives everything back. What is still open gives the right bytes or fails; it is released and aborted as ever, and a commit keeps nothing. */
  close(): Later<void>
}
