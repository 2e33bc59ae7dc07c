import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { POLICY_NAMES } from '../../../lib/policy/policy.js'
import { ENTRY_OVERHEAD } from '../../../lib/store/memory/entry.js'
import type { MemoryStore } from '../../../lib/store/memory/memory-store.js'
import { CHUNK_OVERHEAD } from '../../../lib/store/memory/value.js'
import { type Draft, IN_HAND, type Metadata, type StoredEntry } from '../../../lib/store/store.js'
import { bytesOf, jsStore, keysOf, metadataFor, mustPut } from '../../conformance/store-kit.js'

/*
 * What has expired is found as long as its memory is not wanted, and leaves before anything that is of use.
 */

const START = 1_700_000_000_000
const costOf = (size: number): number =>
  ENTRY_OVERHEAD + 1 + size + Math.ceil(size / IN_HAND) * CHUNK_OVERHEAD

interface Made {
  readonly store: MemoryStore
  readonly clock: { now: number }
  readonly left: string[]
}

function make(maxBytes: number, policy: Parameters<typeof jsStore>[2] = 'lru'): Made {
  const store = jsStore(maxBytes, maxBytes, policy)
  const clock = { now: START }
  const left: string[] = []
  store.open({ now: () => clock.now, onEvict: (key) => void left.push(key), hearsEvictions: () => true })
  return { store, clock, left }
}

/** Sets `key`, of use for `fresh` and, answering errors, `stale` ms. */
const putFor = ({ store, clock }: Made, key: string, fresh: number, stale = 0, size = 1000): Promise<void> =>
  mustPut(store, key, bytesOf(size, key), {
    metadata: metadataFor(size, {
      cachedAt: clock.now,
      freshUntil: clock.now + fresh,
      staleIfErrorUntil: clock.now + fresh + stale,
    }),
  })

const openOf = ({ store }: Made, key: string): StoredEntry => store.find(key, true) as StoredEntry

describe('an expired entry', () => {
  test('goes before the live ones, whatever the policy wants', async () => {
    const made = make(3 * costOf(1000))
    await putFor(made, 'a', Number.POSITIVE_INFINITY)
    await putFor(made, 'b', 1000)
    await putFor(made, 'c', Number.POSITIVE_INFINITY)
    openOf(made, 'b').release()
    made.clock.now += 1000
    await putFor(made, 'd', Number.POSITIVE_INFINITY)
    expect(made.left).toEqual(['b'])
    expect(made.store.stats()).toMatchObject({ expirations: 1, evictions: 0, entries: 3 })
    await putFor(made, 'e', Number.POSITIVE_INFINITY)
    expect(made.left).toEqual(['b', 'a'])
    expect(made.store.stats()).toMatchObject({ expirations: 1, evictions: 1 })
  })

  test('is one that is past answering errors, too; until then it is live', async () => {
    const made = make(2 * costOf(1000))
    await putFor(made, 'a', Number.POSITIVE_INFINITY)
    await putFor(made, 'b', 1000, 5000)
    made.clock.now += 5999
    await putFor(made, 'c', 10)
    expect(made.left).toEqual(['a'])
    made.clock.now += 1
    await putFor(made, 'd', 10)
    expect(made.left).toEqual(['a', 'b'])
    expect(made.store.stats()).toMatchObject({ expirations: 1, evictions: 1 })
  })

  test('is found as long as its memory is not wanted', async () => {
    const made = make(10 * costOf(1000))
    await putFor(made, 'a', 1)
    made.clock.now += 1e9
    await putFor(made, 'b', 1)
    expect(openOf(made, 'a').metadata.freshUntil).toBe(START + 1)
    expect(made.store.stats()).toMatchObject({ entries: 2, expirations: 0 })
  })

  test('that was revised is live again', async () => {
    const made = make(2 * costOf(1000))
    await putFor(made, 'a', 1000)
    await putFor(made, 'b', Number.POSITIVE_INFINITY)
    made.clock.now += 2000
    const metadata = metadataFor(1000, { freshUntil: made.clock.now + 1000, staleIfErrorUntil: 0 })
    expect(made.store.revise('a', openOf(made, 'a'), metadata)).toBe(true)
    await putFor(made, 'c', Number.POSITIVE_INFINITY)
    expect(made.store.stats()).toMatchObject({ expirations: 0, evictions: 1 })
  })

  test('that is being read stays, and goes first once it is let go', async () => {
    const size = IN_HAND + 1
    const made = make(3 * costOf(size))
    await putFor(made, 'a', 1000, 0, size)
    await putFor(made, 'b', Number.POSITIVE_INFINITY, 0, size)
    await putFor(made, 'c', Number.POSITIVE_INFINITY, 0, size)
    const reading = openOf(made, 'a')
    made.clock.now += 2000
    await putFor(made, 'd', Number.POSITIVE_INFINITY, 0, size)
    expect(made.left).toEqual(['b'])
    reading.release()
    await putFor(made, 'e', Number.POSITIVE_INFINITY, 0, size)
    expect(made.left).toEqual(['b', 'a'])
    expect(made.store.stats()).toMatchObject({ expirations: 1, evictions: 1, pinnedBytes: 0 })
  })

  test('is not waited for when the clock goes back, nor counted when it was deleted or overwritten', async () => {
    const made = make(2 * costOf(1000))
    await putFor(made, 'a', 1000)
    await putFor(made, 'b', 1000)
    made.clock.now -= 1e6
    await putFor(made, 'c', 1000)
    made.clock.now += 2e6
    made.store.delete('b')
    await putFor(made, 'c', Number.POSITIVE_INFINITY)
    await putFor(made, 'd', Number.POSITIVE_INFINITY)
    expect(await keysOf(made.store)).toEqual(['c', 'd'])
    expect(made.store.stats()).toMatchObject({ expirations: 0, evictions: 1 })
  })
})

