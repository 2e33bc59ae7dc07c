import type { Dispatcher } from 'undici'
import { type FetchedBody, type Fetcher, type FetchResult, notFound, notModified } from '../cache/fetcher.js'
import { ConfigError } from '../errors.js'
import type { Metadata } from '../store/store.js'
import { parseEtag, weaklyEqual } from './etags.js'
import { type Fields, wholeNumber } from './headers.js'
import { OriginFailure, originFailure } from './origin-failure.js'
import { type FreshnessPolicy, judge, type Verdict } from './response-policy.js'
import { type OriginHead, originHead } from './stored-head.js'

/** What `httpFetcher` keeps beside a body, as `meta.user`. */
export interface HttpMetadata {
  readonly status: number
  /** `Content-Type`. */
  readonly type?: string
  /** Fields that describe the body or its freshness, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
}

export interface HttpFetcherOptions {
  /** Fields of each request. */
  readonly headers?: Readonly<Record<string, string>>
  /** The cache serves more than one user: what is `private`, sets a cookie, or answers `Authorization` is not stored unless the origin allows it. Default true. */
  readonly shared?: boolean
  /** Guess freshness from `Last-Modified` where the origin says nothing. Default false. */
  readonly heuristic?: boolean
  /** How many redirects to follow; the last answer counts for all. Default 0: a redirect is an error. */
  readonly maxRedirections?: number
  /** An HTTP client of undici, such as a `Pool`. Default: its global one. */
  readonly dispatcher?: Dispatcher
}

const KEPT = [
  'content-type',
  'content-encoding',
  'content-language',
  'content-disposition',
  'cache-control',
  'expires',
  'date',
  'last-modified',
  'etag',
]

const MAX_ETAG_CHARACTERS = 1024
const DISCARD_BYTES = 64 * 1024

// Of a body that was given up, nobody wants to know how it failed.
const nobodyCares = (): void => undefined

/**
 * A fetcher that GETs `url`: conditionally by ETag and Last-Modified where there is something stale, with freshness from
 * Cache-Control and Expires, else from the cache. 404 and 410 are "not found"; what the origin forbids to store is
 * given to the caller alone; redirects, other errors and statuses are thrown as `OriginFailure`, never kept.
 *
 * @throws `ERR_DREY_CONFIG` when `url` is no http or https URL.
 */
export function httpFetcher(url: string | URL, options: HttpFetcherOptions = {}): Fetcher<HttpMetadata> {
  const target = readUrl(url)
  const headers = options.headers ?? {}
  const authorized = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')
  const redirects = options.maxRedirections ?? 0
  const policy: FreshnessPolicy = {
    // "Until the cache says otherwise": told from what an origin can say by being infinite.
    defaultTtl: Number.POSITIVE_INFINITY,
    heuristic: options.heuristic ?? false,
    staleIfError: undefined,
    shared: options.shared ?? true,
    rewritten: new Set(),
  }
  let dispatcher: Dispatcher | undefined
  return async ({ etag, meta, signal }) => {
    const before = meta?.user
    dispatcher ??= await dispatcherOf(options.dispatcher, redirects)
    const client = dispatcher
    const ask = (conditions: Readonly<Record<string, string>>): Promise<Asked> =>
      askOrigin(client, target, { ...headers, ...conditions }, signal)
    let asked = await ask(conditionsOf(etag, before))
    if (asked.head.status === 304 && meta !== undefined && before !== undefined) {
      asked.discard()
      const confirmed = confirm(asked.head, meta, before, authorized, policy)
      if (confirmed !== undefined) return confirmed
      asked = await ask({})
    }
    return resultOf(asked, target, authorized, policy)
  }
}

/** undici is loaded by who asks an origin first, not by everyone who imports the package. */
async function dispatcherOf(given: Dispatcher | undefined, redirects: number): Promise<Dispatcher> {
  if (given !== undefined && redirects === 0) return given
  const { getGlobalDispatcher, interceptors } = await import('undici')
  const dispatcher = given ?? getGlobalDispatcher()
  return redirects === 0
    ? dispatcher
    : dispatcher.compose(interceptors.redirect({ maxRedirections: redirects }))
}

function readUrl(url: string | URL): URL {
  const parsed = URL.canParse(String(url)) ? new URL(String(url)) : undefined
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:') {
    throw new ConfigError(`httpFetcher: got ${JSON.stringify(String(url))}; want an http or https URL`)
  }
  return parsed
}

