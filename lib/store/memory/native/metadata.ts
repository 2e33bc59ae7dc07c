import {
  CACHED_AT,
  ETAG_SIZE,
  FRESH_UNTIL,
  NEGATIVE,
  SIZE,
  STALE_IF_ERROR_UNTIL,
  TEXT_AT,
  USER_SIZE,
} from '../../../native/numbers.js'
import type { Metadata } from '../../store.js'

/** JSON that was parsed is remembered up to so many entries and bytes of it. */
const REMEMBERED = 1024
const REMEMBERED_BYTES = 1024 * 1024

/** Writes `metadata` to `numbers`, for a call that stores it. */
export function writeMetadata(metadata: Metadata, numbers: Float64Array): void {
  numbers[CACHED_AT] = metadata.cachedAt
  numbers[FRESH_UNTIL] = metadata.freshUntil
  numbers[STALE_IF_ERROR_UNTIL] = metadata.staleIfErrorUntil
  numbers[NEGATIVE] = metadata.negative ? 1 : 0
}

/** The user's part as it is stored. */
export function userText(metadata: Metadata): string | undefined {
  return metadata.user === undefined ? undefined : JSON.stringify(metadata.user)
}

/**
 * Metadata of what was found.
 *
 * The user's JSON is parsed for each entry once in a while, not for each read: what keys had lately is remembered, and
 * taken again when the bytes are the same.
 */
export class MetadataReader {
  readonly #users = new Map<string, { readonly text: Buffer; readonly user: unknown }>()
  #bytes = 0

  /** `texts` has etag and user at TEXT_AT. */
  read(key: string, numbers: Float64Array, texts: Buffer): Metadata {
    const etagSize = numbers[ETAG_SIZE]!
    const userSize = numbers[USER_SIZE]!
    const size = numbers[SIZE]!
    const cachedAt = numbers[CACHED_AT]!
    const freshUntil = numbers[FRESH_UNTIL]!
    const staleIfErrorUntil = numbers[STALE_IF_ERROR_UNTIL]!
    const negative = numbers[NEGATIVE] === 1
    if (etagSize < 0 && userSize < 0) return { size, cachedAt, freshUntil, staleIfErrorUntil, negative }
    const at = numbers[TEXT_AT]!
    const userAt = at + Math.max(0, etagSize)
    return {
      size,
      cachedAt,
      freshUntil,
      staleIfErrorUntil,
      negative,
      ...(etagSize < 0 ? {} : { etag: texts.toString('utf8', at, userAt) }),
      ...(userSize < 0 ? {} : { user: this.#user(key, texts.subarray(userAt, userAt + userSize)) }),
    }
  }

  #user(key: string, text: Buffer): unknown {
    const there = this.#users.get(key)
    if (there?.text.equals(text)) return there.user
    const user = parseUser(text.toString('utf8'))
    this.#bytes += text.length - (there?.text.length ?? 0)
    // In memory of its own: it would keep the block that it lies in.
    this.#users.set(key, { text: Buffer.from(text), user })
    if (this.#users.size > REMEMBERED || this.#bytes > REMEMBERED_BYTES) {
      this.#users.clear()
      this.#bytes = 0
    }
    return user
  }
}

/** JSON that this package stored, frozen through and through. */
export function parseUser(text: string): unknown {
  return freeze(JSON.parse(text))
}

function freeze(json: unknown): unknown {
  // Not by recursion: the value may be nested as deep as its text is long.
  const left = [json]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value !== 'object' || value === null) continue
    Object.freeze(value)
    for (const member of Object.values(value)) left.push(member)
  }
  return json
}
