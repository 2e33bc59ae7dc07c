import type { ServerResponse } from 'node:http'
import type { Found } from '../cache/answer.js'
import type { FetchOptions } from '../cache/cache.js'
import { sendHead, writeUntilClose } from './body.js'
import { type Detail, forwardStatus } from './cache-status.js'
import type { Exchange, ProxyContext } from './exchange.js'
import { originFetcher } from './origin-fetcher.js'
import { relay } from './relay.js'
import { ageOf, type Choice, chooseReply, hitStatus, ttlOf, writeReplyHead } from './reply.js'
import { acceptable } from './request-policy.js'
import type { StoredHead } from './stored-head.js'
import { selects, variantKey } from './vary.js'

/*
 * A GET through the cache.
 */

// A body that broke off with nobody reading it is the concern of the next request, which asks again.
const nobodyCares = (): void => undefined

/** Answers the request: from the cache, from the origin through the cache, or, where neither may be shared, past it. */
export async function answerThroughCache(context: ProxyContext, exchange: Exchange): Promise<void> {
  const known = context.passes.recall(exchange.key)
  if (known !== undefined) return relay(context, exchange, 'uri-miss', known)
  const root = await fetchAt(context, exchange, exchange.key)
  const misfit = misfitOf(exchange, root)
  if (misfit === undefined) return respond(context, exchange, exchange.key, root)
  root.close()
  const key = misfit === 'variant-mismatch' ? variantBelow(root.meta.user, exchange) : undefined
  if (key === undefined) return relay(context, exchange, exchange.forwarded, misfit)

  exchange.forwarded = 'vary-miss'
  const passed = context.passes.recall(key)
  if (passed !== undefined) return relay(context, exchange, 'vary-miss', passed)
  const variant = await fetchAt(context, exchange, key)
  const stillWrong = misfitOf(exchange, variant)
  if (stillWrong === undefined) return respond(context, exchange, key, variant)
  variant.close()
  return relay(context, exchange, 'vary-miss', stillWrong)
}

/** Looks without asking the origin: the stored answer that this request may have. */
export async function findStored(
  context: ProxyContext,
  exchange: Exchange,
): Promise<Found<StoredHead> | undefined> {
  const root = await getAt(context, exchange, exchange.key)
  if (root === undefined || mayAnswer(context, exchange, root)) return root
  root.close()
  const head = root.meta.user
  const key =
    head !== undefined && !selects(head.selection, exchange.fields) ? variantBelow(head, exchange) : undefined
  const variant = key === undefined ? undefined : await getAt(context, exchange, key)
  if (variant === undefined || mayAnswer(context, exchange, variant)) return variant
  variant.close()
  return undefined
}

async function fetchAt(context: ProxyContext, exchange: Exchange, key: string): Promise<Found<StoredHead>> {
  const found = await context.cache.fetch(key, originFetcher(context, exchange, key === exchange.key), {
    signal: exchange.signal,
    freshness: { fresh: freshnessFor(exchange) },
  })
  // The fetcher never says "not found": a 404 is kept with its head and body like any other answer.
  if (found.status !== 'ok') throw new Error(`an answer of ${found.status} at ${JSON.stringify(key)}`)
  return found
}

async function getAt(
  context: ProxyContext,
  exchange: Exchange,
  key: string,
): Promise<Found<StoredHead> | undefined> {
  const found = await context.cache.get(key, { allowStale: true, signal: exchange.signal })
  return found?.status === 'ok' ? found : undefined
}

/** Where the variant lies that the request selects; undefined below what is no root. */
function variantBelow(root: StoredHead | undefined, exchange: Exchange): string | undefined {
  return root?.selection === undefined || root.mark === undefined
    ? undefined
    : variantKey(exchange.key, root.mark, root.selection.names, exchange.fields)
}

function mayAnswer(context: ProxyContext, exchange: Exchange, found: Found<StoredHead>): boolean {
  const { meta } = found
  return (
    meta.user !== undefined &&
    mayHave(exchange, meta.user) &&
    acceptable(meta, meta.user, exchange.demands, context.clock.now())
  )
}

type Fresh = NonNullable<NonNullable<FetchOptions<StoredHead>['freshness']>['fresh']>

/**
 * Decides for one request what is fresh. An entry that the request may not have at all counts as fresh, too:
 * it comes back as a hit and is seen to be the wrong one, instead of being confirmed in the name of another variant.
 */
