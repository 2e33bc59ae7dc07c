import { describe, expect, it } from 'vitest'
import { createCacheWith } from '../../../lib/cache/create.js'
import { notModified } from '../../../lib/index.js'
import { aging } from '../../../lib/store/aging/aging.js'
import { jsStore } from '../../conformance/store-kit.js'
import { bufferPool } from '../../helpers/buffer-pool.js'
import { FakeClock } from '../../helpers/clock.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { found, noOrigin, rigOver, rigOverTiers, settled, upToDate } from '../../helpers/rig.js'

const MiB = 2 ** 20
const near = () => jsStore(MiB, 100_000)
const far = () => new DistantStore({ maxBytes: 32 * MiB, maxItemBytes: 4 * MiB })

describe('a tier with a ttl', () => {
  it('answers so long after an entry came there; then the tier below does, and it has it anew', async () => {
    const { cache, clock, below } = await rigOverTiers(aging(near(), 1000), far())
    await cache.set('k', 'value', { user: { a: 1 } })
    await upToDate({ cache })
    const lookups = () => below.calls.filter((call) => call === 'find').length
    expect(lookups()).toBe(0)
    clock.advance(999)
    expect(found(await cache.get('k')).tier).toBe('memory')
    clock.advance(1)
    expect(cache.getSync('k')).toBeUndefined()
    const answer = found(await cache.get('k'))
    expect(answer).toMatchObject({ tier: 'distant', outcome: 'hit', meta: { user: { a: 1 } } })
    expect(await answer.text()).toBe('value')
    expect(found(await cache.get('k')).tier).toBe('memory')
    expect(cache.getSync('k')?.meta.user).toEqual({ a: 1 })
  })

  it('asks the origin where no tier below has it, and answers its failure', async () => {
    const made = await rigOver(aging(near(), 1000))
    const { cache, clock } = made
    const freshness = { ttl: '1h', staleIfError: '1h' } as const
    await cache.set('k', 'old', { ...freshness, etag: '"1"' })
    clock.advance(1000)
    expect(await cache.get('k')).toBeUndefined()
    expect(await cache.has('k')).toBe(false)
    expect(await found(await cache.get('k', { allowStale: true })).text()).toBe('old')
    const fails = () => {
      throw new Error('gone')
    }
    expect(found(await cache.fetch('k', fails)).outcome).toBe('stale')
    const confirms = ({ etag }: { etag?: string | undefined }) => {
      expect(etag).toBe('"1"')
      return notModified()
    }
    expect(found(await cache.fetch('k', confirms)).outcome).toBe('revalidated')
    await settled(made)
    clock.advance(999)
    expect(found(await cache.fetch('k', noOrigin))).toMatchObject({
      outcome: 'hit',
      meta: { freshUntil: clock.now() - 999 + 3_600_000 },
    })
  })

  it('gives what is stale there while a new one is fetched, as long as that was allowed', async () => {
    const made = await rigOver(aging(near(), 1000))
    const { cache, clock } = made
    await cache.set('k', 'old', { ttl: '1h', staleWhileRevalidate: 500 })
    clock.advance(1499)
    expect(found(await cache.fetch('k', () => ({ body: 'new', ttl: '1h' }))).outcome).toBe('stale')
    await settled(made)
    expect(await found(await cache.fetch('k', noOrigin)).text()).toBe('new')
    await cache.set('k', 'old', { ttl: '1h', staleWhileRevalidate: 500 })
    clock.advance(1500)
    expect(found(await cache.fetch('k', () => ({ body: 'new' }))).outcome).toBe('miss')
  })

  it('below: what is put above is not fresher there than where it came from', async () => {
    const store = near()
    const clock = new FakeClock()
    const tiers = [store, aging(far(), 2000)]
    await using cache = await createCacheWith({ pressure: false, bufferPool, tiers }, { clock })
    await cache.set('k', 'value', { ttl: '1h' })
    await upToDate({ cache })
    await store.delete('k')
    clock.advance(1500)
    const answer = found(await cache.get('k'))
    expect(answer.tier).toBe('distant')
    await answer.text()
    expect(found(await cache.get('k'))).toMatchObject({ tier: 'memory', outcome: 'hit' })
    clock.advance(500)
    expect(await cache.get('k')).toBeUndefined()
  })

  it('does not say to tiers below when it answers, nor to users what it wrote into their metadata', async () => {
    const below = far()
    const { cache, clock } = await rigOverTiers(aging(near(), 1000), below)
    await cache.set('k', 'value', { ttl: '1h' })
    await upToDate({ cache })
    const entry = await below.find('k')
    expect(entry?.metadata).toMatchObject({ freshUntil: clock.now() + 3_600_000 })
    expect(entry?.metadata.tierFreshUntil).toBeUndefined()
    expect(entry?.metadata.user).toBeUndefined()
    entry?.release()
    expect(await cache.stat('k')).toMatchObject({ tierFreshUntil: clock.now() + 1000 })
    for await (const [key, meta] of cache.entries()) expect([key, meta.user]).toEqual(['k', undefined])
  })
})
