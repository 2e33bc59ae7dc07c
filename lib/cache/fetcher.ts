import type { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { Duration } from '../config/units.js'
import type { Metadata } from '../store/store.js'

/** What a value can be made of. Bytes are copied before the call returns; streams are read once, in order. */
export type Body =
  | Uint8Array
  | ArrayBuffer
  | string
  | { readonly json: unknown }
  | Readable
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array | string>

/** What is kept beside a value. */
export interface EntryOptions<User = unknown> {
  /** Size of the body in bytes, when known beforehand; a body of another size is refused as truncated. */
  readonly size?: number | undefined
  /** Validator of this representation, given back to the fetcher when the entry is stale. No control characters. */
  readonly etag?: string | null | undefined
  /** How long the entry is fresh. Default: the cache's `freshness.ttl`. */
  readonly ttl?: Duration | undefined
  /** For how long after that it still answers, while a new one is fetched. Default: the cache's `freshness.staleWhileRevalidate`. */
  readonly staleWhileRevalidate?: Duration | undefined
  /** For how long after `ttl` it may answer an error of the origin. Default: the cache's `freshness.staleIfError`. */
  readonly staleIfError?: Duration | undefined
  /** Labels by which `invalidateTags` finds it: at most 100, each of 1 to 256 bytes, no control characters. */
  readonly tags?: readonly string[] | undefined
  /** The user's own: JSON, at most 64 KiB. */
  readonly user?: User | undefined
}

/** A value from the origin. */
export interface FetchedBody<User = unknown> extends EntryOptions<User> {
  readonly body: Body
  /** False: for this caller alone, never kept and not shared with callers who wait. Default true. */
  readonly store?: boolean | undefined
}

const kind = Symbol('drey.result')

/** "There is no such thing", as `notFound()` makes it. Kept as a negative entry. */
export interface NotFoundResult {
  readonly [kind]: 'not-found'
  readonly ttl?: Duration | undefined
  readonly tags?: readonly string[] | undefined
}

/** "What you have is still right", as `notModified()` makes it. */
export interface NotModifiedResult<User = unknown> {
  readonly [kind]: 'not-modified'
  readonly ttl?: Duration | undefined
  readonly staleWhileRevalidate?: Duration | undefined
  readonly staleIfError?: Duration | undefined
  readonly user?: User | undefined
}

export type FetchResult<User = unknown> = FetchedBody<User> | NotFoundResult | NotModifiedResult<User>

/** What a fetcher is told. */
export interface FetcherContext<User = unknown> {
  readonly key: string
  /** Validator of the stale entry that the cache still has, to ask the origin conditionally. */
  readonly etag?: string
  /** Metadata of that entry. */
  readonly meta?: Metadata<User>
  /** Ends when nobody waits for the answer any more, on a timeout, and when the cache closes. */
  readonly signal: AbortSignal
}

/**
 * Asks the origin. What it throws reaches the caller as `ERR_DREY_ORIGIN` and is never kept.
 *
 * What a fetcher MUST do, and `fetcherSuite` of `drey/testing` checks:
 *
 *  F1  It gives the value as a `Body`, each caller one of its own that nobody else reads or changes; and a `size`, if any, that the body has.
 *  F2  What the origin does not have is `notFound()`, not an empty body.
 *  F3  It says `notModified()` only when it was given `meta`, and the origin still has just that.
 *  F4  When `signal` ends, so does the call, and a body that arrives: with an error, never as if it were whole.
 *  F5  When the origin fails, it throws an Error: a page that says so is not the value.
 *  F6  A body that breaks off fails, or is shorter than the `size` that it declared.
 *  F7  It keeps nothing between calls that they depend on: any number may be under way at once.
 */
export type Fetcher<User = unknown> = (
  context: FetcherContext<User>,
) => FetchResult<User> | Promise<FetchResult<User>>

/**
 * The origin has no such thing. The answer is kept for `ttl`, by default the cache's `freshness.negativeTtl`, and can be
 * invalidated by `tags`.
 */
export function notFound(
  options: { readonly ttl?: Duration; readonly tags?: readonly string[] } = {},
): NotFoundResult {
  return { [kind]: 'not-found', ttl: options.ttl, tags: options.tags }
}

/**
 * The entry that the cache has is confirmed: it becomes fresh again for `ttl`, its body is not rewritten. `user`,
 * `staleWhileRevalidate` and `staleIfError` replace what was kept beside it. Where neither this nor the call's `freshness` says how long,
 * it is as long as the entry was fresh before. Only an answer to a fetcher that was given `meta`.
 */
export function notModified<User = unknown>(
  options: {
    readonly ttl?: Duration | undefined
    readonly staleWhileRevalidate?: Duration | undefined
    readonly staleIfError?: Duration | undefined
    readonly user?: User | undefined
  } = {},
): NotModifiedResult<User> {
  return {
    [kind]: 'not-modified',
    ttl: options.ttl,
    staleWhileRevalidate: options.staleWhileRevalidate,
    staleIfError: options.staleIfError,
    user: options.user,
  }
}

/** Which of the three a result is; undefined when a fetcher returned something else. */
export function resultKind(result: unknown): 'body' | 'not-found' | 'not-modified' | undefined {
  if (typeof result !== 'object' || result === null) return undefined
  const known = (result as Partial<NotFoundResult | NotModifiedResult>)[kind]
  return known ?? ('body' in result ? 'body' : undefined)
}
