import { PassThrough, type Readable } from 'node:stream'
import { pipeBody, sendHead } from './body.js'
import { type Detail, type Forwarded, forwardStatus } from './cache-status.js'
import { type Exchange, originHeaders, type ProxyContext } from './exchange.js'
import { invalidate } from './invalidate.js'
import { judge } from './response-policy.js'
import { ageField, clientHeaders } from './stored-head.js'
import type { OriginReply } from './upstream.js'

/*
 * Past the cache: the request goes to the origin as it is, and what comes back to the client.
 */

export async function relay(
  context: ProxyContext,
  exchange: Exchange,
  forwarded: Forwarded,
  detail: Detail | undefined,
): Promise<void> {
  const { res, method, signal } = exchange
  exchange.forwarded = forwarded
  const body = requestBody(exchange)
  const reply = await context.upstream.ask({
    method,
    path: exchange.arrival.target.path,
    headers: originHeaders(context, exchange, false),
    body,
    signal,
    timeout: context.originTimeout,
  })
  const { head, size, endsByClose } = reply
  await invalidate(context, exchange, head)
  const headers = clientHeaders(head)
  // What a HEAD or a 304 says of the length is about a body that is not sent.
  const length = size === undefined && method !== 'GET' ? head.fields['content-length'] : size
  if (length !== undefined && head.status !== 204) headers.push('Content-Length', String(length))
  if (head.fields['age'] !== undefined) headers.push('Age', String(ageField(head.fields)))
  const status = forwardStatus({
    forwarded,
    status: head.status,
    detail: reconsidered(context, exchange, reply, detail),
  })
  headers.push('Cache-Status', status)
  if (endsByClose) res.removeHeader('Transfer-Encoding')
  if (endsByClose || context.isClosing()) headers.push('Connection', 'close')
  context.log?.note(res, 'pass')
  if (res.destroyed) return reply.discard()
  res.writeHead(head.status, headers)
  if (method === 'HEAD' || head.status === 204 || head.status === 304) {
    reply.discard()
    res.end()
    return
  }
  sendHead(res)
  await pipeBody(reply.body, res, endsByClose || (length === undefined && exchange.req.httpVersion === '1.0'))
}

/**
 * The body of the request; undefined when it has none. It goes through a stream of its own, because the HTTP
 * client destroys what it was given when the origin fails, and with the request its connection to the client would go.
 */
function requestBody(exchange: Exchange): Readable | undefined {
  const { req, res, fields } = exchange
  const length = fields['content-length']
  if (fields['transfer-encoding'] === undefined && (length === undefined || length === '0')) return undefined
  const body = new PassThrough()
  req.on('error', (error) => body.destroy(error))
  req.on('close', () => {
    if (!req.readableEnded) body.destroy(new Error('the client left before the end of its request'))
  })
  // Once the response is out, or broken, the rest of the upload is of no use; node ends no request after that.
  res.on('close', () => body.destroy())
  // Nobody may listen yet when the client leaves; the HTTP client reports it.
  body.on('error', () => undefined)
  body.on('close', () => {
    req.unpipe(body)
    req.resume()
  })
  req.pipe(body)
  return body
}

/** An answer of a remembered key that could be stored after all: the next request goes through the cache again. */
function reconsidered(
  context: ProxyContext,
  exchange: Exchange,
  reply: OriginReply,
  detail: Detail | undefined,
): Detail | undefined {
  if (exchange.method !== 'GET' || exchange.forwarded === 'bypass' || detail === 'too-large') return detail
  if (context.passes.recall(exchange.key) === undefined || reply.head.status === 304) return detail
  const verdict = judge(reply.head, exchange.demands, context.freshness)
  if (!verdict.store) return verdict.detail === 'partial' ? detail : verdict.detail
  if (reply.endsByClose) return detail
  context.passes.forget(exchange.key)
  return 'not-stored-before'
}
