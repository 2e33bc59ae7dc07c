import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CopySource } from '../../../lib/buffers/input.js'
import type { Tee } from '../../../lib/buffers/tee.js'
import { patterned } from '../../helpers/bodies.js'
import { FakeClock } from '../../helpers/clock.js'
import { gate, turns, until } from '../../helpers/gate.js'
import { cut, folder, KiB, newPool, settled } from './copy-harness.js'
import { SINKS } from './sinks.js'
import { FAILING, SOURCES } from './sources.js'

const BROKEN = new Error('broken on purpose')

const SHAPES: Readonly<Record<string, (tee: Tee) => AsyncIterable<Uint8Array>>> = {
  stream: (tee) => tee.stream(),
  web: (tee) => tee.web(),
  iteration: (tee) => tee,
}

/** Reads to the end, and spoils what it got: its pieces are its own. */
async function readAll(
  pieces: AsyncIterable<Uint8Array>,
  atPiece = (): unknown => undefined,
): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const piece of pieces) {
    all.push(Buffer.from(piece))
    piece.fill(0xee)
    await atPiece()
  }
  return Buffer.concat(all)
}

/** A sink that takes nothing until it is let. */
function stuck(): { sink: Writable; open(): void; taken(): number } {
  const { opened, open } = gate()
  let taken = 0
  const sink = new Writable({
    highWaterMark: 1000,
    write: (chunk, _encoding, done) => {
      taken += chunk.length
      opened.then(() => done())
    },
  })
  return { sink, open, taken: () => taken }
}

const pairs = Object.keys(SOURCES).flatMap((source) =>
  Object.keys(SINKS).map((sink) => [source, sink] as const),
)

test.each(pairs)('%s into %s: reader and sink get every byte (T1, C5)', async (source, sink) => {
  const pool = newPool()
  for (const [at, [shape, read]] of Object.entries(SHAPES).entries()) {
    const bytes = patterned([1, 50_000, 300 * KiB][at]!, at)
    const from = await SOURCES[source]!(cut(bytes, [9000, 100, 70 * KiB]), folder)
    const to = await SINKS[sink]!(folder)
    const tee = pool.tee(from.source, to.sink)
    const got = await readAll(read(tee))
    expect([shape, got.equals(bytes)]).toEqual([shape, true])
    expect(await tee.written).toEqual({ status: 'whole', bytes: bytes.length })
    expect((await to.got())?.equals(bytes)).toBe(true)
    await from.close()
    await to.close()
  }
})

test('random pieces, ends and options: what reaches a side is whole, or known not to be', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('node', 'web', 'byob', 'iterable', 'path', 'bytes'),
      fc.constantFrom('path', 'keeping', 'passThrough', 'cacheWriter', 'response'),
      fc.record({
        failTogether: fc.boolean(),
        finishSink: fc.boolean(),
        onSinkSlow: fc.constantFrom('wait', 'drop'),
      }),
      fc.array(
        fc.nat(30_000).map((n) => n + 1),
        { minLength: 1, maxLength: 4 },
      ),
      fc.nat(150_000).map((n) => n + 1),
      fc.option(fc.nat(10)),
      async (source, sink, options, lengths, size, leaveAfter) => {
        const pool = newPool({ chunkSize: '8KiB' })
        const bytes = patterned(size)
        const from = await SOURCES[source]!(cut(bytes, lengths), folder)
        const to = await SINKS[sink]!(folder)
        const tee = pool.tee(from.source, to.sink, {
          ...options,
          onSinkSlow: options.onSinkSlow as 'wait' | 'drop',
        })
        let seen = 0
        let left = false
        let dropped = false
        try {
          for await (const piece of tee) {
            expect(piece.equals(bytes.subarray(seen, seen + piece.length))).toBe(true)
            seen += piece.length
            left = leaveAfter !== null && seen > leaveAfter * 10_000
            if (left) break
          }
        } catch (error) {
          // The only way in which this reader may fail: with a sink that was too slow.
          expect(error).toMatchObject({ code: 'ERR_DREY_OVERLOADED' })
          expect(options).toMatchObject({ failTogether: true, onSinkSlow: 'drop' })
          dropped = true
        }
        if (!left && !dropped) expect(seen).toBe(size)
        const { status } = await tee.written
        const got = await to.got()
        if (status === 'whole') expect(got?.equals(bytes)).toBe(true)
        else expect(got).toBeUndefined()
        if (!left && !(options.onSinkSlow === 'drop')) expect(status).toBe('whole')
        if (left && options.finishSink && options.onSinkSlow === 'wait') expect(status).toBe('whole')
        await from.close()
        await to.close()
        await settled(pool)
      },
    ),
    { numRuns: 40 },
  )
})

