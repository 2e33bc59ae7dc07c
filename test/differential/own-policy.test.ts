import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { native } from '../../lib/native/loader.js'
import type { EvictionPolicy } from '../../lib/policy/policy.js'
import { ENTRY_OVERHEAD } from '../../lib/store/memory/entry.js'
import type { MemoryStore } from '../../lib/store/memory/memory-store.js'
import { nativeMemoryStore } from '../../lib/store/memory/native.js'
import { CHUNK_OVERHEAD } from '../../lib/store/memory/value.js'
import type { Draft, EvictReason, Metadata, StoredEntry } from '../../lib/store/store.js'
import { expectBytes, jsStore, metadataFor } from '../conformance/store-kit.js'
import { ownLru } from '../helpers/own-lru.js'

/*
 * A policy of the user's own over both engines: what leaves is what it named, in that order; it is told of all that
 * comes and leaves; and where as much fits, both engines say the same to the same calls.
 */

const MiB = 2 ** 20
const START = 1_700_000_000_000

const addon = native()
type Engine = readonly [name: string, make: (maxBytes: number, policy: EvictionPolicy) => MemoryStore]
const engines: Engine[] = [['js', (maxBytes, policy) => jsStore(maxBytes, maxBytes, policy)]]
if (addon !== undefined) {
  engines.push([
    'native',
    (maxBytes, policy) =>
      nativeMemoryStore(
        { maxBytes, maxItemBytes: maxBytes, maxItemFollows: false, policy, name: undefined },
        addon,
      ),
  ])
}

interface World {
  readonly store: MemoryStore
  readonly clock: { now: number }
  readonly left: Array<readonly [string, EvictReason]>
}

function open(store: MemoryStore): World {
  const clock = { now: START }
  const left: Array<readonly [string, EvictReason]> = []
  store.open({
    now: () => clock.now,
    onEvict: (key, reason) => void left.push([key, reason]),
    hearsEvictions: () => true,
  })
  return { store, clock, left }
}

/** Bytes that tell one value from another. */
const bytesOf = (size: number, seed: number | string): Buffer => Buffer.alloc(size, `${seed}/`)

/** Sets a key by one call where the store has one, or by a draft whose size is declared or not. */
function set(store: MemoryStore, key: string, value: Buffer, metadata: Metadata, way: number): boolean {
  if (way === 0 && store.set !== undefined) return store.set(key, value, metadata)
  const draft = store.draft(key, way === 1 ? undefined : value.length) as Draft | undefined
  if (draft === undefined) return false
  const half = value.length >> 1
  const done =
    draft.write(value.subarray(0, half)) === true &&
    draft.write(value.subarray(half)) === true &&
    draft.commit(metadata) === true
  if (!done) draft.abort()
  return done
}

function read(store: MemoryStore, key: string, peek: boolean): Buffer | undefined {
  const entry = store.find(key, peek) as StoredEntry | undefined
  if (entry === undefined) return undefined
  const bytes = Buffer.alloc(entry.metadata.size)
  for (let at = 0; at < bytes.length; ) at += (entry.read(bytes.subarray(at), at) as number) || bytes.length
  entry.release()
  return bytes
}

const keysOf = (store: MemoryStore): string[] =>
  [...(store.entries() as Iterable<readonly [string, Metadata]>)].map(([key]) => key).sort()

const key = fc.nat(39).map((at) => `key ${at}`)
const size = fc.oneof(
  { weight: 4, arbitrary: fc.nat(3000) },
  { weight: 2, arbitrary: fc.nat(70_000) },
  { weight: 1, arbitrary: fc.integer({ min: 70_000, max: 400_000 }) },
)
const ttl = fc.oneof(
  { weight: 3, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
  { weight: 1, arbitrary: fc.nat(1000) },
)
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ set: key, size, ttl, way: fc.nat(2) }) },
  { weight: 4, arbitrary: fc.record({ get: key, peek: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ remove: key }) },
  { weight: 1, arbitrary: fc.record({ revise: key, etag: fc.nat(2000) }) },
  { weight: 1, arbitrary: fc.record({ pass: fc.nat(800) }) },
  { weight: 1, arbitrary: fc.record({ bound: fc.integer({ min: MiB, max: 2 * MiB }) }) },
)

