import fc from 'fast-check'
import { expect } from 'vitest'
import { type Plan, PRIVATE_KEY, WAYS, type Way, type World } from './world.js'

/*
 * What can be done to the caches of a world, in any order.
 */

export type Command = fc.AsyncCommand<object, World>

const key = fc.constantFrom('a', 'b', PRIVATE_KEY)
const size = fc.constantFrom(0, 10, 30_000, 65_500, 65_536, 66_000, 120_000)
const ttl = fc.constantFrom(0, 1_000, 1_000_000)
const way = fc.constantFrom<Way>(...WAYS)
export const index = fc.nat({ max: 20 })
const plan: fc.Arbitrary<Plan> = fc.record({
  answer: fc.constantFrom('body', 'body', 'body', 'confirm', 'not-found', 'throw'),
  size,
  kind: index,
  declared: fc.boolean(),
  ttl,
  alone: fc.boolean(),
})

/** A command that is always possible, or only when `possible`. */
export function command(
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

export const show = (...values: unknown[]): string => values.map((value) => JSON.stringify(value)).join(', ')

/** Commands for caches that `at` chooses; `tagged` ones can be invalidated by tag. */
export function commandsFor(at: fc.Arbitrary<number>, tagged = false): fc.Arbitrary<Command>[] {
  const fetching = fc
    .tuple(key, plan, way, at)
    .map(([k, p, w, n]) => command(`fetch(${show(k, p, w, n)})`, (world) => world.fetch(k, p, w, n)))
  const running = fc.nat({ max: 6 }).map((n) => command(`run(${n})`, (world) => world.run(n)))
  return [
    fetching,
    fetching,
    fc
      .tuple(key, way, at)
      .map(([k, w, n]) => command(`get(${show(k, w, n)})`, (world) => world.get(k, w, n))),
    fc
      .tuple(key, size, ttl, at)
      .map(([k, s, t, n]) => command(`set(${show(k, s, t, n)})`, (world) => world.set(k, s, t, n))),
    fc
      .tuple(key, size, index, at)
      .map(([k, s, i, n]) =>
        command(`setStream(${show(k, s, i, n)})`, (world) => world.setStream(k, s, i, n)),
      ),
    ...(tagged
      ? [
          fc
            .tuple(key, at)
            .map(([k, n]) => command(`invalidate(${show(k, n)})`, (world) => world.invalidate(k, n))),
        ]
      : []),
    fc
      .tuple(key, plan, at)
      .map(([k, p, n]) => command(`refresh(${show(k, p, n)})`, (world) => world.refresh(k, p, n))),
    fc.tuple(key, at).map(([k, n]) => command(`delete(${show(k, n)})`, (world) => world.delete(k, n))),
    at.map((n) => command(`clear(${n})`, (world) => world.clear(n))),
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
    running,
    running,
    // Other keys, so that those of the model are evicted.
    fc
      .tuple(index, at)
      .map(([i, n]) => command(`press(${show(i, n)})`, (world) => world.set(`x${i}`, 120_000, 1_000_000, n))),
  ]
}

/**
 * A property that was given up goes on behind the next test, whose caches are then found beside its own: so long, in ms,
 * that no load of the machine comes to it.
 */
export const PATIENCE = 600_000

export const OPTIONS = {
  freshness: { ttl: 10_000, staleWhileRevalidate: 2_000, staleIfError: 3_000, negativeTtl: 1_000 },
  timeouts: { operation: '1d', firstByte: '1d', fill: '1d', idle: '1d' },
}
export const SIZES = { maxBytes: 2 ** 21, maxItemBytes: 2 ** 18 }
