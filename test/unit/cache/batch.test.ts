import { describe, expect, it } from 'vitest'
import { AT_A_TIME, inBatch } from '../../../lib/cache/batch.js'
import { notFound } from '../../../lib/index.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { gate, turns } from '../../helpers/gate.js'
import { found, noOrigin, overStores, rig } from '../../helpers/rig.js'

overStores((kind) => {
  it('gives answers in the order of the keys, misses too', async () => {
    const { cache } = await rig(kind)
    const keys = Array.from({ length: 200 }, (_, at) => `k${at}`)
    const entries = keys
      .filter((_, at) => at % 3 !== 0)
      .map((key) => ({ key, body: key, etag: `"${key}"`, user: { key } }))
    const stored = await cache.setMany(entries)
    expect(stored.map(({ etag }) => etag)).toEqual(entries.map(({ etag }) => etag))
    await cache.fetch('none', () => notFound())
    const answers = await cache.getMany([...keys, 'none', 'k1'])
    expect(
      await Promise.all(
        answers.map(async (answer) => (answer?.status === 'ok' ? answer.text() : answer?.status)),
      ),
    ).toEqual([...keys.map((key, at) => (at % 3 === 0 ? undefined : key)), 'not-found', 'k1'])
    const deleted = await cache.deleteMany(['k0', 'k1', 'k2', 'k1'])
    // The second of a key that is given twice may find it gone or under way.
    expect(deleted.slice(0, 3)).toEqual([false, true, true])
    expect((await cache.getMany(['k1', 'k2'])).map((answer) => answer)).toEqual([undefined, undefined])
  })

  it('stores what can be stored, and fails with the first that cannot', async () => {
    const { cache } = await rig(kind, {}, { maxItemBytes: 100_000 })
    const broken = pour('iterable')
    const stored = cache.setMany([
      { key: 'a', body: 'v' },
      { key: 'too large', body: patterned(100_001) },
      { key: 'broken', body: broken.body },
      { key: 'b', body: 'v' },
    ])
    await turns()
    broken.fail(new Error('gone'))
    const large = kind === 'tiers' ? undefined : { code: 'ERR_DREY_TOO_LARGE' }
    await expect(stored).rejects.toMatchObject(large ?? {})
    expect(await Promise.all(['a', 'b', 'broken'].map((key) => cache.has(key)))).toEqual([true, true, false])
  })

  it('a failing lookup of a batch leaves no body open', async () => {
    const { cache } = await rig(kind)
    await cache.set('large', patterned(300_000))
    await expect(cache.getMany(['large', '', 'large'])).rejects.toMatchObject({ code: 'ERR_DREY_KEY' })
    expect(cache.stats().openBodies).toBe(0)
  })

  it('fetchJson gives each caller a value of its own, of one call', async () => {
    const { cache } = await rig(kind)
    let calls = 0
    const fn = async () => {
      calls += 1
      return { list: [1, { a: null }] }
    }
    const [one, two] = await Promise.all([cache.fetchJson('k', fn), cache.fetchJson('k', fn)])
    expect([one, two, calls]).toEqual([{ list: [1, { a: null }] }, { list: [1, { a: null }] }, 1])
    one!.list.push(2)
    expect(await cache.fetchJson('k', noOrigin)).toEqual({ list: [1, { a: null }] })
    expect(await cache.fetchJson('null', () => null)).toBeNull()
    expect(await cache.fetchJson('null', noOrigin)).toBeNull()
    expect(await cache.fetchJson('none', () => undefined)).toBeUndefined()
    expect(await cache.fetchJson('none', noOrigin)).toBeUndefined()
    await expect(cache.fetchJson('odd', () => Symbol('s'))).rejects.toMatchObject({ code: 'ERR_DREY_ORIGIN' })
    await expect(cache.fetchJson('bad', 7 as never)).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
  })

  it.each([
    ['getMany', 'k'],
    ['setMany', { key: 'k', body: 'v' }],
    ['setMany', [null]],
    ['deleteMany', undefined],
  ] as const)('%s refuses %j', async (call, given) => {
    const { cache } = await rig(kind)
    await expect(cache[call](given as never)).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
  })

  it('is over at once with nothing in it', async () => {
    const { cache } = await rig(kind)
    expect([await cache.getMany([]), await cache.setMany([]), await cache.deleteMany([])]).toEqual([
      [],
      [],
      [],
    ])
  })

  it('closing ends it', async () => {
    const { cache } = await rig(kind)
    await cache.close()
    for (const call of ['getMany', 'setMany', 'deleteMany'] as const) {
      await expect(cache[call]([])).rejects.toMatchObject({ code: 'ERR_DREY_CLOSED' })
    }
  })
})

describe('so many at a time', () => {
  it('begins the next when one is done, and never more', async () => {
    const open = Array.from({ length: AT_A_TIME * 2 }, gate)
    let running = 0
    let most = 0
    const all = inBatch([...open.keys()], async (at) => {
      running += 1
      most = Math.max(most, running)
      await open[at]!.opened
      running -= 1
      return at
    })
    for (const each of open) {
      each.open()
      await turns(1)
    }
    expect(await all).toEqual([...open.keys()])
    expect(most).toBe(AT_A_TIME)
  })

  it('does all, then says which failed first in the order, and drops the rest', async () => {
    const dropped: number[] = []
    const done: number[] = []
    const failing = inBatch(
      [0, 1, 2, 3],
      async (at) => {
        await turns(4 - at)
        done.push(at)
        if (at === 1 || at === 3) throw new Error(`${at}`)
        return at
      },
      (at) => void dropped.push(at),
    )
    await expect(failing).rejects.toThrow('1')
    expect([done.length, dropped]).toEqual([4, [0, 2]])
  })
})

it('a found body of a batch is read as any other', async () => {
  const { cache } = await rig('memory')
  await cache.set('k', patterned(200_000))
  const [answer] = await cache.getMany(['k'])
  expect(patterned(200_000).equals(await found(answer).bytes())).toBe(true)
})