interface Asked {
  readonly head: OriginHead
  readonly body: Dispatcher.ResponseData['body']
  discard(): void
}

async function askOrigin(
  dispatcher: Dispatcher,
  target: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Asked> {
  const askedAt = Date.now()
  try {
    const answer = await dispatcher.request({
      origin: target.origin,
      path: target.pathname + target.search,
      method: 'GET',
      headers: { ...headers },
      signal,
      // The cache times the wait.
      headersTimeout: 0,
    })
    const list = Object.entries(answer.headers).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value ?? '']).flatMap((one) => [name, one]),
    )
    return {
      head: originHead(answer.statusCode, list, askedAt, Date.now()),
      body: answer.body,
      discard: () => {
        answer.body.dump({ limit: DISCARD_BYTES }).catch(nobodyCares)
      },
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : originFailure(error)
  }
}

function conditionsOf(etag: string | undefined, before: HttpMetadata | undefined): Record<string, string> {
  const modified = before?.headers['last-modified']
  return {
    ...(etag === undefined ? {} : { 'if-none-match': etag }),
    ...(modified === undefined ? {} : { 'if-modified-since': modified }),
  }
}

/** What a 304 makes of the stored value; undefined when it confirms another, or forbids to keep it. */
function confirm(
  head: OriginHead,
  meta: Metadata<HttpMetadata>,
  before: HttpMetadata,
  authorized: boolean,
  policy: FreshnessPolicy,
): FetchResult<HttpMetadata> | undefined {
  const etag = head.fields['etag']
  if (etag !== undefined && meta.etag !== undefined && !weaklyEqual(etag, meta.etag)) return undefined
  const { date: _, ...stored } = before.headers
  const fields = Object.assign(Object.create(null), stored, head.fields) as Record<string, string | undefined>
  const verdict = judge({ ...head, status: before.status, fields }, { authorized }, policy)
  if (!verdict.store) return undefined
  return notModified({ ...times(verdict), user: metadataOf(before.status, { ...fields, ...body(stored) }) })
}

/** Of the fields that are kept, those that describe a body, which a 304 does not bring. */
function body(stored: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(stored).filter(([name]) => name.startsWith('content-')))
}

function resultOf(
  asked: Asked,
  target: URL,
  authorized: boolean,
  policy: FreshnessPolicy,
): FetchResult<HttpMetadata> {
  const { status, fields } = asked.head
  if (status === 404 || status === 410) {
    asked.discard()
    const verdict = judge(asked.head, { authorized }, policy)
    if (verdict.store) return notFound({ ttl: verdict.ttl })
    return notFound(verdict.detail === 'no-freshness' ? {} : { ttl: 0 })
  }
  if (status < 200 || status > 299 || status === 206) {
    asked.discard()
    const where = fields['location'] === undefined ? '' : ` to ${fields['location']}`
    throw new OriginFailure(`${target.origin}${target.pathname} answered ${status}${where}`, 502, status)
  }
  const etag = parseEtag(fields['etag'])
  const untilClose = fields['content-length'] === undefined && fields['transfer-encoding'] === undefined
  const endsByClose = untilClose && status !== 204
  const verdict: Verdict = endsByClose
    ? { store: false, detail: 'length-unknown' }
    : judge(asked.head, { authorized }, policy)
  return {
    body: asked.body,
    size: wholeNumber(fields['content-length']),
    etag: etag !== undefined && etag.length <= MAX_ETAG_CHARACTERS ? etag : undefined,
    user: metadataOf(status, fields),
    ...(verdict.store ? times(verdict) : { store: false, ttl: 0, staleWhileRevalidate: 0, staleIfError: 0 }),
  }
}

type EntryTimes = Pick<FetchedBody, 'ttl' | 'staleWhileRevalidate' | 'staleIfError'>

/** What is absent is the cache's to say. */
function times({ ttl, staleWhileRevalidate, staleIfError }: Extract<Verdict, { store: true }>): EntryTimes {
  return {
    ...(Number.isFinite(ttl) ? { ttl } : {}),
    ...(staleWhileRevalidate === undefined ? {} : { staleWhileRevalidate }),
    ...(staleIfError === undefined ? {} : { staleIfError }),
  }
}

function metadataOf(status: number, fields: Fields): HttpMetadata {
  const type = fields['content-type']
  const headers: Record<string, string> = {}
  for (const name of KEPT) {
    const value = fields[name]
    if (value !== undefined) headers[name] = value
  }
  return { status, ...(type === undefined ? {} : { type }), headers }
}
