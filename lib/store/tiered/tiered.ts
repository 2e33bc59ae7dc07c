import { systemClock } from '../../clock.js'
import { ConfigError } from '../../errors.js'
import { BREAKER, type BreakerRule } from '../../resilience/breaker/breaker.js'
import type {
  Draft,
  Later,
  Metadata,
  Store,
  StoreContext,
  StoredEntry,
  StoreStats,
  TagJournal,
  TierStats,
  Tiers,
  WholeValue,
} from '../store.js'
import { Batches, unfitTier } from './batches.js'
import { BelowEntry } from './below-entry.js'
import { Changes } from './changes.js'
import { Drafting } from './drafting.js'
import type { Source } from './job.js'
import { heldHere, JoinedJournal, journalOf } from './journal.js'
import { Level, type Limits } from './level.js'
import { Lookups, type PromotionRule } from './lookups.js'

/** Which tiers get what is written. */
export type WritePolicy = 'through' | 'behind' | 'first'

/** How tiers act together. */
export interface TieredOptions extends Limits {
  readonly promotion: PromotionRule
  readonly writePolicy: WritePolicy
  /** How long a call of a tier may take, in milliseconds. Default 2 s. */
  readonly operation?: number
  /** When a tier is left alone. */
  readonly breaker?: BreakerRule
}

const OPERATION_MS = 2000

/** What of it can be another at run time. */
export type TieredRules = Omit<Required<TieredOptions>, 'queueBytes' | 'fences' | 'lane'>

/**
 * Several stores as one, fastest first.
 *
 * Invariants: the value of a key is what the first tier has that may be read of it (`Level.readable`), and every tier that
 * may be read has that value or none (I5). So a change is made in one tier, which is the first that can hold it; in the same turn it
 * fences the key in every tier below, and those follow in the background; the tiers above lose what they have.
 */
export class TieredStore implements Store, Tiers {
  readonly name: string
  readonly tiers: Tiers = this
  readonly outlives: boolean
  readonly journal?: TagJournal
  noBatches?: string
  setAll?: (values: readonly WholeValue[]) => Later<boolean>
  readonly set?: (key: string, bytes: Uint8Array, metadata: Metadata) => boolean
  told = 0
  readonly #levels: readonly Level[]
  readonly #first: Level
  readonly #below: readonly Level[]
  /** The limits that the levels look at, too. */
  readonly #options: { -readonly [K in keyof TieredOptions]: TieredOptions[K] }
  readonly #changes = new Changes()
  readonly #lookups: Lookups
  readonly #drafting: Drafting
  #context: StoreContext | undefined
  #closed = false
  /** Drafts that no tier was asked for. */
  #tooLarge = 0

