import type { IncomingMessage, ServerResponse } from 'node:http'
import type { DirectCache } from '../cache/direct.js'
import type { Clock } from '../clock.js'
import type { AccessLog } from './access-log.js'
import type { Detail, Forwarded } from './cache-status.js'
import { type Arrival, type ForwardOptions, forwardedHeaders } from './forward.js'
import type { Fields } from './headers.js'
import type { PassMemory } from './pass-memory.js'
import type { Demands } from './request-policy.js'
import type { FreshnessPolicy } from './response-policy.js'
import type { StoredHead } from './stored-head.js'
import type { Upstream } from './upstream.js'

/** What all requests of a proxy share. */
export interface ProxyContext {
  readonly cache: DirectCache<StoredHead>
  readonly upstream: Upstream
  readonly clock: Clock
  readonly freshness: FreshnessPolicy
  readonly forward: ForwardOptions
  readonly passes: PassMemory
  readonly log: AccessLog | undefined
  /** Host and port of the origin, for comparing with `Location`. */
  readonly originHost: string
  /** Longest wait for the head of an answer, in ms. */
  readonly originTimeout: number
  /** Path that answers by itself. */
  readonly healthz: string | undefined
  /** Responses ask for their connection to be closed. */
  isClosing(): boolean
  /** A mark that no root of variants had before. */
  newMark(): string
}

/** One request and what becomes of it. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly method: string
  readonly key: string
  /** The part of the key that is not the path. */
  readonly keyHost: string
  readonly arrival: Arrival
  /** Fields of the request, combined from all lines. */
  readonly fields: Fields
  readonly demands: Demands
  /** Ends when the client leaves. */
  readonly signal: AbortSignal
  /** Why the request goes to the origin, as far as it is known. */
  forwarded: Forwarded
  /** The origin was asked for this very request. */
  asked: boolean
  /** What the origin answered to it. */
  originStatus: number | undefined
  /** Why its answer is not stored. */
  refused: Detail | undefined
  /** The head of an answer that is for this request alone. */
  own: StoredHead | undefined
}

/** A signal that ends when the client leaves before its answer is complete. */
export function clientSignal(res: ServerResponse): AbortSignal {
  const controller = new AbortController()
  const onClose = (): void => {
    if (!res.writableFinished) controller.abort()
  }
  if (res.destroyed) onClose()
  else res.once('close', onClose)
  return controller.signal
}

/** The fields to forward: `whole` leaves out what narrows the answer. */
export function originHeaders(context: ProxyContext, exchange: Exchange, whole: boolean): string[] {
  return forwardedHeaders(exchange.req.rawHeaders, exchange.fields, exchange.arrival, context.forward, whole)
}
