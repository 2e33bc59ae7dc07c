import { expect, it } from 'vitest'
import { createCacheWith } from '../../../lib/cache/create.js'
import { notFound } from '../../../lib/index.js'
import { patterned, pieces } from '../../helpers/bodies.js'
import { FakeClock } from '../../helpers/clock.js'
import { firstTierOf, found, noOrigin, overStores, rig, settled } from '../../helpers/rig.js'

overStores((kind) => {
  it('asks the origin once, then answers from the tier', async () => {
    const made = await rig(kind)
    const { cache } = made
    const fetcher = () => ({ body: 'a value', etag: '"1"', user: { type: 'text' } })
    const first = found(await cache.fetch('k', fetcher))
    expect([first.outcome, first.tier, await first.text()]).toEqual(['miss', undefined, 'a value'])
    await settled(made)
    const tier = firstTierOf(kind)
    expect(first.stored).toBe(tier)
    const second = found(await cache.fetch('k', noOrigin))
    expect([second.outcome, second.tier, second.stored]).toEqual(['hit', tier, tier])
    expect([second.size, second.meta.etag, second.meta.user]).toEqual([7, '"1"', { type: 'text' }])
    expect(await second.text()).toBe('a value')
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 1, fills: 1, filling: 0, notStored: {} })
  })

  it.each([0, 1, 65_535, 65_536, 65_537, 1_000_000])('gives back %i bytes as they came', async (size) => {
    const made = await rig(kind)
    const value = patterned(size)
    const missed = found(await made.cache.fetch('k', () => ({ body: value })))
    expect([missed.size, value.equals(await missed.bytes())]).toEqual([size, true])
    const streamed = found(await made.cache.fetch('s', () => ({ body: pieces(value, 10_007) })))
    expect(value.equals(await streamed.bytes())).toBe(true)
    await settled(made)
    for (const key of ['k', 's']) {
      const hit = found(await made.cache.fetch(key, noOrigin))
      expect([hit.outcome, hit.size, value.equals(await hit.bytes())]).toEqual(['hit', size, true])
    }
  })

  it('takes every kind of body', async () => {
    const made = await rig(kind)
    const text = '{"a":[1,"ü"]}'
    const bytes = new TextEncoder().encode(text)
    const bodies = {
      buffer: () => Buffer.from(text),
      bytes: () => bytes,
      arrayBuffer: () => bytes.slice().buffer,
      string: () => text,
      json: () => ({ json: { a: [1, 'ü'] } }),
      web: () => new Response(text).body!,
      iterable: () => pieces(bytes, 1),
      strings: async function* () {
        yield* ['{"a":', '[1,"ü"]', '}']
      },
    }
    for (const [key, body] of Object.entries(bodies)) {
      const miss = found(await made.cache.fetch(key, () => ({ body: body() as never })))
      expect(await miss.json(), key).toEqual({ a: [1, 'ü'] })
      await settled(made)
      expect(await found(await made.cache.get(key)).text(), key).toBe(text)
    }
  })

  it('remembers what is not there', async () => {
    const made = await rig(kind, { freshness: { negativeTtl: '10s' } })
    const { cache, clock } = made
    const first = await cache.fetch('k', () => notFound())
    expect([first.status, first.outcome, first.meta.negative]).toEqual(['not-found', 'miss', true])
    await settled(made)
    expect(await cache.fetch('k', noOrigin)).toMatchObject({ status: 'not-found', outcome: 'hit' })
    expect(await cache.get('k')).toMatchObject({ status: 'not-found' })
    expect([await cache.has('k'), (await cache.stat('k'))?.negative]).toEqual([false, true])
    expect(cache.getSync('k')).toBeUndefined()
    clock.advance(10_000)
    expect(await cache.get('k')).toBeUndefined()
    const later = await cache.fetch('k', ({ meta, etag }) => {
      expect([meta, etag]).toEqual([undefined, undefined])
      return { body: 'now it is' }
    })
    expect(await found(later).text()).toBe('now it is')
    expect(cache.stats().negative).toBe(3)
  })

  it('keeps a negative answer for the ttl that the origin gives it', async () => {
    const made = await rig(kind)
    await made.cache.fetch('k', () => notFound({ ttl: '1h' }))
    await settled(made)
    made.clock.advance(3_599_999)
    expect(await made.cache.fetch('k', noOrigin)).toMatchObject({ status: 'not-found' })
  })

  it('answers `ifNoneMatch` with not-modified, and keeps the value for others', async () => {
    const made = await rig(kind)
    const { cache } = made
    const value = patterned(100_000)
    const fetcher = () => ({ body: pieces(value, 10_000), etag: '"v1"' })
    const first = await cache.fetch('k', fetcher, { ifNoneMatch: '"v0", W/"v1"' })
    expect(first).toMatchObject({ status: 'not-modified', outcome: 'miss', meta: { etag: '"v1"' } })
    await settled(made)
    expect((await cache.fetch('k', noOrigin, { ifNoneMatch: '*' })).status).toBe('not-modified')
    expect((await cache.get('k', { ifNoneMatch: '"v1"' }))?.status).toBe('not-modified')
    const other = found(await cache.fetch('k', noOrigin, { ifNoneMatch: '"v0", "v1x", v1' }))
    expect(value.equals(await other.bytes())).toBe(true)
  })

  it('gives what is kept by `get`, never asking', async () => {
    const made = await rig(kind, { freshness: { ttl: '1m' } })
    const { cache, clock } = made
    expect(await cache.get('k')).toBeUndefined()
    await cache.set('k', 'value')
    expect(await found(await cache.get('k')).text()).toBe('value')
    clock.advance(60_000)
    expect(await cache.get('k')).toBeUndefined()
    const stale = found(await cache.get('k', { allowStale: true }))
    expect([stale.outcome, await stale.text()]).toEqual(['stale', 'value'])
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 2, stale: 1 })
  })

  it('lists keys and metadata', async () => {
    const made = await rig(kind)
    await made.cache.set('a', 'x', { user: 1 })
    await made.cache.set('b', 'yy')
    const seen = new Map<string, number>()
    for await (const [key, meta] of made.cache.entries()) seen.set(key, meta.size)
    expect([...seen].sort()).toEqual([
      ['a', 1],
      ['b', 2],
    ])
    await made.cache.clear()
    for await (const entry of made.cache.entries()) expect.fail(`left: ${entry[0]}`)
  })
})

