import type { Readable, Writable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { Metadata } from '../store/store.js'

/**
 * How an answer came about. `hit`: fresh in a tier. `miss`: this call asked the origin. `joined`: another call
 * was asking already. `revalidated`: the origin confirmed what was stale. `stale`: the origin failed, and an
 * old value answers (`staleIfError`).
 */
export type Outcome = 'hit' | 'miss' | 'joined' | 'revalidated' | 'stale'

/** Why a value was not kept. */
export type NotStored = (typeof NOT_STORED)[number]

/** All reasons. */
export const NOT_STORED = ['too-large', 'no-room', 'no-store', 'fenced', 'tier-down', 'truncated'] as const

/** Whether what an answer says of its `stored` is why it was not. */
export function isNotStored(stored: string): boolean {
  return (NOT_STORED as readonly string[]).includes(stored)
}

/** A part of a value: bytes `start` to `end`, both counted from 0 and both included, as in HTTP. Default: from the first, to the last. */
export interface ByteRange {
  readonly start?: number
  readonly end?: number
}

interface AnswerBase {
  readonly key: string
  readonly outcome: Outcome
}

/** There is no such thing; the origin said so. */
export interface NotFound extends AnswerBase {
  readonly status: 'not-found'
  readonly meta: Metadata
}

/** The caller's `ifNoneMatch` names the value that there is. */
export interface NotModified<User = unknown> extends AnswerBase {
  readonly status: 'not-modified'
  readonly meta: Metadata<User>
}

/**
 * A value. Its body is read once, in the shape that the caller wants; a second reading is
 * `ERR_DREY_BODY_USED`. Up to 64 KiB needs no `close()`; a larger one holds resources until it was read to
 * its end, failed, was closed, or lay unread for `timeouts.idle`.
 *
 * A body that breaks off is `ERR_DREY_TRUNCATED` in every shape: none ends as if it were whole.
 */
export interface Found<User = unknown> extends AnswerBase, AsyncIterable<Buffer> {
  readonly status: 'ok'
  /** The tier that answered; undefined when the body comes from the origin. */
  readonly tier: string | undefined
  /** Metadata of the value. While the body still arrives without a declared size, `size` is -1. */
  readonly meta: Metadata<User>
  /** Size in bytes; undefined while the body still arrives and the origin declared none, or none but 0. */
  readonly size: number | undefined
  /** The tier that keeps the value, or why none does; undefined while the body still arrives. */
  readonly stored: string | NotStored | undefined
  /** The whole value; the memory is the caller's own. */
  bytes(): Promise<Buffer>
  /** The whole value as UTF-8. */
  text(): Promise<string>
  /** The whole value parsed as JSON. */
  json<T = unknown>(): Promise<T>
  /** A Node stream of the value, or of a part of it. */
  stream(range?: ByteRange): Readable
  /** A web stream of the value, or of a part of it. */
  web(range?: ByteRange): ReadableStream<Uint8Array>
  /**
   * Writes the value, or a part of it, with backpressure, and ends `writable`: the fastest way out, without a
   * copy into sockets and HTTP responses. Resolves when all was handed to those, else when `writable` has finished.
   * Rejects, with `writable` destroyed, when the body breaks off, and when `writable` fails or closes early. A
   * reading that is refused (`ERR_DREY_RANGE`, `ERR_DREY_BODY_USED`) leaves it as it was.
   */
  writeTo(writable: Writable, range?: ByteRange): Promise<void>
  /** Gives back what the body holds without reading it. */
  close(): void
}

export type Answer<User = unknown> = Found<User> | NotFound | NotModified<User>
