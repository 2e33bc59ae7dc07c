import { describe, expect, it, vi } from 'vitest'
import { notFound, notModified } from '../../../lib/index.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { gate, turns, until } from '../../helpers/gate.js'
import { found, noOrigin, overStores, rig, settled } from '../../helpers/rig.js'

const MINUTE = 60_000

/** Fetching anew what was answered stale, or what `refresh` was called for. */
overStores((kind) => {
  it('answers stale at once while one call fetches anew, then with that', async () => {
    const made = await rig(kind, { freshness: { ttl: '1m', staleWhileRevalidate: '30s' } })
    const { cache, clock } = made
    await cache.set('k', 'old')
    clock.advance(MINUTE)
    const held = gate()
    let calls = 0
    const fetcher = async () => {
      calls += 1
      await held.opened
      return { body: 'new' }
    }
    for (let i = 0; i < 5; i += 1) {
      const answer = found(await cache.fetch('k', fetcher))
      expect([answer.outcome, await answer.text()]).toEqual(['stale', 'old'])
    }
    await until(() => calls > 0, 'the origin was asked')
    expect(cache.stats()).toMatchObject({ stale: 5, refreshes: { running: 1, waiting: 0 } })
    held.open()
    await settled(made)
    const after = found(await cache.fetch('k', noOrigin))
    expect([after.outcome, await after.text(), calls]).toEqual(['hit', 'new', 1])
    await until(() => cache.stats().refreshes.done === 1, 'the refresh is done')
    expect(cache.stats().refreshes).toEqual({ running: 0, waiting: 0, done: 1, failed: 0, dropped: 0 })
  })

  it('is of use until staleUntil, to the millisecond, and not for get', async () => {
    const made = await rig(kind, { freshness: { ttl: 1000, staleWhileRevalidate: 500 } })
    const { cache, clock } = made
    await cache.set('k', 'old')
    await cache.set('own', 'old', { staleWhileRevalidate: 0 })
    expect(await cache.stat('k')).toMatchObject({
      freshUntil: clock.now() + 1000,
      staleUntil: clock.now() + 1500,
    })
    clock.advance(1499)
    expect(await cache.get('k')).toBeUndefined()
    expect(cache.getSync('k')).toBeUndefined()
    const given = found(await cache.get('k', { allowStale: true }))
    expect([given.outcome, await given.text()]).toEqual(['stale', 'old'])
    expect(found(await cache.fetch('own', () => ({ body: 'new' }))).outcome).toBe('miss')
    const failing = () => {
      throw new Error('down')
    }
    expect(found(await cache.fetch('k', failing)).outcome).toBe('stale')
    await until(() => cache.stats().refreshes.failed === 1, 'the refresh failed')
    clock.advance(1)
    expect(found(await cache.fetch('k', () => ({ body: 'new' }))).outcome).toBe('miss')
  })

  it('confirms what is stale with its etag, and tells what fails', async () => {
    const made = await rig(kind, { freshness: { ttl: '1m', staleWhileRevalidate: '1h' } })
    const { cache, clock } = made
    const errors: unknown[] = []
    cache.on('refresh-error', (event) => errors.push(event))
    await cache.set('k', patterned(100_000), { etag: '"v"' })
    clock.advance(MINUTE)
    const down = new Error('down')
    found(
      await cache.fetch('k', () => {
        throw down
      }),
    ).close()
    await until(() => errors.length === 1, 'the failure is told')
    expect(errors).toEqual([
      { key: 'k', error: expect.objectContaining({ code: 'ERR_DREY_ORIGIN', cause: down }) },
    ])
    let asked: unknown
    found(
      await cache.fetch('k', ({ etag }) => {
        asked = etag
        return notModified()
      }),
    ).close()
    await until(() => cache.stats().refreshes.done === 1, 'the refresh is done')
    expect([asked, found(await cache.fetch('k', noOrigin)).outcome]).toEqual(['"v"', 'hit'])
  })

  it('refresh asks the origin anew though the entry is fresh, once for a key', async () => {
    const made = await rig(kind)
    const { cache } = made
    await cache.set('k', 'old')
    const held = gate()
    const fetcher = async () => {
      await held.opened
      return { body: 'new' }
    }
    expect([cache.refresh('k', fetcher), cache.refresh('k', noOrigin)]).toEqual([true, false])
    await turns()
    expect(await found(await cache.fetch('k', noOrigin)).text()).toBe('old')
    held.open()
    await until(() => cache.stats().refreshes.done === 1, 'the refresh is done')
    expect(await found(await cache.fetch('k', noOrigin)).text()).toBe('new')
    expect(cache.refresh('k', () => notFound())).toBe(true)
    await until(() => cache.stats().refreshes.done === 2, 'the refresh is done')
    expect((await cache.fetch('k', noOrigin)).status).toBe('not-found')
  })

  it('keeps a body of many pieces, though nobody reads it', async () => {
    const made = await rig(kind)
    const value = patterned(400_000)
    const origin = pour('iterable')
    made.cache.refresh('k', () => ({ body: origin.body }))
    for (let at = 0; at < value.length; at += 100_000) {
      await turns()
      origin.push(value.subarray(at, at + 100_000))
    }
    origin.end()
    await until(() => made.cache.stats().refreshes.done === 1, 'the refresh is done')
    expect(value.equals(await found(await made.cache.get('k')).bytes())).toBe(true)
  })

  it('a fetch joins the refresh that is under way', async () => {
    const made = await rig(kind)
    const held = gate()
    made.cache.refresh('k', async () => {
      await held.opened
      return { body: 'v' }
    })
    await until(() => made.cache.stats().filling === 1, 'it is asked')
    const joined = made.cache.fetch('k', noOrigin)
    await turns()
    held.open()
    expect([(await joined).outcome, await found(await joined).text()]).toEqual(['joined', 'v'])
  })

  it('a delete wins over a refresh under way', async () => {
    const made = await rig(kind)
    await made.cache.set('k', 'old')
    const held = gate()
    made.cache.refresh('k', async () => {
      await held.opened
      return { body: 'new' }
    })
    await until(() => made.cache.stats().filling === 1, 'it is asked')
    await made.cache.delete('k')
    held.open()
    await settled(made)
    expect(await made.cache.get('k')).toBeUndefined()
  })

  it('a body that is for one alone is for nobody', async () => {
    const made = await rig(kind)
    const origin = pour('iterable')
    made.cache.refresh('k', () => ({ body: origin.body, store: false }))
    await until(() => made.cache.stats().refreshes.failed === 1, 'it is given up')
    expect(await made.cache.get('k')).toBeUndefined()
  })
})

