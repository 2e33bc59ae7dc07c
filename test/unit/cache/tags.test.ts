import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TagTable } from '../../../lib/cache/tags.js'
import { createCache, memoryStore, notFound, notModified } from '../../../lib/index.js'
import { native } from '../../../lib/native/loader.js'
import type { Metadata, TagJournal } from '../../../lib/store/store.js'
import { MAX_FLOORS, TagFloors } from '../../../lib/store/tag-floors.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { FakeClock } from '../../helpers/clock.js'
import { gate, turns, until } from '../../helpers/gate.js'
import { found, noOrigin, rig, settled, upToDate } from '../../helpers/rig.js'

const entry = (tags: string[], sequence: number): Metadata => ({
  size: 0,
  cachedAt: 0,
  freshUntil: 1e6,
  staleUntil: 1e6,
  staleIfErrorUntil: 1e6,
  negative: false,
  tags,
  sequence,
})

describe.each(['memory', 'distant', 'tiers'] as const)('over a %s store', (kind) => {
  it('an entry that has the tag does not answer any more, others do', async () => {
    const made = await rig(kind)
    const { cache } = made
    await cache.set('a', 'v', { tags: ['x', 'y'] })
    await cache.set('b', 'v', { tags: ['y'] })
    await cache.set('c', 'v')
    await cache.fetch('n', () => notFound({ tags: ['x'] }))
    await settled(made)
    expect((await cache.stat('a'))?.tags).toEqual(['x', 'y'])
    await cache.invalidateTags(['x', 'nobody has it'])
    const has = async () => Promise.all(['a', 'b', 'c'].map((key) => cache.has(key)))
    expect(await has()).toEqual([false, true, true])
    expect([await cache.get('a'), cache.getSync('a'), await cache.stat('a'), await cache.stat('n')]).toEqual(
      Array(4).fill(undefined),
    )
    const keys: string[] = []
    for await (const [key] of cache.entries()) keys.push(key)
    expect(keys.sort()).toEqual(['b', 'c'])
    const anew = found(await cache.fetch('a', ({ etag, meta }) => ({ body: `${etag} ${meta}`, tags: ['x'] })))
    expect([anew.outcome, await anew.text()]).toEqual(['miss', 'undefined undefined'])
    await settled(made)
    expect(found(await cache.fetch('a', noOrigin)).outcome).toBe('hit')
  })

  it('never answers an error of the origin, while one that is stale since may', async () => {
    const { cache } = await rig(kind, { freshness: { staleIfError: '1h' } })
    await cache.set('gone', 'v', { tags: ['t'] })
    await cache.set('stale', 'v', { tags: ['s'] })
    await cache.invalidateTags(['t'])
    await cache.invalidateTags(['s'], { soft: true })
    const down = () => {
      throw new Error('down')
    }
    await expect(cache.fetch('gone', down)).rejects.toMatchObject({ code: 'ERR_DREY_ORIGIN' })
    expect(found(await cache.fetch('stale', down)).outcome).toBe('stale')
  })

  it('soft marks stale, with the grace that the entry has', async () => {
    const made = await rig(kind, { freshness: { ttl: '1h', staleWhileRevalidate: '1m' } })
    const { cache, clock } = made
    await cache.set('k', 'old', { tags: ['t'], etag: 'e' })
    await cache.set('ever', 'old', { tags: ['t'], ttl: Number.POSITIVE_INFINITY })
    clock.advance(1000)
    await cache.invalidateTags(['t'], { soft: true })
    const now = clock.now()
    const times = { freshUntil: now, staleUntil: now + 60_000 }
    expect([await cache.stat('k'), await cache.stat('ever')]).toMatchObject([times, times])
    expect(await cache.get('k')).toBeUndefined()
    const given = found(await cache.fetch('k', () => notModified({ ttl: '1h' })))
    expect([given.outcome, await given.text()]).toEqual(['stale', 'old'])
    await until(() => cache.stats().refreshes.done === 1, 'the refresh is done')
    expect(found(await cache.fetch('k', noOrigin)).outcome).toBe('hit')
    clock.advance(60_000)
    expect(found(await cache.fetch('ever', () => ({ body: 'new' }))).outcome).toBe('miss')
  })

  it('what was made stale is, once confirmed, as long of use again as it was', async () => {
    const made = await rig(kind)
    const { cache, clock } = made
    await cache.set('k', 'v', { tags: ['t'], ttl: '1h', staleIfError: '2h' })
    await cache.set('ever', 'v', { tags: ['t'] })
    clock.advance(1000)
    await cache.invalidateTags(['t'], { soft: true })
    for (const key of ['k', 'ever']) found(await cache.fetch(key, () => notModified())).close()
    await settled(made)
    const now = clock.now()
    expect(await cache.stat('k')).toMatchObject({
      freshUntil: now + 3_600_000,
      staleIfErrorUntil: now + 3 * 3_600_000,
    })
    expect((await cache.stat('ever'))?.freshUntil).toBe(Number.POSITIVE_INFINITY)
  })

  it('I5: wins over the fills and writes that began before, whenever they end, and over none that began after', async () => {
    const made = await rig(kind)
    const { cache } = made
    const held = gate()
    const asking = cache.fetch('asking', async () => {
      await held.opened
      return { body: 'old', tags: ['t'] }
    })
    const other = cache.fetch('other', async () => {
      await held.opened
      return { body: 'old', tags: ['u'] }
    })
    const arriving = pour('iterable')
    const reader = found(await cache.fetch('arriving', () => ({ body: arriving.body, tags: ['t'] })))
    const writer = cache.writer('written', { tags: ['t'] })
    writer.write('ol')
    await turns()
    await cache.invalidateTags(['t'])
    // Who asks from now on may not be answered from before.
    const later = cache.fetch('arriving', () => ({ body: 'new', tags: ['t'] }))
    const anew = cache.fetch('asking', () => ({ body: 'new', tags: ['t'] }))
    expect(await Promise.all([later, anew].map(async (answer) => found(await answer).text()))).toEqual([
      'new',
      'new',
    ])
    held.open()
    arriving.push(patterned(10))
    arriving.end()
    await new Promise<void>((resolve) => void writer.end('d', () => resolve()))
    expect(await found(await asking).text()).toBe('old')
    expect((await reader.bytes()).length).toBe(10)
    expect(await found(await other).text()).toBe('old')
    await settled(made)
    for (const key of ['asking', 'arriving', 'written']) {
      const got = await cache.get(key)
      // What came after may have been replaced by what was older: that is a miss, never the older.
      if (got !== undefined) expect([key, await found(got).text()]).toEqual([key, 'new'])
    }
    expect(await cache.get('written')).toBeUndefined()
    expect(await found(await cache.get('other')).text()).toBe('old')
  })

  it('I5: what was invalidated does not come back from the tier below, nor by a revision', async () => {
    const made = await rig(kind, { freshness: { ttl: 1000 } })
    const { cache, clock } = made
    await cache.set('k', patterned(1000), { tags: ['t'] })
    await upToDate(made)
    clock.advance(1000)
    const held = gate()
    const confirming = cache.fetch('k', async () => {
      await held.opened
      return notModified({ ttl: '1h' })
    })
    await turns()
    await cache.invalidateTags(['t'])
    held.open()
    found(await confirming).close()
    await settled(made)
    expect(await cache.get('k')).toBeUndefined()
  })

  it.each([
    [{ tags: 'x' }],
    [{ tags: [''] }],
    [{ tags: ['a\nb'] }],
    [{ tags: ['x'.repeat(257)] }],
    [{ tags: [7] }],
    [{ tags: Array.from({ length: 101 }, (_, i) => `t${i}`) }],
  ])('refuses %j', async (options) => {
    const { cache } = await rig(kind)
    await expect(cache.set('k', 'v', options as never)).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
    await expect(cache.fetch('k', () => ({ body: 'v', ...options }) as never)).rejects.toMatchObject({
      code: 'ERR_DREY_ORIGIN',
      cause: { code: 'ERR_DREY_CONFIG' },
    })
    expect(await cache.stat('k')).toBeUndefined()
  })
})

