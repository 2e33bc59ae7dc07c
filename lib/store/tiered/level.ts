import { ClosedError } from '../../errors.js'
import { Health, type HealthHost, type HealthRule } from '../health.js'
import type { Later, Metadata, Store, StoredEntry } from '../store.js'
import { DELETE, DISCARD, type Removal, removed, type Source } from './job.js'
import { Jobs, type Limits } from './jobs.js'

export type { Limits } from './jobs.js'

/** What is looked up to see whether a store works, where there is no key to look up. */
const ANY_KEY = 'trial'

/** How often it is tried at most to empty a tier that cannot be read. */
const RETRY_MS = 1000

/**
 * One tier among several: what it has of a key is read only while it is what the cache has.
 *
 * Invariants: a key whose entry in the tier is older than what the cache has, or than a delete, is in `#jobs`, not `valid`,
 * until the tier has the newer or has deleted the old (I5); so is one whose delete failed. Jobs of a key run one after the other,
 * and each for the newest that is wanted. When more keys were out of date than `fences` allows, or a clear is under way or failed,
 * the tier is `#blind`: nothing of it is read until a clear has succeeded. While its breaker is open the store is not called: what is to be
 * done is owed, as a delete that failed.
 */
export class Level {
  readonly store: Store
  readonly health: Health
  /** Lookups for an answer, that found an entry and that did not. */
  hits = 0
  misses = 0
  /** Values that were put into the store, with their bytes, and those of them that came from below. */
  stores = 0
  storedBytes = 0
  promotions = 0
  /** The store answers later: what is looked up before it is needed is not there. */
  answersLater = false
  /** How often it was emptied on its own account, though nobody cleared the cache. */
  emptied = 0
  readonly #now: () => number
  readonly #onState: (isDown: boolean) => void
  readonly #jobs: Jobs
  #blind = false
  /** It is blind, or its breaker is open. */
  #shut = false
  #blindSince = 0
  #wiping: Promise<void> | undefined
  #why: unknown
  #stopped = false

