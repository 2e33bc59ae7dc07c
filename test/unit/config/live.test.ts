import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import type { Cache } from '../../../lib/cache/cache.js'
import { createCache, createCacheWith } from '../../../lib/cache/create.js'
import type { CacheEvents } from '../../../lib/cache/events.js'
import { createGroup } from '../../../lib/cache/group.js'
import { cacheOptions } from '../../../lib/cache/schema.js'
import { withAt } from '../../../lib/config/merge.js'
import { rowsOf } from '../../../lib/config/rows.js'
import { memoryStoreOptions } from '../../../lib/config/schema.js'
import { ClosedError, ConfigError } from '../../../lib/errors.js'
import { Deadlines } from '../../../lib/resilience/timeouts/deadlines.js'
import { aging } from '../../../lib/store/aging/aging.js'
import { fileStoreOptions } from '../../../lib/store/file/options.js'
import { memoryStore } from '../../../lib/store/memory/index.js'
import { nullStore } from '../../../lib/store/null.js'
import type { Store, StoreChange } from '../../../lib/store/store.js'
import { FakeClock } from '../../helpers/clock.js'
import { until } from '../../helpers/gate.js'

const MiB = 2 ** 20
const caches: Cache[] = []

afterEach(async () => {
  vi.restoreAllMocks()
  for (const cache of caches.splice(0)) await cache.close()
})

async function make(options: Parameters<typeof createCache>[0] = {}, clock?: FakeClock): Promise<Cache> {
  const cache = await (clock === undefined ? createCache(options) : createCacheWith(options, { clock }))
  caches.push(cache as Cache)
  return cache as Cache
}

function heard(cache: Cache): Array<CacheEvents['config']> {
  const events: Array<CacheEvents['config']> = []
  cache.on('config', (event) => events.push(event))
  return events
}

async function problemOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ConfigError)
  return (error as ConfigError).message
}

/** Another value than the default, for each option. */
const OTHERS: Readonly<Record<string, unknown>> = {
  profile: 'low-memory',
  configFile: 'other.json',
  watch: true,
  promotion: 'second-hit',
  writePolicy: 'through',
  'breaker.failures': 7,
  'breaker.openFor': '2s',
  'breaker.openForAtMost': '1m',
  'background.concurrency': 9,
  'background.queue': 9,
  maxBufferedBytes: '1MiB',
  'freshness.ttl': '5m',
  'freshness.staleWhileRevalidate': '5m',
  'freshness.staleIfError': '5m',
  'freshness.negativeTtl': '5m',
  'freshness.jitter': 0.5,
  abandon: { finishIfWithin: '1KiB' },
  'refresh.strategy': 'all',
  'refresh.concurrency': 9,
  'refresh.queue': 9,
  'refresh.timeout': '1s',
  'timeouts.operation': '1s',
  'timeouts.lookup': '1s',
  'timeouts.firstByte': '1s',
  'timeouts.fill': '1s',
  'timeouts.idle': '1s',
  'timeouts.shutdown': '1s',
  metrics: false,
  alerts: false,
  pressure: false,
  bufferPool: false,
}

const rows = rowsOf(cacheOptions).filter(({ group, path }) => !group && path !== 'tiers')

describe('each option', () => {
  test('is tried here', () => {
    expect(rows.map(({ path }) => path).sort()).toEqual(Object.keys(OTHERS).sort())
  })

  const live = rows.filter(({ facts }) => facts.live === true).map(({ path }) => path)
  test.each(live)('%s is live', async (path) => {
    for (const tiers of [undefined, [memoryStore(), memoryStore()]]) {
      const cache = await make({ tiers, profile: 'production' })
      const events = heard(cache)
      const changes = await cache.configure(withAt({}, path, OTHERS[path]) as never)
      expect(changes.map((change) => change.path)).toContain(path)
      // The event comes when what caused it is over.
      await Promise.resolve()
      expect(events).toEqual([{ changes }])
      expect(await cache.configure(withAt({}, path, OTHERS[path]) as never)).toEqual([])
      await cache.set('a', 'b')
      expect(await cache.has('a')).toBe(true)
      await cache.close()
    }
  })

  const fixed = rows
    .filter(({ facts }) => facts.live !== true)
    .map((row) => [row.path, row.facts.live] as const)
  test.each(fixed)('%s takes a restart: %s', async (path, why) => {
    const cache = await make()
    const events = heard(cache)
    const patch = withAt({ freshness: { ttl: '1m' } }, path, OTHERS[path])
    expect(await problemOf(cache.configure(patch as never))).toMatch(new RegExp(`^${path}: `))
    if (path !== 'watch')
      expect(await problemOf(cache.configure(patch as never))).toContain(`until a restart: ${why}`)
    expect((await cache.set('a', 'b')).freshUntil).toBe(Number.POSITIVE_INFINITY)
    expect(events).toEqual([])
  })
})

