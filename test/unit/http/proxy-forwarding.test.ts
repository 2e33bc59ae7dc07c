import { describe, expect, test } from 'vitest'
import { gate } from '../../helpers/origin.js'
import { ask, bed, raw, valuesOf } from './harness.js'

const FRESH = ['Cache-Control', 'max-age=60']

describe('what the origin sees', () => {
  test('end-to-end fields as they came, none of this hop, and where the request comes from', async () => {
    await using it = await bed()
    it.origin.on('/a?b', { headers: FRESH, body: 'x' })
    const sent = raw(
      it.port,
      [
        'GET /a?b HTTP/1.1',
        'Host: front.example',
        'X-One: a',
        'x-one: b',
        'Accept: */*',
        'Cookie: a=1',
        'TE: trailers',
        'Trailer: X-T',
        'Keep-Alive: 5',
        'Proxy-Connection: keep-alive',
        'Proxy-Authorization: Basic eDp5',
        'Forwarded: for=evil;host=evil',
        'X-Forwarded-For: 10.0.0.1',
        'X-Forwarded-Host: evil.example',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Prefix: /evil',
        'Via: 1.0 before',
        'Connection: close, TE',
        '',
        '',
      ].join('\r\n'),
    )
    await sent.closed
    const { raw: seen } = it.origin.seen[0]!
    const names = seen.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
    for (const gone of [
      'te',
      'trailer',
      'keep-alive',
      'proxy-connection',
      'proxy-authorization',
      'forwarded',
    ]) {
      expect(names).not.toContain(gone)
    }
    expect(valuesOf(seen, 'host')).toEqual([`127.0.0.1:${it.origin.port}`])
    expect(valuesOf(seen, 'x-one')).toEqual(['a', 'b'])
    expect(valuesOf(seen, 'cookie')).toEqual(['a=1'])
    expect(valuesOf(seen, 'x-forwarded-for')).toEqual(['10.0.0.1, 127.0.0.1'])
    expect(valuesOf(seen, 'x-forwarded-host')).toEqual(['front.example'])
    expect(valuesOf(seen, 'x-forwarded-proto')).toEqual(['http'])
    expect(valuesOf(seen, 'x-forwarded-prefix')).toEqual([])
    expect(valuesOf(seen, 'via')[0]).toBe('1.0 before')
    expect(valuesOf(seen, 'via')[1]).toMatch(/^1\.1 drey \([0-9a-f]+\)$/)
  })

  test('preserveHost: the host that the client asked for', async () => {
    await using it = await bed({ preserveHost: true })
    it.origin.on('/a', (seen) => ({ headers: FRESH, body: seen.headers.host! }))
    expect((await it.get('/a', { host: 'One.example' })).text).toBe('one.example')
    expect((await it.get('/a', { host: 'two.example' })).text).toBe('two.example')
    expect((await it.get('/a', { host: 'one.example' })).cache).toBe('hit; ttl=60')
  })

  test('trustForwarded: what is in front speaks for the client, and is part of the key', async () => {
    await using it = await bed({ trustForwarded: true })
    it.origin.on('/a', (seen) => ({
      headers: FRESH,
      body: `${seen.headers['x-forwarded-proto']}://${seen.headers['x-forwarded-host']}`,
    }))
    const secure = { host: 'h', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'front' }
    expect((await it.get('/a', secure)).text).toBe('https://front')
    expect((await it.get('/a', { host: 'h' })).text).toBe('http://h')
    expect((await it.get('/a', { ...secure, 'x-forwarded-proto': 'http' })).text).toBe('http://front')
    expect((await it.get('/a', secure)).cache).toBe('hit; ttl=60')
  })

  test('a stranger’s host shapes only the answers for that host', async () => {
    await using it = await bed()
    it.origin.on('/a', (seen) => ({ headers: FRESH, body: `link to ${seen.headers['x-forwarded-host']}` }))
    expect((await it.get('/a', { host: 'evil.example' })).text).toBe('link to evil.example')
    expect((await it.get('/a', { host: 'good.example', 'x-forwarded-host': 'evil.example' })).text).toBe(
      'link to good.example',
    )
  })
})

