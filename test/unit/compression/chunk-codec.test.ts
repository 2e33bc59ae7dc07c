import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StoredChunk } from '../../../lib/compression/chunk.js'
import { type ChunkCodec, createChunkCodec } from '../../../lib/compression/chunk-codec.js'
import { type Compressor, codecId, MAX_CHUNK } from '../../../lib/compression/compressor.js'
import { type CompressionOption, readCompression } from '../../../lib/compression/options.js'
import { zstd } from '../../../lib/compression/zstd.js'
import { CompressionError } from '../../../lib/errors.js'
import { contentsOf, noise, text } from '../../../lib/testing/contents.js'
import { gate } from '../../helpers/gate.js'
import { OwnCompressor } from '../../helpers/own-compressor.js'

const KiB = 1024
const codecFor = (option: CompressionOption): ChunkCodec => createChunkCodec(readCompression(option))
const OPTIONS: CompressionOption[] = [
  'none',
  'lz4',
  'gzip',
  { codec: 'gzip', level: 1 },
  new OwnCompressor(),
  ...(zstd(1).unavailable === undefined ? (['zstd'] as const) : []),
]
const nameOf = (option: CompressionOption): string =>
  typeof option === 'string' ? option : 'codec' in option ? JSON.stringify(option) : option.name

async function failureOf(decode: () => unknown): Promise<CompressionError> {
  try {
    await decode()
  } catch (error) {
    expect(error).toBeInstanceOf(CompressionError)
    return error as CompressionError
  }
  throw new Error('was decoded')
}

describe.each(OPTIONS.map((option) => [nameOf(option), option] as const))('chunks of %s', (_, option) => {
  test.each([0, 1, 255, 256, 257, 64 * KiB - 1, 64 * KiB, 64 * KiB + 1, MAX_CHUNK - 1, MAX_CHUNK])(
    'are given back: %i bytes',
    async (size) => {
      const codec = codecFor(option)
      for (const [, bytes] of contentsOf(size)) {
        const chunk = await codec.encoder().encode(bytes)
        expect(chunk.size).toBe(size)
        if (chunk.codec === 0) expect(chunk.bytes).toBe(bytes)
        else expect(chunk.bytes.length * 1.1).toBeLessThanOrEqual(size)
        expect(Buffer.compare(await codec.decode(chunk), bytes)).toBe(0)
        const atOnce = codec.decodeSync(chunk)
        if (atOnce !== undefined) expect(Buffer.compare(atOnce, bytes)).toBe(0)
      }
    },
  )

  test('are read by any other, if they are of a codec that drey has', async () => {
    const bytes = text(5000)
    const chunk = await codecFor(option).encoder().encode(bytes)
    const other = codecFor('none')
    if (chunk.codec !== 4) expect(Buffer.compare(await other.decode(chunk), bytes)).toBe(0)
    else expect((await failureOf(() => other.decode(chunk))).absent).toBe(true)
  })

  test('are counted', async () => {
    const codec = codecFor(option)
    const chunk = await codec.encoder().encode(text(10_000))
    await codec.decode(chunk)
    const on = codec.compressor !== undefined
    expect(codec.stats()).toEqual({
      codec: codec.compressor?.name ?? 'none',
      rawBytes: 10_000,
      storedBytes: chunk.bytes.length,
      ratio: 10_000 / chunk.bytes.length,
      compressed: on ? 1 : 0,
      unpaid: 0,
      skipped: on ? 0 : 1,
      failures: 0,
      decompressed: on ? 1 : 0,
      unreadable: 0,
    })
  })
})