describe('the ttl of a tier', () => {
  test.each([
    ['given as data', () => ({ store: 'memory', ttl: '10s' }) as const],
    ['given in code', () => aging(memoryStore(), '10s')],
  ])('takes a restart, and the rest of the tier does not: %s', async (_how, tier) => {
    const cache = await make({ tiers: [tier()] })
    const refused = await problemOf(cache.configure({ tiers: [{ ttl: '5s', maxBytes: '2MiB' }] }))
    expect(refused).toMatch(/^tiers\.0\.ttl: got 5000|^tiers\.0\.ttl: got "5s"/)
    expect(refused).toContain(
      'what a tier has says when it came there only where the tier was made with a ttl',
    )
    // The largest value follows the bound.
    expect(await cache.configure({ tiers: [{ ttl: '10s', maxBytes: '2MiB' }] })).toMatchObject([
      { path: 'tiers.0.maxBytes', to: 2 ** 21 },
      { path: 'tiers.0.maxItemBytes', to: 2 ** 18 },
    ])
  })
})

describe('what is live takes effect', () => {
  test('ttl, for what is stored from then on', async () => {
    const cache = await make({}, new FakeClock())
    const before = await cache.set('a', '1')
    expect(await cache.configure({ freshness: { ttl: '1m' } })).toEqual([
      { path: 'freshness.ttl', from: Number.POSITIVE_INFINITY, to: 60_000 },
    ])
    const after = await cache.set('b', '1')
    expect(after.freshUntil - after.cachedAt).toBe(60_000)
    expect((await cache.stat('a'))!.freshUntil).toBe(before.freshUntil)
    const answer = await cache.fetch('c', async () => ({ body: 'x' }))
    expect((answer as { meta: { freshUntil: number } }).meta.freshUntil - after.cachedAt).toBe(60_000)
  })

  test('timeouts, of fills that begin from then on', async () => {
    const clock = new FakeClock()
    const cache = await make({}, clock)
    await cache.configure({ timeouts: { firstByte: '1s' } })
    const waiting = cache.fetch('a', () => new Promise<never>(() => undefined))
    const failed = waiting.then(
      () => undefined,
      (error: unknown) => error,
    )
    clock.advance(1001)
    expect(await failed).toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
  })

  test('how long a body may lie unread, of those that lie', async () => {
    const clock = new FakeClock()
    const cache = await make({}, clock)
    await cache.set('a', Buffer.alloc(200_000))
    const found = await cache.get('a')
    const leak = new Promise((resolve) => cache.on('leak', resolve))
    await cache.configure({ timeouts: { idle: 100 } })
    clock.advance(200)
    expect(await leak).toEqual({ key: 'a' })
    expect(found).toBeDefined()
  })

  test('the write policy, and with it whether a batch is possible', async () => {
    const below = { ...nullStore(), name: 'below', outlives: true } as Store
    const store = Object.fromEntries(
      Object.entries(below).filter(([name]) => name !== 'keeps'),
    ) as unknown as Store
    const cache = await make({ tiers: [memoryStore(), store], writePolicy: 'first' })
    const entries = [{ key: 'a', body: 'x' }]
    await cache.setMany(entries, { atomic: true })
    await cache.configure({ writePolicy: 'behind' })
    expect(await problemOf(cache.setMany(entries, { atomic: true }))).toContain('the below tier cannot set')
    await cache.configure({ writePolicy: 'first' })
    await cache.setMany(entries, { atomic: true })
  })
})

