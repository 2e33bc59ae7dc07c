import { createHash } from 'node:crypto'
import type { Fields } from './headers.js'
import { listMembers } from './headers.js'

/*
 * Content negotiation, RFC 9111 §4.1. An entry keeps the names in its `Vary` and the values of the request that it
 * was selected by. The first variant lies at the key of the URI and is the root of the others, which lie at keys
 * made of that key, the root's mark and their own values. A root that is stored anew gets a new mark: variants of
 * before, such as those that an unsafe request invalidated, cannot be reached from it.
 */

/** What selects a variant. */
export interface Selection {
  /** Lower-case field names, in the order of the answer's `Vary`. */
  readonly names: readonly string[]
  /** Normalised values of these in the request; null where it had none. */
  readonly values: readonly (string | null)[]
}

/** Longer variant keys are hashed. */
const MAX_PLAIN = 2048

/** Their values are case-insensitive throughout. */
const CASELESS: ReadonlySet<string> = new Set(['accept-encoding', 'accept-language', 'accept-charset'])

/** Lower-case names in a `Vary` field, `*` among them if it is there. */
export function varyNames(vary: string | undefined): string[] {
  return vary === undefined ? [] : [...new Set(listMembers(vary.toLowerCase()))]
}

/** Of these names the normalised values in a request. */
export function selectionOf(names: readonly string[], request: Fields): Selection {
  return { names, values: names.map((name) => normalised(name, request)) }
}

/** Whether a request selects the variant. */
export function selects(selection: Selection | undefined, request: Fields): boolean {
  if (selection === undefined) return true
  const { names, values } = selection
  for (let i = 0; i < names.length; i += 1) {
    if (normalised(names[i]!, request) !== values[i]) return false
  }
  return true
}

/** Key of the variant that a request selects, below the root at `key` whose mark is `mark`. */
export function variantKey(key: string, mark: string, names: readonly string[], request: Fields): string {
  let suffix = ''
  // Neither names nor values can hold a line break, so that no two selections make one key.
  for (const name of names) suffix += `\n${name}:${normalised(name, request) ?? '\n'}`
  return suffix.length <= MAX_PLAIN
    ? `${key}\n${mark}${suffix}`
    : `${key}\n${mark}\n${createHash('sha256').update(suffix).digest('base64url')}`
}

/** White space around commas means nothing; letter case only where the field says so. */
function normalised(name: string, request: Fields): string | null {
  // A field may be called `constructor`, and node's headers have a prototype.
  const value = Object.hasOwn(request, name) ? request[name] : undefined
  // node:http gives one field as an array, Set-Cookie, which no request has any business with.
  if (typeof value !== 'string') return null
  const trimmed = value.includes(',') ? value.replace(/[ \t]*,[ \t]*/g, ',') : value
  return CASELESS.has(name) ? trimmed.toLowerCase() : trimmed
}
