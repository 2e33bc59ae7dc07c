import { describe, expect, test } from 'vitest'
import { createCache } from '../../../lib/cache/create.js'
import { createChunkCodec } from '../../../lib/compression/chunk-codec.js'
import { type CompressionOption, readCompression } from '../../../lib/compression/options.js'
import { CompressedStore, compressed } from '../../../lib/store/compressed/compressed.js'
import { memoryStore } from '../../../lib/store/memory/index.js'
import type { Metadata, Store } from '../../../lib/store/store.js'
import { noise, text } from '../../../lib/testing/contents.js'
import {
  bytesOf,
  jsStore,
  metadataFor,
  mustFind,
  mustPut,
  open,
  put,
  readAll,
  scan,
  write,
} from '../../conformance/store-kit.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { gate, turns, until } from '../../helpers/gate.js'
import { OwnCompressor } from '../../helpers/own-compressor.js'

const KiB = 1024
const MiB = 1024 * KiB

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

/** A store over one in memory, and what lies there. */
async function rig(
  option: CompressionOption,
  inner: Store = jsStore(8 * MiB, 4 * MiB),
): Promise<{ store: Store; inner: Store }> {
  const { store } = await open(() => compressed(inner, option))
  return { store, inner }
}

const KINDS: ReadonlyArray<readonly [string, () => Store]> = [
  ['near', () => jsStore(8 * MiB, 4 * MiB)],
  ['distant', () => new DistantStore({ maxBytes: 8 * MiB, maxItemBytes: 4 * MiB })],
]

