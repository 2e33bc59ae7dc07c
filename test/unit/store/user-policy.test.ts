import { describe, expect, test } from 'vitest'
import { createCache } from '../../../lib/cache/create.js'
import { ConfigError } from '../../../lib/errors.js'
import type { EvictionPolicy } from '../../../lib/policy/policy.js'
import { memoryStore } from '../../../lib/store/memory/index.js'
import type { MemoryStore } from '../../../lib/store/memory/memory-store.js'
import type { Draft, StoredEntry } from '../../../lib/store/store.js'
import { bytesOf, expectBytes, keysOf, metadataFor, mustPut, put } from '../../conformance/store-kit.js'
import {
  expectWhole,
  FULL,
  fill,
  isNative,
  MiB,
  make,
  mru,
  throws,
  turn,
  VALUE,
  warnings,
  watchProcess,
} from '../../helpers/user-policy.js'

/*
 * A policy of the user's own decides, and whatever it does the store stays whole: nothing is lost but hits.
 */

watchProcess()

describe('a policy of the user', () => {
  test('decides who goes, and is told what it weighs', async () => {
    const sizes = new Map<string, number>()
    const policy = mru()
    const { add } = policy
    policy.add = (key, size) => {
      sizes.set(key, size)
      add(key, size)
    }
    const evicted: string[] = []
    const store = make(policy, evicted)
    await fill(store, FULL)
    ;(store.find('k3') as StoredEntry).release()
    await fill(store, 2, FULL)
    expect(evicted).toEqual(['k3', `k${FULL}`])
    const total = [...sizes].reduce((sum, [key, size]) => sum + (policy.keys.has(key) ? size : 0), 0)
    if (!isNative) expect(total).toBe(store.stats().bytes)
    expect(total).toBeLessThanOrEqual(store.stats().bytes)
    expect(total).toBeGreaterThan(FULL * VALUE)
    expect(store.stats()).toMatchObject({ policyFaults: 0, evictions: 2 })
    expect([...policy.keys].sort()).toEqual(await keysOf(store))
    await expectWhole(store)
    expect(policy.keys.size).toBe(0)
    expect(warnings).toEqual([])
  })

  test('is told of what is overwritten, deleted, expired and cleared', async () => {
    const policy = mru()
    const store = make(policy)
    await fill(store, 5)
    await fill(store, 2)
    expect(store.delete('k4')).toBe(true)
    await mustPut(store, 'k9', bytesOf(VALUE, 9), {
      metadata: metadataFor(VALUE, { freshUntil: -5, staleIfErrorUntil: -5 }),
    })
    expect([...policy.keys]).toEqual(['k2', 'k3', 'k0', 'k1', 'k9'])
    await fill(store, FULL - 4, 20)
    expect(policy.keys.has('k9')).toBe(false)
    expect(store.stats()).toMatchObject({ expirations: 1, evictions: 0, policyFaults: 0 })
    store.clear()
    expect(policy.keys.size).toBe(0)
  })

  test('may name what is being read, which stays', async () => {
    const policy = mru()
    policy.evict = () => [...policy.keys].slice(0, 1)
    const evicted: string[] = []
    const store = make(policy, evicted)
    await fill(store, FULL)
    const reading = store.find('k0', true) as StoredEntry
    await fill(store, 1, FULL)
    expect(evicted).toEqual(['k1'])
    const copy = Buffer.alloc(VALUE)
    for (let at = 0; at < VALUE; ) at += reading.read(copy.subarray(at), at) as number
    expectBytes(copy, bytesOf(VALUE, 0))
    reading.release()
    expect(store.stats().policyFaults).toBe(0)
    await expectWhole(store)
  })
})

/** What a policy may do wrong, and what is said of it, if anything. */
const HOSTILE: ReadonlyArray<readonly [string, () => EvictionPolicy, RegExp]> = [
  [
    'throws in add',
    () => mru({ add: throws }),
    /add\(\) threw: RangeError: mine\. The entry that came first/,
  ],
  ['throws in touch', () => mru({ touch: throws }), /touch\(\) threw: RangeError: mine/],
  ['throws in remove', () => mru({ remove: throws }), /remove\(\) threw: RangeError: mine/],
  ['throws in evict', () => mru({ evict: throws }), /evict\(\) threw: RangeError: mine/],
  [
    'throws what cannot be shown',
    () =>
      mru({
        evict: () => {
          throw new Proxy({}, { ownKeys: throws })
        },
      }),
    /evict\(\) threw: an error that cannot be shown/,
  ],
  ['names keys that are not there', () => mru({ evict: () => ['x', 'y'] }), /not in the store: "x"/],
  ['names what is no key', () => mru({ evict: () => [{}, Symbol('s'), 5] }), /not in the store: an object/],
  ['names nobody', () => mru({ evict: () => [] }), /evict\(\) gave no key/],
  ['gives nothing', () => mru({ evict: () => undefined }), /evict\(\) gave no list of keys/],
  ['gives a number', () => mru({ evict: () => 7 }), /evict\(\) gave no list of keys/],
  [
    'gives unknown keys without end',
    () =>
      mru({
        *evict() {
          for (;;) yield 'x'
        },
      }),
    /not in the store: "x"/,
  ],
  [
    'gives a list that throws when it is closed',
    () =>
      mru({
        evict: () => ({
          [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 'x' }), return: throws }),
        }),
      }),
    /not in the store: "x"/,
  ],
  ['gives a promise', () => mru({ evict: async () => ['k1'] }), /evict\(\) gave no list of keys/],
  [
    'gives a promise that rejects',
    () => mru({ evict: () => Promise.reject(new Error('later')) }),
    /evict\(\) gave no list of keys/,
  ],
  [
    'names promises that reject',
    () => mru({ evict: () => [Promise.reject(new Error('later'))] }),
    /not in the store: an object/,
  ],
  [
    'rejects in all it is told',
    () => {
      const rejects = (): Promise<never> => Promise.reject(new Error('later'))
      return mru({ add: rejects, touch: rejects, remove: rejects })
    },
    /add\(\) rejected: Error: later/,
  ],
]

