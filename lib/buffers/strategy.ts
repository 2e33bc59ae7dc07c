import type { PoolConfig } from './options.js'

/*
 * Which way an object of some size is moved, and why. Nothing is done here.
 */

/** Ways of moving an object; `adaptive` chooses among the others. */
export const STRATEGY_NAMES = ['pooled', 'chunked', 'direct', 'adaptive'] as const

/** A way of moving an object, or the choice among them. */
export type StrategyName = (typeof STRATEGY_NAMES)[number]

/** A way of moving an object: in one pooled Buffer, in pooled pieces, or in memory of its own. */
export type Strategy = Exclude<StrategyName, 'adaptive'>

/** Categories of sizes, ascending. */
export const CATEGORIES = ['small', 'medium', 'large', 'veryLarge'] as const

/** How large something is: `small` < 32 KiB ≤ `medium` < `largeObjectThreshold` ≤ `large` < `veryLargeObjectThreshold` ≤ `veryLarge`. */
export type SizeCategory = (typeof CATEGORIES)[number]

/** A strategy, and a clause that says why. */
export interface Choice {
  readonly strategy: Strategy
  readonly reason: string
}

/** Whether the pool could lend a Buffer of that size just now. */
export type Room = 'there' | 'full' | 'pressure'

/**
 * The strategy for an object of `size` bytes.
 *
 * @param room asked only where it decides
 */
export function chooseStrategy(
  config: PoolConfig,
  category: SizeCategory,
  size: number,
  room: () => Room,
): Choice {
  if (!config.enabled) return { strategy: 'direct', reason: 'the pool is not enabled' }
  const large = category === 'large' || category === 'veryLarge'
  if (large && config.largeObjectStrategy !== 'adaptive') {
    return asked(config, config.largeObjectStrategy, size)
  }
  if (size < config.minBufferSize) {
    return { strategy: 'direct', reason: `it is smaller than minBufferSize, ${config.minBufferSize} bytes` }
  }
  if (size > config.maxBufferSize) {
    return {
      strategy: 'chunked',
      reason: `it is larger than maxBufferSize, ${config.maxBufferSize} bytes, and pieces bound the memory that it takes`,
    }
  }
  switch (room()) {
    case 'there':
      return { strategy: 'pooled', reason: 'a Buffer of its class is there, or there is room for one' }
    case 'full':
      return {
        strategy: 'direct',
        reason: `the pool is full: all of maxBytes, ${config.maxBytes} bytes, is in use`,
      }
    case 'pressure':
      return { strategy: 'direct', reason: 'memory is short, and the pool does not grow meanwhile' }
  }
}

function asked(config: PoolConfig, strategy: Strategy, size: number): Choice {
  if (strategy === 'pooled' && size > config.maxBufferSize) {
    return {
      strategy: 'chunked',
      reason: `largeObjectStrategy is 'pooled', and it is larger than maxBufferSize, ${config.maxBufferSize} bytes`,
    }
  }
  return { strategy, reason: `largeObjectStrategy is '${strategy}'` }
}

/** No size is so small: where it is the largest that is pooled, none is. */
export const NONE = -1

/** The largest size that `get` may lend from a class: a large object that is not to be pooled is not lent from one either. */
export function largestPooled(config: PoolConfig): number {
  if (!config.enabled) return NONE
  const { largeObjectStrategy, largeObjectThreshold, maxBufferSize } = config
  const unpooled = largeObjectStrategy === 'chunked' || largeObjectStrategy === 'direct'
  return unpooled ? Math.min(maxBufferSize, largeObjectThreshold - 1) : maxBufferSize
}
