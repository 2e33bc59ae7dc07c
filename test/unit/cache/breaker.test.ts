import { describe, expect, it } from 'vitest'
import { type Cache, createCache, memoryStore } from '../../../lib/index.js'
import { patterned } from '../../helpers/bodies.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { turns, until } from '../../helpers/gate.js'
import { found, rigOverTiers, settled, upToDate } from '../../helpers/rig.js'

const MiB = 2 ** 20
const near = () => memoryStore({ maxBytes: MiB, maxItemBytes: 100_000 })
const far = () => new DistantStore({ maxBytes: 32 * MiB, maxItemBytes: 4 * MiB })
const BREAKER = { failures: 5, openFor: '1s', openForAtMost: '4s' }
const OPTIONS = { breaker: BREAKER, timeouts: { operation: '2s' } } as const

const disk = (cache: Cache) => cache.stats().tiers[1]!
const ask = async (cache: Cache, key: string) =>
  found(await cache.fetch(key, () => ({ body: `of ${key}`, store: false }))).text()

async function down() {
  const made = await rigOverTiers(near(), far(), OPTIONS)
  const told: string[] = []
  made.cache.on('tier-down', ({ tier }) => told.push(`down ${tier}`))
  made.cache.on('tier-up', ({ tier }) => told.push(`up ${tier}`))
  made.below.fail('find')
  for (let i = 0; i < 5; i += 1) expect(await ask(made.cache, `k${i}`)).toBe(`of k${i}`)
  return { ...made, told }
}

describe('a tier that fails', () => {
  it('is left alone after so many failures in a row, and each costs a hit, not an answer (I3)', async () => {
    const { cache, below, told } = await down()
    await turns()
    expect(told).toEqual(['down distant'])
    expect(disk(cache)).toMatchObject({ breaker: 'open', failures: 5, skipped: 0 })
    const calls = below.calls.length
    for (let i = 0; i < 3; i += 1) await ask(cache, `k${i}`)
    expect(below.calls.length).toBe(calls)
    expect(disk(cache)).toMatchObject({ failures: 5, skipped: 3 })
  })

  it('is not left alone when it succeeds in between', async () => {
    const made = await rigOverTiers(near(), far(), OPTIONS)
    for (let i = 0; i < 12; i += 1) {
      if (i % 5 === 4) made.below.mend('find')
      else made.below.fail('find')
      await ask(made.cache, `k${i}`)
    }
    expect(disk(made.cache)).toMatchObject({ breaker: 'closed', skipped: 0 })
  })

  it('is tried by one call, for which nobody waits, when it is time; and is used again when that succeeds', async () => {
    const { cache, clock, below, told } = await down()
    clock.advance(999)
    await ask(cache, 'a')
    await turns()
    expect(disk(cache).breaker).toBe('open')
    clock.advance(1)
    below.mend('find')
    const held = below.hold('find')
    expect(await Promise.all(['a', 'b', 'c'].map((key) => ask(cache, key)))).toEqual(['of a', 'of b', 'of c'])
    expect(disk(cache).breaker).toBe('half-open')
    expect(below.calls.filter((call) => call === 'find').length).toBe(6)
    held.open()
    await until(() => disk(cache).breaker === 'closed', 'the breaker closes')
    await turns()
    expect(told).toEqual(['down distant', 'up distant'])
  })

  it('is left alone for twice as long each time that it still fails, up to a bound', async () => {
    const { cache, clock, below, told } = await down()
    for (const wait of [1000, 2000, 4000, 4000]) {
      const calls = below.calls.length
      clock.advance(wait - 1)
      await ask(cache, 'a')
      await turns()
      expect(below.calls.length).toBe(calls)
      clock.advance(1)
      await ask(cache, 'a')
      await turns()
      expect([below.calls.length, disk(cache).breaker]).toEqual([calls + 1, 'open'])
    }
    expect(told).toEqual(['down distant'])
  })
})

