import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type AdminConfig, isLoopback } from './options.js'

/** A request that is not answered as it asks, and what it is told. */
export interface Refusal {
  readonly status: number
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Says why a request may not ask; undefined when it may. */
export type Guard = (req: IncomingMessage) => Refusal | undefined

export function createGuard({ at, token }: AdminConfig): Guard {
  const wanted = token === undefined ? undefined : digestOf(token)
  const local = at.kind === 'tcp' && isLoopback(at.host)
  return ({ headers }) => {
    // A page that a browser got from elsewhere can have its own name mean this machine, and then ask as if it were from here.
    if (local && !isLocalHost(headers.host)) {
      return { status: 403, message: 'this address answers to localhost, 127.0.0.1 and [::1] alone' }
    }
    if (headers.origin !== undefined && headers.origin !== `http://${headers.host}`) {
      return { status: 403, message: 'pages of other origins may not ask' }
    }
    if (wanted === undefined || timingSafeEqual(digestOf(bearerOf(headers.authorization)), wanted)) return
    return {
      status: 401,
      message: 'want the header Authorization: Bearer TOKEN',
      headers: { 'www-authenticate': 'Bearer realm="drey"' },
    }
  }
}

/** Digests have one length, so that comparing them tells nothing of the token's. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

function bearerOf(authorization: string | undefined): string {
  return /^Bearer +([!-~]+) *$/i.exec(authorization ?? '')?.[1] ?? ''
}

function isLocalHost(host: string | undefined): boolean {
  const [, name] = /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(host ?? '') ?? []
  return name !== undefined && isLoopback(name.replace(/^\[|\]$/g, '').toLowerCase())
}
