import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { Writable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import { createCacheWith } from '../../../lib/cache/create.js'
import { BufferPool, createPressure } from '../../../lib/index.js'
import { patterned, pieces, pour } from '../../helpers/bodies.js'
import { FakeClock } from '../../helpers/clock.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { turns, until } from '../../helpers/gate.js'
import { read } from '../../helpers/reading.js'
import { distantRig, found, type Rig, rig, rigOver, settled } from '../../helpers/rig.js'

/*
 * Option `bufferPool` of a cache. That the bytes are the same with every pool is the subject of buffer-pool.property.test.ts.
 */

const MiB = 2 ** 20
const out = ({ cache }: Rig): number => cache.stats().pool!.active.count

describe('the option', () => {
  it.each<[unknown, RegExp]>([
    [1, /^bufferPool: got 1; want true or false, options such as \{ maxBytes: "64MiB" \}, or a BufferPool$/],
    ['on', /^bufferPool: got "on"; want true or false/],
    [null, /^bufferPool: got null; want true or false/],
    [[], /^bufferPool: got an array of 0; want/],
    [{ size: 1 }, /^bufferPool\.size: no such option; there are enabled, /],
    [{ maxBytes: -1 }, /^bufferPool\.maxBytes: got -1; want/],
    [
      { largeObjectThreshold: '1MiB', veryLargeObjectThreshold: '512KiB' },
      /^bufferPool\.veryLargeObjectThreshold: got "512KiB"; want at least bufferPool\.largeObjectThreshold, which is /,
    ],
    [
      { maxBufferSize: '2MiB', maxBytes: '1MiB' },
      /^bufferPool\.maxBytes: got "1MiB"; want at least bufferPool\.maxBufferSize, which is /,
    ],
  ])('is refused when it is %j', async (bufferPool, message) => {
    const options = { bufferPool } as never
    await expect(createCacheWith(options, { clock: new FakeClock() })).rejects.toMatchObject({
      code: 'ERR_DREY_CONFIG',
      message: expect.stringMatching(message),
    })
  })

  it.each([{}, { bufferPool: undefined }, { bufferPool: true }, { bufferPool: { maxBytes: '8MiB' } }])(
    '%j makes a pool of its own',
    async (options) => {
      const clock = new FakeClock()
      await using cache = await createCacheWith({ ...options, pressure: false, metrics: false } as never, {
        clock,
      })
      expect(cache.stats().pool).toMatchObject({ enabled: true, heldBytes: 0 })
      expect(clock.pending).toBe(0)
    },
  )

  it('false makes none, and nothing is missing', async () => {
    const { cache } = await rig('distant', { bufferPool: false })
    expect(cache.stats().pool).toBeUndefined()
    await cache.set('k', patterned(100_000))
    expect(patterned(100_000).equals(await found(await cache.get('k')).bytes())).toBe(true)
  })

  it('enabled: false allocates each for one use', async () => {
    const { cache } = await rig('distant', { bufferPool: { enabled: false } })
    await cache.set('k', patterned(100_000))
    expect(cache.stats().pool).toMatchObject({ enabled: false, heldBytes: 0, direct: { count: 1, puts: 1 } })
  })
})

describe('the memory of a pool', () => {
  it('is none in a cache over near memory that keeps what it is given', async () => {
    const made = await rig('memory', { bufferPool: true })
    const { cache } = made
    for (const size of [10, 70_000, 3_000_000]) {
      await cache.set(`s${size}`, patterned(size))
      await cache.set(`p${size}`, pieces(patterned(size), 9_000))
      await found(await cache.fetch(`f${size}`, () => ({ body: pieces(patterned(size), 9_000) }))).bytes()
      await settled(made)
      for (const key of ['s', 'p', 'f']) {
        cache.getSync(`${key}${size}`)
        await read(found(await cache.get(`${key}${size}`)), 'socket')
      }
    }
    expect(cache.stats().pool).toMatchObject({ gets: 0, heldBytes: 0 })
  })

  it('is used by what passes through, and goes with the cache', async () => {
    const made = await rig('memory', { bufferPool: true })
    const value = patterned(3_000_000)
    const answer = await made.cache.fetch('k', () => ({ body: pieces(value, 65_536), store: false }))
    const { bytes } = await read(found(answer), 'socket')
    expect(value.equals(bytes)).toBe(true)
    const { pool } = made.cache.stats()
    expect(pool!.gets).toBeGreaterThanOrEqual(45)
    expect(pool).toMatchObject({ active: { count: 0 }, direct: { count: 0 }, puts: pool!.gets })
    expect(pool!.heldBytes).toBeGreaterThan(0)
    await made.cache.close()
    expect(made.cache.stats().pool).toMatchObject({ heldBytes: 0, active: { count: 0 } })
  })

  it('is used for a far store: what is written to it, read for a socket, and set', async () => {
    const made = await distantRig({ bufferPool: true })
    const value = patterned(300_000)
    await made.cache.set('k', value)
    expect(made.cache.stats().pool).toMatchObject({ gets: 1, puts: 1 })
    await read(found(await made.cache.get('k')), 'response')
    const before = made.cache.stats().pool!
    expect(before.gets).toBeGreaterThan(5)
    await read(found(await made.cache.fetch('f', () => ({ body: pieces(value, 10_000) }))), 'stream')
    await settled(made)
    expect(made.cache.stats().pool!.gets).toBeGreaterThan(before.gets)
    expect(out(made)).toBe(0)
    expect(value.equals(await found(await made.cache.get('f')).bytes())).toBe(true)
  })

  it('is lent to a response for small values of a far store until it has them', async () => {
    const made = await distantRig({ bufferPool: { debug: true } })
    const value = patterned(20_000)
    await made.cache.set('k', value)
    for (let i = 0; i < 5; i += 1) {
      const { bytes } = await read(found(await made.cache.get('k')), 'response')
      expect(value.equals(bytes)).toBe(true)
    }
    expect(made.cache.stats().pool!.gets).toBe(6)
    expect(out(made)).toBe(0)
  })
})

describe('a pool that was given', () => {
  it('serves several caches, and stays open when they close', async () => {
    const pool = new BufferPool({ maxBytes: '8MiB' })
    const one = await distantRig({ bufferPool: pool })
    const other = await distantRig({ bufferPool: pool })
    for (const { cache } of [one, other]) await cache.set('k', patterned(100_000))
    expect(one.cache.stats().pool).toEqual(other.cache.stats().pool)
    expect(pool.stats().gets).toBe(2)
    await Promise.all([one.cache.close(), other.cache.close()])
    expect(pool.put(pool.get(4096))).toBe(true)
    await pool.close()
  })

  it('may be closed before its cache, which goes on without', async () => {
    const pool = new BufferPool({ debug: true })
    const made = await distantRig({ bufferPool: pool })
    const value = patterned(3_000_000)
    const origin = pour('web')
    const reading = read(found(await made.cache.fetch('k', () => ({ body: origin.body }))), 'socket')
    origin.push(value.subarray(0, 500_000))
    await turns(3)
    await pool.close()
    origin.push(value.subarray(500_000))
    origin.end()
    expect(value.equals((await reading).bytes)).toBe(true)
    await settled(made)
    expect(value.equals((await read(found(await made.cache.get('k')), 'socket')).bytes)).toBe(true)
    expect(pool.stats()).toMatchObject({ active: { count: 0 }, refused: { foreign: 0 } })
  })
})

describe('memory pressure', () => {
  it('reaches the pool', async () => {
    const given = { ratio: 0 }
    const source = { name: 'injected', ratio: () => given.ratio }
    const pressure = createPressure({ source }, { clock: new FakeClock(), monotonic: () => 0 })
    const made = await distantRig({
      bufferPool: { maxBytes: '4MiB', classes: ['64KiB', '128KiB'] },
      pressure,
    })
    await made.cache.set('k', patterned(100_000))
    expect(made.cache.stats().pool!.heldBytes).toBeGreaterThan(0)
    given.ratio = 0.97
    pressure.sample()
    expect(made.cache.stats().pool).toMatchObject({ heldBytes: 0, pressure: { factor: 0.2, reductions: 1 } })
    // What it cannot have, because nothing may grow, is allocated: no request fails.
    await made.cache.set('other', patterned(5_000))
    const stats = made.cache.stats().pool!
    expect(stats.pressure.rejections).toBe(1)
    expect(stats.direct.count).toBe(1)
  })

  it('does not with pressure: false', async () => {
    const made = await distantRig({ bufferPool: true, pressure: false })
    await made.cache.set('k', patterned(100_000))
    expect(made.cache.stats().pool!.pressure.factor).toBe(1)
  })
})

it('tells by `leak` what was lost of its own pool', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const store = new DistantStore()
  // Not a rig: what is lost is what is left of it.
  const clock = new FakeClock()
  const cache = await createCacheWith(
    { tiers: [store], pressure: false, bufferPool: { detectLeaks: true }, timeouts: { shutdown: 0 } },
    { clock },
  )
  const lost: Array<{ readonly key?: string | undefined; readonly bytes?: number; readonly got?: string }> =
    []
  cache.on('leak', (leak) => lost.push(leak))
  // A store that never says that it has the bytes.
  let hang = true
  store.arrive = (call) => (call === 'write' && hang ? new Promise(() => undefined) : Promise.resolve())
  void cache.set('k', patterned(50_000)).catch(() => undefined)
  await turns(3)
  hang = false
  expect(cache.stats().pool!.active.count).toBe(1)
  for (let i = 0; i < 50 && lost.length === 0; i += 1) {
    collect()
    await turns(2)
  }
  await cache.close()
  warned.mockRestore()
  expect(lost).toEqual([{ bytes: 65_536, got: expect.stringContaining('write-path') }])
})

