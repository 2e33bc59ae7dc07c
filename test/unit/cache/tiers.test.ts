import { describe, expect, it } from 'vitest'
import { createCacheWith } from '../../../lib/cache/create.js'
import { createCache, fileStore, memoryStore, notModified } from '../../../lib/index.js'
import { TieredStore } from '../../../lib/store/tiered/tiered.js'
import { jsStore, metadataFor, mustPut, open, readValue } from '../../conformance/store-kit.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { FakeClock } from '../../helpers/clock.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { emptyDir } from '../../helpers/file-rig.js'
import { turns, until } from '../../helpers/gate.js'
import { found, noOrigin, rigOver, rigOverTiers, settled, upToDate } from '../../helpers/rig.js'

const MiB = 2 ** 20
const near = () => memoryStore({ maxBytes: MiB, maxItemBytes: 100_000 })
const far = () => new DistantStore({ maxBytes: 32 * MiB, maxItemBytes: 4 * MiB })

describe('what is below', () => {
  it('is written in the background: no reader waits for it (I3)', async () => {
    const made = await rigOverTiers(near(), far())
    const gate = made.below.hold('write')
    const first = found(await made.cache.fetch('k', () => ({ body: patterned(50_000) })))
    expect((await first.bytes()).length).toBe(50_000)
    await settled(made)
    expect(first.stored).toBe('memory')
    expect((await made.cache.set('s', 'bytes')).size).toBe(5)
    expect(made.cache.stats().tiers).toMatchObject([
      { name: 'memory' },
      { name: 'distant', pending: 2, entries: 0 },
    ])
    gate.open()
    await upToDate(made)
    expect(made.cache.stats().tiers[1]).toMatchObject({ entries: 2, dropped: 0, failures: 0 })
  })

  it('is waited for by `set` and `writer` where they write through', async () => {
    const made = await rigOverTiers(near(), far(), { writePolicy: 'through' })
    const gate = made.below.hold('commit')
    let done = 0
    const count = () => {
      done += 1
    }
    const set = made.cache.set('k', 'value').then(count)
    const writer = made.cache.writer('w')
    writer.end('value', count)
    const filled = found(await made.cache.fetch('f', () => ({ body: 'value' })))
    expect(await filled.text()).toBe('value')
    await turns(20)
    expect(done).toBe(0)
    gate.open()
    await set
    await until(() => done === 2, 'both are written')
    expect(made.below.stats().entries).toBeGreaterThanOrEqual(2)
  })

  it('does not keep `set` from answering when it fails, and has nothing old', async () => {
    const made = await rigOverTiers(near(), far(), { writePolicy: 'through' })
    await made.cache.set('k', 'old')
    made.below.fail('commit')
    await made.cache.set('k', 'new')
    made.below.heal()
    await upToDate(made)
    expect(await readValue(made.below, 'k')).toBeUndefined()
    expect(made.cache.stats().tiers).toMatchObject([{ failures: 0 }, { failures: 1, dropped: 1 }])
  })

  it('keeps nobody waiting with a delete that it failed', async () => {
    const made = await rigOverTiers(near(), far(), { writePolicy: 'through' })
    const origin = pour('iterable')
    const set = made.cache.set('k', origin.body)
    made.below.fail('delete')
    await expect(made.cache.delete('k')).rejects.toThrow('injected: delete')
    origin.end()
    // Written, and removed by the delete that came after it was asked for.
    expect((await set).size).toBe(0)
    expect(await made.cache.get('k')).toBeUndefined()
  })

  it('has nothing of what goes to the first alone', async () => {
    const made = await rigOverTiers(near(), far(), { writePolicy: 'first' })
    await mustPut(made.below, 'k', Buffer.from('old'))
    expect(await found(await made.cache.get('k')).text()).toBe('old')
    await made.cache.set('k', 'new')
    await upToDate(made)
    expect(made.below.stats().entries).toBe(0)
  })

  it('gets no more than may wait, and loses what it had of the rest', async () => {
    const made = await rigOverTiers(near(), far(), { background: { concurrency: 1, queue: 2 } })
    await mustPut(made.below, 'k9', Buffer.from('old'))
    const gate = made.below.hold('draft')
    for (let i = 0; i < 10; i += 1) await made.cache.set(`k${i}`, 'new')
    expect(made.cache.stats().tiers[1]).toMatchObject({ pending: 10 })
    gate.open()
    await upToDate(made)
    expect(made.cache.stats().tiers[1]).toMatchObject({ dropped: 7, entries: 3 })
    expect(await readValue(made.below, 'k9')).toBeUndefined()
  })

  it('takes what is too large for the first, and the first loses what it had', async () => {
    const made = await rigOverTiers(near(), far())
    await made.cache.set('k', 'small')
    const value = patterned(MiB)
    const answer = found(await made.cache.fetch('l', () => ({ body: value })))
    expect(value.equals(await answer.bytes())).toBe(true)
    await settled(made)
    expect(answer.stored).toBe('distant')
    await made.cache.set('k', value)
    const hit = found(await made.cache.get('k'))
    expect([hit.tier, value.equals(await hit.bytes())]).toEqual(['distant', true])
    expect(made.cache.getSync('k')).toBeUndefined()
  })
})