describe('what a tier that is left alone is not told', () => {
  it('a value that only it can hold is not kept, and the answer says why', async () => {
    const { cache } = await down()
    const answer = found(await cache.fetch('large', () => ({ body: patterned(200_000) })))
    expect((await answer.bytes()).length).toBe(200_000)
    await until(() => answer.stored !== undefined, 'it is settled')
    expect(answer.stored).toBe('tier-down')
    expect(cache.stats().notStored).toMatchObject({ 'tier-down': 1 })
    await expect(cache.set('large', patterned(200_000))).rejects.toMatchObject({
      code: 'ERR_DREY_BREAKER_OPEN',
    })
  })

  it('what was deleted and replaced meanwhile is not found there afterwards (I5)', async () => {
    const made = await rigOverTiers(near(), far(), OPTIONS)
    const { cache, clock, below } = made
    await cache.set('deleted', 'old')
    await cache.set('replaced', 'old')
    await upToDate(made)
    below.fail('find')
    for (let i = 0; i < 5; i += 1) await ask(cache, `k${i}`)
    await expect(cache.delete('deleted')).rejects.toMatchObject({ code: 'ERR_DREY_BREAKER_OPEN' })
    await cache.set('replaced', 'new')
    expect(await cache.get('deleted')).toBeUndefined()
    expect(disk(cache)).toMatchObject({ pending: 2, dropped: 1 })
    below.heal()
    clock.advance(1000)
    await ask(cache, 'a')
    await upToDate(made)
    // Memory forgets: what is below is seen.
    for (let i = 0; i < 40; i += 1) await cache.set(`x${i}`, patterned(90_000))
    expect(await cache.get('deleted')).toBeUndefined()
    const replaced = await cache.get('replaced')
    if (replaced !== undefined) expect(await found(replaced).text()).toBe('new')
    await upToDate(made)
  })

  it('a clear meanwhile keeps it unread until it is empty (I5)', async () => {
    const made = await rigOverTiers(near(), far(), OPTIONS)
    const { cache, clock, below } = made
    await cache.set('k', patterned(200_000))
    below.fail('find')
    for (let i = 0; i < 5; i += 1) await ask(cache, `k${i}`)
    await expect(cache.clear()).rejects.toMatchObject({ code: 'ERR_DREY_BREAKER_OPEN' })
    below.heal()
    clock.advance(1000)
    expect(await cache.get('k')).toBeUndefined()
    await until(() => below.stats().entries === 0, 'it is empty')
    await cache.set('k', patterned(150_000))
    expect((await found(await cache.get('k')).bytes()).length).toBe(150_000)
  })
})

describe('a tier that hangs', () => {
  it('keeps nobody waiting for longer than timeouts.operation, and nobody at all once it is left alone (I3)', async () => {
    const made = await rigOverTiers(near(), far(), OPTIONS)
    const { cache, clock, below } = made
    await cache.set('kept', patterned(200_000))
    const frozen = below.hold('find')
    const COUNT = 10_000
    const answered = { now: 0 }
    const asked = Array.from({ length: COUNT }, async (_, i) => {
      const text = await ask(cache, `k${i % 500}-${i}`)
      answered.now += 1
      return text
    })
    await turns(3)
    expect(answered.now).toBe(0)
    clock.advance(2000)
    const texts = await Promise.all(asked)
    expect(texts.every((text, i) => text === `of k${i % 500}-${i}`)).toBe(true)
    expect(disk(cache)).toMatchObject({ breaker: 'open', failures: 5 })
    // From now on nobody waits.
    expect(await ask(cache, 'more')).toBe('of more')
    // A trial while it is frozen fails in its time.
    clock.advance(1000)
    await ask(cache, 'more')
    expect(disk(cache).breaker).toBe('half-open')
    clock.advance(2000)
    await until(() => disk(cache).breaker === 'open', 'the trial failed')
    frozen.open()
    below.heal()
    clock.advance(4000)
    await ask(cache, 'more')
    await until(() => disk(cache).breaker === 'closed', 'the breaker closes')
    expect((await found(await cache.get('kept')).bytes()).length).toBe(200_000)
    // What came too late was given back.
    await until(() => below.openEntries === 0, 'nothing is open')
  })

  it('is told of a delete by who waits no longer than timeouts.operation, and does it later', async () => {
    const made = await rigOverTiers(near(), far(), OPTIONS)
    const { cache, clock, below } = made
    await cache.set('k', patterned(200_000))
    const held = below.hold('delete')
    const deleted = expect(cache.delete('k')).rejects.toMatchObject({
      code: 'ERR_DREY_TIMEOUT',
      message: expect.stringContaining('timeouts.operation'),
    })
    await turns()
    clock.advance(2000)
    await deleted
    expect(await cache.get('k')).toBeUndefined()
    held.open()
    await upToDate(made)
    expect([below.stats().entries, await cache.get('k')]).toEqual([0, undefined])
  })

  it('that commits after its time has the value no longer', async () => {
    const made = await rigOverTiers(near(), far(), OPTIONS)
    const { cache, clock, below } = made
    const held = below.hold('commit')
    const set = expect(cache.set('k', patterned(200_000))).rejects.toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    await until(() => below.calls.includes('commit'), 'it is being committed')
    clock.advance(2000)
    await set
    held.open()
    await upToDate(made)
    expect([below.stats().entries, await cache.get('k')]).toEqual([0, undefined])
    await settled(made)
  })

  it('keeps `set` waiting no longer than that where it writes through', async () => {
    const made = await rigOverTiers(near(), far(), { ...OPTIONS, writePolicy: 'through' })
    const { cache, clock, below } = made
    const held = below.hold('commit')
    const set = cache.set('k', 'value')
    await until(() => below.calls.includes('commit'), 'it is being committed')
    clock.advance(2000)
    expect((await set).size).toBe(5)
    held.open()
    await upToDate(made)
  })
})

it.each([
  { failures: 0 },
  { failures: 1.5 },
  { openFor: 0 },
  { openFor: 'soon' },
  { openFor: '10s', openForAtMost: '9s' },
  { other: 1 },
  true,
])('breaker cannot be %o', async (breaker) => {
  const options = { breaker, tiers: [near(), far()] }
  await expect(createCache(options as never)).rejects.toMatchObject({
    code: 'ERR_DREY_CONFIG',
    message: expect.stringContaining('breaker'),
  })
})
