import { expect, it } from 'vitest'
import { FarDraft } from '../../../lib/cache/far-draft.js'
import { Tier } from '../../../lib/cache/tier.js'
import { Window } from '../../../lib/cache/window.js'
import { patterned } from '../../helpers/bodies.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { turns } from '../../helpers/gate.js'

/** A draft of `store` written from a window, and what it said. */
function opened(store: DistantStore) {
  const tier = new Tier(store)
  const window = new Window(0)
  const refused: string[] = []
  let progress = 0
  const draft = new FarDraft(tier.draft('k', undefined), window, tier, {
    onProgress: () => {
      progress += 1
    },
    onRefused: (why) => refused.push(why),
  })
  return { draft, window, refused, tier, progress: () => progress }
}

function metadataOf(size: number) {
  return { size, cachedAt: 0, freshUntil: 1, staleUntil: 1, staleIfErrorUntil: 1, negative: false, tags: [] }
}

it('misses nothing that comes at the very moment at which it had all, and writes one piece at a time', async () => {
  const microtasks = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) await Promise.resolve()
  }
  for (let first = 0; first < 25; first += 1) {
    for (let second = 0; second < 8; second += 1) {
      const store = new DistantStore()
      // Nearer than a turn of the loop, so that every microtask between two steps can be hit.
      store.arrive = () => Promise.resolve()
      const { draft, window } = opened(store)
      const value = patterned(300)
      for (const [at, pause] of [
        [0, first],
        [100, second],
        [200, 0],
      ] as const) {
        window.push(value.subarray(at, at + 100))
        draft.go()
        await microtasks(pause)
      }
      await draft.drained()
      expect(draft.position, `${first} and ${second} microtasks between pieces`).toBe(300)
      expect(await draft.commit(metadataOf(300))).toBe(true)
      expect([store.openDrafts, store.misuse]).toEqual([0, []])
    }
  }
})

it('is never committed before it has all bytes', async () => {
  const store = new DistantStore()
  const held = store.hold('write')
  const { draft, window } = opened(store)
  window.push(patterned(100))
  draft.go()
  expect(await draft.commit(metadataOf(100))).toBe(false)
  draft.abandon()
  held.open()
  await turns()
  expect([store.openDrafts, store.misuse]).toEqual([0, []])
})

it('is aborted once, whenever it is given up: before the store answers, during a write, after it', async () => {
  for (const when of ['draft', 'write', 'none'] as const) {
    const store = new DistantStore()
    const held = when === 'none' ? undefined : store.hold(when)
    const { draft, window, refused } = opened(store)
    window.push(patterned(100))
    draft.go()
    await turns()
    draft.abandon()
    draft.abandon()
    window.push(patterned(100))
    draft.go()
    held?.open()
    await turns()
    await draft.drained()
    expect([store.openDrafts, store.misuse, refused]).toEqual([0, [], []])
    expect(store.calls.filter((call) => call === 'write').length).toBe(when === 'draft' ? 0 : 1)
  }
})

it('says why the store takes no more', async () => {
  const small = opened(new DistantStore({ maxItemBytes: 150 }))
  small.window.push(patterned(100))
  small.draft.go()
  await turns()
  small.window.push(patterned(100))
  small.draft.go()
  await turns()
  expect([small.refused, small.progress()]).toEqual([['too-large'], 1])

  const full = opened(new DistantStore({ maxBytes: 300, maxItemBytes: 1000 }))
  full.window.push(patterned(301))
  full.draft.go()
  await turns()
  expect(full.refused).toEqual(['no-room'])

  for (const call of ['draft', 'write'] as const) {
    const store = new DistantStore()
    store.fail(call)
    const broken = opened(store)
    broken.window.push(patterned(1))
    broken.draft.go()
    await turns()
    expect([broken.refused, broken.tier.failures, store.openDrafts]).toEqual([['tier-down'], 1, 0])
  }
})
