import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DistantStore } from '../../../helpers/distant-store.js'
import { leftOf, overStores, rig } from '../../../helpers/rig.js'
import { commandsFor, OPTIONS, PATIENCE, SIZES } from './commands.js'
import { World } from './world.js'

/*
 * Random interleavings of all that can be done to a cache, against a history: an answer is the last value or an overlapping
 * one, or a miss; never torn, never whole when its body broke off; one call of the origin at a time; and
 * in the end nothing is left.
 */

const commands = commandsFor(fc.constant(0))
const tagged = commandsFor(fc.constant(0), true)

overStores((kind) => {
  it('answers, whatever happens, with what was last, and leaves nothing', { timeout: PATIENCE }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.commands(kind === 'shared' ? commands : tagged, { maxCommands: 80, size: 'max' }),
        async (scheduler, steps) => {
          const made = await rig(kind, OPTIONS, SIZES)
          const store = made.below ?? made.store
          // Once it is open, all that the store does waits for the scheduler.
          if (store instanceof DistantStore) {
            store.arrive = (call) => scheduler.schedule(Promise.resolve(), call)
          }
          const world = new World([made], scheduler)
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
