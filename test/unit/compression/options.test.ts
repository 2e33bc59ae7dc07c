import { availableParallelism } from 'node:os'
import { describe, expect, test } from 'vitest'
import type { Compressor } from '../../../lib/compression/compressor.js'
import { readCompression } from '../../../lib/compression/options.js'
import { zstd } from '../../../lib/compression/zstd.js'
import { ConfigError } from '../../../lib/errors.js'
import { memoryStore } from '../../../lib/store/memory/index.js'
import { OwnCompressor } from '../../helpers/own-compressor.js'

const hasZstd = zstd(3).unavailable === undefined

function problemOf(option: unknown, at?: string): string {
  try {
    readCompression(option, at)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).message
  }
  throw new Error('was accepted')
}

describe('the option compression', () => {
  test('is a name, with defaults', () => {
    const config = readCompression('lz4')
    expect(config.compressor).toMatchObject({ name: 'lz4' })
    expect(config).toMatchObject({
      minSize: 256,
      minRatio: 1.1,
      concurrency: Math.min(4, availableParallelism()),
    })
    expect(config.skips({ type: 'image/jpeg' })).toBe(true)
    expect(readCompression('gzip').compressor).toMatchObject({ name: 'gzip' })
    expect(readCompression('none').compressor).toBeUndefined()
    expect(readCompression({ codec: 'none' }).compressor).toBeUndefined()
  })

  test('is more than a name', () => {
    const config = readCompression({
      codec: 'gzip',
      level: 9,
      minSize: 1,
      minRatio: 2,
      skipTypes: ['text/*'],
      concurrency: 3,
    })
    expect(config).toMatchObject({ minSize: 1, minRatio: 2, concurrency: 3 })
    expect(config.skips({ type: 'text/html' })).toBe(true)
    expect(config.skips({ type: 'image/jpeg' })).toBe(false)
  })

  test('is a compressor of the user, alone or with more', () => {
    const own = new OwnCompressor()
    expect(readCompression(own).compressor).toBe(own)
    expect(readCompression({ codec: own, minRatio: 1.5 })).toMatchObject({ compressor: own, minRatio: 1.5 })
  })

  test.each([1, 9])('takes the levels of gzip: %i', (level) => {
    expect(readCompression({ codec: 'gzip', level }).compressor?.name).toBe('gzip')
  })

  test.each([0, 10, 1.5, -1, Number.NaN])('and no other: %d', (level) => {
    expect(problemOf({ codec: 'gzip', level }, 'store.compression')).toBe(
      `store.compression.level: got ${level}; "gzip" has whole levels from 1 to 9`,
    )
  })

  test('knows the levels of zstd whether it is there or not', () => {
    expect(problemOf({ codec: 'zstd', level: 20 })).toBe(
      'compression.level: got 20; "zstd" has whole levels from 1 to 19',
    )
  })

  test('refuses a level where there are none', () => {
    expect(problemOf({ codec: 'lz4', level: 1 })).toBe(
      'compression.level: got 1; "lz4" has no levels: leave it out',
    )
    expect(problemOf({ codec: 'none', level: 1 })).toContain('has no levels')
    expect(problemOf({ codec: new OwnCompressor(), level: 1 })).toContain(
      'a compressor of your own has no levels',
    )
  })

  test.each([
    ['brotli', 'compression: got "brotli"; want one of "none", "lz4", "gzip", "zstd", options such as'],
    [1, 'compression: got 1; want one of'],
    [true, 'compression: got true; want one of'],
    [null, 'compression: got null; want one of'],
    [[], 'compression'],
    [{}, 'compression.codec: got undefined; want one of "none"'],
    [{ codec: 'LZ4' }, 'compression.codec: got "LZ4"; want one of'],
    [{ codec: { compress: 1 } }, 'compression.codec: got an object with compress; want one of'],
    [{ codec: 'lz4', minSize: 0 }, 'compression.minSize: got 0; want a whole number from 1 to 1048576'],
    [{ codec: 'lz4', minSize: '1KiB' }, 'compression.minSize: got "1KiB"; want a whole number'],
    [{ codec: 'lz4', minRatio: 0.9 }, 'compression.minRatio: got 0.9; want a number from 1 to 100'],
    [{ codec: 'lz4', minRatio: 101 }, 'compression.minRatio: got 101'],
    [{ codec: 'lz4', minRatio: Number.NaN }, 'compression.minRatio: got NaN'],
    [{ codec: 'lz4', concurrency: 0 }, 'compression.concurrency: got 0; want a whole number from 1 to 64'],
    [{ codec: 'lz4', skipTypes: 'image/png' }, 'compression.skipTypes: got "image/png"; want an array'],
    [{ codec: 'lz4', skipTypes: ['png'] }, 'compression.skipTypes.0: got "png"; want media types'],
    [{ codec: 'lz4', strength: 1 }, 'compression.strength: no such option; there are codec, level'],
  ])('refuses %o', (option, message) => {
    expect(problemOf(option)).toContain(message)
  })

  const withThat = (more: object): Compressor => ({
    name: 'own',
    compress: async (b: Uint8Array) => b,
    decompress: async (b: Uint8Array) => b,
    ...more,
  })

  test.each([
    [{ name: '' }, 'compression.name: got ""'],
    [{ name: 'Own' }, 'compression.name: got "Own"; want 1 to 32 of a-z'],
    [{ name: 'x'.repeat(33) }, 'compression.name: got'],
    [{ name: 'gzip' }, 'compression.name: got "gzip"; want 1 to 32'],
    [{ unavailable: 'the card was pulled out' }, 'compression: got "own"; the card was pulled out'],
  ])('refuses a compressor of the user with %o', (more, message) => {
    expect(problemOf(withThat(more))).toContain(message)
  })

  test('says which Node has zstd, where this one has not', () => {
    if (hasZstd)
      expect(readCompression({ codec: 'zstd', level: 19 }).compressor).toMatchObject({ name: 'zstd' })
    else {
      expect(problemOf('zstd', 'memoryStore.compression')).toBe(
        `memoryStore.compression: got "zstd"; node:zlib has zstd from Node 22.15 (and 23.8) on; this is Node ${process.versions.node}`,
      )
    }
  })

  test('zstd that is not there says so when it is used all the same', async () => {
    const absent = zstd(3, { constants: {} } as never)
    expect(absent.unavailable).toContain('Node 22.15')
    await expect(absent.compress(new Uint8Array(1))).rejects.toMatchObject({ code: 'ERR_DREY_COMPRESSION' })
    await expect(absent.decompress(new Uint8Array(1), 1)).rejects.toMatchObject({
      code: 'ERR_DREY_COMPRESSION',
    })
  })
})

describe('memoryStore({ compression })', () => {
  const problem = (options: unknown): string => {
    try {
      memoryStore(options as never)
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError)
      return (error as ConfigError).message
    }
    throw new Error('was accepted')
  }

  test('is checked where the store is made', () => {
    expect(problem({ compression: 'brotli' })).toContain('memoryStore.compression: got "brotli"')
    expect(problem({ compression: 7 })).toContain('memoryStore.compression: got 7; want one of')
    expect(problem({ compression: { codec: 'gzip', level: 11 } })).toContain(
      'memoryStore.compression.level: got 11',
    )
    expect(problem({ compression: { codec: 'gzip', levels: 1 } })).toContain(
      'memoryStore.compression.levels: no such',
    )
  })

  test('is not for a memory that threads share', () => {
    expect(problem({ compression: 'lz4', name: 'shared' })).toContain('for the store named "shared"')
    expect(memoryStore({ compression: 'none', name: 'not compressed', maxBytes: '1MiB' }).name).toBe('memory')
  })
})
