import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Found } from '../cache/answer.js'
import type { DirectHit } from '../cache/direct.js'
import type { ProxyContext } from './exchange.js'
import type { Fields } from './headers.js'
import { ageOf, type Choice, chooseReply, hitStatus, ttlOf, writeHitHead, writeReplyHead } from './reply.js'
import { MAX_KEY_CHARACTERS } from './request-policy.js'
import type { StoredHead } from './stored-head.js'
import { keyHostOf, keyOf } from './target.js'
import { selects, variantKey } from './vary.js'

/*
 * The short way: a plain GET for a value that is fresh in memory is answered in the turn of the loop that it
 * came in. Everything that asks for thought goes the long way, which would give the same answer.
 */

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

  const { meta, bytes } = hit
  const head = meta.user!
  const now = context.clock.now()
  const closing = context.isClosing()
  context.log?.note(res, 'hit')
  const conditional =
    headers['if-none-match'] !== undefined ||
    headers['if-modified-since'] !== undefined ||
    headers.range !== undefined
  const choice = conditional ? chooseReply(head, headers as Fields, meta.size, now) : 'whole'
  if (choice === 'whole') {
    writeHitHead(res, head, { size: meta.size, freshUntil: meta.freshUntil, now, closing })
  } else {
    const cacheStatus = hitStatus(ttlOf(meta.freshUntil, now))
    writeReplyHead(res, head, choice, { size: meta.size, age: ageOf(head, now), cacheStatus, closing })
  }
  if (bytes === undefined) {
    sendBody(res, hit.found, choice)
  } else if (choice === 'whole' && bytes.length > 0) {
    res.end(bytes)
  } else if (typeof choice === 'object') {
    res.end(bytes.subarray(choice.start, choice.end + 1))
  } else {
    res.end()
  }
  return true
}

function sendBody(res: ServerResponse, found: Found<StoredHead>, choice: Choice): void {
  if (choice === 'not-modified' || choice === 'unsatisfiable') {
    found.close()
    res.end()
    return
  }
  // The head is out: that the connection broke is all that a client can be told, and it has been.
  found.writeTo(res, choice === 'whole' ? undefined : choice).catch(() => undefined)
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

function findHit(
  context: ProxyContext,
  key: string,
  headers: IncomingHttpHeaders,
): DirectHit<StoredHead> | undefined {
  const hit = context.cache.hitSync(key)
  if (hit === undefined) return undefined
  const head = hit.meta.user
  if (head !== undefined && selects(head.selection, headers as Fields)) return hit
  hit.found?.close()
  if (head?.selection === undefined || head.mark === undefined) return undefined
  const variant = context.cache.hitSync(variantKey(key, head.mark, head.selection.names, headers as Fields))
  if (variant === undefined) return undefined
  const own = variant.meta.user
  if (own !== undefined && selects(own.selection, headers as Fields)) return variant
  variant.found?.close()
  return undefined
}
