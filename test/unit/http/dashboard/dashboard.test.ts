import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Cache } from '../../../../lib/cache/cache.js'
import { MOST_VIEWERS } from '../../../../lib/http/dashboard/audience.js'
import {
  createDashboard,
  createDashboardWith,
  type DashboardOptions,
} from '../../../../lib/http/dashboard/index.js'
import type { HistoryMessage, TickMessage } from '../../../../lib/http/dashboard/messages.js'
import type { FakeClock } from '../../../helpers/clock.js'
import { turns, until } from '../../../helpers/gate.js'
import { type Rig, rig } from '../../../helpers/rig.js'
import { type Asking, ask, bed, type Raw, type Reply, raw } from '../harness.js'

const TOKEN = 'a-token-of-some-length'
const BEARER = { authorization: `Bearer ${TOKEN}` }
const HTML = { accept: 'text/html,application/xhtml+xml' }
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

interface Stage {
  readonly cache: Cache
  readonly clock: FakeClock
  readonly port: number
  readonly dashboard: ReturnType<typeof createDashboard>
  get(path: string, asking?: Partial<Asking>): Promise<Reply>
  login(token: string, more?: Record<string, string>): Promise<Reply>
}

const open: Array<() => Promise<void>> = []
const viewers: Raw[] = []
afterEach(async () => {
  for (const { socket } of viewers.splice(0)) socket.destroy()
  await Promise.all(open.splice(0).map((close) => close()))
})

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return (server.address() as { port: number }).port
}

async function stage(options: DashboardOptions = {}, made?: Rig): Promise<Stage> {
  const { cache, clock } = made ?? (await rig('tiers', { metrics: { sampling: 1 } }))
  const dashboard = createDashboardWith(cache, options, clock)
  open.push(async () => dashboard.close())
  const port = await serve((req, res) => {
    if (!dashboard.handle(req, res)) res.writeHead(404).end('mine')
  })
  return {
    cache,
    clock,
    port,
    dashboard,
    get: (path, asking) => ask(port, path, asking),
    login: (token, more = {}) =>
      ask(port, '/dashboard', {
        method: 'POST',
        headers: { ...FORM, ...HTML, ...more },
        body: new URLSearchParams({ token }).toString(),
      }),
  }
}

