import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ENTRY_OVERHEAD } from '../../../lib/store/memory/entry.js'
import {
  type Draft,
  IN_HAND,
  type Later,
  type Metadata,
  type Store,
  type StoredEntry,
} from '../../../lib/store/store.js'
import { bytesOf, jsStore, metadataFor, viewAll } from '../../conformance/store-kit.js'
import { MemoryModel, type ModelEntry } from './memory-model.js'

/*
 * The js engine, with the policy that is easiest to foretell, against a model that recomputes everything from nothing: sums of the ledger, order of use, values,
 * metadata, scans and what is evicted must agree after every step.
 */

const KEYS = ['a', 'b', 'c', 'd', 'e', '__proto__', 'a key that is longer than a slice'] as const
const NOISE = bytesOf(300_000, 'noise')
const RUNS = 150

interface World {
  readonly store: Store
  readonly evicted: string[]
  readonly drafts: Array<{ readonly draft: Draft; readonly model: ModelEntry }>
  readonly holds: Array<{ readonly letGo: () => void; readonly model: ModelEntry }>
  readonly opens: Array<{
    readonly entry: StoredEntry
    readonly model: ModelEntry
    readonly metadata: Metadata
  }>
  readonly scans: Array<{
    readonly given: Iterator<readonly [string, Metadata]>
    last: number
    after: number
  }>
}

/** The engine answers at once. */
function now<T>(answer: Later<T>): T {
  if (answer instanceof Promise) throw new Error('the js engine answers at once')
  return answer
}

function makeWorld(maxBytes: number, maxItemBytes: number, maxHeads: number): World {
  const evicted: string[] = []
  const store = jsStore(maxBytes, maxItemBytes, 'lru', maxHeads)
  now(store.open({ now: () => 0, onEvict: (key) => void evicted.push(key), hearsEvictions: () => true }))
  return { store, evicted, drafts: [], holds: [], opens: [], scans: [] }
}

/** All that must be true after each step. */
function check(model: MemoryModel, { store, evicted, drafts }: World): void {
  const stats = store.stats()
  expect({ ...stats, evicted }).toEqual({
    entries: model.entries.size,
    bytes: model.total,
    pinnedBytes: model.pinned,
    maxBytes: model.maxBytes,
    maxItemBytes: model.maxItemBytes,
    evictions: model.evicted.length,
    expirations: 0,
    policyFaults: 0,
    policy: expect.any(String),
    refusals: model.refusals,
    evicted: model.evicted,
  })
  expect(stats.bytes).toBeLessThanOrEqual(stats.maxBytes)
  expect(stats.pinnedBytes).toBeLessThanOrEqual(stats.bytes)
  expect(model.heads).toBeLessThanOrEqual(model.maxHeads)
  for (const key of KEYS) {
    const entry = now(store.find(key, true))
    expect(entry?.metadata).toEqual(model.entries.get(key)?.metadata)
    entry?.release()
  }
  for (const { draft, model: entry } of drafts) {
    expect(draft.growing!.view(entry.bytes.length)).toHaveLength(0)
  }
}

function expectValue(view: (position: number) => Uint8Array, expected: Buffer): void {
  if (!viewAll(view).equals(expected)) throw new Error(`wrong bytes, ${expected.length} wanted`)
}

type Step = (model: MemoryModel, world: World) => void

class Command implements fc.Command<MemoryModel, World> {
  readonly #name: string
  readonly #step: Step

  constructor(name: string, step: Step) {
    this.#name = name
    this.#step = step
  }

  check(): boolean {
    return true
  }

  run(model: MemoryModel, world: World): void {
    this.#step(model, world)
    check(model, world)
  }

  toString(): string {
    return this.#name
  }
}

/** Takes the element that `at` picks out of `list`, if there is one. */
function pick<T>(list: readonly T[], at: number): T | undefined {
  return list[at % Math.max(1, list.length)]
}

function take<T>(list: T[], at: number): T | undefined {
  return list.splice(at % Math.max(1, list.length), 1)[0]
}

