import { ConfigError } from '../errors.js'
import type { Later } from '../store/store.js'
import type { BatchEntry, SetManyOptions } from './cache.js'
import { type Fetcher, type FetcherContext, notFound } from './fetcher.js'
import { kindOf } from './metadata.js'
import { assertOptions } from './options.js'

/*
 * Many keys in one call.
 */

/** How many of a batch are under way at a time. */
export const AT_A_TIME = 64

/**
 * What `call` gives for each of `items`, in their order; so many at a time, and in this turn where it answers at once. Where some fail, all
 * others are done nevertheless, then it fails as the first in the order. `drop` gets what succeeded, for nobody gets it then.
 */
export function inBatch<T, R>(
  items: readonly T[],
  call: (item: T) => Later<R>,
  drop: (result: R) => void = nothing,
): Later<R[]> {
  const results: R[] = new Array(items.length)
  const failures = new Map<number, unknown>()
  let next = 0
  const work = (): Promise<void> | undefined => {
    while (next < items.length) {
      const at = next
      next += 1
      const keep = (result: R): void => {
        results[at] = result
      }
      const fail = (error: unknown): void => {
        failures.set(at, error)
      }
      try {
        const result = call(items[at]!)
        if (result instanceof Promise) return result.then(keep, fail).then(work)
        keep(result)
      } catch (error) {
        fail(error)
      }
    }
    return undefined
  }
  const end = (): R[] => {
    if (failures.size === 0) return results
    for (const [at, result] of results.entries()) if (at in results && !failures.has(at)) drop(result)
    throw failures.get(Math.min(...failures.keys()))
  }
  const workers: Promise<void>[] = []
  while (next < items.length && workers.length < AT_A_TIME) {
    const working = work()
    if (working !== undefined) workers.push(working)
  }
  return workers.length === 0 ? end() : Promise.all(workers).then(end)
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

/** Whether the entries are to be set as one. @throws `ERR_DREY_CONFIG` */
export function readAtomic(options: SetManyOptions): boolean {
  assertOptions(options)
  const { atomic = false } = options
  if (typeof atomic !== 'boolean') throw new ConfigError(`atomic: got ${kindOf(atomic)}; want true or false`)
  return atomic
}

/** A fetcher of what `fn` gives, as JSON. */
export function jsonFetcher<T>(fn: (context: FetcherContext) => T | Promise<T>): Fetcher {
  return async (context) => {
    const json = await fn(context)
    return json === undefined ? notFound() : { body: { json } }
  }
}

const nothing = (): void => undefined
