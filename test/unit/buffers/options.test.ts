import { describe, expect, test } from 'vitest'
import { type BufferPoolOptions, readBufferPoolOptions } from '../../../lib/buffers/options.js'
import { KiB, MiB } from './rig.js'

describe('options of a buffer pool', () => {
  test('defaults', () => {
    expect(readBufferPoolOptions({})).toEqual({
      enabled: true,
      defaultBufferSize: 32 * KiB,
      minBufferSize: 4 * KiB,
      maxBufferSize: MiB,
      maxBytes: 64 * MiB,
      classes: [4, 16, 32, 64, 128, 256, 512, 1024].map((size) => size * KiB),
      logger: undefined,
      logging: false,
      loggingInterval: 60_000,
      largeObjectThreshold: 256 * KiB,
      veryLargeObjectThreshold: MiB,
      largeObjectStrategy: 'adaptive',
      chunkSize: 64 * KiB,
      maxConcurrentLargeOps: 8,
      detailedMetrics: false,
      detectLeaks: false,
      debug: false,
      maxIdle: 60_000,
    })
  })

  test('sizes and durations as people write them', () => {
    const config = readBufferPoolOptions({ maxBytes: '1MiB', maxBufferSize: '64KiB', maxIdle: '5s' })
    expect(config).toMatchObject({ maxBytes: MiB, maxBufferSize: 64 * KiB, maxIdle: 5000 })
    expect(config.classes).toEqual([4 * KiB, 16 * KiB, 32 * KiB, 64 * KiB])
  })

  test.each<[BufferPoolOptions, Partial<ReturnType<typeof readBufferPoolOptions>>]>([
    [
      { maxBytes: 100 * KiB },
      { maxBufferSize: 100 * KiB, classes: [4, 16, 32, 64, 100].map((size) => size * KiB) },
    ],
    [
      { classes: ['8KiB', 2048, '8KiB'] },
      { minBufferSize: 2048, maxBufferSize: 8192, classes: [2048, 8192] },
    ],
    [{ classes: [2048, 8192] }, { defaultBufferSize: 8192, chunkSize: 8192 }],
    [{ minBufferSize: 1024 }, { minBufferSize: 1024 }],
    [{ minBufferSize: '128KiB' }, { defaultBufferSize: 128 * KiB, chunkSize: 128 * KiB }],
    [{ veryLargeObjectThreshold: '100KiB' }, { largeObjectThreshold: 100 * KiB }],
    [{ largeObjectThreshold: '4MiB' }, { veryLargeObjectThreshold: 4 * MiB }],
    [{ logging: true }, { logging: true, logger: undefined }],
  ])('a default gives way to what is given: %j', (options, expected) => {
    expect(readBufferPoolOptions(options)).toMatchObject(expected)
  })

  test.each<[string, unknown, readonly string[]]>([
    ['an unknown one', { size: 1 }, ['bufferPool.size', 'no such option']],
    ['no size', { maxBytes: 'much' }, ['bufferPool.maxBytes', '"much"']],
    ['a negative size', { defaultBufferSize: -1 }, ['bufferPool.defaultBufferSize', '-1']],
    ['a fraction', { chunkSize: 0.5 }, ['bufferPool.chunkSize', '0.5']],
    ['not a number', { maxBufferSize: Number.NaN }, ['bufferPool.maxBufferSize', 'NaN']],
    [
      'more memory than there is',
      { maxBytes: Number.MAX_SAFE_INTEGER },
      ['bufferPool.maxBytes', 'want 1024 bytes'],
    ],
    [
      'an enormous Buffer',
      { maxBufferSize: '1GiB', maxBytes: '2GiB' },
      ['bufferPool.maxBufferSize', '256 MiB'],
    ],
    ['a tiny Buffer', { minBufferSize: 10 }, ['bufferPool.minBufferSize', '1024 bytes']],
    ['no class', { classes: [] }, ['bufferPool.classes', 'at least one']],
    ['a class that is no size', { classes: ['x'] }, ['bufferPool.classes.0', '"x"']],
    [
      'min over max',
      { minBufferSize: 8192, maxBufferSize: 4096 },
      ['bufferPool.maxBufferSize', 'bufferPool.minBufferSize'],
    ],
    [
      'max over maxBytes',
      { maxBufferSize: '2MiB', maxBytes: '1MiB' },
      ['bufferPool.maxBytes', 'bufferPool.maxBufferSize'],
    ],
    [
      'default below min',
      { defaultBufferSize: 1024 },
      ['bufferPool.defaultBufferSize', 'bufferPool.minBufferSize'],
    ],
    [
      'default over max',
      { defaultBufferSize: '2MiB' },
      ['bufferPool.defaultBufferSize', 'bufferPool.maxBufferSize'],
    ],
    ['chunks over max', { chunkSize: '2MiB' }, ['bufferPool.chunkSize', 'bufferPool.maxBufferSize']],
    ['chunks below min', { chunkSize: 1024 }, ['bufferPool.chunkSize', 'bufferPool.minBufferSize']],
    [
      'a class below min',
      { classes: [4096, 16384], minBufferSize: 8192 },
      ['bufferPool.classes', 'bufferPool.minBufferSize'],
    ],
    [
      'a class over max',
      { classes: [4096, 16384], maxBufferSize: 8192 },
      ['bufferPool.classes', 'bufferPool.maxBufferSize'],
    ],
    [
      'no class for max',
      { classes: [4096], maxBufferSize: 8192 },
      ['bufferPool.maxBufferSize', 'bufferPool.classes'],
    ],
    ['large below medium', { largeObjectThreshold: 1024 }, ['bufferPool.largeObjectThreshold', '32769']],
    [
      'large over very large',
      { largeObjectThreshold: '2MiB', veryLargeObjectThreshold: '1MiB' },
      ['bufferPool.veryLargeObjectThreshold', 'bufferPool.largeObjectThreshold'],
    ],
    [
      'an unknown strategy',
      { largeObjectStrategy: 'best' },
      ['bufferPool.largeObjectStrategy', 'pooled', 'adaptive'],
    ],
    ['no operation at all', { maxConcurrentLargeOps: 0 }, ['bufferPool.maxConcurrentLargeOps', 'at least 1']],
    ['no logger', { logging: { log: () => undefined } }, ['bufferPool.logging', 'info and warn']],
    ['no interval', { loggingInterval: 0 }, ['bufferPool.loggingInterval', 'more than 0']],
    ['no duration', { maxIdle: '5 weeks' }, ['bufferPool.maxIdle', '5 weeks']],
  ])('%s is refused, with its name and what would do', (_, options, words) => {
    let message = ''
    try {
      readBufferPoolOptions(options as BufferPoolOptions)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_DREY_CONFIG' })
      message = (error as Error).message
    }
    for (const word of words) expect(message).toContain(word)
  })
})
