import { ClosedError } from '../../errors.js'
import type { Later, Metadata, Store, StoredEntry } from '../store.js'
import { copyEntry } from './copying.js'
import { Health, type HealthHost } from './health.js'
import { both, DELETE, giveUp, type Job, newJob, type Source, type Want } from './job.js'

/** What a tier may have waiting for it. */
export interface Limits {
  /** Values written in the background at a time. */
  readonly concurrency: number
  /** Values that may wait to be written. */
  readonly queue: number
  /** Bytes of values that are held for that. */
  readonly queueBytes: number
  /** Keys whose entry may be out of date before the tier is emptied. */
  readonly fences: number
}

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
  /** The store answers later: what is looked up before it is needed is not there. */
  answersLater = false
  /** Values that were not written, because too much waited, or the store had no room, or failed. */
  dropped = 0
  readonly #limits: Limits
  readonly #now: () => number
  readonly #onState: (isDown: boolean) => void
  readonly #jobs = new Map<string, Job>()
  readonly #queue = new Set<Job>()
  readonly #parked = new Set<Job>()
  #heldBytes = 0
  #writes = 0
  #slots = 0
  #blind = false
  /** It is blind, or its breaker is open. */
  #shut = false
  #blindSince = 0
  #wiping: Promise<void> | undefined
  #why: unknown
  #stopped = false

  constructor(store: Store, limits: Limits, now: () => number, health: Omit<HealthHost, 'name'>) {
    this.store = store
    this.#limits = limits
    this.#now = now
    this.#onState = (isDown) => health.onChange(isDown)
    this.health = new Health({
      name: store.name,
      breaker: health.breaker,
      operation: health.operation,
      clock: () => health.clock(),
      onChange: (isDown) => this.#onChange(isDown),
    })
  }

  /** Whether what the store has for `key` is what the cache has, and it may be asked for it. */
  readable(key: string): boolean {
    if (this.#jobs.size === 0) return !this.#shut
    const job = this.#jobs.get(key)
    return !this.#shut && (job === undefined || (job.valid && job.holds === 0))
  }

  /** Nothing of it may be read, of any key. */
  get blind(): boolean {
    return this.#shut
  }

  /** Whether something is under way or owed for `key`, or for all keys. */
  isBusy(key: string): boolean {
    return this.#shut || this.#jobs.has(key)
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
    if (!this.health.down) this.#unpark()
  }

  #unpark(): void {
    if (this.#parked.size === 0 || this.#stopped) return
    for (const job of this.#parked) {
      job.parked = false
      // One that is about to stop goes on instead: two of a key may not run.
      if (!job.running) this.#queue.add(job)
    }
    this.#parked.clear()
    this.#pump()
  }

  /** The store could not be read: it may be time to try whether it works, by `key`, or to empty it. */
  retry(key: string): void {
    if (this.#stopped) return
    if (this.health.down) {
      this.health.skipped += 1
      void this.#trial(key)
    } else if (this.#blind && this.#wiping === undefined && this.#mayRetry()) this.#wipe().catch(counted)
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
        this.#set(key, DELETE)
        return this.failed(error)
      }
      if (!(result instanceof Promise)) return result
      const job = this.#make(key, true)
      return this.#orDelete(key, this.#follow(job, result))
    }
    const done = new Promise<boolean>((resolve, reject) => {
      const giveUp = (): void => resolve(false)
      if (this.#set(key, { kind: 'call', call, giveUp, resolve, reject })) void this.hurry(key)?.catch(told)
    })
    return this.#orDelete(key, done)
  }

  /** `done`, in time: whoever is told that it was not must not find the value later. */
  #orDelete(key: string, done: Promise<boolean>): Promise<boolean> {
    let inTime = false
    const settled = done.finally(() => {
      inTime = true
    })
    return this.#inTime(settled).catch((error) => {
      if (!inTime) this.#set(key, DELETE)
      throw error
    })
  }

  /** What is counted by who made it, unless it takes too long. */
  #inTime<T>(coming: Promise<T>): Promise<T> {
    return this.health.wait(coming)
  }

  /** The store is to have what `source` gives, some time soon. Where too much waits it loses what it has instead. */
  write(key: string, source: Source): void {
    const { queue, queueBytes } = this.#limits
    if (this.#writes >= queue || this.#heldBytes + source.heldBytes > queueBytes) {
      this.dropped += 1
      source.drop()
      this.#set(key, DELETE)
      return
    }
    if (!this.#set(key, { kind: 'write', source })) this.dropped += 1
  }

  /** The entry is to have `metadata`; where it is not up to date, it is to be what `source` gives. */
  revise(key: string, metadata: Metadata, source: Source): void {
    if (this.#jobs.has(key)) return this.write(key, source)
    source.drop()
    this.#set(key, { kind: 'revise', metadata })
  }

  /** The store is to have nothing. */
  forget(key: string): void {
    this.#set(key, DELETE)
  }

  /** Removes the entry; says whether there was one that could be read. A store that fails keeps the key fenced. */
  remove(key: string): Later<boolean> {
    if (this.#stopped) return false
    if (this.health.down) {
      this.#set(key, DELETE)
      void this.#trial(key)
      throw this.health.refused()
    }
    if (this.#jobs.has(key) || this.#blind) {
      const counts = this.readable(key)
      if (!this.#set(key, DELETE)) return this.#inTime(this.#wiped()).then(none)
      const done = this.hurry(key)
      return done === undefined ? false : done.then((was) => counts && was)
    }
    let result: Later<boolean>
    try {
      result = this.store.delete(key)
    } catch (error) {
      this.#park(this.#make(key, false), error)
      return this.failed(error)
    }
    if (!(result instanceof Promise)) return result
    return this.#inTime(this.#follow(this.#make(key, false), result))
  }

  /** A tier above changes: what this one has for `key` is not read until `letGo`. */
  hold(key: string): void {
    const job = this.#jobs.get(key) ?? this.#make(key, true)
    job.holds += 1
  }

  /** The change is over, and what came of it was asked for. */
  letGo(key: string): void {
    const job = this.#jobs.get(key)
    if (job === undefined || job.holds === 0) return
    job.holds -= 1
    if (job.want === undefined && !job.running) this.#finish(job)
  }

  /** Begins with `key` at once, if there is something that can be done, and resolves when it is. */
  hurry(key: string): Promise<boolean> | undefined {
    const job = this.#jobs.get(key)
    // What is parked waits for the store, and nobody for it.
    if (job === undefined || job.parked) return undefined
    const done = this.#until(job)
    if (this.#queue.delete(job)) void this.#run(job)
    return this.#inTime(done)
  }

  /** Removes all entries. Nothing is read from now on until that has succeeded. */
  clear(): Later<void> {
    if (this.#stopped) return
    if (this.health.down) {
      // Emptied before it is read again.
      this.#setBlind(true)
      this.#why = this.health.refused()
      void this.#trial('')
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
    if (this.health.down) await this.#trial('')
    if (this.health.down) return
    this.#unpark()
    if (this.#blind) await (this.#wiping ?? this.#wipe()).catch(counted)
    for (;;) {
      const under = [...this.#jobs.values()].filter((job) => job.running || this.#queue.has(job))
      if (under.length === 0) return
      await Promise.allSettled(under.map((job) => this.#until(job)))
    }
  }

  /** Begins nothing more, and calls the store no more. */
  stop(): void {
    this.#stopped = true
    this.health.stop(new ClosedError('the cache was closed'))
    this.#queue.clear()
    this.#parked.clear()
    for (const job of this.#jobs.values()) {
      job.version += 1
      this.#replace(job, undefined)
      if (!job.running) this.#lose(job, new ClosedError('the cache was closed'))
    }
  }

  #setBlind(blind: boolean): void {
    this.#blind = blind
    this.#shut = blind || this.health.down
  }

  readonly #onChange = (isDown: boolean): void => {
    this.#setBlind(this.#blind)
    if (isDown) {
      for (const job of [...this.#queue]) {
        this.#queue.delete(job)
        this.#owe(job)
      }
    } else {
      this.#unpark()
      if (this.#blind && this.#wiping === undefined && !this.#stopped) this.#wipe().catch(counted)
    }
    this.#onState(isDown)
  }

  /** Asks the store for `key`, or for any, to see whether it works. Never rejects. */
  #trial(key: string): Promise<void> | undefined {
    return this.health.trial(() => {
      const found = this.store.find(key, true)
      const letGo = (entry: StoredEntry | undefined): void => this.attempt(() => entry?.release())
      return found instanceof Promise ? found.then(letGo) : letGo(found)
    })
  }

  /** What is wanted cannot be done now: what the store has of the key is to go as soon as it can be called. */
  #owe(job: Job): void {
    const { want } = job
    if (want?.kind === 'write') this.dropped += 1
    if (want?.kind === 'call') {
      this.#take(job)
      want.reject(this.health.refusal())
    }
    job.valid = false
    this.#park(job, this.health.refusal())
  }

  #make(key: string, valid: boolean): Job {
    const job = newJob(key, valid)
    this.#jobs.set(key, job)
    return job
  }

  /** `want` is to be done for `key`, in place of what was. Says whether it is going to be. */
  #set(key: string, want: Want): boolean {
    let job = this.#jobs.get(key)
    const full = job === undefined && this.#jobs.size >= this.#limits.fences
    if (this.#stopped || full || (this.#blind && this.#wiping === undefined && !this.#mayRetry())) {
      giveUp(want)
      if (full && !this.#stopped && !this.#blind) {
        if (this.health.down) this.#setBlind(true)
        else this.#wipe().catch(counted)
      }
      return false
    }
    job ??= this.#make(key, want.kind === 'call')
    if (want.kind !== 'call') job.valid = false
    job.version += 1
    const before = job.want
    if (before?.kind === 'call' && want.kind === 'call') job.want = both(before, want)
    else this.#replace(job, want)
    if (job.parked) {
      job.parked = false
      this.#parked.delete(job)
    }
    if (!job.running && this.health.down) this.#owe(job)
    else if (!job.running) {
      this.#queue.add(job)
      this.#pump()
    }
    return true
  }

  #replace(job: Job, want: Want | undefined): void {
    giveUp(job.want)
    this.#count(job.want, -1)
    job.want = want
    this.#count(want, 1)
  }

  #take(job: Job): Want | undefined {
    const { want } = job
    this.#count(want, -1)
    job.want = undefined
    return want
  }

  #count(want: Want | undefined, sign: 1 | -1): void {
    if (want?.kind !== 'write') return
    this.#writes += sign
    this.#heldBytes += sign * want.source.heldBytes
  }

  #pump(): void {
    for (const job of this.#queue) {
      if (this.#slots >= this.#limits.concurrency) return
      this.#queue.delete(job)
      this.#slots += 1
      void this.#run(job).then(() => {
        this.#slots -= 1
        this.#pump()
      })
    }
  }

  /** Does what is wanted of `job`, and what is wanted meanwhile. Never rejects. */
  async #run(job: Job): Promise<void> {
    job.running = true
    while (!this.#stopped && !job.parked && job.want !== undefined) {
      if (this.health.down) {
        this.#owe(job)
        break
      }
      if (this.#blind) {
        try {
          await this.#wiped()
        } catch (error) {
          // Nothing of the tier is read: the job is not needed any more.
          return this.#lose(job, error)
        }
        continue
      }
      await this.#perform(job, this.#take(job)!)
    }
    job.running = false
    if (!job.parked) this.#finish(job)
  }

  async #perform(job: Job, want: Want): Promise<void> {
    const { key, version } = job
    const { store } = this
    const isNewest = (): boolean => job.version === version && !this.#stopped
    /** What the store has is not known to be right: it goes, unless something newer is wanted anyway. */
    const drop = (): void => {
      if (!isNewest()) return
      job.valid = false
      this.#replace(job, DELETE)
    }
    try {
      switch (want.kind) {
        case 'delete':
          job.was = await store.delete(key)
          if (isNewest()) job.valid = true
          break
        case 'write':
          if (await this.#write(key, want.source, isNewest)) job.valid = isNewest()
          else {
            if (isNewest()) this.dropped += 1
            drop()
          }
          break
        case 'revise':
          if (await this.#revise(key, want.metadata)) job.valid = isNewest()
          else drop()
          break
        case 'call': {
          const wasValid = job.valid
          const done = await want.call()
          if (done) job.valid = isNewest()
          else if (!wasValid) drop()
          want.resolve(done)
        }
      }
      this.succeeded()
    } catch (error) {
      this.health.count()
      if (want.kind === 'call') want.reject(error)
      if (want.kind === 'write' && isNewest()) this.dropped += 1
      if (want.kind === 'delete' && isNewest()) this.#park(job, error)
      else drop()
    }
  }

  async #write(key: string, source: Source, wanted: () => boolean): Promise<boolean> {
    const entry = await source.open()
    if (entry === undefined) return false
    try {
      return await copyEntry(entry, key, this.store, wanted)
    } finally {
      entry.release()
    }
  }

  async #revise(key: string, metadata: Metadata): Promise<boolean> {
    const entry = await this.store.find(key, true)
    if (entry === undefined) return true
    try {
      return !this.#stopped && (await this.store.revise(key, entry, metadata))
    } finally {
      entry.release()
    }
  }

  /** `result` is what the store was asked for `job` already. */
  #follow(job: Job, result: Promise<boolean>): Promise<boolean> {
    job.running = true
    const { valid, version } = job
    return result.then(
      (done) => {
        // Of a delete: there is nothing that could be wrong.
        if (job.version === version) job.valid = true
        this.succeeded()
        void this.#run(job)
        return done
      },
      (error) => {
        if (job.version === version && !this.#stopped) {
          job.valid = false
          if (valid) this.#replace(job, DELETE)
          else this.#park(job, error)
        }
        void this.#run(job)
        return this.failed(error)
      },
    )
  }

  #park(job: Job, error: unknown): void {
    this.#replace(job, DELETE)
    job.parked = true
    this.#parked.add(job)
    for (const waiter of job.waiters.splice(0)) waiter.reject(error)
  }

  #finish(job: Job): void {
    if (job.holds === 0 && this.#jobs.get(job.key) === job) this.#jobs.delete(job.key)
    for (const waiter of job.waiters.splice(0)) waiter.resolve(job.was)
  }

  #lose(job: Job, error: unknown): void {
    job.running = false
    this.#replace(job, undefined)
    if (job.holds === 0 && this.#jobs.get(job.key) === job) this.#jobs.delete(job.key)
    for (const waiter of job.waiters.splice(0)) waiter.reject(error)
  }

  #until(job: Job): Promise<boolean> {
    return new Promise((resolve, reject) => job.waiters.push({ resolve, reject }))
  }

  #mayRetry(): boolean {
    return !this.health.down && this.#now() - this.#blindSince >= RETRY_MS
  }

  /** Resolves when the tier is empty and can be read again; rejects when it could not be emptied. */
  #wiped(): Promise<void> {
    if (!this.#blind) return Promise.resolve()
    if (this.#wiping !== undefined) return this.#wiping
    return this.#mayRetry() ? this.#wipe() : Promise.reject(this.#why)
  }

  #wipe(begun?: Promise<void>): Promise<void> {
    this.#setBlind(true)
    this.#queue.clear()
    this.#parked.clear()
    for (const job of this.#jobs.values()) {
      job.version += 1
      job.valid = false
      job.parked = false
      // One that runs may commit after the clear yet: then that goes, too.
      this.#replace(job, job.running ? DELETE : undefined)
    }
    const clear = async (): Promise<void> => this.store.clear()
    // One after the other; whether the one before succeeded is told to who asked for it.
    const wiping: Promise<void> = (begun ?? this.#wiping?.then(clear, clear) ?? clear()).then(
      () => {
        if (this.#wiping !== wiping) return
        this.#wiping = undefined
        this.#setBlind(false)
        this.#settleIdle(undefined)
        this.succeeded()
      },
      (error) => {
        if (this.#wiping === wiping) {
          this.#wiping = undefined
          this.#blindSince = this.#now()
          this.#why = error
          this.#settleIdle(error)
        }
        return this.failed(error)
      },
    )
    this.#wiping = wiping
    return wiping
  }

  /** Of jobs that a clear made needless. */
  #settleIdle(error: unknown): void {
    for (const job of [...this.#jobs.values()]) {
      if (job.running || job.want !== undefined) continue
      if (error === undefined) this.#finish(job)
      else this.#lose(job, error)
    }
  }
}

const none = (): false => false

// Who made the call was told.
const told = (): undefined => undefined

// Counted by the level; the tier is not read until it succeeds.
const counted = (): undefined => undefined