  constructor(store: Store, limits: Limits, now: () => number, health: Omit<HealthHost, 'name'>) {
    this.store = store
    this.#now = now
    this.#onState = (isDown) => health.onChange(isDown)
    this.health = new Health({
      name: store.name,
      breaker: health.breaker,
      operation: health.operation,
      clock: () => health.clock(),
      onChange: (isDown) => this.#onChange(isDown),
    })
    this.#jobs = new Jobs({
      store,
      limits,
      health: this.health,
      isBlind: () => this.#blind,
      isLost: () => this.#blind && this.#wiping === undefined && !this.#mayRetry(),
      wiped: () => this.#wiped(),
      onFull: () => {
        if (this.#blind) return
        if (this.health.down) this.#setBlind(true)
        else this.#empty().catch(counted)
      },
      succeeded: () => this.succeeded(),
      failed: this.failed,
      stored: (bytes) => this.stored(bytes),
    })
  }

  /** Another rule for when it is left alone. Limits that were given may have changed, too. */
  configure(rule: HealthRule): void {
    this.health.configure(rule)
    this.#jobs.resume()
  }

  /** Whether what the store has for `key` is what the cache has, and it may be asked for it. */
  readable(key: string): boolean {
    if (this.#jobs.size === 0) return !this.#shut
    return !this.#shut && this.#jobs.isValid(key)
  }

  /** Nothing of it may be read, of any key. */
  get blind(): boolean {
    return this.#shut
  }

  /** Whether something is under way or owed for `key`, or for all keys. */
  isBusy(key: string): boolean {
    return this.#shut || this.#jobs.has(key)
  }

  /** A lookup for an answer found `entry`, or nothing. */
  looked(entry: StoredEntry | undefined): void {
    if (entry === undefined) this.misses += 1
    else this.hits += 1
  }

  /** The store has a value more, of so many bytes. */
  stored(bytes: number): void {
    this.stores += 1
    this.storedBytes += bytes
  }

  /** Runs `call`. Never throws: what fails is counted. */
  attempt(call: () => void): void {
    try {
      call()
    } catch {
      this.health.count()
    }
  }

  /** Keys that are not up to date. */
  get pending(): number {
    return this.#jobs.size
  }

  /** Values that are to be written in the background, and bytes that are held for that. */
  get queued(): number {
    return this.#jobs.writes
  }

  get queuedBytes(): number {
    return this.#jobs.heldBytes
  }

  /** Values that were not written, because too much waited, or the store had no room, or failed. */
  get dropped(): number {
    return this.#jobs.dropped
  }

  /** What `call` gives; its failure is counted, and the caller's. */
  ask<T>(call: () => Later<T>): Later<T> {
    try {
      const answer = call()
      return answer instanceof Promise ? answer.catch(this.failed) : answer
    } catch (error) {
      return this.failed(error)
    }
  }

  /** As `ask`, of bytes that stay the caller's until the store has taken them, however long that takes. */
  written(call: () => Later<boolean>): Later<boolean> {
    try {
      const answer = call()
      return answer instanceof Promise ? this.health.watched(answer) : answer
    } catch (error) {
      return this.failed(error)
    }
  }

  readonly failed = (error: unknown): never => {
    this.health.count()
    throw error
  }

  /** The store answered: what it owes may be tried again. */
  succeeded(): void {
    this.health.succeeded()
    if (!this.health.down && !this.#stopped) this.#jobs.unpark()
  }

  /** The store could not be read: it may be time to try whether it works, by `key`, or to empty it. */
  retry(key: string): void {
    if (this.#stopped) return
    if (this.health.down) {
      this.health.skipped += 1
      void this.#trial(key)
    } else if (this.#blind && this.#wiping === undefined && this.#mayRetry()) this.#empty().catch(counted)
  }

  /**
   * Runs `call`, which commits a value to the store, when nothing else is under way for the key, in place of what was wanted. What
   * the store has until then can be read. A call that throws may have done it or not: then the entry goes.
   */
  exclusive(key: string, call: () => Later<boolean>): Later<boolean> {
    if (this.#stopped) return false
    if (this.health.down) throw this.health.refused()
    if (!this.#jobs.has(key) && !this.#blind) {
      let result: Later<boolean>
      try {
        result = call()
      } catch (error) {
        this.#jobs.set(key, DISCARD)
        return this.failed(error)
      }
      if (!(result instanceof Promise)) return result
      return this.#orDelete([key], this.#jobs.follow(key, result, true))
    }
    const done = new Promise<boolean>((resolve, reject) => {
      const giveUp = (): void => resolve(false)
      if (this.#jobs.set(key, { kind: 'call', call, giveUp, resolve, reject }))
        void this.hurry(key)?.catch(told)
    })
    return this.#orDelete([key], done)
  }

  /** As `exclusive`, of a call that commits all of `keys` or none of them. */
  exclusiveAll(keys: readonly string[], call: () => Later<boolean>): Later<boolean> {
    if (this.#stopped) return false
    if (this.health.down) throw this.health.refused()
    if (this.#blind || keys.some((key) => this.#jobs.has(key))) return this.#changeAll(keys, call)
    let result: Later<boolean>
    try {
      result = call()
    } catch (error) {
      for (const key of keys) this.#jobs.set(key, DISCARD)
      return this.failed(error)
    }
    if (!(result instanceof Promise)) return result
    return this.#changeAll(keys, () => result)
  }

  #changeAll(keys: readonly string[], call: () => Later<boolean>): Promise<boolean> {
    const done = this.#jobs.change(keys, true, call).then((ok) => {
      this.health.succeeded()
      return ok
    }, this.failed)
    return this.#orDelete(keys, done)
  }

  /** As `write`, of keys that the store is to have as one, where it can; the order of the sources is theirs. */
  writeAll(keys: readonly string[], sources: readonly Source[]): void {
    if (this.store.setAll !== undefined) return this.#jobs.writeAll(keys, sources)
    for (const [at, key] of keys.entries()) this.write(key, sources[at]!)
  }

  /** `done`, in time: whoever is told that it was not must not find the value later. */
  #orDelete(keys: readonly string[], done: Promise<boolean>): Promise<boolean> {
    let inTime = false
    const settled = done.finally(() => {
      inTime = true
    })
    return this.#inTime(settled).catch((error) => {
      if (!inTime) for (const key of keys) this.#jobs.set(key, DISCARD)
      throw error
    })
  }

  /** What is counted by who made it, unless it takes too long. */
  #inTime<T>(coming: Promise<T>): Promise<T> {
    return this.health.wait(coming)
  }

  /** The store is to have what `source` gives, some time soon. Where too much waits it loses what it has instead. */
  write(key: string, source: Source): void {
    this.#jobs.write(key, source)
  }

  /** As `Jobs.hold`, `letGo` and `hurry`. */
  hold(key: string): void {
    this.#jobs.hold(key)
  }

  letGo(key: string): void {
    this.#jobs.letGo(key)
  }

  /** Whether, after a restart, something of `key` could be found in the store that is older than what the cache has. */
  leavesOlder(key: string): boolean {
    return this.store.outlives === true && this.#jobs.leavesOlder(key)
  }

  hurry(key: string): Promise<boolean> | undefined {
    return this.#jobs.hurry(key)
  }

  /** The entry is to have `metadata`; where it is not up to date, it is to be what `source` gives. */
  revise(key: string, metadata: Metadata, source: Source): void {
    if (this.#jobs.has(key)) return this.write(key, source)
    source.drop()
    this.#jobs.set(key, { kind: 'revise', metadata })
  }

  /** The store is to have nothing, because a tier above has what is newer. */
  forget(key: string): void {
    this.#jobs.set(key, DISCARD)
  }

  /** The store is to have nothing, because a tier below has what is newer. As `remove`. */
  giveWay(key: string): Later<boolean> {
    return this.#remove(key, DISCARD)
  }

  /** Removes the entry; says whether there was one that could be read. A store that fails keeps the key fenced. */
  remove(key: string): Later<boolean> {
    return this.#remove(key, DELETE)
  }

  #remove(key: string, want: Removal): Later<boolean> {
    if (this.#stopped) return false
    if (this.health.down) {
      this.#jobs.set(key, want)
      void this.#trial(key)
      throw this.health.refused()
    }
    if (this.#jobs.has(key) || this.#blind) {
      const counts = this.readable(key)
      if (!this.#jobs.set(key, want)) return this.#inTime(this.#wiped()).then(none)
      const done = this.hurry(key)
      return done === undefined ? false : done.then((was) => counts && was)
    }
    let result: Later<boolean>
    try {
      result = removed(this.store, key, want)
    } catch (error) {
      this.#jobs.failedToDelete(key, error)
      return this.failed(error)
    }
    if (!(result instanceof Promise)) return result
    return this.#inTime(this.#jobs.follow(key, result, false))
  }

  /** Removes all entries. Nothing is read from now on until that has succeeded. */
  clear(): Later<void> {
    if (this.#stopped) return
    if (this.health.down) {
      // Emptied before it is read again.
      this.#setBlind(true)
      this.#why = this.health.refused()
      void this.#trial(ANY_KEY)
      throw this.#why
    }
    if (this.#jobs.size > 0 || this.#wiping !== undefined) return this.#inTime(this.#wipe())
    let result: Later<void>
    try {
      result = this.store.clear()
    } catch (error) {
      this.#setBlind(true)
      this.#why = error
      return this.failed(error)
    }
    if (result instanceof Promise) return this.#inTime(this.#wipe(result))
    this.#setBlind(false)
  }

  /** Tries once more what failed, and resolves when nothing is under way. */
  async flush(): Promise<void> {
    if (this.health.down) await this.#trial(ANY_KEY)
    if (this.health.down) return
    this.#jobs.unpark()
    if (this.#blind) await (this.#wiping ?? this.#empty()).catch(counted)
    await this.#jobs.quiet()
  }

  /** Begins nothing more, and calls the store no more. */
  stop(): void {
    this.#stopped = true
    const closed = new ClosedError('the cache was closed')
    this.health.stop(closed)
    this.#jobs.stop(closed)
  }

  #setBlind(blind: boolean): void {
    this.#blind = blind
    this.#shut = blind || this.health.down
  }

  readonly #onChange = (isDown: boolean): void => {
    this.#setBlind(this.#blind)
    if (isDown) this.#jobs.oweAll()
    else if (!this.#stopped) {
      this.#jobs.unpark()
      if (this.#blind && this.#wiping === undefined) this.#empty().catch(counted)
    }
    this.#onState(isDown)
  }

  /** Asks the store for `key`, or for any, to see whether it works. Never rejects. */
  #trial(key: string): Promise<void> | undefined {
    return this.health.trial(this.store, key, this.#letGo)
  }

  readonly #letGo = (entry: StoredEntry | undefined): void => this.attempt(() => entry?.release())

  #mayRetry(): boolean {
    return !this.health.down && this.#now() - this.#blindSince >= RETRY_MS
  }

  /** Resolves when the tier is empty and can be read again; rejects when it could not be emptied. */
  #wiped(): Promise<void> {
    if (!this.#blind) return Promise.resolve()
    if (this.#wiping !== undefined) return this.#wiping
    return this.#mayRetry() ? this.#empty() : Promise.reject(this.#why)
  }

  #empty(): Promise<void> {
    this.emptied += 1
    return this.#wipe()
  }

  #wipe(begun?: Promise<void>): Promise<void> {
    this.#setBlind(true)
    this.#jobs.forgetAll()
    const clear = async (): Promise<void> => {
      const underWay = this.#jobs.underWay()
      await this.store.clear()
      if (underWay === undefined) return
      // That may have been committed after the clear: nobody is told that all is gone before it is (I5).
      await underWay
      await this.store.clear()
    }
    // One after the other; whether the one before succeeded is told to who asked for it.
    const wiping: Promise<void> = (begun ?? this.#wiping?.then(clear, clear) ?? clear()).then(
      () => {
        if (this.#wiping !== wiping) return
        this.#wiping = undefined
        this.#setBlind(false)
        this.#jobs.settleIdle(undefined)
        this.succeeded()
      },
      (error) => {
        if (this.#wiping === wiping) {
          this.#wiping = undefined
          this.#blindSince = this.#now()
          this.#why = error
          this.#jobs.settleIdle(error)
        }
        return this.failed(error)
      },
    )
    this.#wiping = wiping
    return wiping
  }
}

const none = (): false => false

// Who made the call was told.
const told = (): undefined => undefined

// Counted by the level; the tier is not read until it succeeds.
const counted = (): undefined => undefined
