import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DreyError } from '../../../lib/errors.js'
import {
  createLimiter,
  type LimiterOwner,
  type Permit,
  PRIORITIES,
} from '../../../lib/resilience/limiter/limiter.js'
import { FakeClock } from '../../helpers/clock.js'
import { type Asked, type Fate, ModelLimiter, type ModelOwner } from './limiter-model.js'

const WEIGHTS = [1, 1, 1, 2, 3, 7]
const TIMEOUTS = [3, 10, 50, Number.POSITIVE_INFINITY]
const OWNERS = 3

const operation = fc.record({
  owner: fc.nat(OWNERS),
  priority: fc.constantFrom(...PRIORITIES),
  weight: fc.constantFrom(...WEIGHTS),
  waitTimeout: fc.constantFrom(...TIMEOUTS),
  holdTimeout: fc.constantFrom(...TIMEOUTS),
})

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ ask: operation, aborted: fc.constantFrom(false, false, false, true) }),
  },
  { weight: 6, arbitrary: fc.record({ flood: operation, times: fc.integer({ min: 2, max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ tryAsk: operation }) },
  { weight: 10, arbitrary: fc.record({ release: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ drain: fc.integer({ min: 2, max: 25 }) }) },
  { weight: 3, arbitrary: fc.record({ abort: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ abortFirst: fc.constant(true) }) },
  { weight: 4, arbitrary: fc.record({ advance: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ concurrency: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ queue: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ factor: fc.constantFrom(1, 0.9, 0.7, 0.5, 0.2) }) },
  { weight: 1, arbitrary: fc.record({ share: fc.integer({ min: 1, max: 5 }), of: fc.nat(OWNERS - 1) }) },
  { weight: 1, arbitrary: fc.record({ ownQueue: fc.nat(12), of: fc.nat(OWNERS - 1) }) },
  { weight: 1, arbitrary: fc.record({ closeOwner: fc.nat(OWNERS - 1), sure: fc.nat(3) }) },
)

test('does what the plain model does, on the same calls', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.nat(40),
      fc.array(step, { maxLength: 60, size: 'max' }),
      async (concurrency, queue, steps) => {
        const clock = new FakeClock()
        const limiter = createLimiter({ concurrency, queue }, clock)
        const model = new ModelLimiter(concurrency, queue)
        // The last stands for those who name no owner.
        const owners: Array<LimiterOwner | undefined> = []
        const modelOwners: ModelOwner[] = []
        for (let at = 0; at <= OWNERS; at += 1) {
          owners.push(at === OWNERS ? undefined : limiter.owner())
          modelOwners.push({ share: 1, queue: Number.POSITIVE_INFINITY, closed: false })
        }
        const permits = new Map<number, Permit>()
        const signals = new Map<number, AbortController>()
        let fates: Array<readonly [number, Fate]> = []
        let ids = 0

        const both = (asked: typeof operation extends fc.Arbitrary<infer T> ? T : never): [Asked, number] => {
          ids += 1
          return [{ ...asked, id: ids, owner: modelOwners[asked.owner]! }, asked.owner]
        }
        const ask = (wanted: Parameters<typeof both>[0], aborted: boolean): void => {
          const [asked, owner] = both(wanted)
          const { id } = asked
          const controller = new AbortController()
          signals.set(id, controller)
          if (aborted) controller.abort()
          model.ask(asked, aborted)
          limiter.acquire({ ...asked, owner: owners[owner], signal: controller.signal }).then(
            (permit) => {
              fates.push([id, 'granted'])
              permits.set(id, permit)
            },
            (error: DreyError) => void fates.push([id, error.code as Fate]),
          )
        }
        const release = (at: number): void => {
          const id = [...permits.keys()][at % Math.max(1, permits.size)]
          if (id === undefined) return
          model.release(id)
          permits.get(id)!.release()
          permits.delete(id)
        }

        const settle = async (): Promise<void> => {
          await new Promise(setImmediate)
          const order = (list: Array<readonly [number, Fate]>): number[] =>
            list.filter(([, fate]) => fate === 'granted').map(([id]) => id)
          const rest = (list: Array<readonly [number, Fate]>): unknown[] =>
            list.filter(([, fate]) => fate !== 'granted').toSorted(([a], [b]) => a - b)
          expect(order(fates)).toEqual(order(model.fates))
          expect(rest(fates)).toEqual(rest(model.fates))
          fates = []
          model.fates.length = 0
          const waiting = { low: 0, normal: 0, high: 0, critical: 0 }
          for (const { priority } of model.waiting) waiting[priority] += 1
          expect(limiter.stats()).toEqual({
            concurrency: model.concurrency,
            factor: model.factor,
            limit: model.limit,
            active: model.active,
            holders: model.holding.length,
            overdue: model.holding.filter(({ overdue }) => overdue).length,
            waiting,
            queue: model.queue,
            ...model.counts,
            longestWait: expect.any(Number),
          })
          for (const [at, owner] of owners.entries()) {
            const mine = <T extends Asked>(list: readonly T[]): T[] =>
              list.filter((one) => one.owner === modelOwners[at])
            const active = mine(model.holding).reduce((sum, { weight }) => sum + weight, 0)
            if (owner !== undefined)
              expect(owner.stats()).toEqual({ active, waiting: mine(model.waiting).length })
          }
          const deadlines = [...model.waiting, ...model.holding.filter(({ overdue }) => !overdue)]
          expect(clock.pending).toBe(deadlines.some(({ deadline }) => deadline < Infinity) ? 1 : 0)
        }

        for (const now of steps) {
          if ('ask' in now) ask(now.ask, now.aborted)
          else if ('flood' in now) for (let at = 0; at < now.times; at += 1) ask(now.flood, false)
          else if ('tryAsk' in now) {
            const [asked, owner] = both(now.tryAsk)
            if (asked.owner.closed) continue
            const permit = limiter.tryAcquire({ ...asked, owner: owners[owner] })
            expect(permit !== undefined).toBe(model.tryAsk(asked))
            if (permit !== undefined) permits.set(asked.id, permit)
            model.fates.length -= permit === undefined ? 0 : 1
          } else if ('release' in now) release(now.release)
          else if ('drain' in now) {
            for (let at = 0; at < now.drain; at += 1) {
              release(0)
              await settle()
            }
          } else if ('abortFirst' in now) {
            // Of those that wait, so that what it kept waiting has its turn.
            const [first] = model.waiting
            if (first === undefined) continue
            model.abort(first.id)
            signals.get(first.id)!.abort()
          } else if ('abort' in now) {
            const ids = [...signals.keys()]
            const id = ids[now.abort % Math.max(1, ids.length)]
            if (id === undefined) continue
            model.abort(id)
            signals.get(id)!.abort()
            signals.delete(id)
          } else if ('advance' in now) {
            model.advance(now.advance)
            clock.advance(now.advance)
          } else if ('concurrency' in now || 'queue' in now) {
            model.configure(now)
            limiter.configure(now)
          } else if ('factor' in now) {
            model.configure(now)
            limiter.setFactor(now.factor)
          } else if ('share' in now) {
            modelOwners[now.of]!.share = now.share
            owners[now.of]!.configure({ share: now.share })
          } else if ('ownQueue' in now) {
            modelOwners[now.of]!.queue = now.ownQueue
            owners[now.of]!.configure({ queue: now.ownQueue })
          } else if (now.sure === 0) {
            model.closeOwner(modelOwners[now.closeOwner]!)
            void owners[now.closeOwner]!.close()
          }
          await settle()
        }

        model.close()
        const closed = limiter.close()
        await settle()
        while (permits.size > 0) release(0)
        await closed
        await settle()
        expect([limiter.stats().active, clock.pending]).toEqual([0, 0])
      },
    ),
    { numRuns: 50 },
  )
})
