import { IN_HAND, type Later, type Metadata, type Store } from '../../store/store.js'
import { holds, same, sameBytes } from '../check.js'
import type { Case } from '../suite.js'
import {
  BOUNDS,
  bytesOf,
  type MakeStore,
  metadataFor,
  mustFind,
  mustMiss,
  mustPut,
  type Opened,
  readValue,
  SIZES,
  sameMetadata,
  sameStats,
  storeCase,
} from './kit.js'

type Put = (store: Store, key: string, bytes: Uint8Array, metadata: Metadata) => Later<boolean>

/** What `set` and `setLater` have in common. */
function wholeCases(make: MakeStore, rule: 'set' | 'setLater', put: Put): Case[] {
  const check = (what: string, run: (opened: Opened) => Promise<void>): Case =>
    storeCase(make, rule, what, run)
  return [
    ...SIZES.map((size) =>
      check(`keeps a value in one call, in place of what was there: ${size} bytes`, async ({ store }) => {
        await mustPut(store, 'k', bytesOf(70_000, 'old'))
        const held = await mustFind(store, 'k')
        const value = bytesOf(size, 'value')
        const metadata = metadataFor(size, { etag: '"whole"' })
        same(await put(store, 'k', value, metadata), true, `what ${rule} says`)
        sameBytes(await readValue(store, 'k'), value)
        const entry = await mustFind(store, 'k')
        sameMetadata(entry.metadata, metadata)
        entry.release()
        held.release()
        await sameStats(store, { entries: 1, pinnedBytes: 0 }, 'after that')
      }),
    ),
    check('takes up to 64 KiB before it returns', async ({ store }) => {
      const value = bytesOf(IN_HAND, 'value')
      const memory = Buffer.from(value)
      const kept = put(store, 'k', memory, metadataFor(value.length))
      memory.fill(0xdd)
      same(await kept, true, `what ${rule} says`)
      sameBytes(await readValue(store, 'k'), value, 'the value, after the caller used its memory again')
    }),
    check('refuses what is larger than maxItemBytes, and leaves what was there', async ({ store }) => {
      await mustPut(store, 'k', bytesOf(10, 'old'))
      const size = BOUNDS.maxItemBytes + 1
      same(await put(store, 'k', bytesOf(size, 'large'), metadataFor(size)), false, `what ${rule} says`)
      sameBytes(await readValue(store, 'k'), bytesOf(10, 'old'), 'the value from before')
    }),
  ]
}

/** Of stores that have `set`. */
export function setCases(make: MakeStore): Case[] {
  return wholeCases(make, 'set', (store, key, bytes, metadata) => store.set!(key, bytes, metadata))
}

/** Of stores that have `setLater`. */
export function setLaterCases(make: MakeStore): Case[] {
  const setLater: Put = (store, key, bytes, metadata) => store.setLater!(key, bytes, metadata)
  const check = (what: string, run: (opened: Opened) => Promise<void>): Case =>
    storeCase(make, 'setLater', what, run)
  return [
    ...wholeCases(make, 'setLater', setLater),
    check('a delete that is asked for after it comes after it', async ({ store }) => {
      for (const size of [10, 70_000]) {
        const kept = setLater(store, 'k', bytesOf(size, 'value'), metadataFor(size))
        const deleted = store.delete('k')
        await Promise.all([kept, deleted])
        await mustMiss(store, 'k')
      }
    }),
    check('so does a clear', async ({ store }) => {
      const kept = setLater(store, 'k', bytesOf(10, 'value'), metadataFor(10))
      await Promise.all([kept, store.clear()])
      await mustMiss(store, 'k')
      holds(store.stats().entries === 0, 'stats().entries', '0', store.stats().entries)
    }),
  ]
}
