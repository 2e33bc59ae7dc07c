import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createCache, memoryStore } from '../../../../lib/index.js'
import {
  type Configured,
  configurationAdvice,
  type Machine,
} from '../../../../lib/metrics/advice/configuration.js'
import { fileSystemOf } from '../../../../lib/metrics/advice/file-system.js'
import type { AdvisedTier } from '../../../../lib/metrics/advice/tiers.js'

const MiB = 2 ** 20
const GiB = 2 ** 30
const TMPFS = 0x0102_1994
const NFS = 0x6969
const EXT4 = 0xef53

function memory(maxBytes = 64 * MiB, more: object = {}): AdvisedTier {
  return tier('memory', 0, { maxBytes, maxItemBytes: maxBytes / 8 }, { kind: 'memory', ...more })
}

function file(maxBytes = GiB, more: object = {}): AdvisedTier {
  const stats = { maxBytes, maxItemBytes: maxBytes / 4, bytes: 0 }
  return tier('file', 1, stats, { kind: 'file', dir: '/d', durability: 'process', minFree: 0.05, ...more })
}

function tier(name: string, place: number, stats: object, facts: object): AdvisedTier {
  return { name, place, store: {}, stats, facts } as never
}

function configured(more: Partial<Configured> = {}): Configured {
  return {
    tiers: [memory(), file()],
    timeouts: { operation: 2000, lookup: undefined, firstByte: 30_000, fill: 600_000 },
    freshness: { ttl: Number.POSITIVE_INFINITY, negativeTtl: 10_000 },
    poolBytes: 64 * MiB,
    profile: 'production',
    native: { loaded: true, reason: undefined },
    ...more,
  }
}

/** A disk of 100 GiB, of which 50 are free, on a machine with 8 GiB of memory. */
function machine({
  type = EXT4,
  total = 100 * GiB,
  free = 50 * GiB,
  env = {} as Machine['env'],
} = {}): Machine {
  const statfs = async () => ({ type, bsize: 4096, blocks: total / 4096, bavail: free / 4096 })
  return { memory: 8 * GiB, env, statfs: statfs as never }
}

const said = async (of: Configured, on: Machine): Promise<string[]> =>
  (await configurationAdvice(of, on)).map(({ message }) => message)

describe('nothing is said', () => {
  test.each<[string, Partial<Configured>, Machine]>([
    ['of what is usual', {}, machine()],
    ['of one tier', { tiers: [memory()] }, machine()],
    ['of what a profile says, where somebody works', { profile: 'development' }, machine()],
    [
      'of an addon that somebody did not want',
      { native: { loaded: false, reason: 'asked for' } },
      machine({ env: { NODE_ENV: 'production', DREY_NATIVE: '0' } }),
    ],
    ['of a store that is none of drey s', { tiers: [{ ...memory(), facts: undefined }] }, machine()],
    [
      'of a directory of which the system says nothing',
      {},
      { ...machine(), statfs: (() => Promise.reject(new Error('no'))) as never },
    ],
  ])('%s', async (_, of, on) => {
    expect(await said(configured(of), on)).toEqual([])
  })
})

