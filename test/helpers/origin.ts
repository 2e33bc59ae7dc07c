import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** Something that a test opens when it is time. */
export interface Gate {
  readonly opened: Promise<void>
  open(): void
}

export function gate(): Gate {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** A request as the origin saw it. */
export interface Seen {
  readonly method: string
  readonly url: string
  /** As they came: name, value, name, value. */
  readonly raw: readonly string[]
  readonly headers: IncomingMessage['headers']
  /** The body of the request, once it is complete. */
  readonly body: Promise<Buffer>
}

/** How the origin answers a path. */
export interface Plan {
  readonly status?: number
  /** Flat: name, value, name, value. Neither length nor date is added when `bare`. */
  readonly headers?: readonly string[]
  readonly body?: Buffer | string
  /** Sends the body chunked, without a length. */
  readonly chunked?: boolean
  /** Sends the body without length or chunks, ended by the connection. */
  readonly untilClose?: boolean
  /** Breaks the connection after so many bytes of the body. */
  readonly cutAfter?: number
  /** Sends the head only when this is open. */
  readonly head?: Gate
  /** Sends so many bytes of the body, and the rest when `rest` is open. */
  readonly pauseAfter?: number
  readonly rest?: Gate
  /** Breaks the connection instead of answering. */
  readonly broken?: boolean
  /** Leaves out `Date`. */
  readonly undated?: boolean
}

export type Answering = Plan | ((seen: Seen) => Plan)

/** An origin on loopback, whose answers a test lays out. */
export interface FakeOrigin extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly server: Server
  /** Every request, in order. */
  readonly seen: Seen[]
  /** Answers `path`, query included; without a plan it is 404 without freshness. */
  on(path: string, answering: Answering): void
  /** Requests for `path`. */
  count(path: string): number
  /** Resolves when so many requests for `path` have come. */
  arrived(path: string, count?: number): Promise<void>
  /** Refuses connections from now on. */
  stop(): Promise<void>
}

export async function fakeOrigin(): Promise<FakeOrigin> {
  const plans = new Map<string, Answering>()
  const seen: Seen[] = []
  const waiting = new Set<() => void>()
  const sockets = new Set<Socket>()
  const count = (path: string): number => seen.filter(({ url }) => url === path).length

  const server = createServer((req, res) => {
    const one: Seen = {
      method: req.method!,
      url: req.url!,
      raw: req.rawHeaders,
      headers: req.headers,
      body: readAll(req),
    }
    one.body.catch(() => undefined)
    seen.push(one)
    for (const check of waiting) check()
    const answering = plans.get(req.url!) ?? { status: 404, body: 'no plan' }
    const plan = typeof answering === 'function' ? answering(one) : answering
    void answer(plan, req, res)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const stop = async (): Promise<void> => {
    if (!server.listening) return
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    seen,
    on: (path, answering) => plans.set(path, answering),
    count,
    arrived: (path, wanted = 1) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (count(path) < wanted) return
          waiting.delete(check)
          resolve()
        }
        waiting.add(check)
        check()
      }),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function readAll(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function answer(plan: Plan, req: IncomingMessage, res: ServerResponse): Promise<void> {
  await plan.head?.opened
  if (plan.broken === true) return void req.socket.destroy()
  const body = Buffer.from(plan.body ?? '')
  const headers = [...(plan.headers ?? [])]
  if (plan.undated === true) res.sendDate = false
  const status = plan.status ?? 200
  const bodyless = req.method === 'HEAD' || status === 204 || status === 304
  if (plan.untilClose === true) {
    res.removeHeader('Transfer-Encoding')
    headers.push('Connection', 'close')
  } else if (plan.chunked !== true && status !== 204 && status !== 304) {
    headers.push('Content-Length', String(body.length))
  }
  res.writeHead(status, headers)
  if (bodyless) return void res.end()
  const first = plan.cutAfter ?? plan.pauseAfter ?? body.length
  if (first === 0) res.write('', 'latin1')
  else await new Promise((resolve) => res.write(body.subarray(0, first), resolve))
  if (plan.cutAfter !== undefined) {
    // Ended, not reset: what was written must arrive, and nothing after it.
    res.socket?.end()
    return
  }
  await plan.rest?.opened
  res.end(body.subarray(first))
}