function freshnessFor(exchange: Exchange): Fresh {
  return (meta, now) => {
    const head = meta.user
    if (head === undefined || !mayHave(exchange, head)) return true
    if (acceptable(meta, head, exchange.demands, now)) return true
    exchange.forwarded = now < meta.freshUntil ? 'request' : 'stale'
    return false
  }
}

function mayHave(exchange: Exchange, head: StoredHead): boolean {
  return selects(head.selection, exchange.fields) && (!exchange.demands.authorized || head.shared)
}

/** Why an answer that others caused is not for this request. */
function misfitOf(exchange: Exchange, found: Found<StoredHead>): Detail | undefined {
  const head = found.meta.user
  // What was asked for this very request is its own, whatever it says.
  if (exchange.asked && (exchange.own !== undefined || found.outcome === 'miss')) return undefined
  if (head === undefined) return 'no-store'
  if (!selects(head.selection, exchange.fields)) return 'variant-mismatch'
  if (exchange.demands.authorized && !head.shared) return 'authorization'
  // It was asked before this request came; only an answer that may be reused can be shared (RFC 9111 §4).
  if (!exchange.asked && found.outcome === 'joined' && head.lifetime === 0) return 'revalidation-needed'
  return undefined
}

async function respond(
  context: ProxyContext,
  exchange: Exchange,
  key: string,
  found: Found<StoredHead>,
): Promise<void> {
  const { res } = exchange
  const now = context.clock.now()
  const head = exchange.own ?? found.meta.user!
  const { size, stored } = found
  const choice = chooseReply(head, exchange.fields, size, now)
  if (typeof choice === 'object' && stored === 'too-large') {
    // The origin knows how to give a part; only what is kept is worth getting whole.
    context.passes.remember(key, 'too-large')
    found.close()
    return relay(context, exchange, exchange.forwarded, 'too-large')
  }
  const cacheStatus = statusOf(exchange, found, now)
  context.log?.note(res, exchange.own !== undefined ? 'miss' : found.outcome)
  const untilClose = exchange.own?.endsByClose === true && choice === 'whole'
  if (untilClose) res.removeHeader('Transfer-Encoding')
  writeReplyHead(res, head, choice, {
    size,
    age: found.outcome === 'miss' && head.aged !== true ? undefined : ageOf(head, now),
    cacheStatus,
    closing: untilClose || context.isClosing(),
  })
  await sendBody(res, found, choice, untilClose || (size === undefined && exchange.req.httpVersion === '1.0'))
  if (found.stored === 'too-large') context.passes.remember(key, 'too-large')
}

function statusOf(exchange: Exchange, found: Found<StoredHead>, now: number): string {
  const { outcome, stored, meta } = found
  const ttl = ttlOf(meta.freshUntil, now)
  if (outcome === 'hit') return hitStatus(ttl)
  const unkept = notKept(stored)
  const keeps = exchange.own === undefined && unkept === undefined && outcome !== 'stale'
  return forwardStatus({
    forwarded: exchange.forwarded,
    status: exchange.asked ? exchange.originStatus : undefined,
    ttl: keeps || outcome === 'stale' ? ttl : undefined,
    stored: keeps && outcome === 'miss',
    collapsed: !exchange.asked,
    detail: outcome === 'stale' ? 'stale-if-error' : (exchange.refused ?? unkept),
  })
}

const NOT_KEPT: ReadonlySet<string> = new Set<Detail>([
  'too-large',
  'no-room',
  'no-store',
  'fenced',
  'tier-down',
  'truncated',
])

function notKept(stored: string | undefined): Detail | undefined {
  return stored !== undefined && NOT_KEPT.has(stored) ? (stored as Detail) : undefined
}

async function sendBody(
  res: ServerResponse,
  found: Found<StoredHead>,
  choice: Choice,
  untilClose: boolean,
): Promise<void> {
  if (choice === 'not-modified' || choice === 'unsatisfiable') {
    res.end()
    // The client has what it wanted, and the fill, if there is one, is to go on for those who come later.
    if (found.tier !== undefined || found.stored !== undefined) return found.close()
    found.stream({ start: 0, end: 0 }).on('error', nobodyCares).resume()
    return
  }
  if (found.tier === undefined) sendHead(res)
  try {
    if (untilClose) await writeUntilClose(found, res)
    else await found.writeTo(res, choice === 'whole' ? undefined : choice)
  } catch {
    // The head is out: that the connection broke is all that a client can be told, and it has been.
  }
}
