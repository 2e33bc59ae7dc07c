import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { Pool } from 'undici'
import { describe, expect, test } from 'vitest'
import { ConfigError } from '../../../lib/errors.js'
import { createProxy } from '../../../lib/http/index.js'
import type { ProxyOptions } from '../../../lib/http/options.js'
import { localhostCertificate } from '../../helpers/certificate.js'
import { gate } from '../../helpers/origin.js'
import { ask, bed, raw } from './harness.js'

const FRESH = ['Cache-Control', 'max-age=60']

describe('options', () => {
  test.each([
    [{}, 'origin: got undefined'],
    [{ origin: 'nonsense' }, 'origin: got "nonsense"; want the scheme, host and port'],
    [{ origin: 'ftp://a' }, 'origin: got "ftp://a"'],
    [{ origin: 'http://a/path' }, 'origin: got "http://a/path"'],
    [{ origin: 'http://u:p@a' }, 'origin: got'],
    [{ origin: 'http://a', listen: '8080x' }, 'listen: got "8080x"; want a port'],
    [{ origin: 'http://a', listen: 65_536 }, 'listen: got 65536'],
    [{ origin: 'http://a', listen: -1 }, 'listen: got -1'],
    [{ origin: 'http://a', listen: '::1:80' }, 'listen: got "::1:80"'],
    [{ origin: 'http://a', listen: '[a]:80' }, 'listen: got "[a]:80"'],
    [{ origin: 'http://a', memory: '1MB' }, 'memory: got "1MB"; want a whole number of bytes'],
    [{ origin: 'http://a', memory: 1000 }, 'memory: got 1000; want at least 1 MiB'],
    [
      { origin: 'http://a', memory: '900TiB' },
      'memory: got "900TiB"; that is 989560464998400 bytes; want at most the memory there is',
    ],
    [
      { origin: 'http://a', memory: '2MiB', maxItem: '3MiB' },
      'maxItem: got 3145728, more than memory, 2097152',
    ],
    [{ origin: 'http://a', ttl: 'soon' }, 'ttl: got "soon"; want milliseconds'],
    [{ origin: 'http://a', originTimeout: 0 }, 'originTimeout: got 0; want more than 0 ms'],
    [{ origin: 'http://a', healthz: 'x' }, 'healthz: got "x"'],
    [{ origin: 'http://a', oops: 1 }, 'oops: no such option'],
  ])('%j: %s', async (options, message) => {
    const made = createProxy(options as ProxyOptions)
    await expect(made).rejects.toThrow(ConfigError)
    await expect(made).rejects.toThrow(message)
  })

  test.each([
    [undefined, 'http://127.0.0.1:'],
    [0, 'http://127.0.0.1:'],
    [':0', 'http://127.0.0.1:'],
    ['localhost:0', 'http://127.0.0.1:'],
    ['127.0.0.2:0', 'http://127.0.0.2:'],
    ['0.0.0.0:0', 'http://0.0.0.0:'],
  ])('listen %j: %s', async (listen, address) => {
    await using proxy = await createProxy({
      origin: 'http://127.0.0.1:9',
      ...(listen === undefined ? {} : { listen }),
    })
    expect(proxy.address).toBeUndefined()
    expect(await proxy.listen()).toMatch(new RegExp(`^${address.replaceAll('.', '\\.')}\\d+$`))
  })

  test('a port in use rejects, and the proxy can be closed', async () => {
    const taken = createServer()
    taken.listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const proxy = await createProxy({ origin: 'http://127.0.0.1:9', listen: port })
    await expect(proxy.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await proxy.close()
    await new Promise((resolve) => taken.close(resolve))
  })
})

describe('healthz', () => {
  test('answers on its path without asking anyone, and only when wanted', async () => {
    await using it = await bed({ healthz: true })
    const well = await it.get('/healthz')
    expect([well.status, well.text, well.headers['cache-control']]).toEqual([200, 'ok\n', 'no-store'])
    expect((await it.get('/healthz', {}, { method: 'HEAD' })).text).toBe('')
    expect((await it.get('/healthz', {}, { method: 'POST' })).status).toBe(405)
    expect(it.origin.seen).toHaveLength(0)
    await using plain = await bed()
    expect((await plain.get('/healthz')).text).toBe('no plan')
    await using other = await bed({ healthz: '/alive?yes' })
    expect((await other.get('/alive?yes')).text).toBe('ok\n')
  })
})

describe('access log', () => {
  test('a line per request: who, when, what, and what the cache did', async () => {
    const log = new PassThrough()
    await using it = await bed({ accessLog: log, healthz: true })
    it.origin.on('/a', { headers: FRESH, body: 'hello' })
    const line = async (): Promise<string> => String((await once(log, 'data'))[0])
    const cases: Array<[() => Promise<unknown>, RegExp]> = [
      [
        () => it.get('/a', { 'user-agent': 'ua/1', referer: 'http://r/' }),
        /"GET \/a HTTP\/1\.1" 200 \d+ "http:\/\/r\/" "ua\/1" miss /,
      ],
      [() => it.get('/a'), /"GET \/a HTTP\/1\.1" 200 \d+ "-" "-" hit /],
      [() => it.get('/a', { range: 'bytes=9-' }), /" 416 \d+ "-" "-" hit /],
      [() => it.get('/a', {}, { method: 'POST' }), /"POST \/a HTTP\/1\.1" 200 \d+ "-" "-" pass /],
      [() => it.get('/healthz'), /"GET \/healthz HTTP\/1\.1" 200 \d+ "-" "-" health /],
      [() => it.get('/x', { 'user-agent': 'a"b\\c\td\xe9' }), /"a\\"b\\\\c\\x09d\\xe9" miss /],
    ]
    for (const [request, pattern] of cases) {
      const next = line()
      await request()
      const text = await next
      expect(text).toMatch(pattern)
      expect(text).toMatch(/^127\.0\.0\.1 - - \[14\/Nov\/2023:22:13:20 \+0000\] "[^\n]* \d+\.\d\dms\n$/)
    }
    await it.origin.stop()
    const next = line()
    await it.get('/down')
    expect(await next).toMatch(/" 502 \d+ "-" "-" error /)
  })

  test('the bytes of each response on a connection are its own', async () => {
    const log = new PassThrough()
    await using it = await bed({ accessLog: log })
    it.origin.on('/a', { headers: FRESH, body: 'x'.repeat(1000) })
    let text = ''
    log.on('data', (chunk) => {
      text += chunk
    })
    const connection = raw(
      it.port,
      'GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    )
    const wire = (await connection.closed).text
    while (text.split('\n').length < 3) await new Promise((resolve) => setImmediate(resolve))
    const sizes = [...text.matchAll(/" 200 (\d+) /g)].map(([, size]) => Number(size))
    expect(sizes[0]! + sizes[1]!).toBe(wire.length)
    expect(Math.abs(sizes[0]! - sizes[1]!)).toBeLessThan(100)
  })

  test('to a file, which is there in full after close', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'drey-log-'))
    const file = join(dir, 'access.log')
    {
      await using it = await bed({ accessLog: file })
      await it.get('/a')
      await it.get('/b')
    }
    expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(3)
    await rm(dir, { recursive: true })
  })

  test('a file that cannot be opened is an error at once', async () => {
    const made = createProxy({ origin: 'http://127.0.0.1:9', accessLog: '/nonexistent/dir/log' })
    await expect(made).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('a log that breaks costs its lines, not the answers', async () => {
    const log = new PassThrough()
    const warned = once(process, 'warning')
    await using it = await bed({ accessLog: log })
    log.destroy(new Error('disk on fire'))
    expect(String((await warned)[0])).toContain('the access log cannot be written: disk on fire')
    expect((await it.get('/a')).status).toBe(404)
  })
})

describe('close', () => {
  test('lets what is under way finish, takes nothing new, and leaves no timer', async () => {
    await using it = await bed()
    const rest = gate()
    const body = Buffer.alloc(200_000, 'q')
    it.origin.on('/a', { headers: FRESH, body, pauseAfter: 1000, rest })
    const idle = raw(it.port, 'GET /b HTTP/1.1\r\nHost: h\r\n\r\n')
    await idle.until(/no plan/)
    const busy = raw(it.port, 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n')
    await busy.until(/qqq/)
    const closed = it.proxy.close()
    expect(it.proxy.close()).toBe(closed)
    await idle.closed
    await expect(ask(it.port, '/c')).rejects.toThrow(/ECONNREFUSED/)
    rest.open()
    const { text, reset } = await busy.closed
    expect([text.endsWith('q'.repeat(200_000)), reset]).toEqual([true, false])
    await closed
    expect(it.clock.pending).toBe(0)
  })

  test('a response whose head comes during the closing asks to close, and healthz says so', async () => {
    await using it = await bed({ healthz: true })
    const head = gate()
    it.origin.on('/a', { headers: FRESH, body: 'x', head })
    it.origin.on('/warm', { headers: FRESH, body: 'x' })
    await it.get('/warm', { host: 'h' })
    const late = raw(it.port, 'GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /warm HTTP/1.1\r\nHost: h\r\n\r\n')
    await it.origin.arrived('/a')
    const closed = it.proxy.close()
    head.open()
    const { text } = await late.closed
    expect(text).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*Connection: close/)
    await closed
  })

  test('what does not finish in its time is broken off', async () => {
    await using it = await bed({ shutdownTimeout: '5s' })
    const rest = gate()
    it.origin.on('/a', { headers: FRESH, body: Buffer.alloc(200_000), pauseAfter: 1000, rest })
    const busy = raw(it.port, 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n')
    await busy.until(/\r\n\r\n/)
    const closed = it.proxy.close()
    it.clock.advance(5000)
    await busy.closed
    await closed
    expect(it.clock.pending).toBe(0)
    rest.open()
  })

  test('before it has listened', async () => {
    const proxy = await createProxy({ origin: 'http://127.0.0.1:9' })
    await proxy.close()
    await proxy.close()
  })
})

describe('the origin', () => {
  test('over TLS, by the name of the origin whatever host is asked for', async () => {
    const names: unknown[] = []
    const note = (name: string, done: (error: Error | null) => void): void => {
      names.push(name)
      done(null)
    }
    const server = createTlsServer({ ...localhostCertificate, SNICallback: note }, (req, res) =>
      res.writeHead(200, FRESH).end(`secure ${req.headers.host}`),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    // The pool of the proxy's own checks certificates as Node does; this one is trusted here only.
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      await using it = await bed({ origin: `https://localhost:${port}`, preserveHost: true })
      expect((await it.get('/a', { host: 'one.example' })).text).toBe('secure one.example')
      expect((await it.get('/b', { host: 'two.example' })).text).toBe('secure two.example')
      await using byAddress = await bed({ origin: `https://127.0.0.1:${port}`, preserveHost: true })
      expect((await byAddress.get('/a', { host: 'one.example' })).text).toBe('secure one.example')
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    }
    expect(new Set(names)).toEqual(new Set(['localhost']))
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  test('with a certificate that nobody knows: 502', async () => {
    const server = createTlsServer(localhostCertificate, (_, res) => res.end('x'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    await using it = await bed({ origin: `https://localhost:${(server.address() as AddressInfo).port}` })
    const reply = await it.get('/a')
    expect([reply.status, reply.text]).toEqual([502, expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT')])
    await new Promise((resolve) => server.close(resolve))
  })

  test('through a dispatcher of the user’s own, which stays open', async () => {
    await using other = await bed()
    const pool = new Pool(other.origin.url)
    {
      await using proxy = await createProxy({ origin: other.origin.url, dispatcher: pool })
      const address = await proxy.listen()
      expect((await ask(Number(new URL(address).port), '/a')).status).toBe(404)
    }
    expect(pool.closed).toBe(false)
    await pool.close()
  })
})