describe.each(HOSTILE)('a policy that %s', (_what, policy, said) => {
  test('costs hits, is counted, and is said once', async () => {
    const store = make(policy())
    await fill(store, FULL)
    for (let at = 0; at < FULL; at += 1) (store.find(`k${at}`) as StoredEntry).release()
    await fill(store, 3 * FULL, FULL)
    store.delete(`k${4 * FULL - 1}`)
    await turn()
    expect(store.stats().policyFaults).toBeGreaterThan(1)
    expect(warnings.map(({ code }) => code)).toEqual(['DREY_POLICY'])
    expect(warnings[0]!.message).toMatch(said)
    expect(warnings[0]!.message).toMatch(/^memoryStore\.policy: .*counted in policyFaults/)
    expect(store.stats().evictions).toBe(3 * FULL)
    await expectWhole(store)
  })
})

describe('a policy that gives no order', () => {
  test('leaves the one that came first', async () => {
    const evicted: string[] = []
    const store = make(mru({ evict: () => [] }), evicted)
    await fill(store, FULL)
    ;(store.find('k0') as StoredEntry).release()
    await fill(store, 3, FULL)
    expect(evicted).toEqual(['k0', 'k1', 'k2'])
  })
})

describe('a policy that calls the store while it is called', () => {
  /** One that does `what` in each of its methods, and answers as `mru`. */
  function meddling(what: (store: MemoryStore, key: string) => void): {
    policy: EvictionPolicy
    use: (store: MemoryStore) => void
  } {
    let store: MemoryStore | undefined
    const inner = mru()
    const meddle = (key: string): void => {
      if (store !== undefined) what(store, key)
    }
    return {
      use: (made) => {
        store = made
      },
      policy: {
        add(key, size) {
          inner.add(key, size)
          meddle(key)
        },
        touch(key) {
          inner.touch(key)
          meddle(key)
        },
        remove(key) {
          inner.remove(key)
          meddle(key)
        },
        evict() {
          const keys = [...inner.evict()]
          for (const key of keys) meddle(key)
          return keys
        },
      },
    }
  }

  test.each([
    [
      'reads',
      (store: MemoryStore, key: string): void => {
        for (const name of [key, 'k1']) (store.find(name) as StoredEntry | undefined)?.release()
      },
    ],
    ['deletes what it is called for', (store: MemoryStore, key: string) => void store.delete(key)],
    ['deletes another', (store: MemoryStore) => void store.delete('k1')],
    ['clears', (store: MemoryStore) => void store.clear()],
    [
      'writes',
      (store: MemoryStore, key: string): void => {
        for (const name of [key, `${key}+`]) {
          const draft = store.draft(name, 5000) as Draft | undefined
          if (draft?.write(bytesOf(5000, 1)) !== true || draft.commit(metadataFor(5000)) !== true)
            draft?.abort()
        }
      },
    ],
    [
      'revises',
      (store: MemoryStore, key: string): void => {
        const entry = store.find(key, true) as StoredEntry | undefined
        if (entry !== undefined)
          store.revise(key, entry, metadataFor(entry.metadata.size, { etag: 'x'.repeat(50) }))
        entry?.release()
      },
    ],
    [
      'changes it',
      (store: MemoryStore): void => {
        expect(() => store.configure({ policy: 'lru' }).apply()).toThrow(ConfigError)
        expect(() => store.configure({ maxBytes: 2 * MiB }).apply()).toThrow('from within your own policy')
      },
    ],
  ] as ReadonlyArray<readonly [string, (store: MemoryStore, key: string) => void]>)(
    'and %s harms nothing',
    async (_what, meddle) => {
      const { policy, use } = meddling(meddle)
      const store = make(policy)
      use(store)
      for (let at = 0; at < 5 * FULL; at += 1) {
        await put(store, `k${at % 15}`, bytesOf(VALUE, at % 15))
        ;(store.find(`k${(at * 7) % 15}`) as StoredEntry | undefined)?.release()
        if (at % 9 === 0) store.delete(`k${at % 4}`)
        const { bytes, maxBytes, pinnedBytes } = store.stats()
        expect(bytes).toBeLessThanOrEqual(maxBytes)
        expect(pinnedBytes).toBe(0)
      }
      await expectWhole(store)
    },
  )

  test('and reads through the cache that it is in is answered', async () => {
    let cache: Awaited<ReturnType<typeof createCache>> | undefined
    const answers: Array<Promise<unknown>> = []
    const policy = mru({
      add: (key: string) => {
        answers.push(Promise.resolve(cache?.get(`${key}?`)))
        cache?.getSync('k0')
        answers.push(Promise.resolve(cache?.delete('k3')))
      },
    })
    cache = await createCache({ tiers: [memoryStore({ maxBytes: MiB, policy })] })
    for (let at = 0; at < 3 * FULL; at += 1) {
      const answer = await cache.fetch(`k${at}`, () => ({ body: bytesOf(VALUE, at) }))
      if (answer.status !== 'ok') throw new Error(answer.status)
      expectBytes(Buffer.from(await answer.bytes()), bytesOf(VALUE, at))
    }
    await Promise.all(answers)
    expect(cache.stats().tiers[0]!.policyFaults).toBeGreaterThan(0)
    await cache.close()
  })
})
