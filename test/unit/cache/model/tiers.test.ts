import fc from 'fast-check'
import { expect, it } from 'vitest'
import { memoryStore, type Store } from '../../../../lib/index.js'
import { jsStore } from '../../../conformance/store-kit.js'
import { type DistantCall, DistantStore } from '../../../helpers/distant-store.js'
import { leftOf, rigOverTiers } from '../../../helpers/rig.js'
import { type Command, command, commandsFor, OPTIONS, PATIENCE } from './commands.js'
import { World } from './world.js'

/*
 * As the model of one tier, over memory above a store that answers later and fails at random: whatever the tier below does, nothing that
 * was replaced or deleted comes back, by promotion or by what is written in the background (I1, I3, I5). Memory is so small that
 * entries leave it all the time, and what is below is seen.
 */

const NEAR = { maxBytes: 2 ** 20, maxItemBytes: 100_000 }
/** `TIERS_SEED=-1427942210 TIERS_RUNS=7000`: those races again, and so many. Without it each run has others. */
const { TIERS_SEED, TIERS_RUNS = '60' } = process.env
const FAR = { maxBytes: 2 ** 23, maxItemBytes: 2 ** 20 }
const CALLS: readonly DistantCall[] = [
  'find',
  'read',
  'draft',
  'write',
  'commit',
  'revise',
  'delete',
  'clear',
]

/** A first tier: with room for some values, or hardly any; or one that answers later, too. */
function nearOf(kind: string): Store {
  if (kind === 'later') return new DistantStore(NEAR)
  if (kind === 'tiny') return jsStore(300_000, NEAR.maxItemBytes)
  return memoryStore(NEAR)
}

const current: { below?: DistantStore } = {}

// A delete that fails has to be met with something to delete, and looked up after it.
const FAULTS = [...CALLS, 'delete', 'delete', 'commit'] as const

const failing: fc.Arbitrary<Command> = fc
  .constantFrom(...FAULTS)
  .map((call) => command(`fail(${call})`, () => current.below!.fail(call)))
const mending: fc.Arbitrary<Command> = fc
  .constantFrom(...CALLS)
  .map((call) => command(`mend(${call})`, () => current.below!.mend(call)))

/** All that waits goes on, so that the tier below has what is written. */
const draining = fc.constant(command('drain', (world) => world.run(200)))

for (const writePolicy of ['behind', 'through', 'first'] as const) {
  for (const promotion of ['always', 'second-hit'] as const) {
    it(`answers with what was last, whatever the tier below does: ${writePolicy}, ${promotion}`, {
      timeout: PATIENCE,
    }, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.constantFrom('memory', 'tiny', 'later'),
          fc.commands(
            [...commandsFor(fc.constant(0)), failing, failing, mending, mending, draining, draining],
            {
              maxCommands: 80,
              size: 'max',
            },
          ),
          async (scheduler, kind, steps) => {
            const below = new DistantStore(FAR)
            const near = nearOf(kind)
            const background = { concurrency: 2, queue: 3 }
            const made = await rigOverTiers(near, below, {
              ...OPTIONS,
              timeouts: { ...OPTIONS.timeouts, operation: '4s' },
              breaker: { failures: 3, openFor: '1s', openForAtMost: '2s' },
              writePolicy,
              promotion,
              background,
            })
            if (near instanceof DistantStore)
              near.arrive = (call) => scheduler.schedule(Promise.resolve(), call)
            below.arrive = (call) => scheduler.schedule(Promise.resolve(), call)
            current.below = below
            const world = new World([made], scheduler, 'injected')
            try {
              await fc.asyncModelRun(() => ({ model: {}, real: world }), steps)
              below.heal()
              await world.finish()
            } finally {
              below.heal()
              below.arrive = undefined
              if (near instanceof DistantStore) near.arrive = undefined
              await world.run(scheduler.count())
            }
            expect([...world.violations, ...(await leftOf(made))]).toEqual([])
          },
        ),
        { numRuns: Number(TIERS_RUNS), ...(TIERS_SEED === undefined ? {} : { seed: Number(TIERS_SEED) }) },
      )
    })
  }
}
