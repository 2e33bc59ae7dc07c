import type { Answer, Outcome } from '../cache/answer.js'
import type { Clock } from '../clock.js'
import { DreyError } from '../errors.js'
import type { Later, LookupTimer, Metadata, StoredEntry } from '../store/store.js'
import {
  type CallMessage,
  CHANNELS,
  fillsAreTold,
  isGetSyncTraced,
  isTraced,
  promiseOf,
  tellFill,
  traced,
  tracedSync,
} from './channels.js'
import { Latencies, type LatencySeries, type Operation, type Result } from './latencies.js'
import type { MetricsConfig } from './options.js'
import { type RuntimeTimes, runtimeWatch } from './runtime.js'
import { latencyOf, type MetricsStats, runtimeStatsOf } from './stats.js'
import { BoundedTally, OTHER } from './tally.js'
import { TopKeys } from './top-keys.js'

/** More than there are codes. */
const MOST_CODES = 40

/** What came of a call. */
interface Seen {
  readonly outcome: Result
  readonly tier: string | undefined
  readonly size: number | undefined
}

/** A kind of call, and what its answers say. */
interface Call<T> {
  readonly name: Exclude<keyof typeof CHANNELS, 'getSync'>
  describe(answer: T): Seen
}

const ANSWERED = { tier: undefined, size: undefined }

function describeAnswer(answer: Answer | undefined): Seen {
  if (answer === undefined) return { ...ANSWERED, outcome: 'miss' }
  const outcome: Outcome = answer.outcome
  switch (answer.status) {
    case 'ok':
      return { outcome, tier: answer.tier, size: answer.size }
    case 'not-modified':
      return { ...ANSWERED, outcome, size: answer.meta.size }
    case 'not-found':
      return { ...ANSWERED, outcome }
  }
}

const FETCH: Call<Answer> = { name: 'fetch', describe: describeAnswer }
const GET: Call<Answer | undefined> = { name: 'get', describe: describeAnswer }
const SET: Call<Metadata> = {
  name: 'set',
  describe: ({ size }) => ({ outcome: 'done', tier: undefined, size }),
}
const DELETE: Call<boolean> = { name: 'delete', describe: () => ({ ...ANSWERED, outcome: 'done' }) }

/** The calls of a cache that are looked at. */
export const CALLS = { fetch: FETCH, get: GET, set: SET, delete: DELETE }

/** What `getSync` and its like give. */
interface AtHandAnswer {
  readonly meta: Metadata
}

/** When something began that is not timed. */
const UNTIMED = -1

/**
 * Looks on at what one cache does: takes times, counts errors, and tells who wants to be told.
 *
 * One of `sampling` calls is timed. Which one is drawn anew after each: at a fixed distance, calls that come in a rhythm would be measured at one beat of it.
 *
 * Invariants: switched off, it reads no clock and records nothing; whatever it does, the call's answer and its error stay what they are.
 */
export class Probe implements LookupTimer {
  readonly config: MetricsConfig
  readonly #clock: Clock
  readonly #tiers: readonly string[]
  readonly #latencies: Latencies
  readonly #errors = new Map<string, BoundedTally>()
  /** Of the calls that are timed. */
  readonly topKeys: TopKeys
  readonly #mostGap: number
  /** Calls until the next one that is timed. */
  #gap: number
  #unwatch: (() => void) | undefined
  #syncBegan = UNTIMED

  /** @param tiers their names, the first first */
  constructor(config: MetricsConfig, clock: Clock, tiers: readonly string[]) {
    this.config = config
    this.#clock = clock
    this.#tiers = tiers
    this.#latencies = new Latencies(tiers)
    this.topKeys = new TopKeys(clock, config.sampling)
    this.#mostGap = 2 * config.sampling - 1
    this.#gap = this.#draw()
  }

  /** Who takes the times of lookups, if they are taken. */
  get lookupTimer(): LookupTimer | undefined {
    return this.config.enabled ? this : undefined
  }

