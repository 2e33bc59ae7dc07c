import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomFrom } from '../../shared/random.mjs'
import { showBytes } from '../../shared/table.mjs'
import { zipf } from '../../start/zipf.mjs'
import { PATHS } from './paths.mjs'

/*
 * What is asked for.
 *
 *   hit    one path, which is stored
 *   miss   paths that nobody asked for before, so that each is fetched, stored, and something else evicted
 *   mixed  20,000 paths of about 650 MiB by Zipf's law, over a cache of 256 MiB, each of which was asked for once before
 */

const ITEMS = 20_000
const DRAWS = 300_000
const EXPONENT = 0.99
const SEED = 1
/** Of the mix, in the order of PATHS. */
const SHARES = [0.8, 0.18, 0.02]
/** A prime, so that each run asks in an order of its own. */
const STRIDE = 104_729
const WARM_MISSES = 3000

/** The paths, the most popular first, and the order in which they are drawn. */
function drawMix() {
  const random = randomFrom(SEED)
  const sizes = Object.keys(PATHS)
  const items = Array.from({ length: ITEMS }, (_, at) => {
    let left = random()
    const size = sizes.find((_, index) => {
      left -= SHARES[index]
      return left < 0
    })
    return `${size ?? sizes[0]}/z${at}`
  })
  const draw = zipf(ITEMS, EXPONENT, randomFrom(SEED + 1))
  return { items, draws: Array.from({ length: DRAWS }, () => items[draw()]) }
}

/**
 * @typedef {object} Workload
 * @property {string} id
 * @property {boolean} withBare whether a server that has every answer ready can take part
 * @property {readonly string[]} samples paths whose bytes are compared, of each contestant, before and after
 * @property {number} least bytes that an answer has on the wire
 * @property {(run: number) => import('./wrk.mjs').Wanted} wanted for each run something else, where that is wanted
 * @property {(asked: number) => import('./wrk.mjs').Wanted | undefined} missing what to ask for next, when so many were asked for, before it is filled
 */

/** @returns {Workload} */
const hit = (path) => ({
  id: `hit, ${showBytes(PATHS[path])}`,
  kind: 'hit',
  withBare: true,
  samples: [path],
  least: PATHS[path],
  wanted: () => path,
  missing: (asked) => (asked === 0 ? path : undefined),
})

/** @returns {Workload} */
const miss = (path) => ({
  id: `miss, ${showBytes(PATHS[path])}`,
  kind: 'miss',
  withBare: false,
  samples: [path],
  least: PATHS[path],
  wanted: (run) => ({ new: `${path}/m${run}-` }),
  // Code is compiled only after some thousands of them, which the first workload of them makes.
  missing: (asked) =>
    asked < (path === '/1KiB' ? WARM_MISSES : 1) ? { new: `${path}/w${asked}-` } : undefined,
})

/** @returns {Workload} */
function mixed(folder) {
  const list = join(folder, 'mix')
  const all = join(folder, 'all')
  const { items, draws } = drawMix()
  writeFileSync(list, `${draws.join('\n')}\n`)
  writeFileSync(all, `${items.toReversed().join('\n')}\n`)
  return {
    id: 'mixed',
    kind: 'mixed',
    withBare: false,
    samples: [...new Set(draws.slice(0, 200))],
    least: 0,
    wanted: (run) => ({ list, place: run * STRIDE }),
    missing: (asked) => (asked < items.length ? { list: all, place: asked } : undefined),
  }
}

/** @returns {Workload[]} */
export function workloads(folder, quick) {
  const paths = Object.keys(PATHS)
  if (quick) return [hit(paths[0]), hit(paths.at(-1))]
  return [...paths.map(hit), ...paths.map(miss), mixed(folder)]
}
