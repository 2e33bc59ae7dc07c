import { afterEach, expect, it, vi } from 'vitest'
import { Events } from '../../../lib/cache/events.js'
import { memoryStore } from '../../../lib/store/memory/index.js'
import { patterned } from '../../helpers/bodies.js'
import { turns } from '../../helpers/gate.js'
import { rig, rigOver } from '../../helpers/rig.js'

afterEach(() => {
  vi.restoreAllMocks()
})

it('tells of evictions, after the call that caused them', async () => {
  const { cache } = await rigOver(memoryStore({ maxBytes: 2 ** 20, maxItemBytes: 2 ** 19, policy: 'lru' }))
  const evicted: string[] = []
  cache.on('evict', ({ key, tier, reason }) => evicted.push(`${key} ${tier} ${reason}`))
  for (let i = 0; i < 4; i += 1) await cache.set(`k${i}`, patterned(300_000))
  expect(evicted).toEqual(['k0 memory size'])
  await cache.delete('k1')
  await cache.clear()
  expect(evicted.length).toBe(1)
})

it('a listener may call the cache, and change what was about to be evicted', async () => {
  const { cache } = await rig('memory', {}, { maxBytes: 2 ** 20, maxItemBytes: 2 ** 19 })
  cache.on('evict', ({ key }) => {
    void cache.clear()
    void cache.set(`again ${key}`, patterned(200_000))
    cache.getSync('k1')
  })
  for (let i = 0; i < 50; i += 1) await cache.set(`k${i}`, patterned(20_000 + i * 7_000))
  await turns()
  let bytes = 0
  for await (const [, meta] of cache.entries()) bytes += meta.size
  expect(cache.stats().tiers[0]!.bytes).toBeGreaterThanOrEqual(bytes)
  await cache.clear()
  await turns()
  expect(cache.stats().tiers[0]!).toMatchObject({ entries: 0, pinnedBytes: 0 })
})

it('a listener that fails is reported, and harms nobody', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const events = new Events()
  const heard: Array<string | undefined> = []
  events.on('leak', () => {
    throw new Error('thrown')
  })
  events.on('leak', () => {
    throw Object.create(null)
  })
  events.on('leak', (async () => {
    throw new Error('rejected')
  }) as () => void)
  events.on('leak', ({ key }) => heard.push(key))
  const off = () => heard.push('off')
  events.on('leak', off)
  events.off('leak', off)
  events.emit('leak', { key: 'k' })
  expect(heard).toEqual([])
  await turns()
  expect(heard).toEqual(['k'])
  expect(warned).toHaveBeenCalledTimes(3)
  expect(String(warned.mock.calls[0]![0])).toMatch(/a listener of 'leak' failed: Error: thrown/)
})
