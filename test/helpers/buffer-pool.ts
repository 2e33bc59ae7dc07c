import type { BufferPoolChoice, BufferPoolStats } from '../../lib/index.js'

/*
 * What the caches of the tests run on: a pool, as users have it; `TEST_BUFFER_POOL=off` none; `TEST_BUFFER_POOL=debug` one that
 * fills what comes back, so that whoever still looks at it sees that.
 */

/** It sets no timer, so that a test can count those of the cache. */
const AGELESS = { maxIdle: Number.POSITIVE_INFINITY }

const CHOICES: Readonly<Record<string, BufferPoolChoice>> = {
  on: AGELESS,
  off: false,
  debug: { ...AGELESS, debug: true },
}

const asked = process.env['TEST_BUFFER_POOL'] ?? 'on'
const choice = CHOICES[asked]
if (choice === undefined) throw new Error(`TEST_BUFFER_POOL: got ${asked}; want on, off or debug`)

/** `bufferPool` of a cache whose test is not about that. */
export const bufferPool: BufferPoolChoice = choice

/** What a pool must not count once a cache has closed, as counts by name. */
export function misuseOf(pool: BufferPoolStats | undefined): Record<string, number> {
  if (pool === undefined) return {}
  const { active, poisoned, refused } = pool
  return {
    'pooled Buffers out': active.count,
    'Buffers that were written to after they came back': poisoned,
    'Buffers that came back twice': refused.again,
    'Buffers that came back and are none of the pool': refused.foreign + refused.sliced,
  }
}