describe.each(engines)('a policy of the user over the %s engine', (_name, make) => {
  test('names all that leaves in its time, in its order, and knows what is there', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 150 }), (steps) => {
        const lru = ownLru()
        const named: string[] = []
        const policy: EvictionPolicy = {
          ...lru,
          evict() {
            const keys = [...lru.evict()]
            named.push(...keys)
            return keys
          },
        }
        const { store, clock, left } = open(make(MiB, policy))
        const values = new Map<string, readonly [Buffer, number]>()
        let seed = 0
        for (const at of steps) {
          const before = [...lru.order]
          if ('set' in at) {
            seed += 1
            const value = bytesOf(at.size, seed)
            const until = clock.now + at.ttl
            const metadata = metadataFor(at.size, { freshUntil: until, staleIfErrorUntil: until })
            // Whatever is there may go, and it is less than half of the bound.
            expect(set(store, at.set, value, metadata, at.way)).toBe(true)
            values.set(at.set, [value, until])
          } else if ('get' in at) {
            const there = read(store, at.get, at.peek)
            expect(there !== undefined).toBe(lru.order.has(at.get))
            if (there !== undefined) expectBytes(there, values.get(at.get)![0])
            if (there !== undefined && !at.peek) expect([...lru.order].at(-1)).toBe(at.get)
            else expect([...lru.order]).toEqual(before)
          } else if ('remove' in at) {
            expect(store.delete(at.remove)).toBe(before.includes(at.remove))
          } else if ('revise' in at) {
            const entry = store.find(at.revise, true) as StoredEntry | undefined
            if (entry !== undefined) {
              const { freshUntil, staleIfErrorUntil } = entry.metadata
              const etag = 'e'.repeat(at.etag)
              store.revise(
                at.revise,
                entry,
                metadataFor(entry.metadata.size, { freshUntil, staleIfErrorUntil, etag }),
              )
              entry.release()
            }
          } else if ('pass' in at) clock.now += at.pass
          else store.configure({ maxBytes: at.bound, maxItemBytes: MiB }).apply()

          const gone = left.splice(0)
          // What is being revised is named in vain: it is in use.
          const wanted = named.splice(0).filter((name) => !('revise' in at && name === at.revise))
          expect(gone.filter(([, reason]) => reason === 'size').map(([name]) => name)).toEqual(wanted)
          const late = gone.filter(
            ([name, reason]) => reason === 'expired' && values.get(name)![1] > clock.now,
          )
          // The value that came in its place may be of use.
          expect(late.filter(([name]) => !('set' in at && name === at.set))).toEqual([])
          expect(keysOf(store)).toEqual([...lru.order].sort())
          const { bytes, maxBytes, pinnedBytes, policyFaults, entries, refusals } = store.stats()
          expect(bytes).toBeLessThanOrEqual(maxBytes)
          expect([pinnedBytes, policyFaults, refusals]).toEqual([0, 0, 0])
          expect(entries).toBe(lru.order.size)
        }
        store.close()
        expect(lru.order.size).toBe(0)
      }),
      { numRuns: 30 },
    )
  })
})

if (addon !== undefined) {
  describe('both engines', () => {
    const VALUE = 100_000
    const FIT = 9
    const cost = ENTRY_OVERHEAD + 6 + VALUE + Math.ceil(VALUE / 65_536) * CHUNK_OVERHEAD

    test('say the same to the same calls where as many entries fit', () => {
      const call = fc.oneof(
        { weight: 5, arbitrary: fc.record({ set: key }) },
        { weight: 4, arbitrary: fc.record({ get: key, peek: fc.boolean() }) },
        { weight: 1, arbitrary: fc.record({ remove: key }) },
      )
      fc.assert(
        fc.property(fc.array(call, { minLength: 30, maxLength: 150 }), (calls) => {
          const [js, other] = engines.map(([name, make]) => {
            const lru = ownLru()
            const { store, left } = open(make(name === 'js' ? Math.floor((FIT + 0.5) * cost) : MiB, lru))
            const said = calls.map((at) => {
              if ('set' in at)
                return set(store, at.set, bytesOf(VALUE, at.set), metadataFor(VALUE), 2)
                  ? left.splice(0)
                  : 'refused'
              if ('get' in at) return read(store, at.get, at.peek)?.equals(bytesOf(VALUE, at.get))
              return store.delete(at.remove)
            })
            store.close()
            return said
          })
          expect(other).toEqual(js)
        }),
        { numRuns: 30 },
      )
    })
  })
}

