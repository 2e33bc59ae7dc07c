import fc from 'fast-check'
import { describe, test } from 'vitest'
import { clearing, memoryCommands, policies } from './memory/commands.js'
import { ENGINES, type Engine } from './memory/engines.js'
import { flightCommands } from './memory/flight-commands.js'
import { FlightWorld } from './memory/flight-world.js'
import { sizes } from './memory/values.js'

/*
 * What those who share a memory see of each other's fills, against a model: one leads at a time (I6), a change in one
 * fences the fills of all (I5), a body is read while it grows, and of all that happens everybody is told.
 */

const MiB = 2 ** 20
const RUNS = Number(process.env['MODEL_RUNS'] ?? 1)

const making = fc.record({
  maxBytes: fc.integer({ min: MiB, max: 2 * MiB }),
  maxItemBytes: fc.constant(200_000),
  policy: policies(),
})

async function property(engine: Engine): Promise<void> {
  const memory = memoryCommands<FlightWorld>(
    sizes,
    making,
    (world, { key, flight }) => {
      const led = world.leading.find((each) => each.flight === flight)
      if (led === undefined) world.wrote(key)
      else world.committed(led)
    },
    (world, key) => world.wrote(key),
  )
  const flights = flightCommands(sizes)
  const steps = [...memory, ...flights, ...flights, ...flights, clearing<FlightWorld>()]
  await fc.assert(
    fc.asyncProperty(making, fc.commands(steps, { maxCommands: 120, size: 'max' }), async (made, run) => {
      const world = new FlightWorld(engine, made, false)
      try {
        await fc.asyncModelRun(() => ({ model: {}, real: world }), run)
        await world.settle()
        world.finish()
      } finally {
        world.close()
      }
    }),
    { numRuns: 100 * RUNS },
  )
}

const shared = ENGINES.filter(({ shares }) => shares > 1)
describe.skipIf(shared.length === 0)('flights', () => {
  test.each(shared)('of $name', { timeout: 120_000 }, property)
})
