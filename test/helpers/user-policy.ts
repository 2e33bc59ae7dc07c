import { afterEach, beforeEach, expect } from 'vitest'
import { native } from '../../lib/native/loader.js'
import type { EvictionPolicy, PolicyName } from '../../lib/policy/policy.js'
import { memoryStore } from '../../lib/store/memory/index.js'
import type { MemoryStore } from '../../lib/store/memory/memory-store.js'
import { bytesOf, expectBytes, keysOf, mustPut, readValue } from '../conformance/store-kit.js'

/*
 * What the tests of policies of the user's own share: one to be spoilt, stores that have one, and what is said of it.
 */

export const MiB = 2 ** 20
export const isNative = native() !== undefined
export const warnings: Array<Error & { readonly code?: string }> = []
const unhandled: unknown[] = []
const onWarning = (warning: Error): void => void warnings.push(warning)
const onUnhandled = (reason: unknown): void => void unhandled.push(reason)

/** Collects the warnings of each test, and lets none end with a rejection that nobody handled. */
export function watchProcess(): void {
  beforeEach(() => {
    warnings.length = 0
    unhandled.length = 0
    process.on('warning', onWarning)
    process.on('unhandledRejection', onUnhandled)
  })

  afterEach(async () => {
    await turn()
    process.off('warning', onWarning)
    process.off('unhandledRejection', onUnhandled)
    expect(unhandled).toEqual([])
  })
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

type Methods = Partial<Record<keyof EvictionPolicy, (...all: never[]) => unknown>>

/** Most recently used, but for `methods`, which are called instead. */
export function mru(methods: Methods = {}): EvictionPolicy & { readonly keys: Set<string> } {
  const keys = new Set<string>()
  return {
    keys,
    add: (key: string) => keys.add(key),
    touch: (key: string) => {
      keys.delete(key)
      keys.add(key)
    },
    remove: (key: string) => keys.delete(key),
    evict: () => [...keys].slice(-1),
    ...methods,
  } as EvictionPolicy & { readonly keys: Set<string> }
}

export function make(policy: EvictionPolicy | PolicyName, evicted: string[] = []): MemoryStore {
  const store = memoryStore({ maxBytes: MiB, policy })
  store.open({ now: () => 0, onEvict: (key) => void evicted.push(key), hearsEvictions: () => true })
  return store
}

export const VALUE = 100_000
/** So many values of that size are in a store of 1 MiB, and no more; the native engine wants pages for them. */
export const FULL = isNative ? 9 : 10

export const fill = async (store: MemoryStore, count: number, from = 0): Promise<void> => {
  for (let at = from; at < from + count; at += 1) await mustPut(store, `k${at}`, bytesOf(VALUE, at))
}

/** What must be true of a store whatever its policy did. */
export async function expectWhole(store: MemoryStore): Promise<void> {
  const { bytes, maxBytes, pinnedBytes, entries } = store.stats()
  expect(bytes).toBeLessThanOrEqual(maxBytes)
  expect(pinnedBytes).toBe(0)
  const keys = await keysOf(store)
  expect(keys.length).toBe(entries)
  for (const key of keys) expectBytes(await readValue(store, key), bytesOf(VALUE, Number(key.slice(1))))
  for (const key of keys) store.delete(key)
  expect(store.stats()).toMatchObject({ entries: 0, pinnedBytes: 0 })
  // The native engine counts what it has committed, whether it is in use or not.
  if (!isNative) expect(store.stats().bytes).toBe(0)
}

export const throws = (): never => {
  throw new RangeError('mine')
}
