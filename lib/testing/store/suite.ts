import { IN_HAND, type Later, type Store } from '../../store/store.js'
import { holds, same, sameBytes } from '../check.js'
import { type Case, caseOf, type Suite } from '../suite.js'
import { boundCases } from './bounds.js'
import { configureCases, type Patch } from './configure.js'
import { draftCases } from './drafts.js'
import { growingCases } from './growing.js'
import { keyCases } from './keys.js'
import {
  BOUNDS,
  begin,
  bytesOf,
  keysOf,
  type MakeStore,
  metadataFor,
  mustFind,
  mustMiss,
  mustPut,
  open,
  readValue,
  type StoreBounds,
  sameStats,
  storeCase,
} from './kit.js'
import { nothingCases } from './nothing.js'
import { readCases, viewCases } from './reads.js'
import { togetherCases } from './together.js'
import { setCases, setLaterCases } from './whole.js'

/** What a store can do beside what every store must. Each is checked when it is said, and only then. */
export interface StoreCapabilities {
  /** Its drafts can be read while they grow: they have `growing`. Default false. */
  readonly growing?: boolean
  /** Its entries lend their memory: they have `view`, also beyond 64 KiB. Default false. */
  readonly views?: boolean
  /** It has `set`. Default false. */
  readonly set?: boolean
  /** It has `setLater`. Default false. */
  readonly setLater?: boolean
  /** It has `setAll`. Default false. */
  readonly setAll?: boolean
  /** It has `configure`, and takes this patch, by which it differs from how `make` makes it. Default: it has none. */
  readonly configure?: Patch
  /**
   * Its entries are there when it was closed and is opened again: makes a store, with these bounds, over what the last one had that `make` made. The
   * cases that use it run one after the other.
   */
  readonly reopen?: (bounds: StoreBounds) => Later<Store>
  /** What `stats().bytes` counts: the bytes of what lives in the store, which come back when that goes (default), or those that it has claimed for that and may keep. */
  readonly bytes?: 'live' | 'committed'
  /** `'nothing'`: it refuses every draft, as `nullStore()` does. Default `'entries'`. */
  readonly keeps?: 'entries' | 'nothing'
}

/**
 * What every store must do: S1 to S7 of the `Store` contract, the promise of each method, and what it says of itself in `can`.
 *
 * @param make called once for each case, and bounded as it is told
 */
export function storeSuite(make: MakeStore, can: StoreCapabilities = {}): Suite {
  if (can.keeps === 'nothing') return nothingCases(make)
  return [
    capabilities(make, can),
    ...draftCases(make),
    ...readCases(make),
    ...boundCases(make),
    ...keyCases(make),
    ...(can.views === true ? viewCases(make) : []),
    ...(can.growing === true ? growingCases(make, can.bytes ?? 'live') : []),
    ...(can.set === true ? setCases(make) : []),
    ...(can.setLater === true ? setLaterCases(make) : []),
    ...(can.setAll === true ? togetherCases(make, can.reopen) : []),
    ...(can.configure === undefined ? [] : configureCases(make, can.configure)),
    ...(can.reopen === undefined ? [] : reopenCases(make, can.reopen)),
  ]
}

/** What a store offers; each of its own making, so that one that offers more than is said is not left unchecked. */
export async function capabilitiesOf(make: MakeStore): Promise<Required<Offered>> {
  const { store } = await open(make)
  const draft = await begin(store, 'probe')
  const growing = draft.growing !== undefined
  draft.abort()
  await mustPut(store, 'probe', bytesOf(IN_HAND + 1, 'probe'))
  const entry = await mustFind(store, 'probe')
  const views = entry.view !== undefined
  entry.release()
  const offered = {
    growing,
    views,
    set: store.set !== undefined,
    setLater: store.setLater !== undefined,
    setAll: store.setAll !== undefined,
  }
  await store.close()
  return offered
}

type Offered = Pick<StoreCapabilities, 'growing' | 'views' | 'set' | 'setLater' | 'setAll'>

function capabilities(make: MakeStore, can: StoreCapabilities): Case {
  return caseOf('capabilities', 'are those that are said', async () => {
    const offered = await capabilitiesOf(make)
    for (const name of ['growing', 'views', 'set', 'setLater', 'setAll'] as const) {
      same(offered[name], can[name] ?? false, `whether the store offers what ${name} says`)
    }
  })
}

function reopenCases(make: MakeStore, reopen: MakeStore): Case[] {
  return [
    storeCase(
      make,
      'reopen',
      'what was committed is there again, and nothing else',
      async ({ store, close }) => {
        for (const [size, key] of [
          [0, 'empty'],
          [100, 'small'],
          [300_000, 'large'],
          [50, 'deleted'],
        ] as const) {
          await mustPut(store, key, bytesOf(size, key), { metadata: metadataFor(size, { etag: `"${key}"` }) })
        }
        await store.delete('deleted')
        const draft = await begin(store, 'draft', 10)
        await draft.write(bytesOf(10, 'draft'))
        await close()

        const { store: again } = await open(reopen)
        try {
          same(await keysOf(again), ['empty', 'large', 'small'], 'the keys of entries()')
          await sameStats(again, { entries: 3, pinnedBytes: 0 }, 'when it is open again')
          for (const [size, key] of [
            [0, 'empty'],
            [100, 'small'],
            [300_000, 'large'],
          ] as const) {
            sameBytes(await readValue(again, key), bytesOf(size, key), `the value of ${key}`)
            const entry = await mustFind(again, key)
            same(entry.metadata.etag, `"${key}"`, `the etag of ${key}`)
            entry.release()
          }
          await mustMiss(again, 'deleted')
          await mustMiss(again, 'draft')
        } finally {
          await again.close()
        }
      },
    ),
    storeCase(make, 'reopen', 'what lies there counts within the bound', async ({ store, close }) => {
      for (let at = 0; at < 10; at += 1) await mustPut(store, `old ${at}`, bytesOf(200_000, at))
      await close()
      const { store: again } = await open(reopen)
      try {
        for (let at = 0; at < 20; at += 1) {
          await mustPut(again, `new ${at}`, bytesOf(200_000, at))
          const { bytes, maxBytes } = again.stats()
          holds(bytes <= maxBytes, 'stats().bytes', `at most ${maxBytes}`, bytes)
        }
        const most = Math.floor(BOUNDS.maxBytes / 200_000)
        holds(
          again.stats().entries <= most,
          'stats().entries of 200,000 bytes each',
          `at most ${most}`,
          again.stats().entries,
        )
      } finally {
        await again.close()
      }
    }),
  ]
}
