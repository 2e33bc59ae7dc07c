import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Metadata } from '../store/store.js'
import type { ProxyContext } from './exchange.js'
import type { Fields } from './headers.js'
import { ageOf, chooseReply, hitStatus, ttlOf, writeHitHead, writeReplyHead } from './reply.js'
import { MAX_KEY_CHARACTERS } from './request-policy.js'
import type { StoredHead } from './stored-head.js'
import { keyHostOf, keyOf } from './target.js'
import { selects, variantKey } from './vary.js'

/*
 * The short way: a plain GET for a small value that is fresh in memory is answered in the turn of the loop that it
 * came in. Everything that asks for thought goes the long way, which would give the same answer.
 */

interface Hit {
  readonly value: Buffer
  readonly meta: Metadata<StoredHead>
}

/** Answers the request, or says that it did not. */
export function answerHit(context: ProxyContext, req: IncomingMessage, res: ServerResponse): boolean {
  const { headers } = req
  const path = req.url!
  if (req.method !== 'GET' || path.charCodeAt(0) !== 47 || !isPlain(headers)) return false
  const host = headers.host ?? ''
  if (path.length + host.length > MAX_KEY_CHARACTERS) return false
  const keyHost = keyHostOf(host.toLowerCase(), headers as Fields, context.forward.trustForwarded)
  const hit = findHit(context, keyOf(path, keyHost), headers)
  if (hit === undefined) return false

  const { value, meta } = hit
  const head = meta.user!
  const now = context.clock.now()
  const closing = context.isClosing()
  context.log?.note(res, 'hit')
  if (
    headers['if-none-match'] === undefined &&
    headers['if-modified-since'] === undefined &&
    headers.range === undefined
  ) {
    writeHitHead(res, head, { size: value.length, freshUntil: meta.freshUntil, now, closing })
    if (value.length > 0) res.end(value)
    else res.end()
    return true
  }
  const choice = chooseReply(head, headers as Fields, value.length, now)
  writeReplyHead(res, head, choice, {
    size: value.length,
    age: ageOf(head, now),
    cacheStatus: hitStatus(ttlOf(meta.freshUntil, now)),
    closing,
  })
  if (choice === 'whole' && value.length > 0) res.end(value)
  else if (typeof choice === 'object') res.end(value.subarray(choice.start, choice.end + 1))
  else res.end()
  return true
}

/** Nothing in the request narrows what may answer it, and nothing says that the origin would be asked something else. */
function isPlain(headers: IncomingHttpHeaders): boolean {
  const { connection } = headers
  return (
    headers['cache-control'] === undefined &&
    headers.authorization === undefined &&
    headers.pragma === undefined &&
    headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined &&
    headers['if-match'] === undefined &&
    headers['if-unmodified-since'] === undefined &&
    headers.upgrade === undefined &&
    (connection === undefined ||
      connection === 'keep-alive' ||
      connection === 'close' ||
      connection === 'Keep-Alive')
  )
}

function findHit(context: ProxyContext, key: string, headers: IncomingHttpHeaders): Hit | undefined {
  const hit = context.cache.getSync(key)
  // Without a head it is none of the proxy's own: its owner put it there.
  const head = hit?.meta.user
  if (hit === undefined || head === undefined || selects(head.selection, headers as Fields)) {
    return head === undefined ? undefined : hit
  }
  if (head.selection === undefined || head.mark === undefined) return undefined
  const variant = context.cache.getSync(variantKey(key, head.mark, head.selection.names, headers as Fields))
  const own = variant?.meta.user
  return own !== undefined && selects(own.selection, headers as Fields) ? variant : undefined
}
