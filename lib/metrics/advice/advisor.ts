import type { BufferPoolStats } from '../../buffers/stats.js'
import type { Clock } from '../../clock.js'
import { memoryThereIs } from '../../config/memory.js'
import { ClosedError } from '../../errors.js'
import type { Store, TierStats } from '../../store/store.js'
import type { Advice, Recommendation } from './advice.js'
import { missingCompression, uselessCompression } from './compression.js'
import { type Configured, configurationAdvice, type Machine } from './configuration.js'
import { diskAdvice } from './disk.js'
import { memoryAdvice } from './memory.js'
import { poolAdvice } from './pool.js'
import { type Recording, recordingOf } from './recording.js'
import { inTurns, type Slices } from './slices.js'
import { type AdvisedTier, advisedTiers } from './tiers.js'
import type { Trace } from './trace.js'
import { type Lifetimes, ttlAdvice } from './ttl.js'

/** For so long, in milliseconds, what was found is found again. */
const KEPT_MS = 10_000
/** What is asked of a disk is not waited for any longer, in milliseconds. */
const PATIENCE_MS = 5000
/** Warnings that were said are not said again, as far as they are remembered. */
const MOST_SAID = 64

/** What is known of a cache. */
export interface Advised {
  readonly clock: Clock
  /** Undefined: nothing is recorded. */
  readonly trace: Trace | undefined
  readonly stores: readonly Store[]
  stats(): readonly TierStats[]
  pool(): BufferPoolStats | undefined
  configured(): Omit<Configured, 'tiers'> & { readonly freshness: Lifetimes }
  isClosed(): boolean
  /** Default: this one. */
  readonly machine?: Machine
}

/**
 * Looks for advice: one search at a time, whoever asks meanwhile gets what it finds, and so does who asks shortly after.
 *
 * Invariants: no piece of a search takes the event loop for more than about a millisecond, and none is begun once the cache is closed; `#waits` has what
 * ends each wait for a disk, and with it its timer.
 */
export class Advisor {
  readonly #of: Advised
  readonly #waits = new Set<() => void>()
  #search: Promise<Advice> | undefined
  #found: { readonly advice: Advice; readonly at: number } | undefined

  constructor(of: Advised) {
    this.#of = of
  }

  /** Looks at the options in the background, and warns the process of what is wrong with them. */
  open(): void {
    this.#configuration().then((found) => {
      if (this.#of.isClosed()) return
      for (const { message } of found) warnOnce(message)
    }, toldElsewhere)
  }

  /** Nobody waits for a disk any more. */
  close(): void {
    for (const end of this.#waits) end()
  }

  /** Options became others: what was found is not true any more. */
  changed(): void {
    this.#found = undefined
  }

  /** @throws `ERR_DREY_CLOSED` */
  async advice(): Promise<Advice> {
    const { clock } = this.#of
    if (this.#found !== undefined && clock.monotonic() - this.#found.at < KEPT_MS) return this.#found.advice
    this.#search ??= this.#look().finally(() => {
      this.#search = undefined
    })
    return this.#search
  }

  async #look(): Promise<Advice> {
    const { clock, trace, isClosed } = this.#of
    const window = trace?.window()
    const recording = window && (await inTurns(recordingOf(window), isClosed))
    const configuration = await this.#configuration()
    const tiers = this.#tiers()
    const replayed = recording === undefined ? [] : await inTurns(this.#replayed(recording, tiers), isClosed)
    const tried = await this.#within(missingCompression(tiers, isClosed))
    if (isClosed()) throw new ClosedError('the cache was closed while advice was looked for')
    const recommendations = [
      ...configuration,
      ...replayed,
      ...diskAdvice(tiers),
      ...uselessCompression(tiers),
      ...tried,
      ...poolAdvice(this.#of.pool()),
    ]
    const advice = { at: clock.now(), requests: recording?.sampled ?? 0, recommendations }
    this.#found = { advice, at: clock.monotonic() }
    return advice
  }

  *#replayed(recording: Recording, tiers: readonly AdvisedTier[]): Slices<Recommendation[]> {
    const [first] = tiers
    const memory = first === undefined ? [] : yield* memoryAdvice(recording, first, memoryThereIs())
    const ttl = yield* ttlAdvice(recording, this.#of.configured().freshness)
    return [...memory, ...ttl]
  }

  async #configuration(): Promise<Recommendation[]> {
    const { machine = { memory: memoryThereIs(), env: process.env } } = this.#of
    const configured = { ...this.#of.configured(), tiers: this.#tiers() }
    return this.#within(configurationAdvice(configured, machine))
  }

  #tiers(): AdvisedTier[] {
    return advisedTiers(this.#of.stores, this.#of.stats())
  }

  /** What `work` finds, or nothing where a disk makes it wait for too long. */
  #within(work: Promise<Recommendation[]>): Promise<Recommendation[]> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        timer.cancel()
        this.#waits.delete(end)
        resolve([])
      }
      const timer = this.#of.clock.after(PATIENCE_MS, end)
      this.#waits.add(end)
      work.then(resolve, reject).finally(end)
    })
  }
}

// Somebody's own store that does not say how it is: who asks for `stats()` or for advice is told why.
const toldElsewhere = (): void => undefined

const said = new Set<string>()

/** Once in a process: caches of the same options come and go. */
function warnOnce(message: string): void {
  if (said.has(message) || said.size >= MOST_SAID) return
  said.add(message)
  process.emitWarning(message, { code: 'DREY_CONFIGURATION', type: 'DreyWarning' })
}
