import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { WritableStream } from 'node:stream/web'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { patterned } from '../../helpers/bodies.js'
import { FakeClock } from '../../helpers/clock.js'
import { turns, until } from '../../helpers/gate.js'
import { cut, folder, KiB, newPool, settled } from './copy-harness.js'
import { ToldPressure } from './rig.js'
import { MUTE, SINKS, type TestSink } from './sinks.js'
import { FAILING, SOURCES } from './sources.js'

const BROKEN = new Error('broken on purpose')
/** What a sink of a test has after a copy that failed, where the other side can tell whole from broken. */
const TELLING = Object.keys(SINKS).filter((name) => name !== 'handle')

/** It did not end as if it were whole. */
async function broken(name: string, { sink, got }: TestSink): Promise<void> {
  if (MUTE.includes(name)) expect((sink as Writable).destroyed).toBe(true)
  else expect(await got()).toBeUndefined()
}

function never(): Readable {
  return new Readable({ read: () => undefined })
}

describe('a source that fails', () => {
  const pairs = FAILING.flatMap((source) => TELLING.map((sink) => [source, sink] as const))

  test.each(pairs)('%s into %s: no sink ends as if it were whole (I1, C2)', async (source, sink) => {
    const pool = newPool()
    for (const after of [0, 1, 5, 40]) {
      const pieces = cut(patterned(200 * KiB), [5000])
      const from = await SOURCES[source]!(pieces, folder, { after, error: BROKEN })
      const to = await SINKS[sink]!(folder)
      await expect(pool.copy(from.source, to.sink)).rejects.toBe(BROKEN)
      await broken(sink, to)
      await from.close()
      await to.close()
    }
  })

  test('one that closes before its end is truncated', async () => {
    const pool = newPool()
    const stream = never()
    stream.push(patterned(3000))
    const to = await SINKS['path']!(folder)
    const copy = pool.copy(stream, to.sink)
    await turns()
    stream.destroy()
    await expect(copy).rejects.toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
    expect(await to.got()).toBeUndefined()
  })

  test('what is at the path stays as it was', async () => {
    const pool = newPool()
    const path = join(folder, 'was there')
    writeFileSync(path, 'before')
    await expect(pool.copy(Readable.from(failing()), { path })).rejects.toBe(BROKEN)
    await pool.copy('after', { path })
    expect(readFileSync(path, 'utf8')).toBe('after')
    await until(
      () => readdirSync(folder).every((name) => !name.endsWith('.part')),
      'nothing is left beside it',
    )
  })

  test('what it throws that is no error becomes one', async () => {
    const source = {
      async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
        yield Buffer.from('a')
        throw 'a text'
      },
    }
    const copy = newPool().copy(source, new Writable({ write: (_chunk, _encoding, done) => done() }))
    await expect(copy).rejects.toMatchObject({ code: 'ERR_DREY_TRUNCATED', cause: 'a text' })
  })

  test('a file that is not there, and a path that cannot be written', async () => {
    const pool = newPool()
    const missing = { path: join(folder, 'missing') }
    await expect(pool.copy(missing, { path: join(folder, 'x') })).rejects.toMatchObject({ code: 'ENOENT' })
    const nowhere = { path: join(folder, 'no folder', 'x') }
    await expect(pool.copy('text', nowhere)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(existsSync(join(folder, 'x'))).toBe(false)
  })
})

async function* failing(): AsyncGenerator<Buffer> {
  yield patterned(3000)
  throw BROKEN
}

describe('a sink that fails', () => {
  const sources = Object.keys(SOURCES)

  test.each(sources)('cancels %s', async (source) => {
    const pool = newPool()
    for (const after of [0, 1, 3]) {
      const from = await SOURCES[source]!(cut(patterned(300 * KiB), [20_000]), folder)
      let writes = 0
      const sink = new Writable({
        highWaterMark: 1,
        write: (_chunk, _encoding, done) => {
          writes += 1
          setImmediate(done, writes > after ? BROKEN : null)
        },
      })
      await expect(pool.copy(from.source, sink)).rejects.toBe(BROKEN)
      if (source === 'handle') await from.close()
      await turns(3)
      expect(from.cancelled()).toBe(true)
      if (source !== 'handle') await from.close()
    }
  })

  test('a device that is full', async () => {
    const pool = newPool()
    const full = { path: '/dev/full' }
    for (const source of [patterned(100 * KiB), Readable.from(cut(patterned(100 * KiB), [1000]))]) {
      await expect(pool.copy(source, full)).rejects.toMatchObject({ code: 'ENOSPC' })
    }
  })

  test('a connection that is closed by the other side', async () => {
    const pool = newPool()
    for (const name of ['socket', 'tls', 'response']) {
      const from = await SOURCES['path']!([patterned(2048 * KiB)], folder)
      const to = await SINKS[name]!(folder)
      const copy = pool.copy(from.source, to.sink, {
        onProgress: ({ bytes }) => bytes > 100 * KiB && to.close(),
      })
      await expect(copy).rejects.toThrow()
    }
  })

  test('a web stream that is aborted, with what is no error', async () => {
    const sink = new WritableStream({
      write: () => Promise.reject('a text'),
    })
    await expect(newPool().copy(Readable.from(failing()), sink)).rejects.toThrow()
  })
})

