import { createPolicy } from '../../dist/policy/create.js'
import { randomFrom } from '../shared/random.mjs'
import { median } from '../shared/statistics.mjs'
import { CALL, playNative } from './native.mjs'
import { always, Node } from './simulate.mjs'
import { UNIT } from './traces.mjs'

/*
 * What a hit and an eviction cost by themselves: the calls of the policy alone, on entries that are at hand.
 * Hits are spread by Zipf's law, as most caches see them.
 */

const ENTRIES = 100_000

/**
 * Ids in the order in which Zipf's law, with an exponent close to 1, asks for them; the popular ones lie
 * scattered.
 */
function zipf(count) {
  const random = randomFrom(1)
  const places = Uint32Array.from({ length: ENTRIES }, (_, at) => at)
  for (let at = ENTRIES - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1))
    const place = places[at]
    places[at] = places[other]
    places[other] = place
  }
  return Uint32Array.from({ length: count }, () => places[Math.floor((ENTRIES + 1) ** random()) - 1])
}

function measureJs(name, uses, evictions) {
  const capacity = ENTRIES * UNIT
  const policy = createPolicy(name, capacity, always)
  const nodes = Array.from({ length: ENTRIES }, (_, id) => new Node(id, UNIT))
  for (const node of nodes) policy.add(node)
  let start = process.hrtime.bigint()
  for (let at = 0; at < uses.length; at += 1) policy.touch(nodes[uses[at]])
  const hit = Number(process.hrtime.bigint() - start) / uses.length
  const more = Array.from({ length: evictions }, (_, id) => new Node(ENTRIES + id, UNIT))
  start = process.hrtime.bigint()
  for (let at = 0; at < evictions; at += 1) {
    policy.evict()
    policy.add(more[at])
  }
  return { hit, replacement: Number(process.hrtime.bigint() - start) / evictions }
}

function measureNative(name, uses, evictions) {
  const adds = Array.from({ length: ENTRIES }, (_, id) => [CALL.add, id, UNIT])
  const touches = Array.from(uses, (id) => [CALL.touch, id, 0])
  const replacements = Array.from({ length: evictions }, (_, id) => [
    [CALL.evict, 0, 0],
    [CALL.add, ENTRIES + id, UNIT],
  ]).flat()
  // Nanoseconds of a run of calls; the difference of two runs is what the second has more.
  const run = (calls) => {
    const words = Uint32Array.from(calls.flat())
    const [outcome] = playNative('calls', words, [name], [ENTRIES * UNIT]).values()
    return outcome.ns * calls.length
  }
  const filled = run(adds)
  const used = run([...adds, ...touches])
  return {
    hit: (used - filled) / touches.length,
    replacement: (run([...adds, ...touches, ...replacements]) - used) / evictions,
  }
}

/**
 * Nanoseconds of a hit, and of an eviction with the addition that needed it, after the hits: the median of
 * some runs.
 *
 * @param {'js' | 'native'} language
 * @returns {{ hit: number, replacement: number }}
 */
export function measureCost(language, name, { quick }) {
  const uses = zipf(quick ? 200_000 : 1_000_000)
  const evictions = quick ? 50_000 : 300_000
  const measure = language === 'js' ? measureJs : measureNative
  if (language === 'js') measure(name, uses, evictions)
  const runs = Array.from({ length: quick ? 3 : 5 }, () => measure(name, uses, evictions))
  return { hit: median(runs.map(({ hit }) => hit)), replacement: median(runs.map((run) => run.replacement)) }
}