test.each(Object.keys(SOURCES))(
  '%s: ended from outside at any moment, a reader of any shape is told',
  async (source) => {
    for (const [shape, read] of Object.entries(SHAPES)) {
      for (const wait of [0, 1, 2, 3, 5]) {
        for (const end of ['abort', 'close'] as const) {
          const pool = newPool()
          const bytes = patterned(200 * KiB)
          const from = await SOURCES[source]!(cut(bytes, [3000, 20_000]), folder)
          const { sink, open } = stuck()
          const controller = new AbortController()
          const tee = pool.tee(from.source, sink, { signal: controller.signal })
          const reading = readAll(read(tee)).then(
            (got) => got.length,
            (error) => error.code,
          )
          await turns(wait)
          if (end === 'abort') controller.abort()
          else tee.close()
          expect([shape, wait, end, await reading]).toEqual([shape, wait, end, 'ERR_DREY_ABORTED'])
          expect((await tee.written).status).not.toBe('whole')
          open()
          await from.close()
          await settled(pool)
        }
      }
    }
  },
)

test.each(Object.entries(SHAPES))(
  'a source that stands still, read as %s, is no reason to wait',
  async (_shape, read) => {
    const pool = newPool()
    const iterable = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) }
    for (const source of [new Readable({ read: () => undefined }), iterable]) {
      const controller = new AbortController()
      const tee = pool.tee(source, stuck().sink, { signal: controller.signal })
      const reading = readAll(read(tee))
      await turns()
      controller.abort()
      await expect(reading).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
    }
  },
)

describe('a slow sink (T2)', () => {
  test('slows the reader, and memory is bounded', async () => {
    const pool = newPool()
    const { sink, open } = stuck()
    let given = 0
    const source = Readable.from(
      (function* () {
        for (let i = 0; i < 100; i += 1) {
          given += 10_000
          yield patterned(10_000, i)
        }
      })(),
      { objectMode: false, highWaterMark: 1 },
    )
    const tee = pool.tee(source, sink)
    const reading = readAll(tee.stream())
    await turns(50)
    expect(given).toBeLessThanOrEqual(40_000)
    open()
    expect((await reading).length).toBe(1_000_000)
    expect(await tee.written).toEqual({ status: 'whole', bytes: 1_000_000 })
  })

  test.each(['wait', 'drop'] as const)("'%s': one that never takes anything", async (onSinkSlow) => {
    const pool = newPool()
    const { sink, taken } = stuck()
    const bytes = patterned(900_000)
    const tee = pool.tee(Readable.from(cut(bytes, [10_000])), sink, { onSinkSlow, sinkBuffer: '100KiB' })
    let seen = 0
    const reading = (async () => {
      for await (const piece of tee) seen += piece.length
    })()
    await turns(500)
    if (onSinkSlow === 'wait') {
      expect(seen).toBeLessThan(50_000)
      tee.close()
      await reading.catch(() => undefined)
      expect(await tee.written).toMatchObject({ status: 'left' })
    } else {
      await reading
      expect(seen).toBe(bytes.length)
      expect(await tee.written).toMatchObject({ status: 'dropped', error: { code: 'ERR_DREY_OVERLOADED' } })
    }
    expect(taken()).toBeLessThanOrEqual(10_000)
    expect(sink.destroyed).toBe(true)
  })
})

describe('a sink that fails (T3)', () => {
  const failing = (): Writable => {
    let writes = 0
    return new Writable({
      write: (_chunk, _encoding, done) => {
        writes += 1
        done(writes > 3 ? BROKEN : null)
      },
    })
  }

  test.each(Object.keys(SHAPES))('costs the reader nothing: %s', async (shape) => {
    const bytes = patterned(200_000)
    // The reader spoils what it is given.
    const tee = newPool().tee(Readable.from(cut(Buffer.from(bytes), [9000])), failing())
    expect((await readAll(SHAPES[shape]!(tee))).equals(bytes)).toBe(true)
    expect(await tee.written).toMatchObject({ status: 'failed', error: BROKEN })
  })

  test.each(Object.keys(SHAPES))('fails the reader where that is asked for: %s', async (shape) => {
    const source = Readable.from(cut(patterned(200_000), [9000]))
    const tee = newPool().tee(source, failing(), { failTogether: true })
    await expect(readAll(SHAPES[shape]!(tee))).rejects.toBe(BROKEN)
    expect(await tee.written).toMatchObject({ status: 'failed', error: BROKEN })
    expect(source.destroyed).toBe(true)
  })

  test('a file that cannot be made, and one that fails at its end', async () => {
    const bytes = patterned(5000)
    const pool = newPool()
    const nowhere = pool.tee(bytes, { path: join(folder, 'no folder', 'x') })
    expect((await readAll(nowhere)).equals(bytes)).toBe(true)
    expect(await nowhere.written).toMatchObject({ status: 'failed', error: { code: 'ENOENT' } })
    const sink = new Writable({ write: (_chunk, _encoding, done) => done(), final: (done) => done(BROKEN) })
    await expect(readAll(pool.tee(bytes, sink, { failTogether: true }))).rejects.toBe(BROKEN)
  })
})

