import {
  CACHED_AT,
  ETAG_SIZE,
  FRESH_UNTIL,
  NEGATIVE,
  SIZE,
  STALE_IF_ERROR_UNTIL,
  STALE_UNTIL,
  TEXT_AT,
  USER_SIZE,
} from '../../../native/numbers.js'
import { decodeLabels, encodeLabels, NO_TAGS, parseUser, UNTAGGED } from '../../metadata.js'
import type { Metadata } from '../../store.js'

/** JSON that was parsed is remembered up to so many entries and bytes of it. */
const REMEMBERED = 1024
const REMEMBERED_BYTES = 1024 * 1024

/** Writes `metadata` to `numbers`, for a call that stores it. */
export function writeMetadata(metadata: Metadata, numbers: Float64Array): void {
  numbers[CACHED_AT] = metadata.cachedAt
  numbers[FRESH_UNTIL] = metadata.freshUntil
  numbers[STALE_UNTIL] = metadata.staleUntil
  numbers[STALE_IF_ERROR_UNTIL] = metadata.staleIfErrorUntil
  numbers[NEGATIVE] = metadata.negative ? 1 : 0
}

/** What is in the user's part of an entry, beside what has numbers. */
type Rest = Pick<Metadata, 'tags' | 'sequence' | 'user'>

/** Before labels, which JSON never begins with; between them and the user's JSON. */
const LABELLED = '#'
const END_OF_LABELS = '\n\n'

/** The user's part as it is stored: JSON, and before it the labels of an entry that has tags. */
export function userText(metadata: Metadata): string | undefined {
  const user = metadata.user === undefined ? undefined : JSON.stringify(metadata.user)
  const labels = encodeLabels(metadata)
  return labels === undefined ? user : `${LABELLED}${labels}${END_OF_LABELS}${user ?? ''}`
}

/** What `userText` gave, read. */
export function readUserText(text: string): Rest {
  if (!text.startsWith(LABELLED)) return { tags: NO_TAGS, user: parseUser(text) }
  const end = text.indexOf(END_OF_LABELS)
  const json = text.slice(end + END_OF_LABELS.length)
  return {
    ...decodeLabels(text.slice(1, end))!,
    ...(json === '' ? {} : { user: parseUser(json) }),
  }
}

/**
 * Metadata of what was found.
 *
 * The user's part is parsed for each entry once in a while, not for each read: what keys had lately is remembered, and
 * taken again when the bytes are the same.
 */
export class MetadataReader {
  readonly #rests = new Map<string, { readonly text: Buffer; readonly rest: Rest }>()
  #bytes = 0

  /** `texts` has etag and user at TEXT_AT. */
  read(key: string, numbers: Float64Array, texts: Buffer): Metadata {
    const etagSize = numbers[ETAG_SIZE]!
    const userSize = numbers[USER_SIZE]!
    const size = numbers[SIZE]!
    const cachedAt = numbers[CACHED_AT]!
    const freshUntil = numbers[FRESH_UNTIL]!
    const staleUntil = numbers[STALE_UNTIL]!
    const staleIfErrorUntil = numbers[STALE_IF_ERROR_UNTIL]!
    const negative = numbers[NEGATIVE] === 1
    if (etagSize < 0 && userSize < 0) {
      return { size, cachedAt, freshUntil, staleUntil, staleIfErrorUntil, negative, tags: NO_TAGS }
    }
    const at = numbers[TEXT_AT]!
    const userAt = at + Math.max(0, etagSize)
    return {
      size,
      cachedAt,
      freshUntil,
      staleUntil,
      staleIfErrorUntil,
      negative,
      ...(etagSize < 0 ? {} : { etag: texts.toString('utf8', at, userAt) }),
      ...(userSize < 0 ? UNTAGGED : this.#rest(key, texts.subarray(userAt, userAt + userSize))),
    }
  }

  #rest(key: string, text: Buffer): Rest {
    const there = this.#rests.get(key)
    if (there?.text.equals(text)) return there.rest
    const rest = readUserText(text.toString('utf8'))
    this.#bytes += text.length - (there?.text.length ?? 0)
    // In memory of its own: it would keep the block that it lies in.
    this.#rests.set(key, { text: Buffer.from(text), rest })
    if (this.#rests.size > REMEMBERED || this.#bytes > REMEMBERED_BYTES) {
      this.#rests.clear()
      this.#bytes = 0
    }
    return rest
  }
}
