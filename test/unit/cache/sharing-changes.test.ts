import { expect, it } from 'vitest'
import { type Cache, notFound, notModified } from '../../../lib/index.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { gate, turns } from '../../helpers/gate.js'
import { found, noOrigin, settled, sharedRigs } from '../../helpers/rig.js'

/** I5 over threads that share their tier: whichever cache a change is made by, it wins over what is older in all. */

const CHANGES = {
  delete: async (cache: Cache) => void (await cache.delete('k')),
  clear: (cache: Cache) => cache.clear(),
  set: async (cache: Cache) => void (await cache.set('k', 'newer')),
  writer: (cache: Cache) => new Promise<void>((resolve) => cache.writer('k').end('newer', () => resolve())),
} as const

const WAYS = ['delete', 'clear', 'set', 'writer'] as const
const leftBy = (way: (typeof WAYS)[number]): string | undefined =>
  way === 'set' || way === 'writer' ? 'newer' : undefined

it.each(WAYS)('a %s elsewhere wins over a fill, whose readers get the whole of it', async (way) => {
  const { rigs } = await sharedRigs(3)
  const [one, two, three] = rigs as [(typeof rigs)[0], (typeof rigs)[0], (typeof rigs)[0]]
  const origin = pour('web')
  const readings = [found(await one.cache.fetch('k', () => ({ body: origin.body }))).bytes()]
  origin.push(Buffer.from('older '))
  const followed = found(await two.cache.fetch('k', noOrigin))
  readings.push(followed.bytes())
  await CHANGES[way](three.cache)
  // Who asks after the change is not answered from before it, by the cache that leads, nor by one that follows.
  const asked: string[] = []
  for (const [i, { cache }] of rigs.entries()) {
    asked.push(await found(await cache.fetch('k', () => ({ body: 'newer' }))).text())
    if (i < 2 && way === 'delete') await three.cache.delete('k')
  }
  expect(asked).toEqual(['newer', 'newer', 'newer'])
  origin.push(Buffer.from('value'))
  origin.end()
  for (const reading of readings) expect((await reading).toString()).toBe('older value')
  await settled(one)
  await turns()
  expect(followed.stored).toBe('fenced')
  expect(one.cache.stats().notStored).toMatchObject({ fenced: 1 })
  expect(await found(await two.cache.get('k')).text()).toBe('newer')
})

it.each(WAYS)('a %s elsewhere wins over an answer that is not there yet', async (way) => {
  for (const answer of [
    { body: 'older' },
    { body: 'older', store: false },
    notFound(),
    notModified({ ttl: '1d' }),
  ]) {
    const { rigs } = await sharedRigs(2)
    const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
    await one.cache.set('k', 'oldest', { ttl: 0, etag: '"1"' })
    const held = gate()
    const wait = one.cache.fetch('k', async () => {
      await held.opened
      return answer
    })
    await turns()
    await CHANGES[way](two.cache)
    held.open()
    await wait
    await settled(one)
    const left = await one.cache.get('k', { allowStale: true })
    expect(left && (await found(left).text())).toBe(leftBy(way))
  }
})

it('a fill for one alone is fenced, too', async () => {
  const { rigs } = await sharedRigs(2, {}, { maxBytes: 2 ** 20, maxItemBytes: 2 ** 19 })
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const [first, second] = [gate(), gate()]
  const leading = one.cache.fetch('k', async () => {
    await first.opened
    return { body: 'for one', store: false }
  })
  await turns()
  const waiting = two.cache.fetch('k', async () => {
    await second.opened
    return { body: 'older' }
  })
  first.open()
  await leading
  await turns()
  await one.cache.set('k', 'newer')
  second.open()
  expect(await found(await waiting).text()).toBe('older')
  await settled(two)
  expect(two.cache.stats().notStored).toEqual({ fenced: 1 })
  expect(await found(await two.cache.get('k')).text()).toBe('newer')
})

it('a write that a delete elsewhere overtook counts as written and removed again', async () => {
  const { rigs } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const origin = pour('iterable')
  const set = one.cache.set('k', origin.body)
  origin.push(patterned(100_000))
  await turns()
  await two.cache.delete('k')
  origin.end()
  expect((await set).size).toBe(100_000)
  expect(await one.cache.stat('k')).toBeUndefined()
})

it('looks again when another cache was faster, and asks alone when that never ends', async () => {
  const { rigs } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  for (const [overlooks, left] of [
    [3, 0],
    [100, 91],
  ] as const) {
    one.store.overlooks = overlooks
    let calls = 0
    const held = gate()
    const waiting = one.cache.fetch(`k${overlooks}`, async () => {
      calls += 1
      await held.opened
      return { body: 'mine' }
    })
    await turns()
    expect([calls, one.store.overlooks]).toEqual([1, left])
    held.open()
    expect(await found(await waiting).text()).toBe('mine')
    await settled(one)
    expect(await found(await two.cache.get(`k${overlooks}`)).text()).toBe('mine')
  }
})

it('follows who renews what both have found stale, and does not what others renewed meanwhile', async () => {
  const { rigs, clock } = await sharedRigs(2, { freshness: { ttl: 10 } })
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  await one.cache.set('k', 'old', { etag: '"1"' })
  clock.advance(10)
  const held = gate()
  const waits = rigs.map(({ cache }) =>
    cache.fetch('k', async ({ etag }) => {
      await held.opened
      return { body: `newer than ${etag}` }
    }),
  )
  await turns()
  held.open()
  const texts = await Promise.all((await Promise.all(waits)).map((answer) => found(answer).text()))
  expect(texts).toEqual(Array(2).fill('newer than "1"'))
  expect([one.cache.stats().fills, two.cache.stats().fills]).toEqual([1, 0])
})
