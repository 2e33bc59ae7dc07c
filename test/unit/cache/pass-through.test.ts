import { describe, expect, it } from 'vitest'
import { Window } from '../../../lib/cache/window.js'
import type { Found } from '../../../lib/index.js'
import { patterned, pieces, pour } from '../../helpers/bodies.js'
import { turns, until } from '../../helpers/gate.js'
import { distantRig, found, overStores, rig, settled } from '../../helpers/rig.js'

const MiB = 2 ** 20

/** Reads with `pause` turns after each piece. */
async function slowly(body: Found, pause: number): Promise<Buffer> {
  const taken: Buffer[] = []
  for await (const piece of body) {
    taken.push(piece)
    await turns(pause)
  }
  return Buffer.concat(taken)
}

/** What no tier can hold passes at the pace of its readers. */
overStores((kind) => {
  it('a body over the limit reaches readers of different speeds, and is not kept', async () => {
    const made = await rig(kind, {}, { maxItemBytes: 300_000 })
    const value = patterned(3 * MiB)
    const fetcher = () => ({ body: pieces(value, 50_000) })
    const answers = await Promise.all([0, 1, 2, 3].map(() => made.cache.fetch('k', fetcher)))
    const readings = answers.map((answer, i) => slowly(found(answer), i))
    for (const bytes of await Promise.all(readings)) expect(value.equals(bytes)).toBe(true)
    await settled(made)
    expect(await made.cache.stat('k')).toBeUndefined()
    // Over tiers they come one after the other from below, where none of them found it, and the body has outgrown the limit by then.
    const fills = kind === 'tiers' ? 4 : 1
    expect(made.cache.stats()).toMatchObject({ fills, notStored: { 'too-large': fills } })
  })

  it('a body that is declared too large is fetched by each for itself', async () => {
    const made = await rig(kind, {}, { maxItemBytes: 100_000 })
    const value = patterned(200_000)
    const fetcher = () => ({ body: pieces(value, 50_000), size: value.length })
    const answers = await Promise.all([0, 1, 2].map(() => made.cache.fetch('k', fetcher)))
    expect(answers.map((answer) => found(answer).stored)).toEqual(Array(3).fill('too-large'))
    for (const answer of answers) expect(value.equals(await found(answer).bytes())).toBe(true)
    expect(made.cache.stats()).toMatchObject({ fills: 3, notStored: { 'too-large': 3 } })
  })

  it('whoever asks while a body passes through asks the origin', async () => {
    const made = await rig(kind, {}, { maxItemBytes: 100_000 })
    const origin = pour('iterable')
    const first = found(await made.cache.fetch('k', () => ({ body: origin.body })))
    const reading = first.bytes()
    origin.push(patterned(120_000))
    await until(() => first.stored === 'too-large', 'it is too large')
    await turns(10)
    const second = found(await made.cache.fetch('k', () => ({ body: 'own' })))
    expect([second.outcome, await second.text()]).toEqual(['miss', 'own'])
    origin.end()
    expect((await reading).length).toBe(120_000)
  })

  it('holds at most a window of what its slowest reader has not read', async () => {
    const made = await rig(kind, {}, { maxItemBytes: 300_000 })
    let sent = 0
    async function* endless() {
      for (;;) {
        sent += 100_000
        yield patterned(100_000)
      }
    }
    const body = found(await made.cache.fetch('k', () => ({ body: endless() })))
    const stream = body.stream()
    await turns(50)
    // The window, what a memory store took before it was too much, and the piece that waits.
    expect(sent).toBeLessThanOrEqual(MiB + 300_000 + 200_000)
    const before = sent
    stream.on('data', () => stream.pause())
    await turns(50)
    expect(sent).toBeLessThanOrEqual(before + 200_000)
    stream.destroy()
    await turns(5)
    expect(made.cache.stats().filling).toBe(0)
  })

  it('goes on for the fast when the slow one leaves', async () => {
    const made = await rig(kind, {}, { maxItemBytes: 300_000 })
    const value = patterned(3 * MiB)
    const fetcher = () => ({ body: pieces(value, 50_000) })
    const [stuck, fast] = (await Promise.all([0, 1].map(() => made.cache.fetch('k', fetcher)))).map(found)
    const reading = fast!.bytes()
    await turns(50)
    stuck!.close()
    expect(value.equals(await reading)).toBe(true)
  })

  it('is given up when a reader lies idle, and the others go on', async () => {
    const made = await rig(kind, { timeouts: { idle: '30s' } }, { maxItemBytes: 300_000 })
    const value = patterned(3 * MiB)
    const fetcher = () => ({ body: pieces(value, 50_000) })
    const [idle, fast] = (await Promise.all([0, 1].map(() => made.cache.fetch('k', fetcher)))).map(found)
    const reading = fast!.bytes()
    await turns(50)
    made.clock.advance(40_000)
    expect(value.equals(await reading)).toBe(true)
    await expect(idle!.bytes()).rejects.toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    expect(made.cache.stats().leaks).toBe(1)
  })

  it('a body that is for one alone is not kept, whatever its size', async () => {
    const made = await rig(kind)
    for (const size of [0, 10, 100_000, 2 * MiB]) {
      const value = patterned(size)
      const once = found(await made.cache.fetch('k', () => ({ body: value, store: false })))
      expect([once.stored, value.equals(await once.bytes())]).toEqual(['no-store', true])
      const streamed = found(
        await made.cache.fetch('k', () => ({ body: pieces(value, 70_000), store: false })),
      )
      expect(value.equals(await streamed.bytes())).toBe(true)
    }
    await settled(made)
    expect([await made.cache.stat('k'), made.cache.stats().notStored]).toEqual([undefined, { 'no-store': 8 }])
  })

  it('a fill that finds the store full goes past it, from where it stands', async () => {
    const made = await rig(kind, {}, { maxBytes: 2 * MiB, maxItemBytes: 2 * MiB })
    await made.cache.set('held', patterned(MiB))
    const held = found(await made.cache.get('held'))
    const value = patterned(3 * MiB, 1)
    const fetcher = () => ({ body: pieces(value, 33_333) })
    const answers = await Promise.all([0, 3].map(() => made.cache.fetch('k', fetcher)))
    const readings = answers.map((answer, i) => slowly(found(answer), 2 * i))
    for (const bytes of await Promise.all(readings)) expect(value.equals(bytes)).toBe(true)
    expect(patterned(MiB).equals(await held.bytes())).toBe(true)
    expect(made.cache.stats().tiers[0]!.bytes).toBeLessThanOrEqual(2 * MiB)
  })
})

