/** What a pool asks how short memory is. */
export interface PoolPressure {
  /** The part of `maxBytes` that the pool should use, 0 to 1. */
  factor(): number
  /** Has `listener` called when that changes, until what it returns is called. */
  subscribe(listener: () => void): () => void
}

/** At this factor and below memory is so short that nothing grows. */
export const CRITICAL_FACTOR = 0.2
