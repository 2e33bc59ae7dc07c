import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, readdirSync, readlinkSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { BroadcastChannel, Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { createWorkers, type Workers } from '../../lib/cli/workers.js'
import type { Clock } from '../../lib/clock.js'
import { systemClock } from '../../lib/clock.js'
import { native } from '../../lib/native/loader.js'
import { patterned } from '../helpers/bodies.js'
import { FakeClock } from '../helpers/clock.js'
import { type FakeOrigin, fakeOrigin, gate } from '../helpers/origin.js'
import { ask, raw } from '../unit/http/harness.js'

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const BUILT = new URL('../../dist/cli/worker.js', import.meta.url)
const MORTAL = new URL('mortal.mjs', import.meta.url)

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const fresh = ['Cache-Control', 'max-age=600']

/** What was written to a stream, as it comes. */
function gathered(): { readonly stream: PassThrough; text: string } {
  const stream = new PassThrough()
  const all = { stream, text: '' }
  stream.on('data', (chunk: Buffer) => {
    all.text += chunk
  })
  return all
}

interface Rig {
  readonly workers: Workers
  readonly out: { text: string }
  readonly err: { readonly stream: PassThrough; text: string }
}

function rig(origin: FakeOrigin, entry: URL, clock: Clock = systemClock): Rig {
  const out = gathered()
  const err = gathered()
  const options = { origin: origin.url, listen: 0, memory: '8MiB', accessLog: '-' }
  const console = { stdout: out.stream, stderr: err.stream }
  return { workers: createWorkers(2, options, console, { clock, entry }), out, err }
}

/** Hears which threads begin, in order, and tells one to die. */
function reaper() {
  const channel = new BroadcastChannel('mortal')
  const born: number[] = []
  const waiting = new Set<() => void>()
  channel.onmessage = (event) => {
    const { data } = event as { readonly data: { readonly born?: number } }
    if (data.born !== undefined) born.push(data.born)
    for (const check of waiting) check()
  }
  return {
    born,
    kill: (thread: number) => channel.postMessage({ die: thread }),
    /** The thread that began as the `count`th. */
    birth: (count: number) =>
      new Promise<number>((resolve) => {
        const check = (): void => {
          if (born.length < count) return
          waiting.delete(check)
          resolve(born[count - 1]!)
        }
        waiting.add(check)
        check()
      }),
    [Symbol.dispose]: () => channel.close(),
  }
}

/** Where a link leads, or `none` when there is no such link any more. */
function readlinkOr(path: string, none: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return none // it was closed meanwhile
  }
}

/** `drey proxy --workers 2`, as users run it. */
function drey(...args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, 'proxy', '--workers', '2', '--memory', '8MiB', ...args])
  const said = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    said.out += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    said.err += chunk
  })
  const closed = once(child, 'close').then(([code]) => code as number | null)
  return {
    child,
    said,
    closed,
    async port(): Promise<number> {
      for (;;) {
        const match = /listening on http:\/\/\S+:(\d+) -> /.exec(said.out)
        if (match !== null) return Number(match[1])
        const ended = await Promise.race([once(child.stdout, 'data'), closed])
        if (!Array.isArray(ended)) throw new Error(`drey proxy ended with ${ended}: ${said.err}`)
      }
    },
  }
}