describe('in a line', () => {
  const held = () => {
    const open = gate()
    let running = 0
    let most = 0
    return {
      open,
      most: () => most,
      fetcher: async () => {
        running += 1
        most = Math.max(most, running)
        await open.opened
        running -= 1
        return { body: 'v' }
      },
    }
  }

  it('so many run at a time, so many wait, and what does not fit is counted', async () => {
    const { cache } = await rig('memory', { refresh: { concurrency: 2, queue: 3 } })
    const origin = held()
    const scheduled = Array.from({ length: 7 }, (_, at) => cache.refresh(`k${at}`, origin.fetcher))
    expect(scheduled).toEqual([true, true, true, true, true, false, false])
    await turns()
    expect(cache.stats().refreshes).toEqual({ running: 2, waiting: 3, done: 0, failed: 0, dropped: 2 })
    origin.open.open()
    await until(() => cache.stats().refreshes.done === 5, 'all are done')
    expect(origin.most()).toBe(2)
  })

  it('the numbers come from background where refresh says none', async () => {
    const { cache } = await rig('memory', { background: { concurrency: 1, queue: 0 } })
    const origin = held()
    expect([cache.refresh('a', origin.fetcher), cache.refresh('b', origin.fetcher)]).toEqual([true, false])
    origin.open.open()
  })

  it("strategy 'all' waits for nothing", async () => {
    const { cache } = await rig('memory', { refresh: { strategy: 'all', concurrency: 1, queue: 0 } })
    const origin = held()
    for (let at = 0; at < 20; at += 1) expect(cache.refresh(`k${at}`, origin.fetcher)).toBe(true)
    await turns()
    expect([origin.most(), cache.stats().refreshes.running]).toEqual([20, 20])
    origin.open.open()
    await until(() => cache.stats().refreshes.done === 20, 'all are done')
  })

  it('one may take as long as refresh.timeout', async () => {
    const { cache, clock } = await rig('memory', { refresh: { timeout: '5s' } })
    const errors: unknown[] = []
    cache.on('refresh-error', ({ error }) => errors.push(error))
    let ended: unknown
    cache.refresh('k', ({ signal }) => {
      signal.addEventListener('abort', () => {
        ended = signal.reason
      })
      return new Promise(() => undefined)
    })
    await turns()
    clock.advance(4999)
    await turns()
    expect(ended).toBeUndefined()
    clock.advance(1)
    await until(() => errors.length === 1, 'it is told')
    expect(errors[0]).toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    expect(ended).toBe(errors[0])
  })

  it('closing ends those that run and drops those that wait', async () => {
    const { cache, clock } = await rig('memory', { refresh: { concurrency: 1 }, timeouts: { shutdown: 100 } })
    const never = () => new Promise<never>(() => undefined)
    cache.refresh('a', never)
    cache.refresh('b', noOrigin)
    await turns()
    const closed = cache.close()
    await turns()
    clock.advance(100)
    await closed
    await turns()
    expect(cache.stats().refreshes).toMatchObject({ running: 0, waiting: 0, dropped: 2 })
    expect(() => cache.refresh('c', noOrigin)).toThrow(expect.objectContaining({ code: 'ERR_DREY_CLOSED' }))
  })

  it.each([
    [undefined, {}],
    [() => undefined, { freshness: { ttl: 'soon' } }],
    [() => undefined, 7],
  ])('refuses %s with %j', async (fetcher, options) => {
    const { cache } = await rig('memory')
    expect(() => cache.refresh('k', fetcher as never, options as never)).toThrow(
      expect.objectContaining({ code: 'ERR_DREY_CONFIG' }),
    )
  })
})

