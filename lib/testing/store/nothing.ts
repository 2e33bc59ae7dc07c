import { holds, same } from '../check.js'
import type { Case } from '../suite.js'
import {
  BOUNDS,
  bytesOf,
  keysOf,
  type MakeStore,
  mustMiss,
  type Opened,
  sameStats,
  storeCase,
} from './kit.js'

/** Of a store that keeps nothing. */
export function nothingCases(make: MakeStore): Case[] {
  const check = (rule: string, what: string, run: (opened: Opened) => Promise<void>): Case =>
    storeCase(make, rule, what, run)
  return [
    check('draft', 'is refused, whatever its size', async ({ store }) => {
      for (const size of [undefined, 0, 1, BOUNDS.maxItemBytes]) {
        const draft = await store.draft('k', size)
        holds(draft === undefined, `what draft gives for ${size} bytes`, 'undefined', 'a draft')
        await mustMiss(store, 'k')
      }
      await sameStats(store, { refusals: 4 }, 'after four drafts')
    }),
    check('find', 'gives nothing', async ({ store }) => {
      await mustMiss(store, 'k')
      await mustMiss(store, '__proto__')
    }),
    check('delete', 'says that there was none', async ({ store }) => {
      same(await store.delete('k'), false, 'what delete says')
      await store.clear()
    }),
    check('entries', 'are none', async ({ store }) => {
      same(await keysOf(store), [], 'the keys of entries()')
    }),
    check('stats', 'hold nothing', async ({ store }) => {
      await store.draft('k', bytesOf(10, 'k').length)
      await sameStats(store, { entries: 0, bytes: 0, pinnedBytes: 0, evictions: 0 }, 'after a draft')
    }),
    check('close', 'and after it nothing is kept either', async ({ store, close }) => {
      await close()
      await mustMiss(store, 'k')
    }),
  ]
}
