import { type Clock, systemClock, type Timer } from '../clock.js'
import { ClosedError } from '../errors.js'
import { native } from '../native/loader.js'
import { memoryPressure } from '../resilience/pressure/index.js'
import { Ageing, surplusOf, worthGathering } from './age.js'
import { categoryIndex } from './category.js'
import { checkSize, SizeClasses } from './classes.js'
import { Copier } from './copier.js'
import type { CopyResult } from './copy.js'
import type { CopyOptions, TeeOptions } from './copy-options.js'
import { Debug } from './debug.js'
import { directSlot } from './direct.js'
import { type Explanation, explain } from './explain.js'
import { type ClassHealth, healthOf } from './health.js'
import type { CopySource } from './input.js'
import { Latency } from './latency.js'
import { Leaks } from './leaks.js'
import { Lease } from './lease.js'
import type { Magazine } from './magazine.js'
import { type BufferPoolOptions, type PoolConfig, readBufferPoolOptions } from './options.js'
import type { CopySink } from './output.js'
import type { PoolPressure } from './pressure.js'
import { type LostBuffer, Reporter } from './report.js'
import { callSite } from './sites.js'
import { changeSlot, markSlot, type Slot, slotOf } from './slot.js'
import { type BufferPoolStats, type Counters, emptyCounters, statsOf } from './stats.js'
import { Stock } from './stock.js'
import { largestPooled, NONE } from './strategy.js'
import { type SlabSupply, slabSupply } from './supply/index.js'
import type { Tee } from './tee.js'
import { viewOf } from './view.js'

/** What a test, and the cache that has the pool, may replace. */
export interface PoolSeams {
  readonly clock?: Clock
  readonly supply?: SlabSupply
  readonly pressure?: PoolPressure
  /** Told of what `detectLeaks` finds, beside the logger or the warning. Must not throw. */
  readonly onLeak?: (lost: LostBuffer) => void
}

/** Of the calls on the short way one in so many is timed, a power of two: looking at the clock twice takes longer than a `get`. */
const TIMED_SHORT = 8192
/** And of those on the long way. */
const TIMED_LONG = 64

/**
 * Lends Buffers that are used for a moment and given back. Fast (tens of nanoseconds where Node's own allocation takes
 * microseconds), bounded by `maxBytes`, and empty until it is used. Each thread has pools of its own.
 *
 * ```js
 * const pool = new BufferPool({ maxBytes: '64MiB' })
 * const buffer = pool.get(65536)
 * try {
 *   await file.read(buffer)
 * } finally {
 *   pool.put(buffer)
 * }
 * ```
 *
 * A Buffer has whatever content its last holder left. Invariants B1 to B8, and why it is made as it is: docs/reference/buffers.md.
 */
export class BufferPool {
  readonly #config: PoolConfig
  readonly #classes: SizeClasses
  readonly #magazines: readonly Magazine[]
  readonly #stock: Stock
  readonly #ageing: Ageing
  readonly #leaks: Leaks
  readonly #report: Reporter
  readonly #latency: Latency | undefined
  readonly #debug: Debug | undefined
  /** Call sites are wanted. */
  readonly #remembers: boolean
  readonly #pressure: PoolPressure
  readonly #clock: Clock
  readonly #copier: Copier
  /** What Buffers are tied to that were allocated for one use: while they are out, and once they are back. */
  readonly #direct = directSlot(this)
  readonly #spent = directSlot(this)
  readonly #counters: Counters = emptyCounters()
  /** The largest size that `get` may lend from a class. */
  readonly #largest: number
  /** The sizes that `get` serves on the short way, and what the slots that `put` takes on the short way say as owner: none where each call has more to do. */
  readonly #least: number
  #most: number
  #quick: object
  /** The next `get` is to be timed. */
  #due: boolean
  /** Calls that went the long way, while some are timed. */
  #long = 0
  /** Ticks of the ageing. */
  #now = 0
  #factor = 1
  #closed = false
  #unsubscribe: (() => void) | undefined
  #summary: Timer | undefined

