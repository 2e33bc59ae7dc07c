import { describe, expect, it, vi } from 'vitest'
import { MAX_ORIGINS, Origins } from '../../../lib/cache/origins.js'
import { notFound } from '../../../lib/index.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { FakeClock } from '../../helpers/clock.js'
import { gate, turns, until } from '../../helpers/gate.js'
import { found, noOrigin, overStores, rig, settled } from '../../helpers/rig.js'

const BREAKER = { failures: 3, openFor: '1s', openForAtMost: '4s' } as const

const down = (): never => {
  throw new Error('down')
}

describe('a named origin', () => {
  const failing = async (options = {}) => {
    const made = await rig('memory', { breaker: BREAKER, ...options })
    const events: string[] = []
    made.cache.on('origin-down', ({ origin }) => events.push(`down ${origin}`))
    made.cache.on('origin-up', ({ origin }) => events.push(`up ${origin}`))
    const fail = async (key: string) => {
      await expect(made.cache.fetch(key, down, { origin: 'api' })).rejects.toMatchObject({
        code: 'ERR_DREY_ORIGIN',
      })
    }
    return { ...made, events, fail }
  }

  it('is left alone after so many failures in a row, and tried again when it is time', async () => {
    const { cache, clock, events, fail } = await failing()
    for (const key of ['a', 'b', 'c']) await fail(key)
    expect(events).toEqual(['down api'])
    const refused = cache.fetch('d', noOrigin, { origin: 'api' })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_DREY_BREAKER_OPEN' })
    await expect(refused).rejects.toThrow('"api"')
    // Others are nobody's business.
    expect(found(await cache.fetch('e', () => ({ body: 'v' }), { origin: 'other' })).outcome).toBe('miss')
    expect(found(await cache.fetch('f', () => ({ body: 'v' }))).outcome).toBe('miss')
    expect(cache.stats().origins).toEqual([
      { name: 'api', breaker: 'open', refused: 1 },
      { name: 'other', breaker: 'closed', refused: 0 },
    ])
    clock.advance(1000)
    const held = gate()
    const trial = cache.fetch(
      'd',
      async () => {
        await held.opened
        return { body: 'v' }
      },
      { origin: 'api' },
    )
    await turns()
    // One finds out; the others do not wait for it.
    await expect(cache.fetch('g', noOrigin, { origin: 'api' })).rejects.toMatchObject({
      code: 'ERR_DREY_BREAKER_OPEN',
    })
    held.open()
    expect(await found(await trial).text()).toBe('v')
    await turns()
    expect(events).toEqual(['down api', 'up api'])
    expect(found(await cache.fetch('g', () => ({ body: 'v' }), { origin: 'api' })).outcome).toBe('miss')
  })

  it('a trial that fails, or that nobody waits for, opens it for twice as long, up to its most', async () => {
    const { cache, clock, fail } = await failing()
    for (const key of ['a', 'b', 'c']) await fail(key)
    const refused = async () => {
      await expect(cache.fetch('z', noOrigin, { origin: 'api' })).rejects.toMatchObject({
        code: 'ERR_DREY_BREAKER_OPEN',
      })
    }
    clock.advance(1000)
    await fail('d')
    clock.advance(1999)
    await refused()
    clock.advance(1)
    const leaving = new AbortController()
    const left = cache.fetch('e', () => new Promise(() => undefined), {
      origin: 'api',
      signal: leaving.signal,
    })
    await turns()
    leaving.abort()
    await expect(left).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
    for (const wait of [4000, 4000]) {
      clock.advance(wait - 1)
      await refused()
      clock.advance(1)
      await fail('f')
    }
  })

  it('a success in between begins the count anew; not found is one', async () => {
    const { cache, events, fail } = await failing()
    for (const key of ['a', 'b']) await fail(key)
    await cache.fetch('n', () => notFound(), { origin: 'api' })
    for (const key of ['c', 'd']) await fail(key)
    await found(await cache.fetch('v', () => ({ body: 'v' }), { origin: 'api' })).text()
    for (const key of ['e', 'f']) await fail(key)
    expect(events).toEqual([])
    await fail('g')
    expect(events).toEqual(['down api'])
  })

  it('fails by what is no result, by what takes too long, and by a body that breaks off before its first byte', async () => {
    const { cache, clock, events } = await failing({ timeouts: { firstByte: '5s' } })
    await expect(cache.fetch('a', () => 7 as never, { origin: 'api' })).rejects.toThrow()
    const late = cache.fetch('b', () => new Promise(() => undefined), { origin: 'api' })
    await turns()
    clock.advance(5000)
    await expect(late).rejects.toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    expect(events).toEqual([])
    const origin = pour('iterable')
    const broken = found(await cache.fetch('c', () => ({ body: origin.body }), { origin: 'api' }))
    origin.fail(new Error('gone'))
    await expect(broken.bytes()).rejects.toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
    await turns()
    expect(events).toEqual(['down api'])
  })

  it('is not blamed for callers that leave', async () => {
    const { cache, events } = await failing()
    for (let at = 0; at < 10; at += 1) {
      const origin = pour('iterable')
      const reader = found(await cache.fetch(`k${at}`, () => ({ body: origin.body }), { origin: 'api' }))
      reader.close()
      await turns()
    }
    expect(events).toEqual([])
  })

  it('what is stale answers while it is left alone, and a refresh says why there is none', async () => {
    const { cache, clock, fail } = await failing({ freshness: { ttl: '1m', staleIfError: '1h' } })
    await cache.set('old', 'old')
    await cache.set('while', 'old', { staleWhileRevalidate: '1h' })
    clock.advance(60_000)
    for (const key of ['a', 'b', 'c']) await fail(key)
    const stale = found(await cache.fetch('old', noOrigin, { origin: 'api' }))
    expect([stale.outcome, await stale.text()]).toEqual(['stale', 'old'])
    const errors: unknown[] = []
    cache.on('refresh-error', ({ error }) => errors.push(error))
    expect(found(await cache.fetch('while', noOrigin, { origin: 'api' })).outcome).toBe('stale')
    await until(() => errors.length > 0, 'it is told')
    expect(errors[0]).toMatchObject({ code: 'ERR_DREY_BREAKER_OPEN' })
  })

  it.each(['', 7, 'x'.repeat(257)])('refuses the name %j', async (origin) => {
    const { cache } = await failing()
    await expect(cache.fetch('k', noOrigin, { origin: origin as never })).rejects.toMatchObject({
      code: 'ERR_DREY_CONFIG',
    })
    expect(() => cache.refresh('k', noOrigin, { origin: origin as never })).toThrow('origin')
  })

  it('so many names are kept, and those that fail longest', () => {
    const clock = new FakeClock()
    const origins = new Origins({ failures: 1, openFor: 1000, openForAtMost: 1000 }, clock, () => undefined)
    origins.enter('bad').failed()
    for (let at = 0; at < MAX_ORIGINS + 10; at += 1) origins.enter(`o${at}`).succeeded()
    expect(origins.stats().length).toBe(MAX_ORIGINS)
    expect(() => origins.enter('bad')).toThrow('left alone')
    for (let at = 0; at < MAX_ORIGINS + 10; at += 1) origins.enter(`bad${at}`).failed()
    expect(origins.stats().length).toBe(MAX_ORIGINS)
  })
})

