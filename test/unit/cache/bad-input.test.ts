import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createCache, createCacheWith } from '../../../lib/cache/create.js'
import { readUser } from '../../../lib/cache/metadata.js'
import { type Cache, memoryStore, notFound, notModified } from '../../../lib/index.js'
import { pour } from '../../helpers/bodies.js'
import { FakeClock } from '../../helpers/clock.js'
import { turns } from '../../helpers/gate.js'
import { found, noOrigin, overStores, rig, settled } from '../../helpers/rig.js'

const loose = (value: unknown): never => value as never

const lone = 'a\ud800b'
const BAD_KEYS = [undefined, null, 1, {}, Symbol('s'), '', 'x'.repeat(32_769), 'é'.repeat(16_385), lone]

overStores((kind) => {
  it('every call refuses what is no key', async () => {
    const { cache } = await rig(kind)
    for (const key of BAD_KEYS) {
      for (const call of [
        (c: Cache) => c.fetch(loose(key), noOrigin),
        (c: Cache) => c.get(loose(key)),
        (c: Cache) => c.set(loose(key), 'v'),
        (c: Cache) => c.stat(loose(key)),
        (c: Cache) => c.has(loose(key)),
        (c: Cache) => c.delete(loose(key)),
        async (c: Cache) => c.getSync(loose(key)),
        async (c: Cache) => c.writer(loose(key)),
      ]) {
        await expect(call(cache), `${String(call)} of ${typeof key}`).rejects.toMatchObject({
          code: 'ERR_DREY_KEY',
        })
      }
    }
    await cache.set('é'.repeat(16_384), 'just fits')
    expect(cache.stats().fills).toBe(0)
  })

  it('a wrong option of a call names itself', async () => {
    const { cache } = await rig(kind)
    await cache.set('k', 'v')
    const calls: Array<[RegExp, () => Promise<unknown>]> = [
      [/options: got null/, () => cache.fetch('k', noOrigin, loose(null))],
      [/options: got string/, () => cache.get('k', loose('x'))],
      [/signal: got object/, () => cache.get('k', loose({ signal: {} }))],
      [/signal: got null/, () => cache.fetch('k', noOrigin, loose({ signal: null }))],
      [/ifNoneMatch: got object/, () => cache.get('k', loose({ ifNoneMatch: ['"a"'] }))],
      [
        /freshness.fresh: got boolean/,
        () => cache.fetch('k', noOrigin, loose({ freshness: { fresh: true } })),
      ],
      [/freshness.ttl: got NaN/, () => cache.fetch('n', noOrigin, { freshness: { ttl: Number.NaN } })],
      [/freshness.tll: no such option/, () => cache.fetch('n', noOrigin, loose({ freshness: { tll: 1 } }))],
      [/want a function as fetcher; got undefined/, () => cache.fetch('n', loose(undefined))],
      [/ttl: got soon/, () => cache.set('k', 'v', { ttl: 'soon' })],
      [/staleIfError: got -1/, () => cache.set('k', 'v', { staleIfError: -1 })],
      [/size: got 1.5/, () => cache.set('k', 'v', { size: 1.5 })],
      [/etag: got/, () => cache.set('k', 'v', { etag: 'a\r\nb' })],
      [/etag: got/, () => cache.set('k', 'v', loose({ etag: 5 }))],
      [/user: want JSON/, () => cache.set('k', 'v', { user: 1n })],
      [/user: got 65537 bytes/, () => cache.set('k', 'v', { user: 'x'.repeat(65_535) })],
    ]
    for (const [message, call] of calls) {
      await expect(call()).rejects.toMatchObject({
        code: 'ERR_DREY_CONFIG',
        message: expect.stringMatching(message),
      })
    }
    expect(await found(await cache.get('k')).text()).toBe('v')
    expect(cache.stats()).toMatchObject({ fills: 0, openBodies: 0 })
  })

  it('a `fresh` that throws, or decides nothing, fails its own call alone', async () => {
    const { cache } = await rig(kind)
    await cache.set('k', Buffer.alloc(100_000))
    const boom = new Error('boom')
    const fresh = [
      () => {
        throw boom
      },
      () => undefined,
      async () => true,
    ]
    for (const decide of fresh) {
      await expect(cache.fetch('k', noOrigin, { freshness: { fresh: loose(decide) } })).rejects.toMatchObject(
        { code: 'ERR_DREY_CONFIG' },
      )
    }
    expect((await cache.fetch('k', noOrigin)).outcome).toBe('hit')
  })

  it('a fetcher that gives no result: a coded error, nothing kept, the next call clean', async () => {
    const made = await rig(kind)
    const locked = new Response('x').body!
    locked.getReader()
    const ended = Readable.from(['x'])
    for await (const _ of ended) expect(_).toBe('x')
    const results: unknown[] = [
      undefined,
      null,
      1,
      'text',
      {},
      [],
      true,
      Symbol('s'),
      () => 'x',
      { body: undefined },
      { body: null },
      { body: 7 },
      { body: {} },
      { body: { json: undefined } },
      { body: { json: 1n } },
      { body: locked },
      { body: ended },
      { body: new Readable().destroy() },
      { body: 'v', ttl: Number.NaN },
      { body: 'v', ttl: 'soon' },
      { body: 'v', etag: 'a\nb' },
      { body: 'v', etag: 1 },
      { body: 'v', size: 2 },
      { body: 'v', size: -1 },
      { body: 'v', user: () => 1 },
      { body: 'v', user: 'x'.repeat(70_000) },
      notFound({ ttl: -1 }),
      notModified(),
    ]
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    results.push({ body: 'v', user: cyclic })
    for (const result of results) {
      await expect(made.cache.fetch('k', () => loose(result))).rejects.toMatchObject({
        code: 'ERR_DREY_ORIGIN',
      })
      expect(await made.cache.stat('k')).toBeUndefined()
    }
    expect(await found(await made.cache.fetch('k', () => ({ body: 'clean' }))).text()).toBe('clean')
    await settled(made)
  })

  it('a result that is refused has its body cancelled', async () => {
    const { cache } = await rig(kind)
    for (const wrong of [{ ttl: Number.NaN }, { etag: 'a\nb' }, { size: 0.5 }, { user: 1n }]) {
      for (const of of ['node', 'web', 'iterable'] as const) {
        const origin = pour(of)
        await expect(cache.fetch('k', () => loose({ body: origin.body, ...wrong }))).rejects.toMatchObject({
          code: 'ERR_DREY_ORIGIN',
          cause: { code: 'ERR_DREY_CONFIG' },
        })
        await turns(1)
        expect(origin.cancelled, of).toBe(true)
      }
    }
  })

  it('whatever a fetcher throws reaches the caller as its cause', async () => {
    const { cache } = await rig(kind)
    for (const thrown of [new Error('e'), 'text', 7, undefined, null, Symbol('s'), Object.create(null), {}]) {
      await expect(
        cache.fetch('k', () => {
          throw thrown
        }),
      ).rejects.toMatchObject({ code: 'ERR_DREY_ORIGIN', cause: thrown })
      await expect(cache.fetch('k', () => Promise.reject(thrown))).rejects.toMatchObject({ cause: thrown })
    }
  })

  it('a body that is hostile breaks off, and harms nothing', async () => {
    const { cache } = await rig(kind)
    const trap = (): never => {
      throw new Error('trap')
    }
    const hostile: unknown[] = [
      { [Symbol.asyncIterator]: trap },
      { [Symbol.asyncIterator]: () => ({ next: trap, return: trap }) },
      { [Symbol.asyncIterator]: () => ({ next: () => 'nothing' }) },
      { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('x')), return: trap }) },
      { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: false, value: 7 }) }) },
      new Readable({ read: trap }),
      new ReadableStream({ pull: trap, cancel: trap }),
    ]
    for (const body of hostile) {
      const failed = cache.fetch('k', () => loose({ body })).then((answer) => found(answer).bytes())
      await expect(failed).rejects.toMatchObject({
        code: expect.stringMatching(/ERR_DREY_(ORIGIN|TRUNCATED)/),
      })
      await expect(cache.set('k', loose(body))).rejects.toBeInstanceOf(Error)
    }
    const result = Object.defineProperty({}, 'body', { get: trap })
    await expect(cache.fetch('k', () => loose(result))).rejects.toMatchObject({ code: 'ERR_DREY_ORIGIN' })
    expect(await cache.stat('k')).toBeUndefined()
  })
})

