import type { Exchange, ProxyContext } from './exchange.js'
import type { OriginHead } from './stored-head.js'
import { keyOf } from './target.js'

/*
 * Invalidation, RFC 9111 §4.4: after an unsafe request that succeeded, what was stored of its target, and of the
 * locations that its answer names, is not used any more.
 */

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export async function invalidate(context: ProxyContext, exchange: Exchange, head: OriginHead): Promise<void> {
  if (SAFE.has(exchange.method) || head.status >= 400) return
  const keys = new Set([exchange.key])
  for (const name of ['location', 'content-location']) {
    const key = sameOriginKey(context, exchange, head.fields[name])
    if (key !== undefined) keys.add(key)
  }
  // A key that the cache cannot take, and a cache that is being closed, hold nothing that could be used.
  await Promise.all([...keys].map((key) => context.cache.delete(key).catch(() => undefined)))
}

/** Only of its own origin may an answer say what is outdated. */
function sameOriginKey(
  context: ProxyContext,
  exchange: Exchange,
  reference: string | undefined,
): string | undefined {
  const { target } = exchange.arrival
  const base = `http://${target.host === '' ? context.originHost : target.host}${target.path}`
  if (reference === undefined || !URL.canParse(reference, base)) return undefined
  const url = new URL(reference, base)
  if (url.host !== target.host && url.host !== context.originHost) return undefined
  return keyOf(url.pathname + url.search, exchange.keyHost)
}
