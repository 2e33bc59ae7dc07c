import { expect, it } from 'vitest'
import { patterned, pour } from '../../helpers/bodies.js'
import { gate, turns } from '../../helpers/gate.js'
import { read, SHAPES } from '../../helpers/reading.js'
import { found, leftOf, noOrigin, settled, sharedRigs } from '../../helpers/rig.js'

/** What goes wrong in one thread costs the others no answer that they could have, and never gives them a wrong one. */

it('tells the errors of the origin to all, as the same kind of error', async () => {
  const { rigs, clock } = await sharedRigs(2, { timeouts: { firstByte: 1000, fill: 2000 } })
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const held = gate()
  const boom = new Error('boom')
  const failing = [
    one.cache.fetch('k', async () => {
      await held.opened
      throw boom
    }),
    two.cache.fetch('k', noOrigin),
  ].map((wait) => wait.catch((error) => error))
  await turns()
  held.open()
  const errors = await Promise.all(failing)
  for (const error of errors) {
    expect(error).toMatchObject({ code: 'ERR_DREY_ORIGIN', message: 'the fetcher of "k" failed: boom' })
  }
  expect(errors.map(({ cause }) => cause)).toEqual([boom, undefined])
  const slow = [one.cache.fetch('k', () => new Promise(() => undefined)), two.cache.fetch('k', noOrigin)]
  const ends = slow.map((wait) => wait.catch((error) => error))
  await turns()
  clock.advance(1000)
  for (const error of await Promise.all(ends)) {
    expect(error.code).toBe('ERR_DREY_TIMEOUT')
    expect(error.message).toContain('timeouts.firstByte, 1000 ms')
  }
})

it('answers an error with what a follower has and may use still', async () => {
  const { rigs, clock } = await sharedRigs(2, { freshness: { ttl: 10, staleIfError: 100 } })
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  await one.cache.set('k', patterned(100_000))
  clock.advance(10)
  const held = gate()
  const waits = rigs.map(({ cache }) =>
    cache.fetch('k', async () => {
      await held.opened
      throw new Error('down')
    }),
  )
  await turns()
  held.open()
  for (const wait of waits) {
    const answer = found(await wait)
    expect([answer.outcome, (await answer.bytes()).length]).toEqual(['stale', 100_000])
  }
  expect([one.cache.stats().fills, two.cache.stats().fills]).toEqual([1, 0])
})

it.each(SHAPES)('a body that breaks off breaks off for all, in the shape %s', async (shape) => {
  const { rigs } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const value = patterned(150_000)
  const origin = pour('iterable')
  const leading = found(await one.cache.fetch('k', () => ({ body: origin.body })))
  origin.push(value)
  const following = found(await two.cache.fetch('k', noOrigin))
  const readings = [read(leading, shape), read(following, shape)]
  await turns(20)
  origin.fail(new Error('reset'))
  for (const { bytes, error } of await Promise.all(readings)) {
    expect(error, String(error)).toBeDefined()
    expect(value.subarray(0, bytes.length).equals(bytes)).toBe(true)
  }
  await settled(one)
  expect(following.stored).toBe('truncated')
  expect(await two.cache.stat('k')).toBeUndefined()
})

it('a thread that dies before a byte is there costs its followers another call', async () => {
  for (const when of ['asked', 'answered'] as const) {
    const { rigs } = await sharedRigs(3)
    const [one, two, three] = rigs as [(typeof rigs)[0], (typeof rigs)[0], (typeof rigs)[0]]
    const held = gate()
    const lost = one.cache.fetch('k', async () => {
      await held.opened
      return { body: pour('iterable').body }
    })
    lost.then((answer) => found(answer).close()).catch(() => undefined)
    await turns()
    let calls = 0
    const fetcher = () => {
      calls += 1
      return { body: 'anew' }
    }
    const waits = [two, two, three].map(({ cache }) => cache.fetch('k', fetcher))
    if (when === 'answered') held.open()
    await turns()
    one.store.die()
    const texts = await Promise.all((await Promise.all(waits)).map((answer) => found(answer).text()))
    expect([texts, calls]).toEqual([['anew', 'anew', 'anew'], 1])
  }
})