/** Looks on: what came, as events of that name. */
function look(port: number, headers: Record<string, string> = {}, path = '/dashboard/events'): Raw {
  const lines = Object.entries({ host: `127.0.0.1:${port}`, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  const one = raw(port, `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  viewers.push(one)
  return one
}

function events<T>({ text }: { readonly text: string }, name: string): T[] {
  // Chunks of HTTP end where events do.
  const found = text.matchAll(new RegExp(`event: ${name}\\ndata: (.*)\\n`, 'g'))
  return Array.from(found, ([, data]) => JSON.parse(Buffer.from(data!, 'latin1').toString()) as T)
}

describe('the page', () => {
  test('comes whole, with a policy that lets nothing else in', async () => {
    const { get } = await stage()
    const { status, headers, text } = await get('/dashboard')
    expect([status, headers['content-type'], headers['cache-control']]).toEqual([
      200,
      'text/html; charset=utf-8',
      'no-store',
    ])
    const policy = String(headers['content-security-policy'])
    expect(policy).toMatch(
      /^default-src 'none'; script-src 'sha256-[^ ;]+'; style-src 'sha256-[^ ;]+'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
    )
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' })
    // Names of XML's are no addresses that anybody asks for.
    const addresses = text
      .replaceAll('http://www.w3.org/', '')
      .match(/(?:src|href)=["']?(?:https?:)?\/\/[^"' >]*|url\([^)]*\)|@import/g)
    expect(addresses).toBeNull()
    expect(text).toContain('Copyright (c)')
    expect(text).not.toMatch(/<[a-z]+ [^>]*style=/)
  })

  test('is at its place, and what is elsewhere is left alone', async () => {
    const { get } = await stage({ base: '/ops/cache/' })
    const statuses = async (...paths: string[]): Promise<number[]> =>
      Promise.all(paths.map(async (path) => (await get(path)).status))
    expect(await statuses('/ops/cache', '/ops/cache/', '/ops/cache?a=b')).toEqual([200, 200, 200])
    expect(await statuses('/', '/ops', '/ops/cache/other', '/dashboard', '/ops/cacheevents')).toEqual(
      Array(5).fill(404),
    )
  })

  test('has a place at the root, too', async () => {
    const { get } = await stage({ base: '/' })
    expect([(await get('/')).status, (await get('/x')).status]).toEqual([200, 404])
    expect((await get('/events', { method: 'HEAD' })).status).toBe(200)
  })

  test('is there to be looked at', async () => {
    const { get } = await stage()
    const head = await get('/dashboard', { method: 'HEAD' })
    expect([head.status, head.text]).toEqual([200, ''])
    const deleted = await get('/dashboard', { method: 'DELETE' })
    expect([deleted.status, deleted.headers['allow']]).toEqual([405, 'GET, HEAD'])
    expect((await get('/dashboard/events', { method: 'POST' })).status).toBe(405)
  })
})

describe('who may look', () => {
  test('with a token: who brings it, and nobody else', async () => {
    const { get } = await stage({ token: TOKEN })
    for (const path of ['/dashboard', '/dashboard/events']) {
      const without = await get(path)
      expect([without.status, without.headers['www-authenticate']]).toEqual([401, 'Bearer realm="drey"'])
      expect((await get(path, { headers: { authorization: `Bearer ${TOKEN}x` } })).status).toBe(401)
      expect((await get(path, { method: 'HEAD', headers: BEARER })).status).toBe(200)
    }
  })

  test('a person is asked for it, and is known from then on', async () => {
    const { get, login, clock } = await stage({ token: TOKEN })
    const asked = await get('/dashboard', { headers: HTML })
    expect([asked.status, asked.text]).toEqual([401, expect.stringContaining('<form method="post">')])
    expect(asked.headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[^ ;]+'; img-src/,
    )
    const wrong = await login('wrong')
    expect([wrong.status, wrong.headers['set-cookie']]).toEqual([401, undefined])
    expect(wrong.text).toContain('That is not the token.')
    const right = await login(TOKEN)
    expect([right.status, right.headers['location']]).toEqual([303, './dashboard'])
    const [cookie = ''] = right.headers['set-cookie'] as string[]
    const known = { cookie: cookie.split(';')[0]! }
    expect(cookie).toContain('; Path=/dashboard; ')
    expect((await get('/dashboard', { headers: known })).status).toBe(200)
    expect((await get('/dashboard/events', { method: 'HEAD', headers: known })).status).toBe(200)
    clock.advance(24 * 3_600_000)
    expect((await get('/dashboard', { headers: known })).status).toBe(401)
  })

  test('a form of another page, or none, gets nothing', async () => {
    const { get, login, port } = await stage({ token: TOKEN })
    expect((await login(TOKEN, { origin: 'https://evil.example' })).status).toBe(403)
    expect(
      (await login(TOKEN, { origin: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}` })).status,
    ).toBe(303)
    const post = (headers: Record<string, string>, body: string): Promise<Reply> =>
      get('/dashboard', { method: 'POST', headers, body })
    expect((await post({ 'content-type': 'application/json' }, '{}')).status).toBe(415)
    expect((await post(FORM, 'other=1')).status).toBe(400)
    expect((await post(FORM, `token=${'x'.repeat(5000)}`)).status).toBe(413)
  })

  test.each([
    { host: 'rebound.example' },
    { 'x-forwarded-for': '192.0.2.1' },
    { forwarded: 'for=192.0.2.1' },
    { via: '1.1 proxy' },
  ])('without a token: this machine alone, and not with %j', async (headers) => {
    const { get } = await stage()
    const { status, text } = await get('/dashboard', {
      headers: { ...headers, ...HTML } as Record<string, string>,
    })
    expect([status, text]).toEqual([401, expect.stringContaining('createDashboard(cache, { token })')])
  })

  test('without a token: no page of another origin', async () => {
    const { get } = await stage()
    expect((await get('/dashboard/events', { headers: { origin: 'http://evil.example' } })).status).toBe(403)
  })

  test('without a token: nobody from elsewhere', async () => {
    const { cache } = await rig('memory')
    const dashboard = createDashboard(cache)
    let status: number | undefined
    const req = {
      url: '/dashboard',
      method: 'GET',
      complete: true,
      headers: { host: 'localhost' },
      socket: { remoteAddress: '192.0.2.1' },
    }
    const res = {
      writeHead: (given: number) => {
        status = given
      },
      end: () => undefined,
    }
    expect(dashboard.handle(req as unknown as IncomingMessage, res as unknown as ServerResponse)).toBe(true)
    expect(status).toBe(401)
  })
})

