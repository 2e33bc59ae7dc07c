import type { IncomingMessage, ServerResponse } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { Cache } from '../../cache/cache.js'
import type { Clock } from '../../clock.js'
import { messageOf } from '../../errors.js'
import type { Refusal } from '../admin/guard.js'
import type { Access } from './access.js'
import { Audience, MOST_VIEWERS } from './audience.js'
import { type LoginRequest, publicPath, readToken, relativeTo } from './login.js'
import { loginPage, type Page, readPage } from './page.js'
import { programmeOf } from './programme.js'

/** A dashboard, to be asked for its paths. */
export interface Dashboard {
  /**
   * Answers a request for the page, its login or its events, and says whether it was one; any other is left alone.
   *
   * What is given is a request and a response of `node:http`, as Express and Connect have them, or `raw` of Fastify's.
   */
  handle(req: IncomingMessage, res: ServerResponse): boolean
  /** Ends the streams of events, and answers 503 from then on. Calling it again does nothing. */
  close(): void
}

export interface DashboardSettings {
  /** The path of the page, without a slash at its end: '' for the root. */
  readonly base: string
  readonly title: string
  readonly access: Access
  readonly clock: Clock
}

const TEXT = 'text/plain; charset=utf-8'
const HTML = 'text/html; charset=utf-8'

/** Of every answer. The form's origin is looked at, so the referrer must not be withheld from the page's own. */
const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'x-frame-options': 'DENY',
} as const

/** Of the events: nothing on the way may hold them back until there are more. */
const STREAM_HEADERS = {
  ...HEADERS,
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  'content-type': 'text/event-stream; charset=utf-8',
} as const

/** @throws `ERR_DREY_CONFIG` for what is no cache of this package; Node's error when the page was not built */
export function dashboardWith(cache: Cache, { base, title, access, clock }: DashboardSettings): Dashboard {
  const page = readPage()
  const audience = new Audience(clock, programmeOf(cache, title, clock))
  let isClosed = false

  function answer(req: IncomingMessage, res: ServerResponse, isPage: boolean): void {
    if (isClosed) return refuse(req, res, { status: 503, message: 'the dashboard is closed' })
    if (isPage && req.method === 'POST' && access.login !== undefined) {
      void login(req, res)
      return
    }
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      const allow = isPage && access.login !== undefined ? 'GET, HEAD, POST' : 'GET, HEAD'
      return refuse(req, res, { status: 405, message: `want ${allow}`, headers: { allow } })
    }
    const refusal = access.look(req)
    if (refusal !== undefined) return turnAway(req, res, refusal, isPage)
    if (isPage) return show(req, res, 200, page)
    stream(req, res)
  }

  function stream(req: IncomingMessage, res: ServerResponse): void {
    if (!audience.hasRoom) {
      const message = `${MOST_VIEWERS} look on already; try again when one has left`
      return refuse(req, res, { status: 503, message, headers: { 'retry-after': '10' } })
    }
    if (req.method !== 'HEAD') return audience.add(res, STREAM_HEADERS)
    res.writeHead(200, STREAM_HEADERS).end()
  }

  /** Never rejects. */
  async function login(req: LoginRequest, res: ServerResponse): Promise<void> {
    try {
      const refusal = access.place(req)
      if (refusal !== undefined) return refuse(req, res, refusal)
      const path = publicPath(req)
      const given = await readToken(req)
      if (typeof given !== 'string') return refuse(req, res, given)
      const cookie = access.login?.(given, path === '/' ? path : path.replace(/\/$/, ''), isSecure(req))
      if (cookie === undefined) return show(req, res, 401, loginPage(true))
      res.writeHead(303, { ...HEADERS, location: relativeTo(path), 'set-cookie': cookie }).end()
    } catch (error) {
      // Who sent it has gone, as a rule.
      if (res.headersSent) res.destroy()
      else refuse(req, res, { status: 400, message: messageOf(error) })
    }
  }

  /** A person is asked for the token; a program is told how to send it. */
  function turnAway(req: IncomingMessage, res: ServerResponse, refusal: Refusal, isPage: boolean): void {
    const isPerson = isPage && /\btext\/html\b/i.test(req.headers.accept ?? '')
    if (refusal.status !== 401 || access.login === undefined || !isPerson) return refuse(req, res, refusal)
    show(req, res, 401, loginPage(false), refusal.headers)
  }

  return {
    handle(req, res) {
      const [path = ''] = (req.url ?? '').split('?')
      const isPage = path === (base === '' ? '/' : base) || (base !== '' && path === `${base}/`)
      if (!isPage && path !== `${base}/events`) return false
      answer(req, res, isPage)
      return true
    },
    close() {
      isClosed = true
      audience.close()
    },
  }
}

function show(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  { html, policy }: Page,
  headers: Refusal['headers'] = {},
): void {
  send(req, res, status, HTML, html, { ...headers, 'content-security-policy': policy })
}

function refuse(req: IncomingMessage, res: ServerResponse, { status, message, headers }: Refusal): void {
  send(req, res, status, TEXT, `${message}\n`, headers)
}

function send(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: Refusal['headers'] = {},
): void {
  res.writeHead(status, {
    ...HEADERS,
    ...headers,
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    // What of a body was not read is not read any more.
    ...(req.complete ? {} : { connection: 'close' }),
  })
  res.end(req.method === 'HEAD' ? undefined : body)
}

function isSecure({ socket }: IncomingMessage): boolean {
  return socket instanceof TLSSocket
}
