import { type ChunkBounds, ChunkSizes } from './chunk-size.js'
import type { CopyStrategy } from './copy.js'
import type { Explanation } from './explain.js'
import { Loans } from './loans.js'
import type { StrategyName } from './strategy.js'

/** What copies use of a pool. */
export interface Memory {
  get(size: number): Buffer
  put(buffer: Buffer): boolean
  explain(size: number): Explanation
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
  /** Chunks that should have been pooled and were allocated. */
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

  /** At most `depth` chunks for an object; `'own'`: none of the pool's. */
  open(size: number | undefined, depth: number, way: 'own' | 'pooled'): Chunks {
    const bytes = this.bytesFor(size)
    const asked = this.#strategyFor(size)
    const pools = way === 'pooled' && asked !== 'direct' && this.#config.enabled
    let pooled = 0
    /** What the pool gave, and nobody else's to put. */
    const borrowed = new Set<Uint8Array>()
    const loans = new Loans(
      {
        borrow: () => {
          if (!pools || this.#closed) return Buffer.allocUnsafeSlow(bytes)
          if (this.#memory.explain(bytes).lends === 'pooled') pooled += 1
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

  /** By the option, which is for large objects. */
  #strategyFor(size: number | undefined): StrategyName {
    const { largeObjectThreshold, largeObjectStrategy } = this.#config
    return size !== undefined && size >= largeObjectThreshold ? largeObjectStrategy : 'adaptive'
  }

  /** How large its chunks would be. */
  bytesFor(size: number | undefined): number {
    const whole = this.#strategyFor(size) === 'pooled' && size! <= this.#config.maxBufferSize
    if (!whole) return this.#sizes.of(size)
    return this.#config.classes.find((bytes) => bytes >= size!) ?? this.#config.maxBufferSize
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
