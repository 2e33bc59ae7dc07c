import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { BODY_KINDS, patterned, pieces, pour } from '../../helpers/bodies.js'
import { turns } from '../../helpers/gate.js'
import { distantRig, found, noOrigin, overStores, type Rig, rig } from '../../helpers/rig.js'

async function textOf({ cache }: Rig, key = 'k'): Promise<string | undefined> {
  const answer = await cache.get(key)
  return answer === undefined ? undefined : found(answer).text()
}

overStores((kind) => {
  it('answers with the metadata of what it stored', async () => {
    const { cache, clock } = await rig(kind, { freshness: { ttl: '1m', staleIfError: '1h' } })
    const now = clock.now()
    expect(await cache.set('k', 'value', { etag: 'x', user: { a: 1 } })).toEqual({
      size: 5,
      etag: 'x',
      cachedAt: now,
      freshUntil: now + 60_000,
      staleUntil: now + 60_000,
      staleIfErrorUntil: now + 3_660_000,
      negative: false,
      tags: [],
      user: { a: 1 },
    })
    const own = await cache.set('k', 'value', { ttl: '2s', staleIfError: 1, etag: null })
    expect([own.freshUntil - now, own.staleIfErrorUntil - now, own.etag]).toEqual([2_000, 2_001, undefined])
    expect(await cache.stat('k')).toEqual(own)
    expect([await cache.has('k'), await cache.has('other')]).toEqual([true, false])
  })

  it('takes bytes before it returns', async () => {
    const made = await rig(kind)
    for (const size of [5, 100_000]) {
      const own = patterned(size)
      const set = made.cache.set('k', own)
      own.fill(0)
      await set
      expect(patterned(size).equals(await found(await made.cache.get('k')).bytes())).toBe(true)
    }
  })

  it.each(BODY_KINDS)('a %s body that fails leaves the old value, and is cancelled', async (of) => {
    const made = await rig(kind)
    await made.cache.set('k', 'old')
    const origin = pour(of)
    const set = made.cache.set('k', origin.body)
    origin.push(patterned(100_000))
    await turns()
    const boom = new Error('boom')
    origin.fail(boom)
    await expect(set).rejects.toBe(boom)
    expect(await textOf(made)).toBe('old')
  })

  it('a body of another size than declared leaves the old value', async () => {
    const made = await rig(kind)
    await made.cache.set('k', 'old')
    const tries = [
      made.cache.set('k', 'longer', { size: 5 }),
      made.cache.set('k', 'shorter', { size: 8 }),
      made.cache.set('k', pieces(patterned(100), 10), { size: 99 }),
      made.cache.set('k', pieces(patterned(100), 10), { size: 101 }),
    ]
    for (const set of tries) await expect(set).rejects.toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
    expect(await textOf(made)).toBe('old')
  })

  it('a value over `maxItemBytes` is refused, and leaves the old one', async () => {
    const made = await rig(kind, {}, { maxItemBytes: 100_000 })
    await made.cache.set('k', 'old')
    const source = pour('node')
    const streamed = made.cache.set('k', source.body)
    const tries = [
      made.cache.set('k', patterned(100_001)),
      made.cache.set('k', pieces(patterned(100_001), 30_000)),
      made.cache.set('k', pieces(patterned(10), 3), { size: 100_001 }),
      streamed,
    ]
    for (const wait of tries) wait.catch(() => undefined)
    source.push(patterned(50_000))
    source.push(patterned(50_001))
    for (const set of tries) await expect(set).rejects.toMatchObject({ code: 'ERR_DREY_TOO_LARGE' })
    expect(source.cancelled).toBe(true)
    expect(await textOf(made)).toBe('old')
    expect((await made.cache.set('k', patterned(100_000))).size).toBe(100_000)
  })

  it('a value that finds no room is refused, and leaves the old one', async () => {
    const made = await rig(kind, {}, { maxBytes: 2 ** 20, maxItemBytes: 2 ** 20 })
    // The tier below would take it.
    made.below?.fail('draft')
    const old = patterned(kind === 'distant' ? 600_000 : 1000)
    await made.cache.set('k', old)
    // Of near stores a draft is in use, of the distant one what is open: others may copy what is read.
    const writer = made.cache.writer('other')
    if (kind === 'distant') await made.cache.get('k')
    else await new Promise((resolve) => writer.write(patterned(600_000), resolve))
    await expect(made.cache.set('k', patterned(600_000, 1))).rejects.toMatchObject({
      code: 'ERR_DREY_NO_SPACE',
    })
    writer.destroy()
    expect(old.equals(await found(await made.cache.get('k')).bytes())).toBe(true)
  })

  it('of two writes the one that commits last wins', async () => {
    const made = await rig(kind)
    const [early, late] = [pour('iterable'), pour('iterable')]
    const sets = [made.cache.set('k', early.body), made.cache.set('k', late.body)]
    late.push(Buffer.from('late'))
    late.end()
    await sets[1]
    expect(await textOf(made)).toBe('late')
    early.push(Buffer.from('early'))
    early.end()
    await sets[0]
    expect(await textOf(made)).toBe('early')
  })

  it('writes of one key that are asked for in a row end in that order', async () => {
    const made = await rig(kind)
    const sets = Array.from({ length: 20 }, (_, i) => made.cache.set('k', `value ${i}`))
    await Promise.all(sets)
    expect(await textOf(made)).toBe('value 19')
  })

  it('refuses what is no body, and cancels what it cannot store', async () => {
    const made = await rig(kind)
    const locked = new Response('x').body!
    locked.getReader()
    const disturbed = new Response('abc').body!
    await disturbed.getReader({ mode: 'byob' } as never).cancel()
    const ended = Readable.from(['x'])
    for await (const _ of ended) expect(_).toBe('x')
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    const bodies = [
      undefined,
      null,
      1,
      true,
      Symbol('s'),
      () => 'x',
      {},
      [],
      new Date(),
      { json: undefined },
      { json: cyclic },
      { json: 1n },
      locked,
      ended,
      new Readable({ read: () => undefined }).destroy(),
    ]
    for (const body of bodies) {
      await expect(made.cache.set('k', body as never)).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
    }
    const odd = Readable.from([Buffer.from('x'), 7])
    await expect(made.cache.set('k', odd)).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
    expect(await made.cache.stat('k')).toBeUndefined()
    for (const options of [{ ttl: Number.NaN }, { etag: 'a\nb' }, { size: -1 }, null, 'x']) {
      const origin = pour('web')
      await expect(made.cache.set('k', origin.body, options as never)).rejects.toMatchObject({
        code: 'ERR_DREY_CONFIG',
      })
      expect(origin.cancelled).toBe(true)
    }
    const origin = pour('node')
    await expect(made.cache.set('', origin.body)).rejects.toMatchObject({ code: 'ERR_DREY_KEY' })
    expect(origin.cancelled).toBe(true)
  })
})

