/*
 * In a process of its own: one way of having Buffers, for a moment each. `work` is a size, how many are out at once, and whether
 * one byte of each page is written.
 */
import { PerformanceObserver } from 'node:perf_hooks'
import { BufferPool } from '../../../dist/buffers/pool.js'
import { jsSupply } from '../../../dist/buffers/supply/js.js'
import { followParent, fromParent } from '../../shared/child.mjs'
import { randomFrom } from '../../shared/random.mjs'

const [contestant] = process.argv.slice(2)
const PAGE = 4096
const MiB = 2 ** 20

/** [start, duration] of collections, by the clock of performance.now(). */
let collections = []
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) collections.push([startTime, duration])
}).observe({ entryTypes: ['gc'] })

/** Long enough for the observer to be told of what was. */
const rest = () => new Promise((resolve) => setTimeout(resolve, 5))

function open({ metrics }) {
  if (contestant === 'allocUnsafe') {
    return { get: (size) => Buffer.allocUnsafe(size), put: () => true }
  }
  const seams = contestant === 'js' ? { supply: jsSupply } : {}
  const pool = new BufferPool({ maxBytes: 128 * MiB, detailedMetrics: metrics }, seams)
  if (pool.stats().supply !== contestant) throw new Error(`there is no ${contestant} supply here`)
  return pool
}

/** So many are got, and put back in random order, again and again. Made anew for each piece of work: what the engine learnt of one size must not show at the next. */
function loopOf({ size, vary, out, touch }, pool) {
  const random = randomFrom(1)
  const order = Array.from({ length: out }, (_, at) => at)
  for (let at = out - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1))
    ;[order[at], order[other]] = [order[other], order[at]]
  }
  // From half of it on, so that all are of one class.
  const sizes = Array.from({ length: 64 }, () => Math.ceil(size * (1 + random())) >> 1)
  const touches = touch ? 'for (let page = 0; page < buffer.length; page += PAGE) buffer[page] = at' : ''
  const make = new Function(
    'pool',
    'held',
    'order',
    'PAGE',
    'sizes',
    `return (rounds) => {
      for (let round = 0; round < rounds; round += 1) {
        for (let at = 0; at < ${out}; at += 1) {
          const buffer = pool.get(${vary ? 'sizes[(round + at) & 63]' : size})
          ${touches}
          held[at] = buffer
        }
        for (let at = 0; at < ${out}; at += 1) pool.put(held[order[at]])
      }
    }`,
  )
  return make(pool, Array(out).fill(undefined), Uint8Array.from(order), PAGE, sizes)
}

/** Nanoseconds of processor, and what collections took, for each operation; over about `ms`. */
async function measure(work, ms) {
  const pool = open(work)
  const run = loopOf(work, pool)
  // Memory is touched before the clock starts, as it is in a server that runs.
  const all = Array.from({ length: work.out }, () => pool.get(work.size).fill(1))
  for (const buffer of all) pool.put(buffer)
  let rounds = 1
  for (let took = 0; took < ms; ) {
    const start = performance.now()
    run(rounds)
    took = performance.now() - start
    if (took < ms) rounds *= 2
  }
  await rest()
  collections = []
  const before = pool.stats?.()
  const start = performance.now()
  const cpu = process.cpuUsage()
  run(rounds)
  const { user, system } = process.cpuUsage(cpu)
  const end = performance.now()
  await rest()
  const count = rounds * work.out
  const gcMs = collections.reduce((sum, [at, ms]) => (at >= start && at <= end ? sum + ms : sum), 0)
  const stats = pool.stats?.()
  await pool.close?.()
  return {
    ns: ((user + system) * 1000) / count,
    gcMs: (gcMs / count) * 1e6,
    // Of what was got meanwhile.
    direct: stats === undefined ? 1 : (stats.direct.count - before.direct.count) / (stats.gets - before.gets),
    hitRate: stats === undefined ? undefined : (stats.hits - before.hits) / (stats.gets - before.gets),
  }
}

followParent()
process.send({ type: 'ready' })
for (;;) {
  const { work, ms } = await fromParent('measure')
  process.send({ type: 'measured', ...(await measure(work, ms)) })
}