it('invalidateTags refuses stores whose entries other caches may find, and that have no journal', async () => {
  const store = memoryStore({ maxBytes: '1MiB' })
  const cache = await createCache({ tiers: [Object.assign(store, { outlives: true })], pressure: false })
  await cache.set('k', 'v', { tags: ['t'] })
  await expect(cache.invalidateTags(['t'])).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
  expect(await cache.has('k')).toBe(true)
  await cache.close()
})

it('invalidateTags refuses what are no tags', async () => {
  const { cache } = await rig('memory')
  for (const tags of ['t', undefined, [''], [7]]) {
    await expect(cache.invalidateTags(tags as never)).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
  }
  await expect(cache.invalidateTags(['t'], { soft: 1 } as never)).rejects.toMatchObject({
    code: 'ERR_DREY_CONFIG',
  })
  await cache.invalidateTags([])
})

describe('the table', () => {
  it('says of every entry what a list of all invalidations says, also of tags that were given up', () => {
    const tag = fc.constantFrom('a', 'b', 'c')
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.record({ tags: fc.uniqueArray(tag, { minLength: 1 }), soft: fc.boolean() }),
            fc.record({ entry: fc.uniqueArray(tag) }),
          ),
          { maxLength: 30 },
        ),
        (steps) => {
          const table = new TagTable(0)
          const entries: Array<{ meta: Metadata; gone: boolean; stale: boolean }> = []
          let now = 0
          for (const step of steps) {
            now += 1
            if ('entry' in step) {
              entries.push({ meta: entry(step.entry, table.sequence), gone: false, stale: false })
              continue
            }
            table.invalidate(step.tags, step.soft, now)
            for (const one of entries) {
              if (!one.meta.tags.some((has) => step.tags.some((tag) => tag === has))) continue
              if (step.soft) one.stale = true
              else one.gone = true
            }
          }
          for (const { meta, gone, stale } of entries) {
            const standing = table.standing(meta)
            expect(standing === undefined).toBe(gone)
            if (!gone) expect(standing!.freshUntil < 1e6).toBe(stale)
          }
        },
      ),
    )
  })

  it('is bounded: of the tags that it gives up, entries that are older than that are gone', () => {
    const table = new TagTable(0)
    const old = entry(['first', 'other'], table.sequence)
    table.invalidate(['first'], false, 1)
    const between = entry(['first'], table.sequence)
    for (let at = 0; at < MAX_FLOORS; at += 1) table.invalidate([`t${at}`], false, 2)
    expect(table.size).toBe(MAX_FLOORS)
    expect(table.standing(old)).toBeUndefined()
    expect(table.standing(between)).toBe(between)
    expect(table.standing(entry(['unrelated'], 0))).toBeUndefined()
    expect(table.standing(entry(['unrelated'], 1))).toBeDefined()
  })
})