  /** The cache is open: what its thread does is watched until `close`. */
  open(): void {
    if (this.config.enabled) this.#unwatch = runtimeWatch.use(this.config.interval)
  }

  close(): void {
    this.#unwatch?.()
  }

  begin(): number {
    if (!this.config.enabled) return UNTIMED
    this.#gap -= 1
    if (this.#gap > 0) return UNTIMED
    this.#gap = this.#draw()
    return this.#clock.monotonic()
  }

  beginSlow(): number {
    return this.config.enabled ? this.#clock.monotonic() : UNTIMED
  }

  took(tier: number, began: number, found: StoredEntry | undefined): void {
    if (began < 0) return
    this.#latencies.record(
      'lookup',
      found === undefined ? 'miss' : 'hit',
      tier,
      found?.metadata.size,
      this.#since(began),
    )
  }

  /** An origin's first byte came, or its answer where that has none, after so many milliseconds. */
  firstByte(ms: number): void {
    if (this.config.enabled) this.#latencies.record('firstByte', 'done', -1, undefined, ms * 1e6)
  }

  /** When a fill begins. */
  beginFill(): number {
    return this.config.enabled || fillsAreTold() ? this.#clock.monotonic() : UNTIMED
  }

  /** A fill came to its end. */
  filled(
    key: string,
    began: number,
    bytes: number | undefined,
    stored: string | undefined,
    error: Error | undefined,
  ): void {
    if (error !== undefined) this.failed('fill', error)
    if (began < 0) return
    const ns = this.#since(began)
    if (this.config.enabled) {
      const tier = stored === undefined ? -1 : this.#tiers.indexOf(stored)
      this.#latencies.record('fill', error === undefined ? 'done' : 'error', tier, bytes, ns)
    }
    if (fillsAreTold()) tellFill({ key, duration: ns / 1e6, bytes, stored, error })
  }

  /** A call failed. */
  failed(operation: string, error: unknown): void {
    if (!this.config.enabled) return
    let tally = this.#errors.get(operation)
    if (tally === undefined) {
      tally = new BoundedTally(MOST_CODES)
      this.#errors.set(operation, tally)
    }
    tally.add(error instanceof DreyError ? error.code : OTHER)
  }

  /** The answer of `call`, as a promise, looked at. */
  call<T>(kind: Call<T>, key: string, call: () => Later<T>): Promise<T> {
    if (isTraced(CHANNELS[kind.name])) return this.#traced(kind, key, call)
    return this.config.enabled ? this.#timed(kind, key, call) : promiseOf(call)
  }

  /** Whether this call of `getSync` is to be made by `getSync`; else it is looked at by nobody. */
  looksAtSync(): boolean {
    this.#syncBegan = this.begin()
    return this.#syncBegan >= 0 || isGetSyncTraced()
  }

