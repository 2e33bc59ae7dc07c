import { describe, expect, test } from 'vitest'
import { createCache } from '../../../lib/cache/create.js'
import { memoryThereIs } from '../../../lib/config/memory.js'
import { DURATION_FORMS, SIZE_FORMS } from '../../../lib/config/units.js'
import { ConfigError } from '../../../lib/errors.js'
import { POLICY_NAMES } from '../../../lib/policy/policy.js'
import { memoryStore } from '../../../lib/store/memory/index.js'

async function problemOf(make: () => unknown): Promise<string> {
  try {
    await make()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as ConfigError).code).toBe('ERR_DREY_CONFIG')
    return (error as ConfigError).message
  }
  throw new Error('was accepted')
}

const cacheProblem = (options: unknown): Promise<string> => problemOf(() => createCache(options as never))
const storeProblem = (options: unknown): Promise<string> => problemOf(() => memoryStore(options as never))

/** Values that are no size and no duration, and how a message shows them. */
const NEITHER: ReadonlyArray<readonly [unknown, string]> = [
  ['', '""'],
  ['lots', '"lots"'],
  ['-1KiB', '"-1KiB"'],
  [-1, '-1'],
  [Number.NaN, 'NaN'],
  [Number.NEGATIVE_INFINITY, '-Infinity'],
  [null, 'null'],
  [true, 'true'],
  [1n, '1n'],
  [[1, 2, 3], 'an array of 3'],
  [{}, 'an object without members of its own'],
  [{ bytes: 1 }, 'an object with bytes'],
  [() => 1, 'a function'],
  [Symbol('s'), 'Symbol(s)'],
]

describe.each([
  ['ttl', 'freshness'],
  ['staleIfError', 'freshness'],
  ['negativeTtl', 'freshness'],
  ['shutdown', 'timeouts'],
])('%s of %s', (option, group) => {
  test.each([...NEITHER, ['1KiB', '"1KiB"'], ['30', '"30"']] as const)('is not %o', async (value, shown) => {
    expect(await cacheProblem({ [group]: { [option]: value } })).toBe(
      `${group}.${option}: got ${shown}; want ${DURATION_FORMS}, not negative`,
    )
  })

  test.each([0, 1, 1.5, '0s', '250ms', '1d', Number.POSITIVE_INFINITY])('may be %o', async (value) => {
    const cache = await createCache({ [group]: { [option]: value } })
    await cache.close()
  })
})

describe.each(['firstByte', 'fill', 'idle'])('%s of timeouts', (option) => {
  test.each(NEITHER)('is not %o', async (value, shown) => {
    expect(await cacheProblem({ timeouts: { [option]: value } })).toBe(
      `timeouts.${option}: got ${shown}; want ${DURATION_FORMS}, more than 0`,
    )
  })

  test.each([
    [0, '0'],
    ['0ms', '"0ms"'],
  ])('is not %o', async (value, shown) => {
    expect(await cacheProblem({ timeouts: { [option]: value } })).toBe(
      `timeouts.${option}: got ${shown}; want more than 0 ms`,
    )
  })
})

