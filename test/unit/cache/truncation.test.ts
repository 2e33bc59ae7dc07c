import { describe, expect, it } from 'vitest'
import { type Pour, patterned, pour } from '../../helpers/bodies.js'
import { turns, until } from '../../helpers/gate.js'
import { type Reading, read, SHAPES } from '../../helpers/reading.js'
import { found, overStores, type Rig, rig, settled } from '../../helpers/rig.js'

/*
 * I1: an origin that is cut anywhere never gives a clean end, to any reader, in any shape, and nothing is kept.
 */

const SIZE = 200_000
const value = patterned(SIZE)

/** How a body can be less, or more, than a whole value. */
interface Cut {
  readonly name: string
  readonly kind: 'node' | 'web' | 'iterable'
  readonly declared?: number
  breakOff(origin: Pour): void
}

const CUTS: readonly Cut[] = [
  { name: 'a Node stream fails', kind: 'node', breakOff: (origin) => origin.fail(new Error('reset')) },
  { name: 'a Node stream is destroyed', kind: 'node', breakOff: (origin) => origin.fail() },
  { name: 'a web stream fails', kind: 'web', breakOff: (origin) => origin.fail(new Error('reset')) },
  { name: 'an iterable throws', kind: 'iterable', breakOff: (origin) => origin.fail(new Error('reset')) },
  { name: 'a Node stream ends early', kind: 'node', declared: SIZE, breakOff: (origin) => origin.end() },
  { name: 'a web stream ends early', kind: 'web', declared: SIZE, breakOff: (origin) => origin.end() },
  { name: 'an iterable ends early', kind: 'iterable', declared: SIZE, breakOff: (origin) => origin.end() },
]

/** Sends `tenths` of the body and breaks off. A reader in each shape comes first, one in the middle, and one when all has come that will. */
async function cutAt(made: Rig, cut: Cut, tenths: number): Promise<Reading[]> {
  const origin = pour(cut.kind)
  const fetcher = () => ({ body: origin.body, ...(cut.declared === undefined ? {} : { size: cut.declared }) })
  const readings: Promise<Reading>[] = []
  const join = async (): Promise<void> => {
    const answers = await Promise.all(SHAPES.map(() => made.cache.fetch('k', fetcher)))
    for (const [i, shape] of SHAPES.entries()) readings.push(read(found(answers[i]), shape))
  }
  await join()
  for (let sent = 0; sent < tenths; sent += 1) {
    if (sent === tenths >> 1) await join()
    origin.push(value.subarray((sent * SIZE) / 10, ((sent + 1) * SIZE) / 10))
    await turns(2)
  }
  await join()
  await turns(1)
  cut.breakOff(origin)
  return Promise.all(readings)
}

function expectBrokenOff(readings: readonly Reading[], sent: number): void {
  for (const { bytes, error } of readings) {
    expect(error?.code).toBe('ERR_DREY_TRUNCATED')
    // What was read before is right as far as it goes.
    expect(bytes.length).toBeLessThanOrEqual(sent)
    expect(value.subarray(0, bytes.length).equals(bytes)).toBe(true)
  }
}

