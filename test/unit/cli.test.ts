import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from '../../lib/cli/run.js'
import { nativeStatus } from '../../lib/native/loader.js'
import { bytesOf, mustPut } from '../conformance/store-kit.js'
import { fakeConsole } from '../helpers/console.js'
import { filesOf } from '../helpers/file-model.js'
import { emptyDir, jsEngine, opened } from '../helpers/file-rig.js'
import { fakeOrigin, gate } from '../helpers/origin.js'
import { ask, raw } from './http/harness.js'

describe('drey', () => {
  test('--version is that of the package, --help shows examples', async () => {
    const console = fakeConsole()
    expect(await run(['--version'], console)).toBe(0)
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(console.out()).toBe(`${version}\n`)
    for (const args of [
      ['--help'],
      ['-h'],
      ['help'],
      ['proxy', '--help'],
      ['proxy', '--origin', 'x', '-h'],
      ['verify', '--help'],
      ['stats', '--help'],
      ['top', '--help'],
      ['purge', '--help'],
      ['advice', '--help'],
    ]) {
      const one = fakeConsole()
      expect(await run(args, one)).toBe(0)
      expect(one.out()).toMatch(/Examples:\n {2}drey (proxy --origin|verify|stats|top|purge|advice)/)
      expect(one.err()).toBe('')
    }
  })

  test.each([
    [[], 'want a command: advice, config, doctor, inspect, proxy, purge, stats, top, verify'],
    [
      ['fly'],
      'no such command: fly; known: advice, config, doctor, inspect, proxy, purge, stats, top, verify',
    ],
    [['constructor'], 'no such command: constructor'],
    [['verify'], 'verify wants one DIR'],
    [['verify', 'a', 'b'], 'verify wants one DIR'],
    [['verify', 'a', '--fix'], "Unknown option '--fix'"],
    [['proxy'], 'proxy wants --origin URL'],
    [['proxy', '--origin', 'http://a', '--admin', 'here'], '--admin: got "here"; want a port'],
    [['proxy', '--origin', 'http://a', '--admin', '0.0.0.0:1'], '--admin: got "0.0.0.0:1", which others'],
    [['proxy', '--origin', 'http://a', '--admin', '0', '--workers', '2'], '--admin: each thread counts'],
    [['inspect'], 'inspect wants DIR [KEY]'],
    [['inspect', 'a', 'b', 'c'], 'inspect wants DIR [KEY]'],
    [['stats'], 'stats wants ADMIN'],
    [['stats', '1', '2'], 'stats wants one ADMIN'],
    [['stats', 'here'], 'stats: got "here"; want a port'],
    [['stats', 'https://a:1'], 'stats: got https://a:1; an admin listener speaks http alone'],
    [['top'], 'top wants ADMIN'],
    [['top', '1', '--count', '0'], 'top: --count: got "0"; want a whole number of seconds'],
    [['purge'], 'purge wants ADMIN'],
    [['purge', '1'], 'purge wants one of: KEY..., --prefix TEXT, --tag TAG, --all'],
    [['purge', '1', 'key', '--all'], 'purge wants one of: KEY...'],
    [['purge', '1', '--prefix='], 'purge: every key begins with an empty --prefix; want --all for that'],
    [['purge', '1', '--all', '--soft'], 'purge: --soft goes with --tag'],
    [['proxy', '--origin'], "Option '--origin <value>' argument missing"],
    [['proxy', '--origin', 'nonsense'], '--origin: got "nonsense"; want the scheme, host and port'],
    [['proxy', '--origin', 'http://a', '--fly'], "Unknown option '--fly'"],
    [['proxy', '--origin', 'http://a', 'extra'], "Unexpected argument 'extra'"],
    [['proxy', '--origin', 'http://a', '--heuristic=yes'], "Option '--heuristic' does not take an argument"],
    [
      ['proxy', '--origin', 'http://a', '--memory', '1MB'],
      '--memory: got "1MB"; want a whole number of bytes',
    ],
    [['proxy', '--origin', 'http://a', '--memory', '5'], '--memory: got 5; want at least 1 MiB'],
    [['proxy', '--origin', 'http://a', '--ttl', 'soon'], '--ttl: got "soon"; want milliseconds'],
    [['proxy', '--origin', 'http://a', '--stale-if-error', '-'], '--stale-if-error: got "-"'],
    [['proxy', '--origin', 'http://a', '--listen', 'here'], '--listen: got "here"; want a port'],
    [['proxy', '--origin', 'http://a', '--healthz', 'x'], '--healthz: got "x"'],
    [['proxy', '--origin', 'http://a', '--max-item', '2TiB'], '--max-item: got'],
    [['proxy', '--origin', 'http://a', '--dir', '/tmp/x'], '--dir: got "/tmp/x" without disk; want both'],
    [['proxy', '--origin', 'http://a', '--disk', '1GiB'], '--disk: got a bound without dir; want both'],
    [
      ['proxy', '--origin', 'http://a', '--dir', '/tmp/x', '--disk', '1MiB'],
      '--disk: got 1048576; want at least 8 MiB',
    ],
    [
      ['proxy', '--origin', 'http://a', '--dir', '/tmp/x', '--disk', '64MiB', '--max-item', '33MiB'],
      '--max-item: got 34603008, more than half of disk, 33554432',
    ],
    [
      ['proxy', '--origin', 'http://a', '--dir', '/tmp/x', '--disk', '64MiB', '--workers', '2'],
      '--dir: one thread has a directory',
    ],
    [
      ['proxy', '--origin', 'http://a', '--workers', '0'],
      '--workers: got 0; want a whole number from 1 to 64',
    ],
    [['proxy', '--origin', 'http://a', '--workers', '65'], '--workers: got 65; want a whole number'],
    [['proxy', '--origin', 'http://a', '--workers', '1.5'], '--workers: got "1.5"; want a whole number'],
    [['proxy', '--origin', 'http://a', '--workers', 'two'], '--workers: got "two"; want a whole number'],
  ])('%j is refused in one line, with status 2', async (args, message) => {
    const console = fakeConsole()
    expect(await run(args, console)).toBe(2)
    expect(console.err()).toContain(`drey: ${message}`)
    expect(console.err()).toMatch(/^[^\n]+; see drey (\w+ )?--help\n$/)
    expect(console.out()).toBe('')
  })

  test('what fails at run time is one line, with status 1', async () => {
    const taken = createServer()
    taken.listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    const console = fakeConsole()
    expect(await run(['proxy', '--origin', 'http://a', '--listen', `${port}`], console)).toBe(1)
    expect(console.err()).toBe(
      `drey: proxy cannot listen: listen EADDRINUSE: address already in use 127.0.0.1:${port}\n`,
    )
    await new Promise((resolve) => taken.close(resolve))
    const other = fakeConsole()
    expect(
      await run(['proxy', '--origin', 'http://a', '--listen', '0', '--access-log', '/no/such/dir/x'], other),
    ).toBe(1)
    expect(other.err()).toMatch(/^drey: proxy cannot start: ENOENT[^\n]*\n$/)
  })
})

