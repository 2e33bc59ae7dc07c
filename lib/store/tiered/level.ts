import { ClosedError } from '../../errors.js'
import type { Later, Metadata, Store } from '../store.js'
import { copyEntry } from './copying.js'
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
 * the tier is `#blind`: nothing of it is read until a clear has succeeded.
 */
export class Level {
  readonly store: Store
  /** Calls of the store that failed. */
  failures = 0
  /** The store answers later: what is looked up before it is needed is not there. */
  answersLater = false
  /** Values that were not written, because too much waited, or the store had no room, or failed. */
  dropped = 0
  readonly #limits: Limits
  readonly #now: () => number
  readonly #jobs = new Map<string, Job>()
  readonly #queue = new Set<Job>()
  readonly #parked = new Set<Job>()
  #heldBytes = 0
  #writes = 0
  #slots = 0
  #blind = false
  #blindSince = 0
  #wiping: Promise<void> | undefined
  #why: unknown
  #stopped = false

  constructor(store: Store, limits: Limits, now: () => number) {
    this.store = store
    this.#limits = limits
    this.#now = now
  }

  /** Whether what the store has for `key` is what the cache has. */
  readable(key: string): boolean {
    if (this.#jobs.size === 0) return !this.#blind
    const job = this.#jobs.get(key)
    return !this.#blind && (job === undefined || (job.valid && job.holds === 0))
  }

  /** Nothing of it may be read, of any key. */
  get blind(): boolean {
    return this.#blind
  }

  /** Whether something is under way or owed for `key`, or for all keys. */
  isBusy(key: string): boolean {
    return this.#blind || this.#jobs.has(key)
  }

  /** Runs `call`. Never throws: what fails is counted. */
  attempt(call: () => void): void {
    try {
      call()
    } catch {
      this.failures += 1
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

  /** A lookup failed: that is a miss, and counted. */
  readonly missed = (): undefined => {
    this.failures += 1
    return undefined
  }

  readonly failed = (error: unknown): never => {
    this.failures += 1
    throw error
  }

  /** The store answered: what it owes may be tried again. */
  succeeded(): void {
    if (this.#parked.size === 0 || this.#stopped) return
    for (const job of this.#parked) {
      job.parked = false
      // One that is about to stop goes on instead: two of a key may not run.
      if (!job.running) this.#queue.add(job)
    }
    this.#parked.clear()
    this.#pump()
  }

  /** The store could not be read: emptying it may be tried again. */
  retry(): void {
    if (this.#blind && this.#wiping === undefined && this.#mayRetry()) this.#wipe().catch(counted)
  }

  /**
   * Runs `call`, which commits a value to the store, when nothing else is under way for the key, in place of what was wanted. What
   * the store has until then can be read. A call that throws may have done it or not: then the entry goes.
   */
  exclusive(key: string, call: () => Later<boolean>): Later<boolean> {
    if (this.#stopped) return false
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
      return this.#follow(job, result)
    }
    return new Promise((resolve, reject) => {
      const giveUp = (): void => resolve(false)
      if (this.#set(key, { kind: 'call', call, giveUp, resolve, reject })) void this.hurry(key)?.catch(told)
    })
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
    if (this.#jobs.has(key) || this.#blind) {
      const counts = this.readable(key)
      if (!this.#set(key, DELETE)) return this.#wiped().then(none)
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
    return result instanceof Promise ? this.#follow(this.#make(key, false), result) : result
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
    return done
  }

  /** Removes all entries. Nothing is read from now on until that has succeeded. */
  clear(): Later<void> {
    if (this.#stopped) return
    if (this.#jobs.size > 0 || this.#wiping !== undefined) return this.#wipe()
    let result: Later<void>
    try {
      result = this.store.clear()
    } catch (error) {
      this.#blind = true
      this.#why = error
      return this.failed(error)
    }
    if (result instanceof Promise) return this.#wipe(result)
    this.#blind = false
  }

  /** Tries once more what failed, and resolves when nothing is under way. */
  async flush(): Promise<void> {
    this.succeeded()
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
    this.#queue.clear()
    this.#parked.clear()
    for (const job of this.#jobs.values()) {
      job.version += 1
      this.#replace(job, undefined)
      if (!job.running) this.#lose(job, new ClosedError('the cache was closed'))
    }
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
      if (full && !this.#stopped && !this.#blind) this.#wipe().catch(counted)
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
    if (!job.running) {
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
      this.failures += 1
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
    return this.#now() - this.#blindSince >= RETRY_MS
  }

  /** Resolves when the tier is empty and can be read again; rejects when it could not be emptied. */
  #wiped(): Promise<void> {
    if (!this.#blind) return Promise.resolve()
    if (this.#wiping !== undefined) return this.#wiping
    return this.#mayRetry() ? this.#wipe() : Promise.reject(this.#why)
  }

  #wipe(begun?: Promise<void>): Promise<void> {
    this.#blind = true
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
        this.#blind = false
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
