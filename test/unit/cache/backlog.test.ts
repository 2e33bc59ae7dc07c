import { describe, expect, it } from 'vitest'
import { Backlog } from '../../../lib/cache/backlog.js'
import { FIRST_MS, MOST_MS, MS_PER_BYTE, Patience } from '../../../lib/cache/patience.js'
import { createCache, type Found, memoryStore } from '../../../lib/index.js'
import { type Pour, patterned, pieces, pour } from '../../helpers/bodies.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { turns, until } from '../../helpers/gate.js'
import { distantRig, found, rigOverTiers, settled } from '../../helpers/rig.js'

const MiB = 2 ** 20
const PIECE = 100_000

/** Sends `count` pieces, and lets all go on that can. */
async function send(origin: Pour, from: number, count: number): Promise<void> {
  for (let i = from; i < from + count; i += 1) origin.push(patterned(PIECE, i))
  await turns(50)
}

describe('a body that comes faster than its tier takes it', () => {
  it('waits in memory up to maxBufferedBytes, and its readers wait for the tier while they have patience (I3)', async () => {
    const made = await distantRig({ maxBufferedBytes: '1MiB' })
    const held = made.store.hold('write')
    const origin = pour('iterable')
    const body = found(await made.cache.fetch('k', () => ({ body: origin.body })))
    let read = 0
    const reading = (async () => {
      for await (const piece of body) read += piece.length
    })()
    await send(origin, 0, 30)
    // Ten pieces fit into the window. From then on the time runs.
    expect([read, body.stored]).toEqual([1_000_000, undefined])
    const patience = FIRST_MS + 1_000_000 * MS_PER_BYTE
    made.clock.advance(Math.floor(patience))
    await turns(20)
    expect([read, body.stored]).toEqual([1_000_000, undefined])
    made.clock.advance(1)
    origin.end()
    await reading
    expect([read, body.stored]).toEqual([3_000_000, 'tier-down'])
    held.open()
    await settled(made)
    expect(await made.cache.stat('k')).toBeUndefined()
  })

  it('is kept when the tier goes on in time', async () => {
    const made = await distantRig({ maxBufferedBytes: '1MiB' })
    const origin = pour('iterable')
    const held = made.store.hold('write')
    const body = found(await made.cache.fetch('k', () => ({ body: origin.body })))
    const reading = body.bytes()
    await send(origin, 0, 30)
    made.clock.advance(FIRST_MS)
    held.open()
    origin.end()
    expect((await reading).length).toBe(3_000_000)
    await settled(made)
    expect(body.stored).toBe('distant')
  })

  it('has used up its patience however often the tier goes on a little', async () => {
    const made = await distantRig({ maxBufferedBytes: '1MiB' })
    const origin = pour('iterable')
    let held = made.store.hold('write')
    const body = found(await made.cache.fetch('k', () => ({ body: origin.body })))
    const reading = body.bytes()
    await send(origin, 0, 70)
    let waited = 0
    for (; body.stored === undefined && waited < 1000; waited += 20) {
      made.clock.advance(20)
      const next = made.store.hold('write')
      held.open()
      held = next
      await turns(20)
    }
    expect(body.stored).toBe('tier-down')
    // So much as all of it allows, and the wait in which it ended.
    expect(waited).toBeLessThanOrEqual(FIRST_MS + 7_000_000 * MS_PER_BYTE + 20)
    expect(waited).toBeGreaterThanOrEqual(FIRST_MS)
    held.open()
    origin.end()
    expect((await reading).length).toBe(7_000_000)
    await settled(made)
  })

  it('does not use up patience while its readers have enough to read', async () => {
    const made = await distantRig({ maxBufferedBytes: '1MiB' })
    const held = made.store.hold('write')
    const body = found(await made.cache.fetch('k', () => ({ body: pieces(patterned(3_000_000), PIECE) })))
    const stream = body.stream()
    await turns(50)
    made.clock.advance(20_000)
    held.open()
    let read = 0
    for await (const piece of stream) read += piece.length
    expect(read).toBe(3_000_000)
    await settled(made)
    expect(body.stored).toBe('distant')
  })

  it('goes on as before when the reader that waited leaves', async () => {
    const made = await distantRig({ maxBufferedBytes: '1MiB' })
    const held = made.store.hold('write')
    const origin = pour('iterable')
    const body = found(await made.cache.fetch('k', () => ({ body: origin.body })))
    const reading = body.bytes()
    const other = found(await made.cache.fetch('k', () => ({ body: 'anew' })))
    await send(origin, 0, 30)
    other.close()
    made.clock.advance(50)
    held.open()
    origin.end()
    expect((await reading).length).toBe(3_000_000)
    await settled(made)
    expect(body.stored).toBe('distant')
  })

  it('that outgrows memory is below in the end, though its readers take it at once', async () => {
    const below = new DistantStore({ maxBytes: 64 * MiB, maxItemBytes: 32 * MiB })
    const made = await rigOverTiers(memoryStore({ maxBytes: 8 * MiB, maxItemBytes: MiB }), below)
    for (const size of [undefined, 5 * MiB]) {
      const value = patterned(5 * MiB)
      const fetcher = () => ({ body: pieces(value, PIECE), ...(size === undefined ? {} : { size }) })
      const answers = await Promise.all([0, 1, 2].map(() => made.cache.fetch(`k${size}`, fetcher)))
      const bodies: Found[] = answers.map(found)
      for (const bytes of await Promise.all(bodies.map((body) => body.bytes()))) {
        expect(bytes.equals(value)).toBe(true)
      }
      await settled(made)
      expect(bodies.map(({ stored }) => stored)).toEqual(Array(3).fill('distant'))
    }
  })
})

