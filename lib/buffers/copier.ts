import type { Clock } from '../clock.js'
import { AbortedError, ClosedError, TimeoutError } from '../errors.js'
import { createLimiter, type Limiter, type LimiterStats } from '../resilience/limiter/limiter.js'
import type { Permit } from '../resilience/limiter/permit.js'
import { Signals } from '../resilience/limiter/signals.js'
import { type ChunkConfig, ChunkWays, type Memory } from './chunks.js'
import { Copy, type CopyHost, type CopyResult, type CopyStrategy } from './copy.js'
import {
  type CopyOptions,
  type Move,
  readCopyOptions,
  readTeeOptions,
  type TeeOptions,
} from './copy-options.js'
import { Deadline } from './deadline.js'
import { inputOf } from './input.js'
import { outputOf } from './output.js'
import { Tee } from './tee.js'

/** Numbers of copies and tees. */
export interface CopyStats {
  /** Copies that were begun, and that ended well, and their bytes. */
  readonly begun: number
  readonly whole: number
  readonly bytes: number
  /** Those that were whole, by what was done. */
  readonly strategies: Readonly<Record<CopyStrategy, number>>
  /** Those that failed, by why. */
  readonly failed: { readonly aborted: number; readonly timeout: number; readonly other: number }
  /** Under way, now. */
  readonly active: number
  readonly tees: number
  /** Steps to the next strategy: objects that were to be in one Buffer and came in parts, and chunks that should have been pooled and were allocated. */
  readonly fallbacks: number
  /** Large operations: how many run and wait. Absent before the first. */
  readonly large?: LimiterStats
}

/** What it needs to know of a pool's options. */
export interface CopierConfig extends ChunkConfig {
  readonly maxConcurrentLargeOps: number
}

const onceAborted = (): void => undefined

/** Copies and tees of one pool. */
export class Copier implements CopyHost {
  readonly chunks: ChunkWays
  readonly largeObjectThreshold: number
  readonly #config: CopierConfig
  readonly #clock: Clock
  readonly #onFirstLarge: () => void
  readonly #signals = new Signals(onceAborted)
  readonly #strategies: Record<CopyStrategy, number> = { pooled: 0, chunked: 0, direct: 0, system: 0 }
  readonly #failed = { aborted: 0, timeout: 0, other: 0 }
  #limiter: Limiter | undefined
  #factor = 1
  #begun = 0
  #bytes = 0
  #active = 0
  #tees = 0
  #closed = false

  /** @param onFirstLarge called when large operations begin to be counted: `setFactor` is of use from then on */
  constructor(config: CopierConfig, memory: Memory, clock: Clock, onFirstLarge: () => void) {
    this.#config = config
    this.#clock = clock
    this.#onFirstLarge = onFirstLarge
    this.largeObjectThreshold = config.largeObjectThreshold
    this.chunks = new ChunkWays(config, memory)
  }

  async copy(source: unknown, sink: unknown, options: CopyOptions = {}): Promise<CopyResult> {
    this.#assertOpen('copy')
    const read = readCopyOptions(options)
    const output = outputOf(sink)
    let copy: Copy
    try {
      copy = new Copy(inputOf(source, output.lending !== 'own'), output, this, read)
    } catch (error) {
      // The sink is as it was: only what was listened to is forgotten.
      output.release()
      throw error
    }
    this.#begun += 1
    this.#active += 1
    const deadline = this.#deadline(read, 'copy', (error) => copy.fail(error))
    try {
      const running = copy.run()
      deadline.check()
      const result = await running
      this.#strategies[result.strategy] += 1
      this.#bytes += result.bytes
      return result
    } catch (error) {
      this.#count(error)
      throw error
    } finally {
      this.#active -= 1
      deadline.stop()
    }
  }

  tee(source: unknown, sink: unknown, options: TeeOptions = {}): Tee {
    this.#assertOpen('tee')
    const read = readTeeOptions(options)
    const output = outputOf(sink)
    let input: ReturnType<typeof inputOf>
    try {
      input = inputOf(source, false)
    } catch (error) {
      output.release()
      throw error
    }
    this.#tees += 1
    return new Tee(input, output, this.chunks, read, (fail) => this.#deadline(read, 'tee', fail))
  }

  stats(): CopyStats {
    const whole = Object.values(this.#strategies).reduce((sum, count) => sum + count, 0)
    return {
      begun: this.#begun,
      whole,
      bytes: this.#bytes,
      strategies: { ...this.#strategies },
      failed: { ...this.#failed },
      active: this.#active,
      tees: this.#tees,
      fallbacks: this.chunks.fallbacks,
      ...(this.#limiter === undefined ? {} : { large: this.#limiter.stats() }),
    }
  }

  /** Memory is shorter, or less so: fewer large operations run at once. */
  setFactor(factor: number): void {
    this.#factor = factor
    this.#limiter?.setFactor(factor)
  }

  /** What waits for a slot fails; what runs goes on, in memory of its own. */
  close(): void {
    this.#closed = true
    this.chunks.close()
    this.#limiter?.close()
  }

  acquire(signal: AbortSignal): Promise<Permit> {
    this.#assertOpen('copy')
    return this.#limits().acquire({ signal })
  }

  tryAcquire(): Permit | undefined {
    return this.#closed ? undefined : this.#limits().tryAcquire()
  }

  #limits(): Limiter {
    if (this.#limiter === undefined) {
      const { maxConcurrentLargeOps } = this.#config
      const name = 'bufferPool.maxConcurrentLargeOps'
      this.#limiter = createLimiter({ name, concurrency: maxConcurrentLargeOps }, this.#clock)
      this.#limiter.setFactor(this.#factor)
      this.#onFirstLarge()
    }
    return this.#limiter
  }

  #deadline(move: Move, what: 'copy' | 'tee', fail: (error: Error) => void): Deadline {
    return new Deadline(move, what, this.#clock, this.#signals, fail)
  }

  #count(error: unknown): void {
    if (error instanceof TimeoutError) this.#failed.timeout += 1
    else if (error instanceof AbortedError) this.#failed.aborted += 1
    else this.#failed.other += 1
  }

  #assertOpen(what: string): void {
    if (this.#closed) throw new ClosedError(`${what}: the buffer pool was closed: make a new one`)
  }
}
