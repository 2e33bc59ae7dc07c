import fc from 'fast-check'
import { expect, it } from 'vitest'
import { memoryStore } from '../../../../lib/index.js'
import { DistantStore } from '../../../helpers/distant-store.js'
import { leftOf, overStores, rigOver } from '../../../helpers/rig.js'
import { type Plan, PRIVATE_KEY, WAYS, type Way, World } from './world.js'

/*
 * Random interleavings of all that can be done to a cache, against a history: an answer is the last value or an overlapping
 * one, or a miss; never torn, never whole when its body broke off; one call of the origin at a time; and
 * in the end nothing is left.
 */

type Command = fc.AsyncCommand<object, World>

const key = fc.constantFrom('a', 'b', PRIVATE_KEY)
const size = fc.constantFrom(0, 10, 30_000, 65_500, 65_536, 66_000, 120_000)
const ttl = fc.constantFrom(0, 1_000, 1_000_000)
const way = fc.constantFrom<Way>(...WAYS)
const index = fc.nat({ max: 20 })
const plan: fc.Arbitrary<Plan> = fc.record({
  answer: fc.constantFrom('body', 'body', 'body', 'confirm', 'not-found', 'throw'),
  size,
  kind: index,
  declared: fc.boolean(),
  ttl,
  alone: fc.boolean(),
})

/** A command that is always possible, or only when `possible`. */
function command(
  name: string,
  run: (world: World) => void | Promise<void>,
  possible: (world: World) => boolean = () => true,
): Command {
  return {
    check: () => true,
    run: async (_, world) => {
      if (possible(world)) await run(world)
      expect(world.violations).toEqual([])
    },
    toString: () => name,
  }
}

const show = (...values: unknown[]): string => values.map((value) => JSON.stringify(value)).join(', ')

const commands: fc.Arbitrary<Command>[] = [
  fc
    .tuple(key, plan, way)
    .map(([k, p, w]) => command(`fetch(${show(k, p, w)})`, (world) => world.fetch(k, p, w))),
  fc
    .tuple(key, plan, way)
    .map(([k, p, w]) => command(`fetch(${show(k, p, w)})`, (world) => world.fetch(k, p, w))),
  fc.tuple(key, way).map(([k, w]) => command(`get(${show(k, w)})`, (world) => world.get(k, w))),
  fc
    .tuple(key, size, ttl)
    .map(([k, s, t]) => command(`set(${show(k, s, t)})`, (world) => world.set(k, s, t))),
  fc
    .tuple(key, size, index)
    .map(([k, s, n]) => command(`setStream(${show(k, s, n)})`, (world) => world.setStream(k, s, n))),
  key.map((k) => command(`delete(${show(k)})`, (world) => world.delete(k))),
  fc.constant(command('clear()', (world) => world.clear())),
  fc.tuple(index, fc.constantFrom('piece', 'piece', 'rest', 'cut')).map(([n, how]) =>
    command(
      `send(${show(n, how)})`,
      (world) => world.send(n, how as 'piece'),
      (world) => world.sendings.length > 0,
    ),
  ),
  index.map((n) =>
    command(
      `abort(${n})`,
      (world) => world.abort(n),
      (world) => world.callers.length > 0,
    ),
  ),
  fc.constantFrom(1, 999, 5_000).map((ms) => command(`advance(${ms})`, (world) => world.advance(ms))),
  fc.nat({ max: 6 }).map((n) => command(`run(${n})`, (world) => world.run(n))),
  fc.nat({ max: 6 }).map((n) => command(`run(${n})`, (world) => world.run(n))),
  // Other keys, so that those of the model are evicted.
  index.map((n) => command(`press(${n})`, (world) => world.set(`x${n}`, 120_000, 1_000_000))),
]

const OPTIONS = {
  freshness: { ttl: 10_000, staleIfError: 3_000, negativeTtl: 1_000 },
  timeouts: { firstByte: '1d', fill: '1d', idle: '1d' },
}
const SIZES = { maxBytes: 2 ** 21, maxItemBytes: 2 ** 18 }

overStores((kind) => {
  it('answers, whatever happens, with what was last, and leaves nothing', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.commands(commands, { maxCommands: 80, size: 'max' }),
        async (scheduler, steps) => {
          const store = kind === 'memory' ? memoryStore(SIZES) : new DistantStore(SIZES)
          const made = await rigOver(store, OPTIONS)
          // Once it is open, all that the store does waits for the scheduler.
          if (store instanceof DistantStore) {
            store.arrive = (call) => scheduler.schedule(Promise.resolve(), call)
          }
          const world = new World(made, scheduler)
          try {
            await fc.asyncModelRun(() => ({ model: {}, real: world }), steps)
            await world.finish()
          } finally {
            if (store instanceof DistantStore) store.arrive = undefined
            await world.run(scheduler.count())
          }
          expect([...world.violations, ...(await leftOf(made))]).toEqual([])
        },
      ),
      { numRuns: 100 },
    )
  })
})