overStores((kind) => {
  describe.each(CUTS)('$name', (cut) => {
    it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])('after %i tenths: no clean end, nothing kept', async (tenths) => {
      const made = await rig(kind)
      const readings = await cutAt(made, cut, tenths)
      expect(readings.length).toBe((tenths === 0 ? 2 : 3) * SHAPES.length)
      expectBrokenOff(readings, (SIZE * tenths) / 10)
      await settled(made)
      expect(await made.cache.stat('k')).toBeUndefined()
      expect(made.cache.stats()).toMatchObject({ fills: 1, notStored: { truncated: 1 } })
      const again = found(await made.cache.fetch('k', () => ({ body: value })))
      expect([again.outcome, value.equals(await again.bytes())]).toEqual(['miss', true])
    })
  })

  it.each(SHAPES)('a body longer than declared has no clean end in the shape %s', async (shape) => {
    // Who counts bytes takes the last of the declared ones for the end: they must not see it.
    const made = await rig(kind)
    const origin = pour('iterable')
    const fetcher = () => ({ body: origin.body, size: SIZE - 1000 })
    const readings = [read(found(await made.cache.fetch('k', fetcher)), shape)]
    origin.push(value.subarray(0, 100_000))
    await turns(2)
    readings.push(read(found(await made.cache.fetch('k', fetcher)), shape))
    origin.push(value.subarray(100_000, SIZE - 1000))
    await turns(2)
    readings.push(read(found(await made.cache.fetch('k', fetcher)), shape))
    await turns(2)
    origin.push(value.subarray(SIZE - 1000))
    expectBrokenOff(await Promise.all(readings), SIZE - 1001)
    await settled(made)
    expect(await made.cache.stat('k')).toBeUndefined()
  })

  it('all declared bytes, and then a failure instead of the end, are no value', async () => {
    const made = await rig(kind)
    const origin = pour('web')
    const reading = read(
      found(await made.cache.fetch('k', () => ({ body: origin.body, size: SIZE }))),
      'response',
    )
    origin.push(value)
    await turns()
    origin.fail(new Error('bad trailer'))
    expectBrokenOff([await reading], SIZE - 1)
    expect(await made.cache.stat('k')).toBeUndefined()
  })

  it('a body that is declared empty, and is not, has no clean end', async () => {
    const made = await rig(kind)
    const origin = pour('web')
    const reading = read(found(await made.cache.fetch('k', () => ({ body: origin.body, size: 0 }))), 'bytes')
    await turns()
    origin.push(value.subarray(0, 1))
    expectBrokenOff([await reading], 0)
  })

  it('a body that is declared empty, and is, is kept', async () => {
    const made = await rig(kind)
    const origin = pour('web')
    const answer = found(await made.cache.fetch('k', () => ({ body: origin.body, size: 0 })))
    origin.end()
    expect((await answer.bytes()).length).toBe(0)
    await settled(made)
    expect((await made.cache.stat('k'))?.size).toBe(0)
  })

  it('a range that the cut lies behind is served, and one that it lies in breaks off', async () => {
    const made = await rig(kind)
    const origin = pour('iterable')
    const fetcher = () => ({ body: origin.body, size: SIZE })
    const before = read(found(await made.cache.fetch('k', fetcher)), 'stream', { start: 10, end: 19_999 })
    const across = read(found(await made.cache.fetch('k', fetcher)), 'stream', { start: 30_000, end: 60_000 })
    const behind = read(found(await made.cache.fetch('k', fetcher)), 'web', { start: 50_000 })
    origin.push(value.subarray(0, 40_000))
    expect(await before).toMatchObject({ error: undefined })
    expect(value.subarray(10, 20_000).equals((await before).bytes)).toBe(true)
    origin.fail(new Error('reset'))
    expect((await across).error?.code).toBe('ERR_DREY_TRUNCATED')
    expect(value.subarray(30_000, 40_000).equals((await across).bytes)).toBe(true)
    expect(await behind).toMatchObject({ bytes: Buffer.alloc(0), error: { code: 'ERR_DREY_TRUNCATED' } })
  })

  it('a body cut while it passes through uncached has no clean end', async () => {
    const made = await rig(kind, {}, { maxItemBytes: 50_000 })
    for (const shape of SHAPES) {
      const origin = pour('iterable')
      const answer = found(await made.cache.fetch('k', () => ({ body: origin.body })))
      const reading = read(answer, shape)
      for (let at = 0; at < 100_000; at += 20_000) {
        origin.push(value.subarray(at, at + 20_000))
        await turns(2)
      }
      await until(() => answer.stored === 'too-large', 'it is too large')
      origin.fail(new Error('reset'))
      expectBrokenOff([await reading], 100_000)
    }
  })
})
