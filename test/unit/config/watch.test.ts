import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Cache } from '../../../lib/cache/cache.js'
import { createCacheWith } from '../../../lib/cache/create.js'
import type { CacheEvents } from '../../../lib/cache/events.js'
import { follow, LOOK_MS, QUIET_MS } from '../../../lib/config/file/watch.js'
import { messageOf } from '../../../lib/errors.js'
import { createProxyWith } from '../../../lib/http/proxy.js'
import { FakeClock } from '../../helpers/clock.js'

const root = mkdtempSync(join(tmpdir(), 'drey-watch-'))
let folder = root
let count = 0
const open: Array<{ close(): Promise<void> }> = []

beforeEach(() => {
  count += 1
  folder = join(root, String(count))
  mkdirSync(folder)
})
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})
afterAll(() => rmSync(root, { recursive: true }))

function write(name: string, content: unknown): string {
  const file = join(folder, name)
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

/** What is told next. */
function next<E extends 'config' | 'config-error'>(cache: Cache, event: E): Promise<CacheEvents[E]> {
  return new Promise((resolve) => {
    const listener = (what: CacheEvents[E]): void => {
      cache.off(event, listener)
      resolve(what)
    }
    cache.on(event, listener)
  })
}

/** Goes on, looking again and again, until `coming` is there. */
async function until<T>(clock: FakeClock, coming: Promise<T>): Promise<T> {
  let there = false
  const done = coming.finally(() => {
    there = true
  })
  while (!there) {
    clock.advance(LOOK_MS)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  return done
}

async function watched(options: object, clock: FakeClock): Promise<{ cache: Cache; file: string }> {
  const file = write('drey.config.json', { version: 1, ...options })
  const cache = (await createCacheWith({ configFile: file, watch: true }, { clock })) as Cache
  open.push(cache)
  return { cache, file }
}

describe('a file that is watched', () => {
  test('is applied when it changes, by leaf and by tier, and says what became different', async () => {
    const clock = new FakeClock()
    const tiers = [{ store: 'memory', maxBytes: '4MiB' }]
    const { cache } = await watched({ tiers, freshness: { ttl: '1m' } }, clock)
    const told = next(cache, 'config')
    write('drey.config.json', {
      version: 1,
      tiers: [{ store: 'memory', maxBytes: '2MiB', policy: 'lru' }],
      freshness: { ttl: '2m' },
    })
    expect((await until(clock, told)).changes).toEqual([
      { path: 'freshness.ttl', from: 60_000, to: 120_000 },
      { path: 'tiers.0.maxBytes', from: 4 * 2 ** 20, to: 2 * 2 ** 20 },
      { path: 'tiers.0.maxItemBytes', from: 2 ** 19, to: 2 ** 18 },
      { path: 'tiers.0.policy', from: 'w-tinylfu', to: 'lru' },
    ])
    const { freshUntil, cachedAt } = await cache.set('a', 'b')
    expect(freshUntil - cachedAt).toBe(120_000)
  })

  test.each([
    ['half-written', '{"version":1,', 'it ends where JSON'],
    ['empty', '', 'is empty'],
    ['wrong', { version: 1, freshness: { ttl: -1 } }, 'freshness.ttl: got -1'],
    ['of another version', { version: 7 }, 'version: got 7; want 1'],
    ['one that takes a restart', { version: 1, freshness: { ttl: 5 }, pressure: false }, 'until a restart'],
    [
      'one with other tiers',
      { version: 1, tiers: [{ store: 'memory' }, { store: 'null' }] },
      'tiers: there are others',
    ],
  ])('that is %s changes nothing, says why, and is followed on', async (_, content, message) => {
    const clock = new FakeClock()
    const { cache, file } = await watched({ freshness: { ttl: '1m' } }, clock)
    const told = next(cache, 'config-error')
    write('drey.config.json', content)
    const { error, file: where } = await until(clock, told)
    expect(messageOf(error)).toContain(message)
    expect(where).toBe(file)
    const { freshUntil, cachedAt } = await cache.set('a', 'b')
    expect(freshUntil - cachedAt).toBe(60_000)
    const better = next(cache, 'config')
    write('drey.config.json', { version: 1, freshness: { ttl: '3m' } })
    expect((await until(clock, better)).changes).toHaveLength(1)
  })

  test('that goes, becomes a folder, or comes back', async () => {
    const clock = new FakeClock()
    const { cache, file } = await watched({ freshness: { ttl: '1m' } }, clock)
    let told = next(cache, 'config-error')
    unlinkSync(file)
    expect(messageOf((await until(clock, told)).error)).toContain('there is no such file')
    told = next(cache, 'config-error')
    mkdirSync(file)
    expect(messageOf((await until(clock, told)).error)).toContain('is a directory')
    rmSync(file, { recursive: true })
    const back = next(cache, 'config')
    write('drey.config.json', { version: 1, freshness: { ttl: '4m' } })
    await until(clock, back)
  })

  test('that is replaced, or a link that leads elsewhere, as a config map', async () => {
    const clock = new FakeClock()
    for (const version of ['1', '2']) {
      mkdirSync(join(folder, version))
      writeFileSync(
        join(folder, version, 'drey.config.json'),
        JSON.stringify({ version: 1, freshness: { ttl: `${version}m` } }),
      )
    }
    symlinkSync('1', join(folder, '..data'))
    symlinkSync('..data/drey.config.json', join(folder, 'drey.config.json'))
    const configFile = join(folder, 'drey.config.json')
    const cache = (await createCacheWith({ configFile, watch: true }, { clock })) as Cache
    open.push(cache)
    const told = next(cache, 'config')
    symlinkSync('2', join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    expect((await until(clock, told)).changes).toEqual([{ path: 'freshness.ttl', from: 60_000, to: 120_000 }])
    const replaced = next(cache, 'config')
    const other = write('other.json', { version: 1, freshness: { ttl: '3m' } })
    renameSync(other, configFile)
    await until(clock, replaced)
  })

  test('counts less than what code says, then as before', async () => {
    const clock = new FakeClock()
    const { cache } = await watched({ freshness: { ttl: '1m' } }, clock)
    await cache.configure({ freshness: { ttl: '9m' } })
    const told = next(cache, 'config')
    write('drey.config.json', { version: 1, freshness: { ttl: '2m', jitter: 0.1 } })
    expect((await until(clock, told)).changes).toEqual([{ path: 'freshness.jitter', from: 0, to: 0.1 }])
  })
})

test('the system tells of a change, without a look', async () => {
  const file = write('a.json', '{}')
  let changes = 0
  let changed = (): void => undefined
  const clock = new FakeClock()
  clock.after = (ms, fn) => {
    if (ms !== QUIET_MS) return { cancel: () => undefined }
    const timer = setTimeout(fn, 1)
    return { cancel: () => clearTimeout(timer) }
  }
  const first = new Promise<void>((resolve) => {
    changed = resolve
  })
  const following = follow(file, clock, async () => {
    changes += 1
    changed()
  })
  open.push(following)
  await first
  const second = new Promise<void>((resolve) => {
    changed = resolve
  })
  write('a.json', '{"version":1}')
  await second
  expect(changes).toBe(2)
  await following.close()
})

test('nothing is left when it is closed, and nothing is told any more', async () => {
  const clock = new FakeClock()
  const { cache } = await watched({}, clock)
  let told = 0
  cache.on('config', () => {
    told += 1
  })
  write('drey.config.json', { version: 1, freshness: { ttl: '2m' } })
  await cache.close()
  expect(clock.pending).toBe(0)
  clock.advance(10 * LOOK_MS)
  expect(told).toBe(0)
})

test('what is measured and what alerts is made when the cache opens: a change is refused, with the reason, and others of it with it', async () => {
  const clock = new FakeClock()
  const { cache } = await watched({ freshness: { ttl: '1m' } }, clock)
  for (const options of [
    { metrics: false },
    { metrics: { sampling: 1 } },
    { alerts: { errors: { amber: 0.2, red: 1 } } },
  ]) {
    const told = next(cache, 'config-error')
    write('drey.config.json', { version: 1, freshness: { ttl: '2m' }, ...options })
    const { error } = (await until(clock, told)) as CacheEvents['config-error']
    expect(messageOf(error)).toMatch(
      /(metrics|alerts)[\w.]*: got .*; it stays .* until a restart: what (measures|watches) is made when the cache opens/,
    )
  }
  await cache.set('a', 'x')
  expect((await cache.stat('a'))!.freshUntil).toBe(clock.now() + 60_000)
})

test('a proxy follows its file: its own options, and those of its cache', async () => {
  const clock = new FakeClock()
  const origin = 'http://127.0.0.1:9'
  const tiers = [{ store: 'memory', maxBytes: '4MiB' }]
  const configFile = write('p.json', { version: 1, tiers, proxy: { origin, ttl: '1m' } })
  const proxy = await createProxyWith({ configFile, watch: true } as never, { clock })
  open.push(proxy)
  let told: Promise<unknown> = next(proxy.cache, 'config')
  write('p.json', {
    version: 1,
    tiers: [{ store: 'memory', maxBytes: '8MiB' }],
    proxy: { origin, ttl: '2m', healthz: true, clientTimeout: '1h' },
  })
  expect(await until(clock, told)).toEqual({
    changes: [
      { path: 'proxy.ttl', from: 60_000, to: 120_000 },
      { path: 'proxy.healthz', from: false, to: true },
      { path: 'proxy.clientTimeout', from: 300_000, to: 3_600_000 },
      { path: 'timeouts.idle', from: 300_000, to: 3_600_000 },
      { path: 'tiers.0.maxBytes', from: 4 * 2 ** 20, to: 8 * 2 ** 20 },
      { path: 'tiers.0.maxItemBytes', from: 2 ** 19, to: 2 ** 20 },
    ],
  })
  expect(proxy.server.timeout).toBe(3_600_000)
  told = next(proxy.cache, 'config-error')
  write('p.json', { version: 1, tiers, proxy: { origin, ttl: '3m', listen: 1 } })
  const { error } = (await until(clock, told)) as CacheEvents['config-error']
  expect(messageOf(error)).toContain(
    'listen: got 1; it stays undefined until a restart: the socket listens there',
  )
  expect(await proxy.configure({ heuristic: true })).toEqual([
    { path: 'proxy.heuristic', from: false, to: true },
  ])
})
