import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Found } from '../cache/answer.js'
import { AbortedError, ClosedError, OriginError, TimeoutError } from '../errors.js'
import { type Detail, forwardStatus } from './cache-status.js'
import { answerThroughCache, findStored } from './cached-answer.js'
import { clientSignal, type Exchange, type ProxyContext } from './exchange.js'
import { hasLooped, peerAddress } from './forward.js'
import { type Fields, foldFields, listMembers, wholeNumber, without } from './headers.js'
import { answerHit } from './hit.js'
import { OriginFailure } from './origin-failure.js'
import { refuse } from './refuse.js'
import { relay } from './relay.js'
import { ageOf, chooseReply, hitStatus, ttlOf, writeReplyHead } from './reply.js'
import { bypassReason, demandsOf } from './request-policy.js'
import type { StoredHead } from './stored-head.js'
import { keyHostOf, keyOf, type Target, targetOf } from './target.js'

/*
 * Requests, from the first look to the last resort.
 */

const ALLOW = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE'

/** Handles requests; nothing that it does rejects or throws. */
export function createHandler(context: ProxyContext): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => {
    context.log?.begin(req, res)
    if (context.healthz !== undefined && req.url === context.healthz) return answerHealth(context, req, res)
    try {
      if (answerHit(context, req, res)) return
    } catch (error) {
      return fail(context, res, undefined, error)
    }
    let exchange: Exchange | undefined
    const take = (taken: Exchange): Exchange => {
      exchange = taken
      return taken
    }
    route(context, req, res, take).catch((error) => fail(context, res, exchange, error))
  }
}

function answerHealth(context: ProxyContext, req: IncomingMessage, res: ServerResponse): void {
  const well = !context.isClosing()
  context.log?.note(res, 'health')
  if (req.method !== 'GET' && req.method !== 'HEAD')
    return refuse(res, 405, 'want GET', ['Allow', 'GET, HEAD'])
  const body = well ? 'ok\n' : 'closing\n'
  res.writeHead(well ? 200 : 503, [
    'Content-Type',
    'text/plain; charset=utf-8',
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
  ])
  res.end(req.method === 'HEAD' ? undefined : body)
}

async function route(
  context: ProxyContext,
  req: IncomingMessage,
  res: ServerResponse,
  take: (exchange: Exchange) => Exchange,
): Promise<void> {
  const fields = foldFields(req.rawHeaders)
  const method = req.method!
  if (asksForUpgrade(fields)) {
    return refuse(res, 501, `this proxy does not speak ${clean(fields['upgrade']!)}`, ['Connection', 'close'])
  }
  const coding = fields['transfer-encoding']
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked') {
    return refuse(res, 501, 'want no transfer coding but chunked', ['Connection', 'close'])
  }
  const hopsLeft =
    method === 'OPTIONS' || method === 'TRACE' ? wholeNumber(fields['max-forwards']) : undefined
  if (req.url === '*' && method === 'OPTIONS') return answerOptions(res)
  const target = targetOf(req.url!, fields['host'])
  if (target === undefined || target.path.includes('#')) {
    return refuse(res, 400, 'the request names no target: want a path or an http URL, and a Host')
  }
  if (hopsLeft === 0) return method === 'OPTIONS' ? answerOptions(res) : answerTrace(req, res)
  if (hasLooped(fields['via'], context.forward.instance)) {
    return refuse(res, 508, 'the origin leads back to this proxy', cacheStatus('loop'))
  }
  const exchange = take(newExchange(context, req, res, fields, target, hopsLeft))
  if (method !== 'GET' && method !== 'HEAD') return relay(context, exchange, 'method', undefined)
  const bypass = bypassReason(fields, exchange.key)
  if (bypass !== undefined) return relay(context, exchange, 'bypass', bypass)
  if (exchange.demands.onlyIfCached || method === 'HEAD') {
    const found = await findStored(context, exchange)
    if (found !== undefined) return respondStored(context, exchange, found)
    if (exchange.demands.onlyIfCached) {
      return refuse(
        res,
        504,
        'not stored, and the request asks for nothing else',
        cacheStatus('only-if-cached'),
      )
    }
    return relay(context, exchange, 'uri-miss', undefined)
  }
  return answerThroughCache(context, exchange)
}

