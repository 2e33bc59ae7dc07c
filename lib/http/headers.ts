/*
 * Header fields as flat lists: name, value, name, value, in the order and the case of the wire. That is the shape
 * that node:http reads (`rawHeaders`), undici gives and `writeHead` takes, and it keeps duplicates apart.
 */

/** Name, value, name, value. */
export type HeaderList = readonly string[]

/** Combined values by lower-case name, as RFC 9110 §5.2 combines them. Without a prototype: names come from strangers. */
export type Fields = Readonly<Record<string, string | undefined>>

/**
 * Fields that belong to one connection (RFC 9110 §7.6.1, RFC 9111 §3.1). Trailer sections are not forwarded, so
 * `Trailer` would promise what does not come.
 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** Combines fields of one name with a comma. */
export function foldFields(list: HeaderList): Fields {
  const fields: Record<string, string | undefined> = Object.create(null)
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!.toLowerCase()
    const before = fields[name]
    fields[name] = before === undefined ? list[i + 1]! : `${before}, ${list[i + 1]!}`
  }
  return fields
}

/** Members of a comma-separated list, trimmed, without the empty ones. No quoted strings. */
export function listMembers(value: string): string[] {
  return value
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '')
}

/** Lower-case names of the fields that do not pass this hop: the well-known ones and those that `Connection` names. */
export function hopFields(connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined) return HOP_BY_HOP
  const named = listMembers(connection.toLowerCase())
  return named.every((name) => HOP_BY_HOP.has(name)) ? HOP_BY_HOP : new Set([...HOP_BY_HOP, ...named])
}

/** True when `Connection` names a field that is not hop-by-hop by itself: the origin would see less than the key does. */
export function namesEndToEndFields(connection: string): boolean {
  return listMembers(connection.toLowerCase()).some((name) => name !== 'close' && !HOP_BY_HOP.has(name))
}

/** The list without the fields for which `drop` says true; it is given lower-case names. */
export function without(list: HeaderList, drop: (name: string) => boolean): string[] {
  const kept: string[] = []
  for (let i = 0; i < list.length; i += 2) {
    if (!drop(list[i]!.toLowerCase())) kept.push(list[i]!, list[i + 1]!)
  }
  return kept
}

/** A whole, non-negative number as RFC 9110 writes one; undefined for anything else. */
export function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}
