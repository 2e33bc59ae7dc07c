/*
 * In a process of its own, with --expose-gc: Buffers are lost, and the collector finds it. Says on stdout what the pool knows after each step.
 */
import { BufferPool } from '../../../dist/buffers/pool.js'
import { jsSupply } from '../../../dist/buffers/supply/js.js'

const pressure = { factor: () => 1, subscribe: () => () => {} }
const seams = process.argv[2] === 'js' ? { supply: jsSupply, pressure } : { pressure }
const timers = []
const clock = {
  now: () => 0,
  after: (_, fn) => {
    timers.push(fn)
    return { cancel: () => timers.splice(0) }
  },
}
const reports = []
const logging = { info: () => {}, warn: (details) => reports.push(details) }
const options = {
  maxBytes: '4MiB',
  classes: ['64KiB', '1MiB'],
  maxIdle: '1s',
  logging,
  loggingInterval: Infinity,
}

function tick(times) {
  for (let at = 0; at < times; at += 1) for (const fn of timers.splice(0)) fn()
}

/** Collects until `done`, at most a while: finalizers run in turns of their own. */
async function collect(done) {
  for (let at = 0; at < 100 && !done(); at += 1) {
    globalThis.gc()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return done()
}

const pool = new BufferPool({ ...options, detectLeaks: true }, { ...seams, clock })
const steps = {}

function loseSome() {
  pool.get(65536).fill(1)
  pool.get(50_000).fill(1)
  pool.lease(65536).buffer.fill(1)
  // A slice outlives its Buffer.
  return pool.get(65536).fill(7).subarray(10, 20)
}

/** Lends all that is left, and takes it back. In a function of its own, like the rest: what a frame had in its hands counts as held. */
function useRest(kept, slice) {
  const all = Array.from({ length: 27 }, () => pool.get(65536))
  for (const buffer of all) buffer.fill(9)
  steps.distinct = new Set([kept, ...all].map(({ byteOffset }) => byteOffset)).size
  steps.untouched = slice.every((byte) => byte === 7) && kept.every((byte) => byte === 3)
  for (const buffer of [kept, ...all]) pool.put(buffer)
}

function first() {
  const kept = pool.get(65536).fill(3)
  return { kept, slice: loseSome() }
}

async function main() {
  const hands = first()
  steps.found = await collect(() => pool.stats().leaked.count === 4)
  steps.lost = pool.stats()
  steps.reports = reports.splice(0)
  steps.health = pool.health()[0]

  // What is idle is not lost, and what was lost is not lent again.
  useRest(hands.kept, hands.slice)
  delete hands.kept

  // The slab goes once it is idle and old, but for as long as the slice lives it counts.
  tick(200)
  await collect(() => false)
  steps.orphaned = pool.stats()
  steps.sliceIs = [...hands.slice]
  delete hands.slice
  await collect(() => pool.stats().heldBytes === 0)
  steps.gone = pool.stats()
  steps.later = reports.length
}

await main()
await pool.close()

// Without call sites losses are counted as well, and idle slots of what was let go of are no losses.
const quiet = new BufferPool(options, { ...seams, clock })
function loseOne() {
  quiet.get(65536)
  for (const buffer of [quiet.get(1024 * 1024), quiet.get(65536)]) quiet.put(buffer)
}
loseOne()
steps.quiet = await collect(() => quiet.stats().leaked.count === 1)
tick(300)
await collect(() => quiet.stats().heldBytes === 0)
steps.quietStats = quiet.stats()
steps.quietReports = reports.length
await quiet.close()

process.stdout.write(JSON.stringify(steps))
