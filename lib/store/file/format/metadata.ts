import { MAX_USER_BYTES } from '../../../cache/metadata.js'
import { decodeLabels, encodeLabels, parseUser, UNTAGGED } from '../../metadata.js'
import type { Metadata } from '../../store.js'

/*
 * Metadata in a head (docs/disk-format.md, section 10).
 */

const HAS = {
  freshUntil: 1,
  staleIfErrorUntil: 2,
  etag: 4,
  user: 8,
  codec: 16,
  staleUntil: 32,
  labels: 64,
} as const
const ALL = 127
const NEGATIVE = 1
const MAX_ETAG_BYTES = 4096
const MAX_CODEC_BYTES = 64
const MAX_LABELS_BYTES = 32 * 1024

/** What a head keeps of an entry beside its size. */
export interface StoredMetadata {
  readonly metadata: Metadata
  /** Of the user's compressor that made chunks of codec 4. */
  readonly codecName: string | undefined
}

/** The bytes; undefined when a part is longer than it may be, or a time is no number. */
export function encodeMetadata(metadata: Metadata, codecName?: string): Buffer | undefined {
  const { cachedAt, freshUntil, staleUntil, staleIfErrorUntil } = metadata
  if ([cachedAt, freshUntil, staleUntil, staleIfErrorUntil].some(Number.isNaN)) return undefined
  const etag = metadata.etag === undefined ? undefined : Buffer.from(metadata.etag)
  const user = metadata.user === undefined ? undefined : Buffer.from(JSON.stringify(metadata.user))
  const codec = codecName === undefined ? undefined : Buffer.from(codecName)
  const labelText = encodeLabels(metadata)
  const labels = labelText === undefined ? undefined : Buffer.from(labelText)
  if (labels !== undefined && labels.length > MAX_LABELS_BYTES) return undefined
  if (etag !== undefined && etag.length > MAX_ETAG_BYTES) return undefined
  if (user !== undefined && user.length > MAX_USER_BYTES) return undefined
  if (codec !== undefined && (codec.length < 1 || codec.length > MAX_CODEC_BYTES)) return undefined
  const ends = freshUntil !== Number.POSITIVE_INFINITY
  const errorEnds = staleIfErrorUntil !== Number.POSITIVE_INFINITY
  const staleLater = staleUntil > freshUntil
  const bytes = Buffer.allocUnsafe(
    10 +
      (ends ? 8 : 0) +
      (errorEnds ? 8 : 0) +
      (staleLater ? 8 : 0) +
      (etag === undefined ? 0 : 2 + etag.length) +
      (user === undefined ? 0 : 4 + user.length) +
      (codec === undefined ? 0 : 1 + codec.length) +
      (labels === undefined ? 0 : 2 + labels.length),
  )
  bytes[0] =
    (ends ? HAS.freshUntil : 0) |
    (errorEnds ? HAS.staleIfErrorUntil : 0) |
    (etag === undefined ? 0 : HAS.etag) |
    (user === undefined ? 0 : HAS.user) |
    (codec === undefined ? 0 : HAS.codec) |
    (staleLater ? HAS.staleUntil : 0) |
    (labels === undefined ? 0 : HAS.labels)
  bytes[1] = metadata.negative ? NEGATIVE : 0
  let at = bytes.writeDoubleLE(cachedAt, 2)
  if (ends) at = bytes.writeDoubleLE(freshUntil, at)
  if (errorEnds) at = bytes.writeDoubleLE(staleIfErrorUntil, at)
  if (staleLater) at = bytes.writeDoubleLE(staleUntil, at)
  if (etag !== undefined) at = bytes.writeUInt16LE(etag.length, at) + etag.copy(bytes, at + 2)
  if (user !== undefined) at = bytes.writeUInt32LE(user.length, at) + user.copy(bytes, at + 4)
  if (codec !== undefined) at = bytes.writeUInt8(codec.length, at) + codec.copy(bytes, at + 1)
  if (labels !== undefined) labels.copy(bytes, bytes.writeUInt16LE(labels.length, at))
  return bytes
}

