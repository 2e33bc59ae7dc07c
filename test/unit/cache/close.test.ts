import { expect, it } from 'vitest'
import { ClosedError } from '../../../lib/index.js'
import { patterned, pieces, pour } from '../../helpers/bodies.js'
import { gate, turns } from '../../helpers/gate.js'
import { read, SHAPES } from '../../helpers/reading.js'
import { distantRig, firstTierOf, found, noOrigin, overStores, rig } from '../../helpers/rig.js'

/** I12: `close()` finishes or aborts what is in flight within its timeout, and leaves nothing. */
overStores((kind) => {
  it('refuses every call after it, and may be called again', async () => {
    const { cache } = await rig(kind)
    await cache.set('k', 'v')
    const scan = cache.entries()[Symbol.asyncIterator]()
    await Promise.all([cache.close(), cache.close(), cache[Symbol.asyncDispose]()])
    const closed = { code: 'ERR_DREY_CLOSED' }
    for (const call of [
      () => cache.fetch('k', noOrigin),
      () => cache.get('k'),
      () => cache.set('k', 'v'),
      () => cache.stat('k'),
      () => cache.has('k'),
      () => cache.delete('k'),
      () => cache.clear(),
      () => scan.next(),
      () => cache.entries()[Symbol.asyncIterator]().next(),
    ]) {
      await expect(call(), String(call)).rejects.toMatchObject(closed)
    }
    expect(() => cache.getSync('k')).toThrow(ClosedError)
    expect(() => cache.writer('k')).toThrow(ClosedError)
    expect(cache.stats().tiers[0]!.name).toBe(firstTierOf(kind))
  })

  it('cancels the body of a `set` that comes too late', async () => {
    const { cache } = await rig(kind)
    await cache.close()
    const origin = pour('web')
    await expect(cache.set('k', origin.body)).rejects.toMatchObject({ code: 'ERR_DREY_CLOSED' })
    expect(origin.cancelled).toBe(true)
  })

  it('lets fills, bodies and writes finish first', async () => {
    const { cache, clock } = await rig(kind)
    const value = patterned(300_000)
    const [filling, setting] = [pour('iterable'), pour('iterable')]
    const body = found(await cache.fetch('f', () => ({ body: filling.body })))
    const set = cache.set('s', setting.body)
    const writer = cache.writer('w')
    writer.write('half ')
    let closed = false
    const closing = cache.close().then(() => {
      closed = true
    })
    await turns(10)
    const reading = body.bytes()
    for (const origin of [filling, setting]) {
      origin.push(value)
      origin.end()
    }
    writer.end('done')
    expect(value.equals(await reading)).toBe(true)
    expect((await set).size).toBe(300_000)
    await closing
    expect([closed, writer.writableFinished, clock.pending]).toEqual([true, true, 0])
  })

  it('ends what does not finish in time (I12)', async () => {
    const { cache, clock } = await rig(kind, { timeouts: { shutdown: '10s' } })
    await cache.set('kept', patterned(200_000))
    const origin = pour('node')
    let signal!: AbortSignal
    const filling = found(
      await cache.fetch('f', (context) => {
        signal = context.signal
        return { body: origin.body }
      }),
    )
    const waiting = cache.fetch('w', () => new Promise(() => undefined))
    const setting = cache.set('s', pour('iterable').body)
    const writer = cache.writer('x')
    writer.write('half')
    const kept = found(await cache.get('kept'))
    const unread = found(await cache.get('kept')).stream()
    const outcomes = [waiting, setting, filling.bytes()].map((wait) => wait.catch((error) => error.code))
    const iteration = read(kept, 'iterate')
    const closing = cache.close()
    await turns(10)
    expect((await iteration).error).toBeUndefined()
    clock.advance(9_999)
    await turns(10)
    expect(signal.aborted).toBe(false)
    clock.advance(1)
    await closing
    expect(await Promise.all(outcomes)).toEqual([
      'ERR_DREY_CLOSED',
      'ERR_DREY_CLOSED',
      expect.stringMatching(/ERR_DREY_(CLOSED|TRUNCATED)/),
    ])
    await turns()
    expect([signal.aborted, origin.cancelled, writer.errored?.name]).toEqual([true, true, 'ClosedError'])
    expect(unread.errored).toBeInstanceOf(ClosedError)
    expect([cache.stats().openBodies, cache.stats().filling, clock.pending]).toEqual([0, 0, 0])
  })

  it.each(SHAPES)('breaks a body off that is read in the shape %s', async (shape) => {
    const { cache } = await rig(kind, { timeouts: { shutdown: 0 } })
    const origin = pour('web')
    const reading = read(found(await cache.fetch('k', () => ({ body: origin.body, size: 100_000 }))), shape)
    origin.push(patterned(50_000))
    await turns()
    await cache.close()
    expect((await reading).error?.code).toMatch(/ERR_DREY_(CLOSED|TRUNCATED)/)
  })

  it('gives a stale value to nobody who waits when it closes', async () => {
    const { cache, clock } = await rig(kind, {
      freshness: { ttl: 0, staleIfError: '1d' },
      timeouts: { shutdown: 0 },
    })
    await cache.set('k', patterned(100_000))
    const wait = cache.fetch('k', () => new Promise(() => undefined))
    wait.catch(() => undefined)
    await turns()
    await cache.close()
    await expect(wait).rejects.toMatchObject({ code: 'ERR_DREY_CLOSED' })
    expect([cache.stats().openBodies, clock.pending]).toEqual([0, 0])
  })

  it('does not end a body that was being handed over when all was quiet for a moment', async () => {
    const { cache } = await rig(kind)
    const value = patterned(300_000)
    const held = gate()
    const wait = cache.fetch('k', async () => {
      await held.opened
      return { body: value }
    })
    await turns()
    const closing = cache.close()
    held.open()
    expect(value.equals(await found(await wait).bytes())).toBe(true)
    await closing
  })
})

