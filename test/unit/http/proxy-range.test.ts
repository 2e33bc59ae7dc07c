import { describe, expect, test } from 'vitest'
import { gate } from '../../helpers/origin.js'
import { bed, raw } from './harness.js'

const FRESH = ['Cache-Control', 'max-age=60']
const TEN = '0123456789'
const MODIFIED = 'Tue, 14 Nov 2023 10:00:00 GMT'
const NOW = 'Tue, 14 Nov 2023 22:13:20 GMT'

const parts: ReadonlyArray<readonly [range: string, status: number, text: string, contentRange?: string]> = [
  ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
  ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
  ['bytes=7-', 206, '789', 'bytes 7-9/10'],
  ['bytes=-3', 206, '789', 'bytes 7-9/10'],
  ['bytes=-30', 206, TEN, 'bytes 0-9/10'],
  ['bytes=5-99999999999999999999', 206, '56789', 'bytes 5-9/10'],
  ['BYTES=1-2', 206, '12', 'bytes 1-2/10'],
  ['bytes= 1-2 ', 206, '12', 'bytes 1-2/10'],
  ['bytes=10-', 416, '', 'bytes */10'],
  ['bytes=99999999999999999999-', 416, '', 'bytes */10'],
  ['bytes=-0', 416, '', 'bytes */10'],
  ['bytes=4-2', 200, TEN],
  ['bytes=-', 200, TEN],
  ['bytes=', 200, TEN],
  ['bytes', 200, TEN],
  ['bytes=a-b', 200, TEN],
  ['bytes=1 - 2', 200, TEN],
  ['bytes=+1-2', 200, TEN],
  ['bytes=0x1-2', 200, TEN],
  ['bytes=1-2,5-6', 200, TEN],
  ['bytes=1-2,', 200, TEN],
  ['lines=1-2', 200, TEN],
]

