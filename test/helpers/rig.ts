import { afterEach, describe, expect } from 'vitest'
import { createCacheWith } from '../../lib/cache/create.js'
import {
  type Answer,
  type Cache,
  type CacheOptions,
  type Found,
  memoryStore,
  type Store,
} from '../../lib/index.js'
import { FakeClock } from './clock.js'
import { DistantStore } from './distant-store.js'
import { turns, until } from './gate.js'

/** The kinds of store that the cache is tested over. */
export type StoreKind = 'memory' | 'distant'

export interface StoreSizes {
  readonly maxBytes?: number
  readonly maxItemBytes?: number
}

/** A cache under test, with its clock and its store. */
export interface Rig<S extends Store = Store> {
  readonly cache: Cache
  readonly clock: FakeClock
  readonly store: S
}

const rigs: Rig[] = []
const unhandled: unknown[] = []
const onUnhandled = (reason: unknown): void => void unhandled.push(reason)
process.on('unhandledRejection', onUnhandled)

export async function rigOver<S extends Store>(store: S, options: CacheOptions = {}): Promise<Rig<S>> {
  const clock = new FakeClock()
  const cache = await createCacheWith({ ...options, tiers: [store] }, { clock })
  const rig = { cache, clock, store }
  rigs.push(rig)
  return rig
}

/** A cache over a store of `kind`: 64 MiB, values up to 8 MiB, unless told otherwise. */
export function rig(kind: StoreKind, options: CacheOptions = {}, sizes: StoreSizes = {}): Promise<Rig> {
  const given = { maxBytes: 64 * 2 ** 20, maxItemBytes: 8 * 2 ** 20, ...sizes }
  return rigOver(kind === 'memory' ? memoryStore(given) : new DistantStore(given), options)
}

export function distantRig(options: CacheOptions = {}, sizes: StoreSizes = {}): Promise<Rig<DistantStore>> {
  const given = { maxBytes: 64 * 2 ** 20, maxItemBytes: 8 * 2 ** 20, ...sizes }
  return rigOver(new DistantStore(given), options)
}

/** Runs `suite` over each kind of store. */
export function overStores(suite: (kind: StoreKind) => void): void {
  describe.each(['memory', 'distant'] as const)('over a %s store', suite)
}

/** The answer is a value, or the test fails. */
export function found(answer: Answer | undefined): Found {
  if (answer?.status !== 'ok') throw new Error(`want a value; got ${answer?.status}`)
  return answer
}

/** Resolves when no fill is under way: what was fetched is kept by now, or will not be. */
export function settled({ cache }: Rig): Promise<void> {
  return until(() => cache.stats().filling === 0, 'all fills are done')
}

/** A fetcher that must not be called. */
export const noOrigin = (): never => {
  throw new Error('the origin was asked')
}

/** Closes the cache, and says what is left of it: bytes held, bodies, timers. */
export async function leftOf(made: Rig): Promise<string[]> {
  const at = rigs.indexOf(made)
  if (at >= 0) rigs.splice(at, 1)
  const { cache, clock, store } = made
  if (store instanceof DistantStore) store.heal()
  let closed = false
  const closing = cache.close().finally(() => {
    closed = true
  })
  // Work that a test left open ends with the shutdown timeout.
  for (let i = 0; i < 3 && !closed; i += 1) {
    await turns(3)
    clock.advance(10_000)
  }
  await closing
  await turns(3)
  const { openBodies, filling, tiers } = cache.stats()
  const left: Record<string, number> = {
    'open bodies': openBodies,
    'fills under way': filling,
    'pinned bytes': tiers[0]!.pinnedBytes,
    'timers set': clock.pending,
  }
  if (store instanceof DistantStore) {
    left['open drafts'] = store.openDrafts
    left['open entries'] = store.openEntries
  }
  const said = Object.entries(left).flatMap(([what, count]) => (count === 0 ? [] : [`${what}: ${count}`]))
  return store instanceof DistantStore ? [...said, ...store.misuse] : said
}

/** Every rig of the test that ended, when the test file imports this helper. */
afterEach(async () => {
  for (const made of [...rigs]) expect(await leftOf(made), 'what is left').toEqual([])
  expect(unhandled.splice(0), 'unhandled rejections').toEqual([])
})
