import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Heap } from '../../../lib/resilience/limiter/heap.js'
import { Place } from '../../../lib/resilience/limiter/line.js'
import {
  anyOf,
  type Flow,
  lastOfBelow,
  PATIENCE,
  PRIORITIES,
  type Priority,
  Schedule,
} from '../../../lib/resilience/limiter/schedule.js'
import { ModelSchedule } from './limiter-model.js'

class Party {
  readonly flows: Array<Flow<Waiter> | undefined> = [undefined, undefined, undefined, undefined]
  share: number

  constructor(share: number) {
    this.share = share
  }
}

class Waiter {
  readonly id: number
  readonly owner: Party
  readonly priority: Priority
  readonly level: number
  readonly weight: number
  readonly inFlow = new Place<Waiter>(this)
  readonly inLevel = new Place<Waiter>(this)

  constructor(id: number, owner: Party, priority: Priority, weight: number) {
    this.id = id
    this.owner = owner
    this.priority = priority
    this.level = PRIORITIES.indexOf(priority)
    this.weight = weight
  }
}

const entrant = fc.record({
  owner: fc.nat(3),
  priority: fc.constantFrom(...PRIORITIES),
  weight: fc.integer({ min: 1, max: 5 }),
})
const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ add: entrant }) },
  { weight: 3, arbitrary: fc.record({ flood: entrant, times: fc.integer({ min: 10, max: 100 }) }) },
  { weight: 10, arbitrary: fc.record({ grants: fc.integer({ min: 1, max: 90 }) }) },
  { weight: 3, arbitrary: fc.record({ remove: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ share: fc.integer({ min: 1, max: 5 }), of: fc.nat(3) }) },
)

