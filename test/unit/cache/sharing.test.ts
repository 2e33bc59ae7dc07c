import { expect, it } from 'vitest'
import { notFound, notModified } from '../../../lib/index.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { gate, turns, until } from '../../helpers/gate.js'
import { read } from '../../helpers/reading.js'
import { found, noOrigin, settled, sharedRigs } from '../../helpers/rig.js'

/** I6 over threads that share their tier: what the caller of the origin gets, all get. */

it('calls one fetcher for the callers of all caches', async () => {
  const { rigs } = await sharedRigs(3)
  const held = gate()
  let calls = 0
  const fetcher = async () => {
    calls += 1
    await held.opened
    return { body: 'value', user: { a: [1] }, etag: '"1"' }
  }
  const waits = rigs.flatMap(({ cache }) => [cache.fetch('k', fetcher), cache.fetch('k', fetcher)])
  await turns()
  held.open()
  const got = (await Promise.all(waits)).map(found)
  expect(got.map(({ outcome }) => outcome)).toEqual(['miss', ...Array(5).fill('joined')])
  expect(await Promise.all(got.map((answer) => answer.text()))).toEqual(Array(6).fill('value'))
  for (const { meta } of got) expect(meta).toMatchObject({ size: 5, etag: '"1"', user: { a: [1] } })
  expect(calls).toBe(1)
  expect(rigs.map(({ cache }) => cache.stats().fills)).toEqual([1, 0, 0])
})

it('reads a body in every cache while it arrives, from its first byte', async () => {
  const { rigs } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const value = patterned(500_000)
  const origin = pour('iterable')
  const readings = [found(await one.cache.fetch('k', () => ({ body: origin.body, user: 'u' }))).bytes()]
  for (let at = 0; at < value.length; at += 50_000) {
    origin.push(value.subarray(at, at + 50_000))
    await turns()
    const joined = found(await two.cache.fetch('k', noOrigin))
    expect(joined).toMatchObject({ outcome: 'joined', size: undefined, tier: undefined, stored: undefined })
    expect(joined.meta).toMatchObject({ size: -1, user: 'u', freshUntil: Number.POSITIVE_INFINITY })
    readings.push(joined.bytes())
  }
  const last = found(await two.cache.fetch('k', noOrigin))
  origin.end()
  for (const bytes of await Promise.all(readings)) expect(value.equals(bytes)).toBe(true)
  await turns()
  expect(last).toMatchObject({ size: 500_000, stored: 'shared' })
  expect(last.meta.size).toBe(500_000)
  expect(value.equals(await last.bytes())).toBe(true)
  expect(two.cache.stats()).toMatchObject({ fills: 0, joined: 11, openBodies: 0 })
})

it('keeps the piece that completes a declared size back until the origin has ended', async () => {
  const { rigs } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const value = patterned(200_000)
  for (const how of ['ends', 'sends too much']) {
    const origin = pour('iterable')
    const key = `k ${how}`
    const leading = read(
      found(await one.cache.fetch(key, () => ({ body: origin.body, size: 200_000 }))),
      'bytes',
    )
    const waiting = two.cache.fetch(key, noOrigin)
    origin.push(value.subarray(0, 120_000))
    await turns()
    const body = found(await waiting)
    expect([body.size, body.meta.size]).toEqual([200_000, 200_000])
    const taken: Uint8Array[] = []
    const following = read(body, 'iterate').then(({ bytes, error }) => {
      taken.push(bytes)
      return error
    })
    origin.push(value.subarray(120_000))
    await turns()
    expect(taken).toEqual([])
    if (how === 'ends') origin.end()
    else origin.push(Buffer.from('!'))
    const error = await following
    expect([error?.code, taken[0]!.length]).toEqual(
      how === 'ends' ? [undefined, 200_000] : ['ERR_DREY_TRUNCATED', 120_000],
    )
    expect((await leading).error?.code).toBe(error?.code)
  }
})

