import type { Draft, Store, StoredEntry } from '../../store/store.js'
import { atLeast, atMost, holds, same, sameBytes } from '../check.js'
import type { Case } from '../suite.js'
import {
  BOUNDS,
  begin,
  bytesOf,
  type MakeStore,
  metadataFor,
  mustMiss,
  mustPut,
  mustWrite,
  type Opened,
  put,
  readAll,
  readValue,
  sameStats,
  storeCase,
} from './kit.js'

/** Fails when the store says that it holds more than it may. */
function within(store: Store): void {
  const { bytes, pinnedBytes, maxBytes } = store.stats()
  atMost(bytes, maxBytes, 'stats().bytes')
  atMost(pinnedBytes, bytes, 'stats().pinnedBytes')
  atLeast(pinnedBytes, 0, 'stats().pinnedBytes')
}

/** S6: what is held; and that all of it can be let go. */
export function boundCases(make: MakeStore): Case[] {
  const check = (rule: string, what: string, run: (opened: Opened) => Promise<void>): Case =>
    storeCase(make, rule, what, run)
  return [
    check(
      'S6',
      'entries of all sizes, many times over, stay within the bound',
      async ({ store, evicted }) => {
        const kept = new Map<string, Buffer>()
        for (let index = 0; index < 400; index += 1) {
          const key = `key ${index % 150}`
          const value = bytesOf(Math.floor(BOUNDS.maxItemBytes * ((index * 37) % 101) ** 3 * 1e-6), index)
          if (await put(store, key, value)) kept.set(key, value)
          within(store)
        }
        // A miss is allowed, a wrong byte never.
        let found: number
        let before: number
        do {
          // A far store may go on making room: then it is counted again.
          before = store.stats().entries
          found = 0
          for (const [key, value] of kept) {
            const there = await readValue(store, key)
            if (there === undefined) continue
            sameBytes(there, value, key)
            found += 1
          }
        } while (store.stats().entries !== before)
        same(found, before, 'how many entries are found, beside stats().entries')
        holds(found > 0, 'how many entries are found', 'more than 0', found)
        same(store.stats().evictions, evicted.length, 'stats().evictions, beside the calls of onEvict')
      },
    ),
    check(
      'S6',
      'drafts count: one is refused, and there is room when others are aborted',
      async ({ store }) => {
        const drafts: Draft[] = []
        let refused = false
        for (let index = 0; !refused && index < 2 * (BOUNDS.maxBytes / 100_000); index += 1) {
          const draft = await store.draft(`draft ${index}`, undefined)
          if (draft === undefined) {
            refused = true
            break
          }
          drafts.push(draft)
          refused = !(await draft.write(bytesOf(100_000, index)))
          within(store)
        }
        if (Number.isFinite(store.stats().maxBytes)) same(refused, true, 'whether a draft was refused')
        if (refused) atLeast(store.stats().refusals, 1, 'stats().refusals')
        for (const draft of drafts) draft.abort()
        await sameStats(store, { entries: 0, pinnedBytes: 0 }, 'after all drafts were aborted')
        await mustPut(store, 'k', bytesOf(BOUNDS.maxItemBytes, 'k'))
      },
    ),
    check('S6', 'open entries count, and there is room when they are released', async ({ store }) => {
      const held: Array<[StoredEntry, Buffer]> = []
      for (let index = 0; index < 2 * (BOUNDS.maxBytes / 200_000); index += 1) {
        const value = bytesOf(200_000, index)
        if (!(await put(store, `held ${index}`, value))) continue
        const entry = await store.find(`held ${index}`)
        if (entry !== undefined) held.push([entry, value])
        if (index % 3 === 0) await store.delete(`held ${index}`)
        within(store)
      }
      holds(held.length > 0, 'how many entries could be held', 'more than 0', held.length)
      for (const [entry, value] of held) sameBytes(await readAll(entry, 70_000), value, 'an open entry')
      for (const [entry] of held.reverse()) entry.release()
      await sameStats(store, { pinnedBytes: 0 }, 'after all were released')
      for (let index = 0; index < 8; index += 1) {
        await mustPut(store, `after ${index}`, bytesOf(BOUNDS.maxItemBytes, index))
        within(store)
      }
    }),
    check('S6', 'metadata counts', async ({ store }) => {
      const user = { text: 'x'.repeat(60_000) }
      for (let index = 0; index < 200; index += 1) {
        await put(store, `k${index}`, bytesOf(1, index), { metadata: metadataFor(1, { user }) })
        within(store)
      }
      const last = await store.find('k199')
      if (last !== undefined) {
        same(last.metadata.user, user, 'the user part of the metadata')
        await store.revise('k199', last, metadataFor(1, { user: { text: 'y'.repeat(65_000) } }))
        last.release()
      }
      within(store)
      const { entries, maxBytes } = store.stats()
      // 60 kB of metadata each.
      if (Number.isFinite(maxBytes)) atMost(entries, Math.ceil(maxBytes / 60_000), 'stats().entries')
    }),
    check('S6', 'a draft that says it is larger than maxItemBytes is refused', async ({ store }) => {
      same(store.maxItemBytes, BOUNDS.maxItemBytes, 'maxItemBytes')
      const draft = await store.draft('k', BOUNDS.maxItemBytes + 1)
      holds(draft === undefined, 'what draft gives', 'undefined', 'a draft')
      await sameStats(store, { entries: 0, pinnedBytes: 0 }, 'after that')
      atLeast(store.stats().refusals, 1, 'stats().refusals')
    }),
    ...[0, 1, 70_000, BOUNDS.maxItemBytes].map((before) =>
      check(
        'S6',
        `a write that would pass maxItemBytes is refused whole, after ${before} bytes`,
        async ({ store }) => {
          const draft = await begin(store, 'k')
          const value = bytesOf(before, 'before')
          await mustWrite(draft, value)
          const refusals = store.stats().refusals
          const taken = await draft.write(bytesOf(BOUNDS.maxItemBytes + 1 - before, 'more'))
          same(taken, false, 'what write says')
          await sameStats(store, { refusals: refusals + 1 }, 'after a write was refused')
          const { growing } = draft
          if (growing !== undefined) {
            sameBytes(
              await readAll({ read: (target, position) => growing.read(target, position) }),
              value,
              'the draft',
            )
          }
          draft.abort()
          await mustMiss(store, 'k')
          await sameStats(store, { pinnedBytes: 0 }, 'after abort')
        },
      ),
    ),
    check('delete', 'everything goes when everything is deleted', async ({ store }) => {
      for (let index = 0; index < 30; index += 1)
        await mustPut(store, `k${index}`, bytesOf(1000 * index, index))
      for (let index = 0; index < 30; index += 1) {
        same(await store.delete(`k${index}`), true, 'what delete says of a key that is there')
        same(await store.delete(`k${index}`), false, 'what delete says of a key that is not there')
        await mustMiss(store, `k${index}`)
      }
      await sameStats(store, { entries: 0, pinnedBytes: 0 }, 'after all was deleted')
    }),
    check('clear', 'everything goes when it is cleared, open entries excepted', async ({ store }) => {
      for (let index = 0; index < 30; index += 1)
        await mustPut(store, `k${index}`, bytesOf(5000 * index, index))
      const last = await store.find('k29')
      await store.clear()
      await sameStats(store, { entries: 0 }, 'after clear')
      for (let index = 0; index < 30; index += 1) await mustMiss(store, `k${index}`)
      if (last !== undefined)
        sameBytes(await readAll(last), bytesOf(5000 * 29, 29), 'the entry that was open')
      last?.release()
      await sameStats(store, { pinnedBytes: 0 }, 'after clear and release')
      await mustPut(store, 'k0', bytesOf(10, 'again'))
      sameBytes(await readValue(store, 'k0'), bytesOf(10, 'again'))
    }),
    check('stats', 'say what the store was made with', async ({ store }) => {
      const { maxBytes, maxItemBytes } = store.stats()
      if (Number.isFinite(maxBytes)) same({ maxBytes, maxItemBytes }, BOUNDS, 'the bounds')
      await sameStats(
        store,
        { maxItemBytes: store.maxItemBytes, entries: 0, pinnedBytes: 0, evictions: 0, refusals: 0 },
        'at the beginning',
      )
      holds(store.name !== '', 'name', 'some text', store.name)
    }),
  ]
}
