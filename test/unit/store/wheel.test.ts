import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Timed, Wheel } from '../../../lib/store/memory/wheel.js'

interface Item extends Timed {
  readonly deadline: number
}

const item = (deadline: number): Item => ({ deadline, sooner: undefined, later: undefined })
const wheelOf = (): Wheel<Item> => new Wheel(({ deadline }) => deadline)

/** All that is due, taken out; calls again and again, as who needs much room does. */
function takeDue(wheel: Wheel<Item>, now: number): Item[] {
  const taken: Item[] = []
  for (let at = wheel.due(now); at !== undefined; at = wheel.due(now)) {
    wheel.remove(at)
    taken.push(at)
  }
  return taken
}

const SPANS = [1, 32, 32 ** 2, 32 ** 3, 32 ** 4, 32 ** 5, 32 ** 6, 32 ** 7, 32 ** 8]
/** Durations around the borders of every level, and beyond the last. */
const duration = fc
  .tuple(fc.constantFrom(...SPANS), fc.integer({ min: 0, max: 40 }), fc.integer({ min: -2, max: 2 }))
  .map(([span, times, more]) => Math.max(0, span * times + more))

describe('the timing wheel', () => {
  test('gives those whose deadline has come, and no others', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ add: duration }) },
      { weight: 1, arbitrary: fc.record({ past: duration }) },
      { weight: 1, arbitrary: fc.record({ remove: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ pass: duration }) },
      { weight: 1, arbitrary: fc.record({ back: duration }) },
    )
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 42 }), fc.array(step, { maxLength: 80 }), (start, steps) => {
        const wheel = wheelOf()
        const there = new Set<Item>()
        let now = start
        let latest = start
        const add = (deadline: number): void => {
          const one = item(deadline)
          wheel.add(one, now)
          there.add(one)
        }
        for (const at of steps) {
          if ('add' in at) add(now + at.add)
          else if ('past' in at) add(now - at.past)
          else if ('remove' in at) {
            const one = [...there][at.remove % Math.max(1, there.size)]
            if (one === undefined) continue
            wheel.remove(one)
            wheel.remove(one)
            there.delete(one)
          } else if ('pass' in at) now += at.pass
          else now = Math.max(0, now - at.back)
          // A clock that goes back delays: what was due by the latest time stays so, the rest waits.
          latest = Math.max(latest, now)
          if (now < latest) continue
          const due = new Set(takeDue(wheel, now))
          expect(due).toEqual(new Set([...there].filter(({ deadline }) => deadline <= now)))
          for (const one of due) there.delete(one)
          expect(wheel.count).toBe(there.size)
        }
        const end = 2 ** 53
        expect(new Set(takeDue(wheel, end))).toEqual(there)
        expect(wheel.count).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  test('goes on without a pause where very many expire at about the same time', () => {
    const start = 1_700_000_000_000
    // A time in the midst of a list of some level that has nearly all of them.
    const deadlines = Array.from({ length: 20_000 }, (_, at) => start + 3_600_000 + (at % 600_000))
    let looked = 0
    const counted = new Wheel<Item>(({ deadline }) => {
      looked += 1
      return deadline
    })
    for (const deadline of deadlines) counted.add(item(deadline), start)
    let most = 0
    const found: Item[] = []
    for (let calls = 0; calls < 100_000; calls += 1) {
      looked = 0
      const one = counted.due(start + 3_610_000)
      most = Math.max(most, looked)
      if (one === undefined && looked === 0) break
      if (one === undefined) continue
      counted.remove(one)
      found.push(one)
    }
    expect(most).toBeLessThanOrEqual(1024)
    expect(found.length).toBe(deadlines.filter((deadline) => deadline <= start + 3_610_000).length)
    expect(counted.count).toBe(deadlines.length - found.length)
  })

  test('does not look at those that have not expired', () => {
    let looked = 0
    const wheel = new Wheel<Item>(({ deadline }) => {
      looked += 1
      return deadline
    })
    const start = 1_700_000_000_000
    for (let at = 0; at < 5000; at += 1) wheel.add(item(start + 86_400_000 + at), start)
    looked = 0
    for (let ms = 0; ms < 3000; ms += 1) expect(wheel.due(start + ms)).toBeUndefined()
    expect(looked).toBe(0)
  })
})