describe('a value without a declared size', () => {
  it('goes on below when it outgrows the first tier', async () => {
    const made = await rigOverTiers(near(), far())
    const value = patterned(500_000)
    const writer = made.cache.writer('k')
    for (let at = 0; at < value.length; at += 40_000) {
      await new Promise((resolve) => writer.write(value.subarray(at, at + 40_000), resolve))
    }
    await new Promise<void>((resolve) => writer.end(resolve))
    const source = pour('iterable')
    const set = made.cache.set('s', source.body)
    for (let at = 0; at < value.length; at += 90_000) source.push(value.subarray(at, at + 90_000))
    source.end()
    await set
    for (const key of ['k', 's']) {
      const answer = found(await made.cache.get(key))
      expect([answer.tier, value.equals(await answer.bytes())]).toEqual(['distant', true])
    }
    expect(made.cache.stats().tiers[0]).toMatchObject({ entries: 0, pinnedBytes: 0 })
  })

  it('of a fill, too: who reads and who comes later gets every byte', async () => {
    const made = await rigOverTiers(near(), far())
    const value = patterned(700_000)
    const origin = pour('iterable')
    const first = found(await made.cache.fetch('k', () => ({ body: origin.body })))
    const reading = first.bytes()
    const slow = found(await made.cache.fetch('k', noOrigin))
    for (let at = 0; at < 300_000; at += 50_000) origin.push(value.subarray(at, at + 50_000))
    await turns(10)
    const late = found(await made.cache.fetch('k', noOrigin))
    for (let at = 300_000; at < value.length; at += 50_000) origin.push(value.subarray(at, at + 50_000))
    origin.end()
    for (const bytes of [await reading, await slow.bytes(), await late.bytes()]) {
      expect(value.equals(bytes)).toBe(true)
    }
    await settled(made)
    expect([first.stored, late.outcome]).toEqual(['distant', 'joined'])
    const hit = found(await made.cache.get('k'))
    expect([hit.tier, value.equals(await hit.bytes())]).toEqual(['distant', true])
    expect(made.cache.stats().tiers[0]).toMatchObject({ entries: 0, pinnedBytes: 0 })
  })

  it('of a fill that breaks off leaves nothing (I1)', async () => {
    const made = await rigOverTiers(near(), far())
    const origin = pour('iterable')
    const first = found(await made.cache.fetch('k', () => ({ body: origin.body })))
    const reading = first.bytes()
    for (let i = 0; i < 5; i += 1) origin.push(patterned(50_000, i))
    await turns(10)
    origin.fail(new Error('cut'))
    await expect(reading).rejects.toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
    await turns(10)
    expect(await made.cache.stat('k')).toBeUndefined()
    expect(made.below.openDrafts).toBe(0)
  })

  it('is refused when it outgrows them all, and when those below fail', async () => {
    const made = await rigOverTiers(near(), far())
    await made.cache.set('k', 'old')
    const set = (size: number) => {
      const source = pour('iterable')
      for (let at = 0; at < size; at += 100_000) source.push(patterned(100_000, at))
      source.end()
      return made.cache.set('k', source.body)
    }
    await expect(set(5 * MiB)).rejects.toMatchObject({ code: 'ERR_DREY_TOO_LARGE' })
    for (const call of ['draft', 'write', 'commit'] as const) {
      made.below.fail(call)
      await expect(set(300_000)).rejects.toThrow(`injected: ${call}`)
      made.below.mend(call)
    }
    expect(await found(await made.cache.get('k')).text()).toBe('old')
    const gate = made.below.hold('draft')
    const writer = made.cache.writer('k')
    for (let i = 0; i < 4; i += 1) writer.write(patterned(50_000, i))
    await turns(5)
    writer.destroy()
    gate.open()
    await turns(10)
    expect(made.below.openDrafts).toBe(0)
  })
})