describe.each(KINDS)('a %s store that compresses', (kind, make) => {
  test.each([
    ['lz4', 2000],
    ['lz4', 64 * KiB],
    ['lz4', 64 * KiB + 1],
    ['lz4', 1_000_001],
    ['gzip', 2000],
    ['gzip', 300_000],
  ] as const)('keeps less of text, and says so: %s, %i bytes', async (codec, size) => {
    const { store, inner } = await rig(codec, make())
    const value = buffer(text(size))
    await mustPut(store, 'k', value, {
      piece: 50_000,
      metadata: metadataFor(size, { etag: '"1"', user: { a: 1 } }),
    })
    const beneath = await mustFind(inner, 'k')
    const entry = await mustFind(store, 'k')
    const storedSize = beneath.metadata.size
    expect(storedSize).toBeLessThan(size * 0.6)
    expect(entry.metadata).toEqual(
      metadataFor(size, {
        etag: '"1"',
        user: { a: 1 },
        compression: { codec, storedSize, ratio: size / storedSize },
      }),
    )
    expect((await readAll(entry)).equals(value)).toBe(true)
    for await (const [, metadata] of store.entries()) expect(metadata).toEqual(entry.metadata)
    expect(store.stats().compression).toMatchObject({ codec, failures: 0, unreadable: 0 })
    beneath.release()
    entry.release()
    await store.close()
  })

  test('keeps noise as it is, with nothing said', async () => {
    const { store, inner } = await rig('lz4', make())
    for (const size of [0, 1, 5000, 300_000]) {
      await mustPut(store, 'k', buffer(noise(size)), { piece: 50_000 })
      const beneath = await mustFind(inner, 'k')
      const entry = await mustFind(store, 'k')
      expect(beneath.metadata).toEqual(metadataFor(size))
      expect(entry.metadata).toEqual(metadataFor(size))
      expect(entry.view === undefined).toBe(beneath.view === undefined)
      beneath.release()
      entry.release()
    }
    await store.close()
  })

  test('does not try what is of a type that is compressed already', async () => {
    const own = new OwnCompressor()
    const { store } = await rig(own, make())
    const user = { type: 'image/png' }
    const draft = await store.draft('large', 200_000, user)
    expect(await write(draft!, buffer(text(200_000)), 30_000)).toBe(true)
    expect(await draft!.commit(metadataFor(200_000, { user }))).toBe(true)
    expect(own.compressions).toBe(0)
    // Known only at the end: what is not in chunks by then is not tried.
    await mustPut(store, 'small', buffer(text(2000)), { metadata: metadataFor(2000, { user }) })
    expect(own.compressions).toBe(0)
    await store.close()
  })

  test('reads of a range the chunks that it touches', async () => {
    const own = new OwnCompressor()
    const { store } = await rig(own, make())
    const value = bytesOf(640 * KiB, 'value')
    await mustPut(store, 'k', value, { piece: 100_000 })
    const entry = await mustFind(store, 'k')
    own.decompressions = 0
    const target = Buffer.alloc(1000)
    expect(await entry.read(target, 300 * KiB)).toBe(1000)
    expect(target.equals(value.subarray(300 * KiB, 300 * KiB + 1000))).toBe(true)
    expect(own.decompressions).toBe(1)
    // The chunk is at hand; and a read ends at its border.
    expect(await entry.read(Buffer.alloc(64 * KiB), 310 * KiB)).toBe(10 * KiB)
    expect(own.decompressions).toBe(1)
    entry.release()
    await store.close()
  })

  test('keeps chunks that get smaller beside those that do not', async () => {
    const own = new OwnCompressor()
    own.refuses = (bytes) => bytes[0] === 7
    const { store } = await rig({ codec: own, minRatio: 1.01 }, make())
    for (const hard of [[0], [4], [0, 2], [1, 3], [0, 4]]) {
      const value = bytesOf(5 * 64 * KiB - 100, hard.join())
      for (let at = 0; at < 5; at += 1) value[at * 64 * KiB] = hard.includes(at) ? 7 : 1
      await mustPut(store, 'k', value)
      const entry = await mustFind(store, 'k')
      expect(entry.metadata.compression?.codec).toBe('own')
      for (const step of [1000, 64 * KiB, 400 * KiB])
        expect((await readAll(entry, step)).equals(value)).toBe(true)
      entry.release()
    }
    await store.close()
  })

  test('gives back the metadata of the user, also what looks like its own', async () => {
    const { store } = await rig('lz4', make())
    const users: unknown[] = [
      undefined,
      null,
      'text',
      { 'drey:compressed': ['lz4', 9, 9], user: 'mine' },
      { 'drey:compressed': null },
      { 'drey:compressed': 'x', more: 1 },
      ['drey:compressed'],
    ]
    for (const user of users) {
      for (const size of [10, 5000, 200_000]) {
        const metadata: Metadata = metadataFor(size, user === undefined ? {} : { user })
        await mustPut(store, 'k', buffer(text(size)), { metadata })
        const entry = await mustFind(store, 'k')
        expect(entry.metadata.user).toEqual(user)
        expect((await readAll(entry)).equals(buffer(text(size)))).toBe(true)
        expect(await scan(store)).toEqual([['k', metadata]])
        const revised = metadataFor(size, { etag: '"2"', user: { 'drey:compressed': ['own', 2, 2] } })
        expect(await store.revise('k', entry, revised)).toBe(true)
        entry.release()
        const again = await mustFind(store, 'k')
        expect(again.metadata).toMatchObject(revised)
        expect((await readAll(again)).equals(buffer(text(size)))).toBe(true)
        again.release()
      }
    }
    await store.close()
  })

  test('keeps what a compressor fails at', async () => {
    const own = new OwnCompressor()
    own.before = () => Promise.reject(new Error('the card was pulled out'))
    const { store } = await rig(own, make())
    const value = buffer(text(300_000))
    await mustPut(store, 'k', value, { piece: 40_000 })
    const entry = await mustFind(store, 'k')
    expect(entry.metadata.compression).toBeUndefined()
    expect((await readAll(entry)).equals(value)).toBe(true)
    entry.release()
    expect(store.stats().compression!.failures).toBeGreaterThan(0)
    expect(store.stats().pinnedBytes).toBe(0)
    await store.close()
  })

  test('drops what it cannot read, and the reader is told', async () => {
    const own = new OwnCompressor()
    const { store } = await rig(own, make())
    await mustPut(store, 'k', buffer(text(200_000)))
    const entry = await mustFind(store, 'k')
    own.before = () => Promise.reject(new Error('damaged'))
    await expect((async () => entry.read(Buffer.alloc(10), 0))()).rejects.toMatchObject({
      code: 'ERR_DREY_COMPRESSION',
      absent: false,
    })
    entry.release()
    await turns()
    expect(await store.find('k')).toBeUndefined()
    expect(store.stats()).toMatchObject({ entries: 0, pinnedBytes: 0 })
    expect(store.stats().compression!.unreadable).toBe(1)
    await store.close()
  })

  test('misses what was compressed by a codec that is not there, and destroys nothing: I10', async () => {
    const inner = make()
    const { store } = await rig(new OwnCompressor(), inner)
    const value = buffer(text(5000))
    await mustPut(store, 'k', value)
    const stranger = { name: 'theirs', compress: async () => value, decompress: async () => value }
    for (const option of ['lz4', stranger] as const) {
      const other = new CompressedStore(inner, createChunkCodec(readCompression(option)))
      expect(await other.find('k')).toBeUndefined()
    }
    expect(inner.stats()).toMatchObject({ entries: 1, pinnedBytes: 0 })
    const entry = await mustFind(store, 'k')
    expect((await readAll(entry)).equals(value)).toBe(true)
    entry.release()
    await store.close()
  })

  test('an entry that is released while it is read is read to the end', async () => {
    const own = new OwnCompressor()
    const { store, inner } = await rig(own, make())
    const value = buffer(text(100_000))
    await mustPut(store, 'k', value)
    const entry = await mustFind(store, 'k')
    const held = gate()
    own.before = () => held.opened
    const target = Buffer.alloc(1000)
    const read = entry.read(target, 70_000)
    await until(() => own.underWay === 1, 'it is read')
    own.before = undefined
    entry.release()
    await store.delete('k')
    expect(inner.stats().pinnedBytes).toBeGreaterThan(70_000)
    for (let at = 0; at < 20; at += 1) await put(store, `other ${at}`, buffer(noise(200_000)))
    held.open()
    expect(await read).toBeGreaterThan(0)
    expect(target.equals(value.subarray(70_000, 71_000))).toBe(true)
    await turns()
    expect(store.stats().pinnedBytes).toBe(0)
    await store.close()
  })

  test.each(['write', 'commit'])('leaves nothing when it is aborted during %s', async (when) => {
    const own = new OwnCompressor()
    const held = gate()
    own.before = () => held.opened
    const { store, inner } = await rig({ codec: own, concurrency: 2 }, make())
    const draft = (await store.draft('k', 300_000))!
    // Of what is written to a distant store all whole chunks are there before the write has settled.
    const size = when === 'commit' && kind === 'distant' ? 50_000 : 300_000
    const written = draft.write(buffer(text(size)))
    if (kind === 'near') expect(written).toBe(true)
    else if (when === 'commit') await written
    const committed = when === 'commit' ? draft.commit(metadataFor(size)) : undefined
    await until(() => own.underWay === (size === 50_000 ? 1 : 2), 'chunks are under way')
    draft.abort()
    held.open()
    await written
    // What is being committed is, as the contract says.
    expect(await committed).toBe(committed === undefined ? undefined : true)
    await turns(20)
    expect(own.underWay).toBe(0)
    expect(inner.stats()).toMatchObject({ entries: committed === undefined ? 0 : 1, pinnedBytes: 0 })
    await store.close()
  })
})