describe('what is not worth it', () => {
  test('is kept as it is: too small', async () => {
    const own = new OwnCompressor()
    const codec = codecFor({ codec: own, minSize: 1000 })
    const bytes = text(999)
    expect(codec.encoder().encode(bytes)).toEqual({ codec: 0, size: 999, bytes })
    expect((await codec.encoder().encode(text(1000))).codec).toBe(4)
    expect(own.compressions).toBe(1)
  })

  test.each([
    [1.25, 4],
    [1.26, 0],
  ])('is kept as it is: not smaller by %d', async (minRatio, id) => {
    const codec = codecFor({ codec: new OwnCompressor(), minRatio })
    expect((await codec.encoder().encode(text(1000))).codec).toBe(id)
  })

  test('never grows, whatever the ratio', async () => {
    const codec = codecFor({ codec: 'lz4', minRatio: 1, minSize: 1 })
    for (let size = 1; size < 60; size += 1) {
      const chunk = await codec.encoder().encode(noise(size))
      expect(chunk.bytes.length).toBeLessThanOrEqual(size)
      if (chunk.codec !== 0) expect(chunk.bytes.length).toBeLessThan(size)
    }
  })

  test('is not tried: a type that is compressed already', async () => {
    const own = new OwnCompressor()
    const codec = codecFor(own)
    const encoder = codec.encoder({ type: 'image/jpeg' })
    expect((await encoder.encode(text(5000))).codec).toBe(0)
    expect((await codec.encoder({ encoding: 'br' }).encode(text(5000))).codec).toBe(0)
    expect(own.compressions).toBe(0)
    expect(codec.stats().skipped).toBe(2)
    expect((await codec.encoder({ type: 'text/html' }).encode(text(5000))).codec).toBe(4)
  })

  test('stops being tried, and is tried again', async () => {
    const own = new OwnCompressor()
    own.refuses = (bytes) => bytes[0] === 1
    const codec = codecFor(own)
    const encoder = codec.encoder()
    const hard = text(1000)
    hard[0] = 1
    for (let index = 0; index < 27; index += 1) await encoder.encode(hard)
    expect(own.compressions).toBe(3)
    expect(codec.stats()).toMatchObject({ unpaid: 3, skipped: 24, compressed: 0 })
    const soft = text(1000)
    for (let index = 0; index < 10; index += 1) expect((await encoder.encode(soft)).codec).toBe(4)
    // Another value begins anew.
    own.compressions = 0
    await codec.encoder().encode(hard)
    expect(own.compressions).toBe(1)
  })
})

