import { describe, expect, test } from 'vitest'
import { gate } from '../../helpers/origin.js'
import { bed } from './harness.js'

const FRESH = ['Cache-Control', 'max-age=60']

describe('Cache-Control of requests', () => {
  test.each([
    ['no-cache', 0, false],
    ['No-Cache', 0, false],
    ['max-age=0', 0, true],
    ['max-age=0', 1, false],
    ['max-age=10', 10, true],
    ['max-age=10', 11, false],
    ['max-age=x', 1, false],
    ['min-fresh=20', 40, true],
    ['min-fresh=21', 40, false],
    ['max-stale', 70, true],
    ['max-stale=10', 70, true],
    ['max-stale=9', 70, false],
    ['max-stale=x', 61, false],
    ['max-stale=100, max-age=65', 70, false],
  ] as const)('%s at age %i answers from the cache: %s', async (cacheControl, age, hit) => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: 'x' })
    await it.get('/a')
    it.clock.advance(age * 1000)
    const reply = await it.get('/a', { 'cache-control': cacheControl })
    expect(reply.cache).toBe(
      hit ? `hit; ttl=${60 - age}` : `fwd=${age < 60 ? 'request' : 'stale'}; fwd-status=200; ttl=60; stored`,
    )
    expect(it.origin.count('/a')).toBe(hit ? 1 : 2)
  })

  test('max-stale does not move an answer that must be revalidated', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: ['Cache-Control', 'max-age=60, must-revalidate'], body: 'x' })
    await it.get('/a')
    it.clock.advance(61_000)
    expect((await it.get('/a', { 'cache-control': 'max-stale' })).cache).toMatch(/^fwd=stale/)
  })

  test('Pragma: no-cache counts where there is no Cache-Control', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: 'x' })
    await it.get('/a')
    expect((await it.get('/a', { pragma: 'no-cache' })).cache).toMatch(/^fwd=request/)
    expect((await it.get('/a', { pragma: 'no-cache', 'cache-control': 'max-age=60' })).cache).toMatch(/^hit/)
  })

  test('no-store goes past the cache and leaves nothing in it', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: 'x' })
    const reply = await it.get('/a', { 'cache-control': 'no-store' })
    expect(reply.cache).toBe('fwd=bypass; fwd-status=200; detail=request-no-store')
    expect(it.proxy.cache.stats().tiers[0]!.entries).toBe(0)
  })

  test('only-if-cached gets what is stored, or 504', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: [...FRESH, 'ETag', '"1"'], body: 'x'.repeat(100_000) })
    const only = { 'cache-control': 'only-if-cached' }
    const none = await it.get('/a', only)
    expect([none.status, none.cache]).toEqual([504, 'detail=only-if-cached'])
    expect(it.origin.count('/a')).toBe(0)
    await it.get('/a')
    const hit = await it.get('/a', only)
    expect([hit.status, hit.cache, hit.body.length]).toEqual([200, 'hit; ttl=60', 100_000])
    const part = await it.get('/a', { ...only, range: 'bytes=-5' })
    expect([part.status, part.text]).toEqual([206, 'xxxxx'])
    expect((await it.get('/a', { ...only, 'if-none-match': '"1"' })).status).toBe(304)
    it.clock.advance(60_000)
    expect((await it.get('/a', only)).status).toBe(504)
    const stale = await it.get('/a', { 'cache-control': 'only-if-cached, max-stale=5' })
    expect([stale.status, stale.cache]).toEqual([200, 'hit; ttl=0'])
    expect(it.origin.count('/a')).toBe(1)
    expect(it.proxy.cache.stats().openBodies).toBe(0)
  })
})