describe.each(engines)('a hostile policy over the %s engine', (_name, make) => {
  /** What one call of the policy does. */
  const deed = fc.oneof(
    { weight: 6, arbitrary: fc.constant('answer' as const) },
    fc.constantFrom('throw', 'nothing', 'unknown', 'same', 'all', 'number', 'endless', 'nested' as const),
    fc.constantFrom('find', 'delete', 'clear', 'set', 'revise', 'configure' as const),
  )

  test('costs hits and nothing more', () => {
    fc.assert(
      fc.property(
        fc.array(deed, { minLength: 5, maxLength: 40 }),
        fc.array(step, { minLength: 40, maxLength: 120 }),
        (deeds, steps) => {
          let store: MemoryStore | undefined
          let calls = 0
          const lru = ownLru()
          const meddle = (): unknown => {
            calls += 1
            switch (deeds[calls % deeds.length]) {
              case 'throw':
                throw new Error('mine')
              case 'nothing':
                return []
              case 'unknown':
                return ['no such key']
              case 'same':
                return ['key 1', 'key 1', 'key 1']
              case 'all':
                return [...lru.order]
              case 'number':
                return 7
              case 'endless':
                return (function* () {
                  for (;;) yield 'key 2'
                })()
              case 'nested':
                return [[...lru.order]]
              case 'find':
                ;(store?.find('key 3') as StoredEntry | undefined)?.release()
                break
              case 'delete':
                store?.delete(`key ${calls % 40}`)
                break
              case 'clear':
                if (calls % 5 === 0) store?.clear()
                break
              case 'set':
                if (store !== undefined)
                  expect(set(store, 'key 4', bytesOf(10, 4), metadataFor(10), calls % 3)).toBe(false)
                break
              case 'revise': {
                const entry = store?.find('key 5', true) as StoredEntry | undefined
                if (entry !== undefined) expect(store!.revise('key 5', entry, metadataFor(1))).toBe(false)
                entry?.release()
                break
              }
              case 'configure':
                expect(() => store?.configure({ maxBytes: 2 * MiB }).apply()).toThrow(
                  'from within your own policy',
                )
            }
            return undefined
          }
          const policy: EvictionPolicy = {
            add(name, weight) {
              lru.add(name, weight)
              meddle()
            },
            touch(name) {
              lru.touch(name)
              meddle()
            },
            remove(name) {
              lru.remove(name)
              meddle()
            },
            evict: () => (meddle() ?? lru.evict()) as Iterable<string>,
          }
          const world = open(make(MiB, policy))
          store = world.store
          const values = new Map<string, Buffer>()
          let seed = 0
          for (const at of steps) {
            if ('set' in at) {
              seed += 1
              const value = bytesOf(at.size, seed)
              if (set(store, at.set, value, metadataFor(at.size), at.way)) values.set(at.set, value)
            } else if ('get' in at) {
              const there = read(store, at.get, at.peek)
              if (there !== undefined) expectBytes(there, values.get(at.get)!)
            } else if ('remove' in at) store.delete(at.remove)
            else if ('bound' in at) store.configure({ maxBytes: at.bound, maxItemBytes: MiB }).apply()
            const { bytes, maxBytes, pinnedBytes, entries } = store.stats()
            expect(bytes).toBeLessThanOrEqual(maxBytes)
            expect(pinnedBytes).toBe(0)
            expect(entries).toBe(keysOf(store).length)
          }
          store.configure({ policy: 'lru' }).apply()
          for (const name of keysOf(store)) expectBytes(read(store, name, true), values.get(name)!)
          store.close()
        },
      ),
      { numRuns: 30 },
    )
  })
})