describe('a hit below', () => {
  it.each([0, 1, 50_000, 65_536, 90_000])('is above after it was read: %i bytes', async (size) => {
    const made = await rigOverTiers(near(), far())
    const value = patterned(size)
    await mustPut(made.below, 'k', value)
    expect(made.cache.getSync('k')).toBeUndefined()
    const first = found(await made.cache.get('k'))
    expect([first.tier, first.stored, value.equals(await first.bytes())]).toEqual([
      'distant',
      'distant',
      true,
    ])
    const second = found(await made.cache.fetch('k', noOrigin))
    expect([second.tier, value.equals(await second.bytes())]).toEqual(['memory', true])
  })

  it('is above after the second of them, if that is wanted', async () => {
    const made = await rigOverTiers(near(), far(), { promotion: 'second-hit' })
    await mustPut(made.below, 'k', Buffer.from('value'))
    const tiers: unknown[] = []
    for (let i = 0; i < 3; i += 1) {
      const answer = found(await made.cache.get('k'))
      tiers.push(answer.tier)
      await answer.bytes()
    }
    expect(tiers).toEqual(['distant', 'distant', 'memory'])
  })

  it('is not above when it was read in part, or left', async () => {
    const made = await rigOverTiers(near(), far())
    await mustPut(made.below, 'k', patterned(90_000))
    for await (const _ of found(await made.cache.get('k')).stream({ start: 100, end: 200 }));
    for await (const _ of found(await made.cache.get('k'))) break
    expect(made.cache.stats().tiers[0]).toMatchObject({ entries: 0, pinnedBytes: 0 })
  })

  it('costs the reader nothing when the tier above fails', async () => {
    const above = new DistantStore()
    const made = await rigOverTiers(above, far())
    await mustPut(made.below, 'k', Buffer.from('value'))
    for (const call of ['draft', 'write', 'commit', 'find'] as const) {
      above.fail(call)
      const answer = found(await made.cache.get('k'))
      expect([answer.tier, await answer.text()]).toEqual(['distant', 'value'])
      await turns(20)
    }
    above.heal()
    expect(made.cache.stats().tiers[0]!.failures).toBeGreaterThanOrEqual(4)
    expect(above.openDrafts).toBe(0)
  })

  it('is not above when the key was changed since it was found (I5)', async () => {
    const made = await rigOverTiers(near(), far())
    for (const change of [
      () => made.cache.delete('k'),
      () => made.cache.clear(),
      () => made.cache.set('k', 'new'),
    ]) {
      await mustPut(made.below, 'k', patterned(90_000))
      const body = found(await made.cache.get('k'))
      const reading = body[Symbol.asyncIterator]()
      await reading.next()
      await change()
      while ((await reading.next()).done !== true);
      await upToDate(made)
      const now = await made.cache.get('k')
      expect(now === undefined ? undefined : await found(now).text()).toBe(
        change.toString().includes('set') ? 'new' : undefined,
      )
    }
  })
})

describe('a value that is being written above', () => {
  it('is not taken for removed when what is below is confirmed meanwhile (I5)', async () => {
    const made = await rigOverTiers(near(), far())
    const times = { freshUntil: 0, staleUntil: 0, staleIfErrorUntil: Number.POSITIVE_INFINITY }
    await mustPut(made.below, 'k', Buffer.from('old'), { metadata: metadataFor(3, times) })
    const writer = made.cache.writer('k')
    await new Promise((resolve) => writer.write('new ', resolve))
    const confirmed = found(await made.cache.fetch('k', () => notModified({ ttl: '1h' })))
    expect([confirmed.outcome, await confirmed.text()]).toEqual(['revalidated', 'old'])
    await settled(made)
    await new Promise<void>((resolve) => void writer.end('value', resolve))
    expect(made.cache.getSync('k')?.value.toString()).toBe('new value')
    await upToDate(made)
    expect((await readValue(made.below, 'k'))?.toString()).toBe('new value')
  })
})