it('copies by `getSync` only what is fresh, found and small', async () => {
  const { cache, clock } = await rig('memory', { freshness: { ttl: '1m' } })
  expect(cache.getSync('k')).toBeUndefined()
  await cache.set('k', 'value', { user: { n: 1 } })
  await cache.set('empty', '')
  await cache.set('limit', patterned(65_536))
  await cache.set('large', patterned(65_537))
  const hit = cache.getSync('k')!
  expect([hit.value.toString(), hit.meta.user]).toEqual(['value', { n: 1 }])
  hit.value.fill(0)
  expect(cache.getSync('k')!.value.toString()).toBe('value')
  expect(cache.getSync('empty')!.value.length).toBe(0)
  expect(cache.getSync('limit')!.value.equals(patterned(65_536))).toBe(true)
  expect(cache.getSync('large')).toBeUndefined()
  clock.advance(60_000)
  expect(cache.getSync('k')).toBeUndefined()
  expect(cache.stats()).toMatchObject({ hits: 4, misses: 3 })
})

it('answers `getSync` with undefined where the store answers later', async () => {
  const { cache } = await rig('distant')
  await cache.set('k', 'value')
  await cache.set('large', patterned(100_000))
  expect([cache.getSync('k'), cache.getSync('large')]).toEqual([undefined, undefined])
})

it('gives the own servers of the package what is at hand, without a copy and without counting what they fetch next', async () => {
  const clock = new FakeClock()
  await using cache = await createCacheWith({ freshness: { ttl: '1m' } }, { clock })
  await cache.set('small', 'value', { user: 1 })
  await cache.set('empty', '')
  await cache.set('large', patterned(100_000))
  await cache.fetch('negative', () => notFound())
  const small = cache.hitSync('small')!
  expect([Buffer.from(small.bytes!).toString(), small.meta.user]).toEqual(['value', 1])
  expect(cache.hitSync('empty')!.bytes!.length).toBe(0)
  const large = cache.hitSync('large')!
  expect([large.bytes, cache.stats().openBodies]).toEqual([undefined, 1])
  expect(patterned(100_000).equals(await large.found!.bytes())).toBe(true)
  expect([cache.hitSync('none'), cache.hitSync('negative')]).toEqual([undefined, undefined])
  clock.advance(60_000)
  expect([cache.hitSync('small'), cache.hitSync('large')]).toEqual([undefined, undefined])
  expect(cache.stats()).toMatchObject({ hits: 3, misses: 1, openBodies: 0 })
  expect(() => cache.hitSync('')).toThrowError(expect.objectContaining({ code: 'ERR_DREY_KEY' }))
})
