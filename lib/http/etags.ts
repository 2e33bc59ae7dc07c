/*
 * Entity tags, RFC 9110 §8.8.3.
 */

const ETAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/
const ETAG_IN_LIST = /[\s,]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|$)/y

/** The entity tag, or undefined when the field is missing, given twice or not written as one: then it validates nothing. */
export function parseEtag(field: string | undefined): string | undefined {
  return field !== undefined && ETAG.test(field) ? field : undefined
}

function opaque(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag
}

/** Weak comparison: the same opaque tag, weak or not. */
export function weaklyEqual(a: string, b: string): boolean {
  return opaque(a) === opaque(b)
}

/** Strong comparison: the same tag, and neither is weak. */
export function stronglyEqual(a: string, b: string): boolean {
  return a === b && !a.startsWith('W/')
}

/**
 * Whether `If-None-Match` names the representation that has this etag: `*` names any. What comes after
 * something that is no entity tag is not looked at.
 */
export function namesEtag(ifNoneMatch: string, etag: string | undefined): boolean {
  if (ifNoneMatch.trim() === '*') return true
  if (etag === undefined) return false
  ETAG_IN_LIST.lastIndex = 0
  for (let match = ETAG_IN_LIST.exec(ifNoneMatch); match; match = ETAG_IN_LIST.exec(ifNoneMatch)) {
    if (weaklyEqual(match[1]!, etag)) return true
  }
  return false
}