describe('a near store that compresses', () => {
  test('can be read while a value grows, and is smaller when it has', async () => {
    const own = new OwnCompressor()
    const held = gate()
    own.before = () => held.opened
    const { store } = await rig({ codec: own, concurrency: 2 })
    const value = bytesOf(400_000, 'v')
    const draft = (await store.draft('k', undefined))!
    const growing = draft.growing!
    const letGo = growing.hold()
    for (let at = 0; at < value.length; at += 7000) {
      expect(draft.write(value.subarray(at, at + 7000))).toBe(true)
      const target = Buffer.alloc(7000)
      const read = growing.read(target, at)
      expect(target.subarray(0, read).equals(value.subarray(at, at + 7000))).toBe(true)
    }
    const committed = draft.commit(metadataFor(value.length))
    expect(await store.find('k')).toBeUndefined()
    expect(own.underWay).toBeLessThanOrEqual(2)
    held.open()
    expect(await committed).toBe(true)
    const entry = await mustFind(store, 'k')
    expect(entry.metadata.compression?.ratio).toBeCloseTo(1.25, 2)
    const seen = Buffer.alloc(1000)
    expect(growing.read(seen, 200_000)).toBe(1000)
    expect(seen.equals(value.subarray(200_000, 201_000))).toBe(true)
    entry.release()
    letGo()
    expect(store.stats().pinnedBytes).toBe(0)
    await store.close()
  })

  test('keeps the value as it is where there is no room for both', async () => {
    const inner = jsStore(MiB, MiB)
    const { store } = await rig({ codec: new OwnCompressor() }, inner)
    const value = bytesOf(700_000, 'v')
    await mustPut(store, 'k', value, { piece: 50_000 })
    const entry = await mustFind(store, 'k')
    expect(entry.metadata.compression).toBeUndefined()
    expect((await readAll(entry)).equals(value)).toBe(true)
    entry.release()
    expect(store.stats()).toMatchObject({ entries: 1, pinnedBytes: 0 })
    await store.close()
  })

  test('keeps the value as it is where all of it together does not get smaller by enough', async () => {
    const own = new OwnCompressor()
    own.refuses = (bytes) => bytes[0] !== 7
    const { store } = await rig({ codec: own, minRatio: 1.2 })
    const value = bytesOf(3 * 64 * KiB, 'v')
    value[0] = 7
    value[64 * KiB] = value[2 * 64 * KiB] = 1
    await mustPut(store, 'k', value)
    const entry = await mustFind(store, 'k')
    expect(own.compressions).toBe(3)
    expect(entry.metadata.compression).toBeUndefined()
    entry.release()
    await store.close()
  })

  test('answers small values at once with lz4, in memory of their own', async () => {
    const { store } = await rig('lz4')
    const value = buffer(text(5000))
    await mustPut(store, 'k', value)
    const entry = await mustFind(store, 'k')
    const own = entry.own!()
    expect(own.equals(value)).toBe(true)
    own.fill(0)
    const target = Buffer.alloc(5000)
    expect(entry.read(target, 0)).toBe(5000)
    expect(target.equals(value)).toBe(true)
    expect(entry.view).toBeUndefined()
    await store.close()
  })
})