function newExchange(
  context: ProxyContext,
  req: IncomingMessage,
  res: ServerResponse,
  fields: Fields,
  target: Target,
  hopsLeft: number | undefined,
): Exchange {
  const keyHost = keyHostOf(target.host, fields, context.forward.trustForwarded)
  return {
    req,
    res,
    method: req.method!,
    key: keyOf(target.path, keyHost),
    keyHost,
    arrival: { target, httpVersion: req.httpVersion, peer: peerAddress(req.socket.remoteAddress), hopsLeft },
    fields,
    demands: demandsOf(fields),
    signal: clientSignal(res),
    forwarded: 'uri-miss',
    asked: false,
    originStatus: undefined,
    refused: undefined,
    own: undefined,
  }
}

/** A stored answer for a HEAD, or for who wants no other. */
async function respondStored(
  context: ProxyContext,
  exchange: Exchange,
  found: Found<StoredHead>,
): Promise<void> {
  const { res, method } = exchange
  const head = found.meta.user!
  const now = context.clock.now()
  // Only of a GET is a part asked for (RFC 9110 §14.2).
  const fields = method === 'GET' ? exchange.fields : { ...exchange.fields, range: undefined }
  const choice = chooseReply(head, fields, found.size, now)
  context.log?.note(res, 'hit')
  writeReplyHead(res, head, choice, {
    size: found.size,
    age: ageOf(head, now),
    cacheStatus: hitStatus(ttlOf(found.meta.freshUntil, now)),
    closing: context.isClosing(),
  })
  if (method === 'GET' && (choice === 'whole' || typeof choice === 'object')) {
    // The head is out: that the connection broke is all that a client can be told, and it has been.
    return found.writeTo(res, choice === 'whole' ? undefined : choice).catch(() => undefined)
  }
  found.close()
  res.end()
}

/** Any protocol but other ways to speak HTTP, an offer of which a server may pass over. */
function asksForUpgrade(fields: Fields): boolean {
  const upgrade = fields['upgrade']
  if (upgrade === undefined) return false
  return listMembers(upgrade.toLowerCase()).some((name) => !/^(?:h2c|http\/|tls\/)/.test(name))
}

function answerOptions(res: ServerResponse): void {
  res.writeHead(204, ['Allow', ALLOW])
  res.end()
}

/** The request as it came here, RFC 9110 §9.3.8, without what might be a secret. */
function answerTrace(req: IncomingMessage, res: ServerResponse): void {
  const shown = without(req.rawHeaders, (name) => name === 'cookie' || name.includes('authorization'))
  let text = `TRACE ${req.url} HTTP/${req.httpVersion}\r\n`
  for (let i = 0; i < shown.length; i += 2) text += `${shown[i]}: ${shown[i + 1]}\r\n`
  const body = Buffer.from(`${text}\r\n`, 'latin1')
  res.writeHead(200, ['Content-Type', 'message/http', 'Content-Length', String(body.length)])
  res.end(body)
}

function clean(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 60)
}

function cacheStatus(detail: Detail): string[] {
  return ['Cache-Status', `drey; detail=${detail}`]
}

/** What a client is told when there is no answer for it. */
function fail(
  context: ProxyContext,
  res: ServerResponse,
  exchange: Exchange | undefined,
  error: unknown,
): void {
  context.log?.note(res, 'error')
  if (res.destroyed || error instanceof AbortedError || exchange?.signal.aborted === true) {
    res.destroy()
    return
  }
  const [status, why, detail] = explain(error)
  const forwarded = exchange?.forwarded ?? 'uri-miss'
  const originStatus = exchange?.originStatus
  refuse(res, status, why, [
    'Cache-Status',
    detail === undefined ? 'drey' : forwardStatus({ forwarded, status: originStatus, detail }),
    ...(context.isClosing() ? ['Connection', 'close'] : []),
  ])
}

function explain(error: unknown): [status: number, why: string, detail: Detail | undefined] {
  const cause = error instanceof OriginError ? error.cause : error
  if (cause instanceof OriginFailure) return [cause.status, cause.message, cause.detail]
  if (cause instanceof TimeoutError) return [504, 'the origin did not answer in time', 'origin-timeout']
  if (cause instanceof ClosedError) return [503, 'this proxy is closing', 'closing']
  // A fault of the proxy's own: it must not pass unseen, and no client can do anything about it.
  process.emitWarning(error instanceof Error ? error : String(error), { code: 'DREY_PROXY' })
  return [500, 'the proxy failed', undefined]
}
