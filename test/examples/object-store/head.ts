import { createHash } from 'node:crypto'
import type { Metadata } from '../../../lib/index.js'

/*
 * The head of an entry: one object that says what the key has. What a put of it replaces it replaces in one step, so a reader has the old entry
 * or the new one. Small values lie in it; larger ones in objects of their own, which are never written twice.
 */

/** What a key has. */
export interface Head {
  readonly key: string
  readonly metadata: Metadata
  /** Which value it is: no two have the same. */
  readonly id: string
  /** The value, where it is small; else it lies in parts. */
  readonly inline: Uint8Array | undefined
  /** Bytes of each part but the last. */
  readonly partBytes: number
}

/** Keys come from strangers, so no name in the bucket is made of their text. */
export const nameOf = (key: string): string => createHash('sha256').update(key).digest('hex')

/** Times without an end are null: JSON has no Infinity. */
const TIMES = ['freshUntil', 'staleUntil', 'staleIfErrorUntil'] as const

/** A line of JSON, and the value behind it where that is small. */
export function encodeHead({ inline, ...more }: Head): Uint8Array {
  const line = JSON.stringify({ ...more, isInline: inline !== undefined })
  return Buffer.concat([Buffer.from(`${line}\n`), inline ?? new Uint8Array(0)])
}

/** @throws for bytes that are no head. */
export function decodeHead(bytes: Uint8Array): Head {
  const end = bytes.indexOf(10)
  const { key, metadata, id, partBytes, isInline } = JSON.parse(
    Buffer.from(bytes.subarray(0, end)).toString(),
  )
  for (const time of TIMES) metadata[time] ??= Number.POSITIVE_INFINITY
  Object.freeze(metadata.tags)
  return { key, metadata, id, partBytes, inline: isInline ? bytes.subarray(end + 1) : undefined }
}