describe('drey proxy', () => {
  test('serves, logs, and stops on a signal with status 0', async () => {
    await using origin = await fakeOrigin()
    origin.on('/a', { body: 'hello' })
    const console = fakeConsole()
    const args = [
      '--origin',
      origin.url,
      '--listen',
      '0',
      '--memory',
      '4MiB',
      '--ttl',
      '60000',
      '--healthz',
      '--access-log',
    ]
    const done = run(['proxy', ...args], console)
    const { port, line } = await console.listening()
    expect(line).toBe(`listening on http://127.0.0.1:${port} -> ${origin.url}\n`)
    expect((await ask(port, '/a')).cache).toMatch(/^fwd=uri-miss; fwd-status=200; ttl=\d+; stored$/)
    expect((await ask(port, '/a')).cache).toMatch(/^hit; ttl=\d+$/)
    expect((await ask(port, '/healthz')).text).toBe('ok\n')
    console.signal('SIGTERM')
    expect(await done).toBe(0)
    expect(console.out()).toMatch(/"GET \/a HTTP\/1\.1" 200 \d+ "-" "-" miss [\s\S]* hit [\s\S]* health /)
    expect(console.out()).toContain('drey proxy stopping on SIGTERM\n')
    expect(console.err()).toBe('')
    expect(console.exits).toEqual([])
    await expect(ask(port, '/a')).rejects.toThrow(/ECONNREFUSED/)
  })

  test('--json: what it says of itself is an object a line', async () => {
    await using origin = await fakeOrigin()
    const console = fakeConsole()
    const folder = emptyDir()
    const args = [
      '--origin',
      origin.url,
      '--listen',
      '0',
      '--memory',
      '4MiB',
      '--admin',
      join(folder, 'admin'),
      '--json',
    ]
    const done = run(['proxy', ...args], console)
    const said = (): Record<string, unknown>[] =>
      console
        .out()
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line))
    while (said().length < 2) await once(console.stdout, 'data')
    const [listening, admin] = said()
    expect(listening).toEqual({
      event: 'listening',
      address: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      origin: origin.url,
      pid: process.pid,
    })
    expect(admin).toEqual({ event: 'admin', address: join(folder, 'admin') })
    console.signal('SIGTERM')
    expect(await done).toBe(0)
    expect(said()[2]).toEqual({ event: 'stopping', signal: 'SIGTERM' })
    const mixed = fakeConsole()
    expect(await run(['proxy', ...args, '--access-log'], mixed)).toBe(2)
    expect(mixed.err()).toMatch(/--json: --access-log goes to standard output, too; want a FILE for it/)
  })

  test('with a directory it answers after a restart what it had before, though the origin is gone', async () => {
    const dir = emptyDir()
    // The host is part of every key, and the port is another after the restart.
    const asking = { headers: { host: 'example.org' } }
    // More than memory takes, and less than a far store may lag behind.
    const large = 'x'.repeat(900_000)
    const start = async (url: string) => {
      const console = fakeConsole()
      const disk = ['--memory', '4MiB', '--dir', dir, '--disk', '64MiB']
      const done = run(['proxy', '--origin', url, '--listen', '0', '--ttl', '1h', ...disk], console)
      const { port } = await console.listening()
      const stop = async () => {
        console.signal('SIGTERM')
        expect([await done, console.err()]).toEqual([0, ''])
      }
      return { port, stop }
    }
    const origin = await fakeOrigin()
    origin.on('/a', { body: 'hello' })
    origin.on('/large', { body: large })
    const before = await start(origin.url)
    for (const path of ['/a', '/large']) {
      expect((await ask(before.port, path, asking)).cache).toContain('stored')
    }
    // Natively all of a process share a directory.
    if (!nativeStatus().loaded) {
      const locked = fakeConsole()
      const other = ['proxy', '--origin', origin.url, '--listen', '0', '--dir', dir, '--disk', '64MiB']
      expect(await run(other, locked)).toBe(1)
      expect(locked.err()).toMatch(/^drey: proxy cannot start: [^\n]*another copy of drey[^\n]*\n$/)
    }
    await before.stop()
    await origin[Symbol.asyncDispose]()
    const after = await start(origin.url)
    for (const [path, text] of [
      ['/a', 'hello'],
      ['/large', large],
    ] as const) {
      const answer = await ask(after.port, path, asking)
      expect([answer.cache, answer.text === text]).toEqual([expect.stringMatching(/^hit; ttl=/), true])
    }
    await after.stop()
  })

  test('a second signal does not wait', async () => {
    await using origin = await fakeOrigin()
    const head = gate()
    origin.on('/a', { body: 'late', head })
    const console = fakeConsole()
    const done = run(['proxy', '--origin', origin.url, '--listen', '127.0.0.1:0'], console)
    const { port } = await console.listening()
    const waiting = raw(port, 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n')
    await origin.arrived('/a')
    console.signal('SIGINT')
    expect(console.exits).toEqual([])
    console.signal('SIGINT')
    expect(console.exits).toEqual([1])
    head.open()
    expect((await waiting.closed).text).toMatch(/late$/)
    expect(await done).toBe(0)
  })

  test('flags reach the proxy', async () => {
    await using origin = await fakeOrigin()
    origin.on('/a', (seen) => ({ body: `${seen.headers.host} ${seen.headers['x-forwarded-proto']}` }))
    const console = fakeConsole()
    const args = [
      '--preserve-host',
      '--trust-forwarded',
      '--healthz',
      '/up',
      '--origin-timeout',
      '5s',
      '--client-timeout',
      '1m',
    ]
    const done = run(
      ['proxy', '--origin', origin.url, '--listen', '0', '--shutdown-timeout', '1s', '--heuristic', ...args],
      console,
    )
    const { port } = await console.listening()
    const headers = { host: 'front.example', 'x-forwarded-proto': 'https' }
    expect((await ask(port, '/a', { headers })).text).toBe('front.example https')
    expect((await ask(port, '/up')).text).toBe('ok\n')
    console.signal('SIGTERM')
    expect(await done).toBe(0)
  })
})

