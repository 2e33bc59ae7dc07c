import { ConfigError } from '../errors.js'
import type { BatchEntry } from './cache.js'
import { type Fetcher, type FetcherContext, notFound } from './fetcher.js'
import { kindOf } from './metadata.js'

/*
 * Many keys in one call.
 */

/** How many of a batch are under way at a time. */
export const AT_A_TIME = 64

/**
 * What `call` gives for each of `items`, in their order; so many at a time. Where some fail, all others are done nevertheless, then it
 * rejects with the failure of the first in the order. `drop` gets what succeeded, for nobody gets it then.
 */
export function inBatch<T, R>(
  items: readonly T[],
  call: (item: T) => Promise<R>,
  drop: (result: R) => void = nothing,
): Promise<R[]> {
  const results: R[] = new Array(items.length)
  const done: boolean[] = new Array(items.length).fill(false)
  let firstFailed = items.length
  let failure: unknown
  let next = 0
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const at = next
      next += 1
      try {
        results[at] = await call(items[at]!)
        done[at] = true
      } catch (error) {
        if (at < firstFailed) {
          firstFailed = at
          failure = error
        }
      }
    }
  }
  const workers = Array.from({ length: Math.min(AT_A_TIME, items.length) }, work)
  return Promise.all(workers).then(() => {
    if (firstFailed === items.length) return results
    for (const [at, result] of results.entries()) if (done[at]) drop(result)
    throw failure
  })
}

/** @throws `ERR_DREY_CONFIG` */
export function readKeys(call: string, keys: unknown): readonly string[] {
  // What its keys are is looked at where they are used.
  if (Array.isArray(keys)) return keys
  throw new ConfigError(`${call}: got ${kindOf(keys)}; want an array of keys`)
}

/** @throws `ERR_DREY_CONFIG` */
export function readEntries(entries: unknown): readonly BatchEntry[] {
  if (!Array.isArray(entries)) {
    throw new ConfigError(`setMany: got ${kindOf(entries)}; want an array of { key, body, ... }`)
  }
  for (const [at, entry] of entries.entries()) {
    if (typeof entry !== 'object' || entry === null) {
      throw new ConfigError(`setMany: entry ${at} is ${kindOf(entry)}; want { key, body, ... }`)
    }
  }
  return entries
}

/** A fetcher of what `fn` gives, as JSON. */
export function jsonFetcher<T>(fn: (context: FetcherContext) => T | Promise<T>): Fetcher {
  return async (context) => {
    const json = await fn(context)
    return json === undefined ? notFound() : { body: { json } }
  }
}

const nothing = (): void => undefined
