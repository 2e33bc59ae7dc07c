import type { Metadata } from './store.js'

/*
 * What stores have in common that write metadata as bytes. Tags are kept as labels: lines, the first the sequence, each
 * other a tag (docs/disk-format.md, section 10).
 */

/** Tags of one entry, at most. */
export const MAX_TAGS = 100
/** Bytes of one tag in UTF-8, at most. */
export const MAX_TAG_BYTES = 256

/** What most entries have. */
export const NO_TAGS: readonly string[] = Object.freeze([])

/** What labels say. */
export interface Labels {
  readonly tags: readonly string[]
  readonly sequence: number
}

/** Metadata of an entry without tags, as far as they go. */
export const UNTAGGED = { tags: NO_TAGS } as const

/** Undefined where there are no tags. */
export function encodeLabels({ tags, sequence = 0 }: Metadata): string | undefined {
  return tags.length === 0 ? undefined : `${sequence}\n${tags.join('\n')}`
}

/** Undefined when `text` is none that `encodeLabels` gives. */
export function decodeLabels(text: string): Labels | undefined {
  const [first, ...tags] = text.split('\n')
  const sequence = /^\d{1,16}$/.test(first!) ? Number(first) : Number.NaN
  if (!Number.isSafeInteger(sequence) || tags.length === 0 || tags.length > MAX_TAGS) return undefined
  return { tags: Object.freeze(tags), sequence }
}

/** After that an entry answers nobody any more. */
export function usefulUntil({ freshUntil, staleUntil, staleIfErrorUntil }: Metadata): number {
  return Math.max(freshUntil, staleUntil, staleIfErrorUntil)
}

/** JSON that this package stored, frozen through and through. @throws what JSON.parse throws. */
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
