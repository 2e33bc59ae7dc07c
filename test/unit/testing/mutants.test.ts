import { rmSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import {
  type Compressor,
  type EvictionPolicy,
  type Fetcher,
  type FetchResult,
  notFound,
  notModified,
} from '../../../lib/index.js'
import {
  compressorSuite,
  type FetcherRig,
  fetcherSuite,
  type LoggerRig,
  loggerSuite,
  policySuite,
} from '../../../lib/testing/index.js'
import { brokenRules } from './broken.js'
import { type Change, folder, ofGuide } from './guide.js'

/*
 * The other suites are worth something, too: what breaks a rule fails the cases of that rule.
 */

afterAll(() => rmSync(folder, { recursive: true }))

describe('policies', () => {
  const BUGS: ReadonlyArray<readonly [rule: string, bug: string, changes: readonly Change[]]> = [
    ['P1', 'none is named that was used', [['used.delete(key)\n        used.set(key, false)', 'continue']]],
    ['P1', 'one alone is named as text', [['return [key]', 'return key']]],
    ['P2', 'what has left is remembered', [['used.delete(key)\n    },', 'used.set(key, false)\n    },']]],
    [
      'P3',
      'one key is never named',
      [['if (!wasUsed)', "if (key === 'k7') continue\n        if (!wasUsed)"]],
    ],
    ['P4', 'what was named is forgotten', [['return [key]', 'return used.delete(key) && [key]']]],
    ['P5', 'a method answers later', [['touch(key) {', 'async touch(key) {']]],
    [
      'P5',
      'a method throws',
      [['touch(key) {', "touch(key) {\n      if (used.get(key)) throw new Error('again')"]],
    ],
  ]

  test.each(BUGS)('%s: %s', async (rule, _, changes) => {
    const make = await ofGuide<() => EvictionPolicy>('clock', changes)
    expect(await brokenRules(policySuite(make))).toContain(rule)
  })

  test('that of the guide breaks no rule', async () => {
    expect(await brokenRules(policySuite(await ofGuide<() => EvictionPolicy>('clock')))).toEqual([])
  })
})

describe('compressors', () => {
  /** Keeps the bytes and their length before them: it makes nothing smaller, and is right. */
  const plain: Compressor = {
    name: 'plain',
    compress: async (bytes) => Buffer.concat([Buffer.from([7]), bytes]),
    decompress: async (bytes, size) => {
      if (bytes[0] !== 7 || bytes.length !== size + 1) throw new Error('not of this compressor')
      return Uint8Array.from(bytes.subarray(1))
    },
  }
  const shared = Buffer.alloc(2 ** 20 + 1)
  const BUGS: ReadonlyArray<readonly [rules: readonly string[], bug: string, broken: Partial<Compressor>]> = [
    [['name'], 'a name with a space', { name: 'my own' }],
    [['name'], 'it is not there', { unavailable: 'not today' }],
    [
      ['C1'],
      'the last byte of a MiB is lost',
      {
        decompress: async (bytes, size) => {
          const whole = await plain.decompress(bytes, size)
          if (size === 2 ** 20) whole[size - 1]! ^= 1
          return whole
        },
      },
    ],
    [
      ['C2'],
      'the input is written to',
      {
        compress: async (bytes) => {
          const made = await plain.compress(bytes)
          if (bytes.length === 20_000) bytes[0]! ^= 1
          return made
        },
      },
    ],
    [
      ['C2', 'C3'],
      'the result is the input',
      { decompress: async (bytes, size) => (await plain.decompress(bytes, size)) && bytes.subarray(1) },
    ],
    [
      ['C3', 'C6'],
      'the result is memory that it uses again',
      {
        compress: async (bytes) => {
          shared[0] = 7
          shared.set(bytes, 1)
          return shared.subarray(0, bytes.length + 1)
        },
      },
    ],
    [['C4'], 'it gives what there is', { decompress: async (bytes) => Uint8Array.from(bytes.subarray(1)) }],
    [
      ['C4'],
      'it rejects with text',
      { decompress: (bytes, size) => plain.decompress(bytes, size).catch(() => Promise.reject('no')) },
    ],
  ]

  test('one that is right breaks no rule', async () => {
    expect(await brokenRules(compressorSuite(() => plain))).toEqual([])
  })

  test.each(BUGS)('%s: %s', async (rules, _, broken) => {
    expect(await brokenRules(compressorSuite(() => ({ ...plain, ...broken })))).toEqual(rules)
  })

  test('C5: what another level wrote is not read', async () => {
    const other: Compressor = {
      ...plain,
      compress: async (bytes) => Buffer.concat([Buffer.from([8]), bytes]),
    }
    expect(await brokenRules(compressorSuite(() => plain, { older: [() => other] }))).toEqual(['C5'])
  })

  test('C6: one at a time', async () => {
    let busy = false
    const compress: Compressor['compress'] = async (bytes) => {
      if (busy) throw new Error('busy')
      busy = true
      await new Promise(setImmediate)
      busy = false
      return plain.compress(bytes)
    }
    // Damage is made of several at once, too.
    expect(await brokenRules(compressorSuite(() => ({ ...plain, compress })))).toEqual(['C4', 'C6'])
  })
})

describe('fetchers', () => {
  const value = Buffer.from('a value')
  function rig(broken: Partial<FetcherRig> = {}): FetcherRig {
    let text = 'a value'
    const present: Fetcher = ({ etag }) =>
      etag === text ? notModified() : { body: text, etag: text, size: text.length }
    const change = (): Buffer => {
      text = 'another'
      return Buffer.from(text)
    }
    return {
      present,
      value,
      change,
      missing: () => notFound(),
      failing: () => Promise.reject(new Error('down')),
      hanging: ({ signal }) =>
        new Promise<FetchResult>((_, reject) =>
          signal.addEventListener('abort', () => reject(new Error('left'))),
        ),
      broken: () => ({ body: 'half', size: 10 }),
      ...broken,
    }
  }
  const stream = async function* () {
    yield 'a '
    yield 'value'
  }
  let once: AsyncGenerator<string> | undefined
  const BUGS: ReadonlyArray<
    readonly [rules: readonly string[], bug: string, broken: () => Partial<FetcherRig>]
  > = [
    [
      ['F1', 'F7'],
      'a size that it has not',
      () => ({ present: () => ({ body: 'a value', size: 3 }), change: () => value }),
    ],
    [
      ['F1', 'F3', 'F7'],
      'an etag with a line break',
      () => ({ present: () => ({ body: 'a value', etag: 'a\nb' }), change: () => value }),
    ],
    [
      ['F1', 'F7'],
      'one body for all',
      () => {
        once = undefined
        return {
          present: ({ meta }) => {
            once ??= stream()
            return { body: meta === undefined ? once : 'a value' }
          },
          change: () => value,
        }
      },
    ],
    [['F2', 'F7'], 'what is not there is an empty body', () => ({ missing: () => ({ body: '' }) })],
    [
      ['F3'],
      'what has changed is confirmed',
      () => ({ present: ({ meta }) => (meta ? notModified() : { body: 'a value' }) }),
    ],
    [['F4'], 'the signal is not heard', () => ({ hanging: () => ({ body: 'at last' }) })],
    [
      ['F4'],
      'a body ends with its signal as if it were whole',
      () => ({
        present: ({ signal, meta }) => ({
          body: (async function* () {
            yield 'a '
            if (!signal.aborted || meta !== undefined) yield 'value'
          })(),
        }),
        change: () => value,
      }),
    ],
    [['F5'], 'a page of error is the value', () => ({ failing: () => ({ body: '500' }) })],
    [['F5'], 'text is thrown', () => ({ failing: () => Promise.reject('down') })],
    [['F6'], 'a body that breaks off just ends', () => ({ broken: () => ({ body: 'half' }) })],
  ]

  test('one that is right breaks no rule', async () => {
    expect(await brokenRules(fetcherSuite(rig))).toEqual([])
  })

  test.each(BUGS)('%s: %s', async (rules, _, broken) => {
    const found = await brokenRules(fetcherSuite(() => rig(broken())))
    expect(rules).toEqual(expect.arrayContaining(found))
    expect(found).toContain(rules[0])
  })

  test('F3: what nobody has is confirmed', async () => {
    const present: Fetcher = () => notModified()
    expect(await brokenRules(fetcherSuite(() => rig({ present })))).toContain('F3')
  })

  test('what the rig lacks is not left out silently', async () => {
    const suite = fetcherSuite(() => rig({ hanging: undefined }))
    expect(await brokenRules(suite)).toEqual(['F4'])
    expect(
      await brokenRules(fetcherSuite(() => rig({ hanging: undefined }), { without: ['hanging'] })),
    ).toEqual([])
  })
})

describe('loggers', () => {
  function rig(info: (details: object, message: string) => unknown, line = ''): LoggerRig {
    const logger = { info, warn: info } as LoggerRig['logger']
    return { logger, written: () => line }
  }
  const line = "the nest was opened { directory: 'marten' }"
  const quiet = (): undefined => undefined

  test.each<readonly [rule: string, bug: string, rig: LoggerRig]>([
    ['L2', 'JSON of whatever comes', rig((details) => void JSON.stringify(details), line)],
    ['L3', 'it answers later', rig(async () => undefined, line)],
    ['L3', 'it writes into the details', rig((details) => void Object.assign(details, { level: 30 }), line)],
    ['L4', 'it writes nothing', rig(quiet)],
  ])('%s: %s', async (rule, _, broken) => {
    expect(await brokenRules(loggerSuite(() => broken))).toContain(rule)
  })

  test('L1: it has no info', async () => {
    const logger = { warn: quiet } as unknown as LoggerRig['logger']
    expect(await brokenRules(loggerSuite(() => ({ logger })))).toContain('L1')
  })

  test('one that is right breaks no rule', async () => {
    expect(await brokenRules(loggerSuite(() => rig(quiet, line)))).toEqual([])
  })
})
