/*
 * The policies on sequences whose answers are known: from textbooks, and from published simulators on real
 * traces. The traces are not part of the project: the environment variable DREY_TRACES names the folder that
 * has them. In the native project the C++ policies are held against the same answers, and against the
 * TypeScript ones.
 */
import { describe, expect, it } from 'vitest'
import { createPolicy } from '../../../lib/policy/create.js'
import { POLICY_NAMES, type PolicyName } from '../../../lib/policy/policy.js'
import { buildDriver, performNative, playNative } from './driver.js'
import {
  CALL,
  HASH_KEY,
  loadTrace,
  notPinned,
  perform,
  play,
  type TestNode,
  type Trace,
  UNIT,
  whyNoTraces,
} from './simulate.js'

const MiB = 2 ** 20

const noTraces = whyNoTraces()
if (noTraces !== undefined) console.warn(`policies: known answers on traces are not checked: ${noTraces}`)
const noDriver = buildDriver()
if (noDriver !== undefined) console.warn(`policies: the C++ ones are not checked here: ${noDriver}`)

const capacities = [128, 256, 384, 512, 640, 768, 896, 1024].map((size) => size * MiB)

/** Misses on cloudphysics at those capacities, by libCacheSim. */
const CLOUDPHYSICS: ReadonlyArray<readonly [PolicyName, readonly number[]]> = [
  ['lru', [93374, 89783, 83572, 81722, 72494, 72104, 71972, 71704]],
  ['fifo', [93403, 89386, 84387, 84025, 72498, 72228, 72182, 72140]],
  ['sieve', [91699, 86720, 78578, 76707, 69945, 66221, 64445, 64376]],
  ['lfu', [91699, 86720, 78578, 76707, 69945, 66221, 64445, 64376]],
  ['s3-fifo', [89307, 82387, 77041, 76791, 71300, 70343, 70455, 70355]],
]

/** Hits in percent with so many entries. */
const GLI_LRU: ReadonlyArray<readonly [number, number]> = [
  [250, 0.91],
  [500, 0.95],
  [750, 1.15],
  [1000, 11.21],
  [1250, 21.25],
  [1500, 36.56],
  [1750, 45.04],
  [2000, 57.41],
]

/** Entries, and hits in percent of LRU and of Caffeine. */
const OLTP: ReadonlyArray<readonly [number, number, number]> = [
  [250, 16.47, 24.73],
  [500, 23.45, 33.7],
  [1000, 32.83, 39.95],
  [2000, 42.47, 46.07],
]

/** Each trace at three sizes and more: entries, or MiB of those with sizes. */
const EVERY: ReadonlyArray<readonly [string, readonly number[]]> = [
  ['cloudphysics.sized', [64, 300, 1024]],
  ['web-objects.sized', [1, 10, 100]],
  ['oltp', [250, 1000, 8000]],
  ['p3', [1000, 10_000, 40_000]],
  ['gli', [250, 1000, 2000]],
  ['sprite', [100, 500, 2000]],
  ['loop', [100, 500, 1000]],
  ['multi3', [100, 1000, 3000]],
  ['2_pools', [100, 1000, 5000]],
]

function trace(name: string, ids: readonly number[]): Trace {
  return { name, ids: Uint32Array.from(ids), sizes: undefined }
}

describe('policies on sequences from textbooks', () => {
  // Belady, Nelson and Shedler, 1969: FIFO misses more often with more room.
  const belady = trace('belady', [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5])

  it.each([
    ['fifo', 3, 9],
    ['fifo', 4, 10],
    ['lru', 3, 10],
    ['lru', 4, 8],
  ] as const)("%s of %i entries misses %i times on Belady's sequence", (name, entries, misses) => {
    expect(play(belady, name, entries * UNIT).misses).toBe(misses)
  })

  it('LRU gets nothing from a loop that is longer by one than the cache is large; W-TinyLFU does', () => {
    const loop = trace(
      'loop',
      Array.from({ length: 20 * 101 }, (_, at) => at % 101),
    )
    expect(play(loop, 'lru', 100 * UNIT).misses).toBe(2020)
    expect(play(loop, 'w-tinylfu', 100 * UNIT).misses).toBeLessThan(700)
  })

  it('of a scan, S3-FIFO and W-TinyLFU keep out what LRU lets in', () => {
    // Ten entries that are wanted all the time, and a scan of a thousand that are wanted once.
    const ids = Array.from({ length: 4000 }, (_, at) => (at < 1000 || at % 2 === 0 ? at % 10 : 100 + at))
    for (const name of ['s3-fifo', 'w-tinylfu', 'lfu', 'sieve'] as const) {
      expect(play(trace('scan', ids), name, 11 * UNIT).misses, name).toBeLessThanOrEqual(1540)
    }
    expect(play(trace('scan', ids), 'fifo', 11 * UNIT).misses).toBeGreaterThan(1800)
  })
})

