import { expect } from 'vitest'
import type { EvictionPolicy, PolicyName } from '../../lib/policy/policy.js'
import { jsMemoryStore } from '../../lib/store/memory/js.js'
import type { MemoryStore } from '../../lib/store/memory/memory-store.js'
import { DEFAULT_POLICY } from '../../lib/store/memory/options.js'
import {
  type Draft,
  IN_HAND,
  type Later,
  type Metadata,
  type Store,
  type StoredEntry,
} from '../../lib/store/store.js'

/** Bounds that the store under test is to be made with. */
export interface StoreBounds {
  readonly maxBytes: number
  readonly maxItemBytes: number
}

/** Makes a new, empty store that nobody has opened. */
export type MakeStore = (bounds: StoreBounds) => Later<Store>

const KiB = 1024
const MiB = 1024 * KiB

/** The js engine of `memoryStore`, told bounds that no option allows. */
export function jsStore(
  maxBytes: number,
  maxItemBytes = maxBytes,
  policy: PolicyName | EvictionPolicy = DEFAULT_POLICY,
  maxHeads?: number,
): MemoryStore {
  return jsMemoryStore({ maxBytes, maxItemBytes, maxItemFollows: false, policy, name: undefined }, maxHeads)
}

export const BOUNDS: StoreBounds = { maxBytes: 4 * MiB, maxItemBytes: 512 * KiB }

/** Sizes around every border that a store may have: nothing, the first chunk, in hand or held, whole chunks. */
export const SIZES: readonly number[] = [
  0,
  1,
  100,
  ...[4 * KiB, IN_HAND, 2 * IN_HAND, 3 * IN_HAND].flatMap((border) => [border - 1, border, border + 1]),
  BOUNDS.maxItemBytes - 1,
  BOUNDS.maxItemBytes,
]

/** An opened store, and the keys that it said it evicted. */
export interface Opened {
  readonly store: Store
  readonly evicted: string[]
}

export async function open(make: MakeStore, bounds = BOUNDS): Promise<Opened> {
  const store = await make(bounds)
  const evicted: string[] = []
  await store.open({
    now: () => 1_700_000_000_000,
    onEvict: (key) => void evicted.push(key),
    hearsEvictions: () => true,
  })
  return { store, evicted }
}

/** Bytes that differ at every position and from value to value. */
export function bytesOf(size: number, seed: number | string): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  let state = 2166136261
  for (const character of String(seed)) state = Math.imul(state ^ character.charCodeAt(0), 16777619)
  for (let at = 0; at < size; at += 1) {
    state = Math.imul(state, 1664525) + 1013904223
    bytes[at] = state >>> 24
  }
  return bytes
}

export function metadataFor(size: number, more: Partial<Metadata> = {}): Metadata {
  return {
    size,
    cachedAt: 1_700_000_000_000,
    freshUntil: 4_000_000_000_000,
    staleUntil: more.freshUntil ?? 4_000_000_030_000,
    staleIfErrorUntil: 4_000_000_060_000,
    negative: false,
    tags: [],
    ...more,
  }
}

export interface PutOptions {
  /** Size told to `draft`. Default: the value's. */
  readonly declared?: number | undefined
  /** Largest piece to write. Default: all at once. */
  readonly piece?: number
  readonly metadata?: Metadata
}

/** A draft that the store must give. */
export async function begin(store: Store, key: string, size?: number): Promise<Draft> {
  const draft = await store.draft(key, size)
  if (draft === undefined) throw new Error(`the store refused a draft of ${size} bytes for ${key}`)
  return draft
}

/** Writes `value` in pieces; says whether all of it was taken. */
export async function write(
  draft: Draft,
  value: Buffer,
  piece = Math.max(1, value.length),
): Promise<boolean> {
  for (let at = 0; at < value.length; at += piece) {
    if (!(await draft.write(value.subarray(at, at + piece)))) return false
  }
  return true
}

/** Sets `key`; says whether the store keeps it. A draft that was refused is aborted. */
export async function put(
  store: Store,
  key: string,
  value: Buffer,
  options: PutOptions = {},
): Promise<boolean> {
  const declared = 'declared' in options ? options.declared : value.length
  const draft = await store.draft(key, declared)
  if (draft === undefined) return false
  if (!(await write(draft, value, options.piece))) {
    draft.abort()
    return false
  }
  return draft.commit(options.metadata ?? metadataFor(value.length))
}

/** Sets `key`, which must succeed. */
export async function mustPut(store: Store, key: string, value: Buffer, options?: PutOptions): Promise<void> {
  expect(await put(store, key, value, options), `set ${key}, ${value.length} bytes`).toBe(true)
}

/** The entry of `key`, which must be there. */
export async function mustFind(store: Store, key: string): Promise<StoredEntry> {
  const entry = await store.find(key)
  if (entry === undefined) throw new Error(`${key} is not there`)
  return entry
}

/** Reads to the end, `step` bytes at a time, and checks what `read` promises on the way. */
export async function readAll(entry: Pick<StoredEntry, 'read'>, step = 64 * KiB): Promise<Buffer> {
  const pieces: Buffer[] = []
  let position = 0
  for (;;) {
    const target = Buffer.alloc(step, 0xee)
    const read = await entry.read(target, position)
    expect(read).toBeLessThanOrEqual(step)
    expect(target.subarray(read).every((byte) => byte === 0xee)).toBe(true)
    if (read === 0) return Buffer.concat(pieces)
    pieces.push(target.subarray(0, read))
    position += read
  }
}

/** As `readAll`, by `view`. */
export function viewAll(view: (position: number) => Uint8Array): Buffer {
  const pieces: Uint8Array[] = []
  let position = 0
  for (;;) {
    const piece = view(position)
    if (piece.length === 0) return Buffer.concat(pieces)
    // Copied now: a view is only lent.
    pieces.push(Uint8Array.from(piece))
    position += piece.length
  }
}

/** The value of `key`, opened, read and released; undefined when there is none. */
export async function readValue(store: Store, key: string): Promise<Buffer | undefined> {
  const entry = await store.find(key)
  if (entry === undefined) return undefined
  const value = await readAll(entry)
  expect(value.length).toBe(entry.metadata.size)
  entry.release()
  return value
}

/** Equality of large values that fails with a position instead of megabytes of difference. */
export function expectBytes(actual: Buffer | undefined, expected: Buffer): void {
  if (actual === undefined) throw new Error('there is no value')
  if (actual.equals(expected)) return
  const at = actual.findIndex((byte, index) => byte !== expected[index])
  throw new Error(
    `got ${actual.length} bytes, want ${expected.length}; the first difference is at ${at === -1 ? actual.length : at}`,
  )
}

/** Metadata as it was given to the store: without what that says of its own doing. */
export function asGiven({ compression: _, ...given }: Metadata): Metadata {
  return given
}

/** Keys and metadata, as they were given. */
export async function scan(store: Store): Promise<Array<readonly [string, Metadata]>> {
  const all: Array<readonly [string, Metadata]> = []
  for await (const [key, metadata] of store.entries()) all.push([key, asGiven(metadata)])
  return all
}

export async function keysOf(store: Store): Promise<string[]> {
  return (await scan(store)).map(([key]) => key).sort()
}
