import { DURATION_FORMS, parseDuration } from '../config/units.js'
import { ConfigError, messageOf } from '../errors.js'
import { hasAged } from '../store/aging/label.js'
import { MAX_TAG_BYTES, MAX_TAGS, NO_TAGS } from '../store/metadata.js'
import type { Metadata } from '../store/store.js'
import type { EntryOptions } from './fetcher.js'

/** Largest `user` metadata, in bytes of JSON: 64 KiB. */
export const MAX_USER_BYTES = 64 * 1024

/** How long entries are fresh and of use, in milliseconds, where nobody says otherwise. */
export interface Freshness {
  readonly ttl: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly negativeTtl: number
  /** The part of a lifetime that is taken off; of what was configured, `drawn` says how much it is this time. */
  readonly jitter: number
}

/** What a call may say of that itself. */
export type AskedFreshness = Partial<Pick<Freshness, 'ttl' | 'staleWhileRevalidate' | 'staleIfError'>>

/** What an origin or a writer says of an entry, checked. Times in milliseconds. */
export interface EntryHead {
  readonly size: number | undefined
  readonly etag: string | undefined
  readonly ttl: number | undefined
  readonly staleWhileRevalidate: number | undefined
  readonly staleIfError: number | undefined
  readonly tags: readonly string[]
  readonly user: unknown
}

/** @throws `ERR_DREY_CONFIG` that names what is wrong. */
export function readHead(given: EntryOptions): EntryHead {
  return {
    size: readSize(given.size),
    etag: readEtag(given.etag),
    ttl: readDuration('ttl', given.ttl),
    staleWhileRevalidate: readDuration('staleWhileRevalidate', given.staleWhileRevalidate),
    staleIfError: readDuration('staleIfError', given.staleIfError),
    tags: readTags(given.tags),
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
  const json = asJson(() => JSON.stringify(value) as string | undefined)
  if (json === undefined) throw new ConfigError(`user: want JSON: ${typeof value} has none`)
  const bytes = Buffer.byteLength(json)
  if (bytes > MAX_USER_BYTES) {
    throw new ConfigError(`user: got ${bytes} bytes of JSON; want at most ${MAX_USER_BYTES}`)
  }
  // What is nested too deep for the stack is so for one of the two, and which one depends on the engine.
  return asJson(() => JSON.parse(json, (_, inner) => Object.freeze(inner)) as unknown)
}

function asJson<T>(convert: () => T): T {
  try {
    return convert()
  } catch (error) {
    throw new ConfigError(`user: want JSON: ${messageOf(error)}`, { cause: error })
  }
}

/** A frozen copy, each tag once. */
export function readTags(value: unknown): readonly string[] {
  if (value === undefined) return NO_TAGS
  if (!Array.isArray(value)) throw new ConfigError(`tags: got ${kindOf(value)}; want an array of strings`)
  if (value.length > MAX_TAGS) throw new ConfigError(`tags: got ${value.length}; want at most ${MAX_TAGS}`)
  if (value.length === 0) return NO_TAGS
  return Object.freeze([...new Set(value.map((tag, at) => readTag(`tags[${at}]`, tag)))])
}

/** @throws `ERR_DREY_CONFIG` for what is no tag. */
export function readTag(name: string, tag: unknown): string {
  const bytes = typeof tag === 'string' ? Buffer.byteLength(tag) : 0
  // Stores keep tags as lines.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (bytes === 0 || bytes > MAX_TAG_BYTES || /[\u0000-\u001f\u007f]/.test(tag as string)) {
    const given = typeof tag === 'string' ? JSON.stringify(tag.slice(0, 60)) : kindOf(tag)
    throw new ConfigError(
      `${name}: got ${given}; want text of 1 to ${MAX_TAG_BYTES} bytes in UTF-8 without control characters`,
    )
  }
  // As stores keep it: half a character would be another one when it is read.
  return SURROGATE.test(tag as string) ? Buffer.from(tag as string).toString() : (tag as string)
}

const SURROGATE = /[\ud800-\udfff]/

/** `freshness` with the jitter that it has this time: the same for all that is said of one value. */
export function drawn(freshness: Freshness): Freshness {
  const { jitter } = freshness
  return jitter === 0 ? freshness : { ...freshness, jitter: jitter * Math.random() }
}

/** How long an entry is of use. */
interface Lifetime {
  readonly ttl: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
}

/**
 * Metadata of a value of `size` bytes that is stored now, by work that began when `sequence` tags had been invalidated.
 *
 * @param freshness as `drawn`
 */
