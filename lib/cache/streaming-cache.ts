import type { Writable } from 'node:stream'
import { poolOf } from '../buffers/choice.js'
import type { BufferPool } from '../buffers/pool.js'
import { type Clock, systemClock } from '../clock.js'
import { loadConfig } from '../config/file/load.js'
import { type Following, follow as followFile } from '../config/file/watch.js'
import { ClosedError, ConfigError } from '../errors.js'
import { assertKey } from '../keys.js'
import type { Advice } from '../metrics/advice/advice.js'
import type { Advisor } from '../metrics/advice/advisor.js'
import type { Trace } from '../metrics/advice/trace.js'
import { promiseOf } from '../metrics/channels.js'
import type { CacheHealth } from '../metrics/health/health.js'
import { Monitor } from '../metrics/health/monitor.js'
import { CALLS, Probe } from '../metrics/probe.js'
import { type MetricsSource, publishSource } from '../metrics/source.js'
import { uniqueNames } from '../metrics/tier-names.js'
import { assertTop, type TopKey } from '../metrics/top-keys.js'
import type { Later, Metadata, OptionChange, StoredEntry } from '../store/store.js'
import { TieredStore } from '../store/tiered/index.js'
import { advisorOf, traceOf } from './advised.js'
import type { Answer } from './answer.js'
import { Answers } from './answers.js'
import { AtHand } from './at-hand.js'
import { AtomicWrites } from './atomic-writes.js'
import { inBatch, jsonFetcher, readAtomic, readEntries, readKeys } from './batch.js'
import { BatchTurns } from './batch-turns.js'
import type {
  BatchEntry,
  CacheStats,
  FetchOptions,
  GetOptions,
  InvalidateOptions,
  RefreshOptions,
  SetManyOptions,
} from './cache.js'
import { assertRefreshing } from './call-options.js'
import { Counters } from './counters.js'
import type { DirectCache, DirectHit } from './direct.js'
import { type CacheEvents, Events } from './events.js'
import { FenceTable } from './fence.js'
import type { Body, EntryOptions, Fetcher, FetcherContext } from './fetcher.js'
import type { FoundContext } from './found.js'
import { IdleWatch } from './idle.js'
import { InFlight } from './in-flight.js'
import type { CachePatch } from './live-options.js'
import { isFresh } from './metadata.js'
import type { CacheConfig, CacheOptions, CacheSettings } from './options.js'
import { Origins } from './origins.js'
import { follow, type Pressed } from './pressed.js'
import { ReadPath } from './read-path.js'
import { Refreshes } from './refreshes.js'
import { scratchOf } from './scratch.js'
import { statsOf } from './stats.js'
import { assertInvalidates, readInvalidation, TagTable } from './tags.js'
import { Tier } from './tier.js'
import { WritePath } from './write-path.js'

