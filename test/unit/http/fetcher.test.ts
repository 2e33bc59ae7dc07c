import { describe, expect, test } from 'vitest'
import type { Found } from '../../../lib/cache/answer.js'
import type { Cache } from '../../../lib/cache/cache.js'
import { createCacheWith } from '../../../lib/cache/create.js'
import { ConfigError, OriginError } from '../../../lib/errors.js'
import {
  type HttpFetcherOptions,
  type HttpMetadata,
  httpFetcher,
  OriginFailure,
} from '../../../lib/http/index.js'
import { bufferPool } from '../../helpers/buffer-pool.js'
import { FakeClock } from '../../helpers/clock.js'
import { type FakeOrigin, fakeOrigin, gate } from '../../helpers/origin.js'

const MODIFIED = 'Tue, 14 Nov 2023 10:00:00 GMT'

interface Bench extends AsyncDisposable {
  readonly origin: FakeOrigin
  readonly clock: FakeClock
  readonly cache: Cache<HttpMetadata>
  get(path: string, options?: HttpFetcherOptions): Promise<Found<HttpMetadata>>
  text(path: string, options?: HttpFetcherOptions): Promise<string>
}

async function bench(): Promise<Bench> {
  const origin = await fakeOrigin()
  const clock = new FakeClock()
  const cache = await createCacheWith<HttpMetadata>(
    { bufferPool, freshness: { ttl: '10s', staleIfError: '1m' }, timeouts: { shutdown: 0 } },
    { clock },
  )
  const get: Bench['get'] = async (path, options) => {
    const answer = await cache.fetch(path, httpFetcher(origin.url + path, options))
    if (answer.status !== 'ok') throw new Error(answer.status)
    return answer
  }
  return {
    origin,
    clock,
    cache,
    get,
    text: async (path, options) => (await get(path, options)).text(),
    async [Symbol.asyncDispose]() {
      await cache.close()
      await origin.stop()
    },
  }
}

