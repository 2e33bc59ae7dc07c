import fc from 'fast-check'
import { expect, it } from 'vitest'
import { memoryStore } from '../../../../lib/index.js'
import { native } from '../../../../lib/native/loader.js'
import { FakeClock } from '../../../helpers/clock.js'
import { leftOf, type Rig, rigOver, sharedRigs } from '../../../helpers/rig.js'
import type { SharedStore } from '../../../helpers/shared-store.js'
import { type Command, command, commandsFor, index, OPTIONS, PATIENCE, SIZES } from './commands.js'
import { SHUTDOWN, World } from './world.js'

/*
 * Caches of several threads over one memory, that also close, begin and die at any moment: answers are the last or an
 * overlapping value whichever cache gives them, the origin is called once at a time for all of them (I6), and in
 * the end no flight is under way, nothing is held and nobody has misused the store.
 */

const CACHES = { ...OPTIONS, timeouts: { ...OPTIONS.timeouts, shutdown: SHUTDOWN } }

interface Shared {
  world: World
  /** A cache in one more thread. */
  join(): Promise<void>
  overlook(at: number): void
}

type Step = (shared: Shared) => void | Promise<void>

const several = (world: World): boolean => world.live.length > 1
const closing = index.map((n) => command(`close(${n})`, (world) => world.close(n), several))

/** Commands that concern threads. */
function threadCommands(shared: { current: Shared | undefined }): fc.Arbitrary<Command>[] {
  const of = (name: string, step: Step, possible: (world: World) => boolean): Command =>
    command(name, () => step(shared.current!), possible)
  const few = (world: World): boolean => world.live.length < 4
  return [
    index.map((n) =>
      of(`die(${n})`, ({ world }) => world.die(n, ({ store }) => (store as SharedStore).die()), several),
    ),
    closing,
    fc.constant(of('join()', ({ join }) => join(), few)),
    index.map((n) =>
      of(
        `overlook(${n})`,
        ({ overlook }) => overlook(n),
        () => true,
      ),
    ),
  ]
}

it('answers over several threads with what was last, and leaves nothing', { timeout: PATIENCE }, async () => {
  const shared: { current: Shared | undefined } = { current: undefined }
  const commands = [...commandsFor(index, true), ...threadCommands(shared)]
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.boolean(),
      fc.commands(commands, { maxCommands: 80, size: 'max' }),
      async (scheduler, delayed, steps) => {
        const { memory, rigs, clock } = await sharedRigs(3, CACHES, SIZES)
        const all: Rig<SharedStore>[] = [...rigs]
        const delay = ({ store }: Rig<SharedStore>): void => {
          if (delayed) store.arrive = () => scheduler.schedule(Promise.resolve(), 'news')
        }
        all.forEach(delay)
        const world = new World(all, scheduler)
        shared.current = {
          world,
          join: async () => {
            const made = await rigOver(memory.attach(), CACHES, clock)
            delay(made)
            all.push(made)
            world.join(made)
          },
          overlook: (n) => {
            const { store } = world.live[n % world.live.length]!.rig
            ;(store as SharedStore).overlooks += 1
          },
        }
        try {
          await fc.asyncModelRun(() => ({ model: {}, real: world }), steps)
          await world.finish()
        } finally {
          for (const { store } of all) store.arrive = undefined
          await world.run(scheduler.count())
        }
        expect([...world.violations, ...(await leftOf(...all))]).toEqual([])
      },
    ),
    { numRuns: Number(process.env['SHARING_RUNS'] ?? 100) },
  )
})

/** A memory for each run: the one before may be there still. */
let memories = 0

if (native() !== undefined) {
  it('does so over the native store that several have open', { timeout: PATIENCE }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.commands([...commandsFor(index, true), closing], { maxCommands: 80, size: 'max' }),
        async (scheduler, steps) => {
          const clock = new FakeClock()
          memories += 1
          const all: Rig[] = []
          for (let i = 0; i < 3; i += 1) {
            all.push(await rigOver(memoryStore({ ...SIZES, name: `shared ${memories}` }), CACHES, clock))
          }
          const world = new World(all, scheduler)
          try {
            await fc.asyncModelRun(() => ({ model: {}, real: world }), steps)
            await world.finish()
          } finally {
            await world.run(scheduler.count())
          }
          expect([...world.violations, ...(await leftOf(...all))]).toEqual([])
        },
      ),
      { numRuns: Number(process.env['SHARING_RUNS'] ?? 50) },
    )
  })
}