describe.each(['maxBytes', 'maxItemBytes'])('%s of memoryStore', (option) => {
  test.each([
    ...NEITHER,
    ['1MB', '"1MB"'],
    ['30s', '"30s"'],
    ['1048576', '"1048576"'],
    [2 ** 20 + 0.5, '1048576.5'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [2 ** 53, '9007199254740992'],
  ] as const)('is not %o', async (value, shown) => {
    expect(await storeProblem({ [option]: value })).toBe(
      `memoryStore.${option}: got ${shown}; want ${SIZE_FORMS}`,
    )
  })
})

describe('maxBytes of memoryStore', () => {
  test.each([
    [0, '0'],
    [2 ** 20 - 1, '1048575'],
    ['1023KiB', '"1023KiB"'],
  ])('is at least 1 MiB, which %o is not', async (value, shown) => {
    expect(await storeProblem({ maxBytes: value })).toBe(
      `memoryStore.maxBytes: got ${shown}; want at least 1 MiB, 1048576 bytes`,
    )
  })

  test('is at most the memory there is, and the message says both numbers', async () => {
    const most = memoryThereIs()
    const message = await storeProblem({ maxBytes: '4096TiB' })
    expect(message).toMatch(/^memoryStore\.maxBytes: got "4096TiB"; that is 4503599627370496 bytes; /)
    expect(message).toContain(`want at most the memory there is, ${most} bytes (`)
    expect(await storeProblem({ maxBytes: most + 1 })).toContain(`${most + 1} bytes; want at most`)
    expect(memoryStore({ maxBytes: most }).stats().maxBytes).toBe(most)
  })

  test('may be 1 MiB', () => {
    expect(memoryStore({ maxBytes: '1MiB' }).stats()).toMatchObject({
      maxBytes: 2 ** 20,
      maxItemBytes: 2 ** 17,
    })
  })
})

describe('maxItemBytes of memoryStore', () => {
  test('is at most maxBytes', async () => {
    expect(await storeProblem({ maxBytes: '1MiB', maxItemBytes: '2MiB' })).toBe(
      'memoryStore.maxItemBytes: got "2MiB", which is 2097152 bytes; want at most memoryStore.maxBytes, 1048576 bytes',
    )
    expect(memoryStore({ maxBytes: '1MiB', maxItemBytes: '1MiB' }).maxItemBytes).toBe(2 ** 20)
    expect(memoryStore({ maxBytes: '1MiB', maxItemBytes: 0 }).maxItemBytes).toBe(0)
  })
})

describe('policy of memoryStore', () => {
  const known = '"lru", "lfu", "fifo", "sieve", "s3-fifo", "w-tinylfu"'
  const methods = { add: () => {}, touch: () => {}, remove: () => {}, evict: () => [] }

  test.each([
    ['mru', '"mru"'],
    ['LRU', '"LRU"'],
    ['', '""'],
    [null, 'null'],
    [{ ...methods, evict: 5 }, 'an object with add, touch, remove, ...'],
    [() => [], 'a function'],
  ])('is not %o, and the message lists those that there are', async (policy, shown) => {
    expect(await storeProblem({ policy })).toBe(
      `memoryStore.policy: got ${shown}; want one of ${known}, or an object with the methods add, touch, remove and evict`,
    )
  })

  test.each([...POLICY_NAMES, methods])('may be %o', (policy) => {
    expect(memoryStore({ policy }).stats()).toMatchObject({ policyFaults: 0, entries: 0 })
  })
})

describe('name of memoryStore', () => {
  test.each([
    ['', '""'],
    [5, '5'],
    [null, 'null'],
    ['x'.repeat(257), `"${'x'.repeat(57)}..."`],
  ])('is not %o', async (name, shown) => {
    expect(await storeProblem({ name })).toBe(
      `memoryStore.name: got ${shown}; want text of 1 to 256 characters`,
    )
  })

  test('is not for a store with a policy of your own', async () => {
    const policy = { add: () => {}, touch: () => {}, remove: () => {}, evict: () => [] }
    expect(await storeProblem({ name: 'main', policy })).toMatch(
      /^memoryStore\.policy: got an object with add, touch, remove, \.\.\. for the store named "main"; a policy of your own is for a store without a name.*want one of "lru", /,
    )
  })
})

describe('options as a whole', () => {
  test.each([
    [null, 'null'],
    [5, '5'],
    ['512MiB', '"512MiB"'],
    [[], 'an array of 0'],
    [() => ({}), 'a function'],
  ])('are not %o', async (value, shown) => {
    expect(await cacheProblem(value)).toBe(`options: got ${shown}; want an object of options`)
    expect(await storeProblem(value)).toBe(`memoryStore: got ${shown}; want an object of options`)
    if (value !== undefined) {
      expect(await cacheProblem({ timeouts: value })).toBe(
        `timeouts: got ${shown}; want an object of options`,
      )
    }
  })

  test('that are unknown are refused with those that there are, at every depth', async () => {
    expect(await storeProblem({ maxbytes: 1 })).toBe(
      'memoryStore.maxbytes: no such option; did you mean memoryStore.maxBytes? there are maxBytes, maxItemBytes, policy, compression, name',
    )
    expect(await cacheProblem({ ttl: '5m' })).toBe(
      'ttl: no such option; did you mean freshness.ttl? there are profile, configFile, watch, tiers, promotion, writePolicy, breaker, background, maxBufferedBytes, freshness, abandon, refresh, timeouts, metrics, alerts, pressure, bufferPool',
    )
    expect(await cacheProblem({ freshness: { TTL: 1, maxAge: 2 } })).toBe(
      'freshness.TTL: no such option; did you mean freshness.ttl? there are ttl, staleWhileRevalidate, staleIfError, negativeTtl, jitter\nfreshness.maxAge: no such option; there are ttl, staleWhileRevalidate, staleIfError, negativeTtl, jitter',
    )
    expect(await cacheProblem(JSON.parse('{"__proto__":1,"constructor":2}'))).toContain(
      '__proto__, constructor: no such option',
    )
    expect(await cacheProblem({ 'a\nb': 1, '': 2 })).toContain('"a\\nb", "": no such option')
  })

  test('that are wrong are all named at once', async () => {
    const message = await cacheProblem({
      tiers: [5],
      freshness: { ttl: 'soon', age: 1 },
      timeouts: { fill: 0, idle: null },
      colour: 'red',
    })
    for (const part of [
      'tiers.0: got 5; want a store, such as memoryStore()',
      `freshness.ttl: got "soon"; want ${DURATION_FORMS}, not negative`,
      'freshness.age: no such option; there are ttl, staleWhileRevalidate, staleIfError, negativeTtl, jitter',
      'timeouts.fill: got 0; want more than 0 ms',
      'timeouts.idle: got null; want',
      'colour: no such option; there are profile, configFile, watch, tiers, promotion, writePolicy, breaker, background, maxBufferedBytes, freshness',
    ]) {
      expect(message).toContain(part)
    }
    expect(await storeProblem({ maxBytes: 1, maxItemBytes: 'x' })).toMatch(/maxBytes: .*\n.*maxItemBytes: /)
  })

  test('that are not given, or undefined, have their defaults', async () => {
    const cache = await createCache({ freshness: undefined, timeouts: {}, tiers: undefined } as never)
    await cache.close()
    expect(memoryStore({ maxBytes: undefined } as never).stats().maxBytes).toBe(
      memoryStore().stats().maxBytes,
    )
  })
})

const SAME = memoryStore()

describe('tiers', () => {
  test.each([
    [5, 'tiers: got 5; want an array'],
    [{}, 'tiers: got an object without members of its own; want an array'],
    [memoryStore(), 'tiers: got an object with '],
    [[], 'tiers: got an array of 0; want at least one store'],
    [[SAME, SAME], 'tiers: a store is given twice; want a store of its own for each tier'],
    [[{}], 'tiers.0: got an object without members of its own; want a store, such as memoryStore()'],
    [[{ ...memoryStore(), name: 'x' }], 'tiers.0: got an object with '],
    [[null], 'tiers.0: got null; want a store'],
    [[undefined], 'tiers.0: got undefined; want a store'],
  ])('are not %o', async (tiers, message) => {
    expect(await cacheProblem({ tiers })).toContain(message)
  })

  test('belong to one cache', async () => {
    const store = memoryStore()
    const cache = await createCache({ tiers: [store] })
    expect(await cacheProblem({ tiers: [store] })).toBe(
      'tiers: this memory store belongs to a cache already; make one for each cache',
    )
    await cache.close()
  })
})

describe('a message', () => {
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  const hostile = {
    toJSON: () => {
      throw new Error('toJSON was called')
    },
    toString: () => {
      throw new Error('toString was called')
    },
  }
  const long = Object.fromEntries(
    Array.from({ length: 1000 }, (_, index) => [`${'name'.repeat(50)}${index}`, 1]),
  )

  test.each([
    ['text', 'x'.repeat(10_000_000)],
    ['bytes', Buffer.alloc(10_000_000)],
    ['an array', new Array(10_000_000)],
    ['an object', long],
    ['a map', new Map(Array.from({ length: 100_000 }, (_, index) => [index, index]))],
    ['a bigint', 10n ** 100_000n],
    ['a cycle', cyclic],
    ['an object that cannot be shown', hostile],
    ['a symbol', Symbol('x'.repeat(10_000_000))],
  ])('never dumps what is large or strange: %s', async (_, value) => {
    for (const message of [
      await storeProblem({ maxBytes: value }),
      await cacheProblem({ timeouts: { fill: value } }),
      await cacheProblem({ tiers: value }),
      await cacheProblem({ tiers: [value] }),
    ]) {
      expect(message.length).toBeLessThan(400)
    }
  })

  test('nor names without end', async () => {
    const message = await cacheProblem(long)
    expect(message.length).toBeLessThan(1000)
    expect(message).toContain('and 995 more: no such option')
  })
})