describe('httpFetcher', () => {
  test('body, type and what describes them', async () => {
    await using it = await bench()
    it.origin.on('/a?b=1', {
      headers: [
        'Content-Type',
        'text/x',
        'Content-Language',
        'de',
        'ETag',
        '"1"',
        'Cache-Control',
        'max-age=60',
        'X-Other',
        'x',
      ],
      body: 'hello',
    })
    const found = await it.get('/a?b=1', { headers: { 'x-sent': 'yes' } })
    expect(await found.text()).toBe('hello')
    expect(found.size).toBe(5)
    expect(found.meta.etag).toBe('"1"')
    expect(found.meta.user).toMatchObject({
      status: 200,
      type: 'text/x',
      headers: {
        'content-type': 'text/x',
        'content-language': 'de',
        'cache-control': 'max-age=60',
        etag: '"1"',
      },
    })
    expect(found.meta.user!.headers).not.toHaveProperty('x-other')
    expect(it.origin.seen[0]!.headers['x-sent']).toBe('yes')
  })

  test.each([
    [['Cache-Control', 'max-age=60'], 60_000],
    [['Cache-Control', 'max-age=60', 'Age', '20'], 40_000],
    [['Cache-Control', 'no-cache', 'ETag', '"1"'], 0],
    // Nothing said: the cache's own ttl.
    [[], 10_000],
  ])('%j is fresh for %i ms', async (headers, ttl) => {
    await using it = await bench()
    it.origin.on('/a', { headers, body: 'x' })
    const { meta } = await it.get('/a')
    const off = meta.freshUntil - it.clock.now() - ttl
    // Real time passes between the question and the answer, and counts as age.
    expect(off).toBeLessThanOrEqual(0)
    expect(off).toBeGreaterThan(-5000)
  })

  test.each([
    [['Cache-Control', 'no-store'], {}, false],
    [['Cache-Control', 'private, max-age=60'], {}, false],
    [['Cache-Control', 'private, max-age=60'], { shared: false }, true],
    [['Cache-Control', 'max-age=60', 'Set-Cookie', 'a=b'], {}, false],
    [['Cache-Control', 'max-age=60', 'Set-Cookie', 'a=b'], { shared: false }, true],
    [['Cache-Control', 'max-age=60'], { headers: { Authorization: 'x' } }, false],
    [['Cache-Control', 'max-age=60'], { headers: { Authorization: 'x' }, shared: false }, true],
    [['Cache-Control', 'public, max-age=60'], { headers: { Authorization: 'x' } }, true],
    [['Cache-Control', 'max-age=60', 'Vary', '*'], {}, false],
  ] as const)('%j with %j is stored: %s', async (headers, options, stored) => {
    await using it = await bench()
    it.origin.on('/a', { headers, body: 'x' })
    const found = await it.get('/a', options)
    expect(await found.text()).toBe('x')
    await it.text('/a', options)
    expect(it.origin.count('/a')).toBe(stored ? 1 : 2)
  })

  test.each([
    ['max-age=60, stale-while-revalidate=30', 29, 'stale'],
    ['max-age=60, stale-while-revalidate=30', 30, 'miss'],
    ['max-age=60, stale-while-revalidate=30, must-revalidate', 0, 'miss'],
    ['s-maxage=60, stale-while-revalidate=30', 29, 'stale'],
    ['max-age=60', 0, 'miss'],
  ])('%s: %i s after its end, it is a %s', async (cacheControl, seconds, outcome) => {
    await using it = await bench()
    it.origin.on('/a', { headers: ['Cache-Control', cacheControl], body: 'x' })
    await it.text('/a')
    it.clock.advance(60_000 + seconds * 1000)
    const found = await it.get('/a')
    expect([found.outcome, await found.text()]).toEqual([outcome, 'x'])
  })

  test('asks conditionally, and a 304 keeps the body', async () => {
    await using it = await bench()
    it.origin.on('/a', (seen) =>
      seen.headers['if-none-match'] === '"1"' && seen.headers['if-modified-since'] === MODIFIED
        ? { status: 304, headers: ['Cache-Control', 'max-age=30', 'ETag', '"1"', 'Content-Type', 'wrong'] }
        : {
            headers: [
              'Cache-Control',
              'max-age=60',
              'ETag',
              '"1"',
              'Last-Modified',
              MODIFIED,
              'Content-Type',
              'text/x',
            ],
            body: 'x',
          },
    )
    await it.text('/a')
    it.clock.advance(60_000)
    const found = await it.get('/a')
    expect([found.outcome, await found.text(), found.meta.user!.type]).toEqual(['revalidated', 'x', 'text/x'])
    expect(found.meta.user!.headers['cache-control']).toBe('max-age=30')
    expect(it.origin.count('/a')).toBe(2)
    expect((await it.get('/a')).outcome).toBe('hit')
  })

  test('a 304 for another entity tag, or to one that forbids keeping, is asked again', async () => {
    await using it = await bench()
    let confirm: readonly string[] = ['ETag', '"other"']
    it.origin.on('/a', (seen) =>
      seen.headers['if-none-match'] === undefined
        ? { headers: ['Cache-Control', 'max-age=60', 'ETag', '"1"'], body: `${it.origin.count('/a')}` }
        : { status: 304, headers: confirm },
    )
    await it.text('/a')
    it.clock.advance(60_000)
    expect(await it.text('/a')).toBe('3')
    confirm = ['Cache-Control', 'no-store']
    it.clock.advance(60_000)
    expect(await it.text('/a')).toBe('5')
  })

  test.each([404, 410])('%i is "not found", for as long as the origin or the cache says', async (status) => {
    await using it = await bench()
    let headers: readonly string[] = ['Cache-Control', 'max-age=60']
    it.origin.on('/a', () => ({ status, headers, body: 'none' }))
    const fetcher = httpFetcher(`${it.origin.url}/a`)
    const first = await it.cache.fetch('a', fetcher)
    expect([first.status, first.outcome]).toEqual(['not-found', 'miss'])
    expect((await it.cache.fetch('a', fetcher)).outcome).toBe('hit')
    headers = []
    await it.cache.fetch('b', fetcher)
    it.clock.advance(9000)
    expect((await it.cache.fetch('b', fetcher)).outcome).toBe('hit')
    headers = ['Cache-Control', 'no-store']
    await it.cache.fetch('c', fetcher)
    expect((await it.cache.fetch('c', fetcher)).outcome).toBe('miss')
  })

  test.each([500, 503, 403, 206, 301])('%i is thrown, and never kept', async (status) => {
    await using it = await bench()
    it.origin.on('/a', { status, headers: ['Location', '/b', 'Cache-Control', 'max-age=60'], body: 'x' })
    const error = await it.get('/a').catch((e) => e)
    expect(error).toBeInstanceOf(OriginError)
    expect(error.cause).toBeInstanceOf(OriginFailure)
    expect(error.cause).toMatchObject({ originStatus: status })
    expect(error.message).toContain(`answered ${status} to /b`)
    await it.get('/a').catch(() => undefined)
    expect(it.origin.count('/a')).toBe(2)
  })

  test('follows redirects when told to', async () => {
    await using it = await bench()
    it.origin.on('/a', { status: 302, headers: ['Location', '/b'] })
    it.origin.on('/b', { headers: ['Cache-Control', 'max-age=60'], body: 'there' })
    expect(await (await it.get('/a', { maxRedirections: 1 })).text()).toBe('there')
  })

  test('an origin that is down is stood in for', async () => {
    await using it = await bench()
    it.origin.on('/a', { headers: ['Cache-Control', 'max-age=60'], body: 'old' })
    it.origin.on('/b', { headers: ['Cache-Control', 'max-age=60, must-revalidate'], body: 'old' })
    await it.text('/a')
    await it.text('/b')
    await it.origin.stop()
    it.clock.advance(60_000)
    const found = await it.get('/a')
    expect([found.outcome, await found.text()]).toEqual(['stale', 'old'])
    await expect(it.get('/b')).rejects.toMatchObject({ code: 'ERR_DREY_ORIGIN', cause: { status: 502 } })
  })

  test('a body that ends with its connection, or breaks off, is not kept', async () => {
    await using it = await bench()
    it.origin.on('/a', { headers: ['Cache-Control', 'max-age=60'], body: 'x', untilClose: true })
    expect(await it.text('/a')).toBe('x')
    await it.text('/a')
    expect(it.origin.count('/a')).toBe(2)
    it.origin.on('/b', {
      headers: ['Cache-Control', 'max-age=60'],
      body: 'x'.repeat(1000),
      chunked: true,
      cutAfter: 500,
    })
    const broken = await it.get('/b')
    await expect(broken.text()).rejects.toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
    expect(await it.cache.stat('/b')).toBeUndefined()
  })

  test('when nobody waits any more, the request is let go', async () => {
    await using it = await bench()
    const head = gate()
    it.origin.on('/a', { head })
    const controller = new AbortController()
    const gone = new Promise<void>((resolve) => {
      it.origin.server.once('connection', (socket) => socket.once('close', () => resolve()))
    })
    const waiting = it.cache.fetch('/a', httpFetcher(`${it.origin.url}/a`), { signal: controller.signal })
    await it.origin.arrived('/a')
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
    await gone
    head.open()
  })

  test.each(['nonsense', 'ftp://a/', ''])('%j is no URL to fetch', (url) => {
    expect(() => httpFetcher(url)).toThrow(ConfigError)
  })
})
