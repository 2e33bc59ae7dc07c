import { MEDIUM_FROM, type PoolConfig } from './options.js'
import { CATEGORIES, type SizeCategory } from './strategy.js'

/** Where large and very large begin. */
export type CategoryBorders = Pick<PoolConfig, 'largeObjectThreshold' | 'veryLargeObjectThreshold'>

/** The place of a size's category in `CATEGORIES`. */
export function categoryIndex(config: CategoryBorders, size: number): number {
  if (size < MEDIUM_FROM) return 0
  if (size < config.largeObjectThreshold) return 1
  return size < config.veryLargeObjectThreshold ? 2 : 3
}

export function categoryOf(config: PoolConfig, size: number): SizeCategory {
  return CATEGORIES[categoryIndex(config, size)]!
}