describe('sizes that are declared (C3)', () => {
  const pairs = ['bytes', 'node', 'web', 'byob', 'iterable', 'path', 'handle'].flatMap((source) =>
    ['path', 'keeping', 'socket'].map((sink) => [source, sink] as const),
  )

  test.each(pairs)('%s into %s', async (source, sink) => {
    const pool = newPool()
    const bytes = patterned(70 * KiB)
    for (const [declared, code] of [
      [bytes.length - 1, 'ERR_DREY_TOO_LARGE'],
      [bytes.length + 1, 'ERR_DREY_TRUNCATED'],
      [0, 'ERR_DREY_TOO_LARGE'],
      [bytes.length, undefined],
    ] as const) {
      const from = await SOURCES[source]!(cut(bytes, [9000]), folder)
      const to = await SINKS[sink]!(folder)
      const copy = pool.copy(from.source, to.sink, { size: declared })
      if (code === undefined) expect(await copy).toMatchObject({ bytes: declared })
      else await expect(copy).rejects.toMatchObject({ code })
      if (code === undefined) expect((await to.got())?.length).toBe(bytes.length)
      else await broken(sink, to)
      await from.close()
      await to.close()
    }
  })

  test('a file that becomes shorter on the way', async () => {
    const pool = newPool({ chunkSize: '4KiB' })
    const path = join(folder, 'shrinks')
    writeFileSync(path, patterned(100 * KiB))
    const file = await open(path, 'r+')
    const copy = pool.copy(
      { path },
      new Writable({
        highWaterMark: 1,
        write: (_chunk, _encoding, done) => void file.truncate(10_000).then(() => done(), done),
      }),
    )
    await expect(copy).rejects.toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
    await file.close()
  })
})

describe('ends from outside (C8)', () => {
  test.each(Object.keys(SOURCES))('%s: aborted at any moment, everything comes back', async (source) => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(SINKS)),
        fc.nat(30),
        fc.boolean(),
        async (sink, wait, early) => {
          const pool = newPool({ chunkSize: '8KiB', largeObjectThreshold: '40KiB', maxConcurrentLargeOps: 1 })
          const bytes = patterned(200 * KiB)
          const from = await SOURCES[source]!(cut(bytes, [3000, 20_000]), folder)
          const to = await SINKS[sink]!(folder)
          const controller = new AbortController()
          const reason = new Error('enough')
          if (early) controller.abort(reason)
          const copy = pool.copy(from.source, to.sink, { signal: controller.signal })
          const ended = copy.then(
            () => 'whole',
            (error) => error,
          )
          await turns(wait)
          controller.abort(reason)
          const end = await ended
          if (end === 'whole') expect((await to.got())?.equals(bytes)).toBe(true)
          else {
            const got = MUTE.includes(sink) ? undefined : await to.got()
            expect(end).toMatchObject({ name: 'AbortError', code: 'ERR_DREY_ABORTED', cause: reason })
            // A rename that was under way when the signal came may be done; what it shows is whole.
            if (sink !== 'handle' && got !== undefined)
              expect([sink, got.equals(bytes)]).toEqual(['path', true])
          }
          await from.close()
          await to.close()
          await settled(pool)
        },
      ),
      { numRuns: 12 },
    )
  })

  test('a source that stands still is no reason to wait', async () => {
    const pool = newPool()
    const controller = new AbortController()
    const stream = never()
    const copy = pool.copy(stream, { path: join(folder, 'still') }, { signal: controller.signal })
    await turns()
    controller.abort()
    await expect(copy).rejects.toMatchObject({ name: 'AbortError' })
    expect(stream.destroyed).toBe(true)
  })

  test('timeout, and no timer after the end', async () => {
    const clock = new FakeClock()
    const pool = newPool({}, { clock })
    const copy = pool.copy(never(), { path: join(folder, 'late') }, { timeout: '5s' })
    await turns()
    clock.advance(5000)
    await expect(copy).rejects.toMatchObject({
      code: 'ERR_DREY_TIMEOUT',
      message: expect.stringContaining('5000 ms'),
    })
    await pool.copy('text', { path: join(folder, 'late') }, { timeout: '5s' })
    expect(pool.stats().copies.failed).toEqual({ aborted: 0, timeout: 1, other: 0 })
    await settled(pool)
    expect(clock.pending).toBe(0)
  })

  test('many by one signal, and no listener is left on what is shared', async () => {
    const pool = newPool()
    const { signal } = new AbortController()
    const streams = Array.from({ length: 30 }, () => Readable.from([Buffer.from('text')]))
    await Promise.all(
      streams.map((one, at) => pool.copy(one, { path: join(folder, `by ${at}`) }, { signal })),
    )
    for (const one of streams)
      expect(['error', 'end', 'close', 'readable'].map((name) => one.listenerCount(name))).toEqual([
        0, 0, 0, 0,
      ])
  })

  test('what the listener of progress throws is a warning', async () => {
    const pool = newPool()
    const said = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    await pool.copy(
      'text',
      { path: join(folder, 'told') },
      {
        onProgress: () => {
          throw BROKEN
        },
      },
    )
    expect(said.mock.calls[0]?.[0]).toContain("a listener of 'copy.onProgress' failed")
    said.mockRestore()
  })
})