const one = memoryStore()
const twice = [one, one]

describe('createCache', () => {
  it.each<[RegExp, unknown]>([
    [/tiers/, { tiers: [] }],
    [/tiers.*twice/, { tiers: twice }],
    [/promotion/, { promotion: 'never' }],
    [/writePolicy/, { writePolicy: 'back' }],
    [/background.concurrency/, { background: { concurrency: 0 } }],
    [/background.queue/, { background: { queue: 1.5 } }],
    [/background/, { background: { threads: 2 } }],
    [/tiers.0/, { tiers: [{}] }],
    [/tiers.0/, { tiers: [{ ...memoryStore(), maxItemBytes: Number.NaN }] }],
    [/freshness.ttl: got "5 parsecs"/, { freshness: { ttl: '5 parsecs' } }],
    [/timeouts.fill: got 0/, { timeouts: { fill: 0 } }],
    [/timeouts.idle: got NaN/, { timeouts: { idle: Number.NaN } }],
    [/tier: no such option/, { tier: [] }],
    [/options/, null],
    [/options/, 7],
  ])('refuses with %s', async (message, options) => {
    await expect(createCache(loose(options))).rejects.toMatchObject({
      code: 'ERR_DREY_CONFIG',
      message: expect.stringMatching(message),
    })
  })

  it('refuses a store that belongs to another cache', async () => {
    const store = memoryStore({ maxBytes: 2 ** 20 })
    const cache = await createCache({ tiers: [store] })
    await expect(createCache({ tiers: [store] })).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
    await cache.close()
  })

  it('works without options, on the real clock', async () => {
    await using cache = await createCache()
    await cache.set('k', Buffer.alloc(100_000))
    found(await cache.get('k')).close()
    const answer = await cache
      .fetch('n', () => new Promise<never>((_, reject) => setImmediate(reject, 'no')))
      .catch((e) => e)
    expect(answer.code).toBe('ERR_DREY_ORIGIN')
  })
})

it('freezes what is kept beside a value, and copies it', () => {
  const given = { list: [1, { deep: 'x' }], __proto__: { hidden: 1 } }
  const kept = readUser(given) as { list: [number, { deep: string }] }
  given.list.push(2)
  expect(kept).toEqual({ list: [1, { deep: 'x' }] })
  expect([Object.isFrozen(kept), Object.isFrozen(kept.list), Object.isFrozen(kept.list[1])]).toEqual([
    true,
    true,
    true,
  ])
  expect(readUser(undefined)).toBeUndefined()
  expect(readUser(null)).toBeNull()
  const deep = JSON.parse('['.repeat(20_000) + ']'.repeat(20_000))
  const outcome = (() => {
    try {
      return readUser(deep)
    } catch (error) {
      return (error as { code: string }).code
    }
  })()
  expect(outcome === 'ERR_DREY_CONFIG' || Array.isArray(outcome)).toBe(true)
})

it('makes a cache with the clock that it is given', async () => {
  const clock = new FakeClock(5)
  await using cache = await createCacheWith({}, { clock })
  expect((await cache.set('k', 'v')).cachedAt).toBe(5)
})