describe.each(POLICY_NAMES)('whatever happens, under %s', (policy) => {
  test('nothing that is of use leaves while something is there that is not', () => {
    const keys = 'abcdefghijklmnop'
    const key = fc.constantFrom(...keys)
    const ttl = fc.oneof(
      { weight: 1, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
      { weight: 4, arbitrary: fc.nat(100_000) },
    )
    const size = fc.oneof(fc.nat(2000), fc.constant(IN_HAND + 100))
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ set: key, ttl, size }) },
      { weight: 1, arbitrary: fc.record({ open: key }) },
      { weight: 1, arbitrary: fc.record({ letGo: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ revise: key, ttl }) },
      { weight: 1, arbitrary: fc.record({ remove: key }) },
      { weight: 2, arbitrary: fc.record({ pass: fc.nat(60_000) }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const made = make(4 * costOf(IN_HAND + 100), policy)
        const { store, clock, left } = made
        /** Deadlines of what is there. */
        const deadlines = new Map<string, number>()
        const opened: Array<readonly [string, StoredEntry]> = []
        const of = (fresh: number, bytes: number): Metadata =>
          metadataFor(bytes, {
            cachedAt: clock.now,
            freshUntil: clock.now + fresh,
            staleIfErrorUntil: clock.now + fresh,
          })
        /** Of what left in this step, nothing was live if something expired, that nobody reads, was spared. */
        const check = (before: ReadonlyMap<string, number>, set: string | undefined): void => {
          const gone = left.splice(0)
          const there = new Set(
            [...(store.entries() as Iterable<readonly [string, Metadata]>)].map(([name]) => name),
          )
          for (const one of gone) if (!there.has(one)) deadlines.delete(one)
          const held = new Set(opened.map(([name]) => name))
          const spared = [...deadlines].filter(
            ([name, deadline]) => name !== set && deadline <= clock.now && !held.has(name),
          )
          const live = gone.filter((name) => (before.get(name) ?? 0) > clock.now)
          if (live.length > 0) expect(spared).toEqual([])
          expect(store.stats().bytes).toBeLessThanOrEqual(store.stats().maxBytes)
          expect(store.stats().entries).toBe(deadlines.size)
        }
        for (const at of steps) {
          const before = new Map(deadlines)
          let set: string | undefined
          if ('set' in at) {
            set = at.set
            const draft = store.draft(at.set, at.size) as Draft | undefined
            const done =
              draft?.write(bytesOf(at.size, at.set)) === true && draft.commit(of(at.ttl, at.size)) === true
            if (done) deadlines.set(at.set, clock.now + at.ttl)
            else draft?.abort()
          } else if ('open' in at) {
            const entry = store.find(at.open) as StoredEntry | undefined
            if (entry !== undefined) opened.push([at.open, entry])
          } else if ('letGo' in at) {
            opened.splice(at.letGo % Math.max(1, opened.length), 1)[0]?.[1].release()
          } else if ('revise' in at) {
            const entry = store.find(at.revise, true) as StoredEntry | undefined
            if (entry !== undefined) {
              expect(store.revise(at.revise, entry, of(at.ttl, entry.metadata.size))).toBe(true)
              deadlines.set(at.revise, clock.now + at.ttl)
              entry.release()
            }
          } else if ('remove' in at) {
            if (store.delete(at.remove) === true) deadlines.delete(at.remove)
          } else clock.now += at.pass
          check(before, set)
        }
        for (const [, entry] of opened) entry.release()
        expect(store.stats().pinnedBytes).toBe(0)
      }),
      { numRuns: 80 },
    )
  })
})
