import { IN_HAND } from '../../store/store.js'
import { holds, same, sameBytes } from '../check.js'
import type { Case } from '../suite.js'
import {
  BOUNDS,
  begin,
  bytesOf,
  type MakeStore,
  metadataFor,
  mustFind,
  mustMiss,
  mustPut,
  mustWrite,
  type Opened,
  put,
  readAll,
  SIZES,
  sameMetadata,
  sameStats,
  storeCase,
  viewAll,
} from './kit.js'

/** S3, S4 and S7: what is read; and what happens to it when the store closes. */
export function readCases(make: MakeStore): Case[] {
  const check = (rule: string, what: string, run: (opened: Opened) => Promise<void>): Case =>
    storeCase(make, rule, what, run)
  return [
    ...SIZES.map((size) =>
      check(
        'read',
        `gives what was written, at every position and step: ${size} bytes`,
        async ({ store }) => {
          const value = bytesOf(size, 'value')
          await mustPut(store, 'k', value)
          const entry = await mustFind(store, 'k')
          same(entry.metadata.size, size, 'the size in the metadata')
          for (const step of [997, IN_HAND, size + 1]) {
            sameBytes(await readAll(entry, step), value, `what is read ${step} bytes at a time`)
          }
          const borders = [0, 1, IN_HAND - 1, IN_HAND, IN_HAND + 1, size - 1]
          for (const position of borders.filter((at) => at >= 0 && at < size)) {
            const target = Buffer.alloc(10)
            const read = await entry.read(target, position)
            holds(read > 0, `what read says at ${position} of ${size}`, 'more than 0', read)
            sameBytes(
              target.subarray(0, read),
              value.subarray(position, position + read),
              `the bytes at ${position}`,
            )
          }
          for (const past of [size, size + 1, size + IN_HAND]) {
            same(await entry.read(Buffer.alloc(10), past), 0, `what read says at ${past} of ${size}`)
          }
          entry.release()
        },
      ),
    ),
    check('S4', 'read copies into the memory of the caller', async ({ store }) => {
      const value = bytesOf(100_000, 'value')
      await mustPut(store, 'k', value)
      const entry = await mustFind(store, 'k')
      const target = Buffer.alloc(100_000)
      await entry.read(target, 0)
      target.fill(0)
      sameBytes(await readAll(entry), value, 'the value, after the caller wrote to its memory')
      entry.release()
    }),
    ...SIZES.map((size) =>
      check(
        'S4',
        `what is the reader's own may be changed, and nobody else sees it: ${size} bytes`,
        async ({ store }) => {
          const value = bytesOf(size, 'value')
          await mustPut(store, 'k', value)
          const entry = await mustFind(store, 'k')
          const own = entry.own?.() ?? Buffer.from(value)
          sameBytes(own, value, 'what own() gives')
          own.fill(0xff)
          const again = await mustFind(store, 'k')
          sameBytes(await readAll(again), value, 'the value, after the reader changed its own')
          again.release()
          await mustPut(store, 'k', bytesOf(size, 'another'))
          const unchanged = own.every((byte) => byte === 0xff)
          holds(unchanged, "the reader's own", 'as the reader left it', 'other bytes')
          entry.release()
        },
      ),
    ),
    ...FATES.flatMap(([fate, befall]) =>
      [0, 1, IN_HAND, IN_HAND + 1, BOUNDS.maxItemBytes].map((size) =>
        check(
          'S3',
          `an open entry whose key is ${fate} is read on unchanged: ${size} bytes`,
          async (opened) => {
            const { store } = opened
            const value = bytesOf(size, 'value')
            const metadata = metadataFor(size, { etag: '"opened"' })
            await mustPut(store, 'k', value, { metadata })
            const [entry, twin] = [await mustFind(store, 'k'), await mustFind(store, 'k')]
            await befall(opened)
            sameBytes(await readAll(entry), value, 'the open entry')
            twin.release()
            twin.release()
            sameBytes(await readAll(entry), value, 'the open entry, after another reader released it twice')
            sameMetadata(entry.metadata, metadata, 'the metadata of the open entry')
            entry.release()
            entry.release()
            await sameStats(store, { pinnedBytes: 0 }, 'after all is released')
          },
        ),
      ),
    ),
    ...[0, 1, IN_HAND - 1, IN_HAND].map((size) =>
      check('S7', `${size} bytes hold nothing and need no release`, async ({ store }) => {
        const value = bytesOf(size, 'value')
        await mustPut(store, 'k', value)
        const forgotten = [await mustFind(store, 'k'), await mustFind(store, 'k')]
        await sameStats(store, { pinnedBytes: 0 }, 'with two entries open')
        await store.delete('k')
        await sameStats(store, { entries: 0, pinnedBytes: 0 }, 'after the delete')
        for (const entry of forgotten) sameBytes(await readAll(entry), value, 'an entry that nobody released')
      }),
    ),
    storeCase(
      make,
      'close',
      'what is open gives the right bytes or fails, and nothing is kept any more',
      async ({ store, close }) => {
        const value = bytesOf(IN_HAND + 1, 'value')
        await mustPut(store, 'k', value)
        const entry = await mustFind(store, 'k')
        const draft = await begin(store, 'new', 10)
        await mustWrite(draft, bytesOf(10, 'new'))
        await close()
        const read = await readAll(entry).catch(() => undefined)
        if (read !== undefined) sameBytes(read, value, 'the entry that was open')
        const committed = await Promise.resolve()
          .then(() => draft.commit(metadataFor(10)))
          .catch(() => false)
        same(committed, false, 'what commit says after close')
        draft.abort()
        entry.release()
        await sameStats(store, { entries: 0, pinnedBytes: 0 }, 'after close')
      },
    ),
  ]
}

