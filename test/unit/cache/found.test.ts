import { PassThrough, Readable, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { type ByteRange, type Found, OutOfRangeError } from '../../../lib/index.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { turns } from '../../helpers/gate.js'
import { RANGE_SHAPES, read, SHAPES } from '../../helpers/reading.js'
import { found, overStores, type Rig, rig, type StoreKind } from '../../helpers/rig.js'

// In hand, just in hand, just not, and over several pieces of the store.
const SIZES = [1, 65_536, 65_537, 200_000]

/** Ways in which a body comes to be read: from the tier, or from a fill that ends while it is read. */
const SOURCES = ['hit', 'fill', 'declared fill'] as const

async function bodyFrom(made: Rig, source: (typeof SOURCES)[number], value: Buffer): Promise<Found> {
  if (source === 'hit') {
    await made.cache.set('k', value)
    return found(await made.cache.get('k'))
  }
  const origin = pour('iterable')
  const declared = source === 'declared fill' ? { size: value.length } : {}
  const answer = found(await made.cache.fetch('k', () => ({ body: origin.body, ...declared })))
  void (async () => {
    for (let at = 0; at < value.length; at += 30_011) {
      origin.push(value.subarray(at, at + 30_011))
      await turns(1)
    }
    origin.end()
  })()
  return answer
}

function bordersOf(size: number): ByteRange[] {
  const at = [0, 1, 65_535, 65_536, 65_537, size - 2, size - 1].filter((n) => n >= 0 && n < size)
  const ranges: ByteRange[] = [{}]
  for (const start of new Set(at)) {
    ranges.push({ start })
    for (const end of new Set([...at, size, size + 10])) if (end >= start) ranges.push({ start, end })
  }
  return ranges
}

overStores((kind) => {
  describe.each(SOURCES)('a body from a %s', (source) => {
    it.each(SHAPES)('is whole in the shape %s', async (shape) => {
      for (const size of [0, ...SIZES]) {
        const value = patterned(size)
        const made = await rig(kind)
        const { bytes, error } = await read(await bodyFrom(made, source, value), shape)
        expect(error).toBeUndefined()
        expect(value.equals(bytes)).toBe(true)
      }
    })

    it('is refused a second reading, in any shape', async () => {
      const made = await rig(kind)
      const body = await bodyFrom(made, source, patterned(100_000))
      const first = body.bytes()
      for (const shape of SHAPES) {
        expect((await read(body, shape)).error, shape).toMatchObject({ code: 'ERR_DREY_BODY_USED' })
      }
      expect(patterned(100_000).equals(await first)).toBe(true)
      expect((await read(body, 'bytes')).error).toMatchObject({ code: 'ERR_DREY_BODY_USED' })
    })

    it('gives nothing after close()', async () => {
      const made = await rig(kind)
      const body = await bodyFrom(made, source, patterned(100_000))
      body.close()
      body.close()
      expect((await read(body, 'stream')).error).toMatchObject({ code: 'ERR_DREY_BODY_USED' })
      expect(made.cache.stats().openBodies).toBe(0)
    })

    it('is given up when an iteration is left', async () => {
      const made = await rig(kind)
      const early = await bodyFrom(made, source, patterned(200_000))
      for await (const piece of early) {
        expect(piece.equals(patterned(200_000).subarray(0, piece.length))).toBe(true)
        break
      }
      expect(made.cache.stats().openBodies).toBe(0)
    })
  })

  describe.each(SIZES)('of a value of %i bytes', (size) => {
    const value = patterned(size)

    it('every range has the bytes that it names', async () => {
      const made = await rig(kind)
      await made.cache.set('k', value)
      const ranges = bordersOf(size)
      for (const [i, range] of ranges.entries()) {
        const body = found(await made.cache.get('k'))
        const shape = RANGE_SHAPES[i % 5]!
        const { bytes, error } = await read(body, shape, range)
        expect(error).toBeUndefined()
        const want = value.subarray(range.start ?? 0, range.end === undefined ? size : range.end + 1)
        expect(want.equals(bytes), `${shape} ${JSON.stringify(range)}`).toBe(true)
      }
      expect(made.cache.stats().openBodies).toBe(0)
    })

    it('a range outside is refused, and the body can still be read', async () => {
      const made = await rig(kind)
      await made.cache.set('k', value)
      const body = found(await made.cache.get('k'))
      for (const range of [
        { start: size },
        { start: size + 1, end: size + 2 },
        { start: -1 },
        { start: 0.5 },
        { start: Number.NaN },
        { start: 1, end: 0 },
        { start: 0, end: -1 },
        { start: 0, end: 1.5 },
      ]) {
        expect(() => body.stream(range), JSON.stringify(range)).toThrow(OutOfRangeError)
        await expect(body.writeTo(new PassThrough(), range)).rejects.toMatchObject({ code: 'ERR_DREY_RANGE' })
      }
      expect(value.equals(await body.bytes())).toBe(true)
    })
  })

  it('a range of a body whose size is not known yet is served, clipped, or refused at its end', async () => {
    const made = await rig(kind)
    const value = patterned(1000)
    const origin = pour('web')
    const fetcher = () => ({ body: origin.body })
    const join = async () => found(await made.cache.fetch('k', fetcher))
    const inside = read(await join(), 'stream', { start: 10, end: 19 })
    const clipped = read(await join(), 'web', { start: 990, end: 5000 })
    const outside = [
      read(await join(), 'stream', { start: 1000 }),
      read(await join(), 'web', { start: 1001, end: 2000 }),
      read(await join(), 'writable', { start: 1000, end: 1000 }),
    ]
    origin.push(value.subarray(0, 500))
    expect(value.subarray(10, 20).equals((await inside).bytes)).toBe(true)
    origin.push(value.subarray(500))
    origin.end()
    expect(value.subarray(990).equals((await clipped).bytes)).toBe(true)
    for (const reading of outside) {
      expect(await reading).toMatchObject({ bytes: Buffer.alloc(0), error: { code: 'ERR_DREY_RANGE' } })
    }
  })

  it('what one reader does to its bytes changes nothing for others', async () => {
    const made = await rig(kind)
    for (const size of [1000, 100_000]) {
      const value = patterned(size)
      const key = `k${size}`
      const origin = pour('iterable')
      const [first, joined] = await Promise.all([
        made.cache.fetch(key, () => ({ body: origin.body })),
        made.cache.fetch(key, () => ({ body: origin.body })),
      ])
      const spoilt = spoil(found(first))
      const reading = found(joined).bytes()
      origin.push(Buffer.from(value))
      await turns()
      origin.end()
      await spoilt
      expect(value.equals(await reading), 'a reader of the same fill').toBe(true)
      await turns(10)
      for (const taken of [bytesOf, streamOf, webOf, throughOf]) {
        const bytes = await taken(found(await made.cache.get(key)))
        expect(value.equals(bytes)).toBe(true)
        bytes.fill(0)
      }
      expect(value.equals(await found(await made.cache.get(key)).bytes()), 'the store').toBe(true)
    }
  })

  it('what the fetcher does to its bytes after it returned changes nothing', async () => {
    const made = await rig(kind)
    for (const size of [1000, 100_000]) {
      const own = patterned(size)
      const answer = found(await made.cache.fetch(`k${size}`, () => ({ body: own })))
      own.fill(0)
      expect(patterned(size).equals(await answer.bytes())).toBe(true)
      await turns(10)
      expect(patterned(size).equals(await found(await made.cache.get(`k${size}`)).bytes())).toBe(true)
    }
  })

  it('the memory of a piece may be used again by a body that is asked for the next', async () => {
    const made = await rig(kind)
    const value = patterned(100_000)
    const one = Buffer.alloc(10_000)
    async function* reusing() {
      for (let at = 0; at < value.length; at += one.length) {
        value.copy(one, 0, at)
        yield one
      }
      one.fill(0)
    }
    const answer = found(await made.cache.fetch('k', () => ({ body: reusing() })))
    expect(value.equals(await answer.bytes())).toBe(true)
    await turns(20)
    expect(value.equals(await found(await made.cache.get('k')).bytes())).toBe(true)
  })

  it('leaves nothing when a stream is destroyed, a reader cancelled, an iterator returned unread', async () => {
    const made = await rig(kind)
    await made.cache.set('k', patterned(500_000))
    const open = async () => found(await made.cache.get('k'))
    const stream = (await open()).stream()
    stream.once('data', () => stream.destroy())
    await new Promise((resolve) => stream.once('close', resolve))
    ;(await open()).stream().destroy()
    const reader = (await open()).web().getReader()
    await reader.read()
    await reader.cancel()
    await (await open()).web().cancel()
    await (await open())[Symbol.asyncIterator]().return!()
    const from = Readable.from(await open())
    from.destroy()
    await turns()
    expect(made.cache.stats().openBodies).toBe(0)
  })

  it('gives an iteration that is asked ahead its pieces in order', async () => {
    const made = await rig(kind)
    const value = patterned(200_000)
    await made.cache.set('k', value)
    const iterator = found(await made.cache.get('k'))[Symbol.asyncIterator]()
    const steps = await Promise.all(Array.from({ length: 20 }, () => iterator.next()))
    const taken = steps.flatMap((step) => (step.done === true ? [] : [step.value]))
    expect(value.equals(Buffer.concat(taken))).toBe(true)
    expect([steps.at(-1)!.done, made.cache.stats().openBodies]).toEqual([true, 0])
  })

  it('ends a wait for the origin when the stream that waits is left', async () => {
    const made = await rig(kind)
    const origin = pour('web')
    const iterator = found(await made.cache.fetch('k', () => ({ body: origin.body })))[Symbol.asyncIterator]()
    const pending = iterator.next()
    pending.catch(() => undefined)
    await iterator.return!()
    await expect(pending).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
    expect(origin.cancelled).toBe(true)
  })

  it('takes no more from a body than its reader does', async () => {
    const made = await rig(kind)
    await made.cache.set('k', patterned(2_000_000))
    const slow = found(await made.cache.get('k')).stream()
    await turns(20)
    slow.read(1)
    await turns(20)
    expect(slow.readableLength).toBeLessThanOrEqual(3 * 65_536)
    slow.destroy()

    const written: number[] = []
    let go: () => void = () => undefined
    const stuck = new Writable({
      highWaterMark: 10,
      write(chunk, _encoding, done) {
        written.push(chunk.length)
        go = done
      },
    })
    const writing = found(await made.cache.get('k')).writeTo(stuck)
    await turns(20)
    expect(written.length).toBe(1)
    go()
    await turns(20)
    expect(written.length).toBe(2)
    stuck.destroy()
    await expect(writing).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
  })
})

async function spoil(body: Found): Promise<void> {
  for await (const piece of body) piece.fill(0)
}

const bytesOf = (body: Found): Promise<Buffer> => body.bytes()

async function streamOf(body: Found): Promise<Buffer> {
  return spoiling(body.stream())
}

async function webOf(body: Found): Promise<Buffer> {
  return spoiling(body.web())
}

async function throughOf(body: Found): Promise<Buffer> {
  const through = new PassThrough()
  const [bytes] = await Promise.all([spoiling(through), body.writeTo(through)])
  return bytes
}

/** Takes all pieces, and overwrites each after it was copied. */
async function spoiling(from: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const taken: Buffer[] = []
  for await (const piece of from) {
    taken.push(Buffer.from(piece))
    piece.fill(0)
  }
  return Buffer.concat(taken)
}

describe('of a value in hand', () => {
  const kinds: StoreKind[] = ['memory', 'distant']
  it.each(kinds)('over a %s store no close is needed', async (kind) => {
    const made = await rig(kind)
    await made.cache.set('k', patterned(65_536))
    const body = found(await made.cache.get('k'))
    expect(made.cache.stats()).toMatchObject({ openBodies: 0, tiers: [{ pinnedBytes: 0 }] })
    await made.cache.clear()
    await made.cache.set('other', patterned(65_536, 1))
    expect(patterned(65_536).equals(await body.bytes())).toBe(true)
  })
})