it('answers from the store what was done before the news arrived, also when it is stale already', async () => {
  const { rigs } = await sharedRigs(2, { freshness: { ttl: 0 } })
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const news = gate()
  two.store.arrive = () => news.opened
  const held = gate()
  const origin = pour('web')
  const leading = one.cache.fetch('k', async () => {
    await held.opened
    return { body: origin.body }
  })
  await turns()
  const waiting = two.cache.fetch('k', noOrigin)
  held.open()
  origin.push(Buffer.from('value'))
  origin.end()
  expect(await found(await leading).text()).toBe('value')
  await settled(one)
  news.open()
  const got = found(await waiting)
  expect([got.outcome, got.tier, await got.text()]).toEqual(['joined', 'shared', 'value'])
})

it('asks again when what was done is gone by the time the news arrive', async () => {
  const { rigs } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const news = gate()
  two.store.arrive = () => news.opened
  const held = gate()
  const leading = one.cache.fetch('k', async () => {
    await held.opened
    return { body: 'before' }
  })
  await turns()
  const waiting = two.cache.fetch('k', () => ({ body: 'after' }))
  held.open()
  await leading
  await one.cache.delete('k')
  news.open()
  const got = found(await waiting)
  expect([got.outcome, await got.text()]).toEqual(['miss', 'after'])
})

it('shares a negative answer and a confirmation', async () => {
  const { rigs, clock } = await sharedRigs(2, { freshness: { ttl: 10 } })
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  await two.cache.set('old', 'value', { etag: '"1"' })
  clock.advance(10)
  for (const [key, answer, status] of [
    ['none', notFound({ ttl: 5 }), 'not-found'],
    ['old', notModified(), 'ok'],
  ] as const) {
    const held = gate()
    const waits = [
      one.cache.fetch(key, async () => {
        await held.opened
        return answer
      }),
      two.cache.fetch(key, noOrigin),
    ]
    await turns()
    held.open()
    const got = await Promise.all(waits)
    expect(got.map((each) => each.status)).toEqual([status, status])
    expect(got[1]).toMatchObject({ outcome: 'joined' })
    await turns()
  }
  expect(await found(await two.cache.get('old')).text()).toBe('value')
})

it('tells all of a negative answer that found no room', async () => {
  const { rigs } = await sharedRigs(2, {}, { maxBytes: 2 ** 20, maxItemBytes: 2 ** 20 })
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const held = gate()
  const waits = [
    one.cache.fetch('k', async () => {
      await held.opened
      return notFound()
    }),
    two.cache.fetch('k', noOrigin),
  ]
  await turns()
  one.store.fail('set')
  held.open()
  expect((await Promise.all(waits)).map(({ status }) => status)).toEqual(['not-found', 'not-found'])
  expect(one.cache.stats().notStored).toEqual({ 'tier-down': 1 })
})

it.each([
  ['may not be stored', { store: false, size: undefined }, {}],
  ['is too large', { size: 600_000 }, { maxBytes: 2 ** 20, maxItemBytes: 500_000 }],
  ['finds no room', { size: 990_000 }, { maxBytes: 2 ** 20, maxItemBytes: 2 ** 20 }],
])('each asks for itself what %s', async (why, options, sizes) => {
  const { rigs } = await sharedRigs(3, {}, sizes)
  const writer = rigs[0]!.cache.writer('other')
  if (why === 'finds no room') await new Promise((resolve) => writer.write(patterned(100_000), resolve))
  let calls = 0
  const held = gate()
  const fetcher = async () => {
    calls += 1
    const { body, push, end } = pour('iterable')
    push(patterned(options.size ?? 100_000, calls))
    end()
    await held.opened
    return { ...options, body }
  }
  const waits = rigs.map(({ cache }) => cache.fetch('k', fetcher))
  await turns()
  expect(calls).toBe(1)
  held.open()
  const got = (await Promise.all(waits)).map(found)
  const values = await Promise.all(got.map((answer) => answer.bytes()))
  expect(calls).toBe(3)
  expect(new Set(values.map((value) => value.toString('latin1', 0, 100))).size).toBe(3)
  writer.destroy()
  for (const made of rigs) await settled(made)
})

