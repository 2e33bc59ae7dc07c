import { DURATION_FORMS, parseDuration } from '../config/units.js'
import { ConfigError, messageOf } from '../errors.js'
import type { Metadata } from '../store/store.js'
import type { EntryOptions } from './fetcher.js'

/** Largest `user` metadata, in bytes of JSON: 64 KiB. */
export const MAX_USER_BYTES = 64 * 1024

/** How long entries are fresh and of use, in milliseconds, where nobody says otherwise. */
export interface Freshness {
  readonly ttl: number
  readonly staleIfError: number
  readonly negativeTtl: number
}

/** What an origin or a writer says of an entry, checked. Times in milliseconds. */
export interface EntryHead {
  readonly size: number | undefined
  readonly etag: string | undefined
  readonly ttl: number | undefined
  readonly staleIfError: number | undefined
  readonly user: unknown
}

/** @throws `ERR_DREY_CONFIG` that names what is wrong. */
export function readHead(given: EntryOptions): EntryHead {
  return {
    size: readSize(given.size),
    etag: readEtag(given.etag),
    ttl: readDuration('ttl', given.ttl),
    staleIfError: readDuration('staleIfError', given.staleIfError),
    user: readUser(given.user),
  }
}

export function readDuration(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined
  const ms = parseDuration(value)
  if (ms === undefined)
    throw new ConfigError(`${name}: got ${String(value)}; want ${DURATION_FORMS}, not negative`)
  return ms
}

function readSize(value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new ConfigError(
      `size: got ${String(value)}; want a whole number of bytes, or nothing when it is not known`,
    )
  }
  return value as number
}

function readEtag(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  // An etag goes into headers; a line break in it would write headers of its own.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (typeof value !== 'string' || value.length > 1024 || /[\u0000-\u001f\u007f]/.test(value)) {
    throw new ConfigError(
      `etag: got ${JSON.stringify(value)?.slice(0, 60)}; want text of at most 1024 characters without control characters`,
    )
  }
  return value
}

/** A frozen copy, so that neither the giver nor a reader can change what others see. */
export function readUser(value: unknown): unknown {
  if (value === undefined) return undefined
  let json: string | undefined
  try {
    json = JSON.stringify(value)
    if (json === undefined) throw new Error(`${typeof value} has no JSON`)
  } catch (error) {
    throw new ConfigError(`user: want JSON: ${messageOf(error)}`, { cause: error })
  }
  const bytes = Buffer.byteLength(json)
  if (bytes > MAX_USER_BYTES) {
    throw new ConfigError(`user: got ${bytes} bytes of JSON; want at most ${MAX_USER_BYTES}`)
  }
  return JSON.parse(json, (_, inner) => Object.freeze(inner))
}

/** Metadata of a value of `size` bytes that is stored, or confirmed, now. */
export function metadataOf(head: EntryHead, size: number, freshness: Freshness, now: number): Metadata {
  return build(head, size, false, now, head.ttl ?? freshness.ttl, head.staleIfError ?? freshness.staleIfError)
}

/** Metadata of "there is no such thing". */
export function negativeMetadata(ttl: number | undefined, freshness: Freshness, now: number): Metadata {
  return build({ etag: undefined, user: undefined }, 0, true, now, ttl ?? freshness.negativeTtl, 0)
}

/**
 * Metadata of an entry that its origin confirmed: fresh again, and all else as it was. How long comes from `head`,
 * else from the call, else from the entry itself: an origin that gave a lifetime once need not repeat it.
 */
export function confirmedMetadata(
  before: Metadata,
  head: Pick<EntryHead, 'ttl' | 'staleIfError' | 'user'>,
  call: Partial<Freshness>,
  freshness: Freshness,
  now: number,
): Metadata {
  return build(
    { etag: before.etag, user: head.user === undefined ? before.user : head.user },
    before.size,
    false,
    now,
    head.ttl ?? call.ttl ?? before.freshUntil - before.cachedAt,
    head.staleIfError ?? call.staleIfError ?? staleIfErrorOf(before) ?? freshness.staleIfError,
  )
}

/** For how long an entry may answer errors once it is stale; one that never becomes stale does not say. */
function staleIfErrorOf(metadata: Metadata): number | undefined {
  return metadata.freshUntil === Number.POSITIVE_INFINITY
    ? undefined
    : metadata.staleIfErrorUntil - metadata.freshUntil
}

function build(
  head: Pick<EntryHead, 'etag' | 'user'>,
  size: number,
  negative: boolean,
  now: number,
  ttl: number,
  staleIfError: number,
): Metadata {
  const freshUntil = now + ttl
  return Object.freeze({
    size,
    ...(head.etag === undefined ? {} : { etag: head.etag }),
    cachedAt: now,
    freshUntil,
    staleIfErrorUntil: freshUntil + staleIfError,
    negative,
    ...(head.user === undefined ? {} : { user: head.user }),
  })
}

/** Whether an entry answers by itself. One from the future is stale: the clock was set back, and nothing is known of its age. */
export function isFresh(metadata: Metadata, now: number): boolean {
  return now < metadata.freshUntil && metadata.cachedAt <= now
}

/** Whether `etag` is named by an `If-None-Match` list: weak comparison, `*` for any. */
export function matchesEtag(ifNoneMatch: string, etag: string | undefined): boolean {
  const list = ifNoneMatch.trim()
  if (list === '*') return true
  if (etag === undefined) return false
  const opaque = etag.replace(/^W\//, '')
  // Entity tags are quoted and may hold commas; what is not quoted is compared as it stands.
  for (const [, quoted] of list.matchAll(/(?:W\/)?("[^"]*"|[^\s,"]+)/g)) if (quoted === opaque) return true
  return false
}
