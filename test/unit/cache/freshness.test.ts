import { describe, expect, it } from 'vitest'
import { confirmedMetadata, isFresh, matchesEtag } from '../../../lib/cache/metadata.js'
import { type FetcherContext, notFound, notModified } from '../../../lib/index.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { turns } from '../../helpers/gate.js'
import { found, noOrigin, overStores, rig, settled } from '../../helpers/rig.js'

const down = (): never => {
  throw new Error('down')
}

overStores((kind) => {
  it('an entry is fresh until its ttl, to the millisecond', async () => {
    const { cache, clock } = await rig(kind, { freshness: { ttl: '1m' } })
    await cache.set('default', 'v')
    await cache.set('own', 'v', { ttl: '2m' })
    await cache.set('never', 'v', { ttl: 0 })
    await cache.set('ever', 'v', { ttl: Number.POSITIVE_INFINITY })
    const fresh = async () => Promise.all(['default', 'own', 'never', 'ever'].map((key) => cache.has(key)))
    expect(await fresh()).toEqual([true, true, false, true])
    clock.advance(59_999)
    expect(await fresh()).toEqual([true, true, false, true])
    clock.advance(1)
    expect(await fresh()).toEqual([false, true, false, true])
    clock.advance(60_000)
    expect(await fresh()).toEqual([false, false, false, true])
  })

  it('the ttl of the result wins over that of the call, and that over the cache', async () => {
    const made = await rig(kind, { freshness: { ttl: 1000 } })
    const { cache, clock } = made
    await cache.fetch('a', () => ({ body: 'v' }))
    await cache.fetch('b', () => ({ body: 'v' }), { freshness: { ttl: 2000 } })
    await cache.fetch('c', () => ({ body: 'v', ttl: 3000 }), { freshness: { ttl: 2000 } })
    await cache.fetch('d', () => notFound(), { freshness: { negativeTtl: 4000 } })
    await settled(made)
    const until = async (key: string) => (await cache.stat(key))!.freshUntil - clock.now()
    expect(await Promise.all(['a', 'b', 'c', 'd'].map(until))).toEqual([1000, 2000, 3000, 4000])
  })

  it('an entry from the future is stale: the clock was set back', async () => {
    const made = await rig(kind)
    await made.cache.set('k', 'v')
    made.clock.jump(-1)
    expect([await made.cache.has('k'), await made.cache.get('k')]).toEqual([false, undefined])
    const asked = found(await made.cache.fetch('k', () => ({ body: 'anew' })))
    expect(await asked.text()).toBe('anew')
  })

  it('the caller may decide what is fresh', async () => {
    const made = await rig(kind, { freshness: { ttl: '1m' } })
    const { cache, clock } = made
    await cache.set('k', 'kept', { user: { v: 1 } })
    const seen: unknown[] = []
    const refuse = (meta: { readonly user?: unknown }, now: number) => {
      seen.push(meta.user, now)
      return false
    }
    const anew = await cache.fetch('k', () => ({ body: 'anew' }), { freshness: { fresh: refuse } })
    expect([await found(anew).text(), seen]).toEqual(['anew', [{ v: 1 }, clock.now()]])
    await settled(made)
    clock.advance(3_600_000)
    const kept = await cache.fetch('k', noOrigin, { freshness: { fresh: () => true } })
    expect([kept.outcome, await found(kept).text()]).toEqual(['hit', 'anew'])
  })

  it('asks with the etag and metadata of what is stale, and keeps the body that is confirmed', async () => {
    const made = await rig(kind, { freshness: { ttl: '1m' } })
    const { cache, clock } = made
    const value = patterned(100_000)
    await cache.set('k', value, { etag: '"v1"', user: { n: 1 } })
    const { bytes } = cache.stats().tiers[0]!
    clock.advance(60_000)
    let asked: FetcherContext | undefined
    const confirm = (context: FetcherContext) => {
      asked = context
      return notModified({ user: { n: 2 }, ttl: '5m' })
    }
    const [first, second] = await Promise.all([cache.fetch('k', confirm), cache.fetch('k', noOrigin)])
    expect(asked).toMatchObject({ key: 'k', etag: '"v1"', meta: { size: 100_000, user: { n: 1 } } })
    expect([first.outcome, second.outcome]).toEqual(['revalidated', 'joined'])
    for (const answer of [first, second]) {
      expect(answer.meta).toMatchObject({ etag: '"v1"', user: { n: 2 }, size: 100_000 })
      expect(value.equals(await found(answer).bytes())).toBe(true)
    }
    await settled(made)
    expect(await cache.stat('k')).toMatchObject({
      cachedAt: clock.now(),
      freshUntil: clock.now() + 300_000,
      user: { n: 2 },
    })
    expect(value.equals(await found(await cache.fetch('k', noOrigin)).bytes())).toBe(true)
    expect(cache.stats()).toMatchObject({ revalidated: 1, joined: 1, hits: 1, fills: 1 })
    expect(Math.abs(cache.stats().tiers[0]!.bytes - bytes)).toBeLessThan(1000)
  })

  it('a new body replaces what was stale', async () => {
    const made = await rig(kind, { freshness: { ttl: 1 } })
    await made.cache.set('k', 'old', { etag: '"1"' })
    made.clock.advance(1)
    const answer = found(await made.cache.fetch('k', () => ({ body: 'new', etag: '"2"' })))
    expect([answer.outcome, await answer.text()]).toEqual(['miss', 'new'])
    await settled(made)
    expect((await made.cache.stat('k'))?.etag).toBe('"2"')
  })

  it('an answer not-modified to nobody who had anything is an error of the origin', async () => {
    const made = await rig(kind, { freshness: { negativeTtl: 0 } })
    await expect(made.cache.fetch('k', () => notModified())).rejects.toMatchObject({
      code: 'ERR_DREY_ORIGIN',
    })
    await made.cache.fetch('k', () => notFound())
    await settled(made)
    await expect(made.cache.fetch('k', () => notModified())).rejects.toMatchObject({
      code: 'ERR_DREY_ORIGIN',
    })
  })

  it('a stale value answers an error of the origin, as long as it may', async () => {
    const made = await rig(kind, { freshness: { ttl: '1m', staleIfError: '1h' } })
    const { cache, clock } = made
    const value = patterned(100_000)
    await cache.set('k', value)
    await cache.set('strict', 'v', { staleIfError: 0 })
    clock.advance(60_000)
    await expect(cache.fetch('strict', down)).rejects.toMatchObject({ code: 'ERR_DREY_ORIGIN' })
    const downLater = async () => {
      await turns()
      return down()
    }
    const [first, second] = await Promise.all([cache.fetch('k', downLater), cache.fetch('k', noOrigin)])
    for (const answer of [first, second]) {
      expect([answer.outcome, answer.meta.cachedAt]).toEqual(['stale', clock.now() - 60_000])
      expect(value.equals(await found(answer).bytes())).toBe(true)
    }
    expect(cache.stats()).toMatchObject({ stale: 2, fills: 2 })
    clock.advance(3_599_999)
    expect((await cache.fetch('k', down)).outcome).toBe('stale')
    clock.advance(1)
    await expect(cache.fetch('k', down)).rejects.toMatchObject({ code: 'ERR_DREY_ORIGIN' })
  })

  it('a stale value answers an origin that is too slow, too', async () => {
    const made = await rig(kind, {
      freshness: { ttl: 0, staleIfError: '1d' },
      timeouts: { firstByte: '5s', fill: '1m' },
    })
    await made.cache.set('k', 'stale')
    const slow = made.cache.fetch('k', () => new Promise(() => undefined))
    const none = made.cache.fetch('none', () => new Promise(() => undefined))
    none.catch(() => undefined)
    await turns()
    made.clock.advance(5_000)
    expect((await slow).outcome).toBe('stale')
    await expect(none).rejects.toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
  })

  it('an origin that sends no first byte, or not all in time, breaks the body off', async () => {
    for (const bytes of [0, 1000]) {
      const made = await rig(kind, { timeouts: { firstByte: '5s', fill: '1m' } })
      const origin = pour('web')
      let signal!: AbortSignal
      const body = found(
        await made.cache.fetch('k', (context) => {
          signal = context.signal
          return { body: origin.body }
        }),
      )
      const reading = body.bytes().catch((error) => error)
      if (bytes > 0) origin.push(patterned(bytes))
      await turns()
      made.clock.advance(4_999)
      made.clock.advance(bytes > 0 ? 55_000 : 0)
      expect(signal.aborted).toBe(false)
      made.clock.advance(1)
      expect(await reading).toMatchObject({ code: 'ERR_DREY_TRUNCATED', cause: { code: 'ERR_DREY_TIMEOUT' } })
      expect([signal.aborted, origin.cancelled]).toEqual([true, true])
    }
  })
})