describe('jitter', () => {
  it('shortens a lifetime by up to its part, each anew, and never what ends nowhere', async () => {
    const { cache, clock } = await rig('memory', { freshness: { ttl: 1000, negativeTtl: 100, jitter: 0.5 } })
    const now = clock.now()
    const until = async (key: string) => (await cache.stat(key))!.freshUntil - now
    const random = vi.spyOn(Math, 'random')
    try {
      for (const [value, ttl] of [
        [0, 1000],
        [0.5, 750],
        [1, 500],
      ] as const) {
        random.mockReturnValue(value)
        await cache.set('k', 'v')
        expect(await until('k')).toBe(ttl)
        await cache.fetch('f', () => ({ body: 'v', ttl: 2000 }), { freshness: { fresh: () => false } })
        expect(await until('f')).toBe(2 * ttl)
        await cache.delete('n')
        await cache.fetch('n', () => notFound())
        expect(await until('n')).toBe(ttl / 10)
        await cache.set('ever', 'v', { ttl: Number.POSITIVE_INFINITY })
        expect(await until('ever')).toBe(Number.POSITIVE_INFINITY)
      }
    } finally {
      random.mockRestore()
    }
  })

  it('does not shorten again the lifetime that an entry had, when it is confirmed', async () => {
    const { cache, clock } = await rig('memory', { freshness: { ttl: 1000, jitter: 1 } })
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
    try {
      await cache.set('k', 'v', { etag: 'e' })
      clock.advance(500)
      await cache.fetch('k', () => notModified())
      expect((await cache.stat('k'))!.freshUntil).toBe(clock.now() + 500)
    } finally {
      random.mockRestore()
    }
  })

  it('the bytes, the metadata of readers and what is stored say the same', async () => {
    const made = await rig('memory', { freshness: { ttl: 1000, jitter: 0.9 } })
    const origin = pour('iterable')
    const first = found(await made.cache.fetch('k', () => ({ body: origin.body })))
    const second = found(await made.cache.fetch('k', noOrigin))
    origin.push(patterned(10))
    origin.end()
    await settled(made)
    const stored = (await made.cache.stat('k'))!.freshUntil
    expect([first.meta.freshUntil, second.meta.freshUntil]).toEqual([stored, stored])
    first.close()
    second.close()
  })
})

describe('abandon', () => {
  const ways = [
    ['abort', 'abort', undefined],
    ['finish', 'finish', 100_000],
    ['enough is there', { finishIfPercent: 50 }, 100_000],
    ['too little is there', { finishIfPercent: 50.1 }, undefined],
    ['little is missing', { finishIfWithin: 50_000 }, 100_000],
    ['too much is missing', { finishIfWithin: 49_999 }, undefined],
    ['one of both', { finishIfWithin: 1, finishIfPercent: 10 }, 100_000],
  ] as const
  overStores((kind) => {
    it.each(ways)('%s', async (_, abandon, kept) => {
      const made = await rig(kind, { abandon })
      const origin = pour('iterable')
      let aborted = false
      const reader = found(
        await made.cache.fetch('k', ({ signal }) => {
          signal.addEventListener('abort', () => {
            aborted = true
          })
          return { body: origin.body, size: 100_000 }
        }),
      )
      origin.push(patterned(50_000))
      await turns()
      reader.close()
      await turns()
      expect(aborted).toBe(kept === undefined)
      if (kept !== undefined) {
        origin.push(patterned(100_000).subarray(50_000))
        origin.end()
      }
      await settled(made)
      const meta = await made.cache.stat('k')
      expect(meta?.size).toBe(kept)
      if (kept !== undefined) {
        expect(patterned(100_000).equals(await found(await made.cache.get('k')).bytes())).toBe(true)
      }
    })

    it('before the origin has answered, only finish goes on', async () => {
      for (const [abandon, goesOn] of [
        ['finish', true],
        ['abort', false],
        [{ finishIfPercent: 0 }, false],
      ] as const) {
        const made = await rig(kind, { abandon })
        const held = gate()
        const leaving = new AbortController()
        const answer = made.cache.fetch(
          'k',
          async () => {
            await held.opened
            return { body: 'v' }
          },
          { signal: leaving.signal },
        )
        await turns()
        leaving.abort()
        await expect(answer).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
        held.open()
        await settled(made)
        expect((await made.cache.stat('k')) !== undefined).toBe(goesOn)
      }
    })
  })

  it.each(['later', {}, { finishIfPercent: 101 }, { finishIfWithin: -1 }])('refuses %j', async (abandon) => {
    await expect(rig('memory', { abandon: abandon as never })).rejects.toMatchObject({
      code: 'ERR_DREY_CONFIG',
    })
  })
})