describe('the memory that bodies have together', () => {
  it('is what each has for certain, and beyond that a common part', () => {
    const backlog = new Backlog(8 * MiB)
    const shares = Array.from({ length: 10 }, () => backlog.share())
    // 63 MiB are common: nine times seven.
    expect(shares.map((share) => share.hold(8 * MiB, true))).toEqual([...Array(9).fill(true), false])
    expect(backlog.common).toBe(63 * MiB)
    expect(shares[9]!.hold(MiB, false)).toBe(true)
    expect(shares[0]!.hold(8 * MiB + 1, true)).toBe(false)
    expect(shares[0]!.hold(4 * MiB, false)).toBe(true)
    expect(shares[9]!.hold(5 * MiB, true)).toBe(true)
    expect(shares[9]!.hold(5 * MiB + 1, true)).toBe(false)
    for (const share of shares) expect(share.hold(0, false)).toBe(true)
    expect(backlog.common).toBe(0)
  })

  it('shrinks to that while memory is short, and what a body has already it keeps', () => {
    const backlog = new Backlog(8 * MiB)
    const share = backlog.share()
    expect(share.hold(3 * MiB, true)).toBe(true)
    backlog.short = true
    expect([share.hold(3 * MiB, true), share.hold(3 * MiB + 1, true)]).toEqual([true, false])
    expect([share.hold(2 * MiB, true), share.hold(3 * MiB, true)]).toEqual([true, false])
  })

  it('is given back when bodies end, are left and fail', async () => {
    const made = await distantRig({}, { maxBytes: 64 * MiB, maxItemBytes: 32 * MiB })
    const held = made.store.hold('write')
    const origins = [0, 1, 2].map(() => pour('iterable'))
    const bodies = await Promise.all(
      origins.map(async (origin, i) => found(await made.cache.fetch(`k${i}`, () => ({ body: origin.body })))),
    )
    const readings = bodies.slice(0, 2).map((body) => body.bytes())
    for (const origin of origins) await send(origin, 0, 40)
    bodies[2]!.close()
    origins[1]!.fail(new Error('cut'))
    origins[0]!.end()
    await expect(readings[1]).rejects.toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
    held.open()
    expect((await readings[0]!).length).toBe(4_000_000)
    await until(() => made.cache.stats().filling === 0, 'all fills are done')
    // Without a pool there is nothing that could be out.
    expect(made.cache.stats().pool?.active.count ?? 0).toBe(0)
  })
})

describe('patience', () => {
  it('grows with the body up to a bound, and is never less than nothing', () => {
    const patience = new Patience()
    expect(patience.left).toBe(FIRST_MS)
    patience.earn(10 * MiB)
    expect(patience.left).toBe(FIRST_MS + 100)
    patience.earn(1024 * MiB)
    expect(patience.left).toBe(MOST_MS)
    patience.spend(MOST_MS + 1)
    expect(patience.left).toBe(0)
    patience.earn(MiB)
    expect(patience.left).toBe(10)
  })
})

describe('maxBufferedBytes', () => {
  it.each([0, 1000, -1, '1', 'much', Number.NaN, 2 ** 60, null])('cannot be %s', async (maxBufferedBytes) => {
    const options = { maxBufferedBytes, tiers: [memoryStore({ maxBytes: MiB })] }
    await expect(createCache(options as never)).rejects.toMatchObject({
      code: 'ERR_DREY_CONFIG',
      message: expect.stringContaining('maxBufferedBytes'),
    })
  })
})
