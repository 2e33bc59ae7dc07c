import { readdirSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BufferPoolOptions } from '../../../lib/buffers/options.js'
import type { BufferPool } from '../../../lib/buffers/pool.js'
import { crc32c } from '../../../lib/index.js'
import { patterned } from '../../helpers/bodies.js'
import { cut, folder, KiB, newPool, settled } from './copy-harness.js'
import { SINKS } from './sinks.js'
import { SOURCES } from './sources.js'

interface Wanted {
  readonly pool: BufferPool
  readonly source: string
  readonly sink: string
  readonly bytes: Buffer
  readonly lengths: readonly number[]
}

async function copied({ pool, source, sink, bytes, lengths }: Wanted): Promise<void> {
  const from = await SOURCES[source]!(cut(bytes, lengths), folder)
  const to = await SINKS[sink]!(folder)
  try {
    const seen: number[] = []
    const result = await pool.copy(from.source, to.sink, {
      checksum: true,
      onProgress: (progress) => seen.push(progress.bytes),
    })
    const got = await to.got()
    expect(got?.length).toBe(bytes.length)
    expect(got?.equals(bytes)).toBe(true)
    expect(result).toMatchObject({ bytes: bytes.length, crc32c: crc32c(bytes) })
    expect(result.chunks).toBe(seen.length)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(seen.at(-1) ?? 0).toBe(bytes.length)
  } finally {
    await from.close()
    await to.close()
  }
}

const pairs = Object.keys(SOURCES).flatMap((source) =>
  Object.keys(SINKS).map((sink) => [source, sink] as const),
)

test.each(pairs)('%s into %s: every byte once and in order (C1, C5)', async (source, sink) => {
  const pool = newPool()
  // One piece, many small ones, and large beside small.
  const shapes: ReadonlyArray<readonly [number, readonly number[]]> = [
    [0, [1]],
    [1, [1]],
    [3000, [3000]],
    [200 * KiB + 17, [100, 700, 12]],
    [700 * KiB + 1, [70 * KiB, 5, 9000, 1, 8191, 8192]],
  ]
  for (const [size, lengths] of shapes) {
    // A connection that ends before anybody looks is none that can be read any more.
    if (source === 'socket' && size === 0) continue
    // Nor is there a session to be ended where nothing was said before the handshake was over.
    if (sink === 'tls' && size === 0) continue
    await copied({ pool, source, sink, bytes: patterned(size, size), lengths })
  }
})

test('random pieces, sources and sinks, in pools of every kind (C10)', async () => {
  const options: BufferPoolOptions[] = [
    {},
    { enabled: false },
    { maxBytes: 64 * KiB },
    { largeObjectStrategy: 'pooled' },
    { largeObjectStrategy: 'chunked' },
    { largeObjectStrategy: 'direct' },
    { chunkSize: '4KiB', largeObjectThreshold: '40KiB', maxConcurrentLargeOps: 1 },
  ]
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...pairs),
      fc.constantFrom(...options),
      fc.array(
        fc.oneof(fc.nat(50), fc.nat(20_000), fc.nat(150_000)).map((n) => n + 1),
        { minLength: 1, maxLength: 6 },
      ),
      fc.oneof(fc.nat(2000), fc.nat(600_000)),
      fc.nat(100),
      async ([source, sink], given, lengths, size, seed) => {
        fc.pre((source !== 'socket' && sink !== 'tls') || size > 0)
        const pool = newPool(given)
        await copied({ pool, source, sink, bytes: patterned(size, seed), lengths })
        await settled(pool)
      },
    ),
    { numRuns: 60 },
  )
})

