import { callFreshness } from '../config/schema.js'
import { parseDuration } from '../config/units.js'
import { validate } from '../config/validate.js'
import { ConfigError } from '../errors.js'
import type { Question } from './asking.js'
import type { FetchOptions, GetOptions } from './cache.js'
import type { Fetcher } from './fetcher.js'
import type { AskedFreshness, Freshness } from './metadata.js'
import { assertOptions, type CacheConfig, withFreshness } from './options.js'
import { Retries, retryOptions } from './retry.js'

/*
 * What a call of `fetch`, `get` or `refresh` may be given.
 */

/** Whom to ask. @throws `ERR_DREY_CONFIG` for a fetcher, a `retry` or an `origin` that is wrong. */
export function readQuestion(fetcher: Fetcher, { origin, retry }: FetchOptions): Question {
  if (typeof fetcher !== 'function') {
    throw new ConfigError(`fetch: want a function as fetcher; got ${typeof fetcher}`)
  }
  const named = origin === undefined || (typeof origin === 'string' && origin !== '' && origin.length <= 256)
  if (!named) {
    const given = typeof origin === 'string' ? JSON.stringify(origin.slice(0, 60)) : typeof origin
    throw new ConfigError(`origin: got ${given}; want text of 1 to 256 characters`)
  }
  const retries = retry === undefined ? undefined : new Retries(validate(retryOptions, retry, 'retry'))
  return { fetcher, origin, retries }
}

/** What the call says of freshness itself, and what holds with that. @throws `ERR_DREY_CONFIG` */
export function readFreshness(
  { freshness }: CacheConfig,
  options: FetchOptions,
): { readonly freshness: Freshness; readonly asked: AskedFreshness } {
  if (options.freshness === undefined) return { freshness, asked: {} }
  const { fresh: _, ...given } = options.freshness
  const valid = validate(callFreshness, given, 'freshness')
  const { ttl, staleWhileRevalidate, staleIfError } = valid
  return {
    freshness: withFreshness(valid, freshness),
    asked: {
      ...(ttl === undefined ? {} : { ttl: parseDuration(ttl)! }),
      ...(staleWhileRevalidate === undefined
        ? {}
        : { staleWhileRevalidate: parseDuration(staleWhileRevalidate)! }),
      ...(staleIfError === undefined ? {} : { staleIfError: parseDuration(staleIfError)! }),
    },
  }
}

/** @throws `ERR_DREY_CONFIG` for what a call of `fetch` or `get` may not be given. */
export function assertReading(options: GetOptions & FetchOptions): void {
  assertOptions(options)
  const { signal, ifNoneMatch, freshness } = options
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw new ConfigError(`signal: got ${signal === null ? 'null' : typeof signal}; want an AbortSignal`)
  }
  if (ifNoneMatch !== undefined && typeof ifNoneMatch !== 'string') {
    throw new ConfigError(`ifNoneMatch: got ${typeof ifNoneMatch}; want text such as '"a", W/"b"' or '*'`)
  }
  if (freshness?.fresh !== undefined && typeof freshness.fresh !== 'function') {
    throw new ConfigError(`freshness.fresh: got ${typeof freshness.fresh}; want a function`)
  }
}

/** @throws `ERR_DREY_CONFIG` for what a call of `refresh` may not be given. */
export function assertRefreshing(fetcher: unknown, options: FetchOptions): void {
  assertOptions(options)
  if (typeof fetcher !== 'function') {
    throw new ConfigError(`refresh: want a function as fetcher; got ${typeof fetcher}`)
  }
  if (options.freshness !== undefined) validate(callFreshness, options.freshness, 'freshness')
  readQuestion(fetcher as Fetcher, options)
}
