import { expect, it } from 'vitest'
import { jsMemoryStore } from '../../../lib/store/memory/js.js'
import { readMemoryOptions } from '../../../lib/store/memory/options.js'
import type { Draft, Store } from '../../../lib/store/store.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { gate, turns } from '../../helpers/gate.js'
import { found, rigOver, settled } from '../../helpers/rig.js'

/** A memory store that takes whole values in one step; `tell` hears of each. */
function setting(tell: (key: string) => void): Store {
  const store: Store = jsMemoryStore(readMemoryOptions({ maxBytes: 2 ** 20, maxItemBytes: 2 ** 19 }))
  store.set = (key, bytes, metadata) => {
    tell(key)
    const draft = store.draft(key, bytes.length) as Draft | undefined
    const kept = draft?.write(bytes) === true && draft.commit(metadata) === true
    draft?.abort()
    return kept
  }
  return store
}

it('gives whole values to a store that takes them in one step, and streams as ever', async () => {
  const set: string[] = []
  const made = await rigOver(setting((key) => set.push(key)))
  const bytes = patterned(1000)
  const metadata = made.cache.set('k', bytes, { ttl: 5, etag: '"1"', user: { a: 1 } })
  bytes.fill(0)
  expect(await metadata).toEqual({
    size: 1000,
    etag: '"1"',
    user: { a: 1 },
    negative: false,
    tags: [],
    cachedAt: made.clock.now(),
    freshUntil: made.clock.now() + 5,
    staleUntil: made.clock.now() + 5,
    staleIfErrorUntil: made.clock.now() + 5,
  })
  expect(patterned(1000).equals(made.cache.getSync('k')!.value)).toBe(true)
  await made.cache.set('text', 'value')
  await made.cache.set('json', { json: [1] })
  const source = pour('iterable')
  const streaming = made.cache.set('stream', source.body)
  source.end()
  await streaming
  expect(set).toEqual(['k', 'text', 'json'])
})

it('refuses what a store without that would refuse, and leaves the old value', async () => {
  const made = await rigOver(setting(() => undefined))
  const { cache } = made
  await cache.set('k', 'old')
  const small = Buffer.from('new')
  await expect(cache.set('k', small, { size: 4 })).rejects.toThrow('has fewer than the 4 bytes')
  await expect(cache.set('k', small, { size: 2 })).rejects.toThrow('has more than the 2 bytes')
  await expect(cache.set('k', patterned(600_000))).rejects.toMatchObject({ code: 'ERR_DREY_TOO_LARGE' })
  const writers = ['a', 'b'].map((key) => cache.writer(key))
  for (const writer of writers) {
    await new Promise((resolve) => writer.write(patterned(400_000), resolve))
  }
  await expect(cache.set('k', patterned(400_000))).rejects.toMatchObject({ code: 'ERR_DREY_NO_SPACE' })
  for (const writer of writers) writer.destroy()
  expect(cache.getSync('k')!.value.toString()).toBe('old')
})

it('a failing one rejects, and is counted', async () => {
  const made = await rigOver(
    setting(() => {
      throw new Error('broken')
    }),
  )
  await expect(made.cache.set('k', 'value')).rejects.toThrow('broken')
  expect(made.cache.stats().tiers[0]!.failures).toBe(1)
})

it('a value that is set in one step wins over fills that are under way', async () => {
  const made = await rigOver(setting(() => undefined))
  const origin = pour('iterable')
  const reading = found(await made.cache.fetch('k', () => ({ body: origin.body }))).bytes()
  origin.push(Buffer.from('older'))
  await made.cache.set('k', 'newer')
  origin.end()
  expect((await reading).toString()).toBe('older')
  await settled(made)
  expect(made.cache.stats().notStored).toEqual({ fenced: 1 })
  expect(made.cache.getSync('k')!.value.toString()).toBe('newer')
})

it('does not overtake a change that the store is still about', async () => {
  const store = setting(() => undefined)
  const made = await rigOver(store)
  await made.cache.set('k', 'first')
  const held = gate()
  const remove = store.delete.bind(store)
  store.delete = async (key) => {
    await held.opened
    return remove(key)
  }
  const deleted = made.cache.delete('k')
  const set = made.cache.set('k', 'second')
  await turns()
  held.open()
  expect(await deleted).toBe(true)
  await set
  expect(made.cache.getSync('k')!.value.toString()).toBe('second')
})
