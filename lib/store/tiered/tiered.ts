import { ConfigError } from '../../errors.js'
import {
  type Draft,
  IN_HAND,
  type Later,
  type Metadata,
  type Store,
  type StoreContext,
  type StoredEntry,
  type StoreStats,
  type TierStats,
  type Tiers,
} from '../store.js'
import { BelowEntry } from './below-entry.js'
import { Changes } from './changes.js'
import { FirstHits } from './first-hits.js'
import type { Source } from './job.js'
import { Level, type Limits } from './level.js'
import { Promotion } from './promotion.js'
import { TierDraft } from './tier-draft.js'

/** When an entry that was found below is put into the tiers above. */
export type PromotionRule = 'always' | 'second-hit'

/** Which tiers get what is written. */
export type WritePolicy = 'through' | 'behind' | 'first'

/** How tiers act together. */
export interface TieredOptions extends Limits {
  readonly promotion: PromotionRule
  readonly writePolicy: WritePolicy
}

/** Readings that put a value above at a time: each holds a draft there. */
const MAX_PROMOTIONS = 64

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
  readonly set?: (key: string, bytes: Uint8Array, metadata: Metadata) => boolean
  told = 0
  readonly #levels: readonly Level[]
  readonly #first: Level
  readonly #below: readonly Level[]
  readonly #options: TieredOptions
  readonly #changes = new Changes()
  readonly #firstHits: FirstHits | undefined
  readonly #promoting = new Set<string>()
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
    this.#levels = stores.map((store) => new Level(store, options, now))
    this.#first = this.#levels[0]!
    this.#below = this.#levels.slice(1)
    this.#options = options
    this.#firstHits = options.promotion === 'second-hit' ? new FirstHits() : undefined
    this.outlives = stores.some((store) => store.outlives === true)
    this.name = this.#first.store.name
    if (this.#first.store.set !== undefined) this.set = this.#setAtOnce
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
    } catch (error) {
      // What failed is told; that others could not be closed after it is not.
      await Promise.allSettled(opened.map(async (store) => store.close()))
      throw error
    }
  }

  atHand(key: string): StoredEntry | undefined {
    const found = this.#findFirst(key, false)
    if (!(found instanceof Promise)) return found
    // Nothing of it is at hand. What it answers is given back.
    void found.then((entry) => entry?.release())
    return undefined
  }

  find(key: string, peek = false): Later<StoredEntry | undefined> {
    const moment = this.#changes.now
    const found = this.#findFirst(key, peek)
    if (found === undefined) return this.#findBelow(key, peek, 1, moment)
    if (!(found instanceof Promise)) return found
    return found.then((entry) => entry ?? this.#findBelow(key, peek, 1, moment))
  }

  draft(key: string, size: number | undefined, user?: unknown): Later<Draft | undefined> {
    return this.#draftFrom(0, key, size, user)
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
      (i, source) => {
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
    return this.#levels.map(({ store, failures, dropped, pending }) => ({
      name: store.name,
      failures,
      dropped,
      pending,
      ...store.stats(),
    }))
  }

  pressure(factor: number): void {
    for (const { store } of this.#levels) store.pressure?.(factor)
  }

  written(key: string): Promise<void> | undefined {
    if (this.#options.writePolicy !== 'through') return undefined
    const waits = this.#below.flatMap((level) => level.hurry(key) ?? [])
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

  #findFirst(key: string, peek: boolean): Later<StoredEntry | undefined> {
    const level = this.#first
    if (!level.readable(key)) return undefined
    try {
      const found = level.store.find(key, peek)
      return found instanceof Promise ? found.catch(level.missed) : found
    } catch {
      // Counted; the next tier is asked.
      level.failures += 1
      return undefined
    }
  }

  #findBelow(key: string, peek: boolean, from: number, moment: number): Later<StoredEntry | undefined> {
    for (let at = from; at < this.#levels.length; at += 1) {
      const level = this.#levels[at]!
      if (!level.readable(key)) {
        level.retry()
        continue
      }
      let found: Later<StoredEntry | undefined>
      try {
        found = level.store.find(key, peek)
      } catch {
        // Counted; the next tier is asked.
        level.failures += 1
        continue
      }
      if (found instanceof Promise) return this.#foundLater(found, at, key, peek, moment)
      level.succeeded()
      if (found !== undefined) return this.#foundBelow(found, at, key, peek, moment)
    }
    return undefined
  }

  async #foundLater(
    finding: Promise<StoredEntry | undefined>,
    at: number,
    key: string,
    peek: boolean,
    moment: number,
  ): Promise<StoredEntry | undefined> {
    const level = this.#levels[at]!
    let found: StoredEntry | undefined
    try {
      found = await finding
      level.succeeded()
    } catch {
      // Counted; the next tier is asked.
      level.failures += 1
    }
    if (found === undefined) return this.#findBelow(key, peek, at + 1, moment)
    if (level.readable(key)) return this.#foundBelow(found, at, key, peek, moment)
    // It was changed meanwhile: what there is now is above, if anywhere.
    found.release()
    return this.#findFirst(key, peek)
  }

  #foundBelow(inner: StoredEntry, at: number, key: string, peek: boolean, moment: number): StoredEntry {
    const level = this.#levels[at]!
    const promotion = peek ? undefined : this.#promotionOf(inner.metadata, at, key, moment)
    if (inner.metadata.size === 0) promotion?.offerEmpty()
    return new BelowEntry(inner, level, promotion, this.#tell)
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
        for (let i = to + 1; i < at; i += 1) this.#levels[i]!.write(key, this.#sourceOf(to, key))
      },
      onEnd: () => {
        if (large) this.#promoting.delete(key)
      },
    })
  }

  #draftFrom(
    from: number,
    key: string,
    size: number | undefined,
    user: unknown,
    before: Asked = NOBODY,
  ): Later<Draft | undefined> {
    let asked = before
    for (let at = from; at < this.#levels.length; at += 1) {
      const level = this.#levels[at]!
      const { store } = level
      if (level.blind || (size !== undefined && size > store.maxItemBytes)) continue
      const { refused, failed } = asked
      try {
        const draft = store.draft(key, size, user)
        if (draft instanceof Promise) {
          return draft.then(
            (begun) =>
              begun === undefined
                ? this.#draftFrom(at + 1, key, size, user, { refused: true, failed })
                : this.#drafted(begun, at, key, user),
            (error) => {
              level.failures += 1
              return this.#draftFrom(at + 1, key, size, user, { refused, failed: { error } })
            },
          )
        }
        if (draft !== undefined) return this.#drafted(draft, at, key, user)
        asked = { refused: true, failed }
      } catch (error) {
        // Counted; the next tier may do.
        level.failures += 1
        asked = { refused, failed: { error } }
      }
    }
    const { refused, failed } = asked
    if (refused || failed === undefined) {
      if (size !== undefined && size > this.maxItemBytes) this.#tooLarge += 1
      return undefined
    }
    this.#tell()
    throw failed.error
  }

  #drafted(draft: Draft, at: number, key: string, user: unknown): Draft {
    const level = this.#levels[at]!
    const write = (i: number, source: Source): void => this.#levels[i]!.write(key, source)
    return new TierDraft(draft, level.store.name, {
      // A value may still be on its way to a tier below when nobody waits for it any more.
      write: (inner, chunk) => !this.#closed && this.#telling(() => level.ask(() => inner.write(chunk))),
      commit: (inner, metadata) => this.#change(at, key, () => inner.commit(metadata), write),
      below: () => (this.#closed ? undefined : this.#draftFrom(at + 1, key, undefined, user)),
    })
  }

  readonly #setAtOnce = (key: string, bytes: Uint8Array, metadata: Metadata): boolean => {
    const { store } = this.#first
    // The slower way is there for what this tier cannot take, and for when it is not its turn.
    if (bytes.length > store.maxItemBytes || this.#first.isBusy(key)) return false
    const set = (): boolean => store.set!(key, bytes, metadata)
    return this.#change(0, key, set, (i, source) => this.#levels[i]!.write(key, source)) as boolean
  }

  /** Has `call` change the entry of `key` in tier `at`, and the other tiers follow: those below as `follow` says. */
  #change(
    at: number,
    key: string,
    call: () => Later<boolean>,
    follow: (below: number, source: Source) => void,
  ): Later<boolean> {
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
  #followed(
    at: number,
    key: string,
    follow: (below: number, source: Source) => void,
  ): Promise<unknown> | undefined {
    const waits: Promise<unknown>[] = []
    for (let i = at - 1; i >= 0; i -= 1) {
      const level = this.#levels[i]!
      try {
        const removed = level.remove(key)
        if (removed instanceof Promise) waits.push(removed)
      } catch {
        // Counted; the key is fenced there until it is removed.
      }
    }
    for (let i = at + 1; i < this.#levels.length; i += 1) {
      if (this.#options.writePolicy === 'first') this.#levels[i]!.forget(key)
      else follow(i, this.#sourceOf(at, key))
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

  readonly #tell = (): void => {
    this.told += 1
  }
}

/** What came of asking tiers for a draft. */
interface Asked {
  /** One had no room. */
  readonly refused: boolean
  readonly failed: { readonly error: unknown } | undefined
}

const NOBODY: Asked = { refused: false, failed: undefined }

const nothing = (): undefined => undefined
