import { categoryOf } from './category.js'
import type { PoolConfig } from './options.js'
import { type Choice, chooseStrategy, type Room, type SizeCategory, type Strategy } from './strategy.js'

/** How a pool would treat an object of some size. */
export interface Explanation {
  readonly size: number
  readonly category: SizeCategory
  /** How an object of that size is moved. */
  readonly strategy: Strategy
  /** Why. */
  readonly reason: string
  /** What `get(size)` gives: one Buffer in any case, from the pool or allocated for this use. */
  readonly lends: 'pooled' | 'direct'
  /** Bytes of the class that the Buffer is cut from, where `lends` is `'pooled'`. */
  readonly classBytes?: number
  /** Bytes of the pieces, where `strategy` is `'chunked'`. */
  readonly chunkSize?: number
}

/**
 * @param lends whether `get` would give a pooled Buffer of some size
 * @param chunkBytes how large the pieces are that an object of that size is read in
 */
export function explain(
  config: PoolConfig,
  size: number,
  room: () => Room,
  lends: (size: number) => boolean,
  chunkBytes: () => number,
): Explanation {
  const category = categoryOf(config, size)
  const choice = chooseStrategy(config, category, size, room)
  const { strategy, reason } = moved(config, choice, size, chunkBytes, lends)
  const pooled = lends(size)
  const classBytes = config.classes.find((bytes) => bytes >= size)
  return {
    size,
    category,
    strategy,
    reason,
    lends: pooled ? 'pooled' : 'direct',
    ...(pooled && classBytes !== undefined ? { classBytes } : {}),
    ...(strategy === 'chunked' ? { chunkSize: chunkBytes() } : {}),
  }
}

/** What comes of a choice: a small object is moved in a larger Buffer, and one Buffer could hold a medium one, but smaller ones move it as fast. */
function moved(
  config: PoolConfig,
  choice: Choice,
  size: number,
  chunkBytes: () => number,
  lends: (size: number) => boolean,
): Choice {
  const { enabled, minBufferSize, chunkSize } = config
  if (enabled && size < minBufferSize && lends(chunkBytes())) {
    return {
      strategy: 'pooled',
      reason: `it is moved in a Buffer of the smallest class that serves; get gives less than minBufferSize, ${minBufferSize} bytes, from memory of its own`,
    }
  }
  if (choice.strategy !== 'pooled' || chunkBytes() >= size) return choice
  return {
    strategy: 'chunked',
    reason: `it is larger than chunkSize, ${chunkSize} bytes, and smaller than largeObjectThreshold, from where one Buffer is faster`,
  }
}
