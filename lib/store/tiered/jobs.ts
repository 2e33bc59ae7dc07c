import type { Health } from '../health.js'
import type { Later, Metadata, Store } from '../store.js'
import { copyEntry, setSources } from './copying.js'
import {
  both,
  DISCARD,
  giveUp,
  type Job,
  newJob,
  removed,
  type Shared,
  type Source,
  type Want,
} from './job.js'
import { Together } from './together.js'

/** Whose turns background writes take where other caches take them, too. */
export interface Lane {
  /** Resolves when it is its turn, to what ends that; rejects when there are no more. */
  enter(): Promise<() => void>
}

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
  /** Without it turns are the tier's own. */
  readonly lane?: Lane | undefined
}

/** The tier whose jobs they are. */
export interface JobsHost {
  readonly store: Store
  readonly limits: Limits
  readonly health: Health
  /** Nothing of it is read until it was emptied. */
  isBlind(): boolean
  /** It is blind, and is not going to be emptied just now: there is nothing to be done of any key. */
  isLost(): boolean
  /** Resolves when it is not blind any more; rejects when it could not be emptied. */
  wiped(): Promise<void>
  /** More keys are out of date than may be. */
  onFull(): void
  /** A call succeeded, or failed: that is counted, and thrown. */
  succeeded(): void
  failed(error: unknown): never
  /** A value of so many bytes is in the store. */
  stored(bytes: number): void
}

/**
 * What a tier is behind with: a job for each key that is out of date there, or being changed.
 *
 * Invariants: jobs of a key run one after the other, and each for the newest that is wanted: one that was begun for something older commits
 * nothing. `#queue` has those that wait for their turn, `#parked` those that wait for a call of the store to succeed; a job is in one of them
 * at most, and in neither while it runs. `#writes` and `#heldBytes` are those of what is wanted.
 */
export class Jobs {
  /** Values that were not written, because too much waited, or the store had no room, or failed. */
  dropped = 0
  readonly #host: JobsHost
  readonly #jobs = new Map<string, Job>()
  readonly #queue = new Set<Job>()
  readonly #parked = new Set<Job>()
  /** Calls of the store that were begun and are not over. */
  readonly #calls = new Set<Promise<unknown>>()
  #heldBytes = 0
  #writes = 0
  #slots = 0
  /** Of the slots, those whose turn has not come. */
  #asked = 0
  #stopped = false

  constructor(host: JobsHost) {
    this.#host = host
  }

  get size(): number {
    return this.#jobs.size
  }

