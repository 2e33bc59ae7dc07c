import type { ServerResponse } from 'node:http'
import { parseHttpDate } from './dates.js'
import { namesEtag, stronglyEqual } from './etags.js'
import { type Fields, without } from './headers.js'
import { parseRange, type Slice, sliceOf } from './range.js'
import type { StoredHead } from './stored-head.js'

/*
 * Which reply a stored answer makes to a request, RFC 9110 §13.2.2, and its head.
 */

export type Choice = 'whole' | 'not-modified' | 'unsatisfiable' | Slice

/** `size` is undefined while the body arrives and the origin declared none: a range cannot be told then. */
export function chooseReply(
  head: StoredHead,
  request: Fields,
  size: number | undefined,
  now: number,
): Choice {
  if (head.status < 200 || head.status > 299) return 'whole'
  const ifNoneMatch = request['if-none-match']
  if (ifNoneMatch !== undefined) {
    if (namesEtag(ifNoneMatch, head.etag)) return 'not-modified'
  } else {
    const since = parseHttpDate(request['if-modified-since'], now)
    if (since !== undefined && (head.modified ?? head.dated) <= since) return 'not-modified'
  }
  const range = request['range']
  if (range === undefined || size === undefined || head.status !== 200) return 'whole'
  const spec = parseRange(range)
  if (spec === undefined || !rangeApplies(head, request['if-range'])) return 'whole'
  return sliceOf(spec, size)
}

/** If-Range, RFC 9110 §13.1.5: the part is wanted only of the representation that the client has a part of. */
function rangeApplies(head: StoredHead, ifRange: string | undefined): boolean {
  if (ifRange === undefined) return true
  const text = ifRange.trim()
  if (text.startsWith('"') || text.startsWith('W/')) {
    return head.etag !== undefined && stronglyEqual(head.etag, text)
  }
  // A date is a strong validator only when the representation had been unchanged for a second when it was sent.
  const date = parseHttpDate(text, head.dated)
  return date !== undefined && date === head.modified && head.dated - head.modified >= 1000
}

/** What is said of this reply beside what is stored. */
export interface ReplyFacts {
  /** Size of the whole; undefined while it is not known. */
  readonly size: number | undefined
  /** In seconds; undefined for an answer that was just made. */
  readonly age: number | undefined
  readonly cacheStatus: string
  readonly closing: boolean
}

/** Writes the head of the reply. The body, if it has one, is the caller's. */
export function writeReplyHead(
  res: ServerResponse,
  head: StoredHead,
  choice: Choice,
  facts: ReplyFacts,
): void {
  if (choice === 'whole') {
    const headers = head.headers.slice()
    if (facts.size !== undefined && head.status !== 204) headers.push('Content-Length', String(facts.size))
    finish(res, head.status, headers, facts)
  } else if (choice === 'not-modified') {
    finish(res, 304, withoutRepresentation(head), facts)
  } else if (choice === 'unsatisfiable') {
    const headers = withoutRepresentation(head)
    headers.push('Content-Range', `bytes */${facts.size}`, 'Content-Length', '0')
    finish(res, 416, headers, facts)
  } else {
    const headers = head.headers.slice()
    headers.push('Content-Range', `bytes ${choice.start}-${choice.end}/${facts.size}`)
    headers.push('Content-Length', String(choice.end - choice.start + 1))
    finish(res, 206, headers, facts)
  }
}

/**
 * The head of a whole reply out of memory. It changes once a second, as age and freshness count; in between it is
 * written from the same array.
 */
export function writeHitHead(res: ServerResponse, head: StoredHead, hit: HitFacts): void {
  const age = ageOf(head, hit.now)
  const ttl = ttlOf(hit.freshUntil, hit.now)
  let drawn = drawnUp.get(head)
  if (drawn === undefined || drawn.age !== age || drawn.ttl !== ttl) {
    const headers = head.headers.slice()
    if (head.status !== 204) headers.push('Content-Length', String(hit.size))
    headers.push('Age', String(age), 'Cache-Status', hitStatus(ttl))
    drawn = { age, ttl, headers }
    drawnUp.set(head, drawn)
  }
  res.writeHead(head.status, hit.closing ? [...drawn.headers, 'Connection', 'close'] : drawn.headers)
}

export interface HitFacts {
  readonly size: number
  readonly freshUntil: number
  readonly now: number
  readonly closing: boolean
}

interface Drawn {
  readonly age: number
  readonly ttl: number
  readonly headers: string[]
}

// A head belongs to one stored value, so that its size is part of what is remembered.
const drawnUp = new WeakMap<StoredHead, Drawn>()

/** Without a ttl where it is for ever, which RFC 9211 cannot say. */
export function hitStatus(ttl: number): string {
  return Number.isFinite(ttl) ? `drey; hit; ttl=${ttl}` : 'drey; hit'
}

/** Freshness that is left, in whole seconds; negative when it is over. */
export function ttlOf(freshUntil: number, now: number): number {
  return Math.round((freshUntil - now) / 1000)
}

function finish(res: ServerResponse, status: number, headers: string[], facts: ReplyFacts): void {
  if (facts.age !== undefined) headers.push('Age', String(facts.age))
  headers.push('Cache-Status', facts.cacheStatus)
  if (facts.closing) headers.push('Connection', 'close')
  res.writeHead(status, headers)
}

/** Fields that describe a body which is not sent. `Content-Location` identifies, and stays (RFC 9110 §15.4.5). */
function withoutRepresentation(head: StoredHead): string[] {
  return without(
    head.headers,
    (name) =>
      (name.startsWith('content-') && name !== 'content-location' && name !== 'content-security-policy') ||
      (name === 'last-modified' && head.etag !== undefined),
  )
}

/** Age of an answer, in whole seconds. */
export function ageOf(head: StoredHead, now: number): number {
  return Math.max(0, Math.floor((now - head.bornAt) / 1000))
}
