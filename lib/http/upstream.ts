import { isIP } from 'node:net'
import type { Readable } from 'node:stream'
import { buildConnector, type Dispatcher, Pool } from 'undici'
import type { Clock } from '../clock.js'
import { wholeNumber } from './headers.js'
import { codeOf, OriginFailure, originFailure } from './origin-failure.js'
import { type OriginHead, originHead } from './stored-head.js'

/*
 * The origin, behind a pool of connections.
 */

/** What is asked. */
export interface OriginRequest {
  readonly method: string
  readonly path: string
  readonly headers: string[]
  readonly body: Readable | undefined
  readonly signal: AbortSignal
  /** Longest wait for the head, in ms; undefined where someone else watches. */
  readonly timeout?: number
}

/** What it answered: the head is there, the body comes. */
export interface OriginReply {
  readonly head: OriginHead
  readonly body: Readable
  /** Size that the origin declared; undefined when it did not. */
  readonly size: number | undefined
  /** The body ends with the connection, so that its end cannot be told from a break. */
  readonly endsByClose: boolean
  /** Lets go of a body that nobody wants. */
  discard(): void
}

export interface Upstream {
  /** @throws `OriginFailure`; the signal's reason when that ended it. */
  ask(request: OriginRequest): Promise<OriginReply>
  close(): Promise<void>
}

/** A few bytes are read to the end, to keep the connection; more costs less as a new connection. */
const DISCARD_BYTES = 64 * 1024

// Of a body that was given up, nobody wants to know how it failed.
const nobodyCares = (): void => undefined

/**
 * `dispatcher` replaces the pool, and stays its owner's. In the pool TLS is always spoken with the name in `origin`, whatever host
 * the request is for: a stranger's `Host` must choose neither the certificate nor which connection is dropped.
 */
export function createUpstream(origin: URL, dispatcher: Dispatcher | undefined, clock: Clock): Upstream {
  const own = dispatcher === undefined ? createPool(origin) : undefined
  const target = dispatcher ?? own!
  const servername = origin.hostname
  return {
    async ask(request) {
      const { signal, timeout } = request
      const limit = new AbortController()
      const onAbort = (): void => limit.abort(signal.reason)
      signal.addEventListener('abort', onAbort)
      if (signal.aborted) onAbort()
      const timer =
        timeout === undefined
          ? undefined
          : clock.after(timeout, () =>
              limit.abort(new OriginFailure(`the origin did not answer within ${timeout} ms`, 504)),
            )
      const forget = (): void => signal.removeEventListener('abort', onAbort)
      try {
        const reply = await askTwice(target, origin, servername, request, limit.signal, clock)
        reply.body.once('close', forget)
        return reply
      } catch (error) {
        forget()
        throw signal.aborted ? signal.reason : originFailure(error)
      } finally {
        timer?.cancel()
      }
    },
    async close() {
      await own?.destroy()
    },
  }
}

function createPool(origin: URL): Pool {
  const connect = buildConnector({})
  const name = isIP(origin.hostname.replace(/^\[|\]$/g, '')) === 0 ? origin.hostname : undefined
  return new Pool(origin.origin, {
    // The wait for the head is timed by the cache, or by `timeout`, on a clock that tests hold.
    headersTimeout: 0,
    connect: (options, callback) => {
      const { servername: _, ...rest } = options
      connect(name === undefined ? rest : { ...rest, servername: name }, callback)
    },
  })
}

async function askTwice(
  target: Dispatcher,
  origin: URL,
  servername: string,
  request: OriginRequest,
  signal: AbortSignal,
  clock: Clock,
): Promise<OriginReply> {
  try {
    return await askOnce(target, origin, servername, request, signal, clock)
  } catch (error) {
    // An idle connection may be closed by the origin just as it is used again; only a new one tells whether it is up.
    const safe = (request.method === 'GET' || request.method === 'HEAD') && request.body === undefined
    if (!safe || signal.aborted || !brokeWhenReused(error)) throw error
    return askOnce(target, origin, servername, request, signal, clock)
  }
}

/** Whether the connection had served an answer before it broke. */
function brokeWhenReused(error: unknown): boolean {
  if (codeOf(error) !== 'UND_ERR_SOCKET') return codeOf(error) === 'ECONNRESET' || codeOf(error) === 'EPIPE'
  const { socket } = error as { readonly socket?: { readonly bytesRead?: number } | null }
  return (socket?.bytesRead ?? 0) > 0
}

async function askOnce(
  target: Dispatcher,
  origin: URL,
  servername: string,
  request: OriginRequest,
  signal: AbortSignal,
  clock: Clock,
): Promise<OriginReply> {
  const { method, path, headers, body } = request
  const askedAt = clock.now()
  const options: Dispatcher.RequestOptions & { readonly servername: string } = {
    origin: origin.origin,
    servername,
    method: method as Dispatcher.HttpMethod,
    path,
    headers,
    body: body ?? null,
    signal,
    responseHeaders: 'raw',
  }
  const answer = await target.request(options)
  // With `responseHeaders: 'raw'` they are a flat list, which the types of undici do not say.
  const list = answer.headers as unknown as string[]
  const head = originHead(answer.statusCode, list, askedAt, clock.now())
  const bodyless = method === 'HEAD' || head.status === 204 || head.status === 304
  const declared = head.fields['content-length']
  return {
    head,
    body: answer.body,
    size: bodyless ? undefined : wholeNumber(declared),
    endsByClose: !bodyless && declared === undefined && head.fields['transfer-encoding'] === undefined,
    discard: () => {
      answer.body.dump({ limit: DISCARD_BYTES }).catch(nobodyCares)
    },
  }
}