  constructor(stores: readonly Store[], options: TieredOptions) {
    if (stores.some((store) => store.sharing !== undefined)) {
      throw new ConfigError(
        'tiers: one of several tiers is a memory store with a name, which worker threads share; what the tiers below have cannot be kept right for all of them; want a memory store without a name, or no other tier',
      )
    }
    const now = (): number => this.#context?.now() ?? 0
    const { breaker = BREAKER, operation = OPERATION_MS } = options
    this.#options = { ...options }
    const limits = this.#options
    this.#levels = stores.map(
      (store) =>
        new Level(store, limits, now, {
          breaker,
          operation,
          clock: () => this.#context?.clock ?? systemClock,
          onChange: (isDown) => this.#context?.onTier?.(store.name, isDown),
        }),
    )
    this.#first = this.#levels[0]!
    this.#below = this.#levels.slice(1)
    const tell = this.#tell
    this.#lookups = new Lookups({
      levels: this.#levels,
      changes: this.#changes,
      promotion: options.promotion,
      sourceOf: (at, key) => this.#sourceOf(at, key),
      tell,
      timer: () => this.#context?.lookupTimer,
      now,
    })
    this.#drafting = new Drafting({
      levels: this.#levels,
      isClosed: () => this.#closed,
      onTooLarge: () => {
        this.#tooLarge += 1
      },
      commit: (at, key, commit) => this.#change(at, key, commit, this.#write),
      telling: (call) => this.#telling(call),
      tell,
    })
    this.#offerBatches()
    this.outlives = stores.some((store) => store.outlives === true)
    const journal = journalOf(stores)
    if (journal !== undefined) this.journal = journal
    this.name = this.#first.store.name
    if (this.#first.store.set !== undefined) this.set = this.#setAtOnce
  }

  /** Other rules, from now on: what is under way ends by those that it began with. */
  configureTiers(rules: TieredRules): void {
    Object.assign(this.#options, rules)
    this.#lookups.configure(rules.promotion)
    for (const level of this.#levels) level.configure(rules)
    this.#offerBatches()
  }

  /** Whether values can be set together, which depends on who gets them. */
  #offerBatches(): void {
    const firstOnly = this.#options.writePolicy === 'first'
    const stores = this.#levels.map(({ store }) => store)
    const unfit = unfitTier(stores, firstOnly)
    delete this.setAll
    delete this.noBatches
    if (unfit !== undefined) {
      this.noBatches = unfit
      return
    }
    const batches = new Batches({
      levels: this.#levels,
      changes: this.#changes,
      firstOnly,
      sourceOf: (at, key) => this.#sourceOf(at, key),
      telling: (call) => this.#telling(call),
    })
    this.setAll = (values) => (this.#closed ? false : batches.set(values))
  }

  get maxItemBytes(): number {
    return Math.max(...this.#levels.map(({ store }) => store.maxItemBytes))
  }

  async open(context: StoreContext): Promise<void> {
    this.#context = context
    const opened: Store[] = []
    try {
      for (const { store } of this.#levels) {
        await store.open({
          ...context,
          now: () => context.now(),
          onEvict: (key, reason) => context.onEvict(key, reason, store.name),
          onCorrupt: (key) => context.onCorrupt?.(key, store.name),
          hearsEvictions: () => context.hearsEvictions(),
        })
        opened.push(store)
      }
      if (this.journal instanceof JoinedJournal) await this.journal.meet().catch(heldHere)
    } catch (error) {
      // What failed is told; that others could not be closed after it is not.
      await Promise.allSettled(opened.map(async (store) => store.close()))
      throw error
    }
  }

  atHand(key: string): StoredEntry | undefined {
    return this.#lookups.atHand(key)
  }

  find(key: string, peek = false): Later<StoredEntry | undefined> {
    return this.#lookups.find(key, peek)
  }

  draft(key: string, size: number | undefined, user?: unknown): Later<Draft | undefined> {
    return this.#drafting.begin(key, size, user)
  }

  revise(key: string, entry: StoredEntry, metadata: Metadata): Later<boolean> {
    const level = entry instanceof BelowEntry ? entry.level : this.#first
    const inner = entry instanceof BelowEntry ? entry.inner : entry
    if (!level.readable(key)) return false
    const at = this.#levels.indexOf(level)
    return this.#change(
      at,
      key,
      () => level.store.revise(key, inner, metadata),
      (i, _, source) => {
        this.#levels[i]!.revise(key, metadata, source)
      },
    )
  }

  delete(key: string): Later<boolean> {
    this.#changes.mark(key)
    // All are fenced in this turn. Bottom up, so that what ends the process between two of them brings nothing back above.
    return this.#all(
      (level) => level.remove(key),
      (was) => was.includes(true),
    )
  }

  clear(): Later<void> {
    this.#changes.markAll()
    return this.#all(
      (level) => level.clear(),
      () => undefined,
    )
  }

  async *entries(): AsyncGenerator<readonly [string, Metadata], void, undefined> {
    const given = new Set<string>()
    for (const [at, level] of this.#levels.entries()) {
      const last = at === this.#levels.length - 1
      for await (const entry of level.store.entries()) {
        const [key] = entry
        if (given.has(key) || !level.readable(key)) continue
        if (!last) given.add(key)
        yield entry
      }
    }
  }

  stats(): StoreStats {
    const stats = this.#first.store.stats()
    return { ...stats, refusals: stats.refusals + this.#tooLarge }
  }

  tierStats(): readonly TierStats[] {
    return this.#levels.map((level) => {
      const { store, health, hits, misses } = level
      const { dropped, pending, stores, storedBytes, promotions, queued, queuedBytes } = level
      return {
        name: store.name,
        failures: health.failures,
        dropped,
        pending,
        lookups: { hits, misses },
        stores,
        storedBytes,
        promotions,
        queued,
        queuedBytes,
        skipped: health.skipped,
        breaker: health.breaker,
        ...store.stats(),
      }
    })
  }

  pressure(factor: number): void {
    for (const { store } of this.#levels) store.pressure?.(factor)
  }

  written(key: string): Promise<void> | undefined {
    // Under any policy: nobody is told that a value was replaced which a death of the process would bring back (I5).
    const waitsForAll = this.#options.writePolicy === 'through'
    const waits = this.#below.flatMap((level) =>
      waitsForAll || level.leavesOlder(key) ? (level.hurry(key) ?? []) : [],
    )
    if (waits.length === 0) return undefined
    return Promise.allSettled(waits).then(nothing)
  }

  async flush(): Promise<void> {
    for (const level of this.#levels) await level.flush()
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const level of this.#levels) level.stop()
    let failed = false
    let failure: unknown
    for (const { store } of this.#levels) {
      try {
        await store.close()
      } catch (error) {
        failure ??= error
        failed = true
      }
    }
    if (failed) throw failure
  }

  readonly #setAtOnce = (key: string, bytes: Uint8Array, metadata: Metadata): boolean => {
    const { store } = this.#first
    // The slower way is there for what this tier cannot take, and for when it is not its turn.
    if (bytes.length > store.maxItemBytes || this.#first.isBusy(key)) return false
    const set = (): boolean => {
      const done = store.set!(key, bytes, metadata)
      if (done) this.#first.stored(bytes.length)
      return done
    }
    return this.#change(0, key, set, this.#write) as boolean
  }

  /** Has `call` change the entry of `key` in tier `at`, and the other tiers follow: those below as `follow` says. */
  #change(at: number, key: string, call: () => Later<boolean>, follow: Follow): Later<boolean> {
    this.#changes.mark(key)
    const below = this.#levels.slice(at + 1)
    const changed = this.#telling(() => this.#levels[at]!.exclusive(key, call))
    if (!(changed instanceof Promise)) {
      const done = changed ? this.#followed(at, key, follow) : undefined
      return done === undefined ? changed : done.then(() => changed)
    }
    // From when the change is seen to when the tiers below have followed nobody may find there what was before.
    for (const level of below) level.hold(key)
    const letGo = (): void => {
      for (const level of below) level.letGo(key)
    }
    return changed.then(
      async (ok) => {
        this.#changes.mark(key)
        const done = ok ? this.#followed(at, key, follow) : undefined
        letGo()
        if (done !== undefined) await done
        return ok
      },
      (error) => {
        letGo()
        throw error
      },
    )
  }

  /** Tier `at` has what is new: those above lose what they have, those below get it. Resolves when those above have. */
  #followed(at: number, key: string, follow: Follow): Promise<unknown> | undefined {
    const waits: Promise<unknown>[] = []
    for (let i = at - 1; i >= 0; i -= 1) {
      const level = this.#levels[i]!
      try {
        const removed = level.giveWay(key)
        if (removed instanceof Promise) waits.push(removed)
      } catch {
        // Counted; the key is fenced there until it is removed.
      }
    }
    for (let i = at + 1; i < this.#levels.length; i += 1) {
      if (this.#options.writePolicy === 'first') this.#levels[i]!.forget(key)
      else follow(i, key, this.#sourceOf(at, key))
    }
    return waits.length === 0 ? undefined : Promise.allSettled(waits)
  }

  /** The value of `key` in tier `at`, held where that is possible at once. */
  #sourceOf(at: number, key: string): Source {
    const level = this.#levels[at]!
    const open = (): Later<StoredEntry | undefined> =>
      level.readable(key) ? level.ask(() => level.store.find(key, true)) : undefined
    if (level.answersLater) return { heldBytes: 0, open, drop: nothing }
    try {
      const entry = open()
      if (!(entry instanceof Promise)) {
        const heldBytes = entry?.metadata.size ?? 0
        return { heldBytes, open: () => entry, drop: () => entry?.release() }
      }
      level.answersLater = true
      entry.then((unused) => unused?.release(), nothing)
    } catch {
      // Counted by the level; it is tried again when it is needed.
    }
    return { heldBytes: 0, open, drop: nothing }
  }

  /** Does `step` to every tier, from the last to the first, whatever comes of it in others. @throws the first failure */
  #all<T, U>(step: (level: Level) => Later<T>, result: (answers: readonly T[]) => U): Later<U> {
    const answers: Later<T>[] = []
    let later = false
    for (let at = this.#levels.length - 1; at >= 0; at -= 1) {
      const level = this.#levels[at]!
      try {
        const answer = step(level)
        answers.push(answer)
        later ||= answer instanceof Promise
      } catch (error) {
        later = true
        answers.push(Promise.reject(error))
      }
    }
    if (!later) return result(answers as T[])
    return Promise.allSettled(answers).then((settled) => {
      const done: T[] = []
      for (const one of settled) {
        if (one.status === 'rejected') {
          this.#tell()
          throw one.reason
        }
        done.push(one.value)
      }
      return result(done)
    })
  }

  /** What `call` gives. Its failure is told to the caller, who counts it, too. */
  #telling<T>(call: () => Later<T>): Later<T> {
    try {
      const answer = call()
      if (!(answer instanceof Promise)) return answer
      return answer.catch((error) => {
        this.#tell()
        throw error
      })
    } catch (error) {
      this.#tell()
      throw error
    }
  }

  readonly #write: Follow = (at, key, source) => this.#levels[at]!.write(key, source)

  readonly #tell = (): void => {
    this.told += 1
  }
}

/** Has tier `at`, which is below, have what a tier above got for `key`. */
type Follow = (at: number, key: string, source: Source) => void

const nothing = (): undefined => undefined
