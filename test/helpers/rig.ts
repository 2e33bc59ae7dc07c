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
import { bufferPool, misuseOf } from './buffer-pool.js'
import { FakeClock } from './clock.js'
import { DistantStore } from './distant-store.js'
import { turns, until } from './gate.js'
import { type SharedMemory, sharedMemory } from './shared-memory.js'
import { SharedStore } from './shared-store.js'

/** The kinds of store that the cache is tested over. */
export type StoreKind = 'memory' | 'distant' | 'shared' | 'tiers'

export interface StoreSizes {
  readonly maxBytes?: number
  readonly maxItemBytes?: number
}

/** A cache under test, with its clock and its store. */
export interface Rig<S extends Store = Store> {
  readonly cache: Cache
  readonly clock: FakeClock
  readonly store: S
  /** The tier below, if there is one. */
  readonly below?: DistantStore
}

const rigs: Rig[] = []
const unhandled: unknown[] = []
const onUnhandled = (reason: unknown): void => void unhandled.push(reason)
process.on('unhandledRejection', onUnhandled)

export async function rigOver<S extends Store>(
  store: S,
  options: CacheOptions = {},
  clock = new FakeClock(),
): Promise<Rig<S>> {
  // Whatever else the machine is doing, unless a test is about that.
  const cache = await createCacheWith({ pressure: false, bufferPool, ...options, tiers: [store] }, { clock })
  const rig = { cache, clock, store }
  rigs.push(rig)
  return rig
}

/** A cache over `store`, and `below` it a distant one. */
export async function rigOverTiers<S extends Store>(
  store: S,
  below: DistantStore,
  options: CacheOptions = {},
  clock = new FakeClock(),
): Promise<Rig<S> & { readonly below: DistantStore }> {
  const tiers = [store, below]
  const cache = await createCacheWith({ pressure: false, bufferPool, ...options, tiers }, { clock })
  const rig = { cache, clock, store, below }
  rigs.push(rig)
  return rig
}

/** A cache over a store of `kind`: 64 MiB, values up to 8 MiB, unless told otherwise. */
export function rig(kind: StoreKind, options: CacheOptions = {}, sizes: StoreSizes = {}): Promise<Rig> {
  const given = { maxBytes: 64 * 2 ** 20, maxItemBytes: 8 * 2 ** 20, ...sizes }
  if (kind === 'distant') return rigOver(new DistantStore(given), options)
  if (kind === 'tiers') return rigOverTiers(memoryStore(given), new DistantStore(given), options)
  return rigOver(kind === 'memory' ? memoryStore(given) : sharedMemory(given).attach(), options)
}

export function distantRig(options: CacheOptions = {}, sizes: StoreSizes = {}): Promise<Rig<DistantStore>> {
  const given = { maxBytes: 64 * 2 ** 20, maxItemBytes: 8 * 2 ** 20, ...sizes }
  return rigOver(new DistantStore(given), options)
}

/** Caches of so many "threads" over one memory, with one clock. */
export async function sharedRigs(
  count: number,
  options: CacheOptions = {},
  sizes: StoreSizes = {},
): Promise<{ memory: SharedMemory; rigs: Rig<SharedStore>[]; clock: FakeClock }> {
  const memory = sharedMemory(sizes)
  const clock = new FakeClock()
  const made: Rig<SharedStore>[] = []
  for (let i = 0; i < count; i += 1) made.push(await rigOver(memory.attach(), options, clock))
  return { memory, rigs: made, clock }
}

/** What the first tier of a cache over `kind` is called. */
export function firstTierOf(kind: StoreKind): string {
  return kind === 'tiers' ? 'memory' : kind
}

/** Resolves when the tiers below have what the first has, and hold nothing of it. */
export function upToDate({ cache }: Pick<Rig, 'cache'>): Promise<void> {
  return until(() => cache.stats().tiers.every(({ pending }) => pending === 0), 'the tiers are up to date')
}

/** Runs `suite` over each kind of store. */
export function overStores(suite: (kind: StoreKind) => void): void {
  describe.each(['memory', 'distant', 'shared', 'tiers'] as const)('over a %s store', suite)
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

/** Closes the caches, and says what is left of them: bytes held, bodies, timers. */
export async function leftOf(...made: Rig[]): Promise<string[]> {
  const closings = made.map((one) => {
    const at = rigs.indexOf(one)
    if (at >= 0) rigs.splice(at, 1)
    if (one.store instanceof DistantStore) one.store.heal()
    one.below?.heal()
    return one.cache.close()
  })
  let closed = false
  const closing = Promise.all(closings).finally(() => {
    closed = true
  })
  // Work that a test left open ends with the shutdown timeout.
  for (let i = 0; i < 3 && !closed; i += 1) {
    await turns(3)
    for (const { clock } of made) clock.advance(10_000)
  }
  await closing
  await turns(3)
  return made.flatMap(left)
}

function left({ cache, clock, store, below }: Rig): string[] {
  const { openBodies, filling, tiers, pool } = cache.stats()
  const counts: Record<string, number> = {
    'open bodies': openBodies,
    'fills under way': filling,
    'pinned bytes': tiers[0]!.pinnedBytes,
    'timers set': clock.pending,
    ...misuseOf(pool),
  }
  if (store instanceof SharedStore) {
    counts['passes that are not over'] = store.memory.passes.size
    counts['flights that were not left'] = store.followed.size
  }
  const distant = store instanceof DistantStore ? store : below
  if (distant !== undefined) {
    counts['open drafts'] = distant.openDrafts
    counts['open entries'] = distant.openEntries
  }
  const said = Object.entries(counts).flatMap(([what, count]) => (count === 0 ? [] : [`${what}: ${count}`]))
  if (store instanceof SharedStore) said.push(...store.memory.misuse)
  if (distant !== undefined) said.push(...distant.misuse)
  return said
}

/** Every rig of the test that ended, when the test file imports this helper. */
afterEach(async () => {
  expect(await leftOf(...rigs), 'what is left').toEqual([])
  expect(unhandled.splice(0), 'unhandled rejections').toEqual([])
})