describe.skipIf(native() === undefined)('workers', () => {
  test('I6: one fill for all that ask at once, whichever worker they reach', async () => {
    await using origin = await fakeOrigin()
    const { workers, out, err } = rig(origin, BUILT)
    const port = Number(new URL(await workers.listen()).port)
    for (const size of [1000, 700_001]) {
      const body = patterned(size)
      const path = `/${size}`
      const head = gate()
      origin.on(path, { headers: fresh, body, head })
      // The kernel spreads connections by chance: that one of two workers gets none of 48 is not to be seen.
      const asked = Array.from({ length: 48 }, () => ask(port, path))
      await origin.arrived(path)
      head.open()
      const answers = await Promise.all(asked)
      expect(new Set(answers.map((answer) => sha256(answer.body)))).toEqual(new Set([sha256(body)]))
      expect(answers.every(({ status, complete }) => status === 200 && complete)).toBe(true)
      const later = await Promise.all(Array.from({ length: 16 }, () => ask(port, path)))
      expect(later.every((answer) => answer.cache.startsWith('hit') && answer.body.equals(body))).toBe(true)
      expect(origin.count(path)).toBe(1)
    }
    await workers.close()
    await expect(ask(port, '/1000')).rejects.toThrow(/ECONNREFUSED/)
    expect(out.text.match(/"GET \/(1000|700001) HTTP\/1\.1" 200 /g)).toHaveLength(128)
    expect(err.text).toBe('')
  })

  test('what a worker was asked to forget, all have forgotten', async () => {
    await using origin = await fakeOrigin()
    const { workers } = rig(origin, BUILT)
    const port = Number(new URL(await workers.listen()).port)
    origin.on('/a', ({ method }) => ({ headers: fresh, body: method === 'GET' ? 'old' : 'done' }))
    expect((await ask(port, '/a')).text).toBe('old')
    expect((await ask(port, '/a', { method: 'POST' })).text).toBe('done')
    origin.on('/a', { headers: fresh, body: 'new' })
    const answers = await Promise.all(Array.from({ length: 24 }, () => ask(port, '/a')))
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['new']))
    await workers.close()
  })

  test('a worker that dies is replaced, and the others serve meanwhile what is in memory', async () => {
    await using origin = await fakeOrigin()
    using reaped = reaper()
    const clock = new FakeClock()
    const { workers, err } = rig(origin, MORTAL, clock)
    const port = Number(new URL(await workers.listen()).port)
    origin.on('/a', { headers: fresh, body: 'kept' })
    await ask(port, '/a')
    const told = once(err.stream, 'data')
    reaped.kill(await reaped.birth(1))
    await told
    expect(err.text).toMatch(/^drey: worker \d of 2 died: told to die; another is started\n$/)
    const during = await Promise.all(Array.from({ length: 24 }, () => ask(port, '/a')))
    expect(during.every(({ text }) => text === 'kept')).toBe(true)
    expect(await reaped.birth(3)).not.toBe(await reaped.birth(1))
    expect(origin.count('/a')).toBe(1)
    await workers.close()
    expect(reaped.born).toHaveLength(3)
    expect(clock.pending).toBe(0)
  })

  test('it is given up when those that replace it die at once, again and again', async () => {
    await using origin = await fakeOrigin()
    using reaped = reaper()
    const clock = new FakeClock()
    const { workers, err } = rig(origin, MORTAL, clock)
    await workers.listen()
    // The pause begins after the line is written.
    err.stream.on('data', () => setImmediate(() => clock.advance(500)))
    reaped.kill(await reaped.birth(1))
    for (let count = 3; count <= 6; count += 1) reaped.kill(await reaped.birth(count))
    const lost = await workers.lost
    expect(lost.message).toMatch(
      /^worker \d of 2 died: told to die; none of 5 in a row lived for 10 s, so no other is started$/,
    )
    expect(err.text.match(/another is started/g)).toHaveLength(4)
    await workers.close()
    expect(reaped.born).toHaveLength(6)
    expect(clock.pending).toBe(0)
  })

  test('a signal lets responses finish, in all workers; a port that is taken is an error', async () => {
    await using origin = await fakeOrigin()
    const head = gate()
    origin.on('/slow', { headers: fresh, body: 'late', head })
    const one = drey('--origin', origin.url, '--listen', '0')
    const port = await one.port()
    const other = drey('--origin', origin.url, '--listen', String(port))
    expect(await other.closed).toBe(1)
    expect(other.said.err).toBe(
      `drey: proxy cannot listen: listen EADDRINUSE: address already in use 127.0.0.1:${port}\n`,
    )
    const waiting = Array.from({ length: 12 }, () => raw(port, 'GET /slow HTTP/1.1\r\nHost: h\r\n\r\n'))
    await origin.arrived('/slow')
    // An answer on the connection after it says that the workers have heard of all of them.
    await Promise.all(Array.from({ length: 12 }, () => ask(port, '/other')))
    const stopping = once(one.child.stdout, 'data')
    one.child.kill('SIGTERM')
    await stopping
    head.open()
    for (const { closed } of waiting) expect((await closed).text).toMatch(/late$/)
    expect(await one.closed).toBe(0)
    expect(one.said.out).toBe(
      `drey proxy listening on http://127.0.0.1:${port} -> ${origin.url}\ndrey proxy stopping on SIGTERM\n`,
    )
    expect(one.said.err).toBe('')
    expect(origin.count('/slow')).toBe(1)
  })

  test('what cannot start says so in one line', async () => {
    const { said, closed } = drey('--origin', 'http://a', '--listen', '0', '--access-log', '/no/such/dir/x')
    expect(await closed).toBe(1)
    expect(said).toEqual({
      out: '',
      err: expect.stringMatching(/^drey: proxy cannot start: ENOENT[^\n]*\n$/),
    })
  })

  test.skipIf(process.platform !== 'linux').each(['terminate', 'exit'])(
    'a thread that goes by %s before its server has the socket leaves none',
    async (how) => {
      const worker = new Worker(new URL('listening.mjs', import.meta.url))
      const [[kept, left]] = (await once(worker, 'message')) as [[number, number]]
      const of = (descriptor: number): string => readlinkSync(`/proc/self/fd/${descriptor}`)
      const sockets = [of(kept), of(left)]
      expect(sockets.every((link) => link.startsWith('socket:'))).toBe(true)
      const gone = once(worker, 'exit')
      if (how === 'exit') worker.postMessage('exit')
      else await worker.terminate()
      await gone
      const open = readdirSync('/proc/self/fd').flatMap((name) => {
        // The folder that is being read is open, too, and gone by now.
        const link = readlinkOr(`/proc/self/fd/${name}`, '')
        return sockets.includes(link) ? [link] : []
      })
      expect(open).toEqual([])
    },
  )

  test('sockets of the addon share a port, and errors are worded', () => {
    const { listenSocket } = native()!
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      const sockets = [listenSocket(host, 0, 1), listenSocket(host, 0, 1)]
      expect(new Set(sockets).size).toBe(2)
      for (const socket of sockets) closeSync(socket)
    }
    // An address for documentation: no machine has it.
    expect(() => listenSocket('192.0.2.1', 0, 1)).toThrow(
      expect.objectContaining({
        code: 'EADDRNOTAVAIL',
        message: expect.stringMatching(/^listen EADDRNOTAVAIL: .+ 192\.0\.2\.1:0$/),
      }),
    )
    expect(() => listenSocket('localhost', 0, 1)).toThrow(/host is 'localhost'; it must be an IPv4 or IPv6/)
    expect(() => listenSocket('127.0.0.1', 65_536, 1)).toThrow(/at most 65535/)
    expect(() => listenSocket('x'.repeat(500), 0, 1)).toThrow(/host is 500 bytes/)
  })
})

describe.skipIf(native() !== undefined)('workers without the addon', () => {
  test('are refused, with the reason and what to do', async () => {
    const console = { stdout: new PassThrough(), stderr: new PassThrough() }
    const make = () =>
      createWorkers(2, { origin: 'http://a' }, console, { clock: new FakeClock(), entry: BUILT })
    expect(make).toThrow(
      expect.objectContaining({
        code: 'ERR_DREY_NATIVE',
        message: expect.stringMatching(/^workers: got 2, but threads share memory by the addon alone/),
      }),
    )
    const { said, closed } = drey('--origin', 'http://a')
    expect(await closed).toBe(1)
    expect(said.err).toMatch(
      /^drey: proxy cannot start: --workers: got 2, but [^\n]*DREY_NATIVE=0[^\n]*, or want 1 worker\n$/,
    )
  })
})
