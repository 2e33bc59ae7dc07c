import { describe, expect, it } from 'vitest'
import { UsualTime } from '../../../lib/cache/usual-time.js'
import { type Cache, memoryStore } from '../../../lib/index.js'
import { metadataFor, mustPut } from '../../conformance/store-kit.js'
import { patterned } from '../../helpers/bodies.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { turns, until } from '../../helpers/gate.js'
import { distantRig, found, rig, rigOverTiers, type StoreKind } from '../../helpers/rig.js'

/* A slow tier must not make an answer slower than its origin would have been (I3). */

const MiB = 2 ** 20
const never = () => Promise.reject(new Error('the origin was asked'))
const text = async (cache: Cache, key: string, body = `of ${key}`) =>
  found(await cache.fetch(key, () => ({ body }))).text()

async function overTiers(timeouts = {}) {
  const made = await rigOverTiers(memoryStore({ maxBytes: MiB }), new DistantStore(), { timeouts })
  /** Has the origin answer so many times, after `ms` each. */
  const learn = async (ms: number, times: number): Promise<void> => {
    for (let i = 0; i < times; i += 1) {
      const answer = made.cache.fetch(`learned ${ms} ${i}`, async () => {
        await new Promise<void>((resolve) => made.clock.after(ms, resolve))
        return { body: 'x', store: false }
      })
      await turns()
      made.clock.advance(ms)
      await found(await answer).text()
    }
  }
  return { ...made, learn }
}

describe('a lookup that takes long (I3)', () => {
  it('is not waited for longer than 100 ms while nobody knows the origin', async () => {
    const { cache, clock, below } = await overTiers()
    const held = below.hold('find')
    const answer = text(cache, 'k')
    let done = false
    void answer.then(() => {
      done = true
    })
    await turns()
    clock.advance(100)
    await turns()
    expect([done, cache.stats().lateLookups]).toEqual([false, 0])
    clock.advance(1)
    expect(await answer).toBe('of k')
    expect(cache.stats()).toMatchObject({ lateLookups: 1, misses: 1, fills: 1 })
    held.open()
  })

  it.each([
    [40, 30],
    [2, 20],
    [700, 525],
  ])('is waited for almost as long as the origin takes: %i ms gives it %i', async (takes, limit) => {
    const { cache, clock, below, learn } = await overTiers()
    await learn(takes, 3)
    const held = below.hold('find')
    const answer = text(cache, 'k')
    await turns()
    clock.advance(limit)
    await turns()
    expect(cache.stats()).toMatchObject({ lateLookups: 0, filling: 0 })
    clock.advance(1)
    expect(await answer).toBe('of k')
    expect(cache.stats().lateLookups).toBe(1)
    held.open()
  })

  it('is not late when the event loop was', async () => {
    const { cache, clock, below } = await overTiers()
    await mustPut(below, 'k', patterned(10))
    const held = below.hold('find')
    const answer = cache.fetch('k', never)
    await turns()
    // The loop sees first that it is time, then that the store has answered.
    clock.advance(100)
    held.open()
    await turns()
    expect(found(await answer).outcome).toBe('hit')
    expect(cache.stats().lateLookups).toBe(0)
    // That of the history.
    expect(clock.pending).toBe(1)
  })

  it('gives back what it finds after all', async () => {
    const { cache, clock, below } = await overTiers()
    await mustPut(below, 'k', patterned(200_000))
    const held = below.hold('find')
    const answer = text(cache, 'k', 'new')
    await turns()
    clock.advance(101)
    expect(await answer).toBe('new')
    held.open()
    await until(() => below.openEntries === 0 && below.calls.includes('find'), 'what was found is released')
    expect(await text(cache, 'k')).toBe('new')
  })

  const down = () => Promise.reject(new Error('the origin is down'))

  it.each([
    ['fresh', 'hit', Number.POSITIVE_INFINITY],
    ['stale, and may answer errors', 'stale', 1_600_000_000_000],
  ])('answers after all when the origin fails: %s', async (_, outcome, freshUntil) => {
    const { cache, clock, below } = await overTiers()
    const times = { freshUntil, staleUntil: freshUntil, staleIfErrorUntil: Number.POSITIVE_INFINITY }
    await mustPut(below, 'k', Buffer.from('of old'), { metadata: metadataFor(6, times) })
    const held = below.hold('find')
    const answers = [cache.fetch('k', down), cache.fetch('k', down)]
    await turns()
    clock.advance(101)
    await turns()
    held.open()
    for (const answer of await Promise.all(answers)) {
      expect(found(answer).outcome).toBe(outcome)
      expect(await found(answer).text()).toBe('of old')
    }
  })

  it('does not answer when its key was changed meanwhile (I5), or it finds nothing', async () => {
    const { cache, clock, below } = await overTiers()
    await mustPut(below, 'k', patterned(10))
    const held = below.hold('find')
    const answers = ['k', 'nothing'].map((key) => cache.fetch(key, down).catch((error) => error.code))
    await turns()
    clock.advance(101)
    const deleted = cache.delete('k')
    await turns()
    held.open()
    expect(await Promise.all(answers)).toEqual(['ERR_DREY_ORIGIN', 'ERR_DREY_ORIGIN'])
    await deleted
  })

  it('is one origin call, however many wait (I6)', async () => {
    const { cache, clock, below } = await overTiers()
    const held = below.hold('find')
    const all = Array.from({ length: 50 }, () => text(cache, 'k'))
    await turns()
    clock.advance(101)
    expect(new Set(await Promise.all(all))).toEqual(new Set(['of k']))
    expect(cache.stats().fills).toBe(1)
    held.open()
  })

  it('leaves nothing when it fails after it was late', async () => {
    const { cache, clock, below } = await overTiers()
    const held = below.hold('find')
    below.fail('find')
    const answer = text(cache, 'k')
    await turns()
    clock.advance(101)
    expect(await answer).toBe('of k')
    held.open()
    await turns()
    expect(cache.stats().tiers[1]).toMatchObject({ failures: 1 })
  })

  it('is waited for as long as `timeouts.lookup` says', async () => {
    const { cache, clock, below } = await overTiers({ lookup: '1s' })
    await mustPut(below, 'k', patterned(10))
    const held = below.hold('find')
    const answer = cache.fetch('k', never)
    await turns()
    clock.advance(1000)
    held.open()
    expect(found(await answer).outcome).toBe('hit')
  })
})