describe('a delete', () => {
  it('holds from the moment it is asked for, and is done when every tier has confirmed', async () => {
    const made = await rigOverTiers(near(), far())
    await made.cache.set('k', 'value')
    await upToDate(made)
    const gate = made.below.hold('delete')
    let done: boolean | undefined
    const deleted = made.cache.delete('k').then((was) => {
      done = was
    })
    expect(await made.cache.get('k')).toBeUndefined()
    await turns(10)
    expect(done).toBeUndefined()
    gate.open()
    await deleted
    expect(done).toBe(true)
    expect(await made.cache.delete('k')).toBe(false)
  })

  it('that a tier fails keeps the key fenced there until the tier has done it', async () => {
    const made = await rigOverTiers(near(), far())
    await made.cache.set('k', 'value')
    await upToDate(made)
    made.below.fail('delete')
    await expect(made.cache.delete('k')).rejects.toThrow('injected: delete')
    expect(await made.cache.get('k')).toBeUndefined()
    expect(made.below.stats().entries).toBe(1)
    expect(made.cache.stats().tiers).toMatchObject([{ failures: 0 }, { failures: 1, pending: 1 }])
    made.below.heal()
    // The first answer of the tier shows that it is there again.
    await made.cache.get('other')
    await upToDate(made)
    expect(made.below.stats().entries).toBe(0)
  })

  it('of all that a tier fails leaves it unread until it is empty', async () => {
    const made = await rigOverTiers(near(), far())
    await made.cache.set('k', 'value')
    await upToDate(made)
    made.below.fail('clear')
    await expect(made.cache.clear()).rejects.toThrow('injected: clear')
    expect(await made.cache.get('k')).toBeUndefined()
    made.below.heal()
    made.clock.advance(1000)
    expect(await made.cache.get('k')).toBeUndefined()
    await until(() => made.below.stats().entries === 0, 'it is empty')
    await turns(3)
    await made.cache.set('l', 'value')
    await upToDate(made)
    expect(made.below.stats().entries).toBe(1)
  })
})

it('is emptied, when it is behind with more keys than can be told apart', async () => {
  const below = far()
  const store = new TieredStore([jsStore(MiB), below], {
    promotion: 'always',
    writePolicy: 'behind',
    concurrency: 1,
    queue: 10,
    queueBytes: MiB,
    fences: 3,
  })
  await open(() => store)
  await mustPut(below, 'k9', Buffer.from('old'))
  const gate = below.hold('draft')
  for (let i = 0; i < 10; i += 1) await mustPut(store, `k${i}`, Buffer.from('new'))
  gate.open()
  await store.flush()
  await until(() => store.tierStats()[1]!.pending === 0, 'it is up to date')
  expect(await readValue(below, 'k9')).toBeUndefined()
  await store.delete('k9')
  expect(await readValue(store, 'k9')).toBeUndefined()
  await mustPut(store, 'k9', Buffer.from('newer'))
  await store.flush()
  expect((await readValue(below, 'k9'))?.toString()).toBe('newer')
  await store.close()
})

it('a confirmation reaches every tier', async () => {
  const made = await rigOverTiers(near(), far(), { freshness: { ttl: 1000 } })
  await made.cache.fetch('k', () => ({ body: 'value', etag: '"1"' }))
  await made.cache.fetch('large', () => ({ body: patterned(200_000), etag: '"1"' }))
  await settled(made)
  await upToDate(made)
  made.clock.advance(2000)
  for (const key of ['k', 'large']) {
    const answer = found(await made.cache.fetch(key, () => notModified({ ttl: 60_000 })))
    expect(answer.outcome).toBe('revalidated')
    await answer.bytes()
  }
  await settled(made)
  await upToDate(made)
  for (const key of ['k', 'large']) {
    const entry = await made.below.find(key)
    expect(entry!.metadata.freshUntil).toBe(made.clock.now() + 60_000)
    entry!.release()
  }
})

it('a scan gives every key once, with what the upper tier says', async () => {
  const made = await rigOverTiers(near(), far())
  for (const key of ['a', 'b']) await made.cache.set(key, key, { etag: '"new"' })
  await upToDate(made)
  await mustPut(made.below, 'c', Buffer.from('c'), { metadata: metadataFor(1, { etag: '"c"' }) })
  const seen: string[] = []
  for await (const [key, { etag }] of made.cache.entries()) seen.push(`${key} ${etag}`)
  expect(seen.sort()).toEqual(['a "new"', 'b "new"', 'c "c"'])
})

it('tells which tier evicted', async () => {
  const made = await rigOver(
    new TieredStore([jsStore(300_000), new DistantStore({ maxBytes: 300_000 })], {
      promotion: 'always',
      writePolicy: 'behind',
      concurrency: 4,
      queue: 100,
      queueBytes: MiB,
      fences: 100,
    }),
  )
  const tiers = new Set<string>()
  made.cache.on('evict', ({ tier }) => tiers.add(tier))
  for (let i = 0; i < 40; i += 1) await made.cache.set(`k${i}`, patterned(30_000))
  await upToDate(made)
  expect([...tiers].sort()).toEqual(['distant', 'memory'])
})

