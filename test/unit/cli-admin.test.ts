import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { run } from '../../lib/cli/run.js'
import { topWith } from '../../lib/cli/top.js'
import type { Recommendation } from '../../lib/index.js'
import { gainOf } from '../../lib/metrics/advice/figures.js'
import { FakeClock } from '../helpers/clock.js'
import { type FakeConsole, fakeConsole } from '../helpers/console.js'
import { ask, type Bed, bed } from './http/harness.js'

const FILLED = { headers: { host: 'h' } }

async function fill({ origin, port }: Bed, ...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    origin.on(path, { body: path })
    expect((await ask(port, path, FILLED)).status).toBe(200)
  }
}

async function said(...args: readonly string[]) {
  const console = fakeConsole()
  const status = await run(args, console)
  return { status, out: console.out(), err: console.err() }
}

function socketPath(): string {
  return join(mkdtempSync(join(tmpdir(), 'cli-admin-')), 'a.sock')
}

afterEach(() => vi.unstubAllEnvs())

describe('drey stats', () => {
  test('shows what the proxy counts, as a table and as JSON', async () => {
    await using one = await bed({ admin: 0, memory: '4MiB', ttl: 60_000 })
    await fill(one, '/a', '/a', '/b', '/a')
    const { status, out, err } = await said('stats', one.proxy.adminAddress!)
    expect([status, err]).toEqual([0, ''])
    expect(out).toMatch(/^answers {2}4, 50\.0 % from the cache\n {9}hits 2, joined 0, /)
    expect(out).toMatch(
      /\ntier +entries +bytes +bound +hit +evicted +failures +breaker\nmemory +2 .* 50\.0 % +0 +0 +closed\n/,
    )
    const json = await said('stats', one.proxy.adminAddress!, '--json')
    expect(JSON.parse(json.out)).toMatchObject({
      hits: 2,
      misses: 2,
      tiers: [{ name: 'memory', entries: 2 }],
    })
  })

  test('by a socket, and by a port', async () => {
    const path = socketPath()
    await using one = await bed({ admin: path })
    expect((await said('stats', path)).status).toBe(0)
    await using other = await bed({ admin: 0 })
    expect((await said('stats', new URL(other.proxy.adminAddress!).port)).status).toBe(0)
    expect(one.proxy.adminAddress).toBe(path)
  })

  test('with the token of the environment', async () => {
    await using one = await bed({ admin: 0, adminToken: 'a-token-of-some-length' })
    const admin = one.proxy.adminAddress!
    expect(await said('stats', admin)).toEqual({
      status: 1,
      out: '',
      err: `drey: ${admin} wants a token; set DREY_ADMIN_TOKEN to what it has\n`,
    })
    vi.stubEnv('DREY_ADMIN_TOKEN', 'a-token-of-some-length')
    expect((await said('stats', admin)).status).toBe(0)
  })

  test('says what is wrong where nobody, or somebody else, answers', async () => {
    const path = socketPath()
    expect(await said('stats', path)).toMatchObject({
      status: 1,
      err: `drey: cannot ask ${path}: nobody listens there (is drey proxy running with --admin ${path}?)\n`,
    })
    const answers = ['<html>', '{}', 'null']
    const other = createServer((_, res) => res.end(answers.shift()))
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const port = String((other.address() as AddressInfo).port)
    expect((await said('stats', port)).err).toContain('and no JSON: it is no admin listener of drey')
    expect((await said('stats', port)).err).toContain('does not answer as this version of drey does')
    expect((await said('stats', port)).err).toContain('does not answer as this version of drey does')
    other.close()
    await once(other, 'close')
  })
})

