import { Health, type HealthHost, type HealthRule } from '../store/health.js'
import type { Draft, Later, LookupTimer, Metadata, Store, StoredEntry, TierStats } from '../store/store.js'
import { Backlog } from './backlog.js'
import { PLAIN, type Scratch } from './scratch.js'

/** `maxBufferedBytes`, where nobody says otherwise: what a disk of 500 MB/s takes in 16 ms. */
export const BUFFERED_BYTES = 8 * 2 ** 20

/** What a tier runs on. */
export interface TierOptions {
  readonly scratch?: Scratch
  readonly maxBufferedBytes?: number
  /** Of a store alone: several look after themselves. Default: it is asked whatever comes of that, and waited for. */
  readonly health?: Omit<HealthHost, 'name'>
  /** Of a store alone, as well. Default: nobody wants to know how long lookups take. */
  readonly lookupTimer?: LookupTimer | undefined
}

/**
 * A store as the cache uses it: its failures are counted and cost hits, never answers (I3), and changes of one
 * key happen in the order in which they were asked for, also where the store answers later (I5).
 *
 * Invariants: `#pending` holds, for each key with changes under way, a promise that settles after the last of them; a
 * change in `#pending` was asked for after the clear in `#barrier`, if there is one, and follows it. A near store
 * never puts anything in either. While `#health` is down nothing is looked up and no fill begins a draft; writes and deletes, which say
 * what came of them, are asked for as ever.
 */
export class Tier {
  readonly store: Store
  /** What bytes on their way into the store and out of it may pass through. */
  readonly scratch: Scratch
  /** What bodies may have in memory before the store has taken it. */
  readonly backlog: Backlog
  /** Failures of the store since it was opened. */
  failures = 0
  readonly #pending = new Map<string, Promise<void>>()
  /** A clear under way: all changes asked for after it wait for it. */
  #barrier: Promise<void> | undefined
  readonly #health: Health | undefined
  /** Of a store alone: lookups for an answer, and what was put into it. Several count for themselves. */
  readonly #isAlone: boolean
  readonly #timer: LookupTimer | undefined
  #hits = 0
  #misses = 0
  #stores = 0
  #storedBytes = 0

  constructor(
    store: Store,
    { scratch = PLAIN, maxBufferedBytes = BUFFERED_BYTES, health, lookupTimer }: TierOptions = {},
  ) {
    this.store = store
    this.#isAlone = store.tiers === undefined
    this.#timer = this.#isAlone ? lookupTimer : undefined
    this.scratch = scratch
    this.backlog = new Backlog(maxBufferedBytes)
    if (health !== undefined && store.tiers === undefined && store.sharing === undefined) {
      this.#health = new Health({ ...health, name: store.name })
    }
  }

  /** Other rules, from now on. */
  configure(rule: HealthRule, maxBufferedBytes: number): void {
    this.#health?.configure(rule)
    this.backlog.perBody = maxBufferedBytes
  }