it.each(['find', 'write', 'commit', 'delete', 'clear'] as const)(
  'does not wait for a store that hangs at %s',
  async (call) => {
    const { cache, clock, store } = await distantRig({ timeouts: { shutdown: '1s' } })
    await cache.set('k', patterned(200_000))
    const held = store.hold(call)
    const stuck = {
      find: () => cache.fetch('k', noOrigin),
      write: () => cache.set('k', 'new'),
      commit: () => cache.set('k', 'new'),
      delete: () => cache.delete('k'),
      clear: () => cache.clear(),
    }[call]()
    const outcome = stuck.catch((error) => error.code)
    await turns(10)
    const closing = cache.close()
    clock.advance(1_000)
    await closing
    expect(await outcome).toBe('ERR_DREY_CLOSED')
    expect([cache.stats().filling, cache.stats().openBodies, clock.pending]).toEqual([0, 0, 0])
    held.open()
    await turns(10)
  },
)

it('does not hand out what a store finds after the cache was closed', async () => {
  const made = await distantRig({ timeouts: { shutdown: 0 } })
  await made.cache.set('k', patterned(200_000))
  const held = made.store.hold('find')
  const calls = [made.cache.fetch('k', noOrigin), made.cache.get('k'), made.cache.stat('k')]
  const outcomes = calls.map((call) => call.then(() => 'answered').catch((error) => error.code))
  await turns()
  await made.cache.close()
  held.open()
  expect(await Promise.all(outcomes)).toEqual(Array(3).fill('ERR_DREY_CLOSED'))
  await turns(10)
  expect([made.store.openEntries, made.cache.stats().openBodies]).toEqual([0, 0])
})

it('ends the wait for a commit that hangs after all readers are done', async () => {
  const made = await distantRig({ timeouts: { shutdown: '1s' } })
  const held = made.store.hold('commit')
  const body = found(await made.cache.fetch('k', () => ({ body: pieces(patterned(100_000), 9_999) })))
  expect((await body.bytes()).length).toBe(100_000)
  // The origin is done: no timer of the fill is left to disturb what is being stored.
  made.clock.advance(3_600_000)
  await turns()
  expect(made.cache.stats().filling).toBe(1)
  const closing = made.cache.close()
  await turns()
  made.clock.advance(1_000)
  await closing
  expect([made.cache.stats().filling, made.cache.stats().notStored]).toEqual([0, { 'tier-down': 1 }])
  held.open()
  await turns()
})
