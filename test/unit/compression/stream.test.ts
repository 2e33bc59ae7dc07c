import { Readable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StoredChunk } from '../../../lib/compression/chunk.js'
import { type ChunkCodec, createChunkCodec } from '../../../lib/compression/chunk-codec.js'
import { type CompressionOption, readCompression } from '../../../lib/compression/options.js'
import { compressStream, decompressStream } from '../../../lib/compression/stream.js'
import { contentsOf, noise, text } from '../../../lib/testing/contents.js'
import { gate, turns } from '../../helpers/gate.js'
import { OwnCompressor } from '../../helpers/own-compressor.js'

const KiB = 1024
const codecFor = (option: CompressionOption): ChunkCodec => createChunkCodec(readCompression(option))

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

function* pieces(bytes: Uint8Array, ...lengths: number[]): Generator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = Math.max(1, lengths[turn % lengths.length]!)
    yield bytes.subarray(at, at + length)
    at += length
  }
}

describe('compressing a stream', () => {
  test.each([0, 1, 4 * KiB - 1, 4 * KiB, 4 * KiB + 1, 64 * KiB, 200_001])(
    'and back: %i bytes',
    async (size) => {
      const codec = codecFor('lz4')
      for (const [, bytes] of contentsOf(size)) {
        const chunks = await all(compressStream(codec, pieces(bytes, 1000, 3, 5000), { chunkBytes: 4 * KiB }))
        expect(chunks.map((chunk) => chunk.size)).toEqual(
          Array.from({ length: Math.ceil(size / (4 * KiB)) }, (_, at) =>
            Math.min(4 * KiB, size - at * 4 * KiB),
          ),
        )
        expect(Buffer.compare(Buffer.concat(await all(decompressStream(codec, chunks))), bytes)).toBe(0)
      }
    },
  )

  test('whatever the pieces and chunks', async () => {
    const codec = codecFor({ codec: 'gzip', level: 1, minSize: 16 })
    await fc.assert(
      fc.asyncProperty(
        fc.nat(3000),
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 900 }),
        async (size, lengths, chunkBytes) => {
          const bytes = text(size)
          const stored = compressStream(codec, pieces(bytes, ...lengths), { chunkBytes })
          expect(Buffer.compare(Buffer.concat(await all(decompressStream(codec, stored))), bytes)).toBe(0)
        },
      ),
      { numRuns: 40 },
    )
  })

  test('of Node and of the web', async () => {
    const codec = codecFor('lz4')
    const bytes = text(300_000)
    const web = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream() as unknown as AsyncIterable<Uint8Array>
    for (const source of [Readable.from(pieces(bytes, 70_000)), web]) {
      const back = await all(decompressStream(codec, compressStream(codec, source)))
      expect(Buffer.compare(Buffer.concat(back), bytes)).toBe(0)
    }
  })

  test('takes what it was given before it asks for more', async () => {
    const codec = codecFor('none')
    const shared = new Uint8Array(1000)
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < 10; at += 1) {
        shared.fill(at)
        yield shared
      }
    }
    const chunks = await all(compressStream(codec, source(), { chunkBytes: 1000 }))
    expect(chunks.map(({ bytes }) => bytes[999])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('in parallel, in order, and no further ahead than that', async () => {
    const own = new OwnCompressor()
    const gates = Array.from({ length: 12 }, () => gate())
    let calls = 0
    own.before = () => gates[calls++]!.opened
    const codec = codecFor({ codec: own, concurrency: 3 })
    let taken = 0
    async function* source(): AsyncGenerator<Uint8Array> {
      for (; taken < 12; taken += 1) yield text(1000, taken)
    }
    const stored = compressStream(codec, source(), { chunkBytes: 1000 })
    const first = stored.next()
    await turns(5)
    expect(own.underWay).toBe(3)
    expect(taken).toBeLessThanOrEqual(5)
    // The later ones are done before the first.
    gates[2]!.open()
    gates[1]!.open()
    await turns(5)
    expect(own.underWay).toBeLessThanOrEqual(3)
    for (const held of gates) held.open()
    const chunks = [(await first).value as StoredChunk, ...(await all(stored))]
    expect(chunks).toHaveLength(12)
    own.before = undefined
    for (const [at, chunk] of chunks.entries()) {
      expect(Buffer.compare(await codec.decode(chunk), text(1000, at))).toBe(0)
    }
    expect(own.most).toBe(3)
  })

  test('skips what the hint says', async () => {
    const own = new OwnCompressor()
    const chunks = await all(
      compressStream(codecFor(own), [text(10_000)], { chunkBytes: 1000, hint: { type: 'video/mp4' } }),
    )
    expect(chunks.every(({ codec }) => codec === 0)).toBe(true)
    expect(own.compressions).toBe(0)
  })

  test('a stream of noise is tried now and then only', async () => {
    const codec = codecFor({ codec: 'lz4', concurrency: 1 })
    const chunks = await all(compressStream(codec, [noise(400_000)], { chunkBytes: 1000 }))
    expect(chunks).toHaveLength(400)
    expect(codec.stats().unpaid).toBeLessThan(20)
  })

  test.each([0, -1, 1.5, 1024 * KiB + 1, Number.NaN])('refuses chunks of %d bytes', (chunkBytes) => {
    expect(() => compressStream(codecFor('lz4'), [], { chunkBytes })).toThrow(
      `chunkBytes: got ${chunkBytes}; want a whole number from 1 to 1048576`,
    )
  })
})