if (noTraces === undefined) {
  describe('known answers', () => {
    const cloudphysics = loadTrace('cloudphysics.sized')
    const gli = loadTrace('gli')
    const oltp = loadTrace('oltp')

    it.each(CLOUDPHYSICS)('cloudphysics: %s misses as in libCacheSim', (name, misses) => {
      expect(capacities.map((capacity) => play(cloudphysics, name, capacity).misses)).toEqual(misses)
    })

    it('gli: LRU', () => {
      for (const [entries, percent] of GLI_LRU) {
        expect(play(gli, 'lru', entries * UNIT).hitPercent.toFixed(2)).toBe(percent.toFixed(2))
      }
    })

    it('oltp: LRU', () => {
      for (const [entries, percent] of OLTP) {
        expect(play(oltp, 'lru', entries * UNIT).hitPercent.toFixed(2)).toBe(percent.toFixed(2))
      }
    })

    it.each(OLTP)(
      'oltp: W-TinyLFU of %i entries is within half a point of Caffeine',
      (entries, _lru, caffeine) => {
        expect(Math.abs(play(oltp, 'w-tinylfu', entries * UNIT).hitPercent - caffeine)).toBeLessThanOrEqual(
          0.5,
        )
      },
    )

    // The climber takes another way with another hash, so one run says little.
    it.each(OLTP)('oltp: so is its mean over several hashes, of %i entries', (entries, _lru, caffeine) => {
      const keys = [HASH_KEY, 1, 2, 3]
      const hits = keys.map((key) => play(oltp, 'w-tinylfu', entries * UNIT, key).hitPercent)
      const mean = hits.reduce((sum, percent) => sum + percent, 0) / keys.length
      expect(Math.abs(mean - caffeine)).toBeLessThanOrEqual(0.5)
    })
  })
}

if (noTraces === undefined && noDriver === undefined) {
  describe('C++ policies', () => {
    it.each(CLOUDPHYSICS)('cloudphysics: %s misses as in libCacheSim', (name, misses) => {
      const outcomes = playNative(loadTrace('cloudphysics.sized'), [name], capacities)
      expect(outcomes.map(({ figure }) => figure)).toEqual(misses)
    })

    // Of p3 the beginning, for the sake of time; bench:hits plays all of it.
    it.each(EVERY)(
      '%s: decide as the TypeScript ones, with the same victims in the same order',
      (name, sizes) => {
        const played = loadTrace(name, 400_000)
        const bytes = sizes.map((size) => size * (played.sizes === undefined ? UNIT : MiB))
        const expected = POLICY_NAMES.flatMap((policy) =>
          bytes.map((capacity) => {
            const { misses, digest } = play(played, policy, capacity)
            return { policy, capacity, figure: misses, digest }
          }),
        )
        expect(playNative(played, POLICY_NAMES, bytes)).toEqual(expected)
      },
    )
  })
}

if (noDriver === undefined) {
  describe('C++ policies on calls at random', () => {
    /** Calls in the proportions that are given, over so many ids. */
    function callsAtRandom(
      seed: number,
      weights: readonly (readonly [number, number])[],
      ids: number,
      largest: number,
    ) {
      let state = seed
      const random = (below: number): number => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
        return Math.floor((state / 2 ** 32) * below)
      }
      const bag = weights.flatMap(([call, weight]) => Array.from({ length: weight }, () => call))
      return Uint32Array.from({ length: 3 * 60_000 }, (_, at) => {
        if (at % 3 === 0) return bag[random(bag.length)]!
        if (at % 3 === 1) return Math.min(random(ids), random(ids))
        return random(largest)
      })
    }

    const busy = [
      [CALL.add, 40],
      [CALL.touch, 60],
      [CALL.remove, 6],
      [CALL.evict, 30],
      [CALL.resize, 6],
      [CALL.pin, 4],
    ] as const

    it.each([
      ['few entries', busy, 60, 5000],
      ['many entries', busy, 20_000, 5000],
      ['of which most cannot go', [...busy, [CALL.pin, 60]], 2000, 100],
      ['of sizes 0 to 2', busy, 3000, 3],
      ['with a capacity that changes', [...busy, [CALL.setCapacity, 1]], 5000, 200_000],
      ['drained now and then', [...busy, [CALL.drain, 20]], 1000, 10_000],
    ] as ReadonlyArray<readonly [string, readonly (readonly [number, number])[], number, number]>)(
      '%s: decide as the TypeScript ones',
      (_what, weights, ids, largest) => {
        for (const seed of [1, 2, 3]) {
          const calls = callsAtRandom(seed, weights, ids, largest)
          const expected = POLICY_NAMES.map((policy) => {
            const instance = createPolicy<TestNode>(policy, 500_000, notPinned)
            const digest = perform(calls, instance, new Map())
            return { policy, capacity: 500_000, figure: instance.count, digest }
          })
          expect(performNative(calls, POLICY_NAMES, 500_000)).toEqual(expected)
        }
      },
    )
  })
}
