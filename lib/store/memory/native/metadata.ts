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
import { decodeLabels, encodeLabels, NO_TAGS, parseUser } from '../../metadata.js'
import type { Metadata } from '../../store.js'

/** JSON that was parsed is remembered up to twice so many entries and bytes of it. */
const REMEMBERED = 2048
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

/** The texts of an entry, and what they say. */
interface Said {
  /** Etag and user's part, one behind the other. */
  readonly text: Buffer
  readonly etagSize: number
  readonly userSize: number
  readonly etag: string | undefined
  readonly rest: Rest
}

/**
 * Metadata of what was found.
 *
 * Texts are read for each entry once in a while, not for each read of it: what keys had lately is remembered, and
 * taken again when the bytes are the same. In two generations, so that it is not what is read most that is forgotten.
 *
 * Invariant: `#bytes` are those of the texts in `#recent`, which has at most REMEMBERED entries and REMEMBERED_BYTES of them.
 */
export class MetadataReader {
  #recent = new Map<string, Said>()
  #before: ReadonlyMap<string, Said> = new Map()
  #bytes = 0

  /** `texts` has etag and user at TEXT_AT. */
  read(key: string, numbers: Float64Array, texts: Buffer): Metadata {
    const etagSize = numbers[ETAG_SIZE]!
    const userSize = numbers[USER_SIZE]!
    // Properties are added one by one: to spread objects costs more than all the rest of it.
    const metadata: { -readonly [name in keyof Metadata]: Metadata[name] } = {
      size: numbers[SIZE]!,
      cachedAt: numbers[CACHED_AT]!,
      freshUntil: numbers[FRESH_UNTIL]!,
      staleUntil: numbers[STALE_UNTIL]!,
      staleIfErrorUntil: numbers[STALE_IF_ERROR_UNTIL]!,
      negative: numbers[NEGATIVE] === 1,
      tags: NO_TAGS,
    }
    const at = numbers[TEXT_AT]!
    if (userSize < 0) {
      if (etagSize >= 0) metadata.etag = texts.toString('utf8', at, at + etagSize)
      return metadata
    }
    const { etag, rest } = this.#read(key, texts, at, etagSize, userSize)
    if (etag !== undefined) metadata.etag = etag
    metadata.tags = rest.tags
    if (rest.sequence !== undefined) metadata.sequence = rest.sequence
    if (rest.user !== undefined) metadata.user = rest.user
    return metadata
  }

  #read(key: string, texts: Buffer, at: number, etagSize: number, userSize: number): Said {
    const recent = this.#recent.get(key)
    const there = recent ?? this.#before.get(key)
    const userAt = at + Math.max(0, etagSize)
    const end = userAt + userSize
    if (
      there !== undefined &&
      there.etagSize === etagSize &&
      there.userSize === userSize &&
      texts.compare(there.text, 0, there.text.length, at, end) === 0
    ) {
      if (recent === undefined) this.#remember(key, there)
      return there
    }
    const said: Said = {
      // In memory of its own: it would keep the block that it lies in.
      text: Buffer.from(texts.subarray(at, end)),
      etagSize,
      userSize,
      etag: etagSize < 0 ? undefined : texts.toString('utf8', at, userAt),
      rest: readUserText(texts.toString('utf8', userAt, end)),
    }
    if (recent !== undefined) this.#bytes -= recent.text.length
    this.#remember(key, said)
    return said
  }

  #remember(key: string, said: Said): void {
    this.#recent.set(key, said)
    this.#bytes += said.text.length
    if (this.#recent.size <= REMEMBERED && this.#bytes <= REMEMBERED_BYTES) return
    this.#before = this.#recent
    this.#recent = new Map()
    this.#bytes = 0
  }
}
