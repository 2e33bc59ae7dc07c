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
 *   mixed  20,000 paths of about 650 MiB by Zipf's law, over a cache of 256 MiB
 */

const ITEMS = 20_000
const DRAWS = 300_000
const EXPONENT = 0.99
const SEED = 1
/** Of the mix, in the order of PATHS. */
const SHARES = [0.8, 0.18, 0.02]
/** A prime, so that each run asks in an order of its own. */
const STRIDE = 104_729

/** Paths in the order in which they are drawn. */
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
  return Array.from({ length: DRAWS }, () => items[draw()])
}

/**
 * @typedef {object} Workload
 * @property {string} id
 * @property {boolean} withBare whether a server that has every answer ready can take part
 * @property {readonly string[]} samples paths whose bytes are compared, of each contestant, before and after
 * @property {number} least bytes that an answer has on the wire
 * @property {(run: number) => import('./wrk.mjs').Wanted} wanted for each run something else, where that is wanted
 */

/** @returns {Workload} */
const hit = (path) => ({
  id: `hit, ${showBytes(PATHS[path])}`,
  kind: 'hit',
  withBare: true,
  samples: [path],
  least: PATHS[path],
  wanted: () => path,
})

/** @returns {Workload} */
const miss = (path) => ({
  id: `miss, ${showBytes(PATHS[path])}`,
  kind: 'miss',
  withBare: false,
  samples: [path],
  least: PATHS[path],
  wanted: (run) => ({ new: `${path}/m${run}-` }),
})

/** @returns {Workload} */
function mixed(folder) {
  const list = join(folder, 'mix')
  const draws = drawMix()
  writeFileSync(list, `${draws.join('\n')}\n`)
  return {
    id: 'mixed',
    kind: 'mixed',
    withBare: false,
    samples: [...new Set(draws.slice(0, 200))],
    least: 0,
    wanted: (run) => ({ list, place: run * STRIDE }),
  }
}

/** @returns {Workload[]} */
export function workloads(folder, quick) {
  const paths = Object.keys(PATHS)
  if (quick) return [hit(paths[0]), hit(paths.at(-1))]
  return [...paths.map(hit), ...paths.map(miss), mixed(folder)]
}