/** What `bytes` say, which must be all of it; undefined when they are no metadata. */
export function decodeMetadata(bytes: Buffer, size: number): StoredMetadata | undefined {
  if (bytes.length < 10) return undefined
  const has = bytes[0]!
  const flags = bytes[1]!
  if ((has & ~ALL) !== 0 || (flags & ~NEGATIVE) !== 0) return undefined
  const reader = new Cursor(bytes, 2)
  const cachedAt = reader.double()
  const freshUntil = has & HAS.freshUntil ? reader.double() : Number.POSITIVE_INFINITY
  const staleIfErrorUntil = has & HAS.staleIfErrorUntil ? reader.double() : Number.POSITIVE_INFINITY
  const staleUntil = has & HAS.staleUntil ? reader.double() : freshUntil
  const etag = has & HAS.etag ? reader.text(2, MAX_ETAG_BYTES) : undefined
  const user = has & HAS.user ? reader.text(4, MAX_USER_BYTES) : undefined
  const codecName = has & HAS.codec ? reader.text(1, MAX_CODEC_BYTES) : undefined
  const labelText = has & HAS.labels ? reader.text(2, MAX_LABELS_BYTES) : undefined
  const sound =
    reader.at === bytes.length &&
    ![cachedAt, freshUntil, staleUntil, staleIfErrorUntil].some(Number.isNaN) &&
    staleUntil >= freshUntil &&
    codecName !== ''
  if (!sound) return undefined
  const json = user === undefined ? undefined : parse(user)
  const labels = labelText === undefined ? undefined : decodeLabels(labelText)
  if ((user !== undefined && json === undefined) || (labelText !== undefined && labels === undefined)) {
    return undefined
  }
  return {
    metadata: {
      size,
      ...(etag === undefined ? {} : { etag }),
      cachedAt,
      freshUntil,
      staleUntil,
      staleIfErrorUntil,
      negative: (flags & NEGATIVE) !== 0,
      ...(labels ?? UNTAGGED),
      ...(json === undefined ? {} : { user: json }),
    },
    codecName,
  }
}

function parse(text: string): unknown {
  try {
    return parseUser(text)
  } catch {
    // A writer that stores what is no JSON: as good as damaged, and told as such.
    return undefined
  }
}

/** Reads parts one after another; past the end it gives NaN and nothing, and `at` is past the end, too. */
class Cursor {
  at: number
  readonly #bytes: Buffer

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  double(): number {
    const at = this.at
    this.at += 8
    return this.at <= this.#bytes.length ? this.#bytes.readDoubleLE(at) : Number.NaN
  }

  /** Text behind its length in `width` bytes. */
  text(width: number, most: number): string {
    const at = this.at + width
    const length =
      at <= this.#bytes.length ? this.#bytes.readUIntLE(this.at, width) : Number.POSITIVE_INFINITY
    this.at = at + (length <= most ? length : Number.POSITIVE_INFINITY)
    return this.at <= this.#bytes.length ? this.#bytes.toString('utf8', at, this.at) : ''
  }
}

/** Of an entry in doubt: it can be revalidated with its origin, and nothing else. */
export function inDoubt(metadata: Metadata): Metadata {
  return { ...metadata, freshUntil: 0, staleUntil: 0, staleIfErrorUntil: 0 }
}

/** Until when an entry is of use, by its metadata at `at`: the latest of `freshUntil`, `staleUntil` and `staleIfErrorUntil`. */
export function endIn(bytes: Buffer, at: number, length: number): number {
  const never = Number.POSITIVE_INFINITY
  if (length < 10) return never
  const has = bytes[at]!
  const ends = (has & HAS.freshUntil) !== 0
  const errorEnds = (has & HAS.staleIfErrorUntil) !== 0
  const staleLater = (has & HAS.staleUntil) !== 0
  if (!ends || !errorEnds || length < (staleLater ? 34 : 26)) return never
  const until = Math.max(bytes.readDoubleLE(at + 10), bytes.readDoubleLE(at + 18))
  return staleLater ? Math.max(until, bytes.readDoubleLE(at + 26)) : until
}
