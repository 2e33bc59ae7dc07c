import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { gate } from '../../helpers/origin.js'
import { bed, raw } from './harness.js'

const FRESH = ['Cache-Control', 'max-age=60']
const BODY = Buffer.alloc(200_000, 'abcdefghij')

describe('an origin that breaks in the middle of a body', () => {
  for (const chunked of [false, true]) {
    for (const tenth of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      const name = `${chunked ? 'chunked' : 'with a length'}, at ${tenth} tenths`
      test(`breaks the response and stores nothing: ${name}`, async () => {
        await using it = await bed()
        let cut = true
        const cutAfter = (BODY.length / 10) * tenth
        it.origin.on('/a', () => ({ headers: FRESH, body: BODY, chunked, ...(cut ? { cutAfter } : {}) }))
        for (const headers of [{}, { range: 'bytes=190000-' }, { 'cache-control': 'no-store' }]) {
          const reply = await it.get('/a', headers)
          expect(reply.complete).toBe(false)
          expect(BODY.includes(reply.body)).toBe(true)
        }
        expect(it.proxy.cache.stats().tiers[0]!.entries).toBe(0)
        cut = false
        const next = await it.get('/a')
        expect(next.complete && next.body.equals(BODY)).toBe(true)
        expect(it.origin.count('/a')).toBe(4)
      })
    }
  }

  test('on the wire, a chunked response lacks its last chunk', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: BODY, chunked: true, cutAfter: 1000 })
    const { text } = await raw(it.port, 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n').closed
    expect(text).toContain('Transfer-Encoding: chunked')
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/)
  })

  test('a client of HTTP/1.0, which knows no chunks, is reset', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: BODY, chunked: true, cutAfter: 1000 })
    const broken = await raw(it.port, 'GET /a HTTP/1.0\r\n\r\n').closed
    expect(broken.reset).toBe(true)
    it.origin.on('/b', { headers: FRESH, body: 'whole', chunked: true })
    const whole = await raw(it.port, 'GET /b HTTP/1.0\r\n\r\n').closed
    expect(whole.reset).toBe(false)
    expect(whole.text).toMatch(/Connection: close\r\n[\s\S]*whole$/)
    const hit = await raw(it.port, 'GET /b HTTP/1.0\r\n\r\n').closed
    expect(hit.text).toMatch(/Content-Length: 5\r\n[\s\S]*whole$/)
  })

  test('a body that ends with its connection is relayed as one', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: 'to the end', untilClose: true })
    for (const fields of ['', 'Cache-Control: no-store\r\n']) {
      const { text } = await raw(it.port, `GET /a HTTP/1.1\r\nHost: h\r\n${fields}\r\n`).closed
      expect(text).not.toMatch(/transfer-encoding|content-length/i)
      expect(text).toMatch(/Connection: close\r\n[\s\S]*to the end$/)
    }
  })

  test('all who joined are told', async () => {
    await using it = await bed()
    const rest = gate()
    const server = it.origin.server
    it.origin.on('/a', { headers: FRESH, body: BODY, pauseAfter: 100_000, rest })
    const connections = Array.from({ length: 5 }, () => raw(it.port, 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n'))
    await Promise.all(connections.map((connection) => connection.until(/abcdefghij$/)))
    server.closeAllConnections()
    for (const { text } of await Promise.all(connections.map(({ closed }) => closed))) {
      expect(text).toContain('Content-Length: 200000')
      expect(text.split('\r\n\r\n')[1]!.length).toBeLessThan(200_000)
    }
    expect(it.origin.count('/a')).toBe(1)
    rest.open()
  })
})