it('joins who comes late, as long as the beginning is there', async () => {
  // Over a far store, what everybody had stays in the window until there is no room.
  const made = await distantRig()
  const value = patterned(2 * MiB)
  const origin = pour('iterable')
  const reading = found(await made.cache.fetch('k', () => ({ body: origin.body }))).bytes()
  origin.push(value.subarray(0, MiB - 1))
  await turns(50)
  const joined = found(await made.cache.fetch('k', () => ({ body: 'anew' })))
  expect(joined.outcome).toBe('joined')
  const second = joined.bytes()
  origin.push(value.subarray(MiB - 1, MiB + 100_000))
  await turns(50)
  const late = found(await made.cache.fetch('k', () => ({ body: 'anew' })))
  expect([late.outcome, await late.text()]).toEqual(['miss', 'anew'])
  origin.push(value.subarray(MiB + 100_000))
  origin.end()
  for (const bytes of await Promise.all([reading, second])) expect(value.equals(bytes)).toBe(true)
})

describe('a window', () => {
  it.each([1, 100, 5_000, 70_000, 300_000])('gives back what it took in pieces of %i bytes', (step) => {
    const value = patterned(400_000)
    const window = new Window(17)
    for (let at = 0; at < value.length; at += step) window.push(value.subarray(at, at + step))
    expect([window.start, window.end]).toEqual([17, 400_017])
    for (let drop = 0; drop < value.length; drop += 33_333) {
      window.dropBefore(17 + drop)
      window.dropBefore(17)
      const taken: Buffer[] = []
      for (let at = window.start; at < window.end; at += taken.at(-1)!.length) taken.push(window.view(at))
      expect(value.subarray(drop).equals(Buffer.concat(taken))).toBe(true)
    }
  })

  it('gives every position what lies there', () => {
    const value = patterned(200_000)
    const window = new Window(0)
    for (let at = 0; at < value.length; at += 3_000) window.push(value.subarray(at, at + 3_000))
    window.dropBefore(50_001)
    for (let at = 50_001; at < value.length; at += 97) {
      const view = window.view(at)
      expect(view.length > 0 && value.subarray(at, at + view.length).equals(view), `at ${at}`).toBe(true)
    }
  })

  it('leaves a view as it was when more comes and its bytes are dropped', () => {
    const window = new Window(0)
    window.push(patterned(10))
    const view = window.view(3)
    window.push(patterned(5000, 1))
    window.dropBefore(5010)
    window.push(patterned(5000, 2))
    expect(view.equals(patterned(10).subarray(3))).toBe(true)
    expect(() => window.view(20_000)).toThrow(/not in/)
  })
})