test('a store that threads share is refused', () => {
  const store = Object.assign(jsStore(MiB), { sharing: {} }) as unknown as Store
  expect(() => compressed(store, 'lz4')).toThrow('worker threads share')
})

describe('a cache over memoryStore({ compression })', () => {
  test.each(['lz4', 'gzip'] as const)('answers as one without: %s', async (compression) => {
    const cache = await createCache({ tiers: [memoryStore({ maxBytes: '8MiB', compression })] })
    const value = buffer(text(500_000))
    const small = buffer(text(3000))
    await cache.set('small', small, { etag: '"s"' })
    expect(cache.getSync('small')!.value.equals(small)).toBe(true)
    expect(cache.getSync('small')!.meta).toMatchObject({ size: 3000, compression: { codec: compression } })
    async function* body(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < value.length; at += 30_000) {
        yield value.subarray(at, at + 30_000)
        await turns(1)
      }
    }
    const origin = async (): Promise<{ body: AsyncGenerator<Uint8Array>; user: { type: string } }> => ({
      body: body(),
      user: { type: 'text/html' },
    })
    const answers = await Promise.all([cache.fetch('k', origin), cache.fetch('k', origin)])
    const bodies = await Promise.all(
      answers.map((answer) => (answer as { bytes(): Promise<Buffer> }).bytes()),
    )
    for (const one of bodies) expect(one.equals(value)).toBe(true)
    await until(() => cache.stats().filling === 0, 'it is stored')
    const found = (await cache.get('k')) as unknown as {
      meta: Metadata
      stream(range: { start: number; end: number }): AsyncIterable<Buffer>
    }
    expect(found.meta).toMatchObject({ size: 500_000, user: { type: 'text/html' } })
    expect(found.meta.compression!.ratio).toBeGreaterThan(1.5)
    const pieces: Buffer[] = []
    for await (const piece of found.stream({ start: 100_000, end: 399_999 })) pieces.push(piece)
    expect(Buffer.concat(pieces).equals(value.subarray(100_000, 400_000))).toBe(true)
    const [tier] = cache.stats().tiers
    expect(tier).toMatchObject({
      name: 'memory',
      entries: 2,
      compression: { codec: compression, failures: 0 },
    })
    expect(tier!.compression!.storedBytes).toBeLessThan(0.6 * tier!.compression!.rawBytes)
    expect(await cache.delete('k')).toBe(true)
    await cache.close()
  })

  test('tells the store the type before the body comes', async () => {
    const own = new OwnCompressor()
    const cache = await createCache({ tiers: [memoryStore({ maxBytes: '8MiB', compression: own })] })
    async function* body(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < 5; at += 1) yield text(70_000)
    }
    const user = { type: 'image/png' }
    const answer = await cache.fetch('a', async () => ({ body: body(), user }))
    await (answer as { bytes(): Promise<Buffer> }).bytes()
    await cache.set('b', body(), { user })
    await until(() => cache.stats().filling === 0, 'it is stored')
    expect(own.compressions).toBe(0)
    await cache.close()
  })
})
