import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gate } from '../../helpers/origin.js'
import { ask, bed, raw } from './harness.js'

const FRESH = ['Cache-Control', 'max-age=60']

describe('Vary', () => {
  test('each variant is stored, and answers only requests that select it', async () => {
    await using it = await bed()
    it.origin.on('/a', (seen) => ({
      headers: [...FRESH, 'Vary', 'Accept-Language, X-Kind'],
      body: `${seen.headers['accept-language']} ${seen.headers['x-kind']}`,
    }))
    const kinds = [
      { 'accept-language': 'de', 'x-kind': '1' },
      { 'accept-language': 'en', 'x-kind': '1' },
      { 'accept-language': 'en', 'x-kind': '2' },
      { 'x-kind': '2' },
      {},
    ] as Array<Record<string, string>>
    const forwards: string[] = []
    for (const kind of kinds) {
      const reply = await it.get('/a', kind)
      forwards.push(reply.cache.split(';')[0]!)
      expect(reply.text).toBe(`${kind['accept-language']} ${kind['x-kind']}`)
    }
    expect(forwards).toEqual([
      'fwd=uri-miss',
      'fwd=vary-miss',
      'fwd=vary-miss',
      'fwd=vary-miss',
      'fwd=vary-miss',
    ])
    for (const kind of kinds) {
      const reply = await it.get('/a', kind)
      expect([reply.text, reply.cache]).toEqual([
        `${kind['accept-language']} ${kind['x-kind']}`,
        'hit; ttl=60',
      ])
      expect((await it.get('/a', kind, { method: 'HEAD' })).cache).toBe('hit; ttl=60')
      const only = await it.get('/a', { ...kind, 'cache-control': 'only-if-cached' })
      expect(only.text).toBe(reply.text)
    }
    expect(it.origin.count('/a')).toBe(5)
  })

  test('white space around commas, and the case of codings, select nothing', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: [...FRESH, 'Vary', 'accept-encoding, X-Case'], body: 'x' })
    await it.get('/a', { 'accept-encoding': 'gzip, br', 'x-case': 'a' })
    expect((await it.get('/a', { 'accept-encoding': 'GZIP ,br', 'x-case': 'a' })).cache).toMatch(/^hit/)
    expect((await it.get('/a', { 'accept-encoding': 'gzip, br', 'x-case': 'A' })).cache).toMatch(
      /^fwd=vary-miss/,
    )
    expect((await it.get('/a', { 'accept-encoding': 'br, gzip', 'x-case': 'a' })).cache).toMatch(
      /^fwd=vary-miss/,
    )
  })

  test('one who waits for another variant gets its own', async () => {
    await using it = await bed()
    const head = gate()
    it.origin.on('/a', (seen) => ({
      headers: [...FRESH, 'Vary', 'X-Kind'],
      body: `kind ${seen.headers['x-kind']}`,
      ...(seen.headers['x-kind'] === '1' ? { head } : {}),
    }))
    const first = it.get('/a', { 'x-kind': '1' })
    await it.origin.arrived('/a')
    const others = ['2', '1', '2'].map((kind) => it.get('/a', { 'x-kind': kind }))
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    head.open()
    expect((await first).text).toBe('kind 1')
    expect((await Promise.all(others)).map(({ text }) => text)).toEqual(['kind 2', 'kind 1', 'kind 2'])
  })

  test('a stale variant is confirmed only for those who select it', async () => {
    await using it = await bed()
    it.origin.on('/a', (seen) => {
      const etag = `"${seen.headers['x-kind']}"`
      return seen.headers['if-none-match'] === etag
        ? { status: 304, headers: [...FRESH, 'ETag', etag, 'Vary', 'X-Kind'] }
        : { headers: [...FRESH, 'ETag', etag, 'Vary', 'X-Kind'], body: etag }
    })
    await it.get('/a', { 'x-kind': '1' })
    it.clock.advance(60_000)
    expect((await it.get('/a', { 'x-kind': '2' })).text).toBe('"2"')
    expect(it.origin.seen[1]!.headers).not.toHaveProperty('if-none-match')
    const confirmed = await it.get('/a', { 'x-kind': '1' })
    expect([confirmed.text, confirmed.cache]).toEqual(['"1"', 'fwd=stale; fwd-status=304; ttl=60'])
    expect((await it.get('/a', { 'x-kind': '2' })).cache).toBe('hit; ttl=60')
  })

  test('an origin that fails is stood in for by the right variant only', async () => {
    await using it = await bed()
    it.origin.on('/a', (seen) => ({
      headers: [...FRESH, 'Vary', 'X-Kind'],
      body: `${seen.headers['x-kind']}`,
    }))
    await it.get('/a', { 'x-kind': '1' })
    await it.get('/a', { 'x-kind': '2' })
    it.clock.advance(60_000)
    await it.origin.stop()
    expect((await it.get('/a', { 'x-kind': '2' })).text).toBe('2')
    expect((await it.get('/a', { 'x-kind': '1' })).text).toBe('1')
    expect((await it.get('/a', { 'x-kind': '3' })).status).toBe(502)
  })

  test('an origin that begins to vary, or varies by something else, is followed', async () => {
    await using it = await bed()
    let vary: string[] = []
    it.origin.on('/a', (seen) => ({
      headers: [...FRESH, ...vary],
      body: `${seen.headers['x-a'] ?? ''}${seen.headers['x-b'] ?? ''}`,
    }))
    const all = [{ 'x-a': '1' }, { 'x-a': '2' }, { 'x-b': '3' }, { 'x-b': '4' }] as Array<
      Record<string, string>
    >
    const check = async (): Promise<void> => {
      for (const kind of all) expect((await it.get('/a', kind)).text).toBe(Object.values(kind).join(''))
    }
    vary = ['Vary', 'X-A, X-B']
    await check()
    it.clock.advance(60_000)
    vary = ['Vary', 'X-B, X-A']
    await check()
    await check()
    expect(it.origin.count('/a')).toBe(8)
  })

  test('an unsafe request takes all variants with it', async () => {
    await using it = await bed()
    let version = 1
    it.origin.on('/a', (seen) => ({
      headers: [...FRESH, 'Vary', 'X-Kind'],
      body: `${seen.headers['x-kind']} v${version}`,
    }))
    const both = async (): Promise<string[]> => [
      (await it.get('/a', { 'x-kind': '1' })).text,
      (await it.get('/a', { 'x-kind': '2' })).text,
    ]
    expect(await both()).toEqual(['1 v1', '2 v1'])
    version = 2
    await it.get('/a', {}, { method: 'POST', body: 'x' })
    expect(await both()).toEqual(['1 v2', '2 v2'])
  })

  test('fields with the names of an object’s own are fields like any other', async () => {
    await using it = await bed()
    it.origin.on('/a', (seen) => ({
      headers: [...FRESH, 'Vary', 'constructor, __proto__, toString'],
      body: JSON.stringify(seen.raw.filter((_, i) => /constructor/i.test(seen.raw[i - 1] ?? ''))),
    }))
    expect((await it.get('/a')).text).toBe('[]')
    expect((await it.get('/a')).cache).toMatch(/^hit/)
    expect((await it.get('/a', { constructor: 'x' })).text).toBe('["x"]')
    expect((await it.get('/a')).text).toBe('[]')
  })

  test.each(['X-Forwarded-For', 'Via'])(
    'what varies by %s, which the proxy writes, is not stored',
    async (name) => {
      await using it = await bed()
      it.origin.on('/a', { headers: [...FRESH, 'Vary', name], body: 'x' })
      for (let i = 0; i < 2; i += 1) {
        expect((await it.get('/a')).cache).toBe('fwd=uri-miss; fwd-status=200; detail=vary')
      }
    },
  )

  test('a field that Connection removes cannot be stored under its value', async () => {
    await using it = await bed()
    it.origin.on('/a', (seen) => ({
      headers: [...FRESH, 'Vary', 'Accept-Language'],
      body: `language ${seen.headers['accept-language']}`,
    }))
    const attack = raw(
      it.port,
      'GET /a HTTP/1.1\r\nHost: h\r\nAccept-Language: fr\r\nConnection: close, Accept-Language\r\n\r\n',
    )
    const { text } = await attack.closed
    expect(text).toContain('language undefined')
    expect(text).toContain('Cache-Status: drey; fwd=bypass; fwd-status=200; detail=request-connection')
    expect((await it.get('/a', { host: 'h', 'accept-language': 'fr' })).text).toBe('language fr')
  })

  test('a field given twice cannot be stored as if it were given once', async () => {
    await using it = await bed()
    it.origin.on('/a', (seen) => ({
      headers: [...FRESH, 'Vary', 'User-Agent'],
      body: seen.raw.filter((_, i) => /^user-agent$/i.test(seen.raw[i - 1] ?? '')).join('+'),
    }))
    const attack = raw(
      it.port,
      'GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: good\r\nUser-Agent: evil\r\nConnection: close\r\n\r\n',
    )
    expect((await attack.closed).text).toContain('good+evil')
    expect((await it.get('/a', { host: 'h', 'user-agent': 'good' })).text).toBe('good')
  })

  test('in any order of requests, each gets the variant that it selects', async () => {
    await using it = await bed()
    let path = 0
    const kind = fc.constantFrom('1', '2', '3')
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(kind, fc.boolean(), fc.nat(2)), { minLength: 1, maxLength: 8 }),
        async (steps) => {
          path += 1
          const url = `/p${path}`
          it.origin.on(url, (seen) => ({
            headers: [...FRESH, 'Vary', 'X-Kind'],
            body: `${seen.headers['x-kind']}`,
          }))
          for (const [wanted, aged, together] of steps) {
            if (aged) it.clock.advance(60_000)
            const kinds = [wanted, '1', '2'].slice(0, together + 1)
            const replies = await Promise.all(
              kinds.map((one) => ask(it.port, url, { headers: { 'x-kind': one } })),
            )
            expect(replies.map(({ text }) => text)).toEqual(kinds)
          }
        },
      ),
      { numRuns: 30 },
    )
  })
})