describe('drey advice', () => {
  test('says what there is to say, in sentences and as JSON', async () => {
    await using one = await bed({ admin: 0, memory: '1MiB', ttl: 60_000, bufferPool: true })
    await fill(one, '/a', '/a')
    const admin = one.proxy.adminAddress!
    expect(await said('advice', admin)).toEqual({
      status: 0,
      out: 'nothing to recommend, of a sample of 2 requests\n',
      err: '',
    })
    expect(JSON.parse((await said('advice', admin, '--json')).out)).toMatchObject({
      requests: 2,
      recommendations: [],
    })
  })

  test('a change, a gain and the figures that it rests on', async () => {
    await using one = await bed({ admin: 0, memory: '1MiB' })
    const warning = {
      level: 'warning',
      id: 'configuration',
      tier: undefined,
      change: undefined,
      gain: undefined,
    }
    const advice = { level: 'advice', id: 'policy', tier: 'memory' } as const
    vi.spyOn(one.proxy.cache, 'advice').mockResolvedValue({
      at: 0,
      requests: 1,
      recommendations: [
        { ...warning, message: 'no good', evidence: {} } as Recommendation,
        {
          ...advice,
          message: 'better',
          evidence: { lru: 0.4, requests: 1 },
          change: { option: 'tiers.0.policy', from: 'lru', to: 'sieve', live: true },
          gain: gainOf('hit ratio', 0.4, 0.61239),
        },
        {
          ...warning,
          message: 'another',
          evidence: {},
          change: { option: 'bufferPool.classes', from: [4096], to: [4096, 8192], live: false },
        } as Recommendation,
      ],
    })
    expect((await said('advice', one.proxy.adminAddress!)).out).toBe(`of a sample of 1 request:

warning configuration: no good

advice policy, tier memory: better
  change    tiers.0.policy: lru -> sieve
  gain      hit ratio: 0.4 -> 0.612
  evidence  lru 0.4, requests 1

warning configuration: another
  change    bufferPool.classes: [4096] -> [4096,8192], with a restart
`)
  })

  test('wants one place to ask, and an answer of its own kind', async () => {
    expect((await said('advice')).status).toBe(2)
    expect((await said('advice', '9000', '9001')).status).toBe(2)
    const other = createServer((_, res) => res.end('{}'))
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const port = String((other.address() as AddressInfo).port)
    expect(await said('advice', port)).toMatchObject({
      status: 1,
      err: expect.stringContaining('does not answer as this version of drey does'),
    })
    other.close()
    await once(other, 'close')
  })
})

describe('drey purge', () => {
  test('by key, by prefix, by tag, all', async () => {
    await using one = await bed({ admin: 0, memory: '4MiB', ttl: 60_000 })
    const admin = one.proxy.adminAddress!
    const { cache } = one.proxy
    await fill(one, '/a', '/x/1', '/x/2', '/b')
    expect(await said('purge', admin, '/a h', '/none h')).toEqual({
      status: 0,
      out: 'purged 1 entry\n',
      err: '',
    })
    expect((await said('purge', admin, '--prefix', '/x/')).out).toBe(
      'purged 2 entries of 3 that were scanned\n',
    )
    await cache.set('one', '1', { tags: ['s', 't'] })
    await cache.set('two', '2', { tags: ['u'] })
    expect((await said('purge', admin, '--tag', 's', '--tag', 'u', '--json')).out).toBe('{"by":"tags"}\n')
    expect([await cache.has('one'), await cache.has('two'), await cache.has('/b h')]).toEqual([
      false,
      false,
      true,
    ])
    const refused = await said('purge', admin, '--prefix', '/')
    expect([refused.status, refused.err]).toEqual([1, expect.stringContaining('drey purge ADMIN --all')])
    expect(await cache.has('/b h')).toBe(true)
    expect((await said('purge', admin, '--all')).out).toBe('purged everything\n')
    expect(await cache.has('/b h')).toBe(false)
  })

  test('softly: what has the tag is stale', async () => {
    await using one = await bed({ admin: 0, memory: '4MiB', ttl: 60_000 })
    await one.proxy.cache.set('one', '1', { tags: ['t'], ttl: 60_000 })
    expect((await said('purge', one.proxy.adminAddress!, '--tag', 't', '--soft')).status).toBe(0)
    expect(await one.proxy.cache.get('one')).toBeUndefined()
    expect((await one.proxy.cache.get('one', { allowStale: true }))?.status).toBe('ok')
  })
})

