import { randomInt } from 'node:crypto'
import type { PoolPlan } from '../buffers/choice.js'
import { readBufferPoolOptions } from '../buffers/options.js'
import type { Clock } from '../clock.js'
import { type Advised, Advisor } from '../metrics/advice/advisor.js'
import { Trace } from '../metrics/advice/trace.js'
import { nativeStatus } from '../native/loader.js'
import type { CacheConfig } from './options.js'
import type { Tier } from './tier.js'

const SEEDS = 2 ** 32

/** What records the accesses of a cache; undefined where it is not to. */
export function traceOf({ metrics }: CacheConfig, clock: Clock, { store }: Tier): Trace | undefined {
  if (metrics.trace === 0) return undefined
  return new Trace({
    clock,
    most: metrics.trace,
    seed: randomInt(SEEDS),
    // Several tiers say as their own what the first one says.
    entries: () => {
      try {
        return store.stats().entries
      } catch {
        // Somebody's own store, of which the requests go on: whoever asks for `stats()` is told why.
        return 0
      }
    },
  })
}

/** Who looks for advice on a cache of that `config`, whose settings may be others by the next look. */
export function advisorOf(
  config: CacheConfig,
  clock: Clock,
  of: Pick<Advised, 'trace' | 'stats' | 'pool' | 'isClosed'>,
): Advisor {
  return new Advisor({
    ...of,
    clock,
    stores: config.stores,
    configured: () => {
      const { timeouts, freshness, bufferPool, profile } = config
      const status = nativeStatus()
      const native = { loaded: status.loaded, reason: status.loaded ? undefined : status.reason }
      return { timeouts, freshness, poolBytes: poolBytesOf(bufferPool), profile, native }
    },
  })
}

/** What the pool may hold: one that others use, too, is none of this cache's. */
function poolBytesOf(plan: PoolPlan): number {
  return plan.kind === 'own' ? readBufferPoolOptions(plan.options).maxBytes : 0
}
