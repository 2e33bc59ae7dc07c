import { expect, it } from 'vitest'
import { IdleWatch } from '../../../lib/cache/idle.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { FakeClock } from '../../helpers/clock.js'
import { turns } from '../../helpers/gate.js'
import { read } from '../../helpers/reading.js'
import { found, overStores, rig, settled, upToDate } from '../../helpers/rig.js'

const PERIOD = 30_000

it('finds what lies unread after one to one and a quarter of the period, wherever in it the reading was', () => {
  for (let offset = 0; offset < PERIOD; offset += 1_111) {
    const clock = new FakeClock()
    const watch = new IdleWatch(clock, PERIOD)
    let foundAt: number | undefined
    // Another body keeps the sweeps going, so that they fall anywhere between the readings of this one.
    const other = { lastRead: 0, onIdle: () => watch.add(other) }
    watch.add(other)
    clock.advance(offset)
    const body = {
      lastRead: 0,
      onIdle: () => {
        foundAt = clock.now()
      },
    }
    watch.add(body)
    clock.advance(offset)
    watch.touch(body)
    const read = clock.now()
    clock.advance(2 * PERIOD)
    expect(foundAt! - read).toBeGreaterThanOrEqual(PERIOD)
    expect(foundAt! - read).toBeLessThanOrEqual(1.25 * PERIOD)
    watch.remove(other)
    expect(clock.pending).toBe(0)
  }
})

overStores((kind) => {
  it('closes a large body that lies unread, and says so once', async () => {
    const { cache, clock } = await rig(kind, { timeouts: { idle: '30s' }, metrics: false })
    const leaks: Array<string | undefined> = []
    cache.on('leak', ({ key }) => leaks.push(key))
    await cache.set('k', patterned(100_000))
    const body = found(await cache.get('k'))
    clock.advance(29_999)
    await turns()
    expect([leaks, cache.stats().openBodies]).toEqual([[], 1])
    clock.advance(8_000)
    await turns()
    expect([leaks, cache.stats().openBodies, cache.stats().leaks]).toEqual([['k'], 0, 1])
    expect((await read(body, 'bytes')).error).toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    expect(clock.pending).toBe(0)
  })

  it('closes a stream that nobody reads or listens to, without ending the process', async () => {
    const { cache, clock } = await rig(kind)
    await cache.set('k', patterned(500_000))
    const stream = found(await cache.get('k')).stream()
    clock.advance(60_000)
    await turns()
    expect(stream.errored).toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    expect(cache.stats().openBodies).toBe(0)
  })

  it('leaves a body alone that is read now and then', async () => {
    const { cache, clock } = await rig(kind)
    const value = patterned(500_000)
    await cache.set('k', value)
    const taken: Buffer[] = []
    for await (const piece of found(await cache.get('k'))) {
      taken.push(piece)
      clock.advance(29_000)
    }
    expect(value.equals(Buffer.concat(taken))).toBe(true)
    expect(cache.stats().leaks).toBe(0)
  })

  it('does not take waiting for the origin for neglect', async () => {
    const { cache, clock } = await rig(kind, { timeouts: { fill: '1h' } })
    const origin = pour('iterable')
    const reading = found(await cache.fetch('k', () => ({ body: origin.body }))).bytes()
    origin.push(Buffer.from('slow '))
    await turns()
    clock.advance(600_000)
    origin.push(Buffer.from('but sure'))
    origin.end()
    expect((await reading).toString()).toBe('slow but sure')
    expect(cache.stats().leaks).toBe(0)
  })

  it('takes a small body that has arrived by then in hand, instead of calling it a leak', async () => {
    const made = await rig(kind)
    const value = patterned(60_000)
    const origin = pour('web')
    const body = found(await made.cache.fetch('k', () => ({ body: origin.body })))
    origin.push(value)
    origin.end()
    await settled(made)
    await upToDate(made)
    expect(made.cache.stats().openBodies).toBe(1)
    made.clock.advance(40_000)
    expect(made.cache.stats()).toMatchObject({ openBodies: 0, leaks: 0 })
    expect(made.cache.stats().tiers[0]!.pinnedBytes).toBe(0)
    made.clock.advance(40_000)
    await made.cache.clear()
    expect(value.equals(await body.bytes())).toBe(true)
  })

  it('is not misled by a clock that is set', async () => {
    const { cache, clock } = await rig(kind)
    await cache.set('k', patterned(100_000))
    const body = found(await cache.get('k', { allowStale: true }))
    clock.jump(3_600_000)
    clock.advance(29_000)
    expect(cache.stats().openBodies).toBe(1)
    clock.jump(-7_200_000)
    clock.advance(9_000)
    expect(cache.stats().openBodies).toBe(0)
    body.close()
  })
})
