import { setTimeout as pause } from 'node:timers/promises'
import type { Draft, Later, Metadata, Store, StoredEntry } from '../../store/store.js'
import { IN_HAND } from '../../store/store.js'
import { holds, same, samePart } from '../check.js'
import { type Case, caseOf } from '../suite.js'

/** Bounds that the store under test is to be made with. */
export interface StoreBounds {
  readonly maxBytes: number
  readonly maxItemBytes: number
}

/** Makes a new, empty store that nobody has opened. */
export type MakeStore = (bounds: StoreBounds) => Later<Store>

const LOOKS = 200
const LOOK_MS = 5

const KiB = 1024
const MiB = 1024 * KiB

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
  /** Closes the store, unless that was done. */
  close(): Promise<void>
}

export async function open(make: MakeStore, bounds = BOUNDS): Promise<Opened> {
  const store = await make(bounds)
  const evicted: string[] = []
  await store.open({
    now: () => 1_700_000_000_000,
    onEvict: (key) => void evicted.push(key),
    hearsEvictions: () => true,
  })
  let closed = false
  const close = async (): Promise<void> => {
    if (closed) return
    closed = true
    await store.close()
  }
  return { store, evicted, close }
}

/** A case over a store of its own, which is closed after it, whatever came of it. */
export function storeCase(
  make: MakeStore,
  rule: string,
  what: string,
  check: (opened: Opened) => Promise<void>,
): Case {
  return caseOf(rule, what, async () => {
    const opened = await open(make)
    try {
      await check(opened)
    } catch (error) {
      // What was found first is what matters; that it cannot be closed either may come of that.
      await opened.close().catch(() => undefined)
      throw error
    }
    await opened.close()
  })
}

/** Bytes that differ from position to position and from value to value. */
export function bytesOf(size: number, seed: number | string): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4))
  let state = 2166136261
  for (const character of String(seed)) state = Math.imul(state ^ character.charCodeAt(0), 16777619)
  state |= 1
  // Marsaglia's xorshift32: what a store does with megabytes is what should take time, not making them.
  for (let at = 0; at < words.length; at += 1) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[at] = state
  }
  return Buffer.from(words.buffer, 0, size)
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

/** As `write`, of what the store must take. */
export async function mustWrite(draft: Draft, value: Buffer, piece?: number): Promise<void> {
  same(await write(draft, value, piece), true, `what write says to ${value.length} bytes`)
}

/** Commits what the store must keep. */
export async function mustCommit(draft: Draft, metadata: Metadata): Promise<void> {
  same(await draft.commit(metadata), true, `what commit says to ${metadata.size} bytes`)
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
  same(await put(store, key, value, options), true, `whether ${key}, ${value.length} bytes, is kept`)
}

/** The entry of `key`, which must be there. */
export async function mustFind(store: Store, key: string): Promise<StoredEntry> {
  const entry = await store.find(key)
  if (entry === undefined) throw new Error(`find(${JSON.stringify(key)}): expected an entry, found undefined`)
  return entry
}

/** Fails if the store gives an entry for `key`. */
export async function mustMiss(store: Store, key: string): Promise<void> {
  const entry = await store.find(key)
  const size = entry?.metadata.size
  entry?.release()
  holds(entry === undefined, `find(${JSON.stringify(key)})`, 'no entry', `one of ${size} bytes`)
}

/** What memory has in it that a reader hands over. */
const UNTOUCHED = 0xee

/** Reads to the end, `step` bytes at a time, and checks what `read` promises on the way. */
export async function readAll(entry: Pick<StoredEntry, 'read'>, step = 64 * KiB): Promise<Buffer> {
  const pieces: Buffer[] = []
  let position = 0
  for (;;) {
    const target = Buffer.alloc(step, UNTOUCHED)
    const read = await entry.read(target, position)
    holds(
      read >= 0 && read <= step,
      `what read gives for ${step} bytes at ${position}`,
      'as many or fewer',
      read,
    )
    const untouched = target.subarray(read).equals(Buffer.alloc(step - read, UNTOUCHED))
    holds(
      untouched,
      `the memory behind the ${read} bytes that read gave`,
      'what it was before',
      'other bytes',
    )
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
  same(value.length, entry.metadata.size, `the bytes of ${key}, beside the size of its metadata`)
  entry.release()
  return value
}

/** Metadata as it was given to the store: without what that says of its own doing. */
export function asGiven({ compression: _, tierFreshUntil: __, ...given }: Metadata): Metadata {
  return given
}

/** Fails unless the store gave `metadata` back, which it was given so. */
export function sameMetadata(actual: Metadata, expected: Metadata, what = 'the metadata'): void {
  same(known(asGiven(actual)), known(expected), what)
}

/** Without what is said to be undefined, which is as good as not said. */
function known(metadata: Metadata): Record<string, unknown> {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined))
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

/** Fails unless the store says of itself, now or soon, what is `expected`: one that acknowledges before all is done may count a little later. */
export async function sameStats(
  store: Store,
  expected: Parameters<typeof samePart>[1],
  when: string,
): Promise<void> {
  for (let look = 0; look < LOOKS; look += 1) {
    const stats = store.stats() as unknown as Readonly<Record<string, unknown>>
    if (Object.entries(expected).every(([name, value]) => stats[name] === value)) return
    await pause(LOOK_MS)
  }
  samePart(store.stats() as object, expected, `stats() ${when}`)
}