describe('the events', () => {
  test('are the course so far, then what is new each second', async () => {
    const { cache, clock, port, dashboard } = await stage({ title: 'a title' })
    await cache.set('<img src=x>', 'value')
    for (let i = 0; i < 30; i += 1) cache.getSync('<img src=x>')
    clock.advance(20_000)
    const idle = clock.pending
    const viewer = look(port)
    await viewer.until(/event: history\ndata: .*\n/)
    const [history] = events<HistoryMessage>(viewer, 'history')
    expect(history).toMatchObject({
      title: 'a title',
      tiers: ['memory', 'distant'],
      state: { level: 'ok', measures: true },
    })
    expect(history!.windows['10min']).toHaveLength(2)
    expect(history!.live).toHaveLength(2)
    expect(clock.pending).toBe(idle + 1)
    for (let i = 0; i < 50; i += 1) cache.getSync('<img src=x>')
    clock.advance(1000)
    await viewer.until(/event: tick\ndata: .*\n/)
    const [tick] = events<TickMessage>(viewer, 'tick')
    expect(tick!.line).toHaveLength(history!.columns.length + 1)
    expect(tick!.line[0]).toBe(clock.now() / 1000)
    expect(tick!.line[1 + history!.columns.indexOf('requests')]).toBe(50)
    expect(tick!.state.topKeys).toEqual([{ key: '<img src=x>', requests: 80, bytes: 400 }])
    expect(tick!.state.tiers[0]).toMatchObject({ name: 'memory', breaker: 'closed', onDisk: false })
    clock.advance(9000)
    await viewer.until(/event: window\ndata: .*\n/)
    expect(events(viewer, 'window')).toMatchObject([{ name: '10min' }])
    dashboard.close()
    const { reset } = await viewer.closed
    expect([reset, clock.pending]).toEqual([false, idle])
  })

  test('are for so many, and the next is told to come again', async () => {
    const { get, port, clock } = await stage()
    const idle = clock.pending
    const all = Array.from({ length: MOST_VIEWERS }, () => look(port))
    await Promise.all(all.map((one) => one.until(/event: history/)))
    const more = await get('/dashboard/events')
    expect([more.status, more.headers['retry-after']]).toEqual([503, '10'])
    for (const { socket } of all) socket.destroy()
    await until(() => clock.pending === idle, 'nobody looks on any more')
    await look(port).until(/event: history/)
  })

  test('say so when a store cannot say its numbers, and go on when it can', async () => {
    const made = await rig('distant')
    const { port, clock } = await stage({}, made)
    const viewer = look(port)
    await viewer.until(/event: history/)
    const { stats } = made.store
    made.store.stats = () => {
      throw new Error('no numbers')
    }
    clock.advance(1000)
    await viewer.until(/event: trouble\ndata: {"message":"no numbers"}/)
    made.store.stats = stats
    clock.advance(1000)
    await viewer.until(/event: tick/)
  })

  test('say that the cache is closed', async () => {
    const { cache, port, clock } = await stage()
    const viewer = look(port)
    await viewer.until(/event: history/)
    await cache.close()
    clock.advance(1000)
    await viewer.until(/event: (?:tick|trouble)/)
    const [tick] = events<TickMessage>(viewer, 'tick')
    expect(tick!.state).toMatchObject({ level: 'failing', alerts: [{ id: 'closed', level: 'failing' }] })
  })

  test('end with the dashboard, which answers no more', async () => {
    const { get, dashboard } = await stage()
    dashboard.close()
    dashboard.close()
    expect([(await get('/dashboard')).status, (await get('/dashboard/events')).status]).toEqual([503, 503])
  })
})

