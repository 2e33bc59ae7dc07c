import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createPressure } from '../../dist/index.js'
import { median, percentile } from '../shared/statistics.mjs'
import { layOut } from '../shared/table.mjs'
import { makeGroup, removeGroup, spawnIn } from './pressure/group.mjs'

/*
 * Memory pressure rehearsed in a real control group: a process that caches, and in which something else takes the memory
 * until little is left of what its group may have. Skipped, and said so, where no group can be made: it wants Linux, and root or a group
 * that was delegated.
 */

const MiB = 2 ** 20
const LIMIT = 384 * MiB
const STORE = 160 * MiB
const CHILD = fileURLToPath(new URL('pressure/child.mjs', import.meta.url))

const mib = (bytes) => `${(bytes / MiB).toFixed(0)} MiB`

/** Microseconds that samples of this process take, in a process that does nothing else. */
function sampleCosts() {
  const pressure = createPressure()
  const costs = []
  for (let at = 0; at < 6000; at += 1) {
    const begun = performance.now()
    pressure.sample()
    if (at >= 1000) costs.push((performance.now() - begun) * 1000)
  }
  return costs
}

/** @param {{ say: (text?: string) => void }} how */
export async function run({ say }) {
  const costs = sampleCosts()
  say(
    `  a sample takes ${median(costs).toFixed(1)} µs, ${percentile(costs, 0.99).toFixed(1)} µs at p99, when nothing is short`,
  )
  const { group, version, why } = makeGroup(LIMIT)
  if (group === undefined) {
    say(`  skipped: ${why}`)
    return { figures: { sampleUs: median(costs), skipped: why }, claims: [] }
  }
  say(
    `  a control group (version ${version}) of ${mib(LIMIT)}, a memory store of ${mib(STORE)}, requests all the while`,
  )
  const lines = []
  try {
    const child = spawnIn(group, ['--expose-gc', CHILD, String(STORE)])
    const exited = once(child, 'exit')
    for await (const line of createInterface({ input: child.stdout })) lines.push(JSON.parse(line))
    const [code, signal] = await exited
    if (code !== 0)
      throw new Error(`the process ended with ${signal ?? code}: it may have been killed for its memory`)
  } finally {
    await removeGroup(group)
  }
  const done = lines.at(-1)
  const rows = lines
    .filter(({ level }) => level !== undefined)
    .map(({ at, event, level, factor, ratio, source, store, taken, rss }) => [
      `${(at / 1000).toFixed(1)} s`,
      event,
      level,
      String(factor),
      ratio.toFixed(3),
      source,
      mib(store),
      mib(taken),
      mib(rss),
    ])
  say()
  say(layOut(['at', '', 'level', 'factor', 'ratio', 'source', 'store', 'taken', 'resident'], rows))
  const { samples, cost } = done.pressure
  say(
    `  ${done.engine} engine; ${samples} samples of ${((cost.total / samples) * 1000).toFixed(0)} µs each on average, the longest ${cost.longest.toFixed(2)} ms (with the turns that other processes took in between); event loop late by ${done.loopMs.p99.toFixed(1)} ms at p99, ${done.loopMs.max.toFixed(1)} ms at most`,
  )
  return {
    figures: { sampleUs: median(costs), version, lines },
    claims: [
      {
        claim: 'at critical the store keeps to a fifth of its bound',
        measured: `${mib(done.most)} of ${mib(STORE)}`,
        holds: done.gaveWay && done.most <= 0.2 * STORE,
      },
      {
        claim: 'no request fails',
        measured: `${done.failures} of ${done.requests}`,
        holds: done.failures === 0,
      },
      {
        claim: 'it grows back when the memory is there again',
        measured: mib(rows.length === 0 ? 0 : lines.findLast(({ event }) => event === 'grown back').store),
        holds: done.calm && done.grown,
      },
    ],
  }
}
