import type { Clock } from '../clock.js'
import { systemClock } from '../clock.js'
import { fileOf } from '../config/file/with-file.js'
import { isPlain } from '../config/merge.js'
import { native } from '../native/loader.js'
import type { Cache } from './cache.js'
import type { DirectCache } from './direct.js'
import { type CacheOptions, readCacheOptions, type SharedRuntime } from './options.js'
import { StreamingCache } from './streaming-cache.js'

/** What a test may replace. */
export interface Seams {
  readonly clock: Clock
}

/**
 * Makes a cache. Without options: one memory store of a quarter of the memory there is, at most 512 MiB, whose
 * entries are fresh until they are evicted.
 *
 * @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do;
 * `ERR_DREY_NATIVE` when `DREY_NATIVE=1` demands the addon and there is none.
 */
export function createCache<User = unknown>(options: CacheOptions = {}): Promise<Cache<User>> {
  return createCacheWith<User>(options, { clock: systemClock })
}

/** As `createCache`, with the clock given. */
export async function createCacheWith<User = unknown>(
  options: CacheOptions,
  seams: Seams,
  runtime?: SharedRuntime,
): Promise<DirectCache<User>> {
  // With DREY_NATIVE=1 and no addon this is the place to say so, before anything is served by the js path.
  native()
  const file = isPlain(options) ? await fileOf(options) : undefined
  const config = readCacheOptions(options, runtime, file)
  const cache = new StreamingCache(config, seams.clock)
  await cache.open()
  if (file !== undefined && options.watch === true) cache.followFile(file.file)
  return cache as DirectCache<unknown> as DirectCache<User>
}