  /** Values that are to be written, and bytes that are held for that. */
  get writes(): number {
    return this.#writes
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  has(key: string): boolean {
    return this.#jobs.has(key)
  }

  /** What the store has for `key` is what the cache has. */
  isValid(key: string): boolean {
    const job = this.#jobs.get(key)
    return job === undefined || (job.valid && job.holds === 0)
  }

  /** The store is to have what `source` gives, some time soon. Where too much waits it loses what it has instead. */
  write(key: string, source: Source): void {
    const { queue, queueBytes } = this.#host.limits
    if (this.#writes >= queue || this.#heldBytes + source.heldBytes > queueBytes) {
      this.dropped += 1
      source.drop()
      this.set(key, DISCARD)
      return
    }
    if (!this.set(key, { kind: 'write', source })) this.dropped += 1
  }

  /** `want` is to be done for `key`, in place of what was. Says whether it is going to be. */
  set(key: string, want: Want): boolean {
    const { limits, health } = this.#host
    let job = this.#jobs.get(key)
    const full = job === undefined && this.#jobs.size >= limits.fences
    if (this.#stopped || full || this.#host.isLost()) {
      giveUp(want)
      if (full && !this.#stopped) this.#host.onFull()
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
    if (!job.running && health.down) this.#owe(job)
    else if (!job.running) {
      this.#queue.add(job)
      this.#pump()
    }
    return true
  }

  /**
   * `call` is to change the entries of all `keys` as one, after what is under way for them and in place of what waits. Where it fails, or is not
   * made, the store loses what it has for them, but where `keeps` and it said false: then what the store has stays what it is, and may be
   * read until then. Resolves to whether it was made, and rejects with its failure.
   */
  change(keys: readonly string[], keeps: boolean, call: () => Later<boolean>): Promise<boolean> {
    if (!this.#takes(keys)) {
      for (const key of keys) this.set(key, DISCARD)
      return Promise.resolve(false)
    }
    const together = new Together(keys.length, keeps, call)
    for (const key of keys) {
      const job = this.#jobs.get(key) ?? this.#make(key, keeps)
      if (!keeps || job.want !== undefined) job.valid = false
      job.version += 1
      this.#replace(job, undefined)
      job.together.push({ together, version: job.version })
      job.parked = false
      this.#parked.delete(job)
      this.#queue.delete(job)
    }
    for (const key of keys) {
      const job = this.#jobs.get(key)!
      // Not in line: it waits for others of its like, and they must not wait for it.
      if (!job.running) void this.#run(job)
    }
    return together.done.then((done) => {
      if (together.failure !== undefined) throw together.failure.error
      return done
    })
  }

  /** As `write`, of keys that the store is to have as one. */
  writeAll(keys: readonly string[], sources: readonly Source[]): void {
    const { queue, queueBytes } = this.#host.limits
    const count = keys.length
    const heldBytes = sources.reduce((sum, source) => sum + source.heldBytes, 0)
    const drop = (): void => {
      this.dropped += count
    }
    if (this.#writes + count > queue || this.#heldBytes + heldBytes > queueBytes) {
      drop()
      for (const source of sources) source.drop()
      for (const key of keys) this.set(key, DISCARD)
      return
    }
    this.#writes += count
    this.#heldBytes += heldBytes
    let begun = false
    const write = (): Promise<boolean> => {
      begun = true
      return setSources(keys, sources, this.#host.store, (bytes) => this.#host.stored(bytes))
    }
    this.change(keys, false, write)
      .then(
        (done) => {
          if (done) this.#host.succeeded()
          else drop()
        },
        () => {
          this.#host.health.count()
          drop()
        },
      )
      .finally(() => {
        if (!begun) for (const source of sources) source.drop()
        this.#writes -= count
        this.#heldBytes -= heldBytes
      })
  }

  #takes(keys: readonly string[]): boolean {
    if (this.#stopped || this.#host.health.down || this.#host.isLost()) return false
    const added = keys.filter((key) => !this.#jobs.has(key)).length
    return this.#jobs.size + added <= this.#host.limits.fences
  }

  /** `result` is what the store was asked already: to commit what the key is to have, or, unless it is `valid` meanwhile, to delete it. */
  follow(key: string, result: Promise<boolean>, valid: boolean): Promise<boolean> {
    return this.#follow(this.#make(key, valid), result)
  }

  /** The store failed to delete what it has for `key`, which had no job: that is owed. */
  failedToDelete(key: string, error: unknown): void {
    this.#park(this.#make(key, false), error)
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

  /** Whether the store may have, or be getting, something of `key` that is older than what is wanted. */
  leavesOlder(key: string): boolean {
    const job = this.#jobs.get(key)
    return job !== undefined && (job.version > 1 || this.#host.store.knows?.(key) === true)
  }

  /** Begins with `key` at once, if there is something that can be done, and resolves when it is. */
  hurry(key: string): Promise<boolean> | undefined {
    const job = this.#jobs.get(key)
    // What is parked waits for the store, and nobody for it.
    if (job === undefined || job.parked) return undefined
    const done = this.#until(job)
    if (this.#queue.delete(job)) void this.#run(job)
    return this.#host.health.wait(done)
  }

  /** What is parked may be tried again. */
  unpark(): void {
    if (this.#parked.size === 0 || this.#stopped) return
    for (const job of this.#parked) {
      job.parked = false
      // One that is about to stop goes on instead: two of a key may not run.
      if (!job.running) this.#queue.add(job)
    }
    this.#parked.clear()
    this.#pump()
  }

  /** The store is not called any more: what waits is owed. */
  oweAll(): void {
    for (const job of [...this.#queue]) {
      this.#queue.delete(job)
      this.#owe(job)
    }
  }

  /** Resolves when nothing is under way. */
  async quiet(): Promise<void> {
    for (;;) {
      const under = [...this.#jobs.values()].filter((job) => job.running || this.#queue.has(job))
      if (under.length === 0) return
      await Promise.allSettled(under.map((job) => this.#until(job)))
    }
  }

  /** Resolves when the calls of the store that are being made now are over, whatever comes of them; undefined when none is. */
  underWay(): Promise<unknown> | undefined {
    return this.#calls.size === 0 ? undefined : Promise.allSettled(this.#calls)
  }

  /** The store is being emptied: nothing that was wanted is needed any more. What is under way is the caller's to wait for. */
  forgetAll(): void {
    this.#queue.clear()
    this.#parked.clear()
    for (const job of this.#jobs.values()) {
      job.version += 1
      job.valid = false
      job.parked = false
      this.#leaveAll(job)
      this.#replace(job, undefined)
    }
  }

  /** Of jobs that were forgotten and do not run: the store is empty, or `error` says why not. */
  settleIdle(error: unknown): void {
    for (const job of [...this.#jobs.values()]) {
      if (job.running || job.want !== undefined) continue
      if (error === undefined) this.#finish(job)
      else this.#lose(job, error)
    }
  }

  /** Begins nothing more. */
  stop(error: Error): void {
    this.#stopped = true
    this.#queue.clear()
    this.#parked.clear()
    for (const job of this.#jobs.values()) {
      job.version += 1
      this.#replace(job, undefined)
      this.#leaveAll(job)
      if (!job.running) this.#lose(job, error)
    }
  }

  /** What is wanted cannot be done now: what the store has of the key is to go as soon as it can be called. */
  #owe(job: Job): void {
    const { want } = job
    if (want?.kind === 'write') this.dropped += 1
    if (want?.kind === 'call') {
      this.#take(job)
      want.reject(this.#host.health.refusal())
    }
    job.valid = false
    this.#park(job, this.#host.health.refusal())
  }

  #make(key: string, valid: boolean): Job {
    const job = newJob(key, valid)
    this.#jobs.set(key, job)
    return job
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

  /** There may be more turns than there were. */
  resume(): void {
    if (!this.#stopped) this.#pump()
  }

  #pump(): void {
    const { concurrency, lane } = this.#host.limits
    if (lane !== undefined) return this.#pumpBy(lane, concurrency)
    for (const job of this.#queue) {
      if (this.#slots >= concurrency) return
      this.#queue.delete(job)
      this.#slots += 1
      void this.#run(job).then(() => {
        this.#slots -= 1
        this.#pump()
      })
    }
  }

  /** `#slots` counts turns that were asked for, too: who waits in line is chosen when it is its turn. */
  #pumpBy(lane: Lane, concurrency: number): void {
    while (this.#asked < this.#queue.size && this.#slots < concurrency) {
      this.#slots += 1
      this.#asked += 1
      const turn = async (): Promise<void> => {
        try {
          const leave = await lane.enter()
          this.#asked -= 1
          const [job] = this.#queue
          try {
            if (job !== undefined && this.#queue.delete(job)) await this.#run(job)
          } finally {
            leave()
          }
        } catch {
          // There are no more turns, for the cache is closed: what is not written by now is not.
          this.#asked -= 1
          return
        } finally {
          this.#slots -= 1
        }
        this.#pump()
      }
      void turn()
    }
  }

  /** Does what is wanted of `job`, and what is wanted meanwhile. Never rejects. */
  async #run(job: Job): Promise<void> {
    job.running = true
    while (!this.#stopped && !job.parked && (job.want !== undefined || job.together.length > 0)) {
      if (this.#host.health.down) {
        this.#leaveAll(job)
        this.#owe(job)
        break
      }
      if (this.#host.isBlind()) {
        try {
          await this.#host.wiped()
        } catch (error) {
          // Nothing of the tier is read: the job is not needed any more.
          return this.#lose(job, error)
        }
        continue
      }
      const shared = job.together.shift()
      if (shared !== undefined) {
        await this.#called(this.#arrive(job, shared))
        continue
      }
      await this.#called(this.#perform(job, this.#take(job)!))
    }
    job.running = false
    if (!job.parked) this.#finish(job)
  }

  /** `call`, which is under way until it has settled. */
  #called<T>(call: Promise<T>): Promise<T> {
    this.#calls.add(call)
    const over = (): void => void this.#calls.delete(call)
    call.then(over, over)
    return call
  }

  /** Does what `together` says, with the jobs of its other keys. */
  async #arrive(job: Job, { together, version }: Shared): Promise<void> {
    const done = await together.arrive()
    if (job.version !== version || this.#stopped) return
    if (done) job.valid = true
    // Else what the store has is not known to be right, or is older.
    else if (!together.keeps || together.failure !== undefined || !job.valid) {
      job.valid = false
      this.#replace(job, DISCARD)
    }
  }

  /** What it was to do with others is not done. */
  #leaveAll(job: Job): void {
    for (const { together } of job.together.splice(0)) together.giveUp()
  }

  async #perform(job: Job, want: Want): Promise<void> {
    const { key, version } = job
    const { store } = this.#host
    const isNewest = (): boolean => job.version === version && !this.#stopped
    /** What the store has is not known to be right: it goes, unless something newer is wanted anyway. */
    const drop = (): void => {
      if (!isNewest()) return
      job.valid = false
      this.#replace(job, DISCARD)
    }
    try {
      switch (want.kind) {
        case 'delete':
          job.was = await removed(store, key, want)
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
      this.#host.succeeded()
    } catch (error) {
      this.#host.health.count()
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
      const done = await copyEntry(entry, key, this.#host.store, wanted)
      if (done) this.#host.stored(entry.metadata.size)
      return done
    } finally {
      entry.release()
    }
  }

  async #revise(key: string, metadata: Metadata): Promise<boolean> {
    const entry = await this.#host.store.find(key, true)
    if (entry === undefined) return true
    try {
      return !this.#stopped && (await this.#host.store.revise(key, entry, metadata))
    } finally {
      entry.release()
    }
  }

  /** `result` is what the store was asked for `job` already. */
  #follow(job: Job, result: Promise<boolean>): Promise<boolean> {
    job.running = true
    const { valid, version } = job
    return this.#called(result).then(
      (done) => {
        // Of a delete: there is nothing that could be wrong.
        if (job.version === version) job.valid = true
        this.#host.succeeded()
        void this.#run(job)
        return done
      },
      (error) => {
        if (job.version === version && !this.#stopped) {
          job.valid = false
          if (valid) this.#replace(job, DISCARD)
          else this.#park(job, error)
        }
        void this.#run(job)
        return this.#host.failed(error)
      },
    )
  }

  #park(job: Job, error: unknown): void {
    this.#replace(job, DISCARD)
    job.parked = true
    this.#parked.add(job)
    for (const waiter of job.waiters.splice(0)) waiter.reject(error)
  }

  #finish(job: Job): void {
    if (job.holds === 0 && this.#jobs.get(job.key) === job) this.#jobs.delete(job.key)
    for (const waiter of job.waiters.splice(0)) waiter.resolve(job.was)
  }

  #lose(job: Job, error: unknown): void {
    this.#leaveAll(job)
    job.running = false
    this.#replace(job, undefined)
    if (job.holds === 0 && this.#jobs.get(job.key) === job) this.#jobs.delete(job.key)
    for (const waiter of job.waiters.splice(0)) waiter.reject(error)
  }

  #until(job: Job): Promise<boolean> {
    return new Promise((resolve, reject) => job.waiters.push({ resolve, reject }))
  }
}
