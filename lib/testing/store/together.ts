import type { Store, WholeValue } from '../../store/store.js'
import { holds, same, sameBytes } from '../check.js'
import type { Case } from '../suite.js'
import {
  BOUNDS,
  bytesOf,
  type MakeStore,
  metadataFor,
  mustFind,
  mustPut,
  type Opened,
  open,
  readAll,
  readValue,
  sameMetadata,
  sameStats,
  storeCase,
} from './kit.js'

const SIZES: readonly number[] = [0, 10, 65_536, 70_000]

/** Values of `k0`, `k1` and so on, whose etags say of which batch they are. */
function valuesOf(batch: string, sizes = SIZES): WholeValue[] {
  return sizes.map((size, at) => ({
    key: `k${at}`,
    bytes: bytesOf(size, batch + at),
    metadata: metadataFor(size, { etag: `"${batch}"` }),
  }))
}

/** Of which batch each key has its value. */
async function batchesIn(
  store: Store,
  order: Iterable<number> = SIZES.keys(),
): Promise<Array<string | undefined>> {
  const found: Array<string | undefined> = []
  for (const at of order) {
    const entry = await store.find(`k${at}`, true)
    found.push(entry?.metadata.etag)
    entry?.release()
  }
  return found
}

async function sameValues(store: Store, values: readonly WholeValue[]): Promise<void> {
  for (const { key, bytes, metadata } of values) {
    sameBytes(await readValue(store, key), Buffer.from(bytes), `the value of ${key}`)
    const entry = await mustFind(store, key)
    sameMetadata(entry.metadata, metadata, `the metadata of ${key}`)
    entry.release()
  }
}

const allOf = (batch: string): string[] => SIZES.map(() => `"${batch}"`)

/** Of stores that have `setAll`: all or none. */
export function togetherCases(make: MakeStore, reopen: MakeStore | undefined): Case[] {
  const check = (what: string, run: (opened: Opened) => Promise<void>): Case =>
    storeCase(make, 'setAll', what, run)
  return [
    check('sets all, in place of what was there', async ({ store }) => {
      for (const batch of ['one', 'two']) {
        same(await store.setAll!(valuesOf(batch)), true, 'what setAll says')
        await sameValues(store, valuesOf(batch))
      }
      sameStats(store, { entries: SIZES.length, pinnedBytes: 0 }, 'after that')
    }),
    check('leaves alone what is open', async ({ store }) => {
      await store.setAll!(valuesOf('one'))
      const held = await mustFind(store, 'k3')
      same(await store.setAll!(valuesOf('two')), true, 'what setAll says')
      sameBytes(await readAll(held), Buffer.from(valuesOf('one')[3]!.bytes), 'the value that was open')
      held.release()
    }),
    check('shows no old value to who found a new one', async ({ store }) => {
      await store.setAll!(valuesOf('one'))
      let over = false
      const set = Promise.resolve(store.setAll!(valuesOf('two'))).finally(() => {
        over = true
      })
      // At least once after it, too.
      for (let last = false; !last; ) {
        last = over
        const found = await batchesIn(store, [0, 1, 2, 3, 2, 1, 0])
        const from = found.indexOf('"two"')
        const rest = from < 0 ? [] : found.slice(from)
        same(
          rest,
          rest.map(() => '"two"'),
          'what is found after one of the new values',
        )
        await new Promise(setImmediate)
      }
      same(await set, true, 'what setAll says')
    }),
    check('sets none where one is larger than maxItemBytes', async ({ store }) => {
      await store.setAll!(valuesOf('one'))
      for (const sizes of [
        [10, 10, 10, BOUNDS.maxItemBytes + 1],
        [BOUNDS.maxItemBytes + 1, 10],
      ]) {
        same(await store.setAll!(valuesOf('two', sizes)), false, 'what setAll says')
        same(await batchesIn(store), allOf('one'), 'what is there')
      }
      await sameValues(store, valuesOf('one'))
    }),
    check('sets none where there is no room for all', async ({ store }) => {
      await store.setAll!(valuesOf('one'))
      await mustPut(store, 'other', bytesOf(10, 'other'))
      const count = Math.ceil(BOUNDS.maxBytes / BOUNDS.maxItemBytes) + 4
      const many = valuesOf(
        'two',
        Array.from({ length: count }, () => BOUNDS.maxItemBytes),
      )
      same(await store.setAll!(many), false, 'what setAll says')
      const left = (await batchesIn(store, many.keys())).filter(
        (etag) => etag !== undefined && etag !== '"one"',
      )
      same(left, [], 'the new values that are there')
      const { pinnedBytes } = store.stats()
      holds(pinnedBytes <= BOUNDS.maxBytes / 8, 'stats().pinnedBytes', 'little', pinnedBytes)
      same(await store.setAll!(valuesOf('three')), true, 'what setAll says then')
      same(await batchesIn(store), allOf('three'), 'what is there then')
    }),
    check('sets nothing when it is closed', async ({ store, close }) => {
      await close()
      same(await store.setAll!(valuesOf('one')), false, 'what setAll says')
    }),
    ...(reopen === undefined ? [] : [reopenedCase(make, reopen)]),
  ]
}

function reopenedCase(make: MakeStore, reopen: MakeStore): Case {
  return storeCase(make, 'setAll', 'all are there when it is opened again', async ({ store, close }) => {
    await store.setAll!(valuesOf('one'))
    await store.setAll!(valuesOf('two'))
    await close()
    const { store: again } = await open(reopen)
    try {
      await sameValues(again, valuesOf('two'))
    } finally {
      await again.close()
    }
  })
}