const steps = {
  begin:
    (key: string, size: number | undefined): Step =>
    (model, { store, drafts }) => {
      const draft = now(store.draft(key, size))
      const entry = model.begin(key, size)
      expect(draft === undefined).toBe(entry === undefined)
      if (draft !== undefined && entry !== undefined) drafts.push({ draft, model: entry })
    },
  write:
    (at: number, size: number, from: number): Step =>
    (model, { drafts }) => {
      const target = pick(drafts, at)
      if (target === undefined) return
      const bytes = NOISE.subarray(from, from + size)
      const taken = now(target.draft.write(bytes))
      const expected = model.write(target.model, bytes)
      expect(taken).toBe(expected)
      // Each draft counts as refused once.
      if (!expected && !refused.has(target.model)) model.refusals += 1
      if (!expected) refused.add(target.model)
    },
  commit:
    (at: number, metadata: Partial<Metadata>): Step =>
    (model, { drafts }) => {
      const target = take(drafts, at)
      if (target === undefined) return
      const full = metadataFor(target.model.bytes.length, metadata)
      const committed = now(target.draft.commit(full))
      const expected = model.commit(target.model, full)
      expect(committed).toBe(expected)
      if (!expected && !refused.has(target.model)) model.refusals += 1
      target.draft.abort()
    },
  abort:
    (at: number): Step =>
    (model, { drafts }) => {
      const target = take(drafts, at)
      if (target === undefined) return
      target.draft.abort()
      target.draft.abort()
      model.drop(target.model)
    },
  hold:
    (at: number): Step =>
    (_, { drafts, holds }) => {
      const target = pick(drafts, at)
      if (target === undefined) return
      holds.push({ letGo: target.draft.growing!.hold(), model: target.model })
      target.model.holds += 1
    },
  letGo:
    (at: number): Step =>
    (model, { holds }) => {
      const held = take(holds, at)
      if (held === undefined) return
      held.letGo()
      held.letGo()
      model.release(held.model)
    },
  find:
    (key: string, peek: boolean): Step =>
    (model, { store, opens }) => {
      const entry = now(store.find(key, peek))
      const expected = model.entries.get(key)
      expect(entry === undefined).toBe(expected === undefined)
      if (entry === undefined || expected === undefined) return
      if (!peek) model.touch(expected)
      if (expected.bytes.length > IN_HAND) expected.holds += 1
      opens.push({ entry, model: expected, metadata: expected.metadata! })
    },
  release:
    (at: number): Step =>
    (model, { opens }) => {
      const open = take(opens, at)
      if (open === undefined) return
      expect(open.entry.metadata).toEqual(open.metadata)
      expectValue((position) => open.entry.view!(position), open.model.bytes)
      open.entry.release()
      open.entry.release()
      if (open.model.bytes.length > IN_HAND) model.release(open.model)
    },
  revise:
    (at: number, more: Partial<Metadata>): Step =>
    (model, { store, opens }) => {
      const open = pick(opens, at)
      if (open === undefined) return
      const metadata = metadataFor(open.model.bytes.length, more)
      const revised = now(store.revise(open.model.key, open.entry, metadata))
      const current = model.entries.get(open.model.key) === open.model
      expect(revised).toBe(current && model.revise(open.model, metadata))
    },
  delete:
    (key: string): Step =>
    (model, { store }) => {
      const entry = model.entries.get(key)
      expect(now(store.delete(key))).toBe(entry !== undefined)
      if (entry !== undefined) model.remove(entry)
    },
  clear: (): Step => (model, world) => {
    now(world.store.clear())
    for (const entry of [...model.entries.values()]) model.remove(entry)
  },
  scan:
    (): Step =>
    (model, { store, scans }) => {
      const given = (store.entries() as Iterable<readonly [string, Metadata]>)[Symbol.iterator]()
      // The scan begins with its first step; a generator has done nothing before.
      const first = given.next()
      const expected = model.nextOf(0, model.slots)
      expect(first.done === true ? undefined : first.value).toEqual(
        expected && [expected.key, expected.metadata],
      )
      if (expected !== undefined) scans.push({ given, last: model.slots, after: expected.slot })
    },
  scanOn:
    (at: number): Step =>
    (model, { scans }) => {
      const scan = pick(scans, at)
      if (scan === undefined) return
      const next = scan.given.next()
      const expected = model.nextOf(scan.after, scan.last)
      expect(next.done === true ? undefined : next.value).toEqual(
        expected && [expected.key, expected.metadata],
      )
      if (expected === undefined) scans.splice(scans.indexOf(scan), 1)
      else scan.after = expected.slot
    },
}

/** Drafts of which a write was refused: the engine counts each once. */
let refused = new WeakSet<ModelEntry>()

