import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createCacheWith } from '../../../../lib/cache/create.js'
import { type Cache, memoryStore, notFound, notModified, POLICY_NAMES } from '../../../../lib/index.js'
import { measuredRatio, type Recording, recordingOf } from '../../../../lib/metrics/advice/recording.js'
import { type Replayed, replay, type Simulated } from '../../../../lib/metrics/advice/replay.js'
import type { Slices } from '../../../../lib/metrics/advice/slices.js'
import { hashOf as hashOfKey, Trace } from '../../../../lib/metrics/advice/trace.js'
import { FIRST_TIER, KIND } from '../../../../lib/metrics/advice/window.js'
import { FakeClock } from '../../../helpers/clock.js'
import { hashOf, play, UNIT } from '../../policy/simulate.js'
import { randomOf, zipfOf } from './workloads.js'

function done<T>(slices: Slices<T>): T {
  for (;;) {
    const step = slices.next()
    if (step.done === true) return step.value
  }
}

const itself = (size: number): number => size

/** Hits alone, of those keys. */
function recordingFrom(
  ids: readonly number[],
  sizeOf: (id: number) => number,
  rate: number,
  requests: number,
  hash: (id: number) => number,
): Recording {
  const keys = [...new Set(ids)]
  const places = new Map(keys.map((id, at) => [id, at]))
  const { length } = ids
  return {
    length,
    rate,
    ids: Uint32Array.from(ids, (id) => places.get(id)!),
    hashes: Uint32Array.from(keys, hash),
    kinds: new Uint8Array(length).fill(KIND.hit | FIRST_TIER),
    times: new Uint32Array(length),
    sizes: Uint32Array.from(ids, sizeOf),
    until: new Float64Array(length).fill(Number.POSITIVE_INFINITY),
    from: 0,
    requests,
    sampled: length,
  }
}

function simulated(policy: Simulated['policy'], maxBytes: number): Simulated {
  return { policy, maxBytes, maxItemBytes: Number.POSITIVE_INFINITY, charge: itself }
}