describe('ranges', () => {
  test.each(parts.map(([range, status, text, contentRange]) => ({ range, status, text, contentRange })))(
    '$range is $status $text',
    async ({ range, status, text, contentRange }) => {
      await using it = await bed()
      it.origin.on('/a', { headers: [...FRESH, 'Content-Type', 'text/x'], body: TEN })
      const miss = await it.get('/a', { range })
      const hit = await it.get('/a', { range })
      const thoughtful = await it.get('/a', { range, 'cache-control': 'max-age=60' })
      expect(it.origin.count('/a')).toBe(1)
      expect(it.origin.seen[0]!.headers).not.toHaveProperty('range')
      for (const reply of [miss, hit, thoughtful]) {
        expect([reply.status, reply.text, reply.headers['content-range']]).toEqual([
          status,
          text,
          contentRange,
        ])
        expect(reply.headers['content-length']).toBe(String(text.length))
        expect(reply.headers['content-type']).toBe(status === 416 ? undefined : 'text/x')
      }
      expect(hit.cache).toBe('hit; ttl=60')
    },
  )

  test('two Range lines are one list of two: the whole answers', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: TEN })
    await it.get('/a')
    const connection = raw(
      it.port,
      'GET /a HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\nRange: bytes=2-3\r\nConnection: close\r\n\r\n',
    )
    expect((await connection.closed).text).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('of nothing, a suffix is the whole and a start is out of range', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: '' })
    await it.get('/a')
    expect((await it.get('/a', { range: 'bytes=-5' })).status).toBe(200)
    const out = await it.get('/a', { range: 'bytes=0-' })
    expect([out.status, out.headers['content-range']]).toEqual([416, 'bytes */0'])
  })

  test.each([
    [{ 'if-range': '"a"' }, 206],
    [{ 'if-range': 'W/"a"' }, 200],
    [{ 'if-range': '"b"' }, 200],
    [{ 'if-range': 'nonsense' }, 200],
    [{ 'if-range': MODIFIED }, 206],
    [{ 'if-range': NOW }, 200],
    [{ 'if-none-match': '"a"' }, 304],
    [{ 'if-none-match': '"b"' }, 206],
    [{ 'if-modified-since': MODIFIED }, 304],
  ])('%j with a range is %i', async (headers, status) => {
    await using it = await bed()
    it.origin.on('/a', {
      headers: [...FRESH, 'ETag', '"a"', 'Last-Modified', MODIFIED, 'Date', NOW],
      body: TEN,
    })
    for (let i = 0; i < 2; i += 1) {
      expect((await it.get('/a', { ...headers, range: 'bytes=1-2' })).status).toBe(status)
    }
  })

  test('a weak entity tag is good for no If-Range, nor is a date of the same second', async () => {
    await using it = await bed()
    it.origin.on('/weak', { headers: [...FRESH, 'ETag', 'W/"a"'], body: TEN })
    expect((await it.get('/weak', { 'if-range': 'W/"a"', range: 'bytes=1-2' })).status).toBe(200)
    it.origin.on('/young', { headers: [...FRESH, 'Last-Modified', NOW, 'Date', NOW], body: TEN })
    expect((await it.get('/young', { 'if-range': NOW, range: 'bytes=1-2' })).status).toBe(200)
  })

  test('only a 200 has parts', async () => {
    await using it = await bed()
    it.origin.on('/a', { status: 404, headers: FRESH, body: TEN })
    for (let i = 0; i < 2; i += 1) expect((await it.get('/a', { range: 'bytes=1-2' })).status).toBe(404)
  })

  test('a part of a body that still arrives is sent as soon as its bytes are there', async () => {
    await using it = await bed()
    const rest = gate()
    const body = Buffer.alloc(400_000, TEN)
    it.origin.on('/a', { headers: FRESH, body, pauseAfter: 200_000, rest })
    const early = await it.get('/a', { range: 'bytes=100000-100009' })
    expect([early.status, early.text]).toEqual([206, TEN])
    expect(early.headers['content-range']).toBe('bytes 100000-100009/400000')
    // The reader of the part has left, and the body goes on arriving for who asks next.
    const joined = await it.get('/a', { range: 'bytes=199990-199999' })
    expect([joined.status, joined.text, joined.cache]).toEqual([206, TEN, 'fwd=uri-miss; ttl=60; collapsed'])
    const across = it.get('/a', { range: 'bytes=199995-200004' })
    const late = it.get('/a', { range: 'bytes=-10' })
    rest.open()
    expect((await across).text).toBe('5678901234')
    expect((await late).text).toBe(TEN)
    expect((await it.get('/a')).body.equals(body)).toBe(true)
    expect(it.origin.count('/a')).toBe(1)
  })

  test('a body that arrives without a length answers a range with the whole, until it is there', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: TEN, chunked: true })
    const miss = await it.get('/a', { range: 'bytes=1-2' })
    expect([miss.status, miss.text]).toEqual([200, TEN])
    expect((await it.get('/a', { range: 'bytes=1-2' })).text).toBe('12')
  })

  test('a part of what is too large to keep is asked of the origin', async () => {
    await using it = await bed({ memory: '2MiB' })
    const body = Buffer.alloc(1_000_000, TEN)
    it.origin.on('/a', (seen) =>
      seen.headers.range === undefined
        ? { headers: FRESH, body }
        : { status: 206, headers: [...FRESH, 'Content-Range', 'bytes 5-7/1000000'], body: '567' },
    )
    for (let i = 0; i < 2; i += 1) {
      const part = await it.get('/a', { range: 'bytes=5-7' })
      expect([part.status, part.text, part.headers['content-range']]).toEqual([
        206,
        '567',
        'bytes 5-7/1000000',
      ])
      expect(part.cache).toBe('fwd=uri-miss; fwd-status=206; detail=too-large')
    }
    // The first asked for the whole to learn its size; the second knew.
    expect(it.origin.seen.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=5-7', 'bytes=5-7'])
    expect((await it.get('/a')).body.equals(body)).toBe(true)
  })

  test('a 206 of the origin is relayed and never stored', async () => {
    await using it = await bed()
    it.origin.on('/a', { status: 206, headers: [...FRESH, 'Content-Range', 'bytes 0-2/9'], body: 'abc' })
    for (let i = 0; i < 2; i += 1) {
      const reply = await it.get('/a')
      expect([reply.status, reply.text]).toEqual([206, 'abc'])
      expect(reply.cache).toBe('fwd=uri-miss; fwd-status=206; detail=partial')
    }
  })
})