describe('data is whole across the borders of chunks', () => {
  const chunk = 4 * KiB
  const sizes = [
    0,
    1,
    chunk - 1,
    chunk,
    chunk + 1,
    2 * chunk - 1,
    2 * chunk,
    2 * chunk + 1,
    16 * chunk,
    17 * chunk + 1,
  ]
  const borders = ['path', 'handle', 'byob', 'iterable', 'bytes'].flatMap((source) =>
    ['path', 'socket', 'passThrough'].map((sink) => [source, sink] as const),
  )

  test.each(borders)('%s into %s, with chunks of 4 KiB', async (source, sink) => {
    const pool = newPool({ chunkSize: chunk })
    for (const size of sizes)
      await copied({ pool, source, sink, bytes: patterned(size), lengths: [chunk - 1, 3] })
  })

  test('one piece a chunk less, as much, and more, gathered', async () => {
    const pool = newPool({ chunkSize: chunk })
    for (const length of [1, chunk - 1, chunk, chunk + 1]) {
      await copied({
        pool,
        source: 'iterable',
        sink: 'path',
        bytes: patterned(9 * chunk + 5),
        lengths: [length],
      })
    }
  })
})

describe('files', () => {
  test('the system copies file to file, and reports once', async () => {
    const pool = newPool()
    const bytes = patterned(300 * KiB)
    const from = await SOURCES['path']!([bytes], folder)
    const to = await SINKS['path']!(folder)
    const progress: unknown[] = []
    const result = await pool.copy(from.source, to.sink, { onProgress: (one) => progress.push(one) })
    expect(result).toEqual({ bytes: bytes.length, strategy: 'system', chunks: 1 })
    expect(progress).toEqual([{ bytes: bytes.length, size: bytes.length }])
    expect((await to.got())?.equals(bytes)).toBe(true)
  })

  test('nothing is left beside a file', () => {
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([])
  })
})

test('what was done is said, and counted', async () => {
  const pool = newPool()
  const copy = async (source: string, sink: string, size: number): Promise<string> => {
    const from = await SOURCES[source]!([patterned(size)], folder)
    const to = await SINKS[sink]!(folder)
    const { strategy } = await pool.copy(from.source, to.sink)
    await to.close()
    await from.close()
    return strategy
  }
  expect(await copy('path', 'socket', 3000)).toBe('pooled')
  expect(await copy('path', 'socket', 200 * KiB)).toBe('chunked')
  expect(await copy('path', 'socket', 400 * KiB)).toBe('pooled')
  expect(await copy('path', 'passThrough', 3000)).toBe('direct')
  expect(await copy('byob', 'socket', 3000)).toBe('direct')
  expect(await copy('path', 'path', 3000)).toBe('system')
  const { copies } = pool.stats()
  expect(copies).toMatchObject({
    begun: 6,
    whole: 6,
    strategies: { pooled: 2, chunked: 1, direct: 2, system: 1 },
  })
  expect(copies.bytes).toBe(4 * 3000 + 600 * KiB)
})

describe('a checksum that is taken while a file is read', () => {
  const step = 128 * KiB
  test.each([1, 4095, 4096, step - 1, step, step + 1, 1024 * KiB - 1, 1024 * KiB + 1, 3 * step])(
    'of %i bytes is that of the bytes, by path and by handle',
    async (size) => {
      const pool = newPool()
      const bytes = patterned(size)
      for (const kind of ['path', 'handle'] as const) {
        const from = await SOURCES[kind]!([bytes], folder)
        const to = await SINKS['socket']!(folder)
        const result = await pool.copy(from.source, to.sink, { checksum: true })
        expect(result).toMatchObject({ bytes: size, crc32c: crc32c(bytes) })
        expect((await to.got())?.equals(bytes)).toBe(true)
        await from.close()
        await to.close()
      }
    },
  )

  test('what cannot be read fails as it does without', async () => {
    const pool = newPool()
    for (const checksum of [true, false]) {
      const to = await SINKS['path']!(folder)
      await expect(pool.copy({ path: folder }, to.sink, { checksum })).rejects.toMatchObject({
        code: 'EISDIR',
      })
      expect(await to.got()).toBeUndefined()
    }
  })
})
