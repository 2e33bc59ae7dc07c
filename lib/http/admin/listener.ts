import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Cache } from '../../cache/cache.js'
import type { Clock } from '../../clock.js'
import { ConfigError, KeyError, messageOf } from '../../errors.js'
import { CONTENT_TYPE, exposition } from '../../metrics/exposition.js'
import { metricsSnapshot } from '../../metrics/snapshot.js'
import { createAccess } from '../dashboard/access.js'
import { dashboardWith } from '../dashboard/dashboard.js'
import { showAddress } from '../listen.js'
import { createGuard, createPlaceGuard, type Refusal } from './guard.js'
import { jsonOf } from './json.js'
import type { AdminConfig } from './options.js'
import { PurgeRefused, purge, readPurge } from './purge.js'
import { listenAt, type SocketPlace } from './socket.js'

/** Where an operator asks a running proxy. */
export interface AdminListener {
  /** Where it listens: a URL, or the path of its socket; undefined while it does not. */
  readonly address: string | undefined
  /** Begins to listen. Rejects with Node's error when it cannot; may be called again then. */
  listen(): Promise<string>
  /** Listens no more, until `listen` is called again. */
  pause(): Promise<void>
  /** Breaks off what is under way; resolves when nothing is left of it. */
  close(): Promise<void>
}

const MOST_BODY = 2 ** 20
/** A request that takes longer to arrive, in ms, is broken off. */
const REQUEST_MS = 30_000
const MOST_CONNECTIONS = 64

/** What a path answers with. */
interface Answer {
  /** Default 200. */
  readonly status?: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Route {
  readonly method: 'GET' | 'POST'
  readonly run: (req: IncomingMessage) => Answer | Promise<Answer>
}

/** A request that is refused while it is being answered. */
class Refused extends Error {
  override readonly name = 'Refused'
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.message)
    this.refusal = refusal
  }
}

/**
 * Makes the listener of `cache`, which does not listen yet.
 *
 * Invariants: `server` is the one that listens, or is about to; `close` waits for every request that `running` has.
 */
export function createAdmin(cache: Cache, config: AdminConfig, clock: Clock): AdminListener {
  const guard = createGuard(config)
  const access = createAccess(createPlaceGuard(config), config.token, clock)
  const dashboard = dashboardWith(cache, { base: DASHBOARD, title: 'proxy', access, clock })
  const routes = routesOf(cache, () => closing)
  const running = new Set<Promise<void>>()
  let server: Server | undefined
  let place: SocketPlace | undefined
  let closing = false

  function answer(req: IncomingMessage, res: ServerResponse): void {
    // It lets browsers in by a cookie, which is not enough for what follows.
    if (dashboard.handle(req, res)) return
    const done = respond(req, res).finally(() => running.delete(done))
    running.add(done)
  }

  /** Never rejects. */
  async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      // A person is asked for the token there.
      const refusal = isRoot(req) ? undefined : guard(req)
      if (refusal !== undefined) throw new Refused(refusal)
      const { status = 200, type, body, headers = {} } = await find(routes, req).run(req)
      for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
      send(req, res, status, type, body)
    } catch (error) {
      const { status, message, headers } = refusalOf(error)
      for (const [name, value] of Object.entries(headers ?? {})) res.setHeader(name, value)
      send(req, res, status, JSON_TYPE, jsonOf({ error: message }))
    }
  }

  async function stop(): Promise<void> {
    const was = server
    server = undefined
    if (was?.listening === true) {
      const closed = once(was, 'close')
      was.close()
      was.closeAllConnections()
      await closed
    }
    await place?.remove()
    place = undefined
  }

  return {
    get address() {
      return server?.listening === true ? addressOf(server, config) : undefined
    },
    async listen() {
      const { at } = config
      server = createServer({ requestTimeout: REQUEST_MS }, answer)
      server.maxConnections = MOST_CONNECTIONS
      try {
        if (at.kind === 'socket') {
          place = await listenAt(server, at.path)
        } else {
          server.listen(at.port, at.host)
          await once(server, 'listening')
        }
      } catch (error) {
        await stop()
        throw error
      }
      // Such as too many open files: the next connection may find better times.
      server.on('error', (error) => process.emitWarning(error))
      return addressOf(server, config)
    },
    pause: stop,
    async close() {
      closing = true
      dashboard.close()
      await stop()
      await Promise.all(running)
    },
  }
}

