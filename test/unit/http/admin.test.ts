import { spawnSync } from 'node:child_process'
import { lstatSync, mkdtempSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isLoopback, parseAdmin, readAdmin } from '../../../lib/http/admin/options.js'
import { createProxy } from '../../../lib/http/proxy.js'
import type { MetricsSnapshot } from '../../../lib/metrics/snapshot.js'
import { type Asking, ask, type Bed, bed, type Reply } from './harness.js'

const promtool = spawnSync('promtool', ['--version']).status === 0
if (!promtool)
  console.warn('promtool is not installed (Debian: prometheus): what it says of /metrics is not checked')

const TOKEN = 'a-token-of-some-length'

interface AdminBed extends Bed {
  readonly admin: (path: string, asking?: Partial<Asking>) => Promise<Reply>
  readonly purge: (
    what: unknown,
    more?: Partial<Asking>,
  ) => Promise<readonly [number, Record<string, unknown>]>
}

async function adminBed(options: Parameters<typeof bed>[0] = {}): Promise<AdminBed> {
  const one = await bed({ admin: 0, memory: '4MiB', ttl: 60_000, ...options })
  const port = Number(new URL(one.proxy.adminAddress!).port)
  const admin: AdminBed['admin'] = (path, asking) => ask(port, path, asking)
  return Object.assign(one, {
    admin,
    async purge(what: unknown, more: Partial<Asking> = {}) {
      const body = typeof what === 'string' ? what : JSON.stringify(what)
      const json = { 'content-type': 'application/json' }
      const { status, text } = await admin('/purge', { method: 'POST', headers: json, body, ...more })
      return [status, JSON.parse(text)] as const
    },
  })
}

const FILLED = { headers: { host: 'h' } }

async function fill({ origin, port }: Bed, ...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    origin.on(path, { body: path })
    expect((await ask(port, path, FILLED)).status).toBe(200)
  }
}