  /** What the store answers to `call`. Its failure is counted, and the caller's to handle. */
  ask<T>(call: () => Later<T>): Later<T> {
    try {
      const answer = call()
      return answer instanceof Promise ? answer.catch(this.#failed) : answer
    } catch (error) {
      return this.#failed(error)
    }
  }

  /**
   * As `ask`, after all changes of `key` asked for before: a store that fences by itself would have an older delete that is still on its way
   * fence what begins before it.
   */
  askInTurn<T>(key: string, call: () => Later<T>): Later<T> {
    const before = this.#pending.get(key) ?? this.#barrier
    return before === undefined ? this.ask(call) : before.then(() => this.ask(call))
  }

  /** What `call` gives; `otherwise` when the store fails, which is counted. Never throws. */
  attempt<T>(call: () => T, otherwise: T): T {
    try {
      return call()
    } catch {
      this.failures += 1
      return otherwise
    }
  }

  /** Whether `set` may be used: the store has it, and no change is under way that it would overtake. */
  get setsAtOnce(): boolean {
    return this.store.set !== undefined && this.#pending.size === 0 && this.#barrier === undefined
  }

  /** Whether `setLater` may be used: the store has it, and no change of the key is under way that it would overtake. */
  setsLater(key: string): boolean {
    return this.store.setLater !== undefined && this.#barrier === undefined && !this.#pending.has(key)
  }

  /** As `Store.set`. @throws what the store throws, counted. */
  set(key: string, bytes: Uint8Array, metadata: Metadata): boolean {
    try {
      return this.store.set!(key, bytes, metadata)
    } catch (error) {
      return this.#failed(error)
    }
  }

  /** As `find`, of what can be had at once without asking a tier that answers later. */
  findAtHand(key: string): Later<StoredEntry | undefined> {
    const { tiers } = this.store
    if (tiers === undefined) return this.find(key)
    try {
      return tiers.atHand(key)
    } catch {
      // Counted; the caller goes on as on a miss.
      return this.#missed()
    }
  }

  /** Resolves when every tier that a write waits for has what `key` has; undefined when that is so already. Never rejects. */
  written(key: string): Promise<void> | undefined {
    return this.store.tiers?.written(key)
  }

  /** Of each tier. What failed here and was not counted by a tier is that of the first. */
  stats(): readonly TierStats[] {
    const { store, failures } = this
    const { tiers } = store
    if (tiers === undefined) {
      return [
        {
          name: store.name,
          failures: failures + (this.#health?.failures ?? 0),
          dropped: 0,
          pending: 0,
          lookups: { hits: this.#hits, misses: this.#misses },
          stores: this.#stores,
          storedBytes: this.#storedBytes,
          promotions: 0,
          queued: 0,
          queuedBytes: 0,
          skipped: this.#health?.skipped ?? 0,
          breaker: this.#health?.breaker ?? 'closed',
          ...store.stats(),
        },
      ]
    }
    const own = Math.max(0, failures - tiers.told)
    return tiers
      .tierStats()
      .map((stats, at) => (at === 0 ? { ...stats, failures: stats.failures + own } : stats))
  }

  /** The entry, or undefined also when the store fails, or takes too long: that is a miss. Never rejects. */
  find(key: string, peek?: boolean): Later<StoredEntry | undefined> {
    const health = this.#health
    if (health?.down === true) return this.#skipped(health, key)
    const began = peek === true || this.#timer === undefined ? -1 : this.#timer.begin()
    let found: Later<StoredEntry | undefined>
    try {
      found = this.store.find(key, peek)
    } catch {
      // Counted; the caller goes on as on a miss.
      return health === undefined ? this.#missed() : health.count()
    }
    if (!(found instanceof Promise)) {
      // Who is well need not be told so at each hit.
      if (health?.ailing === true) health.succeeded()
      if (peek !== true && this.#isAlone) this.#looked(found, began)
      return found
    }
    const looked = (entry: StoredEntry | undefined): StoredEntry | undefined => {
      if (peek !== true && this.#isAlone) this.#looked(entry, began)
      return entry
    }
    if (health === undefined) return found.then(looked, this.#missed)
    return health
      .inTime(found, (late) => this.release(late))
      .then((entry) => {
        health.succeeded()
        return looked(entry)
      }, nothing)
  }

  /** The store, if it is alone, has a value more, of so many bytes. */
  stored(bytes: number): void {
    this.#stores += 1
    this.#storedBytes += bytes
  }

  /** A draft of a fill, or why there is none. Never rejects. */
  draft(key: string, size: number | undefined, user?: unknown): Later<Draft | 'no-room' | 'tier-down'> {
    if (this.#health?.down === true) {
      this.#skipped(this.#health, key)
      return 'tier-down'
    }
    return this.begin(() => this.store.draft(key, size, user))
  }

  /** Nobody waits for the store from now on. */
  stop(error: Error): void {
    this.#health?.stop(error)
  }

  /** As `draft`, of what `begins` it. */
  begin(begins: () => Later<Draft | undefined>): Later<Draft | 'no-room' | 'tier-down'> {
    try {
      const draft = this.ask(begins)
      return draft instanceof Promise ? draft.then(orNoRoom, tierDown) : orNoRoom(draft)
    } catch {
      // Counted by `ask`.
      return 'tier-down'
    }
  }

  /** What `entry` lends from `position` on; undefined when the store fails. Never throws. */
  view(entry: StoredEntry, position: number): Uint8Array | undefined {
    try {
      return entry.view?.(position)
    } catch {
      // Counted; the caller goes on as on a miss.
      return this.#missed()
    }
  }

  /** The value that is the caller's own, where the store has made one; undefined also when it fails. Never throws. */
  own(entry: StoredEntry): Buffer | undefined {
    try {
      return entry.own?.()
    } catch {
      // Counted; the caller goes on as on a miss.
      return this.#missed()
    }
  }

  /** Releases `entry`. Never throws: who has read an entry has read it. */
  release(entry: StoredEntry | undefined): void {
    try {
      entry?.release()
    } catch {
      this.failures += 1
    }
  }

  /** Aborts `draft`. Never throws. */
  abort(draft: Draft | undefined): void {
    try {
      draft?.abort()
    } catch {
      this.failures += 1
    }
  }

  /** Runs `change` after all changes of `key` asked for before. What it throws is the caller's. */
  change<T>(key: string, change: () => Later<T>): Later<T> {
    const before = this.#pending.get(key) ?? this.#barrier
    const result = before === undefined ? change() : before.then(change)
    if (result instanceof Promise) {
      const settled: Promise<void> = settlement(result).then(() => {
        if (this.#pending.get(key) === settled) this.#pending.delete(key)
      })
      this.#pending.set(key, settled)
    }
    return result
  }

  /** As `change`, of a change of all `keys`. */
  changeAll<T>(keys: readonly string[], change: () => Later<T>): Later<T> {
    const before = new Set<Promise<void>>()
    for (const key of keys) {
      const last = this.#pending.get(key) ?? this.#barrier
      if (last !== undefined) before.add(last)
    }
    const result = before.size === 0 ? change() : Promise.all(before).then(change)
    if (result instanceof Promise) {
      const settled: Promise<void> = settlement(result).then(() => {
        for (const key of keys) if (this.#pending.get(key) === settled) this.#pending.delete(key)
      })
      for (const key of keys) this.#pending.set(key, settled)
    }
    return result
  }

  /** Removes all entries, after all changes asked for before. */
  clear(): Later<void> {
    const clear = (): Later<void> => this.ask(() => this.store.clear())
    const before = [...this.#pending.values()]
    if (this.#barrier !== undefined) before.push(this.#barrier)
    const cleared = before.length === 0 ? clear() : Promise.all(before).then(clear)
    if (cleared instanceof Promise) {
      const settled: Promise<void> = settlement(cleared).then(() => {
        if (this.#barrier === settled) this.#barrier = undefined
      })
      this.#barrier = settled
      // The barrier stands for them from here on.
      this.#pending.clear()
    }
    return cleared
  }

  /** Instead of a call of a store that is left alone: it may be time to try whether it works. */
  #skipped(health: Health, key: string): undefined {
    health.skipped += 1
    void health.trial(this.store, key, (found) => this.release(found))
  }

  #looked(entry: StoredEntry | undefined, began: number): void {
    if (entry === undefined) this.#misses += 1
    else this.#hits += 1
    if (began >= 0) this.#timer?.took(0, began, entry)
  }

  readonly #missed = (): undefined => {
    this.failures += 1
    return undefined
  }

  readonly #failed = (error: unknown): never => {
    this.failures += 1
    throw error
  }
}

const nothing = (): undefined => undefined
const tierDown = (): 'tier-down' => 'tier-down'
const orNoRoom = (draft: Draft | undefined): Draft | 'no-room' => draft ?? 'no-room'

/** Settles when `work` does, and never rejects: its outcome is told elsewhere. */
function settlement(work: Promise<unknown>): Promise<void> {
  return work.then(nothing, nothing)
}
