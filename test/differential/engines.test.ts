import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCacheWith } from '../../lib/cache/create.js'
import type { Cache } from '../../lib/index.js'
import { native } from '../../lib/native/loader.js'
import type { MemoryStore } from '../../lib/store/memory/memory-store.js'
import type { Metadata, StoreStats } from '../../lib/store/store.js'
import { bufferPool } from '../helpers/buffer-pool.js'
import { FakeClock } from '../helpers/clock.js'
import { type Call, calls, type Seen } from './memory/calls.js'
import { policies } from './memory/commands.js'
import { pair } from './memory/engines.js'
import { START, someBytes } from './memory/values.js'

/*
 * I10: the same calls of a cache over the native engine and over the js engine give the same: where there is room for
 * all, in every particular; where there is not, the same bytes or a miss.
 */

const MiB = 2 ** 20
const RUNS = Number(process.env['MODEL_RUNS'] ?? 1)
const OPTIONS = { freshness: { ttl: 10_000, staleIfError: 5_000, negativeTtl: 1_000 } }

interface Side {
  readonly cache: Cache
  readonly clock: FakeClock
  readonly store: MemoryStore
  /** What was put under each key last, as far as the calls said so. */
  readonly put: Map<string, Buffer>
}

async function sides(maxBytes: number, maxItemBytes: number, policy: Parameters<typeof pair>[0]['policy']) {
  const made = pair({ maxBytes, maxItemBytes, policy }).map(async (store): Promise<Side> => {
    const clock = new FakeClock(START)
    const cache = await createCacheWith({ ...OPTIONS, bufferPool, tiers: [store] }, { clock })
    return { cache, clock, store, put: new Map() }
  })
  return Promise.all(made)
}

/** What both must count alike. Bytes held are each engine's own, so are times and how short memory is, and how often a pool is asked is a matter of who reads when. */
function counted({ cache, store }: Side): unknown {
  const { tiers, pool: _, pressure: __, metrics, ...counts } = cache.stats()
  const { failures, lookups, stores, storedBytes, answers } = tiers[0]!
  const { entries, evictions, expirations, policyFaults, refusals }: StoreStats = store.stats()
  const ofTier = { failures, lookups, stores, storedBytes, answers }
  return {
    ...counts,
    ...ofTier,
    errors: metrics.errors,
    entries,
    evictions,
    expirations,
    policyFaults,
    refusals,
  }
}

async function scanned({ cache }: Side): Promise<unknown[]> {
  const all: Array<readonly [string, unknown]> = []
  for await (const each of cache.entries()) all.push(each)
  return all.sort(([a], [b]) => (a < b ? -1 : 1))
}

const digest = ({ value, put, sent, ...rest }: Seen): unknown => ({
  ...rest,
  value: value?.length,
  put: put?.length,
  sent: sent?.length,
})

function expectAlike(call: Call, [one, other]: readonly Seen[]): void {
  expect(digest(one!), `${call.name}: the native engine`).toEqual(digest(other!))
  const same = one!.value === undefined || one!.value.equals(other!.value!)
  expect(same, `${call.name}: the same bytes`).toBe(true)
}

/** What an engine with too little room answered is what the origin just sent, or what was put last, or nothing. */
function expectLast(call: Call, { put }: Side, { value, sent, put: own, error }: Seen): void {
  const { key } = call
  if (key !== undefined && value !== undefined) {
    const right = (sent ?? put.get(key))?.equals(value)
    expect(right, `${call.name}: the bytes that were put last`).toBe(true)
  }
  if (call.removes && error === undefined) {
    if (key === undefined) put.clear()
    else put.delete(key)
  }
  if (key !== undefined && own !== undefined) put.set(key, own)
}

async function over(
  sizes: readonly [maxBytes: number, maxItemBytes: number],
  runs: number,
  compare: (made: readonly Side[], call: Call, seen: readonly Seen[]) => void | Promise<void>,
  atEnd: (made: readonly Side[]) => Promise<void>,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      policies(),
      fc.array(calls, { maxLength: 60, size: 'max' }),
      async (policy, sequence) => {
        const made = await sides(...sizes, policy)
        try {
          for (const call of sequence) {
            const seen: Seen[] = []
            for (const { cache, clock } of made) seen.push(await call.make(cache, clock))
            await compare(made, call, seen)
          }
          await atEnd(made)
        } finally {
          for (const { cache } of made) await cache.close()
        }
        for (const { clock } of made) expect(clock.pending).toBe(0)
      },
    ),
    { numRuns: Math.ceil(runs * RUNS) },
  )
}

describe.skipIf(native() === undefined)('I10: the engines of the memory store', () => {
  test('answer, fail and count alike where there is room for all', { timeout: 120_000 }, async () => {
    await over(
      [64 * MiB, 600_000],
      60,
      (made, call, seen) => {
        expectAlike(call, seen)
        expect(counted(made[0]!), `${call.name}: counts`).toEqual(counted(made[1]!))
      },
      async (made) => expect(await scanned(made[0]!)).toEqual(await scanned(made[1]!)),
    )
  })

  test('give what was put last, or a miss, where there is not', { timeout: 120_000 }, async () => {
    await over(
      [MiB, 600_000],
      60,
      async (made, call, seen) => {
        for (const [at, each] of seen.entries()) expectLast(call, made[at]!, each)
        if (!call.name.startsWith('advance')) return
        // Some that nobody asks for, so that others have to go.
        for (const { cache } of made) {
          for (let n = 0; n < 12; n += 1) await cache.set(`press ${n}`, someBytes(50_000)).catch(onlyNoSpace)
        }
      },
      async (made) => {
        for (const side of made) {
          for (const [key, meta] of (await scanned(side)) as Array<[string, Metadata]>) {
            const last = side.put.get(key)
            if (last !== undefined && !meta.negative) expect(meta.size).toBe(last.length)
          }
        }
      },
    )
  })
})

function onlyNoSpace(error: { readonly code?: string }): void {
  if (error.code !== 'ERR_DREY_NO_SPACE') throw error
}
