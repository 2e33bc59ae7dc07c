import { describe, expect, test } from 'vitest'
import { compressed, notFound, nullStore } from '../../../lib/index.js'
import { runSuite, storeSuite } from '../../../lib/testing/index.js'
import { pieces } from '../../helpers/bodies.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { gate, turns } from '../../helpers/gate.js'
import { found, noOrigin, rigOver, rigOverTiers, settled } from '../../helpers/rig.js'

describe('nullStore keeps the contract of a store that keeps nothing', () => {
  runSuite(storeSuite(nullStore, { keeps: 'nothing' }), test)
})

describe('nullStore, compressed,', () => {
  runSuite(
    storeSuite(() => compressed(nullStore(), 'lz4'), { keeps: 'nothing' }),
    test,
  )
})

describe('a cache over nullStore', () => {
  test('asks the origin each time, and says why nothing is kept', async () => {
    const rig = await rigOver(nullStore())
    let calls = 0
    for (let at = 0; at < 3; at += 1) {
      const answer = found(await rig.cache.fetch('k', () => ({ body: `call ${++calls}`, size: 6 })))
      expect(answer.outcome).toBe('miss')
      expect(await answer.text()).toBe(`call ${at + 1}`)
      await settled(rig)
      expect(answer.stored).toBe('no-room')
    }
    expect(rig.cache.stats()).toMatchObject({ fills: 3, hits: 0, notStored: { 'no-room': 3 } })
    expect(rig.cache.stats().tiers[0]).toMatchObject({ name: 'null', entries: 0, bytes: 0, refusals: 3 })
  })

  test.each([10, 200_000, 20 * 2 ** 20])('asks it once for all who wait, for %i bytes', async (size) => {
    const { cache } = await rigOver(nullStore())
    const answered = gate()
    let calls = 0
    const fetcher = async () => {
      calls += 1
      await answered.opened
      return { body: pieces(Buffer.alloc(size, 'x'), 64 * 1024), size }
    }
    const waiting = Array.from({ length: 20 }, () => cache.fetch('k', fetcher))
    await turns()
    answered.open()
    const lengths = await Promise.all(
      waiting.map(async (answer) => {
        let length = 0
        for await (const piece of found(await answer)) length += piece.length
        return length
      }),
    )
    expect(lengths).toEqual(Array(20).fill(size))
    expect(calls).toBe(1)
  })

  test('takes what is set, and has it no more', async () => {
    const { cache } = await rigOver(nullStore())
    const stream = cache.writer('streamed', { etag: '"s"' })
    stream.write('some')
    await new Promise<void>((resolve, reject) => {
      stream.on('error', reject)
      stream.end('more', () => resolve())
    })
    expect(await cache.set('k', 'value', { etag: '"1"' })).toMatchObject({ size: 5, etag: '"1"' })
    expect(await cache.set('k', pieces(Buffer.alloc(200_000), 5000))).toMatchObject({ size: 200_000 })
    await cache.setMany([{ key: 'a', body: 'a' }])
    for (const key of ['k', 'streamed', 'a']) expect(await cache.get(key)).toBeUndefined()
    expect(cache.getSync('k')).toBeUndefined()
    expect(await cache.has('k')).toBe(false)
    expect(await cache.stat('k')).toBeUndefined()
    expect(await cache.getMany(['k', 'a'])).toEqual([undefined, undefined])
    expect(await cache.delete('k')).toBe(false)
    for await (const [key] of cache.entries()) expect.unreachable(`there is ${key}`)
    await cache.clear()
    await cache.invalidateTags(['t'])
  })

  test('still refuses what is wrong', async () => {
    const { cache } = await rigOver(nullStore())
    await expect(cache.set('k', 'value', { size: 4 })).rejects.toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
    await expect(cache.set('', 'value')).rejects.toMatchObject({ code: 'ERR_DREY_KEY' })
    await expect(cache.set('k', 'value', { etag: 'a\nb' })).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
    const breaks = async function* () {
      yield 'half'
      throw new Error('broke off')
    }
    await expect(cache.set('k', breaks())).rejects.toThrow('broke off')
  })

  test('passes on "not found", errors and JSON', async () => {
    const { cache } = await rigOver(nullStore())
    expect(await cache.fetch('k', () => notFound())).toMatchObject({ status: 'not-found' })
    await expect(
      cache.fetch('k', () => {
        throw new Error('no')
      }),
    ).rejects.toMatchObject({ code: 'ERR_DREY_ORIGIN' })
    expect(await cache.fetchJson('k', () => ({ a: 1 }))).toEqual({ a: 1 })
  })

  test('a set of it ends a fill that began before for those who ask after it (I5)', async () => {
    const { cache } = await rigOver(nullStore())
    const answered = gate()
    const old = cache.fetch('k', async () => {
      await answered.opened
      return { body: 'old' }
    })
    await turns()
    await cache.set('k', 'new')
    const asked = cache.fetch('k', () => ({ body: 'newer' }))
    answered.open()
    expect(await found(await asked).text()).toBe('newer')
    expect(await found(await old).text()).toBe('old')
  })

  test('beside another tier it is as if it were not there', async () => {
    const below = new DistantStore()
    const rig = await rigOverTiers(nullStore(), below)
    expect(found(await rig.cache.fetch('k', () => ({ body: 'value' }))).outcome).toBe('miss')
    await settled(rig)
    await rig.cache.set('set', 'value')
    for (const key of ['k', 'set']) {
      expect(await found(await rig.cache.fetch(key, noOrigin)).text()).toBe('value')
    }
    expect(rig.cache.stats().tiers.map(({ name }) => name)).toEqual(['distant'])
  })
})