const DASHBOARD = '/dashboard'
const JSON_TYPE = 'application/json; charset=utf-8'

function routesOf(cache: Cache, isClosing: () => boolean): ReadonlyMap<string, Route> {
  let scans = 0
  const json = (value: unknown): Answer => ({ type: JSON_TYPE, body: jsonOf(value) })
  const toDashboard: Answer = {
    status: 302,
    type: JSON_TYPE,
    body: jsonOf({ dashboard: DASHBOARD }),
    headers: { location: DASHBOARD },
  }
  return new Map<string, Route>([
    ['/', { method: 'GET', run: () => toDashboard }],
    ['/metrics', { method: 'GET', run: () => ({ type: CONTENT_TYPE, body: exposition({ proxy: cache }) }) }],
    ['/health', { method: 'GET', run: () => healthOf(cache) }],
    ['/stats', { method: 'GET', run: () => json(cache.stats()) }],
    ['/advice', { method: 'GET', run: async () => json(await cache.advice()) }],
    ['/snapshot', { method: 'GET', run: () => json(metricsSnapshot(cache)) }],
    [
      '/purge',
      {
        method: 'POST',
        async run(req) {
          const request = readPurge(await bodyOf(req))
          if (!('prefix' in request)) return json(await purge(cache, request, isClosing))
          if (scans > 0) {
            throw new Refused({
              status: 409,
              message: 'a purge by prefix is under way, one at a time; try again',
            })
          }
          scans += 1
          try {
            return json(await purge(cache, request, isClosing))
          } finally {
            scans -= 1
          }
        },
      },
    ],
  ])
}

/** For a load balancer: what is degraded still spares the origin. */
function healthOf(cache: Cache): Answer {
  const health = cache.health()
  return { status: health.level === 'failing' ? 503 : 200, type: JSON_TYPE, body: jsonOf(health) }
}

function find(routes: ReadonlyMap<string, Route>, { method, url = '' }: IncomingMessage): Route {
  const [path = ''] = url.split('?')
  const route = routes.get(path)
  if (route === undefined) {
    throw new Refused({ status: 404, message: `want one of ${[...routes.keys(), DASHBOARD].join(', ')}` })
  }
  if (method === route.method || (method === 'HEAD' && route.method === 'GET')) return route
  throw new Refused({
    status: 405,
    message: `${path} wants ${route.method}`,
    headers: { allow: route.method },
  })
}

function isRoot({ url = '' }: IncomingMessage): boolean {
  return url.split('?')[0] === '/'
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  // No form of a page can send it without that the browser asks first, and that is not answered.
  if (!/^application\/json *(?:;|$)/i.test(req.headers['content-type'] ?? '')) {
    throw new Refused({ status: 415, message: 'want the header Content-Type: application/json' })
  }
  const chunks: Buffer[] = []
  let bytes = 0
  // Whoever sends too much is to be told so on the connection that it sends on.
  const arriving: AsyncIterable<Buffer> = req.iterator({ destroyOnReturn: false })
  for await (const chunk of arriving) {
    bytes += chunk.length
    if (bytes > MOST_BODY) {
      throw new Refused({ status: 413, message: `the body is too large; want at most ${MOST_BODY} bytes` })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refused) return error.refusal
  const wrong = error instanceof PurgeRefused || error instanceof KeyError || error instanceof ConfigError
  return { status: wrong ? 400 : 500, message: messageOf(error) }
}

function send(req: IncomingMessage, res: ServerResponse, status: number, type: string, body: string): void {
  res.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // What of a body was not read is not read any more.
    ...(req.complete ? {} : { connection: 'close' }),
  })
  res.end(body)
}

function addressOf(server: Server, { at }: AdminConfig): string {
  if (at.kind === 'socket') return at.path
  const { address, port } = server.address() as AddressInfo
  return showAddress({ host: address, port })
}
