import { describe, expect, test } from 'vitest'
import { gate } from '../../helpers/origin.js'
import { bed, valuesOf } from './harness.js'

const FRESH = ['Cache-Control', 'max-age=60']
const MODIFIED = 'Tue, 14 Nov 2023 10:00:00 GMT'
const BEFORE = 'Tue, 14 Nov 2023 09:59:59 GMT'
const AFTER = 'Tue, 14 Nov 2023 10:00:01 GMT'
const NOW = 'Tue, 14 Nov 2023 22:13:20 GMT'

describe('conditional requests of clients', () => {
  test.each([
    [{ 'if-none-match': '"a"' }, '"a"', 304],
    [{ 'if-none-match': 'W/"a"' }, '"a"', 304],
    [{ 'if-none-match': '"a"' }, 'W/"a"', 304],
    [{ 'if-none-match': '"x", W/"y,z" ,"a"' }, '"a"', 304],
    [{ 'if-none-match': '*' }, '"a"', 304],
    [{ 'if-none-match': '"b"' }, '"a"', 200],
    [{ 'if-none-match': 'a' }, '"a"', 200],
    [{ 'if-none-match': '"b", a"' }, '"a"', 200],
    [{ 'if-none-match': '"a,b"' }, '"a"', 200],
    [{ 'if-none-match': '"A"' }, '"a"', 200],
    [{ 'if-modified-since': MODIFIED }, '"a"', 304],
    [{ 'if-modified-since': AFTER }, '"a"', 304],
    [{ 'if-modified-since': BEFORE }, '"a"', 200],
    [{ 'if-modified-since': 'Tuesday, 14-Nov-23 10:00:00 GMT' }, '"a"', 304],
    [{ 'if-modified-since': 'Tue Nov 14 10:00:00 2023' }, '"a"', 304],
    [{ 'if-modified-since': '2023-11-14' }, '"a"', 200],
    [{ 'if-none-match': '"b"', 'if-modified-since': AFTER }, '"a"', 200],
  ])('%j against %s is %i', async (headers, etag, status) => {
    await using it = await bed()
    const fields = [
      ...FRESH,
      'ETag',
      etag,
      'Last-Modified',
      MODIFIED,
      'Content-Type',
      'text/x',
      'X-More',
      '1',
    ]
    it.origin.on('/a', { headers: [...fields, 'Date', NOW], body: 'body' })
    const miss = await it.get('/a', headers)
    const hit = await it.get('/a', headers)
    const refreshed = await it.get('/a', { ...headers, 'cache-control': 'max-age=600' })
    expect(it.origin.count('/a')).toBe(1)
    expect(it.origin.seen[0]!.headers).not.toHaveProperty(Object.keys(headers)[0]!)
    for (const reply of [miss, hit, refreshed]) {
      expect(reply.status).toBe(status)
      expect(reply.text).toBe(status === 304 ? '' : 'body')
      expect(reply.headers).toMatchObject({ etag, 'cache-control': 'max-age=60', date: NOW, 'x-more': '1' })
      expect(reply.headers['content-type']).toBe(status === 304 ? undefined : 'text/x')
      expect(reply.headers['last-modified']).toBe(status === 304 ? undefined : MODIFIED)
      expect(reply.headers['content-length']).toBe(status === 304 ? undefined : '4')
    }
    expect(hit.cache).toBe('hit; ttl=60')
    expect(hit.headers['age']).toBe('0')
  })

  test('without Last-Modified the date of the answer decides', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: [...FRESH, 'Date', NOW], body: 'x' })
    await it.get('/a')
    expect((await it.get('/a', { 'if-modified-since': NOW })).status).toBe(304)
    expect((await it.get('/a', { 'if-modified-since': AFTER })).status).toBe(200)
    expect((await it.get('/a', { 'if-none-match': '*' })).status).toBe(304)
  })

  test('conditions do not touch an answer that is no success', async () => {
    await using it = await bed()
    it.origin.on('/a', { status: 404, headers: [...FRESH, 'ETag', '"a"'], body: 'x' })
    for (let i = 0; i < 2; i += 1) expect((await it.get('/a', { 'if-none-match': '"a"' })).status).toBe(404)
  })

  test('a 304 to a client on a miss still fills the cache', async () => {
    await using it = await bed()
    const rest = gate()
    const body = Buffer.alloc(300_000, 'z')
    it.origin.on('/a', { headers: [...FRESH, 'ETag', '"a"'], body, pauseAfter: 10_000, rest })
    const miss = await it.get('/a', { 'if-none-match': '"a"' })
    expect([miss.status, miss.cache]).toEqual([304, 'fwd=uri-miss; fwd-status=200; ttl=60; stored'])
    rest.open()
    const next = await it.get('/a')
    expect(next.body.equals(body)).toBe(true)
    expect(it.origin.count('/a')).toBe(1)
  })

  test.each(['if-match', 'if-unmodified-since'])('%s is the origin’s to evaluate', async (name) => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: 'x' })
    await it.get('/a')
    const reply = await it.get('/a', { [name]: '"zzz"' })
    expect(reply.cache).toBe('fwd=bypass; fwd-status=200; detail=request-precondition')
    expect(it.origin.seen[1]!.headers[name]).toBe('"zzz"')
  })
})