describe('drey top', () => {
  /** Resolves when so much of output matches. */
  async function until(
    console: FakeConsole,
    pattern: RegExp,
    what: () => string = console.out,
  ): Promise<void> {
    const stream = (what === console.err ? console.stderr : console.stdout) as NodeJS.EventEmitter
    while (!pattern.test(what())) await once(stream, 'data')
  }

  /** The clock goes on whenever a command waits for it. */
  async function tick(clock: FakeClock): Promise<void> {
    while (clock.pending === 0) await new Promise((done) => setImmediate(done))
    clock.advance(1000)
  }

  test('prints a line a second where nobody looks', async () => {
    await using one = await bed({ admin: 0, memory: '4MiB', ttl: 60_000 })
    const [console, clock] = [fakeConsole(), new FakeClock()]
    const done = topWith([one.proxy.adminAddress!, '--count', '2'], console, clock)
    while (clock.pending === 0) await new Promise((next) => setImmediate(next))
    await fill(one, '/a', '/a', '/a', '/a')
    one.clock.advance(1000)
    await tick(clock)
    await until(console, /\n/)
    expect(console.out()).toMatch(
      /^4 req\/s {2}hit 75\.0 % {2}memory 75\.0 % {2}p50 .* {2}p99 .* {2}fills 1\/s\n$/,
    )
    one.clock.advance(1000)
    await tick(clock)
    expect(await done).toBe(0)
    expect(console.out()).toMatch(/\n0 req\/s {2}hit - {2}memory - {2}p50 - /)
    expect(clock.pending).toBe(0)
  })

  test('draws itself anew on a terminal, until a signal', async () => {
    await using one = await bed({ admin: 0, memory: '4MiB', ttl: 60_000 })
    const [console, clock] = [fakeConsole(true), new FakeClock()]
    const done = topWith([one.proxy.adminAddress!], console, clock)
    for (const shown of [1, 2]) {
      while (clock.pending === 0) await new Promise((next) => setImmediate(next))
      one.clock.advance(1000)
      await tick(clock)
      await until(console, new RegExp(`(\x1b\\[H[^]*){${shown}}\x1b\\[J`))
    }
    console.signal('SIGINT')
    expect(await done).toBe(0)
    expect(console.out().startsWith('\x1b[?1049h\x1b[?25l')).toBe(true)
    expect(console.out().endsWith('\x1b[?25h\x1b[?1049l')).toBe(true)
    expect(console.out()).toContain('requests')
    expect(clock.pending).toBe(0)
  })

  test('waits for a proxy that went away, and begins anew with the next', async () => {
    const path = socketPath()
    const [console, clock] = [fakeConsole(), new FakeClock()]
    let done: Promise<number>
    {
      await using one = await bed({ admin: path })
      done = topWith([path, '--json', '--count', '1'], console, clock)
      while (clock.pending === 0) await new Promise((next) => setImmediate(next))
      expect(one.proxy.adminAddress).toBe(path)
    }
    await tick(clock)
    await until(console, /trying again\n/, console.err)
    expect(console.err()).toMatch(/^drey: cannot ask [^\n]*; trying again\n$/)
    await using next = await bed({ admin: path })
    // The first look at it only says from where it counts.
    await tick(clock)
    while (clock.pending === 0) await new Promise((step) => setImmediate(step))
    expect(console.out()).toBe('')
    next.clock.advance(1000)
    await tick(clock)
    expect(await done).toBe(0)
    expect(JSON.parse(console.out())).toMatchObject({ rate: 0, hitRatio: null, tiers: [{ name: 'memory' }] })
  })

  test('cannot begin where nobody answers', async () => {
    const path = socketPath()
    const console = fakeConsole(true)
    expect(await run(['top', path], console)).toBe(1)
    expect([console.out(), console.err()]).toEqual(['', expect.stringContaining('nobody listens there')])
  })
})

test('drey proxy says where its admin listener is', async () => {
  const path = socketPath()
  const console = fakeConsole()
  const done = run(['proxy', '--origin', 'http://127.0.0.1:1', '--listen', '0', '--admin', path], console)
  await console.listening()
  while (!console.out().includes('admin on')) await once(console.stdout, 'data')
  expect(console.out()).toContain(`drey proxy admin on ${path}\n`)
  expect((await said('stats', path)).status).toBe(0)
  console.signal('SIGTERM')
  expect(await done).toBe(0)
})
