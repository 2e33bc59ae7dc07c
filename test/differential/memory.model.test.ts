import fc from 'fast-check'
import { describe, test } from 'vitest'
import { type Command, clearing, memoryCommands, policies } from './memory/commands.js'
import { ENGINES, type Engine, type Making } from './memory/engines.js'
import { largeSizes, sizes } from './memory/values.js'
import { MemoryWorld } from './memory/world.js'

/*
 * Each engine of the memory store, driven by the contract of a store alone, against a Map: a miss is always allowed where
 * there is no room, and a wrong byte never.
 */

const MiB = 2 ** 20
const RUNS = Number(process.env['MODEL_RUNS'] ?? 1)

interface Scene {
  readonly most: number
  readonly least: number
  readonly sizes: fc.Arbitrary<number>
  readonly ample: boolean
  readonly runs: number
  readonly maxCommands: number
}

const SCENES: ReadonlyArray<readonly [string, Scene]> = [
  [
    'in a store that is always full',
    { least: MiB, most: 2 * MiB, sizes, ample: false, runs: 100, maxCommands: 100 },
  ],
  [
    'in a store with room for all',
    { least: 96 * MiB, most: 128 * MiB, sizes, ample: true, runs: 30, maxCommands: 60 },
  ],
  [
    'with values beyond what one view shows',
    { least: 18 * MiB, most: 24 * MiB, sizes: largeSizes, ample: false, runs: 12, maxCommands: 60 },
  ],
]

function makings({ least, most }: Scene): fc.Arbitrary<Making> {
  return fc.record({
    maxBytes: fc.integer({ min: least, max: most }),
    // An eighth, or as much as there is.
    maxItemBytes: fc.constantFrom(Math.floor(least / 8), Math.floor(least / 3)),
    policy: policies(),
  })
}

async function property(engine: Engine, scene: Scene): Promise<void> {
  const making = makings(scene)
  const commands = memoryCommands<MemoryWorld>(
    scene.sizes,
    making,
    () => undefined,
    () => undefined,
  )
  const steps: fc.Arbitrary<Command<MemoryWorld>>[] = [...commands, ...commands, clearing()]
  await fc.assert(
    fc.asyncProperty(
      making,
      fc.commands(steps, { maxCommands: scene.maxCommands, size: 'max' }),
      async (made, run) => {
        const world = new MemoryWorld(engine, made, scene.ample)
        try {
          await fc.asyncModelRun(() => ({ model: {}, real: world }), run)
          world.finish()
        } finally {
          world.close()
        }
      },
    ),
    { numRuns: Math.ceil(scene.runs * RUNS) },
  )
}

for (const engine of ENGINES) {
  describe(`${engine.name} against a map`, () => {
    test.each(SCENES)('%s', { timeout: 120_000 }, (_, scene) => property(engine, scene))
  })
}
