import { expect, it } from 'vitest'
import { notFound, notModified } from '../../../lib/index.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { gate, turns, until } from '../../helpers/gate.js'
import { distantRig, found, noOrigin, overStores, rig, settled } from '../../helpers/rig.js'

/** I5: a delete or write wins over every older fill and write in flight; nothing is resurrected. */
overStores((kind) => {
  const changes = {
    delete: {
      run: async (cache: Awaited<ReturnType<typeof rig>>['cache']) => void (await cache.delete('k')),
      left: undefined,
    },
    clear: { run: async (cache: Awaited<ReturnType<typeof rig>>['cache']) => cache.clear(), left: undefined },
    set: {
      run: async (cache: Awaited<ReturnType<typeof rig>>['cache']) => void (await cache.set('k', 'newer')),
      left: 'newer',
    },
  } as const

  it.each(['delete', 'clear', 'set'] as const)('a %s during a fill wins over it', async (name) => {
    const made = await rig(kind)
    const origin = pour('web')
    const reading = found(await made.cache.fetch('k', () => ({ body: origin.body }))).bytes()
    origin.push(Buffer.from('older '))
    await turns()
    await changes[name].run(made.cache)
    origin.push(Buffer.from('value'))
    origin.end()
    expect((await reading).toString()).toBe('older value')
    await settled(made)
    const left = await made.cache.get('k')
    expect(left && (await found(left).text())).toBe(changes[name].left)
    expect(made.cache.stats().notStored).toEqual({ fenced: 1 })
  })

  it.each(['delete', 'clear', 'set'] as const)(
    'a %s before the origin answers wins over the answer',
    async (name) => {
      for (const answer of [{ body: 'older' }, notFound(), notModified({ ttl: '1d' })]) {
        const made = await rig(kind)
        await made.cache.set('k', 'oldest', { ttl: 0, etag: '"1"' })
        const held = gate()
        const asked = gate()
        const wait = made.cache.fetch('k', async () => {
          asked.open()
          await held.opened
          return answer
        })
        await asked.opened
        await changes[name].run(made.cache)
        held.open()
        await wait
        await settled(made)
        const left = await made.cache.get('k', { allowStale: true })
        expect(left && (await found(left).text())).toBe(changes[name].left)
      }
    },
  )

  it('who asks after a delete or write is not answered by an older fill', async () => {
    for (const name of ['delete', 'clear', 'set'] as const) {
      const made = await rig(kind, { freshness: { ttl: 0 } })
      const held = gate()
      const asked = gate()
      const older = made.cache.fetch('k', async () => {
        asked.open()
        await held.opened
        return { body: 'older' }
      })
      await asked.opened
      await changes[name].run(made.cache)
      const newer = made.cache.fetch('k', () => ({ body: 'asked anew' }))
      expect(await found(await newer).text(), name).toBe('asked anew')
      held.open()
      expect(await found(await older).text()).toBe('older')
      await settled(made)
      const left = found(await made.cache.get('k', { allowStale: true }))
      expect(await left.text(), name).toBe('asked anew')
    }
  })

  it.each(['delete', 'clear'] as const)('a %s during a write wins over it', async (name) => {
    const made = await rig(kind)
    const origin = pour('iterable')
    const set = made.cache.set('k', origin.body)
    const writer = made.cache.writer('k')
    writer.write('half')
    origin.push(patterned(100_000))
    await turns()
    await changes[name].run(made.cache)
    origin.end()
    expect((await set).size).toBe(100_000)
    await new Promise<void>((resolve) => writer.end(resolve))
    expect(await made.cache.stat('k')).toBeUndefined()
  })

  it('a fill of another key is not touched by a delete', async () => {
    const made = await rig(kind)
    const origin = pour('web')
    const reading = found(await made.cache.fetch('other', () => ({ body: origin.body }))).text()
    expect(await made.cache.delete('k')).toBe(false)
    origin.push(Buffer.from('kept'))
    origin.end()
    expect(await reading).toBe('kept')
    await settled(made)
    expect(await made.cache.has('other')).toBe(true)
  })

  it('a body that is being read stays what it was', async () => {
    const made = await rig(kind)
    const value = patterned(500_000)
    await made.cache.set('k', value)
    const readings = [found(await made.cache.get('k')), found(await made.cache.get('k'))]
    const taken: Buffer[] = []
    for await (const piece of readings[0]!) {
      if (taken.length === 1) {
        await made.cache.set('k', patterned(500_000, 1))
        await made.cache.delete('k')
        await made.cache.clear()
        await made.cache.set('other', patterned(500_000, 2))
      }
      taken.push(piece)
    }
    expect(value.equals(Buffer.concat(taken))).toBe(true)
    expect(value.equals(await readings[1]!.bytes())).toBe(true)
  })
})