describe('what the client sees', () => {
  test('no field of the hop to the origin', async () => {
    await using it = await bed()
    const headers = [
      ...FRESH,
      'Connection',
      'X-Hop',
      'X-Hop',
      '1',
      'Keep-Alive',
      'timeout=9',
      'Proxy-Authenticate',
      'Basic',
      'Trailer',
      'X-T',
      'Upgrade',
      'h2c',
      'X-Stays',
      '1',
    ]
    it.origin.on('/a', { headers, body: 'x', chunked: true })
    for (const reply of [
      await it.get('/a'),
      await it.get('/a'),
      await it.get('/a', { 'cache-control': 'no-store' }),
    ]) {
      expect(reply.headers['x-stays']).toBe('1')
      for (const gone of ['x-hop', 'proxy-authenticate', 'trailer', 'upgrade']) {
        expect(reply.headers).not.toHaveProperty(gone)
      }
      expect(reply.headers['keep-alive']).not.toBe('timeout=9')
    }
  })
})

describe('methods', () => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
    '%s streams through both ways',
    async (method) => {
      await using it = await bed()
      const body = Buffer.alloc(300_000, 'up')
      it.origin.on('/a', {
        status: 201,
        headers: ['X-Kind', 'y', ...FRESH],
        body: Buffer.alloc(300_000, 'down'),
      })
      const reply = await it.get(
        '/a',
        { 'content-length': String(body.length), 'content-type': 'a/b' },
        { method, body },
      )
      expect([reply.status, reply.cache]).toEqual([201, 'fwd=method; fwd-status=201'])
      expect(reply.body.equals(Buffer.alloc(300_000, 'down'))).toBe(true)
      const seen = it.origin.seen[0]!
      expect([seen.method, seen.headers['content-length'], seen.headers['content-type']]).toEqual([
        method,
        '300000',
        'a/b',
      ])
      expect((await seen.body).equals(body)).toBe(true)
      expect(it.proxy.cache.stats().tiers[0]!.entries).toBe(0)
    },
  )

  test('a chunked upload is on its way to the origin before it has ended', async () => {
    await using it = await bed()
    it.origin.on('/a', { body: 'done' })
    const upload = raw(
      it.port,
      'POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    )
    await it.origin.arrived('/a')
    expect(it.origin.seen[0]!.headers['transfer-encoding']).toBe('chunked')
    upload.socket.write('3\r\n you\r\n0\r\n\r\n'.replace(' you', ' yo'))
    await upload.until(/done/)
    expect((await it.origin.seen[0]!.body).toString()).toBe('hello yo')
    upload.socket.destroy()
  })

  test('100-continue is answered here', async () => {
    await using it = await bed()
    it.origin.on('/a', { body: 'done' })
    const upload = raw(
      it.port,
      'POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n',
    )
    await upload.until(/100 Continue/)
    upload.socket.write('ab')
    await upload.until(/done/)
    expect(it.origin.seen[0]!.headers).not.toHaveProperty('expect')
    upload.socket.destroy()
  })

  test('a client that leaves in the middle of its upload breaks it off at the origin, too', async () => {
    await using it = await bed()
    const head = gate()
    it.origin.on('/a', { body: 'done', head })
    const upload = raw(it.port, 'POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf')
    await it.origin.arrived('/a')
    upload.socket.destroy()
    await expect(it.origin.seen[0]!.body).rejects.toThrow()
    head.open()
    expect((await it.get('/a', {}, { method: 'POST', body: 'x' })).text).toBe('done')
  })

  test('an origin that is gone costs an upload its answer, not its connection', async () => {
    await using it = await bed()
    await it.origin.stop()
    const upload = raw(it.port, 'POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc')
    await upload.until(/502 Bad Gateway[\s\S]*ECONNREFUSED/)
    upload.socket.write('def')
    upload.socket.write('GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    expect((await upload.closed).text.match(/HTTP\/1\.1 502/g)).toHaveLength(2)
  })

  test('OPTIONS * and TRACE that go no further are answered here', async () => {
    await using it = await bed()
    const options = raw(it.port, 'OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    expect((await options.closed).text).toMatch(/^HTTP\/1\.1 204 [\s\S]*Allow: GET, HEAD/)
    const last = await it.get('/a', { 'max-forwards': '0' }, { method: 'OPTIONS' })
    expect(last.status).toBe(204)
    const trace = await it.get(
      '/a',
      { 'max-forwards': '0', cookie: 'secret', 'x-y': 'z' },
      { method: 'TRACE' },
    )
    expect(trace.headers['content-type']).toBe('message/http')
    expect(trace.text).toContain('x-y: z\r\n')
    expect(trace.text).not.toContain('secret')
    expect(it.origin.seen).toHaveLength(0)
    await it.get('/a', { 'max-forwards': '3' }, { method: 'OPTIONS' })
    expect(it.origin.seen[0]!.headers['max-forwards']).toBe('2')
  })
})

describe('invalidation', () => {
  test.each([
    ['POST', 200, true],
    ['PUT', 204, true],
    ['DELETE', 303, true],
    ['PURGE', 200, true],
    ['POST', 404, false],
    ['POST', 500, false],
    ['OPTIONS', 200, false],
  ])('%s answered %i invalidates its target: %s', async (method, status, gone) => {
    await using it = await bed()
    it.origin.on('/a', (seen) => (seen.method === 'GET' ? { headers: FRESH, body: 'x' } : { status }))
    await it.get('/a')
    expect((await it.get('/a', {}, { method })).status).toBe(status)
    expect((await it.get('/a')).cache.startsWith('hit')).toBe(!gone)
  })

  test('the locations that its answer names, too, if they are of the same origin', async () => {
    await using it = await bed()
    const host = { host: 'h.example' }
    for (const path of ['/b', '/c', '/d', '/e']) it.origin.on(path, { headers: FRESH, body: 'x' })
    it.origin.on('/post', (seen) => ({ status: 201, headers: String(seen.headers['x-say']).split(' ') }))
    const invalidates = async (say: string, path: string): Promise<boolean> => {
      await it.get(path, host)
      await it.get('/post', { ...host, 'x-say': say }, { method: 'POST', body: 'x' })
      return !(await it.get(path, host)).cache.startsWith('hit')
    }
    expect(await invalidates('Location /b', '/b')).toBe(true)
    expect(await invalidates('Content-Location c', '/c')).toBe(true)
    expect(await invalidates('Location http://h.example/d', '/d')).toBe(true)
    expect(await invalidates(`Location ${it.origin.url}/d`, '/d')).toBe(true)
    expect(await invalidates('Location http://other.example/e', '/e')).toBe(false)
    expect(await invalidates('Location http://[/e', '/e')).toBe(false)
  })

  test('what was asked before the change is neither stored nor shared after it', async () => {
    await using it = await bed()
    const head = gate()
    let version = 1
    it.origin.on('/a', (seen) => {
      if (seen.method === 'POST') return {}
      const body = `v${version}`
      return { headers: FRESH, body, ...(version === 1 ? { head } : {}) }
    })
    const before = it.get('/a')
    await it.origin.arrived('/a')
    version = 2
    await it.get('/a', {}, { method: 'POST', body: 'x' })
    const after = it.get('/a')
    expect((await after).text).toBe('v2')
    head.open()
    expect((await before).text).toBe('v1')
    expect((await it.get('/a')).text).toBe('v2')
  })
})

describe('requests that are refused', () => {
  test.each([
    ['websocket', 'GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', 501],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 501],
    [
      'a coding that is not chunked',
      'POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      501,
    ],
    [
      'length and coding',
      'POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['two lengths', 'POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd', 400],
    ['no host', 'GET /a HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['two hosts', 'GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n', 400],
    ['a host with a path', 'GET /a HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n', 400],
    ['a target that is neither path nor URL', 'GET a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n', 400],
    ['an asterisk', 'GET * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n', 400],
    ['a fragment', 'GET /a#b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n', 400],
    ['credentials in the URL', 'GET http://u:p@h/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n', 400],
    ['bytes beyond ASCII in the path', 'GET /caf\xe9 HTTP/1.1\r\nHost: h\r\n\r\n', 400],
    ['another scheme', 'GET ftp://h/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n', 400],
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['a head without end', `GET /a HTTP/1.1\r\nHost: h\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ] as const)('%s', async (_, bytes, status) => {
    await using it = await bed()
    it.origin.on('/a', { body: 'from the origin' })
    const { text } = await raw(it.port, bytes).closed
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(text).not.toContain('from the origin')
    expect(it.origin.seen).toHaveLength(0)
    expect((await it.get('/a')).status).toBe(200)
  })

  test('an offer of another HTTP is passed over', async () => {
    await using it = await bed()
    it.origin.on('/a', { body: 'x' })
    const offer = raw(
      it.port,
      'GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n',
    )
    expect((await offer.closed).text).toMatch(/^HTTP\/1\.1 200 /)
    expect(it.origin.seen[0]!.headers).not.toHaveProperty('upgrade')
    expect(it.origin.seen[0]!.headers).not.toHaveProperty('http2-settings')
  })

  test('the absolute form is the same target, and its host counts', async () => {
    await using it = await bed({ preserveHost: true })
    it.origin.on('/a?q', (seen) => ({ headers: FRESH, body: seen.headers.host! }))
    it.origin.on('/', { headers: FRESH, body: 'root' })
    const absolute = raw(
      it.port,
      'GET HTTP://Real.example/a?q HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n',
    )
    expect((await absolute.closed).text).toMatch(/real\.example$/)
    expect((await it.get('/a?q', { host: 'real.example' })).cache).toBe('hit; ttl=60')
    const bare = raw(it.port, 'GET http://real.example HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n')
    expect((await bare.closed).text).toMatch(/root$/)
  })

  test('a key that is too long bypasses the cache', async () => {
    await using it = await bed()
    const path = `/${'k'.repeat(13_000)}`
    it.origin.on(path, { headers: FRESH, body: 'x' })
    for (let i = 0; i < 2; i += 1) {
      expect((await it.get(path)).cache).toBe('fwd=bypass; fwd-status=200; detail=key-too-long')
    }
  })

  test('a proxy that is its own origin says so instead of asking itself for ever', async () => {
    await using front = await bed()
    const loop = await bed()
    await loop.origin.stop()
    // The origin's place is taken by a server that sends everything back to the proxy.
    const { createServer, request } = await import('node:http')
    const mirror = createServer((req, res) => {
      const again = request(
        { port: loop.port, path: req.url, headers: req.headers, agent: false },
        (answer) => {
          res.writeHead(answer.statusCode!, answer.rawHeaders)
          answer.pipe(res)
        },
      )
      again.end()
    })
    await new Promise<void>((resolve) => mirror.listen(loop.origin.port, '127.0.0.1', resolve))
    const reply = await loop.get('/a')
    expect(reply.status).toBe(508)
    expect(reply.text).toContain('leads back')
    expect((await front.get('/a')).status).toBe(404)
    mirror.closeAllConnections()
    await new Promise((resolve) => mirror.close(resolve))
    await loop[Symbol.asyncDispose]()
  })

  test('pipelined requests are answered in order', async () => {
    await using it = await bed()
    const head = gate()
    it.origin.on('/slow', { headers: FRESH, body: 'first', head })
    it.origin.on('/fast', { headers: FRESH, body: 'second' })
    await ask(it.port, '/fast', { headers: { host: 'h' } })
    const both = raw(
      it.port,
      'GET /slow HTTP/1.1\r\nHost: h\r\n\r\nGET /fast HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    )
    await it.origin.arrived('/slow')
    head.open()
    expect((await both.closed).text).toMatch(/first[\s\S]*second$/)
  })
})
