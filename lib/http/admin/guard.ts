import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { type AdminConfig, isLoopback } from './options.js'

/** A request that is not answered as it asks, and what it is told. */
export interface Refusal {
  readonly status: number
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Says why a request may not ask; undefined when it may. */
export type Guard = (req: IncomingMessage) => Refusal | undefined

/** Says whether that is the token: in a time that tells nothing of it. */
export type TokenCheck = (given: string) => boolean

/** Whether a request may ask here at all, whatever it knows. */
export function createPlaceGuard({ at }: Pick<AdminConfig, 'at'>): Guard {
  const local = at.kind === 'tcp' && isLoopback(at.host)
  return ({ headers }) => {
    // A page that a browser got from elsewhere can have its own name mean this machine, and then ask as if it were from here.
    if (local && !isLocalHost(headers.host)) {
      return { status: 403, message: 'this address answers to localhost, 127.0.0.1 and [::1] alone' }
    }
    return refuseForeign(headers)
  }
}

export function createGuard(config: AdminConfig): Guard {
  const place = createPlaceGuard(config)
  const isToken = config.token === undefined ? undefined : tokenCheck(config.token)
  return (req) => {
    const refusal = place(req)
    if (refusal !== undefined) return refusal
    if (isToken === undefined || isToken(bearerOf(req.headers.authorization))) return
    return UNKNOWN
  }
}

/** What who does not bring the token is told. */
export const UNKNOWN: Refusal = {
  status: 401,
  message: 'want the header Authorization: Bearer TOKEN',
  headers: { 'www-authenticate': 'Bearer realm="drey"' },
}

/** Pages of another origin send theirs along with all but plain navigation. TLS may end before this server. */
export function refuseForeign({ origin, host }: IncomingHttpHeaders): Refusal | undefined {
  if (origin === undefined || origin === `http://${host}` || origin === `https://${host}`) return
  return { status: 403, message: 'pages of other origins may not ask' }
}

export function tokenCheck(token: string): TokenCheck {
  const wanted = digestOf(token)
  return (given) => timingSafeEqual(digestOf(given), wanted)
}

/** Digests have one length, so that comparing them tells nothing of the token's. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

export function bearerOf(authorization: string | undefined): string {
  return /^Bearer +([!-~]+) *$/i.exec(authorization ?? '')?.[1] ?? ''
}

export function isLocalHost(host: string | undefined): boolean {
  const [, name] = /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(host ?? '') ?? []
  return name !== undefined && isLoopback(name.replace(/^\[|\]$/g, '').toLowerCase())
}
