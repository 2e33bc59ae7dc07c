import { parseHttpDate } from './dates.js'
import { parseEtag } from './etags.js'
import { type Fields, foldFields, type HeaderList, hopFields, without } from './headers.js'
import type { Selection } from './vary.js'

/*
 * The head of an answer as it is kept beside the body: compiled once when it arrives, so that a hit costs an array
 * copy and no policy. It must survive JSON.
 */

/** Kept beside each stored body, as the `user` of its metadata. */
export interface StoredHead {
  readonly status: number
  /** End-to-end fields and `Via`, ready for `writeHead`; without `Content-Length`, `Age` and `Cache-Status`. */
  readonly headers: HeaderList
  /** Validator for comparison with what clients send, if it is well-formed. */
  readonly etag?: string
  /** `Last-Modified`, epoch ms, if it can be read. */
  readonly modified?: number
  /** `Date`, epoch ms. */
  readonly dated: number
  /** Epoch ms at which the answer's age was 0. */
  readonly bornAt: number
  /** It had an `Age` when it came. */
  readonly aged?: boolean
  /** Freshness lifetime, in ms. 0: each use is to be confirmed by the origin. */
  readonly lifetime: number
  /** May answer a request with `Authorization`. */
  readonly shared: boolean
  /** Must not be used stale, whatever a client accepts. */
  readonly revalidate: boolean
  /** What it was selected by; absent without `Vary`. */
  readonly selection?: Selection
  /** Ties variants to their root. */
  readonly mark?: string
  /** The end of the body is the end of the connection: it can be relayed, but a break in it cannot be told. */
  readonly endsByClose?: boolean
}

/** The answer of an origin, with its fields as they came. */
export interface OriginHead {
  readonly status: number
  readonly headers: HeaderList
  readonly fields: Fields
  /** Epoch ms when it was asked, and when its head was there. */
  readonly askedAt: number
  readonly arrivedAt: number
}

export function originHead(
  status: number,
  headers: HeaderList,
  askedAt: number,
  arrivedAt: number,
): OriginHead {
  return { status, headers, fields: foldFields(headers), askedAt, arrivedAt }
}

/** Pseudonym of this proxy, RFC 9110 §7.6.3. */
export const VIA = '1.1 drey'

/** Written anew for each answer, from what is known then. */
function rewritten(name: string): boolean {
  return name === 'content-length' || name === 'age'
}

/** Fields for the client, whether the answer is stored or only relayed: end-to-end, dated, with `Via`. */
export function clientHeaders(head: OriginHead): string[] {
  const hops = hopFields(head.fields['connection'])
  const headers = without(head.headers, (name) => hops.has(name) || rewritten(name))
  if (head.fields['date'] === undefined) headers.push('Date', new Date(head.arrivedAt).toUTCString())
  headers.push('Via', VIA)
  return headers
}

/** Age when the head arrived, in ms: RFC 9111 §4.2.3. */
export function initialAge(head: OriginHead): number {
  const dated = parseHttpDate(head.fields['date'], head.arrivedAt)
  const apparent = dated === undefined ? 0 : Math.max(0, head.arrivedAt - dated)
  const delay = Math.max(0, head.arrivedAt - head.askedAt)
  // A Date counts whole seconds: less than one apart says nothing.
  return Math.max(apparent < 1000 ? 0 : apparent, ageField(head.fields) * 1000 + delay)
}

/** Seconds in `Age`: the first member if there are several, 0 if it cannot be read. */
export function ageField(fields: Fields): number {
  const text = fields['age']?.split(',', 1)[0]?.trim()
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), 2 ** 31) : 0
}

/** What the policy made of an answer, and what only the request knows. */
export interface Judged {
  readonly lifetime: number
  readonly shared: boolean
  readonly revalidate: boolean
  readonly selection?: Selection | undefined
  readonly mark?: string | undefined
  readonly endsByClose?: boolean
}

export function compileHead(head: OriginHead, judged: Judged): StoredHead {
  const { fields, arrivedAt } = head
  const etag = parseEtag(fields['etag'])
  const modified = parseHttpDate(fields['last-modified'], arrivedAt)
  return {
    status: head.status,
    headers: clientHeaders(head),
    ...(etag === undefined ? {} : { etag }),
    ...(modified === undefined ? {} : { modified }),
    dated: parseHttpDate(fields['date'], arrivedAt) ?? arrivedAt,
    bornAt: arrivedAt - initialAge(head),
    ...(fields['age'] === undefined ? {} : { aged: true }),
    lifetime: judged.lifetime,
    shared: judged.shared,
    revalidate: judged.revalidate,
    ...(judged.selection === undefined ? {} : { selection: judged.selection }),
    ...(judged.mark === undefined ? {} : { mark: judged.mark }),
    ...(judged.endsByClose === true ? { endsByClose: true } : {}),
  }
}

/** Fields that a 304 does not replace: they describe the body that is kept (RFC 9111 §3.2). */
const KEPT_BY_304: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-range',
  'content-type',
  'content-md5',
  'etag',
  'age',
  'date',
  'via',
])

/**
 * The stored answer, freshened by a 304: fields that it gives replace the stored ones; age and date are the 304's.
 */
export function freshened(stored: StoredHead, confirmation: OriginHead): OriginHead {
  const hops = hopFields(confirmation.fields['connection'])
  const replaces = (name: string): boolean => !hops.has(name) && !KEPT_BY_304.has(name)
  const given = confirmation.fields
  const kept = without(
    stored.headers,
    (name) => name === 'via' || name === 'date' || (given[name] !== undefined && replaces(name)),
  )
  // Ours is appended again when the head is compiled; those of other proxies come from the 304.
  const added = without(confirmation.headers, (name) => !replaces(name) && name !== 'date' && name !== 'via')
  const aged = given['age'] === undefined ? [] : ['Age', given['age']]
  return originHead(stored.status, [...kept, ...added, ...aged], confirmation.askedAt, confirmation.arrivedAt)
}
