import { describe, expect, test } from 'vitest'
import { DURATION_FORMS } from '../../../lib/config/units.js'
import { ConfigError } from '../../../lib/errors.js'
import { createLimiter, type LimiterOptions } from '../../../lib/resilience/limiter/limiter.js'

function problemOf(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as ConfigError).code).toBe('ERR_DREY_CONFIG')
    return (error as ConfigError).message
  }
  throw new Error('was accepted')
}

const madeWith = (options: unknown): string => problemOf(() => createLimiter(options as LimiterOptions))

/** Values that are no whole number, and how a message shows them. */
const NO_NUMBER: ReadonlyArray<readonly [unknown, string]> = [
  [-1, '-1'],
  [1.5, '1.5'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, 'Infinity'],
  [2 ** 53, '9007199254740992'],
  ['4', '"4"'],
  [null, 'null'],
  [1n, '1n'],
  [{}, 'an object without members of its own'],
]

describe.each([
  ['concurrency', 1],
  ['queue', 0],
] as const)('%s', (option, least) => {
  test.each([...NO_NUMBER, [least - 1, String(least - 1)]] as const)('is not %o', (value, shown) => {
    const want = `got ${shown}; want a whole number of at least ${least}`
    expect(madeWith({ [option]: value })).toBe(`limiter.${option}: ${want}`)
    const limiter = createLimiter({ name: 'disk' })
    const before = limiter.stats()
    expect(problemOf(() => limiter.configure({ concurrency: 9, queue: 9, [option]: value }))).toBe(
      `disk.${option}: ${want}`,
    )
    expect(limiter.stats()).toEqual(before)
  })
})

describe.each(['waitTimeout', 'holdTimeout'] as const)('%s', (option) => {
  test.each([
    ['soon', '"soon"', `${DURATION_FORMS}, more than 0`],
    [-1, '-1', `${DURATION_FORMS}, more than 0`],
    [Number.NaN, 'NaN', `${DURATION_FORMS}, more than 0`],
    [0, '0', 'more than 0 ms'],
  ])('is not %o', (value, shown, want) => {
    expect(madeWith({ name: 'disk', [option]: value })).toBe(`disk.${option}: got ${shown}; want ${want}`)
  })

  test.each([0, -1, Number.NaN, '1s', null])('of an operation is not %o', async (value) => {
    const limiter = createLimiter()
    const operation = { [option]: value } as never
    const want = 'want milliseconds, more than 0'
    expect(problemOf(() => limiter.tryAcquire(operation))).toContain(want)
    await expect(limiter.acquire(operation)).rejects.toThrow(want)
    expect(limiter.stats()).toMatchObject({ active: 0, granted: 0 })
  })
})

test('all that is wrong is said at once, also what nobody knows', () => {
  expect(madeWith({ concurrency: 0, queue: -1, priority: 'low' })).toBe(
    'limiter.concurrency: got 0; want a whole number of at least 1\nlimiter.queue: got -1; want a whole number of at least 0\nlimiter.priority: no such option; there are concurrency, queue, waitTimeout, holdTimeout, name',
  )
  expect(madeWith(null)).toBe('limiter: got null; want an object of options')
  expect(madeWith({ name: '' })).toBe('limiter.name: got ""; want text of 1 to 256 characters')
})

test('what is not given is the default', () => {
  expect(createLimiter().stats()).toMatchObject({ concurrency: 4, queue: 1000, factor: 1, limit: 4 })
})

describe('an operation', () => {
  test.each([
    [{ weight: 0 }, 'weight: got 0; want a whole number of at least 1'],
    [{ weight: 1.5 }, 'weight: got 1.5; want a whole number of at least 1'],
    [{ weight: Number.NaN }, 'weight: got NaN; want a whole number of at least 1'],
    [{ weight: '2' }, 'weight: got "2"; want a whole number of at least 1'],
    [{ priority: 'urgent' }, 'priority: got "urgent"; want one of "low", "normal", "high", "critical"'],
    [{ priority: 3 }, 'priority: got 3; want one of "low", "normal", "high", "critical"'],
    [{ owner: {} }, 'owner: got an object without members of its own; want what owner() of disk gave'],
    [
      { owner: createLimiter({ name: 'other' }).owner({ name: 'mine' }) },
      'owner: got the owner other.mine of another limiter; want what owner() of disk gave',
    ],
  ])('is not one with %o', async (operation, problem) => {
    const limiter = createLimiter({ name: 'disk' })
    expect(problemOf(() => limiter.tryAcquire(operation as never))).toBe(`disk.${problem}`)
    await expect(limiter.acquire(operation as never)).rejects.toThrow(`disk.${problem}`)
    await expect(limiter.run(() => 1, operation as never)).rejects.toThrow(`disk.${problem}`)
    expect(limiter.stats()).toMatchObject({ active: 0, granted: 0 })
  })
})

describe('an owner', () => {
  test.each([
    [{ share: 0 }, 'share: got 0; want a whole number from 1 to 1000000'],
    [{ share: 1e9 }, 'share: got 1000000000; want a whole number from 1 to 1000000'],
    [{ queue: -1 }, 'queue: got -1; want a whole number of at least 0'],
    [{ weight: 1 }, 'weight: no such option; there are share, queue'],
  ])('is not made or configured with %o', (options, problem) => {
    const limiter = createLimiter({ name: 'group' })
    expect(problemOf(() => limiter.owner(options as never))).toContain(`group.owner.${problem}`)
    const owner = limiter.owner({ name: 'one' })
    expect(problemOf(() => owner.configure(options as never))).toBe(`group.one.${problem}`)
  })
})

test.each([0, -0.5, 1.1, Number.NaN, '0.5', undefined])('a factor is not %o', (factor) => {
  const limiter = createLimiter({ name: 'disk' })
  expect(problemOf(() => limiter.setFactor(factor as number))).toContain(
    'want a number above 0 and at most 1',
  )
  expect(limiter.stats()).toMatchObject({ factor: 1, limit: 4 })
})
