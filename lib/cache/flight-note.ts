import { AbortedError, ClosedError, type DreyError, messageOf, OriginError, TimeoutError } from '../errors.js'
import type { Metadata } from '../store/store.js'

/*
 * What the leader of a flight tells those in other threads who follow it. A store carries it as text and looks at
 * nothing of it. It is read as if a stranger had written it: what is not exactly a note is none.
 */

export type Note =
  /** A body arrives. `metadata.size` is the size that the origin declared, or -1. */
  | { readonly kind: 'body'; readonly metadata: Metadata }
  /** All of the body is there, though the store may not keep it. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'not-found'; readonly metadata: Metadata }
  /** The origin failed, or took too long. */
  | { readonly kind: 'error'; readonly error: 'origin' | 'timeout'; readonly message: string }
  /** There is no answer, and whoever still wants one may ask for it: the leader gave up, or its cache closes. */
  | { readonly kind: 'again' }
  /** The answer is not for sharing: whoever wants it asks alone. */
  | { readonly kind: 'alone' }

export const WHOLE: Note = { kind: 'whole' }
export const AGAIN: Note = { kind: 'again' }
export const ALONE: Note = { kind: 'alone' }

/** Characters of an error's message that are told. */
const MAX_MESSAGE = 4096

/** What followers are told when a fill ends with `error`. */
export function noteOf(error: Error): Note {
  if (error instanceof AbortedError || error instanceof ClosedError) return AGAIN
  const kind = error instanceof TimeoutError ? 'timeout' : 'origin'
  return { kind: 'error', error: kind, message: messageOf(error).slice(0, MAX_MESSAGE) }
}

/** The error of the leader, as a follower raises it; what caused it stays in the leader's thread. */
export function errorOf(note: Extract<Note, { kind: 'error' }>): DreyError {
  return note.error === 'timeout' ? new TimeoutError(note.message) : new OriginError(note.message)
}

// JSON has no Infinity.
const NEVER = 'never'

export function encodeNote(note: Note): string {
  return JSON.stringify(note, (_, value) => (value === Number.POSITIVE_INFINITY ? NEVER : value))
}

/** The note that `text` is; undefined when it is none. What it has is frozen. */
export function decodeNote(text: string): Note | undefined {
  let given: unknown
  try {
    given = JSON.parse(text, (_, inner) => Object.freeze(inner))
  } catch {
    // No JSON, so no note; the caller treats it as lost.
    return undefined
  }
  if (!isRecord(given)) return undefined
  switch (given['kind']) {
    case 'whole':
      return WHOLE
    case 'again':
      return AGAIN
    case 'alone':
      return ALONE
    case 'body':
    case 'not-found': {
      const { kind } = given
      const metadata = metadataFrom(given['metadata'], kind === 'body' ? -1 : 0)
      return metadata && metadata.negative === (kind === 'not-found') ? { kind, metadata } : undefined
    }
    case 'error': {
      const { error, message } = given
      if ((error !== 'origin' && error !== 'timeout') || typeof message !== 'string') return undefined
      return { kind: 'error', error, message }
    }
    default:
      return undefined
  }
}

function metadataFrom(given: unknown, minSize: number): Metadata | undefined {
  if (!isRecord(given)) return undefined
  const { size, etag, negative, tags, sequence, user } = given
  const cachedAt = timeFrom(given['cachedAt'])
  const freshUntil = timeFrom(given['freshUntil'])
  const staleUntil = timeFrom(given['staleUntil'])
  const staleIfErrorUntil = timeFrom(given['staleIfErrorUntil'])
  if (cachedAt === undefined || freshUntil === undefined) return undefined
  if (staleUntil === undefined || staleIfErrorUntil === undefined) return undefined
  if (!Number.isSafeInteger(size) || (size as number) < minSize) return undefined
  if (typeof negative !== 'boolean' || (etag !== undefined && typeof etag !== 'string')) return undefined
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) return undefined
  if (tags.length > 0 !== Number.isSafeInteger(sequence)) return undefined
  return Object.freeze({
    size: size as number,
    ...(etag === undefined ? {} : { etag }),
    cachedAt,
    freshUntil,
    staleUntil,
    staleIfErrorUntil,
    negative,
    tags,
    ...(tags.length === 0 ? {} : { sequence: sequence as number }),
    ...(user === undefined ? {} : { user }),
  })
}

function timeFrom(given: unknown): number | undefined {
  if (given === NEVER) return Number.POSITIVE_INFINITY
  return typeof given === 'number' && Number.isFinite(given) ? given : undefined
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