it('a thread that dies in the middle of a body truncates it for those who have begun', async () => {
  const { rigs } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const origin = pour('iterable')
  const value = patterned(100_000)
  const lost = found(await one.cache.fetch('k', () => ({ body: origin.body, size: 200_000 })))
  origin.push(value)
  const [first, second] = [
    found(await two.cache.fetch('k', noOrigin)),
    found(await two.cache.fetch('k', noOrigin)),
  ]
  one.store.die()
  const readings = await Promise.all([read(first, 'stream'), read(second, 'bytes')])
  for (const { error } of readings) expect(error).toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
  expect(value.equals(readings[0]!.bytes)).toBe(true)
  expect(await found(await two.cache.fetch('k', () => ({ body: 'anew' }))).text()).toBe('anew')
  lost.close()
  await one.cache.close()
})

it('a thread that dies while it follows is not waited for', async () => {
  const { rigs } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const caller = new AbortController()
  const origin = pour('iterable')
  const body = found(await one.cache.fetch('k', () => ({ body: origin.body }), { signal: caller.signal }))
  origin.push(patterned(100_000))
  const lost = found(await two.cache.fetch('k', noOrigin))
  caller.abort()
  await turns()
  expect(origin.cancelled).toBe(false)
  two.store.die()
  await turns()
  expect([origin.cancelled, body.stored]).toEqual([true, 'truncated'])
  lost.close()
})

it('a cache that closes lets those go on that follow it, and leaves those that it follows', async () => {
  const { memory, rigs } = await sharedRigs(3, { timeouts: { shutdown: 0 } })
  const [one, two, three] = rigs as [(typeof rigs)[0], (typeof rigs)[0], (typeof rigs)[0]]
  let calls = 0
  const held = gate()
  const fetcher = async () => {
    calls += 1
    await held.opened
    return { body: `call ${calls}` }
  }
  const waits = rigs.map(({ cache }) => cache.fetch('k', fetcher))
  const ends = waits.map((wait) => wait.catch((error) => error.code))
  await turns()
  expect(calls).toBe(1)
  await one.cache.close()
  await turns()
  expect([calls, await ends[0]]).toEqual([2, 'ERR_DREY_CLOSED'])
  const [leading, following] = two.store.followed.size === 0 ? [two, three] : [three, two]
  expect(following.store.followed.size).toBe(1)
  await following.cache.close()
  expect(following.store.followed.size).toBe(0)
  held.open()
  const last = ends[rigs.indexOf(leading)]!
  expect(await found(await last).text()).toBe('call 2')
  expect(memory.misuse).toEqual([])
})

it('bodies that are read from another thread end when the cache closes', async () => {
  const { rigs } = await sharedRigs(2, { timeouts: { shutdown: 0 } })
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const origin = pour('iterable')
  const leading = found(await one.cache.fetch('k', () => ({ body: origin.body })))
  origin.push(patterned(100_000))
  const reading = read(found(await two.cache.fetch('k', noOrigin)), 'stream')
  await turns()
  await two.cache.close()
  expect((await reading).error).toMatchObject({ code: 'ERR_DREY_CLOSED' })
  origin.end()
  expect((await leading.bytes()).length).toBe(100_000)
})

it('does not wait longer for a leader that hangs than for an origin', async () => {
  const limits = { firstByte: 1000, fill: 5000 }
  const { rigs, clock } = await sharedRigs(2, { freshness: { staleIfError: 10_000 }, timeouts: limits })
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  await two.cache.set('stale', 'value', { ttl: 0 })
  const origin = pour('iterable')
  one.cache.fetch('k', () => new Promise(() => undefined)).catch(() => undefined)
  one.cache.fetch('stale', () => new Promise(() => undefined)).catch(() => undefined)
  const body = found(await one.cache.fetch('body', () => ({ body: origin.body })))
  // The leader's loop stands still: nothing of what it would say gets here.
  two.store.arrive = () => new Promise(() => undefined)
  origin.push(patterned(70_000))
  await turns()
  const waits = ['k', 'stale', 'body'].map((key) => two.cache.fetch(key, noOrigin))
  const ends = waits.map((wait) => wait.catch((error) => error))
  const reading = read(found(await waits[2]), 'bytes')
  clock.advance(1000)
  expect(await ends[0]).toMatchObject({
    code: 'ERR_DREY_TIMEOUT',
    message: expect.stringContaining('firstByte'),
  })
  expect(found(await waits[1])).toMatchObject({ outcome: 'stale' })
  clock.advance(4000)
  expect((await reading).error).toMatchObject({
    code: 'ERR_DREY_TRUNCATED',
    cause: { code: 'ERR_DREY_TIMEOUT' },
  })
  expect(two.store.followed.size).toBe(0)
  body.close()
})

