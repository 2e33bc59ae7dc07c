import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { memoryStore } from '../../../lib/store/memory/index.js'
import { type Lowerable, lowerTo } from '../../../lib/store/memory/lowering.js'
import { bytesOf, mustPut } from '../../conformance/store-kit.js'

const MiB = 2 ** 20
/** What an entry takes at least. */
const LEAST = 100
/** What a turn gives up at most: 2,048 entries and those of one step of 256 KiB, or 8 MiB and what is larger of the last entry of it. */
const MOST_ENTRIES = 2048 + 2 ** 18 / LEAST + 1

/** Entries of those sizes, the first to go first. */
function storeOf(sizes: readonly number[], maxBytes: number) {
  let [bound, first, bytes] = [maxBytes, 0, sizes.reduce((sum, size) => sum + size, 0)]
  const bounds: number[] = []
  const store: Lowerable = {
    bound: () => ({ maxBytes: bound, bytes, entries: sizes.length - first }),
    lower(from, to) {
      expect(from).toBe(bound)
      expect(to).toBeLessThan(from)
      bound = to
      bounds.push(to)
      while (bytes > bound) {
        bytes -= sizes[first]!
        first += 1
      }
      return true
    },
  }
  return { store, bounds, entries: () => sizes.length - first, bytes: () => bytes }
}

/** Turns that were asked for, to be taken one by one. */
function turnsInHand() {
  const asked: Array<() => void> = []
  return {
    later: (turn: () => void) => void asked.push(turn),
    /** Whether there was one. */
    take(): boolean {
      const turn = asked.shift()
      turn?.()
      expect(asked.length).toBeLessThanOrEqual(1)
      return turn !== undefined
    },
  }
}

describe('a bound that is lowered by much', () => {
  test('gives up so many entries and bytes in a turn, and no more, whatever sizes go first', async () => {
    const size = fc.oneof(
      { weight: 3, arbitrary: fc.integer({ min: LEAST, max: 300 }) },
      fc.integer({ min: 1000, max: 5000 }),
      fc.integer({ min: MiB / 2, max: MiB }),
    )
    const runs = fc.array(fc.tuple(size, fc.integer({ min: 1, max: 20_000 })), {
      minLength: 1,
      maxLength: 12,
    })
    await fc.assert(
      fc.asyncProperty(runs, fc.double({ min: 0, max: 1, noNaN: true }), async (lengths, part) => {
        const sizes = lengths.flatMap(([one, count]) => {
          return Array.from({ length: one > MiB / 4 ? count % 50 : count }, () => one)
        })
        const all = sizes.reduce((sum, one) => sum + one, 0)
        const { store, bounds, entries, bytes } = storeOf(sizes, all + 1000)
        const goal = Math.floor(all * part)
        const { later, take } = turnsInHand()
        const turn = (step: () => unknown): void => {
          const [hadEntries, hadBytes] = [entries(), bytes()]
          step()
          expect(hadEntries - entries()).toBeLessThanOrEqual(MOST_ENTRIES)
          expect(hadBytes - bytes()).toBeLessThanOrEqual(8 * MiB + 2 * MiB)
        }
        let done: unknown
        turn(() => {
          done = lowerTo(store, goal, later)
        })
        for (let more = done !== undefined; more; ) {
          turn(() => {
            more = take()
          })
        }
        await done
        expect(store.bound().maxBytes).toBe(goal)
        expect(bytes()).toBeLessThanOrEqual(goal)
        expect(bounds).toEqual(bounds.toSorted((a, b) => b - a))
      }),
      { numRuns: 40 },
    )
  })

  test('who changes it otherwise meanwhile ends it; what fails is told', async () => {
    const { store } = storeOf(Array(10_000).fill(LEAST), MiB)
    const { later, take } = turnsInHand()
    const done = lowerTo({ ...store, lower: () => false }, 0, later)
    expect(done).toBeUndefined()
    let fails = false
    const lower: Lowerable['lower'] = (from, to) => {
      if (fails) throw new Error('mine')
      return store.lower(from, to)
    }
    const failing = lowerTo({ ...store, lower }, 0, later)
    fails = true
    while (take());
    await expect(failing).rejects.toThrow('mine')
  })
})

test('the store of this run gives up so many in a turn', async () => {
  vi.useFakeTimers({ toFake: ['setImmediate'] })
  try {
    const store = memoryStore({ maxBytes: 32 * MiB, policy: 'lru' })
    store.open({ now: () => 1, onEvict: () => undefined, hearsEvictions: () => false })
    for (let at = 0; at < 30_000; at += 1) await mustPut(store, `key ${at}`, bytesOf(300, at))
    const lost: number[] = []
    let had = store.stats().entries
    const done = store.configure({ maxBytes: 2 * MiB }).apply()
    for (; ; vi.advanceTimersToNextTimer()) {
      const { entries } = store.stats()
      lost.push(had - entries)
      had = entries
      if (vi.getTimerCount() === 0) break
    }
    await done
    expect(store.stats().maxBytes).toBe(2 * MiB)
    expect(lost.length).toBeGreaterThan(5)
    expect(Math.max(...lost)).toBeLessThanOrEqual(MOST_ENTRIES)
    await store.close()
  } finally {
    vi.useRealTimers()
  }
})