describe('a compressor that fails', () => {
  const bytes = text(1000)
  const failing: ReadonlyArray<readonly [string, () => unknown]> = [
    ['rejects', () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['gives nothing', async () => undefined],
    ['gives text', async () => 'smaller'],
    ['gives no bytes', async () => new Uint8Array(0)],
  ]

  test.each(failing)('costs the saving and not the chunk: it %s', async (_, compress) => {
    const own = { name: 'own', compress, decompress: async () => bytes } as unknown as Compressor
    const codec = codecFor(own)
    expect(await codec.encoder().encode(bytes)).toEqual({ codec: 0, size: 1000, bytes })
    expect(codec.stats()).toMatchObject({ failures: 1, unpaid: 0, storedBytes: 1000 })
  })

  const wrong: ReadonlyArray<readonly [string, () => unknown]> = [
    ...failing,
    ['gives fewer', async () => bytes.subarray(1)],
    ['gives more', async () => text(1001)],
  ]

  test.each(wrong)('makes what it wrote unreadable: it %s', async (_, decompress) => {
    const own = {
      name: 'own',

      compress: async () => bytes.slice(0, 9),
      decompress,
    } as unknown as Compressor
    const codec = codecFor(own)
    const chunk = await codec.encoder().encode(bytes)
    const failure = await failureOf(() => codec.decode(chunk))
    expect(failure.message).toMatch(/^a chunk of own, 9 bytes for 1000, cannot be decompressed: /)
    expect(failure.absent).toBe(false)
    expect(failure.cause).toBeDefined()
    expect(codec.stats().unreadable).toBe(1)
  })

  test('at once, too', async () => {
    const decompressSync = (): Uint8Array => bytes.subarray(1)
    const own = { ...new OwnCompressor(), name: 'own', decompressSync } as unknown as Compressor
    const codec = codecFor({ codec: { ...own, compress: async (b) => b, decompress: async (b) => b } })
    const failure = await failureOf(() =>
      codec.decodeSync({ codec: 4, size: 1000, bytes: bytes.slice(0, 9) }),
    )
    expect(failure.message).toContain('own gave 999 bytes; want 1000')
  })
})

describe('before any decompressor runs', () => {
  const own = new OwnCompressor()
  const codec = codecFor(own)
  const wrong: ReadonlyArray<readonly [string, StoredChunk]> = [
    ['fewer bytes than there were, of one kept as it is', { codec: 0, size: 10, bytes: new Uint8Array(9) }],
    ['more bytes than there were, of one kept as it is', { codec: 0, size: 10, bytes: new Uint8Array(11) }],
    ['as many bytes as there were', { codec: 4, size: 10, bytes: new Uint8Array(10) }],
    ['more bytes than there were', { codec: 1, size: 10, bytes: new Uint8Array(11) }],
    ['no bytes', { codec: 2, size: 10, bytes: new Uint8Array(0) }],
    ['a size beyond the largest', { codec: 4, size: MAX_CHUNK + 1, bytes: new Uint8Array(10) }],
    ['a size beyond all numbers', { codec: 1, size: 2 ** 60, bytes: new Uint8Array(10) }],
    ['a size that is no whole number', { codec: 1, size: 10.5, bytes: new Uint8Array(10) }],
    ['a size that is none', { codec: 1, size: Number.NaN, bytes: new Uint8Array(10) }],
    ['a size below 0', { codec: 1, size: -1, bytes: new Uint8Array(10) }],
  ]

  test.each(wrong)('%s: refused', async (_, chunk) => {
    for (const decode of [() => codec.decode(chunk), () => codec.decodeSync(chunk)]) {
      const failure = await failureOf(decode)
      expect(failure).toMatchObject({ code: 'ERR_DREY_COMPRESSION', absent: false })
    }
    expect(own.decompressions).toBe(0)
  })

  test('the length that lz4 says is compared with the one that is known', async () => {
    const made = await codecFor('lz4').encoder().encode(text(3000))
    const hostile = Uint8Array.from(made.bytes)
    hostile.set([0xff, 0xff, 0xff, 0xff])
    for (const decode of [
      () => codec.decode({ ...made, bytes: hostile }),
      () => codec.decodeSync({ ...made, bytes: hostile }),
    ]) {
      expect((await failureOf(decode)).message).toContain('says that it has 4294967295 bytes; want 3000')
    }
    expect(
      (await failureOf(() => codec.decode({ codec: 1, size: 9, bytes: new Uint8Array(3) }))).message,
    ).toContain('are no block')
  })

  test('a bomb gives no more than it may', async () => {
    for (const option of OPTIONS) {
      const bomb = await codecFor(option).compressor?.compress(new Uint8Array(MAX_CHUNK))
      if (bomb === undefined || option instanceof OwnCompressor) continue
      const id = codecId(codecFor(option).compressor!.name)
      await failureOf(() => codec.decode({ codec: id, size: bomb.length + 1, bytes: bomb }))
    }
  })

  test('a frame of zstd that asks for a large window gets none', async () => {
    // RFC 8878, 3.1.1.1: no size of the content, a window of 128 MiB; then a last block of 4 bytes as they are.
    const frame = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x21, 0x00, 0x00, 1, 2, 3, 4])
    const failure = await failureOf(() => codec.decode({ codec: 3, size: 2000, bytes: frame }))
    const there = zstd(1).unavailable === undefined
    expect(failure.absent).toBe(!there)
    if (there) expect(failure.cause).toMatchObject({ code: 'ZSTD_error_frameParameter_windowTooLarge' })
  })

  test('a codec that is not there is told from damage', async () => {
    const chunk = { codec: 77, size: 10, bytes: new Uint8Array(5) }
    expect(codec.absence(77)).toBe('there is no codec with the id 77')
    const failure = await failureOf(() => codec.decode(chunk))
    expect(failure).toMatchObject({ absent: true })
    expect(failure.message).toContain('codec 77')
    expect(codec.absence(4, 'own')).toBeUndefined()
    expect(codec.absence(4, 'theirs')).toBe('there is no "theirs", but "own"')
    expect(codecFor('none').absence(4, 'own')).toBe('there is no "own"')
    for (const id of [0, 1, 2, 4]) expect(codec.absence(id)).toBeUndefined()
    expect(codec.absence(3)).toBe(zstd(1).unavailable)
  })
})

