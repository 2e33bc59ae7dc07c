import type { GrowingReads, Store } from '../../store/store.js'
import { atLeast, same, sameBytes } from '../check.js'
import type { Case } from '../suite.js'
import {
  begin,
  bytesOf,
  type MakeStore,
  metadataFor,
  mustCommit,
  mustFind,
  mustMiss,
  mustPut,
  mustWrite,
  type Opened,
  put,
  readAll,
  sameStats,
  storeCase,
  viewAll,
} from './kit.js'

const readGrowing = (growing: GrowingReads): Promise<Buffer> =>
  readAll({ read: (target, position) => growing.read(target, position) })
const viewGrowing = (growing: GrowingReads): Buffer => viewAll((position) => growing.view(position))

/** Of stores whose drafts can be read while they grow. */
export function growingCases(make: MakeStore, bytes: 'live' | 'committed'): Case[] {
  const check = (what: string, run: (opened: Opened) => Promise<void>): Case =>
    storeCase(make, 'growing', what, run)
  // What a store has committed need not follow what lives in it; that it stays within its bound is checked elsewhere.
  const shown = (store: Store): number => (bytes === 'live' ? store.stats().bytes : store.stats().pinnedBytes)
  return [
    ...[undefined, 200_000].map((declared) =>
      check(`reads give at once what is written, size ${declared}`, async ({ store }) => {
        const value = bytesOf(200_000, 'value')
        const draft = await begin(store, 'k', declared)
        const growing = draft.growing!
        const letGo = growing.hold()
        const early: Array<[Uint8Array, number]> = []
        for (let at = 0; at < value.length; at += 3001) {
          same(growing.view(at).length, 0, `bytes of the view at ${at}, before they are written`)
          await mustWrite(draft, value.subarray(at, at + 3001))
          const end = Math.min(value.length, at + 3001)
          early.push([growing.view(at), at])
          const target = Buffer.alloc(end - at)
          same(growing.read(target, at), end - at, `what read says at ${at}`)
          sameBytes(target, value.subarray(at, end), `the bytes at ${at}`)
        }
        sameBytes(await readGrowing(growing), value, 'what is read of the draft')
        sameBytes(viewGrowing(growing), value, 'what is viewed of the draft')
        await mustCommit(draft, metadataFor(value.length))
        // What was lent while it grew stays as it was until it is given back.
        for (const [view, at] of early) {
          sameBytes(view, value.subarray(at, at + view.length), `the view at ${at}, after commit`)
        }
        sameBytes(viewGrowing(growing), value, 'what is viewed after commit')
        letGo()
        await sameStats(store, { pinnedBytes: 0 }, 'after it was given back')
        const entry = await mustFind(store, 'k')
        sameBytes(await readAll(entry), value)
        entry.release()
      }),
    ),
    ...[0, 10, 70_000].map((size) =>
      check(`hold keeps what is aborted until it is given back: ${size} bytes`, async ({ store }) => {
        const value = bytesOf(size, 'value')
        const draft = await begin(store, 'k')
        const growing = draft.growing!
        const [first, second] = [growing.hold(), growing.hold()]
        await mustWrite(draft, value)
        const view = growing.view(0)
        draft.abort()
        await mustMiss(store, 'k')
        sameBytes(await readGrowing(growing), value, 'what is read after abort')
        first()
        first()
        atLeast(store.stats().pinnedBytes, size, 'stats().pinnedBytes, while one holds it still')
        sameBytes(viewGrowing(growing), value, 'what is viewed after abort')
        sameBytes(view, value.subarray(0, view.length), 'the view from before')
        second()
        await sameStats(store, { pinnedBytes: 0 }, 'after both gave it back')
      }),
    ),
    check('hold keeps what is committed, whatever happens to its key', async ({ store }) => {
      const value = bytesOf(100_000, 'value')
      const draft = await begin(store, 'k', value.length)
      const growing = draft.growing!
      const letGo = growing.hold()
      await mustWrite(draft, value)
      await mustCommit(draft, metadataFor(value.length))
      await mustPut(store, 'k', bytesOf(100_000, 'newer'))
      await store.delete('k')
      for (let index = 0; index < 40; index += 1) await put(store, `other ${index}`, bytesOf(200_000, index))
      sameBytes(await readGrowing(growing), value, 'what is held')
      letGo()
      await sameStats(store, { pinnedBytes: 0 }, 'after it was given back')
    }),
    check('bytes come back to what they were', async ({ store }) => {
      await mustPut(store, 'there', bytesOf(1000, 'there'))
      // What a policy keeps of uses begins with the first of them.
      await mustPut(store, 'k', bytesOf(1000, 'k'))
      ;(await mustFind(store, 'k')).release()
      await store.delete('k')
      const before = shown(store)
      atLeast(store.stats().bytes, 1001, 'stats().bytes')
      for (const size of [0, 1, 5000, 70_000, 200_000]) {
        const aborted = await begin(store, 'k')
        await mustWrite(aborted, bytesOf(size, 'k'))
        aborted.abort()
        aborted.abort()
        same(shown(store), before, `bytes after a draft of ${size} was aborted`)

        const held = await begin(store, 'k', size)
        const letGo = held.growing!.hold()
        await mustWrite(held, bytesOf(size, 'k'))
        await mustCommit(held, metadataFor(size))
        held.abort()
        const entry = await mustFind(store, 'k')
        same(await store.delete('k'), true, 'what delete says')
        atLeast(shown(store), before + size, `bytes while ${size} are held`)
        letGo()
        letGo()
        entry.release()
        entry.release()
        same(shown(store), before, `bytes after ${size} were given back`)
      }
    }),
    check('reads go on after a refused write', async ({ store }) => {
      const draft = await begin(store, 'k')
      const value = bytesOf(5000, 'value')
      await mustWrite(draft, value)
      const taken = await draft.write(bytesOf(store.maxItemBytes, 'too much'))
      same(taken, false, 'what write says to too much')
      sameBytes(await readGrowing(draft.growing!), value, 'the draft, after a write was refused')
      await mustWrite(draft, bytesOf(5000, 'more'))
      const both = Buffer.concat([value, bytesOf(5000, 'more')])
      sameBytes(await readGrowing(draft.growing!), both, 'the draft, after one more write')
      draft.abort()
    }),
  ]
}
