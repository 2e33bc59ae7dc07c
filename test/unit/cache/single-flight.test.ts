import { expect, it } from 'vitest'
import { type Found, notFound, notModified } from '../../../lib/index.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { gate, turns, until } from '../../helpers/gate.js'
import { distantRig, found, noOrigin, overStores, rig, settled } from '../../helpers/rig.js'

/** I6: one origin call per key at a time. */
overStores((kind) => {
  it('calls the fetcher once for a hundred callers', async () => {
    const made = await rig(kind)
    const held = gate()
    const fetcher = async () => {
      await held.opened
      return { body: 'value' }
    }
    const answers = Array.from({ length: 100 }, () => made.cache.fetch('k', fetcher))
    await turns()
    held.open()
    const got = await Promise.all(answers)
    expect(got.map((answer) => answer.outcome).sort()).toEqual([...Array(99).fill('joined'), 'miss'])
    expect(await Promise.all(got.map((answer) => found(answer).text()))).toEqual(Array(100).fill('value'))
    expect(made.cache.stats()).toMatchObject({ fills: 1, joined: 99, misses: 1 })
  })

  it('joins readers at any moment of the body, each from its first byte', async () => {
    const made = await rig(kind)
    const value = patterned(500_000)
    const origin = pour('iterable')
    const first = found(await made.cache.fetch('k', () => ({ body: origin.body })))
    const readings = [first.bytes()]
    for (let at = 0; at < value.length; at += 50_000) {
      origin.push(value.subarray(at, at + 50_000))
      await turns()
      const joined = found(await made.cache.fetch('k', noOrigin))
      expect([joined.outcome, joined.size]).toEqual(['joined', undefined])
      readings.push(joined.bytes())
    }
    origin.end()
    for (const bytes of await Promise.all(readings)) expect(value.equals(bytes)).toBe(true)
    expect(made.cache.stats().fills).toBe(1)
    await settled(made)
    expect(value.equals(await found(await made.cache.get('k')).bytes())).toBe(true)
  })

  it('goes on for the others when the leader leaves, before and after the answer', async () => {
    const made = await rig(kind)
    const leader = new AbortController()
    const held = gate()
    const origin = pour('web')
    let aborted = false
    const fetcher = async ({ signal }: { readonly signal: AbortSignal }) => {
      signal.addEventListener('abort', () => {
        aborted = true
      })
      await held.opened
      return { body: origin.body }
    }
    const lost = made.cache.fetch('k', fetcher, { signal: leader.signal })
    await turns()
    const second = made.cache.fetch('k', noOrigin)
    const third = made.cache.fetch('k', noOrigin)
    await turns()
    leader.abort(new Error('gone'))
    await expect(lost).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED', name: 'AbortError' })
    held.open()
    const [left, stays] = [found(await second), found(await third)]
    const reading = stays.bytes()
    origin.push(Buffer.from('one '))
    await turns()
    left.close()
    origin.push(Buffer.from('two'))
    origin.end()
    expect((await reading).toString()).toBe('one two')
    expect([aborted, origin.cancelled, made.cache.stats().fills]).toEqual([false, false, 1])
  })

  it('gives a value for one alone to nobody else when its leader has left', async () => {
    const made = await rig(kind)
    const leader = new AbortController()
    const held = gate()
    const origin = pour('web')
    const secret = async () => {
      await held.opened
      return { body: origin.body, store: false }
    }
    const lost = made.cache.fetch('k', secret, { signal: leader.signal })
    await turns()
    const own = (name: string) => made.cache.fetch('k', () => ({ body: name, store: false }))
    const others = [own('second'), own('third')]
    await turns()
    leader.abort()
    await expect(lost).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
    held.open()
    const got = await Promise.all(others)
    expect(await Promise.all(got.map((answer) => found(answer).text()))).toEqual(['second', 'third'])
    expect(origin.cancelled).toBe(true)
    await settled(made)
  })

  it('gives up when all have left, and asks anew after that', async () => {
    const made = await rig(kind)
    const signals: AbortSignal[] = []
    const never = ({ signal }: { readonly signal: AbortSignal }) => {
      signals.push(signal)
      return new Promise<never>(() => undefined)
    }
    const callers = [new AbortController(), new AbortController()]
    const waits = callers.map(({ signal }) => made.cache.fetch('k', never, { signal }))
    await until(() => signals.length === 1, 'the origin is asked')
    await turns()
    for (const caller of callers) caller.abort()
    for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
    expect([signals.length, signals[0]!.aborted, signals[0]!.reason.code]).toEqual([
      1,
      true,
      'ERR_DREY_ABORTED',
    ])
    expect(await found(await made.cache.fetch('k', () => ({ body: 'anew' }))).text()).toBe('anew')
  })

  it('cancels the body when the last reader leaves in the middle, and keeps nothing', async () => {
    const made = await rig(kind)
    const origin = pour('node')
    let signal!: AbortSignal
    const fetcher = (context: { readonly signal: AbortSignal }) => {
      signal = context.signal
      return { body: origin.body }
    }
    const only = found(await made.cache.fetch('k', fetcher))
    origin.push(patterned(100_000))
    for await (const piece of only) {
      expect(piece.length).toBeGreaterThan(0)
      break
    }
    expect([origin.cancelled, signal.aborted]).toEqual([true, true])
    await settled(made)
    expect(await made.cache.stat('k')).toBeUndefined()
    expect(made.cache.stats().notStored).toEqual({ truncated: 1 })
  })

  it('goes on without readers when one had the part that it wanted', async () => {
    const made = await rig(kind)
    const value = patterned(300_000)
    const origin = pour('iterable')
    const part = found(await made.cache.fetch('k', () => ({ body: origin.body })))
    const reading = (async () => {
      const taken: Buffer[] = []
      for await (const piece of part.stream({ start: 10, end: 99_999 })) taken.push(piece)
      return Buffer.concat(taken)
    })()
    origin.push(value.subarray(0, 150_000))
    expect(value.subarray(10, 100_000).equals(await reading)).toBe(true)
    await turns()
    expect(made.cache.stats().openBodies).toBe(0)
    origin.push(value.subarray(150_000))
    origin.end()
    await settled(made)
    expect(value.equals(await found(await made.cache.get('k')).bytes())).toBe(true)
  })

  it('gives a value that may not be shared to its leader, and lets the others ask', async () => {
    const made = await rig(kind)
    let calls = 0
    const held = gate()
    const fetcher = async () => {
      calls += 1
      const body = `for ${calls}`
      await held.opened
      return { body, store: false }
    }
    const answers = Array.from({ length: 4 }, () => made.cache.fetch('k', fetcher))
    await turns()
    expect(calls).toBe(1)
    held.open()
    const texts = await Promise.all((await Promise.all(answers)).map((answer) => found(answer).text()))
    expect(texts.sort()).toEqual(['for 1', 'for 2', 'for 3', 'for 4'])
    await settled(made)
    expect([await made.cache.stat('k'), made.cache.stats().notStored]).toEqual([undefined, { 'no-store': 4 }])
  })

  it('lets late callers share an answer that is being stored', async () => {
    const made = await rig(kind)
    const [first, second] = [made.cache.fetch('k', () => ({ body: 'v' })), made.cache.fetch('k', noOrigin)]
    expect(await Promise.all([found(await first).text(), found(await second).text()])).toEqual(['v', 'v'])
  })

  it('hands an error to all who wait, and nothing to who comes after', async () => {
    const made = await rig(kind)
    const held = gate()
    const boom = new Error('boom')
    const failing = async () => {
      await held.opened
      throw boom
    }
    const waits = [made.cache.fetch('k', failing), made.cache.fetch('k', noOrigin)]
    await turns()
    held.open()
    for (const wait of waits) {
      await expect(wait).rejects.toMatchObject({ code: 'ERR_DREY_ORIGIN', cause: boom })
    }
    expect(await found(await made.cache.fetch('k', () => ({ body: 'ok' }))).text()).toBe('ok')
  })

  it('does not let who asks again from the abort join what is ending', async () => {
    const made = await rig(kind)
    let again: Promise<Found> | undefined
    const caller = new AbortController()
    const asked = gate()
    const lost = made.cache.fetch(
      'k',
      ({ signal }) => {
        signal.addEventListener('abort', () => {
          again = made.cache.fetch('k', () => ({ body: 'again' })).then(found)
        })
        asked.open()
        return new Promise<never>(() => undefined)
      },
      { signal: caller.signal },
    )
    await asked.opened
    caller.abort()
    await expect(lost).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
    expect(await (await again!).text()).toBe('again')
  })
})

it('joins who comes while a negative answer or a confirmation is being stored', async () => {
  const made = await distantRig({ freshness: { ttl: 0 } })
  const commit = made.store.hold('commit')
  expect((await made.cache.fetch('n', () => notFound())).status).toBe('not-found')
  expect(await made.cache.fetch('n', noOrigin)).toMatchObject({ status: 'not-found', outcome: 'joined' })
  commit.open()
  await settled(made)
  await made.cache.set('k', 'value', { etag: '"1"' })
  const revise = made.store.hold('revise')
  const first = found(await made.cache.fetch('k', () => notModified({ ttl: 10 })))
  const second = found(await made.cache.fetch('k', noOrigin))
  expect([first.outcome, second.outcome]).toEqual(['revalidated', 'joined'])
  expect([await first.text(), await second.text()]).toEqual(['value', 'value'])
  revise.open()
})