describe('an origin that gives no answer', () => {
  test('down: 502; with something stale: that', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: [...FRESH, 'ETag', '"1"'], body: 'old' })
    await it.get('/a')
    await it.origin.stop()
    expect((await it.get('/a')).cache).toBe('hit; ttl=60')
    it.clock.advance(70_000)
    const stale = await it.get('/a')
    expect([stale.status, stale.text, stale.headers['age']]).toEqual([200, 'old', '70'])
    expect(stale.cache).toBe('fwd=stale; ttl=-10; detail=stale-if-error')
    expect((await it.get('/a', { 'if-none-match': '"1"' })).status).toBe(304)
    expect((await it.get('/a', { range: 'bytes=1-' })).text).toBe('ld')
    const none = await it.get('/b')
    expect([none.status, none.cache]).toEqual([502, 'fwd=uri-miss; detail=origin-unreachable'])
    expect(none.text).toBe('502 Bad Gateway: the origin could not be asked (ECONNREFUSED)\n')
    it.clock.advance(864e5)
    expect((await it.get('/a')).status).toBe(502)
  })

  test.each([
    ['max-age=60', '5s', 64, true],
    ['max-age=60', '5s', 66, false],
    ['max-age=60, stale-if-error=100', '5s', 159, true],
    ['max-age=60, stale-if-error=100', '5s', 161, false],
    ['max-age=60, stale-if-error=0', '1d', 61, false],
    ['max-age=60, must-revalidate', '1d', 61, false],
    ['max-age=60, proxy-revalidate', '1d', 61, false],
    ['s-maxage=60', '1d', 61, false],
    ['s-maxage=60, stale-if-error=10', '1d', 61, true],
    ['max-age=60, must-revalidate, stale-if-error=10', '1d', 61, false],
  ])(
    '%s, staleIfError %s: stale at %i s answers an error: %s',
    async (cacheControl, staleIfError, age, answers) => {
      for (const how of ['down', 'status'] as const) {
        await using it = await bed({ staleIfError })
        let failing = false
        it.origin.on('/a', () =>
          failing
            ? { status: 503, body: 'in trouble' }
            : { headers: ['Cache-Control', cacheControl], body: 'old' },
        )
        await it.get('/a')
        failing = true
        if (how === 'down') await it.origin.stop()
        it.clock.advance(age * 1000)
        const reply = await it.get('/a')
        if (answers) {
          expect([reply.status, reply.text]).toEqual([200, 'old'])
          const status = how === 'down' ? '' : ' fwd-status=503;'
          expect(reply.cache).toBe(`fwd=stale;${status} ttl=${60 - age}; detail=stale-if-error`)
        } else if (how === 'down') {
          expect(reply.status).toBe(502)
        } else {
          expect([reply.status, reply.text]).toEqual([503, 'in trouble'])
          expect(reply.cache).toBe('fwd=stale; fwd-status=503; detail=status')
        }
      }
    },
  )

  test('a 4xx is an answer, not a failure', async () => {
    await using it = await bed()
    let status = 200
    it.origin.on('/a', () => ({ status, headers: FRESH, body: `${status}` }))
    await it.get('/a')
    it.clock.advance(60_000)
    status = 403
    expect((await it.get('/a')).text).toBe('403')
  })

  test('broken before the head: 502, on each way', async () => {
    await using it = await bed()
    it.origin.on('/a', { broken: true })
    for (const method of ['GET', 'HEAD', 'POST']) {
      expect((await it.get('/a', {}, { method })).status).toBe(502)
    }
  })

  test('no HTTP: 502', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.end('SSH-2.0-nope\r\n')))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    await using it = await bed({ origin: `http://127.0.0.1:${port}` })
    expect((await it.get('/a')).status).toBe(502)
    await new Promise((resolve) => server.close(resolve))
  })

  test.each([
    'X: a\x01b',
    'X: a\x7fb',
    'X: a\0b',
    'X: a\rb',
    'X: a\nb: c',
    'X: a\r\n b',
    'X : a',
    'Content-Length: 1',
    'Transfer-Encoding: chunked',
  ])('with a field that no client could be given, %j: 502', async (field) => {
    const head = `HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n${field}\r\nContent-Length: 1\r\n\r\nx`
    const server = createServer((socket) =>
      socket.once('data', () => socket.end(head, 'latin1')).on('error', () => undefined),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    await using it = await bed({ origin: `http://127.0.0.1:${port}` })
    for (let i = 0; i < 2; i += 1) expect((await it.get('/a')).status).toBe(502)
    await new Promise((resolve) => server.close(resolve))
  })

  test.each([
    ['GET', {}],
    ['GET', { 'cache-control': 'no-store' }],
    ['HEAD', {}],
    ['POST', {}],
  ] as const)('silent: 504 after the time it has, %s %j', async (method, headers) => {
    await using it = await bed({ originTimeout: '20s' })
    const head = gate()
    it.origin.on('/a', { head })
    const reply = it.get('/a', headers, { method })
    await it.origin.arrived('/a')
    it.clock.advance(19_999)
    it.clock.advance(1)
    const { status, cache } = await reply
    expect(status).toBe(504)
    expect(cache).toMatch(/detail=origin-timeout$/)
    expect(it.proxy.cache.stats().filling).toBe(0)
    head.open()
  })

  test('silent, with something stale: that', async () => {
    await using it = await bed({ originTimeout: '20s' })
    const head = gate()
    let silent = false
    it.origin.on('/a', () => ({ headers: FRESH, body: 'old', ...(silent ? { head } : {}) }))
    await it.get('/a')
    it.clock.advance(60_000)
    silent = true
    const reply = it.get('/a')
    await it.origin.arrived('/a', 2)
    it.clock.advance(20_000)
    expect((await reply).text).toBe('old')
    head.open()
  })

  test('an idle connection that the origin closes as it is used again costs nothing', async () => {
    await using it = await bed()
    let n = 0
    // The second request on a connection finds it closed, as when the origin gave it up just then.
    it.origin.server.on('connection', (socket) => {
      let requests = 0
      socket.on('data', () => {
        requests += 1
        if (requests > 1) socket.destroy()
      })
    })
    it.origin.on('/a', () => {
      n += 1
      return { headers: ['Cache-Control', 'no-store'], body: `${n}` }
    })
    for (let i = 0; i < 4; i += 1) expect((await it.get('/a')).status).toBe(200)
  })
})