it('goes on for the callers of other caches when its own have left', async () => {
  const { rigs } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const caller = new AbortController()
  const held = gate()
  const origin = pour('web')
  let aborted = false
  const lost = one.cache.fetch(
    'k',
    async ({ signal }) => {
      signal.addEventListener('abort', () => {
        aborted = true
      })
      await held.opened
      return { body: origin.body }
    },
    { signal: caller.signal },
  )
  await turns()
  const waiting = two.cache.fetch('k', noOrigin)
  caller.abort()
  await expect(lost).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
  held.open()
  origin.push(Buffer.from('one '))
  const body = found(await waiting)
  const late = found(await one.cache.fetch('k', noOrigin))
  expect(late.outcome).toBe('joined')
  late.close()
  const reading = body.bytes()
  origin.push(Buffer.from('two'))
  origin.end()
  expect((await reading).toString()).toBe('one two')
  expect(aborted).toBe(false)
})

it.each(['asked', 'arriving'])('is abandoned when the last caller leaves while it is %s', async (when) => {
  const { rigs } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const callers = [new AbortController(), new AbortController()] as const
  const origin = pour('iterable')
  const held = gate()
  let aborted: AbortSignal | undefined
  const waits = [
    one.cache.fetch(
      'k',
      async ({ signal }) => {
        aborted = signal
        await held.opened
        return { body: origin.body }
      },
      { signal: callers[0].signal },
    ),
    two.cache.fetch('k', noOrigin, { signal: callers[1].signal }),
  ]
  await turns()
  const ends = waits.map((wait) => wait.then(found).catch((error: Error) => error.name))
  if (when === 'arriving') {
    held.open()
    origin.push(patterned(100_000))
    await Promise.all(waits)
  }
  callers[0].abort()
  await turns()
  expect(aborted?.aborted).toBe(false)
  callers[1].abort()
  await until(() => aborted?.aborted === true, 'the fetcher is told')
  if (when === 'asked') expect(await Promise.all(ends)).toEqual(['AbortError', 'AbortError'])
  expect(await two.cache.stat('k')).toBeUndefined()
  expect(await found(await two.cache.fetch('k', () => ({ body: 'anew' }))).text()).toBe('anew')
})

it('goes on though all have left, when a caller of another cache had what it wanted', async () => {
  const { rigs } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const caller = new AbortController()
  const value = patterned(300_000)
  const origin = pour('iterable')
  found(await one.cache.fetch('k', () => ({ body: origin.body, etag: '"1"' }), { signal: caller.signal }))
  origin.push(value.subarray(0, 150_000))
  const known = await two.cache.fetch('k', noOrigin, { ifNoneMatch: '"1"' })
  expect(known.status).toBe('not-modified')
  caller.abort()
  await turns()
  origin.push(value.subarray(150_000))
  origin.end()
  await settled(one)
  expect(value.equals(await found(await two.cache.get('k')).bytes())).toBe(true)
})

it('a small body that lies whole in another thread is in hand at last', async () => {
  const { rigs, clock } = await sharedRigs(2)
  const [one, two] = rigs as [(typeof rigs)[0], (typeof rigs)[0]]
  const origin = pour('node')
  const leading = found(await one.cache.fetch('k', () => ({ body: origin.body })))
  const waiting = two.cache.fetch('k', noOrigin)
  origin.push(Buffer.from('small '))
  const body = found(await waiting)
  origin.push(Buffer.from('value'))
  origin.end()
  await settled(one)
  await turns()
  clock.advance(60_000)
  expect(two.cache.stats()).toMatchObject({ openBodies: 0, leaks: 0 })
  expect([await body.text(), await leading.text()]).toEqual(['small value', 'small value'])
})