describe('the admin listener', () => {
  test('says that it fails by its status, to who only looks at that', async () => {
    await using one = await adminBed()
    await one.proxy.cache.close()
    const { status, text } = await one.admin('/health')
    expect([status, JSON.parse(text).level]).toEqual([503, 'failing'])
  })

  test('has metrics in which nothing is of strangers: no key, host, tag or method makes a label, nor a series', async () => {
    await using one = await adminBed()
    await fill(one, '/warm', '/warm')
    const strange = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i += 1) {
        const path = `/mark-${i}?mark=${i}`
        one.origin.on(path, {
          headers: ['cache-tag', `mark-${i}`, 'etag', `"mark-${i}"`, 'cache-control', 'max-age=9'],
          body: 'x',
        })
        const headers = { host: `mark-${i}.example`, 'user-agent': `mark-${i}` }
        expect((await ask(one.port, path, { headers })).status).toBe(200)
        expect((await ask(one.port, path, { headers, method: i % 2 === 0 ? 'GET' : 'HEAD' })).status).toBe(
          200,
        )
        one.origin.on(`/mark-${i}/none`, { status: 404, body: '' })
        await ask(one.port, `/mark-${i}/none`, { headers })
        await one.purge({ tags: [`mark-${i}`] })
      }
    }
    const series = async (): Promise<readonly string[]> => {
      const { text } = await one.admin('/metrics')
      expect(text).not.toContain('mark')
      return text.split('\n').flatMap((line) => /^(\w+(?:\{.*\})?) /.exec(line)?.[1] ?? [])
    }
    await strange(0, 10)
    const few = new Set((await series()).map((name) => name.replace(/\{.*/, '')))
    await strange(10, 60)
    const all = await series()
    for (const name of all) {
      // Which operations were timed is chance; their labels are fixed all the same.
      if (!/operation_duration/.test(name)) expect([...few]).toContain(name.replace(/\{.*/, ''))
    }
    expect(all.filter((name) => !name.includes('duration')).length).toBeLessThan(200)
    const values = new Set(all.flatMap((name) => [...name.matchAll(/="([^"]*)"/g)].map(([, value]) => value)))
    expect(values.size).toBeLessThan(100)
  })

  test.runIf(promtool)('has metrics that promtool finds clean', async () => {
    await using one = await adminBed()
    await fill(one, '/a', '/a')
    const { text } = await one.admin('/metrics')
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: text,
      encoding: 'utf8',
    })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  test('gives metrics, health, stats and snapshots', async () => {
    await using one = await adminBed()
    await fill(one, '/a', '/a')
    const metrics = await one.admin('/metrics')
    expect([metrics.status, metrics.headers['content-type']]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ])
    expect(metrics.text).toMatch(/^drey_answers_total\{cache="proxy",tier="memory",outcome="hit"\} 1$/m)
    expect(JSON.parse((await one.admin('/stats')).text)).toMatchObject({ hits: 1, misses: 1, fills: 1 })
    const { at, series } = JSON.parse((await one.admin('/snapshot')).text) as MetricsSnapshot
    expect([typeof at, series.some(({ name }) => name === 'fills_total')]).toEqual(['number', true])
    const health = await one.admin('/health')
    expect([health.status, JSON.parse(health.text)]).toEqual([200, { level: 'ok', reasons: [] }])
    const advice = await one.admin('/advice')
    expect([advice.status, JSON.parse(advice.text)]).toMatchObject([
      200,
      { requests: 2, recommendations: [] },
    ])
    const head = await one.admin('/stats', { method: 'HEAD' })
    expect([head.status, head.text]).toEqual([200, ''])
  })

  test('knows its paths and their methods', async () => {
    await using one = await adminBed()
    const nowhere = await one.admin('/nowhere')
    expect([nowhere.status, nowhere.text]).toEqual([
      404,
      expect.stringMatching(/^\{"error":"want one of .*\/metrics, \/health, \/stats/),
    ])
    const get = await one.admin('/purge')
    expect([get.status, get.headers['allow']]).toEqual([405, 'POST'])
    expect((await one.admin('/stats', { method: 'DELETE' })).status).toBe(405)
  })

  test('purges by key, by tag and all', async () => {
    await using one = await adminBed()
    await fill(one, '/a', '/b')
    expect(await one.purge({ keys: ['/a h', '/none h'] })).toEqual([200, { by: 'keys', purged: 1 }])
    expect(await one.proxy.cache.has('/a h')).toBe(false)
    expect(await one.proxy.cache.has('/b h')).toBe(true)
    await one.proxy.cache.set('tagged', 'x', { tags: ['t'] })
    expect(await one.purge({ tags: ['t'] })).toEqual([200, { by: 'tags' }])
    expect(await one.proxy.cache.has('tagged')).toBe(false)
    expect(await one.purge({ all: true })).toEqual([200, { by: 'all' }])
    expect(await one.proxy.cache.has('/b h')).toBe(false)
  })

  test('purges by prefix, but not everything in disguise', async () => {
    await using one = await adminBed()
    for (let at = 0; at < 150; at += 1) await one.proxy.cache.set(`/x/${at} h`, 'x')
    await one.proxy.cache.set('/y h', 'y')
    const [status, said] = await one.purge({ prefix: '/' })
    expect([status, said['error']]).toEqual([
      400,
      'all 151 entries begin with "/"; to purge everything say {"all": true} (drey purge ADMIN --all)',
    ])
    expect(one.proxy.cache.stats().tiers[0]!.entries).toBe(151)
    expect(await one.purge({ prefix: '/x/' })).toEqual([200, { by: 'prefix', purged: 150, scanned: 151 }])
    expect(await one.proxy.cache.has('/y h')).toBe(true)
    expect(await one.purge({ prefix: '/none' })).toEqual([200, { by: 'prefix', purged: 0, scanned: 1 }])
  })

  test.each([
    ['{', 'the body is no JSON'],
    ['', 'the body is no JSON'],
    [{}, 'the body names nothing to purge'],
    [[], 'the body names nothing to purge'],
    [null, 'the body names nothing to purge'],
    [{ prefix: '' }, 'every key begins with an empty prefix; to purge everything say {"all": true}'],
    [{ all: false }, 'the body names nothing to purge'],
    [{ keys: [] }, 'the body names nothing to purge'],
    [{ keys: ['a'], all: true }, 'or too much'],
    [{ keys: ['\ud800'] }, 'a key is well-formed'],
    [{ tags: [''] }, 'the body names nothing to purge'],
  ])('a purge of %j is refused, and nothing is gone', async (what, message) => {
    await using one = await adminBed()
    await fill(one, '/a')
    const [status, said] = await one.purge(what)
    expect([status, said['error']]).toEqual([400, expect.stringContaining(message)])
    expect(await one.proxy.cache.has('/a h')).toBe(true)
  })

  test('wants JSON, and not too much of it', async () => {
    await using one = await adminBed()
    const [status] = await one.purge({ all: true }, { headers: { 'content-type': 'text/plain' } })
    expect(status).toBe(415)
    const [large, said] = await one.purge(JSON.stringify({ keys: ['x'.repeat(2 ** 20)] }))
    expect([large, said['error']]).toEqual([413, 'the body is too large; want at most 1048576 bytes'])
  })

  test('on loopback it is not to be had under the name of another, nor by pages of others', async () => {
    await using one = await adminBed()
    const statusOf = async (headers: Asking['headers']) => (await one.admin('/stats', { headers })).status
    expect(await statusOf({ host: 'evil.example' })).toBe(403)
    expect(await statusOf({ host: '127.0.0.1.evil.example:80' })).toBe(403)
    expect(await statusOf({ host: 'localhost:9000' })).toBe(200)
    expect(await statusOf({ host: '[::1]' })).toBe(200)
    expect(await statusOf({ host: 'localhost', origin: 'http://evil.example' })).toBe(403)
    expect(await statusOf({ host: 'localhost', origin: 'http://localhost' })).toBe(200)
  })

  test('with a token it wants it, wherever it listens', async () => {
    await using one = await adminBed({ adminToken: TOKEN, admin: '0.0.0.0:0' })
    const statusOf = async (authorization: string) =>
      (await one.admin('/stats', { headers: { authorization, host: 'cache.example' } })).status
    const none = await one.admin('/metrics')
    expect([none.status, none.headers['www-authenticate']]).toEqual([401, 'Bearer realm="drey"'])
    expect(await statusOf('Bearer wrong')).toBe(401)
    expect(await statusOf(`Basic ${TOKEN}`)).toBe(401)
    expect(await statusOf(`Bearer ${TOKEN}x`)).toBe(401)
    expect(await statusOf(`bearer ${TOKEN}`)).toBe(200)
    // It cannot be changed at run time, and what is said of that does not tell it.
    const refused = await one.proxy.configure({ adminToken: 'another-token-of-length' }).catch(String)
    expect(refused).toContain('adminToken: got another value')
    expect(refused).not.toMatch(/of-some-length|of-length/)
  })

  test('a Unix socket is for its user alone, and is gone with the proxy', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'admin-')), 'a.sock')
    const statusAt = () =>
      new Promise((resolve, reject) => {
        const req = request({ socketPath: path, path: '/stats', headers: { host: 'x' } }, (res) => {
          res.resume()
          resolve(res.statusCode)
        })
        req.on('error', reject)
        req.end()
      })
    {
      await using one = await bed({ admin: path })
      expect(one.proxy.adminAddress).toBe(path)
      expect(lstatSync(path).mode & 0o777).toBe(0o600)
      expect(await statusAt()).toBe(200)
      const other = await createProxy({ origin: one.origin.url, admin: path })
      await expect(other.listen()).rejects.toThrow('where another process listens')
      await other.close()
      expect(await statusAt()).toBe(200)
    }
    expect(lstatSync(path, { throwIfNoEntry: false })).toBeUndefined()
    writeFileSync(path, 'mine')
    const other = await createProxy({ origin: 'http://127.0.0.1:1', admin: path })
    await expect(other.listen()).rejects.toThrow('something is that is no socket')
    await other.close()
    expect(lstatSync(path).size).toBe(4)
  })

  test('it is free again when the proxy cannot listen, and when it is closed', async () => {
    await using one = await bed()
    const other = await createProxy({ origin: 'http://127.0.0.1:1', listen: one.port, admin: 0 })
    await expect(other.listen()).rejects.toThrow('EADDRINUSE')
    expect(other.adminAddress).toBeUndefined()
    await other.close()
    const third = await createProxy({ origin: 'http://127.0.0.1:1', admin: 0 })
    await third.listen()
    const port = Number(new URL(third.adminAddress!).port)
    await third.close()
    expect(third.adminAddress).toBeUndefined()
    await expect(ask(port, '/stats')).rejects.toThrow('ECONNREFUSED')
  })
})

