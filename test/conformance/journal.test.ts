import { describe, expect, it } from 'vitest'
import { native } from '../../lib/native/loader.js'
import { memoryStore } from '../../lib/store/memory/index.js'
import type { Store, StoreContext, TagFloor, TagJournal } from '../../lib/store/store.js'
import { emptyDir, enginesOfPath, NOW } from '../helpers/file-rig.js'

/*
 * What every journal of invalidations must do (T1 to T3 of lib/store/store.ts).
 */

const context: StoreContext = { now: () => NOW, onEvict: () => undefined, hearsEvictions: () => false }

/** The floor that counts for `tag`. */
function floorOf(journal: TagJournal, tag: string): Pick<TagFloor, 'hard' | 'soft'> {
  const floors = journal.since(0).filter((floor) => floor.tag === tag || floor.tag === '')
  const most = (of: (floor: TagFloor) => number): number => Math.max(0, ...floors.map(of))
  return { hard: most(({ hard }) => hard), soft: most(({ soft }) => soft) }
}

async function opened(store: Store): Promise<TagJournal> {
  await store.open(context)
  return store.journal!
}

const KINDS: ReadonlyArray<readonly [string, () => Store]> = [
  ...enginesOfPath().map(
    (engine) => [`file, ${engine.name}`, () => engine.make({ dir: emptyDir() })] as const,
  ),
  ...(native() === undefined
    ? []
    : [['named memory', () => memoryStore({ name: 'journal', maxBytes: '8MiB' })] as const]),
]

describe.each(KINDS)('the journal of a store: %s', (_, make) => {
  it('T1: what is added is there when the call has returned, and stays', async () => {
    const store = make()
    const journal = await opened(store)
    expect([journal.sequence, journal.latest, journal.since(0)]).toEqual([0, 0, []])
    const { version } = journal
    const kept = journal.invalidate(['a', 'ü'], false, 5, 0)
    expect(journal.version).toBeGreaterThan(version)
    expect(journal.latest).toBe(1)
    expect([floorOf(journal, 'a'), floorOf(journal, 'ü'), floorOf(journal, 'b')]).toEqual([
      { hard: 1, soft: 0 },
      { hard: 1, soft: 0 },
      { hard: 0, soft: 0 },
    ])
    await kept
    const seen = journal.version
    await journal.invalidate(['a'], true, 6, 0)
    expect(journal.since(seen)).toEqual([{ tag: 'a', hard: 1, soft: 2, at: 6 }])
    expect(journal.since(journal.version)).toEqual([])
    for (let at = 0; at < 11_000; at += 1000) {
      await journal.invalidate(
        Array.from({ length: 1000 }, (__, i) => `tag ${at + i}`),
        false,
        0,
        0,
      )
    }
    expect(floorOf(journal, 'a').hard).toBeGreaterThanOrEqual(1)
    expect(floorOf(journal, 'tag 0').hard).toBeGreaterThanOrEqual(3)
    await store.close()
  })

  it('T2, T3: numbers rise, above what they are asked to, and count once they are kept', async () => {
    const store = make()
    const journal = await opened(store)
    const first = journal.invalidate(['a'], false, 0, 40)
    expect(journal.latest).toBe(41)
    await first
    expect(journal.sequence).toBe(41)
    await journal.join([{ tag: 'b', hard: 50, soft: 7, at: 1 }], 60)
    expect([journal.sequence, journal.latest, floorOf(journal, 'b')]).toEqual([60, 60, { hard: 50, soft: 7 }])
    // What is known already changes nothing.
    await journal.join([{ tag: 'b', hard: 49, soft: 7, at: 9 }], 3)
    expect([journal.latest, floorOf(journal, 'b')]).toEqual([60, { hard: 50, soft: 7 }])
    await journal.invalidate(['a'], false, 0, 2)
    expect(floorOf(journal, 'a').hard).toBe(61)
    await store.close()
  })
})