describe('a writer', () => {
  overStores((kind) => {
    it('stores what is written to it when it finishes', async () => {
      const made = await rig(kind)
      await made.cache.set('k', 'old')
      const writer = made.cache.writer('k', { user: 'u', size: 200_000 })
      const value = patterned(200_000)
      for (let at = 0; at < value.length; at += 7_001) writer.write(value.subarray(at, at + 7_001))
      await turns(10)
      expect(await textOf(made)).toBe('old')
      await new Promise<void>((resolve) => writer.end(resolve))
      const body = found(await made.cache.get('k'))
      expect([body.meta.user, value.equals(await body.bytes())]).toEqual(['u', true])
    })

    it('leaves no trace when it is destroyed, at any moment', async () => {
      const made = await rig(kind)
      await made.cache.set('k', 'old')
      const moments: Array<(writer: NodeJS.WritableStream) => Promise<void>> = [
        async () => undefined,
        async (writer) => void writer.write('some'),
        async (writer) => {
          writer.write('some')
          await turns()
        },
        async (writer) => {
          writer.write(patterned(100_000))
          writer.write(patterned(100_000))
        },
      ]
      for (const moment of moments) {
        const writer = made.cache.writer('k')
        await moment(writer)
        writer.destroy()
        await turns(10)
        expect(await textOf(made)).toBe('old')
        expect(made.cache.stats().tiers[0]!.pinnedBytes).toBe(0)
      }
    })

    it('fails as `set` does', async () => {
      const made = await rig(kind, {}, { maxItemBytes: 10_000 })
      const failed = (writer: NodeJS.WritableStream) =>
        new Promise<{ code: string }>((resolve) => writer.on('error', resolve as never))
      const short = made.cache.writer('k', { size: 5 })
      short.end('four')
      expect((await failed(short)).code).toBe('ERR_DREY_TRUNCATED')
      const long = made.cache.writer('k', { size: 3 })
      long.write('four')
      expect((await failed(long)).code).toBe('ERR_DREY_TRUNCATED')
      const large = made.cache.writer('k')
      large.write(patterned(10_001))
      expect((await failed(large)).code).toBe('ERR_DREY_TOO_LARGE')
      expect(() => made.cache.writer('')).toThrowError(expect.objectContaining({ code: 'ERR_DREY_KEY' }))
      expect(() => made.cache.writer('k', { ttl: -1 })).toThrowError(
        expect.objectContaining({ code: 'ERR_DREY_CONFIG' }),
      )
      expect(await made.cache.stat('k')).toBeUndefined()
    })
  })
})

it('a delete that overtakes a write waits for it where the store is far, and wins', async () => {
  const made = await distantRig()
  const commit = made.store.hold('commit')
  const set = made.cache.set('k', 'value')
  await turns()
  const deleted = made.cache.delete('k')
  await turns()
  commit.open()
  await set
  await deleted
  expect(await made.cache.stat('k')).toBeUndefined()
  expect(await found(await made.cache.fetch('k', () => ({ body: 'new' }))).text()).toBe('new')
})

it('a writer destroyed while the store opens its draft, or ends with the write, leaves no trace', async () => {
  for (const call of ['draft', 'write'] as const) {
    const made = await distantRig()
    const held = made.store.hold(call)
    const writer = made.cache.writer('k')
    writer.on('error', noOrigin).end('value')
    await turns()
    writer.destroy()
    held.open()
    await turns(10)
    expect(await made.cache.stat('k')).toBeUndefined()
    expect(made.store.openDrafts).toBe(0)
  }
})
