/*
 * What is known of a value's content before its bytes are seen: what is compressed already is not tried again.
 */

/** What the giver of a value says of its content. */
export interface ContentHint {
  /** Media type, as in `Content-Type`; parameters are passed over. */
  readonly type?: string | undefined
  /** As in `Content-Encoding`: anything but `identity` is compressed already. */
  readonly encoding?: string | undefined
}

/** Media types that are compressed by themselves. A star stands for any text, at the beginning or the end. */
export const COMPRESSED_TYPES: readonly string[] = [
  'image/jpeg',
  'image/png',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/heic',
  'image/heif',
  'image/jxl',
  'image/jp2',
  'video/*',
  'audio/mpeg',
  'audio/mp4',
  'audio/aac',
  'audio/ogg',
  'audio/opus',
  'audio/webm',
  'audio/flac',
  'font/woff',
  'font/woff2',
  'application/zip',
  'application/gzip',
  'application/x-gzip',
  'application/zstd',
  'application/brotli',
  'application/x-7z-compressed',
  'application/x-rar-compressed',
  'application/vnd.rar',
  'application/x-bzip',
  'application/x-bzip2',
  'application/x-xz',
  'application/java-archive',
  'application/vnd.openxmlformats-officedocument.*',
  'application/vnd.oasis.opendocument.*',
  '*+zip',
  '*+gzip',
  '*+zstd',
]

/** Whether a value is not worth trying. */
export type Skips = (hint: ContentHint) => boolean

/** @param patterns media types; a star at the beginning or the end stands for any text */
export function skipsOf(patterns: readonly string[]): Skips {
  const lower = patterns.map((pattern) => pattern.toLowerCase())
  const exact = new Set(lower.filter((pattern) => !pattern.includes('*')))
  const begins = lower.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1))
  const ends = lower.filter((pattern) => pattern.startsWith('*')).map((pattern) => pattern.slice(1))
  return ({ type, encoding }) => {
    if (encoding !== undefined && !isIdentity(encoding)) return true
    if (type === undefined) return false
    const media = mediaTypeOf(type)
    return (
      exact.has(media) ||
      begins.some((begin) => media.startsWith(begin)) ||
      ends.some((end) => media.endsWith(end))
    )
  }
}

/** A pattern that `skipsOf` understands: `type/subtype`, or with one star at one end. */
export function isTypePattern(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 256 && /^(\*[^*\s]*|[^*\s]+\/[^*\s]*\*?)$/.test(value)
}

/**
 * What the `user` part of metadata says of the content: its `type` and `encoding`, or the fields of its `headers`, an
 * object or a flat list of names and values.
 */
export function hintOf(user: unknown): ContentHint {
  if (typeof user !== 'object' || user === null) return NOTHING
  const { type, encoding, headers } = user as Readonly<Record<string, unknown>>
  const hint = { type: textOf(type), encoding: textOf(encoding) }
  if (typeof headers !== 'object' || headers === null) return hint
  return {
    type: hint.type ?? fieldOf(headers, 'content-type'),
    encoding: hint.encoding ?? fieldOf(headers, 'content-encoding'),
  }
}

const NOTHING: ContentHint = {}

function fieldOf(headers: object, name: string): string | undefined {
  if (!Array.isArray(headers)) {
    return Object.hasOwn(headers, name) ? textOf((headers as Record<string, unknown>)[name]) : undefined
  }
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (typeof headers[at] === 'string' && headers[at].toLowerCase() === name) return textOf(headers[at + 1])
  }
  return undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function mediaTypeOf(type: string): string {
  const end = type.indexOf(';')
  return (end === -1 ? type : type.slice(0, end)).trim().toLowerCase()
}

function isIdentity(encoding: string): boolean {
  const name = encoding.trim().toLowerCase()
  return name === '' || name === 'identity'
}