describe('drey verify', () => {
  async function filled(): Promise<string> {
    const dir = emptyDir()
    const store = await opened(jsEngine.make({ dir, packLimit: 16 * 1024 }))
    for (const size of [100, 5000, 100_000]) await mustPut(store, `k${size}`, bytesOf(size, size))
    await store.close()
    return dir
  }

  test('says what there is, what is damaged and where, and repairs it', async () => {
    const dir = await filled()
    const clean = fakeConsole()
    expect(await run(['verify', dir], clean)).toBe(0)
    expect(clean.out()).toMatch(
      /^\S+: 1 segment, 4 records, 3 entries, 1 blob, [\d.]+ KiB\nit was closed cleanly\nnothing is damaged\n$/,
    )
    const [blob] = filesOf(dir).filter((path) => /[0-9a-f]{32}-/.test(path))
    const bytes = readFileSync(blob!)
    bytes[70_000]! ^= 1
    writeFileSync(blob!, bytes)
    writeFileSync(join(dir, 'note'), 'dear')
    for (const [flags, status, said] of [
      [[], 1, /\n1 damage \(1 blob\); 1 entry cannot be given any more: --repair drops what is damaged\n$/],
      [['--repair'], 1, /\n1 damage \(1 blob\); 1 entry cannot be given any more: dropped\n$/],
      [[], 0, /: 2 segments, 6 records, 2 entries, 0 blobs, [\s\S]*nothing is damaged\n$/],
    ] as const) {
      const console = fakeConsole()
      expect(await run(['verify', dir, ...flags], console)).toBe(status)
      expect(console.out()).toMatch(said)
      expect(console.out()).toContain('not drey\'s: "note"\n')
      expect(console.err()).toBe('')
      const line = `damaged: blob ${blob!.slice(dir.length + 1)} at 65536: chunk 1 is not what was written\n`
      expect(console.out().includes(line)).toBe(status === 1)
    }
  })

  test('--json: one object', async () => {
    const dir = await filled()
    const console = fakeConsole()
    expect(await run(['verify', dir, '--json'], console)).toBe(0)
    expect(JSON.parse(console.out())).toMatchObject({
      ...{ dir, closed: true, repaired: false, segments: 1, records: 4, entries: 3, blobs: 1 },
      ...{ damages: [], unsound: 0, leftovers: [], strange: [] },
    })
    const [blob] = filesOf(dir).filter((path) => /[0-9a-f]{32}-/.test(path))
    writeFileSync(blob!, Buffer.alloc(100_000))
    const damaged = fakeConsole()
    expect(await run(['verify', dir, '--json'], damaged)).toBe(1)
    expect(JSON.parse(damaged.out())).toMatchObject({ counts: { blob: 1 }, unsound: 1 })
  })

  test('cannot look at what is none, somebody’s, or newer: status 2', async () => {
    const dir = await filled()
    const store = await opened(jsEngine.make({ dir }))
    for (const [path, said] of [
      [dir, 'in this process already'],
      [emptyDir(), 'is no directory of drey'],
      [join(dir, 'none'), 'ENOENT'],
      [join(dir, 'DREY'), 'ENOTDIR'],
    ] as const) {
      const console = fakeConsole()
      expect(await run(['verify', path], console)).toBe(2)
      expect(console.err()).toMatch(/^drey: verify cannot look at it: [^\n]+\n$/)
      expect(console.err()).toContain(said)
      expect(console.err()).toContain(path)
      expect(console.out()).toBe('')
    }
    await store.close()
  })

  test('draws a bar on a terminal, and takes it away', async () => {
    const dir = await filled()
    const console = fakeConsole()
    Object.assign(console.stderr, { isTTY: true })
    expect(await run(['verify', dir], console)).toBe(0)
    expect(console.err()).toMatch(/\[-{30}\] {3}0 % {2}0 B of [\d.]+ KiB/)
    expect(console.err()).toMatch(/\[#{30}\] 100 % {2}([\d.]+ KiB) of \1\r/)
    expect(console.err().endsWith('\r\u001b[K')).toBe(true)
    expect(console.out()).toContain('nothing is damaged')
  })
})