overStores((kind) => {
  it('retry asks again, a random part of a wait that doubles later, and one at a time', async () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
    try {
      const made = await rig(kind)
      let calls = 0
      const flaky = () => {
        calls += 1
        if (calls < 4) throw new Error(`down ${calls}`)
        return { body: 'v' }
      }
      const answer = made.cache.fetch('k', flaky, { retry: { attempts: 3, delay: 100, maxDelay: 300 } })
      const joined = made.cache.fetch('k', noOrigin)
      for (const [wait, after] of [
        [50, 2],
        [100, 3],
        [150, 4],
      ] as const) {
        await turns()
        made.clock.advance(wait - 1)
        await turns()
        expect(calls).toBe(after - 1)
        made.clock.advance(1)
        await turns()
        expect(calls).toBe(after)
      }
      expect([await found(await answer).text(), await found(await joined).text()]).toEqual(['v', 'v'])
      expect(made.cache.stats()).toMatchObject({ fills: 1, retries: 3 })
    } finally {
      random.mockRestore()
    }
  })

  it('calls that an open breaker refuses are not counted as calls of the fetcher', async () => {
    const { cache, clock } = await rig(kind, { breaker: { failures: 1, openFor: '1m' } })
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
    try {
      const again = { origin: 'o', retry: { attempts: 1, delay: 10 } }
      const answer = cache.fetch('k', down, again)
      await turns()
      clock.advance(10)
      await expect(answer).rejects.toMatchObject({ code: 'ERR_DREY_BREAKER_OPEN' })
      await expect(cache.fetch('other', down, again)).rejects.toMatchObject({ code: 'ERR_DREY_BREAKER_OPEN' })
      expect(cache.stats()).toMatchObject({ fills: 1, retries: 0, originRefusals: { o: 2 } })
    } finally {
      random.mockRestore()
    }
  })

  it('retry gives up with the last failure', async () => {
    const { cache, clock } = await rig(kind)
    let calls = 0
    const answer = cache.fetch(
      'k',
      () => {
        calls += 1
        throw new Error(`down ${calls}`)
      },
      { retry: { attempts: 1, delay: 10 } },
    )
    await turns()
    clock.advance(10)
    await expect(answer).rejects.toMatchObject({ code: 'ERR_DREY_ORIGIN', cause: { message: 'down 2' } })
  })

  it('nobody who has left is asked for again, and no timer is left', async () => {
    const made = await rig(kind)
    const { cache, clock } = made
    const leaving = new AbortController()
    const answer = cache.fetch('k', down, { signal: leaving.signal, retry: { attempts: 5, delay: 1000 } })
    await turns()
    leaving.abort()
    await expect(answer).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
    await settled(made)
    clock.advance(10_000)
    await turns()
    expect(cache.stats()).toMatchObject({ retries: 0, filling: 0 })
  })

  it('timeouts count from the first call', async () => {
    const { cache, clock } = await rig(kind, { timeouts: { firstByte: '5s' } })
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.999)
    try {
      const answer = cache.fetch('k', down, { retry: { attempts: 5, delay: '10s' } })
      await turns()
      clock.advance(5000)
      await expect(answer).rejects.toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    } finally {
      random.mockRestore()
    }
  })

  it.each([{}, { attempts: 0 }, { attempts: 11 }, { attempts: 1, delay: 'soon' }, 3])(
    'refuses %j',
    async (retry) => {
      const { cache } = await rig(kind)
      await expect(cache.fetch('k', noOrigin, { retry: retry as never })).rejects.toMatchObject({
        code: 'ERR_DREY_CONFIG',
      })
    },
  )
})

it('a named origin that comes back after a retry was never down', async () => {
  const { cache, clock } = await rig('memory', { breaker: BREAKER })
  let calls = 0
  const answer = cache.fetch(
    'k',
    () => {
      calls += 1
      if (calls === 1) throw new Error('down')
      return { body: patterned(10) }
    },
    { origin: 'api', retry: { attempts: 1, delay: 1 } },
  )
  await turns()
  clock.advance(1)
  expect((await found(await answer).bytes()).length).toBe(10)
  expect(cache.stats().origins).toEqual([{ name: 'api', breaker: 'closed', refused: 0 }])
})
