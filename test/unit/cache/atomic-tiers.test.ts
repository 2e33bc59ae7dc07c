import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createCacheWith } from '../../../lib/cache/create.js'
import type { Draft, Metadata, Store, StoredEntry, WholeValue } from '../../../lib/store/store.js'
import { jsStore } from '../../conformance/store-kit.js'
import { FakeClock } from '../../helpers/clock.js'
import { turns } from '../../helpers/gate.js'

/*
 * Atomic batches over two tiers, of which the lower one answers when it likes and would outlive the process: at no moment does it have a part of
 * a batch that was set over another. All values of the test are of batches, so that what is there must be of one of them.
 */

const KEYS = ['a', 'b', 'c', 'd']
const MiB = 2 ** 20
const ROUNDS = Number(process.env['DREY_ROUNDS'] ?? 60)

/** A store as far away as can be, in memory. `onChange` is called after each change. */
function lower(delays: () => number, onChange: () => void): { readonly store: Store; etags(): Set<string> } {
  const inner = jsStore(4 * MiB, MiB)
  const later = async <T>(call: () => T): Promise<T> => {
    await turns(delays())
    const result = call()
    onChange()
    await turns(delays())
    return result
  }
  const store: Store = {
    name: 'lower',
    outlives: true,
    maxItemBytes: MiB,
    open: (context) => inner.open(context),
    find: (key, peek) => later(() => inner.find(key, peek) as StoredEntry | undefined),
    draft: (key, size) =>
      later(() => {
        const draft = inner.draft(key, size) as Draft | undefined
        return (
          draft && {
            write: (chunk: Uint8Array) => later(() => draft.write(chunk) as boolean),
            commit: (metadata: Metadata) => later(() => draft.commit(metadata) as boolean),
            abort: () => draft.abort(),
          }
        )
      }),
    setAll: (values: readonly WholeValue[]) => later(() => inner.setAll!(values) as boolean),
    revise: (key, entry, metadata) => later(() => inner.revise(key, entry, metadata) as boolean),
    delete: (key) => later(() => inner.delete(key) as boolean),
    clear: () => later(() => inner.clear() as undefined),
    entries: () => inner.entries(),
    stats: () => inner.stats(),
    close: () => inner.close(),
  }
  const etags = (): Set<string> =>
    new Set([...(inner.entries() as Iterable<[string, Metadata]>)].map(([, { etag }]) => etag!))
  return { store, etags }
}

const action = fc.oneof(
  { weight: 4, arbitrary: fc.constant('batch' as const) },
  { weight: 1, arbitrary: fc.constantFrom(...KEYS) },
  { weight: 1, arbitrary: fc.constant('forget' as const) },
  { weight: 2, arbitrary: fc.constant('read' as const) },
  { weight: 2, arbitrary: fc.constant('wait' as const) },
)

it('the tier below has all of a batch or nothing of it, and so does who reads', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 5, maxLength: 25 }),
      fc.array(fc.nat(3), { minLength: 7, maxLength: 7 }),
      fc.constantFrom('behind' as const, 'through' as const, 'first' as const),
      fc.constantFrom(100, 200_000),
      async (actions, delays, writePolicy, largest) => {
        let next = 0
        let parts = 0
        const below = lower(
          () => delays[next++ % delays.length]!,
          () => {
            if (below.etags().size > 1) parts += 1
          },
        )
        const first = jsStore(2 * MiB, 100_000)
        const cache = await createCacheWith(
          { tiers: [first, below.store], writePolicy, pressure: false, bufferPool: false },
          { clock: new FakeClock() },
        )
        const work: Promise<unknown>[] = []
        for (const [round, what] of actions.entries()) {
          if (what === 'wait') await turns(1 + (round % 4))
          else if (what === 'forget') {
            // As if evicted above, where what is below may be read: only what is in both tiers.
            if (cache.stats().tiers[1]!.pending === 0 && work.length === 0) first.delete('a')
          } else if (what === 'batch') {
            // Every other one is too large for the first tier.
            const size = round % 2 === 0 ? 10 : largest
            const entries = KEYS.map((key) => ({ key, body: Buffer.alloc(size, round), etag: `${round}` }))
            work.push(cache.setMany(entries, { atomic: true }))
          } else if (what === 'read') {
            const looked = cache.getMany(KEYS).then((answers) => {
              const found = new Set<string>()
              for (const answer of answers) {
                if (answer?.status !== 'ok') continue
                found.add(answer.meta.etag!)
                answer.close()
              }
              expect(found.size).toBeLessThanOrEqual(1)
            })
            work.push(looked)
          } else work.push(cache.delete(what))
        }
        await Promise.all(work)
        await cache.close()
        expect(parts).toBe(0)
        expect(below.etags().size).toBeLessThanOrEqual(1)
      },
    ),
    {
      numRuns: ROUNDS,
      // What it found while this was made: a delete that overtakes a batch, or comes while several wait in the tier below.
      examples: [
        [
          ['batch', 'batch', 'batch', 'batch', 'a', 'batch', 'batch'],
          [0, 0, 0, 0, 0, 0, 0],
          'behind',
          200_000,
        ],
        [['read', 'batch', 'batch', 'batch', 'wait', 'batch', 'a'], [0, 2, 2, 0, 0, 0, 1], 'behind', 100],
        [
          ['read', 'batch', 'batch', 'wait', 'forget', 'batch', 'd', 'batch', 'wait', 'wait'],
          [0, 0, 2, 0, 3, 0, 0],
          'behind',
          200_000,
        ],
      ],
    },
  )
})