test('frameworks that cut the path, or have read the form, are understood', async () => {
  const { cache } = await rig('memory')
  const dashboard = createDashboard(cache, { token: TOKEN, base: '/' })
  open.push(async () => dashboard.close())
  const port = await serve((req, res) => {
    // As Express does for what is mounted at /ops/drey, behind a parser of bodies.
    const originalUrl = req.url ?? ''
    req.url = originalUrl.replace(/^\/ops\/drey\/?/, '/')
    dashboard.handle(Object.assign(req, { originalUrl, body: { token: TOKEN } }), res)
  })
  const { status, headers } = await ask(port, '/ops/drey', { method: 'POST', headers: FORM, body: 'gone' })
  expect([status, headers['location']]).toEqual([303, './drey'])
  expect(headers['set-cookie']).toEqual([expect.stringContaining('; Path=/ops/drey; ')])
})

test.each([
  [{ token: 'short' }, 'dashboard.token: got a token of 5 characters; want at least 16'],
  [{ base: 'dashboard' }, "want a path such as '/dashboard'"],
  [{ tokens: TOKEN }, 'token'],
  [{ title: '' }, 'title'],
])('the options %j are wrong', async (options, message) => {
  const { cache } = await rig('memory')
  expect(() => createDashboard(cache, options as DashboardOptions)).toThrow(
    expect.objectContaining({ code: 'ERR_DREY_CONFIG', message: expect.stringContaining(message) }),
  )
})

test('what is no cache has none', () => {
  expect(() => createDashboard({} as Cache)).toThrow(expect.objectContaining({ code: 'ERR_DREY_CONFIG' }))
})

describe('on the admin listener', () => {
  test('it is where a browser comes first, and goes with it', async () => {
    await using one = await bed({ admin: 0, memory: '4MiB' })
    const port = Number(new URL(one.proxy.adminAddress!).port)
    const root = await ask(port, '/')
    expect([root.status, root.headers['location']]).toEqual([302, '/dashboard'])
    expect((await ask(port, '/dashboard')).status).toBe(200)
    expect((await ask(port, '/dashboard', { headers: { host: 'rebound.example' } })).status).toBe(403)
    const viewer = look(port)
    await viewer.until(/event: history/)
    await one.proxy.close()
    await viewer.closed
    expect(one.clock.pending).toBe(0)
  })

  test('its session lets nobody purge, nor see anything else', async () => {
    await using one = await bed({ admin: 0, adminToken: TOKEN, memory: '4MiB' })
    const port = Number(new URL(one.proxy.adminAddress!).port)
    expect((await ask(port, '/dashboard')).status).toBe(401)
    expect((await ask(port, '/dashboard/events', { headers: BEARER, method: 'HEAD' })).status).toBe(200)
    const { status, headers } = await ask(port, '/dashboard', {
      method: 'POST',
      headers: FORM,
      body: `token=${TOKEN}`,
    })
    expect(status).toBe(303)
    const cookie = (headers['set-cookie'] as string[])[0]!.split(';')[0]!
    expect((await ask(port, '/dashboard', { headers: { cookie } })).status).toBe(200)
    for (const path of ['/stats', '/metrics', '/health', '/snapshot']) {
      expect((await ask(port, path, { headers: { cookie } })).status, path).toBe(401)
    }
    await one.proxy.cache.set('kept', 'x')
    const json = { 'content-type': 'application/json', cookie }
    const purge = await ask(port, '/purge', { method: 'POST', headers: json, body: '{"all": true}' })
    expect([purge.status, await one.proxy.cache.has('kept')]).toEqual([401, true])
  })
})

test('who sends half a form and leaves breaks nothing', async () => {
  const { port, get } = await stage({ token: TOKEN })
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(
    `POST /dashboard HTTP/1.1\r\nhost: x\r\ncontent-type: ${FORM['content-type']}\r\ncontent-length: 100\r\n\r\ntok`,
  )
  await turns(20)
  socket.destroy()
  await turns(20)
  expect((await get('/dashboard', { headers: BEARER })).status).toBe(200)
})