describe('one call of the origin for all who wait', () => {
  test('joined requests say so, and read the same body', async () => {
    await using it = await bed()
    const head = gate()
    it.origin.on('/a', { headers: FRESH, body: 'for all', head })
    const first = it.get('/a')
    await it.origin.arrived('/a')
    const others = [it.get('/a'), it.get('/a'), it.get('/a')]
    await waiting(it, 4)
    head.open()
    const replies = await Promise.all([first, ...others])
    expect(replies.map(({ text }) => text)).toEqual(Array(4).fill('for all'))
    expect(replies[0]!.cache).toBe('fwd=uri-miss; fwd-status=200; ttl=60; stored')
    for (const { cache } of replies.slice(1)) expect(cache).toBe('fwd=uri-miss; ttl=60; collapsed')
    expect(it.origin.count('/a')).toBe(1)
  })

  test('what is for one alone is given to nobody else, not even when that one has left', async () => {
    await using it = await bed()
    const head = gate()
    let n = 0
    it.origin.on('/a', () => {
      n += 1
      const body = `secret ${n}`
      return { headers: ['Cache-Control', 'private, max-age=60'], body, ...(n === 1 ? { head } : {}) }
    })
    const controller = new AbortController()
    const first = it.get('/a', {}, { signal: controller.signal })
    await it.origin.arrived('/a')
    const others = [it.get('/a'), it.get('/a')]
    await waiting(it, 3)
    controller.abort()
    await expect(first).rejects.toThrow()
    head.open()
    const texts = (await Promise.all(others)).map(({ text }) => text).sort()
    expect(texts).toEqual(['secret 2', 'secret 3'])
  })

  test('an answer to Authorization is not given to those who wait', async () => {
    await using it = await bed()
    const head = gate()
    it.origin.on('/a', (seen) => ({
      headers: FRESH,
      body: `for ${seen.headers.authorization ?? 'anybody'}`,
      ...(seen.headers.authorization === 'me' ? { head } : {}),
    }))
    const mine = it.get('/a', { authorization: 'me' })
    await it.origin.arrived('/a')
    const theirs = it.get('/a')
    const another = it.get('/a', { authorization: 'you' })
    await waiting(it, 3)
    head.open()
    expect((await mine).text).toBe('for me')
    expect((await theirs).text).toBe('for anybody')
    expect((await another).text).toBe('for you')
    expect((await it.get('/a')).text).toBe('for anybody')
    const hit = await it.get('/a', { authorization: 'me' })
    expect([hit.text, hit.cache]).toEqual(['for me', 'fwd=uri-miss; fwd-status=200; detail=authorization'])
  })

  test('an answer that each use of must be confirmed is not shared with those who came later', async () => {
    await using it = await bed()
    const head = gate()
    let n = 0
    it.origin.on('/a', () => {
      n += 1
      return {
        headers: ['Cache-Control', 'no-cache', 'ETag', `"${n}"`],
        body: `${n}`,
        ...(n === 1 ? { head } : {}),
      }
    })
    const first = it.get('/a')
    await it.origin.arrived('/a')
    const second = it.get('/a')
    await waiting(it, 2)
    head.open()
    expect((await first).text).toBe('1')
    const later = await second
    expect([later.text, later.cache]).toEqual([
      '2',
      'fwd=uri-miss; fwd-status=200; detail=revalidation-needed',
    ])
  })

  test('a client that leaves harms no other', async () => {
    await using it = await bed()
    const rest = gate()
    const body = Buffer.alloc(500_000, 'abc')
    it.origin.on('/a', { headers: FRESH, body, pauseAfter: 100_000, rest })
    const controller = new AbortController()
    const first = it.get('/a', {}, { signal: controller.signal })
    await it.origin.arrived('/a')
    const second = it.get('/a')
    await waiting(it, 2)
    controller.abort()
    await first.catch(() => undefined)
    rest.open()
    const reply = await second
    expect(reply.complete).toBe(true)
    expect(reply.body.equals(body)).toBe(true)
    expect(it.origin.count('/a')).toBe(1)
    expect((await it.get('/a')).cache).toBe('hit; ttl=60')
  })
})

describe('GET and HEAD', () => {
  test('HEAD is answered from a stored GET, and goes to the origin as HEAD otherwise', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: [...FRESH, 'ETag', '"1"'], body: 'twelve bytes' })
    const before = await it.get('/a', {}, { method: 'HEAD' })
    expect(before.cache).toBe('fwd=uri-miss; fwd-status=200')
    expect(before.headers['content-length']).toBe('12')
    expect(before.text).toBe('')
    await it.get('/a')
    const after = await it.get('/a', { range: 'bytes=0-1' }, { method: 'HEAD' })
    expect(after.status).toBe(200)
    expect(after.cache).toBe('hit; ttl=60')
    expect(after.headers['content-length']).toBe('12')
    expect(after.headers['etag']).toBe('"1"')
    expect(after.text).toBe('')
    expect((await it.get('/a', { 'if-none-match': '"1"' }, { method: 'HEAD' })).status).toBe(304)
    expect(it.origin.seen.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
    it.clock.advance(60_000)
    expect((await it.get('/a', {}, { method: 'HEAD' })).cache).toBe('fwd=uri-miss; fwd-status=200')
  })

  test('a large stored value answers HEAD without its body', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: Buffer.alloc(200_000, 'x') })
    await it.get('/a')
    const head = await it.get('/a', {}, { method: 'HEAD' })
    expect(head.headers['content-length']).toBe('200000')
    expect(head.cache).toBe('hit; ttl=60')
    expect(it.proxy.cache.stats().openBodies).toBe(0)
  })

  test('a GET with a body goes past the cache: the body is part of no key', async () => {
    await using it = await bed()
    it.origin.on('/a', (seen) => ({ headers: FRESH, body: seen.method }))
    const reply = await it.get('/a', { 'content-length': '4' }, { body: 'evil' })
    expect(reply.cache).toBe('fwd=bypass; fwd-status=200; detail=request-body')
    expect(await it.origin.seen[0]!.body).toEqual(Buffer.from('evil'))
    expect((await it.get('/a')).cache).toBe('fwd=uri-miss; fwd-status=200; ttl=60; stored')
  })
})

/** Until the proxy has taken up so many requests; it counts them as they ask the cache. */
async function waiting(it: Awaited<ReturnType<typeof bed>>, requests: number): Promise<void> {
  let connections = -1
  while (connections < requests) {
    connections = await new Promise<number>((resolve) => it.proxy.server.getConnections((_, n) => resolve(n)))
    await new Promise((resolve) => setImmediate(resolve))
  }
  // The last connection is open: its request, a few hundred bytes, is read within the next turns of the loop.
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
