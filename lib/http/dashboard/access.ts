import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../clock.js'
import {
  bearerOf,
  type Guard,
  isLocalHost,
  type Refusal,
  refuseForeign,
  tokenCheck,
  UNKNOWN,
} from '../admin/guard.js'
import { isLoopback } from '../admin/options.js'
import { Sessions } from './sessions.js'

/** Who may look on. */
export interface Access {
  /** Why a request may not ask here at all; undefined when it may, if it is known. */
  readonly place: Guard
  /** Why it may not look; undefined when it may. */
  readonly look: Guard
  /** Of one with a token: what a browser that sent it is to be known by; undefined when that is not the token. */
  readonly login?: (token: string, path: string, isSecure: boolean) => string | undefined
}

/** Nobody but who is at `place`, and with `token` nobody who does not know it, or was given a session for it. */
export function createAccess(place: Guard, token: string | undefined, clock: Pick<Clock, 'now'>): Access {
  if (token === undefined) return { place, look: place }
  const isToken = tokenCheck(token)
  const sessions = new Sessions(token, clock)
  return {
    place,
    look(req) {
      const refusal = place(req)
      if (refusal !== undefined) return refusal
      if (sessions.accepts(req.headers) || isToken(bearerOf(req.headers.authorization))) return
      return UNKNOWN
    },
    login: (given, path, isSecure) => (isToken(given) ? sessions.issue(path, isSecure) : undefined),
  }
}

/** Of a dashboard in a server of the user's own, with a token. */
export const anywhere: Guard = ({ headers }) => refuseForeign(headers)

const HOW: Refusal = {
  status: 401,
  message:
    'without a token the dashboard answers this machine alone, asked for by its address and not by way of a proxy; give createDashboard(cache, { token }) one, and send it along as Authorization: Bearer TOKEN',
}

/** What proxies say of whom they ask for: then the peer is not who looks. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'] as const

/** Of one without a token: this machine alone, and no page that made its own name mean this machine. */
export const thisMachine: Guard = (req: IncomingMessage) => {
  const { remoteAddress = '' } = req.socket
  const isHere = isLoopback(remoteAddress.replace(/^::ffff:/i, '')) && isLocalHost(req.headers.host)
  if (!isHere || FORWARDED.some((name) => req.headers[name] !== undefined)) return HOW
  return refuseForeign(req.headers)
}
