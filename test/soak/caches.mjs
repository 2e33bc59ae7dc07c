import { createCacheWith } from '../../dist/cache/create.js'
import { fileStore, memoryStore } from '../../dist/index.js'
import { fastClock } from './clock.mjs'
import { GROUPS, SPACES } from './shared.mjs'

/* The caches of a thread, what changes in their options meanwhile, and what is left of them at the end. */

const MiB = 2 ** 20
const OPTIONS = {
  pressure: false,
  bufferPool: { debug: true },
  freshness: { ttl: '30s', staleWhileRevalidate: '20s', staleIfError: '5m', negativeTtl: '5s', jitter: 0.1 },
  // By the fast clock: long enough that a thread which waits for the processor is not taken for one that hangs.
  timeouts: { operation: '2m', lookup: '2m', firstByte: '40s', fill: '10m', idle: '30m', shutdown: '1m' },
}
/** What a directory may take at most. */
export const MOST_BYTES = 24 * MiB
/** Bounds, by the name of the tier: what is written fills a directory in seconds, and never fits into the memory. */
const BYTES = { memory: [MiB, 2 * MiB, 4 * MiB], file: [12 * MiB, 16 * MiB, MOST_BYTES] }
const POLICIES = ['s3-fifo', 'sieve', 'lru']

export const memoryTier = (more) => memoryStore({ maxBytes: '4MiB', maxItemBytes: 256 * 1024, ...more })
export const fileTierOptions = (dir) => ({ dir, maxBytes: MOST_BYTES, minFree: 0, segmentBytes: MiB })

/** What a thread of the soak opens: of each space that it shares with others a cache. */
export async function openShared({ dir, name, speed, since }) {
  const clock = fastClock(speed, since)
  const open = (tier) => createCacheWith({ ...OPTIONS, tiers: [tier] }, { clock })
  return { memory: await open(memoryTier({ name })), disk: await open(fileStore(fileTierOptions(dir))) }
}

export function openTiers(tiers, { speed, since }) {
  return createCacheWith({ ...OPTIONS, tiers, writePolicy: 'through' }, { clock: fastClock(speed, since) })
}

/** The groups that the thread at a place may change, of so many. */
export function ownedBy(place, places) {
  return Array.from({ length: GROUPS }, (_, group) => group).filter((group) => group % places === place)
}

/** Changes one option or another. */
export function reconfigurer(cache, random, shared) {
  return async () => {
    const { tiers } = cache.stats()
    const { name } = tiers[random(tiers.length)]
    const patches = [
      () => ({ freshness: { ttl: `${5 + random(60)}s` } }),
      () => ({ abandon: ['finish', 'abort'][random(2)] }),
      () => ({ background: { concurrency: 1 + random(8) } }),
      () => ({ maxBufferedBytes: (1 + random(8)) * MiB }),
      () => ({ tiers: { [name]: { maxBytes: BYTES[name][random(3)] } } }),
      () => ({ tiers: { [name]: { policy: POLICIES[random(POLICIES.length)] } } }),
    ]
    await cache.configure(patches[random(patches.length)]())
    shared.count('changes of options')
  }
}

/** Looks whether a cache is within its bounds, and says of which it is not. */
export function lookAt(cache, shared) {
  for (const { name, bytes, maxBytes, pinnedBytes } of cache.stats().tiers) {
    shared.count('looks at the bounds')
    if (bytes <= Math.max(maxBytes, pinnedBytes)) continue
    shared.count('over the bound')
    console.error(`${name}: ${bytes} of ${maxBytes} bytes`)
  }
}

/** Counts what a cache that nobody uses any more still holds, then closes it. */
export async function closeOf(cache, shared, { last }) {
  // Fills whose callers went may go on; they end by themselves, or with the cache.
  await cache.close()
  const { leaks, openBodies, filling, pool, tiers } = cache.stats()
  shared.count('leaks', leaks)
  shared.count('open bodies', openBodies)
  shared.count('fills under way', filling)
  shared.count('pooled Buffers out', pool.active.count)
  shared.count(
    'misuse of the pool',
    pool.poisoned + pool.refused.again + pool.refused.foreign + pool.refused.sliced,
  )
  // Of a store that others have open, some of it is theirs.
  if (last) for (const { pinnedBytes } of tiers) shared.count('pinned bytes', pinnedBytes)
}

export { SPACES }