/** The cache: a read path and a write path over one tier, with the fences between them. */
export class StreamingCache implements DirectCache {
  /** Its settings are replaced, each as a whole: who needs one looks it up when it is needed. */
  readonly #config: { -readonly [K in keyof CacheConfig]: CacheConfig[K] }
  readonly #clock: Clock
  readonly #pool: BufferPool | undefined
  readonly #tier: Tier
  readonly #fences = new FenceTable()
  readonly #counters: Counters
  readonly #probe: Probe
  readonly #monitor: Monitor
  readonly #trace: Trace | undefined
  readonly #advisor: Advisor
  readonly #events = new Events()
  readonly #tags: TagTable
  readonly #origins: Origins
  readonly #refreshes: Refreshes
  readonly #inFlight = new InFlight()
  readonly #found: FoundContext
  readonly #atHand: AtHand
  readonly #reads: ReadPath
  readonly #writes: WritePath
  readonly #atomic: AtomicWrites
  readonly #pressed: Pressed = {
    onPressure: (state) => {
      this.#tier.attempt(() => this.#tier.store.pressure?.(state.factor), undefined)
      this.#tier.backlog.short = state.factor < 1
      this.#events.emit('pressure', state)
      this.#monitor.onPressure(state)
    },
  }
  #unfollow: (() => void) | undefined
  /** The configuration file, where that is followed. */
  #following: Following | undefined
  #closing: Promise<void> | undefined

  constructor(config: CacheConfig, clock: Clock) {
    this.#config = config
    this.#clock = clock
    const events = this.#events
    this.#pool = poolOf(config.bufferPool, {
      clock,
      pressure: config.pressure,
      // Not by way of the cache, which nobody may have any more when its pool is looked through.
      onLeak: (lost) => events.emit('leak', lost),
    })
    const { store, breaker, maxBufferedBytes, timeouts } = config
    const names = store.tiers?.tierStats().map(({ name }) => name) ?? [store.name]
    this.#counters = new Counters(names)
    this.#probe = new Probe(config.metrics, clock, uniqueNames(names))
    const monitor = new Monitor({
      clock,
      config: config.alerts,
      measures: config.metrics.enabled,
      tiers: names.length,
      // Not by way of the cache, which the timer must not hold.
      tell: (event) => events.emit('alert', event),
    })
    this.#monitor = monitor
    this.#tier = new Tier(store, {
      lookupTimer: this.#probe.lookupTimer,
      scratch: scratchOf(this.#pool),
      maxBufferedBytes,
      health: {
        breaker,
        operation: timeouts.operation,
        clock: () => clock,
        onChange: (isDown) => this.#onTier(store.name, isDown),
      },
    })
    const trace = traceOf(config, clock, this.#tier)
    this.#trace = trace
    this.#found = {
      idle: new IdleWatch(clock, config.timeouts.idle),
      inFlight: this.#inFlight,
      onLeak: (key) => {
        this.#counters.leaks += 1
        this.#events.emit('leak', { key })
      },
      onRead: (bytes, tier) => this.#counters.read(bytes, tier),
      onFailure: (error) => this.#probe.failed('body', error),
    }
    const tags = new TagTable(config.freshness.staleWhileRevalidate, config.store.journal, clock)
    this.#tags = tags
    this.#origins = new Origins(
      config.breaker,
      clock,
      (origin, isDown) => {
        events.emit(isDown ? 'origin-down' : 'origin-up', { origin })
        monitor.onOrigin(origin, isDown)
      },
      (origin) => monitor.onOrigin(origin, false),
    )
    const batches = new BatchTurns(config.store)
    const answers = new Answers(this.#tier, this.#counters, this.#found, trace)
    this.#atHand = new AtHand(this.#tier, clock, this.#counters, answers, tags, trace)
    this.#reads = new ReadPath({
      config,
      clock,
      tier: this.#tier,
      fences: this.#fences,
      counters: this.#counters,
      inFlight: this.#inFlight,
      answers,
      batches,
      tags,
      origins: this.#origins,
      probe: this.#probe,
      trace,
      isClosed: () => this.#closing !== undefined,
      onStale: (key, fetcher, options) => this.#refreshes.schedule(key, fetcher, options),
    })
    this.#refreshes = new Refreshes(
      config.refresh,
      clock,
      (key, fetcher, options) => this.#reads.renew(key, fetcher, options, config.refresh.timeout),
      (key, error) => events.emit('refresh-error', { key, error }),
    )
    const writing = {
      tier: this.#tier,
      fences: this.#fences,
      get freshness() {
        return config.freshness
      },
      tags,
      now: () => clock.now(),
      assertOpen: () => this.#assertOpen(),
      onCommit: (key: string) => this.#reads.detach(key),
      onStored: (key: string, metadata: Metadata) => {
        this.#counters.bytesSet += metadata.size
        this.#tier.stored(metadata.size)
        trace?.stored(key, 'set', metadata)
      },
    }
    this.#writes = new WritePath(writing, this.#inFlight)
    this.#atomic = new AtomicWrites(writing, this.#inFlight, batches, config.maxBufferedBytes)
    this.#advisor = advisorOf(config, clock, {
      trace,
      stats: () => this.#tier.stats(),
      pool: () => this.#pool?.stats(),
      isClosed: () => this.#closing !== undefined,
    })
  }

  async configure(patch: CachePatch): Promise<readonly OptionChange[]> {
    this.#assertOpen()
    return this.#told(await this.#config.live.configure(patch, this.#become))
  }

  async replaceOptions(
    options: CacheOptions,
    more: readonly OptionChange[],
  ): Promise<readonly OptionChange[]> {
    this.#assertOpen()
    const changes = await this.#config.live.replace(options, this.#become)
    return this.#told([...more, ...changes])
  }

  tellConfigError(file: string, error: unknown): void {
    this.#events.emit('config-error', { file, error })
  }

  /** Does what the configuration file says, now and whenever that changes. */
  followFile(file: string): void {
    this.#following = followFile(file, this.#clock, async () => {
      try {
        const loaded = await loadConfig(file)
        if (this.#closing !== undefined) return
        this.#told(await this.#config.live.reload(loaded, this.#become))
      } catch (error) {
        this.tellConfigError(file, error)
      }
    })
  }

  async open(): Promise<void> {
    const { store, pressure } = this.#config
    await store.open({
      now: () => this.#clock.now(),
      systemTime: this.#clock === systemClock,
      onEvict: (key, reason, tier = store.name) => this.#events.emit('evict', { key, tier, reason }),
      onCorrupt: (key, tier = store.name) => this.#events.emit('corrupt', { key, tier }),
      hearsEvictions: () => this.#events.has('evict'),
      clock: this.#clock,
      onTier: this.#onTier,
      lookupTimer: this.#probe.lookupTimer,
    })
    this.#probe.open()
    const source: MetricsSource = {
      monitor: this.#monitor,
      isClosed: () => this.#closing !== undefined,
      stats: () => this.stats(),
      latencies: () => this.#probe.latencies(),
      runtime: () => this.#probe.runtime(),
      now: () => this.#clock.monotonic(),
    }
    publishSource(this, source)
    if (pressure !== undefined) this.#unfollow = follow(pressure, this.#pressed)
    this.#monitor.open(source)
    if (this.#config.metrics.enabled) this.#advisor.open()
  }

  // One signature stands for the overloads of `Cache`: which answers are possible depends on `ifNoneMatch`.
  fetch(key: string, fetcher: Fetcher, options: FetchOptions = {}): Promise<never> {
    return this.#probe.call(CALLS.fetch, key, () => {
      this.#assertOpen()
      return this.#reads.fetch(key, fetcher, options)
    }) as Promise<unknown> as Promise<never>
  }

  get(key: string, options: GetOptions = {}): Promise<never> {
    return this.#probe.call(CALLS.get, key, () => {
      this.#assertOpen()
      return this.#reads.get(key, options)
    }) as Promise<unknown> as Promise<never>
  }

  getSync(key: string): { readonly value: Buffer; readonly meta: Metadata } | undefined {
    this.#assertOpen()
    const probe = this.#probe
    return probe.looksAtSync() ? probe.getSync(key, () => this.#atHand.copy(key)) : this.#atHand.copy(key)
  }

  hitSync(key: string): DirectHit | undefined {
    this.#assertOpen()
    const began = this.#probe.begin()
    const hit = this.#atHand.hit(key)
    if (hit !== undefined) this.#probe.fetched(key, began, hit)
    return hit
  }

  set(key: string, body: Body, options: EntryOptions = {}): Promise<Metadata> {
    return this.#probe.call(CALLS.set, key, () => this.#writes.set(key, body, options))
  }

  writer(key: string, options: EntryOptions = {}): Writable {
    this.#assertOpen()
    return this.#writes.writer(key, options)
  }

  stat(key: string): Promise<Metadata | undefined> {
    return this.#run(() => {
      assertKey(key)
      const tier = this.#tier
      const use = (entry: StoredEntry | undefined): Metadata | undefined => {
        tier.release(entry)
        return entry && this.#tags.standing(entry.metadata)
      }
      const found = tier.find(key, true)
      return found instanceof Promise
        ? this.#inFlight.wait(found, { use, late: (entry) => tier.release(entry) })
        : use(found)
    })
  }

  async has(key: string): Promise<boolean> {
    const meta = await this.stat(key)
    return meta !== undefined && !meta.negative && isFresh(meta, this.#clock.now())
  }

  getMany(keys: readonly string[], options: GetOptions = {}): Promise<never> {
    return this.#run(() =>
      this.#reads.getMany(readKeys('getMany', keys), options),
    ) as Promise<unknown> as Promise<never>
  }

  setMany(entries: readonly BatchEntry[], options: SetManyOptions = {}): Promise<Metadata[]> {
    return this.#run(() => {
      const all = readEntries(entries)
      if (readAtomic(options)) return all.length === 0 ? [] : this.#atomic.set(all)
      return inBatch(all, ({ key, body, ...rest }) => this.#writes.set(key, body, rest))
    })
  }

  deleteMany(keys: readonly string[]): Promise<boolean[]> {
    return this.#run(() => inBatch(readKeys('deleteMany', keys), (key) => this.#delete(key)))
  }

  async fetchJson<T>(
    key: string,
    fn: (context: FetcherContext) => T | Promise<T>,
    options: FetchOptions = {},
  ): Promise<T | undefined> {
    if (typeof fn !== 'function') throw new ConfigError(`fetchJson: want a function; got ${typeof fn}`)
    const answer = (await this.fetch(key, jsonFetcher(fn), options)) as Answer
    return answer.status === 'ok' ? answer.json<T>() : undefined
  }

  refresh(key: string, fetcher: Fetcher, options: RefreshOptions = {}): boolean {
    this.#assertOpen()
    assertKey(key)
    assertRefreshing(fetcher, options)
    return this.#refreshes.schedule(key, fetcher, options)
  }

  invalidateTags(tags: readonly string[], options: InvalidateOptions = {}): Promise<void> {
    return this.#run(() => {
      const { given, soft } = readInvalidation(tags, options)
      assertInvalidates(this.#config.store)
      const kept = this.#tags.invalidate(given, soft, this.#clock.now())
      return kept instanceof Promise ? this.#inFlight.wait(kept, { use: nothing }) : kept
    })
  }

  delete(key: string): Promise<boolean> {
    return this.#probe.call(CALLS.delete, key, () => {
      this.#assertOpen()
      return this.#delete(key)
    })
  }

  clear(): Promise<void> {
    return this.#run(() => {
      this.#trace?.cleared()
      this.#fences.fenceEverything()
      this.#reads.detachAll()
      return this.#afterChange(this.#tier.clear(), () => {
        this.#fences.fenceAllLookups()
        this.#reads.detachAll()
      })
    })
  }

  async *entries(): AsyncGenerator<readonly [string, Metadata], void, undefined> {
    this.#assertOpen()
    for await (const [key, stored] of this.#tier.store.entries()) {
      this.#assertOpen()
      const metadata = this.#tags.standing(stored)
      if (metadata !== undefined) yield [key, metadata]
    }
  }

  topKeys(n = TOP_KEYS): readonly TopKey[] {
    assertTop(n)
    return this.#probe.topKeys.top(n)
  }

  health(): CacheHealth {
    return this.#monitor.health()
  }

  advice(): Promise<Advice> {
    return this.#run(() => this.#advisor.advice())
  }

  stats(): CacheStats {
    return statsOf({
      counters: this.#counters,
      origins: this.#origins.stats(),
      originRefusals: this.#origins.refusals(),
      filling: this.#reads.filling,
      openBodies: this.#found.idle.size,
      refreshes: this.#refreshes.stats(),
      tiers: this.#tier.stats(),
      pool: this.#pool?.stats(),
      pressure: this.#config.pressure?.stats(),
      metrics: this.#probe.stats(),
    })
  }

  on<E extends keyof CacheEvents>(event: E, listener: (event: CacheEvents[E]) => void): this {
    this.#events.on(event, listener)
    return this
  }

  off<E extends keyof CacheEvents>(event: E, listener: (event: CacheEvents[E]) => void): this {
    this.#events.off(event, listener)
    return this
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #delete(key: string): Later<boolean> {
    assertKey(key)
    this.#fences.fenceAll(key)
    this.#reads.detach(key)
    this.#trace?.deleted(key)
    const tier = this.#tier
    const deleted = tier.change(key, () => tier.ask(() => tier.store.delete(key)))
    return this.#afterChange(deleted, () => {
      this.#fences.fenceLookups(key)
      this.#reads.detach(key)
    })
  }

  async #close(): Promise<void> {
    this.#unfollow?.()
    if (this.#following !== undefined) await this.#following.close()
    this.#probe.close()
    this.#monitor.close()
    this.#advisor.close()
    this.#refreshes.close()
    const clock = this.#clock
    const { shutdown } = this.#config.timeouts
    const begin = clock.monotonic()
    await this.#inFlight.quiet(clock, shutdown)
    const closed = new ClosedError('the cache was closed')
    this.#inFlight.endAll(closed)
    this.#tier.stop(closed)
    const flushed = this.#tier.store.tiers?.flush()
    if (flushed !== undefined) {
      await within(clock, Math.max(FLUSH_MS, shutdown - (clock.monotonic() - begin)), flushed)
    }
    try {
      await this.#tier.store.close()
    } finally {
      this.#config.onClosed?.()
      await this.#closePool()
    }
  }

  /** One that was given is its owner's to close. */
  async #closePool(): Promise<void> {
    if (this.#config.bufferPool.kind === 'own') await this.#pool?.close()
  }

  /**
   * Waits for a store that changes later. Who asked for the key meanwhile may have found the old value and begun a fill
   * that knows it: `settle` keeps those who ask after the change from it.
   */
  #afterChange<T>(change: Later<T>, settle: () => void): Later<T> {
    if (!(change instanceof Promise)) return change
    return this.#inFlight.wait(change.finally(settle), { use: (result) => result })
  }

  /** Nothing in it fails: half of it is never there. */
  readonly #become = (settings: CacheSettings): void => {
    const { breaker, maxBufferedBytes, timeouts, refresh, freshness, tiers } = settings
    Object.assign(this.#config, settings)
    const { store } = this.#config
    if (store instanceof TieredStore) store.configureTiers(tiers)
    this.#tier.configure({ breaker, operation: timeouts.operation }, maxBufferedBytes)
    this.#atomic.maxBufferedBytes = maxBufferedBytes
    this.#found.idle.configure(timeouts.idle)
    this.#tags.staleWhileRevalidate = freshness.staleWhileRevalidate
    this.#origins.configure(breaker)
    this.#refreshes.configure(refresh)
    this.#advisor.changed()
  }

  #told(changes: readonly OptionChange[]): readonly OptionChange[] {
    if (changes.length > 0) this.#events.emit('config', { changes })
    return changes
  }

  readonly #onTier = (tier: string, isDown: boolean): void => {
    this.#events.emit(isDown ? 'tier-down' : 'tier-up', { tier })
    this.#monitor.onTier(tier, isDown)
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError('the cache is closed; make a new one')
  }

  #run<T>(call: () => Later<T>): Promise<T> {
    return promiseOf(() => {
      this.#assertOpen()
      return call()
    })
  }
}

/** How many keys are told unless asked for more. */
const TOP_KEYS = 10

const nothing = (): undefined => undefined

/** What the tiers below are given to be written at least, when the cache closes: without it they may bring back older values. */
const FLUSH_MS = 1000

/** Resolves with `work`, at the latest after `ms`. */
function within(clock: Clock, ms: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(ms, resolve, true)
    void work.then(() => {
      timer.cancel()
      resolve()
    })
  })
}