describe('createCache', () => {
  it('fails with the error of a tier that cannot be opened, and closes those before', async () => {
    const [first, second, third] = [new DistantStore(), new DistantStore(), new DistantStore()]
    second.fail('open')
    await expect(createCache({ tiers: [first, second, third] })).rejects.toThrow('injected: open')
    expect([first, second, third].map(({ calls }) => calls)).toEqual([['open', 'close'], ['open'], []])
  })

  it('refuses a store that threads share beside others', async () => {
    const store = memoryStore({ name: 'tiers test', maxBytes: MiB })
    const shared = store.sharing !== undefined
    const cache = createCache({ tiers: [store, far()] })
    if (shared)
      await expect(cache).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG', message: /without a name/ })
    else await (await cache).close()
  })
})

describe('closing', () => {
  it('waits for what is still to be written', async () => {
    const clock = new FakeClock()
    const below = far()
    const cache = await createCacheWith(
      { tiers: [near(), below], pressure: false, bufferPool: false },
      { clock },
    )
    const gate = below.hold('draft')
    await cache.set('k', 'value')
    let entries = 0
    const close = below.close.bind(below)
    below.close = async () => {
      entries = below.stats().entries
      await close()
    }
    const closed = cache.close()
    await turns(5)
    gate.open()
    await closed
    expect([entries, below.misuse, clock.pending]).toEqual([1, [], 0])
  })

  it('tries once more to delete what a tier failed to delete', async () => {
    for (const call of ['delete', 'clear'] as const) {
      const clock = new FakeClock()
      const below = far()
      const cache = await createCacheWith(
        { tiers: [near(), below], pressure: false, bufferPool: false },
        { clock },
      )
      await cache.set('k', 'value')
      await upToDate({ cache })
      below.fail(call)
      await expect(call === 'clear' ? cache.clear() : cache.delete('k')).rejects.toThrow(`injected: ${call}`)
      below.heal()
      let entries = 1
      const close = below.close.bind(below)
      below.close = async () => {
        entries = below.stats().entries
        await close()
      }
      await cache.close()
      expect([entries, below.misuse]).toEqual([0, []])
    }
  })

  it('does not wait for ever', async () => {
    const clock = new FakeClock()
    const below = far()
    const cache = await createCacheWith(
      { tiers: [near(), below], pressure: false, bufferPool: false, timeouts: { shutdown: 0 } },
      { clock },
    )
    const gate = below.hold('draft')
    await cache.set('k', 'value')
    const closed = cache.close()
    await turns(5)
    clock.advance(1000)
    await closed
    gate.open()
    await turns(10)
    expect([below.misuse, below.openDrafts]).toEqual([[], 0])
  })
})

describe('over a file store', () => {
  const tiers = (dir: string) => [near(), fileStore({ dir, maxBytes: '64MiB', minFree: 0 })]

  it('a restart finds what was written, deleted and replaced', async () => {
    const dir = emptyDir()
    const before = await createCache({ tiers: tiers(dir) })
    const large = patterned(300_000)
    await before.set('kept', 'kept')
    await before.set('large', large)
    await before.set('deleted', 'deleted')
    await before.set('replaced', 'old')
    await before.delete('deleted')
    await before.set('replaced', 'new')
    const filled = found(await before.fetch('filled', () => ({ body: 'filled', etag: '"1"' })))
    expect(await filled.text()).toBe('filled')
    await before.close()

    const after = await createCache({ tiers: tiers(dir) })
    const answers: Record<string, unknown> = {}
    for (const key of ['kept', 'deleted', 'replaced', 'filled']) {
      const answer = await after.get(key)
      answers[key] = answer === undefined ? undefined : [found(answer).tier, await found(answer).text()]
    }
    expect(answers).toEqual({
      kept: ['file', 'kept'],
      deleted: undefined,
      replaced: ['file', 'new'],
      filled: ['file', 'filled'],
    })
    expect(large.equals(await found(await after.fetch('large', noOrigin)).bytes())).toBe(true)
    expect(found(await after.get('kept')).tier).toBe('memory')
    await after.close()
  })

  it('a body that outgrows memory while it arrives goes on there', async () => {
    const cache = await createCache({ tiers: tiers(emptyDir()) })
    const origin = pour('iterable')
    const answer = found(await cache.fetch('k', () => ({ body: origin.body })))
    const reading = answer.bytes()
    for (let i = 0; i < 4; i += 1) origin.push(patterned(50_000, i))
    origin.end()
    expect((await reading).length).toBe(200_000)
    await until(() => answer.stored !== undefined, 'it is stored')
    expect(answer.stored).toBe('file')
    expect((await found(await cache.get('k')).bytes()).length).toBe(200_000)
    await cache.close()
  })
})