describe('clients that are slow or gone', () => {
  test('a client that stops reading slows no other', async () => {
    await using it = await bed()
    const body = Buffer.alloc(8_000_000, 'z')
    it.origin.on('/a', { headers: FRESH, body })
    const slow = raw(it.port, 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n')
    await slow.until(/zzz/)
    slow.socket.pause()
    for (let i = 0; i < 3; i += 1) {
      const reply = await it.get('/a', { host: 'h' })
      expect(reply.body.length).toBe(body.length)
    }
    expect(it.origin.count('/a')).toBe(1)
    slow.socket.destroy()
  })

  test('when all have left, the origin is let go, and nothing is stored', async () => {
    await using it = await bed()
    const rest = gate()
    it.origin.on('/a', { headers: FRESH, body: BODY, pauseAfter: 1000, rest })
    const gone = new Promise<void>((resolve) => {
      it.origin.server.once('connection', (socket) => socket.once('close', () => resolve()))
    })
    const client = raw(it.port, 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n')
    await client.until(/abcdefghij$/)
    client.socket.destroy()
    await gone
    rest.open()
    expect(it.proxy.cache.stats().tiers[0]!.entries).toBe(0)
    expect(it.proxy.cache.stats().filling).toBe(0)
  })

  test('a relayed body is let go with its client', async () => {
    await using it = await bed()
    const rest = gate()
    it.origin.on('/a', { body: BODY, pauseAfter: 1000, rest })
    const gone = new Promise<void>((resolve) => {
      it.origin.server.once('connection', (socket) => socket.once('close', () => resolve()))
    })
    const client = raw(it.port, 'POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n')
    await client.until(/abcdefghij$/)
    client.socket.destroy()
    await gone
    rest.open()
  })
})

describe('a head without a body yet', () => {
  test.each([{}, { 'cache-control': 'no-store' }])('is sent on at once, %j', async (headers) => {
    await using it = await bed()
    const rest = gate()
    it.origin.on('/a', { headers: [...FRESH, 'X-Latin', 'caf\xe9'], body: 'later', pauseAfter: 0, rest })
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    const client = raw(it.port, `GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${fields}\r\n`)
    expect(await client.until(/\r\n\r\n$/)).toContain('X-Latin: caf\xe9\r\n')
    rest.open()
    expect((await client.closed).text).toMatch(/later$/)
  })
})
