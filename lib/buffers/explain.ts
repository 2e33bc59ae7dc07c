import { categoryOf } from './category.js'
import type { PoolConfig } from './options.js'
import { chooseStrategy, type Room, type SizeCategory, type Strategy } from './strategy.js'

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

/** @param hasClass whether sizes up to this one are lent from classes */
export function explain(config: PoolConfig, size: number, room: () => Room, hasClass: boolean): Explanation {
  const category = categoryOf(config, size)
  const { strategy, reason } = chooseStrategy(config, category, size, room)
  const pooled = hasClass && size >= config.minBufferSize && room() === 'there'
  const classBytes = config.classes.find((bytes) => bytes >= size)
  return {
    size,
    category,
    strategy,
    reason,
    lends: pooled ? 'pooled' : 'direct',
    ...(pooled && classBytes !== undefined ? { classBytes } : {}),
    ...(strategy === 'chunked' ? { chunkSize: config.chunkSize } : {}),
  }
}