describe('a source that fails (T4)', () => {
  test.each(FAILING)('%s', async (name) => {
    const pool = newPool()
    for (const after of [0, 2, 20]) {
      const from = await SOURCES[name]!(cut(patterned(100_000), [5000]), folder, { after, error: BROKEN })
      const to = await SINKS['path']!(folder)
      const tee = pool.tee(from.source, to.sink)
      await expect(readAll(tee.stream())).rejects.toBe(BROKEN)
      expect(await tee.written).toMatchObject({ status: 'failed', error: BROKEN })
      expect(await to.got()).toBeUndefined()
    }
  })

  test('one that has not the size that was declared', async () => {
    const pool = newPool()
    for (const [size, code] of [
      [4999, 'ERR_DREY_TOO_LARGE'],
      [5001, 'ERR_DREY_TRUNCATED'],
    ] as const) {
      const to = await SINKS['path']!(folder)
      const tee = pool.tee(Readable.from(cut(patterned(5000), [700])), to.sink, { size })
      await expect(readAll(tee)).rejects.toMatchObject({ code })
      expect((await tee.written).status).toBe('failed')
      expect(await to.got()).toBeUndefined()
    }
  })
})

describe('a reader that leaves (T5)', () => {
  const begin = async (
    source: CopySource,
    finishSink: boolean,
  ): Promise<{ tee: Tee; got(): Buffer | undefined }> => {
    const path = join(folder, `left ${Math.random()}`)
    const tee = newPool().tee(source, { path }, { finishSink })
    for await (const piece of tee) if (piece.length > 0) break
    const { status } = await tee.written
    return { tee, got: () => (status === 'whole' ? readFileSync(path) : undefined) }
  }

  test('cancels source and sink', async () => {
    const source = Readable.from(cut(patterned(300_000), [9000]))
    const { tee, got } = await begin(source, false)
    expect(await tee.written).toMatchObject({ status: 'left', error: { name: 'AbortError' } })
    expect(got()).toBeUndefined()
    expect(source.destroyed).toBe(true)
  })

  test('or the sink gets the rest', async () => {
    const bytes = patterned(300_000)
    const { got } = await begin(Readable.from(cut(bytes, [9000])), true)
    expect(got()?.equals(bytes)).toBe(true)
  })

  test('also one that never came', async () => {
    const pool = newPool()
    const source = new Readable({ read: () => undefined })
    const tee = pool.tee(source, { path: join(folder, 'never') })
    tee.close()
    expect(source.destroyed).toBe(true)
    expect((await tee.written).status).toBe('left')
    expect(() => tee.stream()).toThrow(expect.objectContaining({ code: 'ERR_DREY_BODY_USED' }))
  })
})

test('it is read once', async () => {
  const tee = newPool().tee('text', { path: join(folder, 'once') })
  expect((await readAll(tee)).toString()).toBe('text')
  expect(() => tee.web()).toThrow(expect.objectContaining({ code: 'ERR_DREY_BODY_USED' }))
  await tee.written
})

test('signal and timeout end both sides, and leave nothing behind', async () => {
  const clock = new FakeClock()
  const pool = newPool({}, { clock })
  const controller = new AbortController()
  const reason = new Error('enough')
  const ends = [
    { options: { signal: controller.signal }, end: () => controller.abort(reason), code: 'ERR_DREY_ABORTED' },
    { options: { timeout: 1000 }, end: () => clock.advance(1000), code: 'ERR_DREY_TIMEOUT' },
    { options: { signal: controller.signal }, end: () => undefined, code: 'ERR_DREY_ABORTED' },
  ]
  for (const { options, end, code } of ends) {
    const source = new Readable({ read: () => undefined })
    const tee = pool.tee(source, { path: join(folder, 'ended') }, options)
    const reading = readAll(tee.stream()).catch((error) => error.code)
    await turns()
    end()
    expect(await reading).toBe(code)
    expect(await tee.written).toMatchObject({ status: 'failed', error: { code } })
    await until(() => source.destroyed, 'the source is cancelled')
  }
  await settled(pool)
  expect(clock.pending).toBe(0)
})
