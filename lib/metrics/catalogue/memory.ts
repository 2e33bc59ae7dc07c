import { PRESSURE_LEVELS } from '../../resilience/pressure/level.js'
import { by, type CacheMetric, plain } from './metric.js'

/** The pool that bodies pass through, and how short memory is. */
export const MEMORY: readonly CacheMetric[] = [
  by(
    'result',
    'counter',
    'pool_gets_total',
    'buffers',
    'Buffers asked of the pool: hit, an idle one; miss, of a pooled size and none was idle; direct, of another size. A miss may be direct, too.',
    ({ pool }) =>
      pool === undefined ? {} : { hit: pool.hits, miss: pool.misses, direct: pool.direct.count },
  ),
  by(
    'reason',
    'counter',
    'pool_fallbacks_total',
    'buffers',
    'Buffers that should have come from the pool and were allocated: full, pressure, or refused by the system.',
    ({ pool }) => ({ ...pool?.strategies.fallbacks }),
  ),
  by(
    'reason',
    'counter',
    'pool_refused_puts_total',
    'buffers',
    'Buffers that the pool did not take back: foreign, sliced, or again.',
    ({ pool }) => ({ ...pool?.refused }),
  ),
  plain('gauge', 'pool_held_bytes', 'bytes', 'Memory that the pool holds.', ({ pool }) => pool?.heldBytes),
  plain('gauge', 'pool_max_bytes', 'bytes', 'The bound of the pool.', ({ pool }) => pool?.maxBytes),
  plain(
    'gauge',
    'pool_active_bytes',
    'bytes',
    'Buffers of the pool that are out.',
    ({ pool }) => pool?.active.bytes,
  ),
  plain(
    'gauge',
    'pool_idle_bytes',
    'bytes',
    'Buffers of the pool that are idle.',
    ({ pool }) => pool?.idle.bytes,
  ),
  plain(
    'counter',
    'pool_leaked_buffers_total',
    'buffers',
    'Buffers of the pool that were lost by their holders.',
    ({ pool }) => pool?.leaked.count,
  ),
  plain(
    'gauge',
    'pressure_ratio',
    'ratio',
    'The part of memory in use, 0 to 1, as of the source that is worst off.',
    ({ pressure }) => pressure?.ratio,
  ),
  plain(
    'gauge',
    'pressure_factor',
    'ratio',
    'The part of its bound that whoever holds memory should use.',
    ({ pressure }) => pressure?.factor,
  ),
  by(
    'level',
    'gauge',
    'pressure_level',
    '0 or 1',
    'Whether memory pressure is on that level.',
    ({ pressure }) =>
      pressure === undefined
        ? {}
        : Object.fromEntries(PRESSURE_LEVELS.map((level) => [level, Number(pressure.level === level)])),
  ),
  plain(
    'counter',
    'pressure_changes_total',
    'changes',
    'Changes of the level of memory pressure.',
    ({ pressure }) => pressure?.changes,
  ),
]