const key = fc.constantFrom(...KEYS)
const at = fc.nat(20)
const size = fc.oneof(
  fc.nat(200),
  fc.integer({ min: 4090, max: 4100 }),
  fc.integer({ min: 16_380, max: 16_390 }),
  fc.integer({ min: IN_HAND - 2, max: IN_HAND + 2 }),
  fc.integer({ min: 2 * IN_HAND - 2, max: 2 * IN_HAND + 2 }),
  fc.nat(150_001),
)
const metadata: fc.Arbitrary<Partial<Metadata>> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  fc.record({ etag: fc.string({ maxLength: 40 }) }),
  fc.record({ user: fc.jsonValue({ maxDepth: 3 }) }),
  fc.record({ user: fc.constant({ text: 'x'.repeat(40_000) }) }),
)

const commands: Array<fc.Arbitrary<fc.Command<MemoryModel, World>>> = [
  fc
    .tuple(key, fc.option(size, { nil: undefined }))
    .map(([k, n]) => new Command(`begin ${k} ${n}`, steps.begin(k, n))),
  ...[0, 1, 2].map(() =>
    fc
      .tuple(at, size, fc.nat(140_000))
      .map(([i, n, from]) => new Command(`write #${i} ${n}`, steps.write(i, n, from))),
  ),
  ...[0, 1].map(() =>
    fc
      .tuple(at, metadata)
      .map(([i, m]) => new Command(`commit #${i} ${JSON.stringify(m).slice(0, 40)}`, steps.commit(i, m))),
  ),
  at.map((i) => new Command(`abort #${i}`, steps.abort(i))),
  at.map((i) => new Command(`hold #${i}`, steps.hold(i))),
  at.map((i) => new Command(`let go #${i}`, steps.letGo(i))),
  fc.tuple(key, fc.boolean()).map(([k, peek]) => new Command(`find ${k} ${peek}`, steps.find(k, peek))),
  at.map((i) => new Command(`release #${i}`, steps.release(i))),
  fc
    .tuple(at, metadata)
    .map(([i, m]) => new Command(`revise #${i} ${JSON.stringify(m).slice(0, 40)}`, steps.revise(i, m))),
  key.map((k) => new Command(`delete ${k}`, steps.delete(k))),
  fc.constant(new Command('scan', steps.scan())),
  at.map((i) => new Command(`scan on #${i}`, steps.scanOn(i))),
]
// Once in a while only: it takes from the others what they work on.
const clear = fc.constant(new Command('clear', steps.clear()))

function property(maxBytes: number, maxHeads: number): void {
  const sequence = fc.commands([...commands, ...commands, ...commands, clear], {
    maxCommands: 120,
    size: 'max',
  })
  fc.assert(
    fc.property(sequence, (run) => {
      refused = new WeakSet()
      const model = new MemoryModel(maxBytes, 150_000, maxHeads)
      const world = makeWorld(maxBytes, 150_000, maxHeads)
      fc.modelRun(() => ({ model, real: world }), run)
      finish(model, world)
    }),
    { numRuns: RUNS },
  )
}

/** Gives back everything, in an order that differs from that of taking: nothing may be left. */
function finish(model: MemoryModel, world: World): void {
  for (const [key, entry] of model.entries) {
    const found = now(world.store.find(key, true))!
    expectValue((position) => found.view!(position), entry.bytes)
    found.release()
  }
  for (const { draft } of world.drafts) draft.abort()
  for (const { letGo } of world.holds.reverse()) letGo()
  now(world.store.clear())
  for (const { entry, model: of } of world.opens.reverse()) {
    expectValue((position) => entry.view!(position), of.bytes)
    entry.release()
  }
  expect(world.store.stats()).toMatchObject({ entries: 0, bytes: 0, pinnedBytes: 0 })
}

describe('the js engine agrees with its model after every step', () => {
  test('in a store that holds a few large values', { timeout: 120_000 }, () => {
    property(400_000, Number.POSITIVE_INFINITY)
  })
  test('in a store that is mostly pinned', { timeout: 120_000 }, () => {
    property(160_000, Number.POSITIVE_INFINITY)
  })
  test('in a store that is bounded by what lies on the JS heap', { timeout: 120_000 }, () => {
    property(2_000_000, 5 * ENTRY_OVERHEAD)
  })
})