it('changes of a key happen in the order in which they were asked for, around a clear as well', async () => {
  const made = await distantRig()
  const commit = made.store.hold('commit')
  const first = made.cache.set('k', 'first')
  await turns()
  const cleared = made.cache.clear()
  const second = made.cache.set('k', 'second')
  const third = made.cache.set('other', 'third')
  await turns()
  commit.open()
  await Promise.all([first, cleared, second, third])
  expect(await found(await made.cache.get('k')).text()).toBe('second')
  expect(await found(await made.cache.get('other')).text()).toBe('third')
  await Promise.all([
    made.cache.set('k', 'x'),
    made.cache.clear(),
    made.cache.clear(),
    made.cache.set('z', 'z'),
  ])
  expect([await made.cache.has('k'), await made.cache.has('z')]).toEqual([false, true])
})

it('who asks after a delete is not answered by what a lookup found before it', async () => {
  for (const origin of ['fails', 'confirms']) {
    const made = await distantRig({ freshness: { ttl: 0, staleIfError: '1d' } })
    const { cache, store } = made
    await cache.set('k', 'deleted since', { etag: '"1"' })
    const answering = gate()
    const asked = gate()
    const early = cache.fetch('k', async ({ meta }) => {
      asked.open()
      await answering.opened
      if (origin === 'fails') throw new Error('down')
      return meta === undefined ? { body: 'new' } : notModified()
    })
    // The early call has looked the key up, or is about to, when the delete is asked for.
    const held = store.hold('delete')
    const deleted = cache.delete('k')
    await asked.opened
    held.open()
    await deleted
    const late = cache.fetch('k', () => ({ body: 'asked anew' }))
    answering.open()
    await early.catch(() => undefined)
    expect(await found(await late).text(), origin).toBe('asked anew')
    await settled(made)
    expect(await found(await cache.get('k', { allowStale: true })).text(), origin).toBe('asked anew')
  }
})

it('a lookup that changes overtake again and again still comes to an answer', async () => {
  const made = await distantRig({ freshness: { ttl: 0, staleIfError: '1d' } })
  const { cache, store } = made
  await cache.set('k', 'v0')
  let held = store.hold('find')
  const down = cache.fetch('k', () => {
    throw new Error('down')
  })
  for (let i = 1; i <= 2; i += 1) {
    const finds = store.calls.filter((call) => call === 'find').length
    await cache.delete('k')
    const next = i === 1 ? store.hold('find') : held
    held.open()
    held = next
    if (i === 1)
      await until(() => store.calls.filter((call) => call === 'find').length > finds, 'it looks again')
  }
  held.open()
  await expect(down).rejects.toMatchObject({ code: 'ERR_DREY_ORIGIN' })
})

it('what was fetched a moment ago is found by a lookup that was under way', async () => {
  const made = await distantRig()
  const slow = made.store.hold('find')
  const first = made.cache.fetch('k', () => ({ body: 'fetched' }))
  await turns()
  slow.open()
  const second = made.cache.fetch('k', noOrigin)
  expect(await found(await first).text()).toBe('fetched')
  expect(await found(await second).text()).toBe('fetched')
})