describe('the schedule', () => {
  test('lets go who a scan would let go, and passes over no level more often than it may', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const schedule = new Schedule<Waiter>()
        const model = new ModelSchedule<Party, Waiter>()
        const parties = [1, 1, 2, 5].map((share) => new Party(share))
        const passedOver = { low: 0, normal: 0, high: 0, critical: 0 }
        const longest = { low: 0, normal: 0, high: 0, critical: 0 }
        let ids = 0
        const add = ({
          owner,
          priority,
          weight,
        }: {
          owner: number
          priority: Priority
          weight: number
        }): void => {
          ids += 1
          const waiter = new Waiter(ids, parties[owner]!, priority, weight)
          schedule.add(waiter)
          model.add(waiter)
        }
        for (const now of steps) {
          if ('add' in now) add(now.add)
          else if ('flood' in now) for (let at = 0; at < now.times; at += 1) add(now.flood)
          else if ('share' in now) parties[now.of]!.share = now.share
          else if ('remove' in now) {
            const waiter = model.waiting[now.remove % Math.max(1, model.waiting.length)]
            if (waiter === undefined) continue
            schedule.remove(waiter)
            model.remove(waiter)
          } else {
            for (let at = 0; at < now.grants; at += 1) {
              const next = schedule.next()
              if (next?.id !== model.next()?.id) expect(next?.id).toBe(model.next()?.id)
              if (next === undefined) break
              for (const [level, priority] of PRIORITIES.entries()) {
                const waits = priority !== next.priority && schedule.countAt(level) > 0
                passedOver[priority] = waits ? passedOver[priority] + 1 : 0
                longest[priority] = Math.max(longest[priority], passedOver[priority])
              }
              schedule.grant(next)
              model.grant(next)
            }
          }
          expect(schedule.count).toBe(model.waiting.length)
          for (const party of parties) {
            const mine = ({ owner }: Waiter): boolean => owner === party
            expect(anyOf(party) !== undefined).toBe(model.waiting.some(mine))
            for (const [level, priority] of PRIORITIES.entries()) {
              expect(lastOfBelow(party, level)).toBe(model.lastBelow(priority, mine))
            }
          }
          for (const [level, priority] of PRIORITIES.entries()) {
            const there = model.waiting.filter((one) => one.priority === priority)
            expect(schedule.countAt(level)).toBe(there.length)
            // Who comes after the last one left has not been passed over yet.
            if (there.length === 0) passedOver[priority] = 0
            expect(schedule.oldestAt(level)).toBe(there[0])
            expect(schedule.lastBelow(level)).toBe(model.lastBelow(priority, () => true))
          }
        }
        for (const priority of PRIORITIES) {
          expect(longest[priority]).toBeLessThanOrEqual(PATIENCE[priority] + 2)
        }
        // The highest has no patience: it gives way to each of the others once.
        expect(longest.critical).toBeLessThanOrEqual(3)
      }),
      { numRuns: 80 },
    )
  })

  test('shares among owners that wait all the time, by what they weigh, to within an operation of each', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 })
    const party = fc.record({ share: fc.integer({ min: 1, max: 8 }), weights })
    fc.assert(
      fc.property(fc.array(party, { minLength: 2, maxLength: 6 }), (given) => {
        const schedule = new Schedule<Waiter>()
        const parties = given.map(({ share }) => new Party(share))
        const taken = given.map(() => 0)
        const asked = given.map(() => 0)
        const ask = (at: number): void => {
          const { weights: cycle } = given[at]!
          const weight = cycle[asked[at]! % cycle.length]!
          asked[at]! += 1
          schedule.add(new Waiter(at, parties[at]!, 'normal', weight))
        }
        for (const at of given.keys()) {
          ask(at)
          ask(at)
        }
        let beyond = Number.NEGATIVE_INFINITY
        const most = given.map(({ share, weights: cycle }) => Math.max(...cycle) / share)
        for (let grants = 0; grants < 300; grants += 1) {
          const next = schedule.next()!
          schedule.grant(next)
          taken[next.id]! += next.weight / next.owner.share
          ask(next.id)
          for (const [a, one] of taken.entries()) {
            for (const [b, other] of taken.entries()) {
              if (a !== b) beyond = Math.max(beyond, Math.abs(one - other) - most[a]! - most[b]!)
            }
          }
        }
        expect(beyond).toBeLessThanOrEqual(1e-9)
      }),
    )
  })

  test('an owner that did not wait has no claim on what others were granted meanwhile', () => {
    const schedule = new Schedule<Waiter>()
    const [busy, idle] = [new Party(1), new Party(1)]
    const ask = (owner: Party): void => schedule.add(new Waiter(0, owner, 'normal', 1))
    const grant = (): Party => {
      const next = schedule.next()!
      schedule.grant(next)
      return next.owner
    }
    for (let at = 0; at < 200; at += 1) ask(busy)
    for (let at = 0; at < 100; at += 1) grant()
    for (let at = 0; at < 50; at += 1) ask(idle)
    const turns = Array.from({ length: 20 }, grant)
    expect(turns.filter((owner) => owner === idle)).toHaveLength(10)
  })
})

test('a heap gives its items in order, whatever changed and left meanwhile', () => {
  const change = fc.oneof(
    fc.record({ push: fc.integer() }),
    fc.record({ remove: fc.nat() }),
    fc.record({ move: fc.nat(), to: fc.integer() }),
  )
  fc.assert(
    fc.property(fc.array(change, { maxLength: 200, size: 'max' }), (changes) => {
      const heap = new Heap<{ at: number; key: number }>((a, b) => a.key < b.key)
      const there: Array<{ at: number; key: number }> = []
      const pick = (at: number): number => at % there.length
      for (const now of changes) {
        if ('push' in now) {
          const item = { at: -1, key: now.push }
          there.push(item)
          heap.push(item)
        } else if (there.length > 0 && 'remove' in now) {
          const [item] = there.splice(pick(now.remove), 1)
          heap.remove(item!)
          heap.remove(item!)
          expect(item!.at).toBe(-1)
        } else if (there.length > 0 && 'move' in now) {
          const item = there[pick(now.move)]!
          item.key = now.to
          heap.moved(item)
        }
        expect(heap.size).toBe(there.length)
        if (there.length > 0) expect(heap.first!.key).toBe(Math.min(...there.map(({ key }) => key)))
      }
      const out: number[] = []
      for (let first = heap.first; first !== undefined; first = heap.first) {
        out.push(first.key)
        heap.remove(first)
      }
      expect(out).toEqual(there.map(({ key }) => key).sort((a, b) => a - b))
    }),
  )
})