it('what could not be kept is tried again while its entries are asked for, once a second', async () => {
  const floors = new TagFloors()
  let kept = 0
  let works = false
  let tries = 0
  const keep = async (): Promise<void> => {
    tries += 1
    if (!works) throw new Error('the disk is full')
    kept = floors.sequence
  }
  const journal: TagJournal = {
    get version() {
      return floors.version
    },
    get sequence() {
      return kept
    },
    get latest() {
      return floors.sequence
    },
    since: (version) => floors.since(version),
    invalidate: (...call) => {
      floors.invalidate(...call)
      return keep()
    },
    join: (...call) => {
      floors.join(...call)
      return keep()
    },
  }
  const clock = new FakeClock()
  const table = new TagTable(0, journal, clock)
  await expect(table.invalidate(['t'], false, 1)).rejects.toThrow('the disk is full')
  const standsNow = (): boolean => table.standing(entry(['t'], table.sequence)) !== undefined
  for (let count = 0; count < 3; count += 1) expect(standsNow()).toBe(false)
  await turns()
  expect(tries).toBe(2)
  works = true
  clock.advance(1000)
  expect(standsNow()).toBe(false)
  await turns()
  expect([standsNow(), tries]).toEqual([true, 3])
})

it.skipIf(native() === undefined)(
  'I6: a fill of a store that threads share is kept, though others were invalidated while its origin was slow',
  async () => {
    const cache = await createCache({ tiers: [memoryStore({ name: 'slow origin', maxBytes: '8MiB' })] })
    const answers = [gate(), gate()]
    let calls = 0
    const ask = async (): Promise<unknown> => {
      const answer = found(
        await cache.fetch('k', async () => {
          const own = calls
          calls += 1
          await answers[own]!.opened
          return { body: `${own}`, tags: ['own'] }
        }),
      )
      await answer.text()
      return answer
    }
    const first = ask()
    await until(() => calls === 1, 'the origin is asked')
    await cache.invalidateTags(['unrelated'])
    const second = ask()
    await until(() => calls === 2, 'it is asked again')
    answers[0]!.open()
    await first
    await until(() => cache.getSync('k') !== undefined, 'the first answer is kept')
    expect(`${cache.getSync('k')?.value}`).toBe('0')
    answers[1]!.open()
    await second
    await until(() => `${cache.getSync('k')?.value}` === '1', 'the newer one takes its place')
    await cache.close()
  },
)
