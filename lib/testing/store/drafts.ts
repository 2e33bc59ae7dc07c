import { atLeast, holds, same, sameBytes } from '../check.js'
import type { Case } from '../suite.js'
import {
  begin,
  bytesOf,
  keysOf,
  type MakeStore,
  metadataFor,
  mustCommit,
  mustMiss,
  mustPut,
  mustWrite,
  type Opened,
  put,
  readValue,
  SIZES,
  sameMetadata,
  sameStats,
  scan,
  storeCase,
} from './kit.js'

/** S1, S2 and S5: what is written. */
export function draftCases(make: MakeStore): Case[] {
  const check = (rule: string, what: string, run: (opened: Opened) => Promise<void>): Case =>
    storeCase(make, rule, what, run)
  return [
    ...SIZES.map((size) =>
      check('S1', `a draft is invisible until it is committed: ${size} bytes`, async ({ store }) => {
        const value = bytesOf(size, 'new')
        const draft = await begin(store, 'k', size)
        await mustWrite(draft, value, 50_000)
        await mustMiss(store, 'k')
        same(await keysOf(store), [], 'the keys of entries() before commit')
        await sameStats(store, { entries: 0 }, 'before commit')

        await mustCommit(draft, metadataFor(size))
        sameBytes(await readValue(store, 'k'), value)
        same(await keysOf(store), ['k'], 'the keys of entries() after commit')
        await sameStats(store, { entries: 1, pinnedBytes: 0 }, 'after commit')
      }),
    ),
    ...SIZES.map((size) =>
      check('S1', `a draft leaves no trace when it is aborted: ${size} bytes`, async ({ store }) => {
        await mustPut(store, 'k', bytesOf(10, 'old'))
        const draft = await begin(store, 'k', size)
        await mustWrite(draft, bytesOf(size, 'new'), 50_000)
        draft.abort()
        draft.abort()
        sameBytes(await readValue(store, 'k'), bytesOf(10, 'old'), 'the value from before the draft')
        same(await keysOf(store), ['k'], 'the keys of entries()')
        await sameStats(store, { entries: 1, pinnedBytes: 0 }, 'after abort')
      }),
    ),
    check('S1', 'a draft that was aborted cannot be committed', async ({ store }) => {
      const draft = await begin(store, 'k', 10)
      await mustWrite(draft, bytesOf(10, 'k'))
      draft.abort()
      same(await draft.commit(metadataFor(10)), false, 'what commit says after abort')
      await mustMiss(store, 'k')
    }),
    check('S1', 'abort after commit does nothing', async ({ store }) => {
      const draft = await begin(store, 'k', 10)
      await mustWrite(draft, bytesOf(10, 'k'))
      await mustCommit(draft, metadataFor(10))
      draft.abort()
      sameBytes(await readValue(store, 'k'), bytesOf(10, 'k'))
      await sameStats(store, { entries: 1 }, 'after commit and abort')
    }),
    check('S1', 'discard removes what there is, and leaves drafts alone', async ({ store }) => {
      if (store.discard === undefined) return
      await mustPut(store, 'k', bytesOf(10, 'old'))
      const draft = await begin(store, 'k', 70_000)
      await mustWrite(draft, bytesOf(70_000, 'new'))
      same(await store.discard('k'), true, 'what discard says of a key that has an entry')
      await mustMiss(store, 'k')
      same(await store.discard('k'), false, 'what discard says of a key that has none')
      await mustCommit(draft, metadataFor(70_000))
      sameBytes(await readValue(store, 'k'), bytesOf(70_000, 'new'), 'the value of the draft')
    }),
    check('S1', 'delete and clear leave drafts alone, or fence them', async ({ store }) => {
      const drafts = new Map([
        ['deleted', await begin(store, 'deleted', 10)],
        ['cleared', await begin(store, 'cleared', 10)],
      ])
      for (const [key, draft] of drafts) await mustWrite(draft, bytesOf(10, key))
      same(await store.delete('deleted'), false, 'what delete says of a key that has a draft and no entry')
      await store.clear()
      for (const [key, draft] of drafts) {
        const committed = await draft.commit(metadataFor(10))
        same(draft.fenced ?? false, !committed, `Draft.fenced, after commit of ${key} said ${committed}`)
        if (committed) sameBytes(await readValue(store, key), bytesOf(10, key))
        else await mustMiss(store, key)
      }
    }),
    ...SIZES.map((size) =>
      check('S2', `a commit replaces what the key had, in one step: ${size} bytes`, async ({ store }) => {
        const old = bytesOf(70_000, 'old')
        const value = bytesOf(size, 'new')
        await mustPut(store, 'k', old)
        const draft = await begin(store, 'k', size)
        await mustWrite(draft, value)
        sameBytes(await readValue(store, 'k'), old, 'the value before the commit')
        const metadata = metadataFor(size, { etag: '"new"' })
        await mustCommit(draft, metadata)
        sameBytes(await readValue(store, 'k'), value, 'the value after the commit')
        const all = await scan(store)
        same(
          all.map(([key]) => key),
          ['k'],
          'the keys of entries()',
        )
        sameMetadata(all[0]![1], metadata, 'the metadata that entries() gives')
        await sameStats(store, { entries: 1, pinnedBytes: 0 }, 'after the commit')
      }),
    ),
    check('S2', 'drafts of one key do not meet: the last commit wins', async ({ store }) => {
      const [a, b, c] = [await begin(store, 'k'), await begin(store, 'k'), await begin(store, 'k')]
      const piece = (index: number, at: number): Buffer => bytesOf(40_000, `${index} ${at}`)
      const whole = (index: number): Buffer => Buffer.concat([0, 1, 2].map((at) => piece(index, at)))
      for (let at = 0; at < 3; at += 1) {
        for (const [index, draft] of [a, b, c].entries()) await mustWrite(draft, piece(index, at))
      }
      await mustCommit(b, metadataFor(120_000))
      sameBytes(await readValue(store, 'k'), whole(1), 'the value after the first commit')
      await mustCommit(a, metadataFor(120_000))
      c.abort()
      sameBytes(await readValue(store, 'k'), whole(0), 'the value after the second commit and an abort')
      await sameStats(store, { entries: 1, pinnedBytes: 0 }, 'after that')
    }),
    check('S2', 'whoever reads while others write gets one value whole', async ({ store }) => {
      const values = Array.from({ length: 20 }, (_, index) => bytesOf(1000 + 8000 * index, index))
      await mustPut(store, 'k', values[0]!)
      const writers = values.map((value) => put(store, 'k', value, { declared: undefined, piece: 30_000 }))
      const readers = values.map(() => readValue(store, 'k'))
      holds(!(await Promise.all(writers)).includes(false), '20 writers of one key', 'all kept', 'one refused')
      for (const read of [...(await Promise.all(readers)), await readValue(store, 'k')]) {
        const isOne = values.some((value) => read?.equals(value))
        holds(isOne, 'what was read', 'one of the values that were written', `${read?.length} other bytes`)
      }
      await sameStats(store, { entries: 1 }, 'after that')
    }),
    check('S5', 'the caller may use its memory again', async ({ store }) => {
      const draft = await begin(store, 'k')
      const piece = Buffer.alloc(30_000)
      const expected: Buffer[] = []
      for (let at = 0; at < 8; at += 1) {
        bytesOf(piece.length, at).copy(piece)
        expected.push(Buffer.from(piece))
        await mustWrite(draft, piece)
        piece.fill(0xdd)
      }
      await mustCommit(draft, metadataFor(240_000))
      sameBytes(await readValue(store, 'k'), Buffer.concat(expected))
    }),
    check('S5', 'where the draft can be read while it grows, before write returns', async ({ store }) => {
      const draft = await begin(store, 'k')
      const value = bytesOf(30_000, 'k')
      const memory = Buffer.from(value)
      const taken = draft.write(memory)
      if (draft.growing !== undefined) memory.fill(0xdd)
      same(await taken, true, 'what write says')
      memory.fill(0xdd)
      await mustCommit(draft, metadataFor(30_000))
      sameBytes(await readValue(store, 'k'), value)
    }),
    check(
      'write',
      'takes pieces of any size, empty ones too, with the size known or not',
      async ({ store }) => {
        const value = bytesOf(140_000, 'pieces')
        for (const declared of [undefined, value.length]) {
          const draft = await begin(store, 'k', declared)
          let at = 0
          for (let length = 0; at < value.length; length = (length * 3 + 1) % 20_011) {
            const end = Math.min(value.length, at + length)
            await mustWrite(draft, value.subarray(at, end), Math.max(1, end - at))
            if (end === at)
              same(await draft.write(value.subarray(at, at)), true, 'what write says to no bytes')
            at = end
          }
          await mustCommit(draft, metadataFor(value.length))
          sameBytes(await readValue(store, 'k'), value)
        }
      },
    ),
    check('stats', 'bytes are at least those of the values', async ({ store }) => {
      for (let at = 0; at < 10; at += 1) await mustPut(store, `k${at}`, bytesOf(10_000, at))
      const { bytes, compression } = store.stats()
      // What was made smaller takes less.
      const least = compression === undefined ? 100_000 : 1
      atLeast(bytes, least, 'stats().bytes of ten entries of 10,000 bytes')
    }),
  ]
}
