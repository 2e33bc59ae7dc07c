import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { type FetcherContext, notModified } from '../../../lib/index.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { gate, turns } from '../../helpers/gate.js'
import { read, SHAPES } from '../../helpers/reading.js'
import { distantRig, found, noOrigin, overStores, rig } from '../../helpers/rig.js'

const aborted = { code: 'ERR_DREY_ABORTED', name: 'AbortError' }

/** The caller's signal, at every stage. */
overStores((kind) => {
  it('aborted before the call: nothing is asked', async () => {
    const { cache } = await rig(kind)
    const signal = AbortSignal.abort(new Error('no more'))
    await expect(cache.fetch('k', noOrigin, { signal })).rejects.toMatchObject({
      ...aborted,
      cause: new Error('no more'),
    })
    await expect(cache.get('k', { signal })).rejects.toMatchObject(aborted)
    expect(cache.stats()).toMatchObject({ fills: 0, misses: 0 })
  })

  it('while it waits for the origin', async () => {
    const { cache } = await rig(kind)
    const caller = new AbortController()
    const asked = gate()
    let origin!: AbortSignal
    const wait = cache.fetch(
      'k',
      ({ signal }) => {
        origin = signal
        asked.open()
        return new Promise(() => undefined)
      },
      { signal: caller.signal },
    )
    await asked.opened
    caller.abort('why')
    await expect(wait).rejects.toMatchObject({ ...aborted, cause: 'why' })
    expect(origin.aborted).toBe(true)
  })

  it('while it waits for an origin that answers after all: the body is cancelled', async () => {
    const { cache } = await rig(kind)
    const caller = new AbortController()
    const asked = gate()
    const answer = gate()
    const late = (['node', 'web', 'iterable'] as const).map((of) => pour(of))
    for (const [i, origin] of late.entries()) {
      const wait = cache.fetch(
        `k${i}`,
        async () => {
          asked.open()
          await answer.opened
          return { body: origin.body }
        },
        { signal: caller.signal },
      )
      wait.catch(() => undefined)
    }
    await asked.opened
    await turns()
    caller.abort()
    answer.open()
    await turns()
    expect(late.map(({ cancelled }) => cancelled)).toEqual([true, true, true])
    expect(cache.stats().filling).toBe(0)
  })

  it.each(SHAPES)('in the middle of a body read in the shape %s', async (shape) => {
    const { cache } = await rig(kind)
    const caller = new AbortController()
    const origin = pour('iterable')
    const fetcher = () => ({ body: origin.body })
    const mine = read(found(await cache.fetch('k', fetcher, { signal: caller.signal })), shape)
    const other = found(await cache.fetch('k', noOrigin)).bytes()
    origin.push(patterned(100_000))
    await turns(10)
    caller.abort()
    expect((await mine).error).toMatchObject(aborted)
    origin.end()
    expect((await other).length).toBe(100_000)
  })

  it.each(['bytes', 'iterate', 'stream', 'web', 'writable'] as const)(
    'in the middle of a kept body read in the shape %s',
    async (shape) => {
      const { cache } = await rig(kind)
      await cache.set('k', patterned(1_000_000))
      const caller = new AbortController()
      const body = found(await cache.get('k', { signal: caller.signal }))
      const reading = read(body, shape)
      caller.abort()
      const { error } = await reading
      // What is near and read in one step is there before the signal is.
      if (!(kind !== 'distant' && shape === 'bytes')) expect(error).toMatchObject(aborted)
      expect(cache.stats().openBodies).toBe(0)
    },
  )

  it('between the answer and the reading', async () => {
    const { cache } = await rig(kind)
    for (const size of [10, 100_000]) {
      await cache.set('k', patterned(size))
      const caller = new AbortController()
      const body = found(await cache.get('k', { signal: caller.signal }))
      caller.abort()
      expect((await read(body, 'bytes')).error).toMatchObject(aborted)
      expect(cache.stats().openBodies).toBe(0)
    }
  })

  it('after the end: nothing', async () => {
    const { cache } = await rig(kind)
    const caller = new AbortController()
    const body = found(
      await cache.fetch('k', () => ({ body: patterned(100_000) }), { signal: caller.signal }),
    )
    const sink = new PassThrough()
    sink.resume()
    await body.writeTo(sink)
    caller.abort()
    expect(sink.errored).toBeNull()
  })

  it('of one call may be shared by many, and leaves no listener behind', async () => {
    const { cache } = await rig(kind)
    const caller = new AbortController()
    let listeners = 0
    const { signal } = caller
    const add = signal.addEventListener
    const remove = signal.removeEventListener
    signal.addEventListener = (...args: unknown[]) => {
      listeners += 1
      add.apply(signal, args as never)
    }
    signal.removeEventListener = (...args: unknown[]) => {
      listeners -= 1
      remove.apply(signal, args as never)
    }
    for (let i = 0; i < 50; i += 1) {
      const body = found(await cache.fetch(`k${i % 5}`, () => ({ body: patterned(70_000) }), { signal }))
      await read(body, 'stream')
      await cache.get('none', { signal })
    }
    await turns()
    expect(listeners).toBe(0)
  })

  it('a stream that nobody listens to does not end the process when its signal aborts', async () => {
    const { cache } = await rig(kind)
    const caller = new AbortController()
    await cache.set('k', patterned(1_000_000))
    const stream = found(await cache.get('k', { signal: caller.signal })).stream()
    caller.abort()
    await turns()
    expect(stream.errored).toMatchObject(aborted)
  })
})

it('while a store that answers later looks the key up, or hangs', async () => {
  const made = await distantRig()
  const caller = new AbortController()
  made.store.hold('find')
  const waits = [
    made.cache.fetch('k', noOrigin, { signal: caller.signal }),
    made.cache.get('k', { signal: caller.signal }),
  ]
  await turns()
  caller.abort()
  for (const wait of waits) await expect(wait).rejects.toMatchObject(aborted)
})

it('while a confirmed entry is answered', async () => {
  const made = await rig('memory', { freshness: { ttl: 0 } })
  await made.cache.set('k', patterned(100_000), { etag: '"1"' })
  const caller = new AbortController()
  const fetcher = (_: FetcherContext) => notModified()
  const wait = made.cache.fetch('k', fetcher, { signal: caller.signal })
  const body = found(await wait)
  caller.abort()
  expect((await read(body, 'bytes')).error).toMatchObject(aborted)
})