/** What may happen to a key whose entry is open. */
const FATES: ReadonlyArray<readonly [string, (opened: Opened) => Promise<unknown>]> = [
  ['overwritten', async ({ store }) => put(store, 'k', bytesOf(70_001, 'newer'))],
  ['deleted', async ({ store }) => store.delete('k')],
  [
    'deleted and set anew',
    async ({ store }) => {
      await store.delete('k')
      await put(store, 'k', bytesOf(5, 'x'))
    },
  ],
  ['cleared away', async ({ store }) => store.clear()],
  [
    'revised',
    async ({ store }) => {
      const entry = await mustFind(store, 'k')
      await store.revise('k', entry, metadataFor(entry.metadata.size, { etag: '"revised"' }))
      entry.release()
    },
  ],
  [
    'pushed at by more than the store holds',
    async ({ store }) => {
      for (let index = 0; index < 40; index += 1) await put(store, `other ${index}`, bytesOf(200_000, index))
    },
  ],
]

/** S4 of stores that lend their memory. */
export function viewCases(make: MakeStore): Case[] {
  return SIZES.map((size) =>
    storeCase(
      make,
      'S4',
      `a view lends the same bytes, and nothing at the end: ${size} bytes`,
      async ({ store }) => {
        const value = bytesOf(size, 'value')
        await mustPut(store, 'k', value, { declared: undefined, piece: 10_000 })
        const entry = await mustFind(store, 'k')
        sameBytes(
          viewAll((position) => entry.view!(position)),
          value,
          'what is viewed',
        )
        for (const position of [1, IN_HAND - 1, IN_HAND + 1].filter((at) => at < size)) {
          const view = entry.view!(position)
          holds(view.length > 0, `the view at ${position} of ${size}`, 'some bytes', view.length)
          sameBytes(view, value.subarray(position, position + view.length), `the view at ${position}`)
        }
        same(entry.view!(size).length, 0, 'bytes of the view at the end')
        same(entry.view!(size + 1).length, 0, 'bytes of the view past the end')
        entry.release()
        await mustPut(store, 'k', bytesOf(1, 'newer'))
        same(await store.delete('k'), true, 'what delete says')
        await mustMiss(store, 'k')
      },
    ),
  )
}