describe('large copies take turns (C7)', () => {
  test('at most so many at once; the rest wait, and leave when they are told to', async () => {
    const pool = newPool({ maxConcurrentLargeOps: 2 })
    const size = 300 * KiB
    const streams = Array.from({ length: 5 }, () => never())
    const controller = new AbortController()
    const copies = streams.map((stream, at) =>
      pool
        .copy(
          stream,
          { path: join(folder, `turn ${at}`) },
          { size, ...(at === 4 ? { signal: controller.signal } : {}) },
        )
        .catch((error) => error.code),
    )
    await turns()
    expect(pool.stats().copies.large).toMatchObject({ active: 2, waiting: { normal: 3 } })
    controller.abort()
    expect(await copies[4]).toBe('ERR_DREY_ABORTED')
    streams[3]!.destroy(BROKEN)
    expect(await copies[3]).toBeUndefined()
    expect(pool.stats().copies.large).toMatchObject({ active: 2, waiting: { normal: 1 } })
    for (const stream of streams.slice(0, 3)) {
      stream.push(patterned(size))
      stream.push(null)
    }
    expect(await Promise.all(copies.slice(0, 3))).toMatchObject([
      { bytes: size },
      { bytes: size },
      { bytes: size },
    ])
    expect(pool.stats().copies.large).toMatchObject({ active: 0, granted: 3 })
  })

  test('a pool that is closed lets those that run end, and those that wait fail', async () => {
    const pool = newPool({ maxConcurrentLargeOps: 1 })
    const size = 300 * KiB
    const [first, second] = [never(), never()]
    const running = pool.copy(first, { path: join(folder, 'runs') }, { size })
    const waiting = pool.copy(second, { path: join(folder, 'waits') }, { size }).catch((error) => error.code)
    await turns()
    await pool.close()
    expect(await waiting).toBe('ERR_DREY_CLOSED')
    for (const piece of cut(patterned(size), [1000])) first.push(piece)
    first.push(null)
    expect(await running).toMatchObject({ bytes: size, strategy: 'direct' })
    await expect(pool.copy('a', { path: join(folder, 'x') })).rejects.toMatchObject({
      code: 'ERR_DREY_CLOSED',
    })
    expect(() => pool.tee('a', { path: join(folder, 'x') })).toThrow(
      expect.objectContaining({ code: 'ERR_DREY_CLOSED' }),
    )
  })

  test('memory becomes critical in the middle: chunks are allocated, the bytes are the same (C10)', async () => {
    const pressure = new ToldPressure()
    const pool = newPool({}, { pressure })
    const bytes = patterned(900 * KiB)
    const from = await SOURCES['path']!([bytes], folder)
    const to = await SINKS['socket']!(folder)
    const result = await pool.copy(from.source, to.sink, { onProgress: () => pressure.tell(0.2) })
    expect(result.bytes).toBe(bytes.length)
    expect((await to.got())?.equals(bytes)).toBe(true)
    const again = await SOURCES['path']!([bytes], folder)
    const other = await SINKS['socket']!(folder)
    await pool.copy(again.source, other.sink)
    expect((await other.got())?.equals(bytes)).toBe(true)
    await to.close()
    await other.close()
  })
})

test('what is no source, sink or option is refused, and nothing is touched', async () => {
  const pool = newPool()
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() })
  const code = 'ERR_DREY_CONFIG'
  for (const source of [undefined, null, 5, {}, [1], () => 1]) {
    await expect(pool.copy(source as never, sink)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('source'),
    })
  }
  for (const other of [undefined, null, 'path', 5, {}, new Readable()]) {
    await expect(pool.copy('a', other as never)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('sink'),
    })
  }
  for (const options of [
    { size: -1 },
    { size: 1.5 },
    { timeout: 0 },
    { timeout: 'soon' },
    { signal: {} },
    { onProgress: 1 },
    { checksum: 1 },
    { sise: 1 },
    null,
  ]) {
    await expect(pool.copy('a', sink, options as never)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('copy'),
    })
  }
  const ended = new Writable({ write: (_chunk, _encoding, done) => done() })
  ended.end()
  await expect(pool.copy('a', ended)).rejects.toMatchObject({ code })
  const flowing = Readable.from(['a']).resume()
  await expect(pool.copy(flowing, sink)).rejects.toMatchObject({ code })
  const strange = Readable.from([{ a: 1 }])
  await expect(
    pool.copy(strange, new Writable({ write: (_chunk, _encoding, done) => done() })),
  ).rejects.toMatchObject({ code })
  expect(sink.destroyed).toBe(false)
  expect(sink.eventNames()).toEqual(new Writable().eventNames())
})
