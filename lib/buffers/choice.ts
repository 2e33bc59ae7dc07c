import type { Clock } from '../clock.js'
import { orOptions } from '../config/option.js'
import { type BufferPoolOptions, bufferPoolOptions, readBufferPoolOptions } from './options.js'
import { BufferPool } from './pool.js'
import type { PoolPressure } from './pressure.js'
import type { LostBuffer } from './report.js'

/*
 * The option by which something that streams is told which memory to use: `bufferPool` of a cache and of a proxy.
 */

/** `true`: a pool of its own. `false`: none. Or the options of its own, or a pool that others may use, too. */
export type BufferPoolChoice = boolean | BufferPoolOptions | BufferPool

export const bufferPoolOption = orOptions<BufferPoolChoice>(
  bufferPoolOptions,
  (value) => typeof value === 'boolean' || value instanceof BufferPool,
  'want true or false, options such as { maxBytes: "64MiB" }, or a BufferPool',
  { type: 'boolean' },
)

/** The same, checked. */
export type PoolPlan =
  | { readonly kind: 'own'; readonly options: BufferPoolOptions }
  | { readonly kind: 'shared'; readonly pool: BufferPool }
  | { readonly kind: 'none' }

/** @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do. */
export function readBufferPool(choice: BufferPoolChoice): PoolPlan {
  if (choice === false) return { kind: 'none' }
  if (choice instanceof BufferPool) return { kind: 'shared', pool: choice }
  const options = choice === true ? {} : choice
  readBufferPoolOptions(options)
  return { kind: 'own', options }
}

/** What the one who has the pool gives to it. */
export interface PoolHost {
  readonly clock: Clock
  /** Undefined: as if memory were never short. */
  readonly pressure: PoolPressure | undefined
  readonly onLeak: (lost: LostBuffer) => void
}

const NEVER_SHORT: PoolPressure = {
  factor: () => 1,
  subscribe: () => () => undefined,
}

/** The pool of a plan. One that is shared keeps the clock and the pressure that it was made with. */
export function poolOf(plan: PoolPlan, { clock, pressure, onLeak }: PoolHost): BufferPool | undefined {
  switch (plan.kind) {
    case 'none':
      return undefined
    case 'shared':
      return plan.pool
    case 'own':
      return new BufferPool(plan.options, { clock, pressure: pressure ?? NEVER_SHORT, onLeak })
  }
}