test('whatever is damaged: the right length, or an error', async () => {
  const codec = codecFor('lz4')
  const stored = await Promise.all(
    OPTIONS.filter((option) => typeof option === 'string').flatMap((option) =>
      contentsOf(2000).map(([, bytes]) => codecFor(option).encoder().encode(bytes)),
    ),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...stored),
      fc.nat(),
      fc.nat(255),
      fc.option(fc.nat(3000)),
      fc.nat(4),
      async (chunk, at, value, size, id) => {
        const bytes = Uint8Array.from(chunk.bytes)
        bytes[at % bytes.length] = value
        const hostile = { codec: id === 4 ? chunk.codec : id, size: size ?? chunk.size, bytes }
        try {
          expect((await codec.decode(hostile)).length).toBe(hostile.size)
        } catch (error) {
          expect(error).toBeInstanceOf(CompressionError)
        }
      },
    ),
    { numRuns: 500 },
  )
})

describe('at a time', () => {
  test('as many as are allowed, the others in order', async () => {
    const own = new OwnCompressor()
    const held = gate()
    own.before = () => held.opened
    const codec = codecFor({ codec: own, concurrency: 3 })
    const encoders = Array.from({ length: 10 }, () => codec.encoder())
    const all = encoders.map((encoder, index) => encoder.encode(text(1000, index)))
    await new Promise((resolve) => setImmediate(resolve))
    expect(own.underWay).toBe(3)
    held.open()
    const chunks = await Promise.all(all)
    expect(own.most).toBe(3)
    const whole = await Promise.all(chunks.map((chunk) => codec.decode(chunk)))
    for (const [index, bytes] of whole.entries()) expect(Buffer.compare(bytes, text(1000, index))).toBe(0)
    expect(own.most).toBe(3)
  })

  test('a signal ends the wait, and of what is under way the memory is free only when it has ended', async () => {
    const own = new OwnCompressor()
    const held = gate()
    own.before = () => held.opened
    const codec = codecFor({ codec: own, concurrency: 1 })
    const abort = new AbortController()
    const settled: string[] = []
    const follow = (name: string, work: unknown): Promise<unknown> =>
      Promise.resolve(work).then(
        () => settled.push(name),
        (error) => settled.push(`${name} ${error.code}`),
      )
    const first = follow('first', codec.encoder().encode(text(1000), abort.signal))
    const second = follow('second', codec.encoder().encode(text(1000), abort.signal))
    const third = follow('third', codec.encoder().encode(text(1000)))
    await new Promise((resolve) => setImmediate(resolve))
    abort.abort('the client left')
    await second
    await new Promise((resolve) => setImmediate(resolve))
    expect(settled).toEqual(['second ERR_DREY_ABORTED'])
    held.open()
    await Promise.all([first, third])
    expect(settled).toEqual(['second ERR_DREY_ABORTED', 'first ERR_DREY_ABORTED', 'third'])
    expect(() => codec.encoder().encode(text(1000), abort.signal)).toThrow('aborted')
    await expect(
      (async () => codec.decode({ codec: 0, size: 0, bytes: new Uint8Array(0) }, abort.signal))(),
    ).rejects.toMatchObject({ name: 'AbortError', cause: 'the client left' })
  })
})