describe('where it listens', () => {
  test.each([
    [9000, { kind: 'tcp', host: '127.0.0.1', port: 9000 }],
    ['[::1]:0', { kind: 'tcp', host: '::1', port: 0 }],
    ['/run/drey.sock', { kind: 'socket', path: '/run/drey.sock' }],
    ['drey.sock', { kind: 'socket', path: 'drey.sock' }],
  ])('%j', (given, at) => expect(parseAdmin(given)).toEqual(at))

  test.each([
    ['here', undefined, 'admin: got "here"; want a port'],
    [`/${'x'.repeat(96)}`, undefined, 'admin: got a path of 97 bytes'],
    ['0.0.0.0:9000', undefined, 'admin: got "0.0.0.0:9000", which others may reach, without a token'],
    ['cache.example:9000', '', 'which others may reach, without a token'],
    [9000, 'short', 'admin: got a token of 5 characters; want at least 16'],
    [9000, 'a token with spaces in it', 'admin: got a token of 25 characters'],
  ])('%j with the token %j is refused', (given, token, message) => {
    expect(() => readAdmin(given, token)).toThrow(message)
  })

  test('loopback is what only this machine reaches', () => {
    const all = [
      '127.0.0.1',
      '127.9.9.9',
      '::1',
      'localhost',
      '0.0.0.0',
      '::',
      '127.0.0.1.example',
      'example',
    ]
    expect(all.filter(isLoopback)).toEqual(['127.0.0.1', '127.9.9.9', '::1', 'localhost'])
  })
})