describe('tiers', () => {
  test('by place and by name, given as data or as stores', async () => {
    const own = memoryStore({ maxBytes: '8MiB' })
    const cache = await make({ tiers: [{ store: 'memory', maxBytes: '4MiB' }] })
    const other = await make({ tiers: [own] })
    for (const one of [cache, other]) {
      expect(await one.configure({ tiers: [{ maxBytes: '2MiB', policy: 'lru' }] })).toContainEqual(
        expect.objectContaining({ path: 'tiers.0.maxBytes', to: 2 * MiB }),
      )
      expect(one.stats().tiers).toMatchObject([{ maxBytes: 2 * MiB }])
      await one.configure({ tiers: { memory: { maxBytes: '3MiB' } } })
      expect(one.stats().tiers).toMatchObject([{ maxBytes: 3 * MiB }])
    }
  })

  test.each([
    [{ tiers: [{ maxBytes: 1 }] }, 'tiers.0.maxBytes: got 1; want at least 1 MiB'],
    [{ tiers: [{ maxbytes: 1 }] }, 'tiers.0.maxbytes: no such option; did you mean tiers.0.maxBytes?'],
    [{ tiers: [{ name: 'other' }] }, 'tiers.0.name: got "other"; it stays'],
    [{ tiers: [{ maxBytes: '2MiB', maxItemBytes: '4MiB' }] }, 'tiers.0.maxItemBytes: got "4MiB"'],
    [{ tiers: [{}, { maxBytes: '2MiB' }] }, 'tiers.1: no such tier, or more than one; there are memory'],
    [{ tiers: { disk: {} } }, 'tiers.disk: no such tier, or more than one; there are memory'],
    [{ tiers: 5 }, 'tiers: got 5; want a list, or options by the name of the tier'],
    [{ tiers: [5] }, 'tiers.0: got 5; want an object of options'],
    [{ tiers: [{ store: 'null' }] }, 'tiers.0'],
    [5, 'configure: got 5; want an object of options'],
    [{ nonsense: 1 }, 'nonsense: no such option'],
    [{ breaker: { openFor: '1h', openForAtMost: '1s' } }, 'breaker.openForAtMost: got 1000 ms'],
  ])('%o changes nothing', async (patch, message) => {
    const cache = await make({ tiers: [{ store: 'memory', maxBytes: '4MiB' }] })
    const both = { freshness: { ttl: 1 }, ...(patch as object) }
    expect(await problemOf(cache.configure((patch === 5 ? patch : both) as never))).toContain(message)
    expect((await cache.set('a', 'b')).freshUntil).toBe(Number.POSITIVE_INFINITY)
    expect(cache.stats().tiers).toMatchObject([{ maxBytes: 4 * MiB }])
  })

  test('all that is wrong is said at once', async () => {
    const cache = await make()
    const patch = { pressure: false, refresh: { strategy: 'all' }, bufferPool: false } as const
    expect((await problemOf(cache.configure(patch))).split('\n')).toHaveLength(3)
  })
})

/** A tier whose changes are written down, and fail where they are told to. */
function journaled(name: string, log: string[], fails?: 'check' | 'apply' | 'apply later' | 'undo'): Store {
  const { keeps: _, ...store } = nullStore()
  return {
    ...store,
    name,
    configure(): StoreChange {
      if (fails === 'check') throw new ConfigError(`configure.x: ${name} refuses`)
      return {
        changes: [{ path: 'x', from: 1, to: 2 }],
        apply() {
          log.push(`apply ${name}`)
          if (fails === 'apply') throw new Error(`${name} fails`)
          return fails === 'apply later' ? Promise.reject(new Error(`${name} fails`)) : undefined
        },
        undo() {
          log.push(`undo ${name}`)
          if (fails === 'undo') throw new Error('cannot')
        },
      }
    },
  }
}

describe('a part that fails', () => {
  const patch = { freshness: { ttl: '1m' }, tiers: [{ x: 2 }, { x: 2 }, { x: 2 }] } as const

  describe.each([0, 1, 2])('the tier %d', (at) => {
    test.each(['apply', 'apply later'] as const)('at %s: what was made is taken back', async (fails) => {
      const log: string[] = []
      const names = ['a', 'b', 'c']
      const cache = await make({
        tiers: names.map((name, i) => journaled(name, log, i === at ? fails : undefined)),
      })
      const events = heard(cache)
      await expect(cache.configure(patch)).rejects.toThrow(`${names[at]} fails`)
      const made = names.slice(0, at)
      expect(log).toEqual([
        ...made.map((name) => `apply ${name}`),
        `apply ${names[at]}`,
        ...made.reverse().map((name) => `undo ${name}`),
      ])
      expect(events).toEqual([])
      // What holds is what held: the next change is the same one.
      expect(await problemOf(cache.configure({ pressure: false }))).toContain('until a restart')
      await expect(cache.configure({ freshness: { ttl: '1m' } })).resolves.toEqual([
        { path: 'freshness.ttl', from: Number.POSITIVE_INFINITY, to: 60_000 },
      ])
    })

    test('when it is checked: nothing is made', async () => {
      const log: string[] = []
      const cache = await make({
        tiers: ['a', 'b', 'c'].map((name, i) => journaled(name, log, i === at ? 'check' : undefined)),
      })
      expect(await problemOf(cache.configure(patch))).toContain(`tiers.${at}.x: `)
      expect(log).toEqual([])
    })
  })

  test('and one that cannot be taken back is a warning; the others are', async () => {
    const log: string[] = []
    const warnings: string[] = []
    const onWarning = ({ message }: Error): void => void warnings.push(message)
    process.on('warning', onWarning)
    const cache = await make({
      tiers: [journaled('a', log), journaled('b', log, 'undo'), journaled('c', log, 'apply')],
    })
    await expect(cache.configure(patch)).rejects.toThrow('c fails')
    expect(log.slice(-2)).toEqual(['undo b', 'undo a'])
    await until(
      () => warnings.some((message) => message.includes('could not be taken back: Error: cannot')),
      'the process is warned',
    )
    process.off('warning', onWarning)
  })

  test('a tier that cannot be changed says so', async () => {
    const { keeps: _, ...store } = nullStore()
    const cache = await make({ tiers: [{ ...store, name: 'mine' }] })
    expect(await problemOf(cache.configure({ tiers: [{ maxBytes: 1 }] }))).toBe(
      'tiers.0.maxBytes: the mine tier cannot be changed while it runs; want a restart',
    )
  })
})

