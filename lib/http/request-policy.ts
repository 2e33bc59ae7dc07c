import type { Metadata } from '../store/store.js'
import type { Detail } from './cache-status.js'
import { type Directives, parseDirectives, secondsOf } from './directives.js'
import { type Fields, namesEndToEndFields } from './headers.js'
import type { StoredHead } from './stored-head.js'

/*
 * What a request allows: whether the cache may take part at all, and which stored answers will do.
 */

/** Keys beyond this bypass the cache: the core takes 32 KiB of UTF-8, and a character of a URL may be two bytes. */
export const MAX_KEY_CHARACTERS = 12 * 1024

/** Why this GET or HEAD goes past the cache; undefined when it does not. */
export function bypassReason(fields: Fields, key: string): Detail | undefined {
  if (key.length > MAX_KEY_CHARACTERS) return 'key-too-long'
  // The body of a GET is part of no key.
  if (fields['transfer-encoding'] !== undefined) return 'request-body'
  if (fields['content-length'] !== undefined && fields['content-length'] !== '0') return 'request-body'
  // Only an origin may evaluate these (RFC 9111 §4.3.2).
  if (fields['if-match'] !== undefined || fields['if-unmodified-since'] !== undefined) {
    return 'request-precondition'
  }
  if (fields['connection'] !== undefined && namesEndToEndFields(fields['connection'])) {
    return 'request-connection'
  }
  if (parseDirectives(fields['cache-control']).has('no-store')) return 'request-no-store'
  return undefined
}

/** What a request says about the stored answers that it accepts. */
export interface Demands {
  readonly authorized: boolean
  readonly onlyIfCached: boolean
  /** Whether it narrows or widens what is fresh; then `acceptable` is to be asked. */
  readonly custom: boolean
  readonly noCache: boolean
  /** Oldest age, in ms. */
  readonly maxAge: number
  /** Freshness that must be left, in ms. */
  readonly minFresh: number
  /** How long past its freshness an answer may be, in ms. */
  readonly maxStale: number
}

export function demandsOf(fields: Fields): Demands {
  const directives: Directives = parseDirectives(fields['cache-control'])
  const pragma = fields['cache-control'] === undefined ? fields['pragma'] : undefined
  const maxAge = secondsOf(directives, 'max-age')
  const minFresh = secondsOf(directives, 'min-fresh')
  const noCache = directives.has('no-cache') || (pragma !== undefined && /\bno-cache\b/i.test(pragma))
  return {
    authorized: fields['authorization'] !== undefined,
    onlyIfCached: directives.has('only-if-cached'),
    custom: noCache || maxAge !== undefined || minFresh !== undefined || directives.has('max-stale'),
    noCache,
    maxAge: maxAge === undefined ? Number.POSITIVE_INFINITY : maxAge * 1000,
    minFresh: (minFresh ?? 0) * 1000,
    maxStale: staleness(directives.get('max-stale')),
  }
}

function staleness(argument: string | undefined): number {
  if (argument === undefined) return 0
  if (argument === '') return Number.POSITIVE_INFINITY
  return /^\d+$/.test(argument) ? Number(argument) * 1000 : 0
}

/** Whether a stored answer may be given without asking the origin. */
export function acceptable(
  meta: Metadata<StoredHead>,
  head: StoredHead,
  demands: Demands,
  now: number,
): boolean {
  // From the future: the clock was set back, and nothing is known of its age.
  if (meta.cachedAt > now) return false
  if (!demands.custom) return now < meta.freshUntil
  if (demands.noCache || now - head.bornAt > demands.maxAge) return false
  if (now < meta.freshUntil) return meta.freshUntil - now >= demands.minFresh
  return demands.minFresh === 0 && !head.revalidate && now - meta.freshUntil <= demands.maxStale
}