it('a body that outgrows the tier truncates who reads it elsewhere, and lets the rest ask', async () => {
  const { rigs } = await sharedRigs(3, {}, { maxBytes: 2 ** 20, maxItemBytes: 150_000 })
  const [one, two, three] = rigs as [(typeof rigs)[0], (typeof rigs)[0], (typeof rigs)[0]]
  const news = gate()
  three.store.arrive = () => news.opened
  const origin = pour('iterable')
  const held = gate()
  const leading = one.cache.fetch('k', async () => {
    await held.opened
    return { body: origin.body }
  })
  await turns()
  const waits = [two, three].map(({ cache }) => cache.fetch('k', () => ({ body: 'own', store: false })))
  held.open()
  origin.push(patterned(100_000))
  const reading = read(found(await waits[0]), 'bytes')
  origin.push(patterned(100_000))
  origin.end()
  expect((await found(await leading).bytes()).length).toBe(200_000)
  expect((await reading).error).toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
  news.open()
  expect(await found(await waits[1]).text()).toBe('own')
})

it.each(['claim', 'draft', 'write', 'commit', 'grow', 'atEnd', 'end'] as const)(
  'a store that fails to %s costs the hit, never an answer',
  async (call) => {
    const { rigs, clock } = await sharedRigs(2, { timeouts: { firstByte: 1000 } })
    const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
    one.store.fail(call)
    const value = patterned(200_000)
    const fetcher = () => {
      const origin = pour('iterable')
      origin.push(value)
      setImmediate(() => origin.end())
      return { body: origin.body }
    }
    const leading = found(await one.cache.fetch('k', fetcher))
    const waiting = two.cache.fetch('k', fetcher)
    expect(value.equals(await leading.bytes())).toBe(true)
    await settled(one)
    const answer = read(found(await waiting), 'bytes')
    const { bytes, error } = await answer
    // What was being read when the store failed breaks off; it is never taken for whole.
    expect(error === undefined ? value.equals(bytes) : (error.code as unknown)).toBe(
      error === undefined ? true : 'ERR_DREY_TRUNCATED',
    )
    expect(one.cache.stats().tiers[0]!.failures).toBeGreaterThan(0)
    one.store.mend(call)
    clock.advance(1000)
    if (call === 'end') one.store.die()
  },
)

it.each(['look', 'leave', 'hold'] as const)(
  'a store that fails to %s costs a call of the origin',
  async (call) => {
    const { rigs } = await sharedRigs(2, { timeouts: { shutdown: 0 } })
    const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
    const origin = pour('iterable')
    const leading = found(await one.cache.fetch('k', () => ({ body: origin.body })))
    origin.push(patterned(100_000))
    await turns()
    two.store.fail(call)
    let calls = 0
    const own = () => {
      calls += 1
      return { body: 'own' }
    }
    const waiting = two.cache.fetch('k', own)
    if (call === 'leave') {
      found(await waiting).close()
      two.store.mend('leave')
    } else {
      expect(await found(await waiting).text()).toBe('own')
      expect(calls).toBe(1)
    }
    expect(two.cache.stats().tiers[0]!.failures).toBeGreaterThan(0)
    origin.end()
    await leading.bytes()
    two.store.die()
  },
)

it('takes notes that are none for a leader that is lost', async () => {
  const { rigs } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const flight = one.store.sharing.claim('k', undefined, false)
  if (flight === 'look' || !flight.leads) throw new Error('want to lead')
  const waiting = two.cache.fetch('k', () => ({ body: 'own' }))
  await turns()
  flight.end('{"kind":"whole?"}')
  expect(await found(await waiting).text()).toBe('own')
  expect(await leftOf(one, two)).toEqual([])
})
