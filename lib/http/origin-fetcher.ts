import type { FetchedBody, Fetcher, FetchResult } from '../cache/fetcher.js'
import { notModified } from '../cache/fetcher.js'
import type { Metadata } from '../store/store.js'
import type { Detail } from './cache-status.js'
import { weaklyEqual } from './etags.js'
import { type Exchange, originHeaders, type ProxyContext } from './exchange.js'
import { OriginFailure } from './origin-failure.js'
import { judge, type Verdict } from './response-policy.js'
import { compileHead, freshened, type OriginHead, type StoredHead } from './stored-head.js'
import type { OriginReply } from './upstream.js'
import { type Selection, selectionOf } from './vary.js'

/*
 * The fetcher behind a cacheable GET: asks the origin for the whole, conditionally where something stale is there,
 * and compiles what comes into what a hit needs.
 */

/** The cache keeps at most 64 KiB of metadata; a head beyond this, in JSON, is not stored. */
const MAX_HEAD_BYTES = 60 * 1024

/** Longest etag that the cache takes. */
const MAX_ETAG_CHARACTERS = 1024

/** `root`: the entry lies at the key of the URI and may become the root of variants. */
export function originFetcher(context: ProxyContext, exchange: Exchange, root: boolean): Fetcher<StoredHead> {
  return async ({ key, meta, signal }) => {
    exchange.asked = true
    const headers = originHeaders(context, exchange, true)
    const { path } = exchange.arrival.target
    const ask = (extra: readonly string[]): Promise<OriginReply> =>
      context.upstream.ask({
        method: 'GET',
        path,
        headers: [...headers, ...extra],
        body: undefined,
        signal,
      })
    const stale = meta?.user
    let reply = await ask(stale === undefined ? [] : validators(stale))
    if (reply.head.status === 304 && stale !== undefined) {
      exchange.originStatus = 304
      reply.discard()
      const confirmed = confirm(context, exchange, stale, reply.head)
      if (confirmed !== undefined) return confirmed
      // It confirms something else, or says that the answer may not be kept: then only a whole one will do.
      reply = await ask([])
    }
    const { status } = reply.head
    exchange.originStatus = status
    if (isFailure(status) && meta !== undefined && context.clock.now() < meta.staleIfErrorUntil) {
      reply.discard()
      throw new OriginFailure(`the origin answered ${status}`, 502, status)
    }
    return fetched(context, exchange, reply, root, key, meta)
  }
}

function validators(stale: StoredHead): string[] {
  const list: string[] = []
  if (stale.etag !== undefined) list.push('If-None-Match', stale.etag)
  if (stale.modified !== undefined) list.push('If-Modified-Since', new Date(stale.modified).toUTCString())
  return list
}

/** Errors of RFC 5861, and what gateways before the origin say in its stead. */
function isFailure(status: number): boolean {
  return status === 500 || status === 502 || status === 503 || status === 504
}

/** What a 304 makes of the stored answer; undefined when the stored answer cannot be used any more. */
function confirm(
  context: ProxyContext,
  exchange: Exchange,
  stale: StoredHead,
  confirmation: OriginHead,
): FetchResult<StoredHead> | undefined {
  const etag = confirmation.fields['etag']
  if (etag !== undefined && stale.etag !== undefined && !weaklyEqual(etag, stale.etag)) return undefined
  const head = freshened(stale, confirmation)
  const verdict = judge(head, exchange.demands, context.freshness)
  if (!verdict.store) return undefined
  const user = compileHead(head, {
    ...verdict,
    selection: stale.selection,
    mark: stale.mark,
  })
  if (!fits(user)) return undefined
  return notModified({ ttl: verdict.ttl, staleIfError: verdict.staleIfError, user })
}

function fetched(
  context: ProxyContext,
  exchange: Exchange,
  reply: OriginReply,
  root: boolean,
  key: string,
  before: Metadata<StoredHead> | undefined,
): FetchedBody<StoredHead> {
  const verdict: Verdict = reply.endsByClose
    ? { store: false, detail: 'length-unknown' }
    : judge(reply.head, exchange.demands, context.freshness)
  if (!verdict.store) return unstored(context, exchange, reply, verdict.detail, key, before)
  const selection = verdict.vary.length === 0 ? undefined : selectionOf(verdict.vary, exchange.fields)
  const user = compileHead(reply.head, {
    ...verdict,
    selection,
    mark: root && selection !== undefined ? markOf(context, selection, before?.user) : undefined,
  })
  if (!fits(user)) return unstored(context, exchange, reply, 'headers-too-large', key, before)
  const short = user.etag !== undefined && user.etag.length <= MAX_ETAG_CHARACTERS
  return {
    body: reply.body,
    size: reply.size,
    etag: short ? user.etag : undefined,
    ttl: verdict.ttl,
    staleIfError: verdict.staleIfError,
    user,
  }
}

/** The mark of the root before, as long as variants of it would be selected by the same fields. */
function markOf(context: ProxyContext, selection: Selection, before: StoredHead | undefined): string {
  const names = before?.selection?.names
  const same = names !== undefined && names.join() === selection.names.join()
  return (same ? before?.mark : undefined) ?? context.newMark()
}

/**
 * For this request alone: the head goes by the exchange, not by the cache, so that nobody else can be given it. What
 * was stored before is not what the origin says today, and goes.
 */
function unstored(
  context: ProxyContext,
  exchange: Exchange,
  reply: OriginReply,
  detail: Detail,
  key: string,
  before: Metadata<StoredHead> | undefined,
): FetchedBody<StoredHead> {
  const { status } = reply.head
  exchange.refused = detail
  exchange.own = compileHead(reply.head, {
    lifetime: 0,
    shared: false,
    revalidate: true,
    endsByClose: reply.endsByClose,
  })
  // What this client alone was refused, or an origin in trouble, says nothing of the resource.
  const ofResource = status < 400 || status === 404 || status === 410
  if (ofResource && detail !== 'authorization') {
    context.passes.remember(key, detail)
    if (before !== undefined) dropStored(context, key)
  }
  return { body: reply.body, size: reply.size, ttl: 0, staleIfError: 0, store: false }
}

function dropStored(context: ProxyContext, key: string): void {
  // It may fail only because the cache is being closed, or its tier is broken: neither gives the entry to anyone.
  context.cache.delete(key).catch(() => undefined)
}

/** Whether the cache can keep it beside the body. */
function fits(head: StoredHead): boolean {
  return Buffer.byteLength(JSON.stringify(head)) <= MAX_HEAD_BYTES
}