describe('what is said of an option of a store is what the store does', () => {
  const others: Readonly<Record<string, unknown>> = {
    maxBytes: '32MiB',
    maxItemBytes: '1MiB',
    policy: 'lru',
    name: 'other',
    compression: 'gzip',
    dir: '/elsewhere',
    maxIndexBytes: '20MiB',
    minFree: 0.1,
    partitions: 32,
    packLimit: '32KiB',
    segmentBytes: '2MiB',
    chunkBytes: '32KiB',
    durability: 'none',
    reclaimRate: '1MiB',
    readConcurrency: 9,
    openFiles: 99,
    logger: { info: () => undefined, warn: () => undefined },
  }
  const dir = mkdtempSync(join(tmpdir(), 'drey-live-'))
  afterAll(() => rmSync(dir, { recursive: true }))

  test.each(rowsOf(memoryStoreOptions))('memory: $path', async ({ path, facts }) => {
    const tiers = [{ store: 'memory', maxBytes: '16MiB', compression: 'lz4' } as const]
    const cache = await make({ tiers })
    const change = cache.configure({ tiers: [{ [path]: others[path] }] })
    if (facts.live === true)
      expect(await change).toContainEqual(expect.objectContaining({ path: `tiers.0.${path}` }))
    else expect(await problemOf(change)).toContain('tiers.0.')
  })

  test.each(rowsOf(fileStoreOptions))('file: $path', async ({ path, facts }) => {
    const tiers = [{ store: 'file', dir: join(dir, path), maxBytes: '64MiB', compression: 'lz4' } as const]
    const cache = await make({ tiers })
    const change = cache.configure({ tiers: { file: { [path]: others[path] } } })
    if (facts.live === true)
      expect(await change).toContainEqual(expect.objectContaining({ path: `tiers.0.${path}` }))
    else expect(await problemOf(change)).toContain('tiers.0.')
  })
})

test('changes are made one after the other', async () => {
  const log: string[] = []
  const cache = await make({ tiers: [journaled('a', log), journaled('b', log)] })
  const all = [1, 2, 3].map((n) => cache.configure({ freshness: { ttl: n }, tiers: [{ x: n }, { x: n }] }))
  const changes = await Promise.all(all)
  expect(log).toEqual(['apply a', 'apply b', 'apply a', 'apply b', 'apply a', 'apply b'])
  expect(changes.map(([first]) => first)).toEqual([
    { path: 'freshness.ttl', from: Number.POSITIVE_INFINITY, to: 1 },
    { path: 'freshness.ttl', from: 1, to: 2 },
    { path: 'freshness.ttl', from: 2, to: 3 },
  ])
})

test('a cache of a group has what the group says', async () => {
  const group = createGroup()
  const cache = await group.createCache('a')
  expect(await problemOf(cache.configure({ background: { concurrency: 1 }, refresh: { queue: 1 } }))).toBe(
    'background: is said by the group for all of its caches, and stays\nrefresh.queue: is said by the group for all of its caches, and stays',
  )
  expect(await cache.configure({ freshness: { ttl: 5 } })).toHaveLength(1)
  await group.close()
})

test('a closed cache is not changed', async () => {
  const cache = await make()
  await cache.close()
  await expect(cache.configure({})).rejects.toThrow(ClosedError)
})

test('waits that are under way may last as long as is said last', async () => {
  const clock = new FakeClock()
  const deadlines = new Deadlines(
    () => clock,
    1000,
    () => new Error('late'),
  )
  const ends: string[] = []
  const wait = (name: string): void => {
    deadlines.wait(new Promise(() => undefined)).catch(() => ends.push(name))
  }
  wait('a')
  clock.advance(100)
  wait('b')
  deadlines.configure(200)
  clock.advance(101)
  await Promise.resolve()
  expect(ends).toEqual(['a'])
  deadlines.configure(Number.POSITIVE_INFINITY)
  expect(clock.pending).toBe(0)
  deadlines.configure(50)
  clock.advance(1)
  await Promise.resolve()
  expect(ends).toEqual(['a', 'b'])
  expect(clock.pending).toBe(0)
})