export function metadataOf(
  head: EntryHead,
  size: number,
  freshness: Freshness,
  now: number,
  sequence: number,
): Metadata {
  const lifetime = {
    ttl: shortened(head.ttl ?? freshness.ttl, freshness),
    staleWhileRevalidate: head.staleWhileRevalidate ?? freshness.staleWhileRevalidate,
    staleIfError: head.staleIfError ?? freshness.staleIfError,
  }
  return build(head, size, false, now, lifetime, sequence)
}

/** Metadata of "there is no such thing". */
export function negativeMetadata(
  head: { readonly ttl: number | undefined; readonly tags: readonly string[] },
  freshness: Freshness,
  now: number,
  sequence: number,
): Metadata {
  const ttl = shortened(head.ttl ?? freshness.negativeTtl, drawn(freshness))
  const lifetime = { ttl, staleWhileRevalidate: 0, staleIfError: 0 }
  return build({ etag: undefined, user: undefined, tags: head.tags }, 0, true, now, lifetime, sequence)
}

/**
 * Metadata of an entry that its origin confirmed: fresh again, and all else as it was. How long comes from `head`,
 * else from the call, else from the entry itself: an origin that gave a lifetime once need not repeat it.
 */
export function confirmedMetadata(
  before: Metadata,
  head: Pick<EntryHead, 'ttl' | 'staleWhileRevalidate' | 'staleIfError' | 'user'>,
  call: AskedFreshness,
  freshness: Freshness,
  now: number,
  sequence: number,
): Metadata {
  const given = head.ttl ?? call.ttl
  const lifetime = {
    // That of the entry was shortened when it was given.
    ttl: given === undefined ? before.freshUntil - before.cachedAt : shortened(given, drawn(freshness)),
    staleWhileRevalidate:
      head.staleWhileRevalidate ??
      call.staleWhileRevalidate ??
      afterFresh(before, before.staleUntil) ??
      freshness.staleWhileRevalidate,
    staleIfError:
      head.staleIfError ??
      call.staleIfError ??
      afterFresh(before, before.staleIfErrorUntil) ??
      freshness.staleIfError,
  }
  const user = head.user === undefined ? before.user : head.user
  return build({ etag: before.etag, user, tags: before.tags }, before.size, false, now, lifetime, sequence)
}

function shortened(ttl: number, { jitter }: Freshness): number {
  return jitter === 0 || ttl === Number.POSITIVE_INFINITY ? ttl : ttl * (1 - jitter)
}

/** For how long an entry is of use once it is stale; one that never becomes stale does not say. */
function afterFresh({ freshUntil }: Metadata, until: number): number | undefined {
  return freshUntil === Number.POSITIVE_INFINITY ? undefined : until - freshUntil
}

function build(
  head: Pick<EntryHead, 'etag' | 'user' | 'tags'>,
  size: number,
  negative: boolean,
  now: number,
  { ttl, staleWhileRevalidate, staleIfError }: Lifetime,
  sequence: number,
): Metadata {
  const freshUntil = now + ttl
  return Object.freeze({
    size,
    ...(head.etag === undefined ? {} : { etag: head.etag }),
    cachedAt: now,
    freshUntil,
    staleUntil: freshUntil + staleWhileRevalidate,
    staleIfErrorUntil: freshUntil + staleIfError,
    negative,
    tags: head.tags,
    ...(head.tags.length === 0 ? {} : { sequence }),
    ...(head.user === undefined ? {} : { user: head.user }),
  })
}

/** Whether an entry answers by itself. One from the future is stale: the clock was set back, and nothing is known of its age. */
export function isFresh(metadata: Metadata, now: number): boolean {
  return now < metadata.freshUntil && metadata.cachedAt <= now && !hasAged(metadata, now)
}

/** Whether an entry that is not fresh may answer while a new one is fetched. */
export function isStaleOfUse(metadata: Metadata, now: number): boolean {
  const { freshUntil, staleUntil, tierFreshUntil } = metadata
  if (now >= staleUntil || metadata.cachedAt > now) return false
  if (tierFreshUntil === undefined || now >= freshUntil) return true
  // As long as if it had become stale then. One that never becomes stale does not say.
  return freshUntil !== Number.POSITIVE_INFINITY && now < tierFreshUntil + (staleUntil - freshUntil)
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

/** What a value is, for messages. */
export function kindOf(value: unknown): string {
  return value === null ? 'null' : typeof value
}