describe('what is confirmed', () => {
  const before = {
    size: 1,
    etag: 'e',
    cachedAt: 0,
    freshUntil: 60,
    staleUntil: 60,
    staleIfErrorUntil: 100,
    negative: false,
    tags: [],
  }
  const freshness = { ttl: 1000, staleWhileRevalidate: 0, staleIfError: 10, negativeTtl: 1, jitter: 0 }
  const none = { ttl: undefined, staleWhileRevalidate: undefined, staleIfError: undefined, user: undefined }

  it('is fresh for as long as its result says, else the call, else as it was', () => {
    const at = (head: object, call: object) => {
      const meta = confirmedMetadata({ ...before, user: 'u' }, { ...none, ...head }, call, freshness, 500, 0)
      return [meta.freshUntil, meta.staleIfErrorUntil, meta.user, meta.etag, meta.cachedAt]
    }
    expect(at({}, {})).toEqual([560, 600, 'u', 'e', 500])
    expect(at({}, { ttl: 7, staleIfError: 3 })).toEqual([507, 510, 'u', 'e', 500])
    expect(at({ ttl: 5, staleIfError: 0 }, { ttl: 7 })).toEqual([505, 505, 'u', 'e', 500])
    expect(at({ user: null }, {})).toEqual([560, 600, null, 'e', 500])
  })

  it('takes the default for errors where it never became stale before', () => {
    const ever = {
      ...before,
      freshUntil: Number.POSITIVE_INFINITY,
      staleUntil: Number.POSITIVE_INFINITY,
      staleIfErrorUntil: Number.POSITIVE_INFINITY,
    }
    const meta = confirmedMetadata(ever, { ...none, ttl: 5 }, {}, freshness, 500, 0)
    expect([meta.freshUntil, meta.staleIfErrorUntil]).toEqual([505, 515])
    expect(confirmedMetadata(ever, none, {}, freshness, 500, 0).freshUntil).toBe(Number.POSITIVE_INFINITY)
  })
})

it('knows a fresh entry', () => {
  const meta = {
    size: 0,
    cachedAt: 100,
    freshUntil: 200,
    staleUntil: 200,
    staleIfErrorUntil: 200,
    negative: false,
    tags: [],
  }
  expect([99, 100, 199, 200].map((now) => isFresh(meta, now))).toEqual([false, true, true, false])
})

it.each<[string, string | undefined, boolean]>([
  ['"a"', '"a"', true],
  ['"a"', '"b"', false],
  ['W/"a"', '"a"', true],
  ['"a"', 'W/"a"', true],
  ['W/"a"', 'W/"a"', true],
  ['"x", "a" ,"y"', '"a"', true],
  ['"x,"a",y"', '"z"', false],
  ['"a,b"', '"a,b"', true],
  ['"a,b"', '"a', false],
  ['*', '"a"', true],
  [' * ', undefined, true],
  ['"*"', '"a"', false],
  ['"a"', undefined, false],
  ['', '"a"', false],
  ['a', 'a', true],
  ['"a"', 'a', false],
  ['"', '"', false],
])('If-None-Match %j against %j: %j', (list, etag, matches) => {
  expect(matchesEtag(list, etag)).toBe(matches)
})