describe('revalidation', () => {
  test('by ETag and Last-Modified; the 304 freshens the stored fields', async () => {
    await using it = await bed()
    let n = 0
    it.origin.on('/a', (seen) => {
      n += 1
      if (seen.headers['if-none-match'] !== '"a"') {
        return {
          headers: [
            ...FRESH,
            'ETag',
            '"a"',
            'Last-Modified',
            MODIFIED,
            'X-Kind',
            'old',
            'X-Stays',
            '1',
            'Content-Type',
            'a/b',
            'Date',
            NOW,
          ],
          body: 'the body',
        }
      }
      return {
        status: 304,
        headers: [
          ...[
            'Cache-Control',
            'max-age=30',
            'ETag',
            'W/"a"',
            'X-Kind',
            `new ${n}`,
            'Content-Type',
            'wrong/type',
          ],
          ...[
            'Date',
            'Tue, 14 Nov 2023 22:14:20 GMT',
            'Connection',
            'X-Hop',
            'X-Hop',
            'no',
            'Via',
            '1.1 front',
          ],
        ],
      }
    })
    await it.get('/a')
    it.clock.advance(60_000)
    const confirmed = await it.get('/a')
    expect(it.origin.seen[1]!.headers).toMatchObject({
      'if-none-match': '"a"',
      'if-modified-since': MODIFIED,
    })
    expect(confirmed.cache).toBe('fwd=stale; fwd-status=304; ttl=30')
    const hit = await it.get('/a')
    expect(hit.cache).toBe('hit; ttl=30')
    for (const reply of [confirmed, hit]) {
      expect(reply.text).toBe('the body')
      expect(reply.headers).toMatchObject({
        ...{
          'cache-control': 'max-age=30',
          etag: '"a"',
          'x-kind': 'new 2',
          'x-stays': '1',
          'content-type': 'a/b',
        },
        ...{ date: 'Tue, 14 Nov 2023 22:14:20 GMT', via: '1.1 front, 1.1 drey', 'content-length': '8' },
      })
      expect(reply.headers).not.toHaveProperty('x-hop')
      expect(valuesOf(reply.raw, 'cache-control')).toHaveLength(1)
    }
    expect(it.origin.count('/a')).toBe(2)
  })

  test('no-cache with a validator: stored, and confirmed each time', async () => {
    await using it = await bed()
    it.origin.on('/a', (seen) =>
      seen.headers['if-none-match'] === undefined
        ? { headers: ['Cache-Control', 'no-cache', 'ETag', '"a"'], body: 'x' }
        : { status: 304, headers: ['Cache-Control', 'no-cache', 'ETag', '"a"'] },
    )
    expect((await it.get('/a')).cache).toBe('fwd=uri-miss; fwd-status=200; ttl=0; stored')
    for (let i = 0; i < 2; i += 1) {
      const reply = await it.get('/a')
      expect([reply.text, reply.cache]).toEqual(['x', 'fwd=stale; fwd-status=304; ttl=0'])
    }
  })

  test('a 304 for another entity tag confirms nothing', async () => {
    await using it = await bed()
    it.origin.on('/a', (seen) =>
      seen.headers['if-none-match'] === '"a"'
        ? { status: 304, headers: [...FRESH, 'ETag', '"b"'] }
        : {
            headers: [...FRESH, 'ETag', it.origin.count('/a') === 1 ? '"a"' : '"b"'],
            body: `${it.origin.count('/a')}`,
          },
    )
    await it.get('/a')
    it.clock.advance(60_000)
    const reply = await it.get('/a')
    expect([reply.text, reply.cache]).toEqual(['3', 'fwd=stale; fwd-status=200; ttl=60; stored'])
  })

  test('a 304 that forbids keeping drops what was kept', async () => {
    await using it = await bed()
    it.origin.on('/a', (seen) => {
      if (it.origin.count('/a') === 1) return { headers: [...FRESH, 'ETag', '"a"'], body: 'public' }
      const headers = ['Cache-Control', 'private', 'Set-Cookie', 's=1', 'ETag', '"a"']
      return seen.headers['if-none-match'] === '"a"' ? { status: 304, headers } : { headers, body: 'mine' }
    })
    await it.get('/a')
    it.clock.advance(60_000)
    const reply = await it.get('/a')
    expect([reply.text, reply.cache]).toEqual(['mine', 'fwd=stale; fwd-status=200; detail=private'])
    expect(reply.headers['set-cookie']).toEqual(['s=1'])
    expect(it.proxy.cache.stats().tiers[0]!.entries).toBe(0)
  })

  test('an answer that must not be stored replaces the one that was', async () => {
    await using it = await bed()
    let plan: { status?: number; headers: readonly string[]; body: string } = { headers: FRESH, body: 'old' }
    it.origin.on('/a', () => plan)
    await it.get('/a')
    it.clock.advance(60_000)
    plan = { status: 404, headers: [], body: 'gone' }
    expect((await it.get('/a')).text).toBe('gone')
    await it.origin.stop()
    expect((await it.get('/a')).status).toBe(502)
  })

  test('what one client is refused says nothing of what is stored', async () => {
    await using it = await bed()
    let plan: { status?: number; headers: readonly string[]; body: string } = { headers: FRESH, body: 'old' }
    it.origin.on('/a', () => plan)
    await it.get('/a')
    plan = { status: 403, headers: [], body: 'not you' }
    const refused = await it.get('/a', { 'cache-control': 'no-cache' })
    expect([refused.status, refused.text]).toEqual([403, 'not you'])
    const hit = await it.get('/a')
    expect([hit.status, hit.text, hit.cache]).toEqual([200, 'old', 'hit; ttl=60'])
  })

  test('several who wait for one confirmation get the same body', async () => {
    await using it = await bed()
    const head = gate()
    it.origin.on('/a', (seen) =>
      seen.headers['if-none-match'] === undefined
        ? { headers: [...FRESH, 'ETag', '"a"'], body: 'x'.repeat(100_000) }
        : { status: 304, headers: [...FRESH, 'ETag', '"a"'], head },
    )
    await it.get('/a')
    it.clock.advance(60_000)
    const first = it.get('/a')
    await it.origin.arrived('/a', 2)
    const second = it.get('/a', { range: 'bytes=-3' })
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    head.open()
    expect((await first).body.length).toBe(100_000)
    const part = await second
    expect([part.status, part.text]).toEqual([206, 'xxx'])
    expect(part.cache).toMatch(/^fwd=stale; ttl=60; collapsed$|^hit/)
    expect(it.origin.count('/a')).toBe(2)
  })
})
