import { type ChunkBounds, ChunkSizes } from './chunk-size.js'
import type { CopyStrategy } from './copy.js'
import { Loans } from './loans.js'
import type { StrategyName } from './strategy.js'

/** What copies use of a pool. */
export interface Memory {
  get(size: number): Buffer
  put(buffer: Buffer): boolean
  /** Whether `get` would give a pooled one just now. */
  lends(size: number): boolean
}

/** What they need to know of its options. */
export interface ChunkConfig extends ChunkBounds {
  readonly enabled: boolean
  readonly largeObjectThreshold: number
  readonly largeObjectStrategy: StrategyName
}

/** The chunks of one copy. */
export interface Chunks {
  readonly loans: Loans
  /** Of each. */
  readonly bytes: number
  /** What came of it, for an object of that many bytes. */
  strategy(bytes: number): CopyStrategy
}

/** Gives copies their chunks, and counts those that the pool did not have. */
export class ChunkWays {
  /** Objects that were to be in one Buffer and came in parts, and chunks that should have been pooled and were allocated. */
  fallbacks = 0
  readonly #config: ChunkConfig
  readonly #memory: Memory
  readonly #sizes: ChunkSizes
  #closed = false

  constructor(config: ChunkConfig, memory: Memory) {
    this.#config = config
    this.#memory = memory
    this.#sizes = new ChunkSizes({ ...config, maxBufferSize: largestLent(config) })
  }

  /** An object came of which nobody knew the size. */
  saw(bytes: number): void {
    this.#sizes.saw(bytes)
  }

  /** From here on chunks are allocated. */
  close(): void {
    this.#closed = true
  }

  /** At most `depth` chunks of so many bytes for an object of `size`; `'own'`: none of the pool's. */
  open(size: number | undefined, bytes: number, depth: number, way: 'own' | 'pooled'): Chunks {
    const asked = this.#strategyFor(size)
    const pools = way === 'pooled' && asked !== 'direct' && this.#config.enabled
    let pooled = 0
    /** What the pool gave, and nobody else's to put. */
    const borrowed = new Set<Uint8Array>()
    const loans = new Loans(
      {
        borrow: () => {
          if (!pools || this.#closed) return Buffer.allocUnsafeSlow(bytes)
          if (this.#memory.lends(bytes)) pooled += 1
          else this.fallbacks += 1
          const buffer = this.#memory.get(bytes)
          borrowed.add(buffer)
          return buffer
        },
        giveBack: (memory) => {
          if (borrowed.delete(memory)) this.#memory.put(memory as Buffer)
        },
      },
      depth,
    )
    return {
      loans,
      bytes,
      strategy: (moved) => {
        if (pooled === 0) return 'direct'
        return moved <= bytes ? 'pooled' : 'chunked'
      },
    }
  }

  #isLarge(size: number | undefined): size is number {
    return size !== undefined && size >= this.#config.largeObjectThreshold
  }

  /** By the option, which is for large objects. */
  #strategyFor(size: number | undefined): StrategyName {
    return this.#isLarge(size) ? this.#config.largeObjectStrategy : 'adaptive'
  }

  /** How large the chunks of an object are that comes in pieces of its source's. */
  bytesFor(size: number | undefined): number {
    return this.#strategyFor(size) === 'pooled'
      ? (this.#wholeOf(size!) ?? this.#sizes.of(size))
      : this.#sizes.of(size)
  }

  /**
   * How large they are for one that is read into them. A large one that a class can hold is read at once, which was measured to be
   * faster than in parts (`npm run bench:micro -- strategies`); if the pool has no such Buffer to lend, in parts.
   *
   * @param onFallback called when it is in parts for that reason
   */
  bytesToFill(size: number | undefined, onFallback?: () => void): number {
    const whole =
      this.#strategyFor(size) === 'adaptive' && this.#isLarge(size) ? this.#wholeOf(size) : undefined
    if (whole === undefined || !this.#config.enabled) return this.bytesFor(size)
    if (this.#memory.lends(whole)) return whole
    onFallback?.()
    return this.bytesFor(size)
  }

  /** The class that holds an object whole. */
  #wholeOf(size: number): number | undefined {
    const { classes, maxBufferSize } = this.#config
    if (size > maxBufferSize) return undefined
    return classes.find((bytes) => bytes >= size) ?? maxBufferSize
  }
}

/** The largest that the pool lends: what is large and not to be pooled is not lent as a chunk either. */
function largestLent({
  largeObjectStrategy,
  largeObjectThreshold,
  maxBufferSize,
  classes,
}: ChunkConfig): number {
  if (largeObjectStrategy !== 'chunked') return maxBufferSize
  const lent = classes.filter((bytes) => bytes < largeObjectThreshold)
  return Math.min(maxBufferSize, lent.at(-1) ?? maxBufferSize)
}