describe('each mistake is said', () => {
  const onLinux = process.platform === 'linux'
  const cases: Array<[what: string, of: Partial<Configured>, on: Machine, message: RegExp, tier?: string]> = [
    [
      'more memory than there is, of several',
      { tiers: [memory(3 * GiB), { ...memory(5 * GiB), name: 'second' }] },
      machine(),
      /may take 8\.1 GiB of the 8 GiB that there are/,
    ],
    [
      'a disk that is smaller',
      { tiers: [memory(), file(200 * GiB)] },
      machine(),
      /the file system has 100 GiB/,
      'file',
    ],
    [
      'a disk that is full of other things',
      { tiers: [memory(), file(60 * GiB)] },
      machine(),
      /45 GiB are free there, beside what minFree keeps so/,
      'file',
    ],
    [
      'a tier below that is smaller',
      { tiers: [memory(2 * GiB), file(GiB, {})] },
      machine(),
      /the file tier \(1 GiB\) is smaller than the memory tier above it \(2 GiB\)/,
      'file',
    ],
    [
      'a tier below that keeps smaller values only',
      {
        tiers: [memory(), tier('file', 1, { maxBytes: GiB, maxItemBytes: MiB, bytes: 0 }, { kind: 'file' })],
      },
      machine(),
      /keeps values up to 1 MiB, and the memory tier above it up to 8 MiB/,
      'file',
    ],
    [
      'a ttl of a tier that changes nothing',
      { tiers: [memory(64 * MiB, { ttl: 60_000 })], freshness: { ttl: 30_000, negativeTtl: 1000 } },
      machine(),
      /a ttl of 1 min of the memory tier has no effect/,
      'memory',
    ],
    [
      'a tier that may hang for as long as a fill may take',
      { timeouts: { operation: 60_000, lookup: undefined, firstByte: 30_000, fill: 60_000 } },
      machine(),
      /timeouts\.operation never comes to its end before timeouts\.fill/,
    ],
    [
      'a first byte that may come after the last',
      { timeouts: { operation: 2000, lookup: undefined, firstByte: 30_000, fill: 10_000 } },
      machine(),
      /timeouts\.firstByte never/,
    ],
    [
      'a lookup that is given up before it is late',
      { timeouts: { operation: 2000, lookup: 3000, firstByte: 30_000, fill: 60_000 } },
      machine(),
      /timeouts\.lookup never/,
    ],
    [
      '"not found" that outlives what was found',
      { freshness: { ttl: 1000, negativeTtl: 10_000 } },
      machine(),
      /negativeTtl, 10 s, is longer than ttl, 1 s/,
    ],
    [
      'a profile for somewhere else',
      { profile: 'development' },
      machine({ env: { NODE_ENV: 'production' } }),
      /profile 'development' with NODE_ENV=production/,
    ],
    [
      'no addon',
      { native: { loaded: false, reason: 'no prebuild' } },
      machine({ env: { NODE_ENV: 'production' } }),
      /the addon is not loaded \(no prebuild\)/,
      'memory',
    ],
    ...(onLinux
      ? ([
          [
            'durability on what a restart takes',
            { tiers: [memory(), file(GiB, { durability: 'power' })] },
            machine({ type: TMPFS }),
            /lies in memory \(tmpfs\): durability 'power' cannot keep/,
            'file',
          ],
          [
            'a disk that is memory',
            { tiers: [memory(), file()] },
            machine({ type: TMPFS }),
            /what it holds is no disk/,
            'file',
          ],
          [
            'a directory on another machine',
            { tiers: [memory(), file()] },
            machine({ type: NFS }),
            /lies on another machine \(nfs\)/,
            'file',
          ],
        ] as typeof cases)
      : []),
  ]

  test.each(cases)('%s', async (_, of, on, message, name) => {
    const found = await configurationAdvice(configured(of), on)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({ id: 'configuration', level: 'warning', tier: name })
    expect(found[0]!.message).toMatch(message)
    expect(Object.keys(found[0]!.evidence).length).toBeGreaterThan(0)
  })
})

test('a file system is known by its number on Linux alone', async () => {
  const { statfs } = machine({ type: TMPFS })
  expect(await fileSystemOf('/d', statfs!, 'linux')).toMatchObject({ kind: 'memory', name: 'tmpfs' })
  expect(await fileSystemOf('/d', statfs!, 'darwin')).toMatchObject({ kind: undefined, total: 100 * GiB })
})

test('at start the process is warned, once, and advice says it again', async () => {
  const warnings: string[] = []
  const onWarning = (warning: Error & { code?: string }): void => {
    if (warning.code === 'DREY_CONFIGURATION') warnings.push(warning.message)
  }
  process.on('warning', onWarning)
  const dir = mkdtempSync(join(tmpdir(), 'advice-'))
  const open = (): ReturnType<typeof createCache> =>
    createCache({
      tiers: [memoryStore({ maxBytes: '64MiB' }), { store: 'file', dir, maxBytes: '32MiB', minFree: 0 }],
    })
  for (let times = 0; times < 2; times += 1) {
    const cache = await open()
    const { recommendations } = await cache.advice()
    expect(recommendations[0]).toMatchObject({ id: 'configuration', level: 'warning', tier: 'file' })
    await cache.close()
  }
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', onWarning)
  expect(warnings).toEqual([
    expect.stringContaining('the file tier (32 MiB) is smaller than the memory tier'),
  ])
})