  /** As `call`, of one that is answered at once. To be called right after `looksAtSync` said so. */
  getSync<T extends AtHandAnswer>(key: string, call: () => T | undefined): T | undefined {
    const began = this.#syncBegan
    const run = (): T | undefined => {
      const answer = call()
      if (began >= 0) this.#atHand('getSync', key, answer, began)
      return answer
    }
    if (!isGetSyncTraced()) return run()
    const from = this.#clock.monotonic()
    const message: CallMessage = { operation: 'getSync', key }
    return tracedSync(CHANNELS.getSync, message, run, (answer) => this.#complete(message, answer, from))
  }

  /**
   * What was at hand for somebody who would fetch else: told of as a `fetch`, after the fact, because what is not at hand is fetched, and looked at then.
   *
   * @param began what `begin` said before
   */
  fetched(key: string, began: number, answer: AtHandAnswer): void {
    if (began >= 0) this.#atHand('fetch', key, answer, began)
    if (!isTraced(CHANNELS.fetch)) return
    const message: CallMessage = { operation: 'fetch', key }
    const complete = (): void => this.#complete(message, answer, began < 0 ? undefined : began)
    tracedSync(CHANNELS.fetch, message, complete, complete)
    CHANNELS.fetch.asyncStart.publish(message)
    CHANNELS.fetch.asyncEnd.publish(message)
  }

  stats(): MetricsStats {
    const { enabled, sampling } = this.config
    const runtime = enabled ? runtimeStatsOf(runtimeWatch.times()) : undefined
    return { enabled, sampling, latency: this.latencies().map(latencyOf), errors: this.errors(), runtime }
  }

  latencies(): readonly LatencySeries[] {
    return this.#latencies.series()
  }

  errors(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return Object.fromEntries(Array.from(this.#errors, ([operation, tally]) => [operation, tally.counts()]))
  }

  /** Of the thread; undefined where nothing is measured. */
  runtime(): RuntimeTimes | undefined {
    return this.config.enabled ? runtimeWatch.times() : undefined
  }

  #timed<T>(kind: Call<T>, key: string, call: () => Later<T>): Promise<T> {
    const began = this.begin()
    let answer: Later<T>
    try {
      answer = call()
    } catch (error) {
      this.#ended(kind.name, began, error)
      return Promise.reject(error)
    }
    if (!(answer instanceof Promise)) {
      if (began >= 0) this.#answered(kind, key, began, answer)
      return Promise.resolve(answer)
    }
    return answer.then(
      (value) => {
        if (began >= 0) this.#answered(kind, key, began, value)
        return value
      },
      (error) => {
        this.#ended(kind.name, began, error)
        throw error
      },
    )
  }

  #atHand(
    operation: 'getSync' | 'fetch',
    key: string,
    answer: AtHandAnswer | undefined,
    began: number,
  ): void {
    const outcome = answer === undefined ? 'miss' : 'hit'
    const tier = answer === undefined ? -1 : 0
    this.#latencies.record(operation, outcome, tier, answer?.meta.size, this.#since(began))
    this.topKeys.see(key, answer?.meta.size ?? 0)
  }

  #complete(message: CallMessage, answer: AtHandAnswer | undefined, from: number | undefined): void {
    message.outcome = answer === undefined ? 'miss' : 'hit'
    message.tier = answer && this.#tiers[0]
    message.size = answer?.meta.size
    message.duration = from === undefined ? undefined : this.#since(from) / 1e6
  }

  #traced<T>(kind: Call<T>, key: string, call: () => Later<T>): Promise<T> {
    const from = this.#clock.monotonic()
    const message: CallMessage = { operation: kind.name, key }
    const run = (): Promise<T> => (this.config.enabled ? this.#timed(kind, key, call) : promiseOf(call))
    return traced(CHANNELS[kind.name], message, run, (answer) => {
      Object.assign(message, kind.describe(answer), { duration: this.#since(from) / 1e6 })
    })
  }

  #answered<T>(kind: Call<T>, key: string, began: number, answer: T): void {
    const { outcome, tier, size } = kind.describe(answer)
    this.#record(kind.name, outcome, tier, size, began)
    if (kind.name === 'fetch' || kind.name === 'get') this.topKeys.see(key, size ?? 0)
  }

  #ended(operation: Operation, began: number, error: unknown): void {
    this.failed(operation, error)
    if (began >= 0) this.#record(operation, 'error', undefined, undefined, began)
  }

  #record(
    operation: Operation,
    outcome: Result,
    tier: string | undefined,
    size: number | undefined,
    began: number,
  ): void {
    const at = tier === undefined ? -1 : this.#tiers.indexOf(tier)
    this.#latencies.record(operation, outcome, at, size, this.#since(began))
  }

  #since(began: number): number {
    return (this.#clock.monotonic() - began) * 1e6
  }

  #draw(): number {
    return 1 + Math.floor(Math.random() * this.#mostGap)
  }
}