describe('what the origin usually takes', () => {
  it('is the middle of its last 64 answers', () => {
    const usual = new UsualTime()
    expect(usual.middle).toBeUndefined()
    usual.took(5)
    expect(usual.middle).toBe(5)
    usual.took(1)
    usual.took(9)
    expect(usual.middle).toBe(5)
    for (let i = 0; i < 64; i += 1) usual.took(100 + i)
    // Found anew at every eighth: three of the first are gone by then, and the rest but three are there.
    expect(usual.middle).toBe(129)
    for (let i = 0; i < 200; i += 1) usual.took(3)
    expect(usual.middle).toBe(3)
  })
})

describe('a store that is the only tier', () => {
  const OPTIONS = { breaker: { failures: 3, openFor: '1s' }, timeouts: { operation: '2s' } } as const

  it('is left alone when it hangs, and used again when it answers', async () => {
    const { cache, clock, store } = await distantRig(OPTIONS)
    const told: string[] = []
    cache.on('tier-down', ({ tier }) => told.push(`down ${tier}`))
    cache.on('tier-up', ({ tier }) => told.push(`up ${tier}`))
    await cache.set('k', patterned(10))
    const held = store.hold('find')
    const gets = ['a', 'b', 'c'].map((key) => cache.get(key))
    await turns()
    clock.advance(2000)
    expect(await Promise.all(gets)).toEqual([undefined, undefined, undefined])
    expect(told).toEqual(['down distant'])
    expect(cache.stats().tiers[0]).toMatchObject({ breaker: 'open', failures: 3, skipped: 0 })
    const calls = store.calls.length
    expect(await text(cache, 'new')).toBe('of new')
    expect(store.calls.length).toBe(calls)
    expect(cache.stats().notStored).toEqual({ 'tier-down': 1 })
    // What says what came of it is asked for as ever.
    await cache.set('written', patterned(20))
    held.open()
    clock.advance(1000)
    expect(await text(cache, 'other')).toBe('of other')
    await until(() => cache.stats().tiers[0]!.breaker === 'closed', 'the breaker closes')
    expect(told).toEqual(['down distant', 'up distant'])
    expect(found(await cache.fetch('written', never)).outcome).toBe('hit')
    expect(found(await cache.fetch('k', never)).outcome).toBe('hit')
  })

  it('counts what fails in a row only', async () => {
    const { cache, store } = await distantRig(OPTIONS)
    for (let i = 0; i < 9; i += 1) {
      if (i % 3 === 2) store.mend('find')
      else store.fail('find')
      expect(await text(cache, `k${i}`)).toBe(`of k${i}`)
    }
    expect(cache.stats().tiers[0]).toMatchObject({ breaker: 'closed', failures: 6, skipped: 0 })
  })
})

describe('10,000 requests at once for 100 cold keys (I6)', () => {
  it.each<StoreKind>(['memory', 'distant', 'tiers', 'shared'])('are 100 origin calls: %s', async (kind) => {
    const { cache } = await rig(kind)
    let calls = 0
    const bodies = await Promise.all(
      Array.from({ length: 10_000 }, async (_, i) => {
        const key = `k${(i * 37) % 100}`
        const answer = await cache.fetch(key, async () => {
          calls += 1
          await turns(2)
          return { body: `of ${key}` }
        })
        return (await found(answer).text()) === `of ${key}`
      }),
    )
    expect([calls, bodies.every(Boolean)]).toEqual([100, true])
  })
})
