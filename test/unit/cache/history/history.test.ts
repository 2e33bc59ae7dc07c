import { expect, it } from 'vitest'
import { fileStore, memoryStore, type Store, type WritePolicy } from '../../../../lib/index.js'
import { until } from '../../../helpers/gate.js'
import { story, violations } from '../../../helpers/history.js'
import { client } from './client.js'
import { randomOf, setupOf, World } from './world.js'

/*
 * 16 clients of one cache, that is closed and opened again and dies meanwhile: whatever they do, each answer is a miss, or a value that can be
 * (I1, I2, I5, I7). HISTORY_ROUNDS says how many caches, and HISTORY_SEED which is the first.
 */

const CLIENTS = 16
const STEPS = 30
const ROUNDS = Number(process.env['HISTORY_ROUNDS'] ?? 2)
/** As with `DREY_SEED`: the same each time, or others. */
const FIRST = Number(process.env['HISTORY_SEED'] ?? process.env['DREY_SEED'] ?? Date.now() % 1_000_000_000)

const memory = (): Store => memoryStore({ maxBytes: '1MiB', maxItemBytes: 100_000 })
const file = (dir: string): Store => fileStore({ dir, maxBytes: '8MiB', minFree: 0 })

const STORES = {
  memory: () => [memory()],
  file: (dir: string) => [file(dir)],
  tiers: (dir: string) => [memory(), file(dir)],
  'three tiers': (dir: string) => [
    memoryStore({ maxBytes: '1MiB', maxItemBytes: 20_000 }),
    memory(),
    file(dir),
  ],
} as const

async function round(kind: keyof typeof STORES, writePolicy: WritePolicy, seed: number): Promise<World> {
  const world = new World({ ...setupOf(kind, writePolicy), tiers: STORES[kind] })
  const random = randomOf(seed)
  let left = CLIENTS
  const clients = Array.from({ length: CLIENTS }, (_, at) =>
    client({
      world,
      random: randomOf(seed * CLIENTS + at),
      steps: STEPS,
    }).finally(() => {
      left -= 1
    }),
  )
  const all = Promise.all(clients)
  // It is awaited below.
  all.catch(() => undefined)
  for (let restarts = kind === 'memory' ? 0 : 3; restarts > 0; restarts -= 1) {
    const from = world.values.length + 20 + random(60)
    await until(() => left === 0 || world.values.length >= from, 'there was something to do')
    await (random(2) === 0 ? world.reopen() : world.kill())
  }
  try {
    await all
  } finally {
    await world.close()
  }
  return world
}

const CASES = [
  ['memory', 'behind'],
  ['file', 'behind'],
  ['tiers', 'behind'],
  ['tiers', 'through'],
  ['tiers', 'first'],
  ['three tiers', 'behind'],
] as const

it.each(CASES)(
  'each answer is one that can be: %s, %s',
  async (kind, writePolicy) => {
    let [reads, writes] = [0, 0]
    for (let seed = FIRST; seed < FIRST + ROUNDS; seed += 1) {
      const world = await round(kind, writePolicy, seed).catch((error: unknown) => {
        throw new Error(`HISTORY_SEED=${seed}: ${(error as Error).message}`, { cause: error })
      })
      const wrong = violations(world)
      const [, key, end] = /^(\w+):.* at \d+-(\d+)/.exec(wrong[0] ?? '') ?? []
      const told = key === undefined ? '' : story(world, key, Number(end))
      expect(wrong, `HISTORY_SEED=${seed}\n${told}\n`).toEqual([])
      reads += world.reads.length
      writes += world.values.length
    }
    expect(reads).toBeGreaterThan(ROUNDS * 20)
    console.log(`${kind}, ${writePolicy}: from HISTORY_SEED=${FIRST}, ${reads} reads of ${writes} values`)
  },
  60_000 + ROUNDS * 10_000,
)