describe('a replay of all that was asked', () => {
  test.each(POLICY_NAMES)('misses as often as %s itself', (policy) => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(60), { minLength: 1, maxLength: 600 }),
        fc.integer({ min: 1, max: 40 }),
        fc.boolean(),
        (ids, entries, sized) => {
          const sizeOf = (id: number): number => (sized ? 1000 + ((id * 7919) % 9000) : UNIT)
          const capacity = entries * UNIT
          const trace = {
            name: '',
            ids: Uint32Array.from(ids),
            sizes: sized ? Uint32Array.from(ids, sizeOf) : undefined,
          }
          const { misses } = play(trace, policy, capacity)
          const { hitRatio, requests } = done(
            replay(
              recordingFrom(ids, sizeOf, 1, ids.length, (id) => hashOf(id)),
              simulated(policy, capacity),
            ),
          )
          expect(requests).toBe(ids.length)
          expect(Math.round((1 - hitRatio) * ids.length)).toBe(misses)
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('a replay of a sample', () => {
  test.each(['lru', 's3-fifo', 'w-tinylfu'] as const)('is near to one of everything: %s', (policy) => {
    const random = randomOf(5)
    const drawn = zipfOf(20_000, 0.8, random)
    const ids = Array.from({ length: 80_000 }, drawn)
    const sizeOf = (): number => UNIT
    const capacity = 3000 * UNIT
    const exact = done(
      replay(
        recordingFrom(ids, sizeOf, 1, ids.length, (id) => hashOf(id)),
        simulated(policy, capacity),
      ),
    )
    const rate = 1 / 8
    for (const seed of [1, 2, 3]) {
      const sampled = ids.filter((id) => hashOfKey(`key ${id}`, seed) < rate * 2 ** 32)
      const { hitRatio } = done(
        replay(
          recordingFrom(sampled, sizeOf, rate, ids.length, (id) => hashOfKey(`key ${id}`, seed)),
          simulated(policy, capacity),
        ),
      )
      expect(Math.abs(hitRatio - exact.hitRatio)).toBeLessThan(0.03)
    }
  })
})

describe('a replay of a cache that lets nothing go', () => {
  afterEach(() => vi.restoreAllMocks())

  const key = fc.constantFrom('a', 'b', 'c', 'd')
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ call: fc.constant('fetch'), key }) },
    { weight: 2, arbitrary: fc.record({ call: fc.constantFrom('getSync', 'get'), key }) },
    fc.record({ call: fc.constantFrom('set', 'delete', 'none', 'same', 'clear', 'fail', 'pass'), key }),
    fc.record({ call: fc.constantFrom('second', 'minute'), key }),
  )

  async function make(cache: Cache, clock: FakeClock, call: string, of: string): Promise<void> {
    switch (call) {
      case 'second':
      case 'minute':
        clock.advance(call === 'second' ? 1000 : 60_000)
        return
      case 'getSync':
        cache.getSync(of)
        return
      case 'get':
        await cache.get(of)
        return
      case 'set':
        await cache.set(of, 'value')
        return
      case 'delete':
        await cache.delete(of)
        return
      case 'clear':
        await cache.clear()
        return
      case 'fail':
        await cache.fetch(of, () => Promise.reject(new Error('no'))).catch(() => undefined)
        return
      default:
        await cache.fetch(of, ({ meta }) => {
          if (call === 'none') return notFound()
          if (call === 'same' && meta !== undefined) return notModified()
          return { body: 'fetched', store: call !== 'pass' }
        })
    }
  }

  test('answers what was answered, whatever is asked', async () => {
    const windows = vi.spyOn(Trace.prototype, 'window')
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
        const clock = new FakeClock()
        const cache = await createCacheWith(
          {
            tiers: [memoryStore({ maxBytes: '8MiB', policy: 'lru' })],
            freshness: { ttl: '20s', negativeTtl: '5s' },
          },
          { clock },
        )
        for (const { call, key: of } of steps) await make(cache, clock, call, of)
        await cache.advice()
        const window = windows.mock.results.at(-1)!.value as ReturnType<Trace['window']>
        const recording = { ...done(recordingOf(window)), from: 0 }
        const { hits, misses, revalidated, stale } = cache.stats()
        expect(window.requests).toBe(hits + misses + revalidated + stale)
        const replayed: Replayed = done(replay(recording, simulated('lru', 2 ** 23)))
        const asked = hits + misses + revalidated + stale
        expect(measuredRatio(recording) * asked).toBeCloseTo(asked - misses, 9)
        expect(replayed.hitRatio * asked).toBeCloseTo(asked - misses, 9)
        await cache.close()
      }),
      { numRuns: 60 },
    )
  })

  test('a cache of no size answers nothing, and a look at what is at hand is no second request where it is', async () => {
    const windows = vi.spyOn(Trace.prototype, 'window')
    const cache = await createCacheWith(
      { tiers: [memoryStore({ maxBytes: '1MiB' })] },
      { clock: new FakeClock() },
    )
    const big = Buffer.alloc(60_000)
    for (let at = 0; at < 200; at += 1) {
      const of = `key ${at % 20}`
      if (cache.getSync(of) === undefined) await cache.fetch(of, () => ({ body: big }))
    }
    await cache.advice()
    const recording = { ...done(recordingOf(windows.mock.results.at(-1)!.value)), from: 0 }
    expect(done(replay(recording, simulated('lru', 1))).hitRatio).toBe(0)
    const all = done(replay(recording, simulated('lru', 2 ** 30)))
    // The first time, each is asked for twice: at hand, and of the origin.
    expect(all.requests).toBe(220)
    expect(all.hitRatio).toBeCloseTo(180 / 220)
    await cache.close()
  })
})