describe('what ends early', () => {
  test('a source that fails fails the stream, when nothing is under way any more', async () => {
    const own = new OwnCompressor()
    own.before = () => turns(3)
    const codec = codecFor({ codec: own, concurrency: 3 })
    async function* source(): AsyncGenerator<Uint8Array> {
      yield text(2500)
      throw new Error('the origin broke off')
    }
    await expect(all(compressStream(codec, source(), { chunkBytes: 1000 }))).rejects.toThrow('broke off')
    expect(own.underWay).toBe(0)
  })

  test('a reader that leaves ends the source', async () => {
    const own = new OwnCompressor()
    own.before = () => turns(2)
    const codec = codecFor({ codec: own, concurrency: 3 })
    let ended = false
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield text(1000)
      } finally {
        ended = true
      }
    }
    for await (const chunk of compressStream(codec, source(), { chunkBytes: 1000 })) {
      expect(chunk.codec).toBe(4)
      break
    }
    expect(ended).toBe(true)
    expect(own.underWay).toBe(0)
  })

  test('a signal ends it', async () => {
    const own = new OwnCompressor()
    const codec = codecFor({ codec: own, concurrency: 2 })
    const abort = new AbortController()
    let given = 0
    async function* source(): AsyncGenerator<Uint8Array> {
      for (;;) {
        given += 1
        if (given === 5) abort.abort()
        yield text(1000)
      }
    }
    await expect(
      all(compressStream(codec, source(), { chunkBytes: 1000, signal: abort.signal })),
    ).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
    expect(own.underWay).toBe(0)
    await expect(
      all(
        decompressStream(codec, [{ codec: 0, size: 1, bytes: new Uint8Array(1) }], { signal: abort.signal }),
      ),
    ).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('a chunk that is damaged fails the stream after those before it', async () => {
    const codec = codecFor({ codec: 'lz4', concurrency: 2 })
    const chunks = await all(compressStream(codec, [text(5000)], { chunkBytes: 1000 }))
    chunks[3] = { ...chunks[3]!, bytes: chunks[3]!.bytes.subarray(0, 5) }
    const seen: Uint8Array[] = []
    await expect(
      (async () => {
        for await (const bytes of decompressStream(codec, chunks)) seen.push(bytes)
      })(),
    ).rejects.toMatchObject({ code: 'ERR_DREY_COMPRESSION' })
    expect(Buffer.compare(Buffer.concat(seen), text(5000).subarray(0, 3000))).toBe(0)
  })
})