describe('nothing stays out', () => {
  /** A client that reads nothing, and the socket to it. */
  async function slowClient(): Promise<{ client: Socket; socket: Socket; stop(): void }> {
    let accept: (socket: Socket) => void
    const accepted = new Promise<Socket>((resolve) => {
      accept = resolve
    })
    const server = createServer((socket) => accept(socket.on('error', () => undefined)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = createConnection((server.address() as AddressInfo).port, '127.0.0.1')
    client.on('error', () => undefined).pause()
    return { client, socket: await accepted, stop: () => void server.close() }
  }

  it.each(['client', 'origin', 'caller'] as const)(
    'when the %s breaks off a body that passes through',
    async (who) => {
      const made = await rig('memory', { bufferPool: { debug: true } })
      const { client, socket, stop } = await slowClient()
      const caller = new AbortController()
      const origin = pour('web')
      const fetcher = () => ({ body: origin.body, store: false })
      const body = found(await made.cache.fetch('k', fetcher, { signal: caller.signal }))
      const written = body.writeTo(socket)
      written.catch(() => undefined)
      for (let at = 0; at < 128; at += 1) origin.push(patterned(65_536, at))
      await until(() => out(made) > 3, 'the window is full')
      if (who === 'client') client.destroy()
      if (who === 'origin') origin.fail(new Error('reset'))
      if (who === 'caller') caller.abort()
      client.resume()
      await expect(written).rejects.toThrow()
      await until(() => out(made) === 0, 'all came back')
      client.destroy()
      stop()
    },
  )

  it('when a far store fails, is slow, or hangs until it is healed', async () => {
    const store = new DistantStore()
    const made = await rigOver(store, { bufferPool: { debug: true } })
    const value = patterned(3 * MiB)
    const fetching = (key: string) => made.cache.fetch(key, () => ({ body: pieces(value, 60_000) }))
    const whole = async (key: string) =>
      value.equals((await read(found(await fetching(key)), 'socket')).bytes)
    for (const call of ['write', 'draft', 'commit', 'read'] as const) {
      store.fail(call)
      expect(await whole(`failing ${call}`), call).toBe(true)
      await settled(made)
      store.mend(call)
      expect(out(made), call).toBe(0)
    }
    const held = store.hold('write')
    expect(await whole('held')).toBe(true)
    held.open()
    await settled(made)
    await until(() => out(made) === 0, 'the store has let go')
  })

  it('when a sink fails, or is left', async () => {
    const made = await distantRig({ bufferPool: { debug: true } })
    await made.cache.set('k', patterned(MiB))
    const boom = new Error('disk full')
    const failing = new Writable({ write: (_chunk, _encoding, done) => done(boom) })
    await expect(found(await made.cache.get('k')).writeTo(failing)).rejects.toBe(boom)
    const { client, socket, stop } = await slowClient()
    const written = found(await made.cache.get('k')).writeTo(socket)
    written.catch(() => undefined)
    await turns(20)
    socket.destroy()
    await expect(written).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
    client.destroy()
    stop()
    for await (const piece of found(await made.cache.get('k'))) {
      expect(piece.length).toBeGreaterThan(0)
      break
    }
    await until(() => out(made) === 0, 'all came back')
  })
})