  /**
   * @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do.
   * @throws `ERR_DREY_NATIVE`: the addon is demanded by `DREY_NATIVE=1` and cannot be loaded.
   */
  constructor(options?: BufferPoolOptions)
  /** @internal */
  constructor(options: BufferPoolOptions, seams: PoolSeams)
  constructor(options: BufferPoolOptions = {}, seams: PoolSeams = {}) {
    const config = readBufferPoolOptions(options)
    this.#config = config
    this.#clock = seams.clock ?? systemClock
    this.#pressure = seams.pressure ?? memoryPressure()
    this.#report = new Reporter(config, seams.onLeak)
    this.#remembers = config.detectLeaks || config.debug
    this.#leaks = new Leaks(config.detectLeaks, this.#report)
    this.#debug = config.debug ? new Debug(this.#report) : undefined
    this.#latency = config.detailedMetrics ? new Latency() : undefined
    this.#ageing = new Ageing(this.#clock, config.maxIdle, () => this.#sweep())
    this.#stock = new Stock(config, this, seams.supply ?? slabSupply(native()), this.#pressure, {
      onSlot: (slot) => this.#leaks.watch(slot),
      onForgotten: (slot) => this.#debug?.forgotten(slot),
      onWarm: () => this.#onWarm(),
    })
    const memory = {
      get: (size: number) => this.get(size),
      put: (buffer: Buffer) => this.put(buffer),
      lends: (size: number) => this.#lends(size),
    }
    this.#copier = new Copier(config, memory, this.#clock, () => this.#followPressure())
    this.#magazines = this.#stock.magazines
    this.#classes = new SizeClasses(config.classes)
    this.#least = config.minBufferSize
    this.#largest = largestPooled(config)
    this.#due = config.detailedMetrics
    this.#most = this.#remembers || this.#due ? NONE : this.#largest
    this.#quick = config.debug ? {} : this
    if (config.logging && config.loggingInterval !== Number.POSITIVE_INFINITY) this.#logLater()
  }

  /**
   * A Buffer of exactly `size` bytes, of whatever content: pooled where the pool has a class for it and room, else allocated for this use.
   * Give it back by `put`.
   *
   * @param size Bytes, whole, from 0 to the longest Buffer of Node. Default `defaultBufferSize`.
   * @throws `ERR_DREY_CONFIG`: `size` is none.
   * @throws `ERR_DREY_CLOSED`: the pool was closed.
   */
  get(size: number = this.#config.defaultBufferSize): Buffer {
    if (size >>> 0 === size && size >= this.#least && size <= this.#most) {
      const magazine = this.#magazines[this.#classes.indexOf(size)]!
      if (magazine.count > 0) return this.#lend(magazine, size)
    }
    return this.#getLong(size)
  }

  /**
   * Takes back a Buffer that `get` gave, after which its holder must not touch it any more. Only the very object serves, once: a slice, a foreign
   * Buffer or one that is back already is refused and counted, and nothing else happens.
   *
   * @returns whether it was taken
   */
  put(buffer: Buffer): boolean {
    if (typeof buffer !== 'object' || buffer === null) return this.#refuse(buffer)
    const slot = slotOf(buffer)
    if (slot === undefined || slot.out !== buffer || slot.owner !== this.#quick)
      return this.#putLong(buffer, slot)
    slot.out = null
    slot.since = this.#now
    const { magazine, slab } = slot
    magazine.idle[magazine.count] = slot
    magazine.count += 1
    slab.out -= 1
    if (slab.out === 0) magazine.idleSlabs += 1
    return true
  }

  /**
   * The same as `get`, to be given back by `release()` or at the end of a block: `using lease = pool.lease(65536)`, and the memory is `lease.buffer`.
   *
   * @throws what `get` throws
   */
  lease(size: number = this.#config.defaultBufferSize): Lease {
    return new Lease(this, this.get(size))
  }

  /**
   * Moves all of `source` into `sink` and ends it; a source or sink that fails ends the other. What each may be, and what is
   * promised (C1 to C10): docs/reference/buffers.md.
   *
   * @throws (rejects) what the source or sink failed with, `ERR_DREY_TRUNCATED`, `ERR_DREY_TOO_LARGE`, `ERR_DREY_TIMEOUT`, `ERR_DREY_ABORTED`,
   *   `ERR_DREY_OVERLOADED`, `ERR_DREY_CLOSED`, and `ERR_DREY_CONFIG`, after which both are as they were
   */
  copy(source: CopySource, sink: CopySink, options?: CopyOptions): Promise<CopyResult> {
    return this.#copier.copy(source, sink, options)
  }

  /**
   * Gives `source` to a reader, as a stream of either kind or by `for await`, while `sink` gets it too. By default a slow sink slows the reader,
   * and one that fails does not harm it. T1 to T6: docs/reference/buffers.md.
   *
   * @throws `ERR_DREY_CONFIG`, `ERR_DREY_CLOSED`
   */
  tee(source: CopySource, sink: CopySink, options?: TeeOptions): Tee {
    return this.#copier.tee(source, sink, options)
  }

  /**
   * How an object of `size` bytes would be moved just now, and why, and what `get` would give. Nothing is done.
   *
   * @throws `ERR_DREY_CONFIG`: `size` is none.
   */
  explain(size: number): Explanation {
    checkSize(size)
    return explain(
      this.#config,
      size,
      () => this.#stock.room(this.#magazineOf(size)),
      (bytes) => this.#lends(bytes),
      () => this.#copier.chunks.bytesToFill(size),
    )
  }

  /** Numbers since the pool was made, and of now. */
  stats(): BufferPoolStats {
    return statsOf({
      config: this.#config,
      stock: this.#stock,
      counters: this.#counters,
      poisoned: this.#debug?.poisoned ?? 0,
      latency: this.#latency?.stats(),
      factor: this.#pressure.factor(),
      copies: this.#copier.stats(),
    })
  }

  /** How each class does, with the reason. */
  health(): ClassHealth[] {
    return this.#magazines.map(healthOf)
  }

  /**
   * Lets go of all idle memory and of the timer. What is out stays valid and may still be given back; `get` throws from here on. Another call
   * does nothing.
   */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.#closed = true
    this.#most = NONE
    this.#quick = {}
    this.#ageing.stop()
    this.#summary?.cancel()
    this.#unsubscribe?.()
    this.#copier.close()
    this.#stock.close()
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #lend(magazine: Magazine, size: number): Buffer {
    const slot = this.#pop(magazine)
    if (size !== magazine.bytes) return this.#view(slot, size)
    magazine.wholes += 1
    if ((magazine.wholes & (TIMED_SHORT - 1)) === 0) this.#timeNext()
    slot.out = slot.whole
    return slot.whole
  }

  #pop(magazine: Magazine): Slot {
    const at = magazine.count - 1
    const slot = magazine.idle[at]!
    magazine.idle[at] = null
    magazine.count = at
    if (at < magazine.low) magazine.low = at
    const { slab } = slot
    if (slab.out === 0) magazine.idleSlabs -= 1
    slab.out += 1
    return slot
  }

  #view(slot: Slot, size: number): Buffer {
    const { magazine, slab } = slot
    magazine.viewed(size)
    if ((magazine.views & (TIMED_SHORT - 1)) === 0) this.#timeNext()
    this.#counters.views[categoryIndex(this.#config, size)]! += 1
    const last = slot.view
    if (last !== null && last.length === size) {
      slot.out = last
      return last
    }
    const view = viewOf(slab.memory!, slot.at, size)
    markSlot(view, slot)
    // In debug mode each is lent once.
    if (this.#debug === undefined) slot.view = view
    slot.out = view
    return view
  }

  #getLong(size: number): Buffer {
    checkSize(size)
    if (this.#closed) throw new ClosedError('get: the buffer pool was closed: make a new one')
    const latency = this.#latency
    if (latency === undefined || !this.#timed()) return this.#serve(size)
    const begun = performance.now()
    const buffer = this.#serve(size)
    latency.record(categoryIndex(this.#config, size), (performance.now() - begun) * 1e6)
    return buffer
  }

  /** Has the next `get` go the long way, and be timed there: so that those in between need not ask. */
  #timeNext(): void {
    if (this.#latency === undefined || this.#most === NONE) return
    this.#due = true
    this.#most = NONE
  }

  /** Whether this call, on the long way, is to be timed. */
  #timed(): boolean {
    this.#long += 1
    const due = this.#due || this.#long % TIMED_LONG === 0
    if (this.#due && !this.#remembers) this.#most = this.#largest
    this.#due = false
    return due
  }

  #serve(size: number): Buffer {
    if (size < this.#least || size > this.#largest) return this.#allocate(size)
    const magazine = this.#magazineOf(size)
    if (magazine.count === 0) {
      magazine.misses += 1
      magazine.usedAt = this.#now
      const outcome = this.#stock.refill(magazine)
      if (outcome !== 'done') {
        magazine.unserved += 1
        this.#counters.fallbacks[outcome] += 1
        return this.#allocate(size)
      }
    }
    return this.#remembers ? this.#lendRemembered(magazine, size) : this.#lend(magazine, size)
  }

  #lendRemembered(magazine: Magazine, size: number): Buffer {
    const slot = this.#pop(magazine)
    const site = callSite()
    this.#leaks.got(slot, site)
    if (this.#debug !== undefined) {
      this.#debug.lent(slot, site)
      // An object of its own, so that who gives back what is somebody else's by now is known.
      return this.#view(slot, size)
    }
    if (size !== magazine.bytes) return this.#view(slot, size)
    magazine.wholes += 1
    slot.out = slot.whole
    return slot.whole
  }

  #allocate(size: number): Buffer {
    const buffer = Buffer.allocUnsafe(size)
    const category = categoryIndex(this.#config, size)
    this.#counters.direct[category]! += 1
    this.#counters.directBytes[category]! += size
    markSlot(buffer, this.#direct)
    return buffer
  }

  #putLong(buffer: Buffer, slot: Slot | undefined): boolean {
    if (slot === this.#direct) {
      changeSlot(buffer, this.#spent)
      this.#counters.directPuts += 1
      return true
    }
    if (slot?.owner !== this) return this.#refuse(buffer)
    if (slot.out !== buffer) {
      this.#counters.refused.again += 1
      this.#debug?.again(slot === this.#spent ? undefined : slot, buffer.length, callSite())
      return false
    }
    slot.out = null
    slot.since = this.#now
    const { magazine, slab } = slot
    slab.out -= 1
    this.#debug?.returned(slot, callSite())
    if (this.#closed) {
      this.#counters.latePuts += 1
      this.#stock.returned(slot)
      return true
    }
    magazine.idle[magazine.count] = slot
    magazine.count += 1
    if (slab.out === 0) magazine.idleSlabs += 1
    return true
  }

  /** Of what is no slot's. */
  #refuse(buffer: unknown): false {
    const bytes = ArrayBuffer.isView(buffer) ? buffer.byteLength : 0
    const kind = this.#kindOf(buffer)
    this.#counters.refused[kind] += 1
    this.#debug?.refused(bytes, kind, callSite())
    return false
  }

  #kindOf(buffer: unknown): 'foreign' | 'sliced' {
    return ArrayBuffer.isView(buffer) && this.#stock.owns(buffer.buffer) ? 'sliced' : 'foreign'
  }

  /** Whether `get` would give a pooled Buffer just now. */
  #lends(size: number): boolean {
    return (
      size <= this.#largest &&
      size >= this.#config.minBufferSize &&
      this.#stock.room(this.#magazineOf(size)) === 'there'
    )
  }

  #magazineOf(size: number): Magazine {
    return this.#magazines[this.#classes.indexOf(size)]!
  }

  #onWarm(): void {
    this.#ageing.start()
    this.#followPressure()
  }

  #followPressure(): void {
    if (this.#unsubscribe !== undefined) return
    // Looks for itself when somebody subscribes.
    this.#unsubscribe = this.#pressure.subscribe(() => this.#onPressure())
    this.#factor = this.#pressure.factor()
    this.#copier.setFactor(this.#factor)
  }

  #onPressure(): void {
    const factor = this.#pressure.factor()
    this.#copier.setFactor(factor)
    const higher = factor < this.#factor
    this.#factor = factor
    if (!higher) return
    const bytes = this.#stock.reclaim(Math.floor(this.#config.maxBytes * factor))
    if (bytes === 0) return
    this.#counters.reductions += 1
    this.#counters.reducedBytes += bytes
  }

  /** Says whether anything is left that can grow old. */
  #sweep(): boolean {
    this.#now += 1
    let warm = false
    for (const magazine of this.#magazines) {
      this.#stock.release(magazine, surplusOf(magazine, this.#now))
      if (worthGathering(magazine)) magazine.gather()
      warm ||= magazine.slabs.length > 0
    }
    return warm
  }

  #logLater(): void {
    this.#summary = this.#clock.after(this.#config.loggingInterval, () => {
      this.#logLater()
      this.#report.summary(this.stats())
    })
  }
}
