import CachePolicy from 'http-cache-semantics'
import type { Detail } from './cache-status.js'
import { parseHttpDate } from './dates.js'
import { canonical, type Directives, parseDirectives, secondsOf } from './directives.js'
import { parseEtag } from './etags.js'
import type { Fields } from './headers.js'
import { initialAge, type OriginHead } from './stored-head.js'
import { varyNames } from './vary.js'

/*
 * Whether an answer may be stored, and for how long it is fresh. http-cache-semantics decides; what it would
 * misread is put right before, and what it leaves to its user (what a shared cache may do with cookies and
 * credentials, stale answers, missing freshness) is decided here.
 */

export interface FreshnessPolicy {
  /** Freshness where the origin says nothing, in ms; undefined: such answers are not stored. */
  readonly defaultTtl: number | undefined
  /** A tenth of the time since the last modification, where the origin says nothing. */
  readonly heuristic: boolean
  /** For how long an answer may stand in for an origin that fails, where the origin does not say, in ms; undefined: not for us to say. */
  readonly staleIfError: number | undefined
  /** Whether answers are given to others than who asked: then what is private, or set a cookie, is not stored. */
  readonly shared: boolean
  /** Lower-case fields of which the origin sees other values than clients sent: what varies by them is not stored. */
  readonly rewritten: ReadonlySet<string>
}

/** What of the request decides about storing its answer. */
export interface RequestFacts {
  readonly authorized: boolean
}

export type Verdict =
  | {
      readonly store: true
      /** Freshness lifetime, in ms; 0: each use is to be confirmed. */
      readonly lifetime: number
      /** Freshness that is left on arrival, in ms. */
      readonly ttl: number
      /** For how long it may still be given while a new one is fetched, in ms; undefined: the origin does not say. */
      readonly staleWhileRevalidate: number | undefined
      readonly staleIfError: number | undefined
      readonly revalidate: boolean
      readonly shared: boolean
      readonly vary: readonly string[]
    }
  | { readonly store: false; readonly detail: Detail }

/** Statuses that a default ttl applies to. Errors are stored only when the origin says for how long. */
const DEFAULT_TTL_STATUS: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308])

const NEVER_STALE = ['no-cache', 'must-revalidate', 'proxy-revalidate']

/** A guess is good for a day at most. */
const MAX_HEURISTIC = 864e5

const EXPIRED = 'Thu, 01 Jan 1970 00:00:00 GMT'

const refuse = (detail: Detail): Verdict => ({ store: false, detail })

/** Judges the answer to a GET. */
export function judge(head: OriginHead, request: RequestFacts, policy: FreshnessPolicy): Verdict {
  const { fields, status } = head
  if (status === 206 || fields['content-range'] !== undefined) return refuse('partial')
  const directives = responseDirectives(fields)
  if (directives.has('no-store')) return refuse('no-store')
  const shared = directives.has('public') || directives.has('s-maxage') || directives.has('must-revalidate')
  if (policy.shared) {
    if (directives.has('private')) return refuse('private')
    if (request.authorized && !shared) return refuse('authorization')
    if (fields['set-cookie'] !== undefined) return refuse('set-cookie')
  }
  const vary = varyNames(fields['vary'])
  if (vary.some((name) => name === '*' || policy.rewritten.has(name))) return refuse('vary')

  const semantics = new CachePolicy(
    { method: 'GET', url: '/', headers: {} },
    { status, headers: readable(fields, directives, head.arrivedAt) },
    { shared: policy.shared, cacheHeuristic: policy.heuristic ? 0.1 : 0, immutableMinTimeToLive: 0 },
  )
  if (!semantics.storable()) return refuse('status')

  const noCache = directives.has('no-cache')
  const explicit =
    (policy.shared && directives.has('s-maxage')) ||
    directives.has('max-age') ||
    fields['expires'] !== undefined
  const said = semantics.maxAge() * 1000
  const lifetime =
    noCache || explicit ? said : Math.min(said, MAX_HEURISTIC) || defaultLifetime(status, policy)
  if (lifetime === undefined) return refuse('no-freshness')

  const ttl = Math.max(0, lifetime - initialAge(head))
  const revalidate = directives.has('s-maxage') || NEVER_STALE.some((name) => directives.has(name))
  const staleIfError = staleAnswers(directives, 'stale-if-error', lifetime, policy.staleIfError)
  const staleWhileRevalidate = staleAnswers(directives, 'stale-while-revalidate', lifetime, undefined)
  // Neither fresh, nor to be confirmed, nor a help when the origin fails: it would only take room.
  const useless = ttl === 0 && !hasValidator(fields, head.arrivedAt) && staleIfError === 0
  if (useless) return refuse(noCache ? 'no-cache' : 'no-freshness')
  return { store: true, lifetime, ttl, staleWhileRevalidate, staleIfError, revalidate, shared, vary }
}

function responseDirectives(fields: Fields): Directives {
  const directives = parseDirectives(fields['cache-control'])
  const pragma = fields['pragma']
  if (fields['cache-control'] !== undefined || pragma === undefined) return directives
  return /\bno-cache\b/i.test(pragma) ? new Map([['no-cache', '']]) : directives
}

/** The fields that decide, written so that http-cache-semantics reads them as RFC 9111 does. */
function readable(fields: Fields, directives: Directives, now: number): Record<string, string> {
  // It takes proxy-revalidate for "never fresh"; what it does mean is handled by the caller.
  const read = new Map([...directives].filter(([name]) => name !== 'proxy-revalidate'))
  const headers: Record<string, string> = {}
  if (read.size > 0) headers['cache-control'] = canonical(read)
  // Freshness counts from Date; where there is none, or none that can be read, from the arrival.
  headers['date'] = new Date(parseHttpDate(fields['date'], now) ?? now).toUTCString()
  const expires = fields['expires']
  if (expires !== undefined) {
    headers['expires'] = parseHttpDate(expires, now) === undefined ? EXPIRED : expires
  }
  const modified = parseHttpDate(fields['last-modified'], now)
  if (modified !== undefined) headers['last-modified'] = new Date(modified).toUTCString()
  return headers
}

function defaultLifetime(status: number, policy: FreshnessPolicy): number | undefined {
  return DEFAULT_TTL_STATUS.has(status) ? policy.defaultTtl : undefined
}

/**
 * RFC 9111 §4.2.4 names the directives that forbid stale answers; RFC 5861 lets the origin allow them by the
 * second. An answer that is stale from the start is one that its origin wants asked for.
 */
function staleAnswers(
  directives: Directives,
  name: 'stale-if-error' | 'stale-while-revalidate',
  lifetime: number,
  otherwise: number | undefined,
): number | undefined {
  if (NEVER_STALE.some((name) => directives.has(name))) return 0
  const given = secondsOf(directives, name)
  if (given !== undefined) return given * 1000
  return directives.has('s-maxage') || lifetime === 0 ? 0 : otherwise
}

function hasValidator(fields: Fields, now: number): boolean {
  return parseEtag(fields['etag']) !== undefined || parseHttpDate(fields['last-modified'], now) !== undefined
}
