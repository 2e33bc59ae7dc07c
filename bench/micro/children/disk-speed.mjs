/*
 * In a process of its own: one contestant, which sets and gets when it is told to. Each call is timed, and every byte
 * that comes back is compared.
 */
import { followParent } from '../../shared/child.mjs'
import { percentile } from '../../shared/statistics.mjs'
import { openContestant } from './disk-contestants.mjs'

followParent()
const [name, dir] = process.argv.slice(2)
const contestant = await openContestant(name, dir)

const VALUES = 16
const values = new Map()

/** Values that differ, and differ within. */
function valuesOf(size) {
  let made = values.get(size)
  if (made === undefined) {
    made = Array.from({ length: VALUES }, (_, at) => {
      const value = Buffer.alloc(size)
      for (let byte = 0; byte < size; byte += 1) value[byte] = (byte * 31 + (byte >> 8) * 7 + at * 13) & 0xff
      return value
    })
    values.set(size, made)
  }
  return made
}

/** Calls that are made even when they take longer than they may, up to six times as long. */
const LEAST = 256

/** So many of `call` at once, for `ms` milliseconds, at least once each and at most `most` in all. */
async function timed({ atOnce, ms, most }, call) {
  const took = []
  let next = 0
  const from = performance.now()
  const until = from + ms
  const last = from + 6 * ms
  const lane = async () => {
    let now = performance.now()
    do {
      const before = now
      await call(next++)
      now = performance.now()
      took.push(now - before)
    } while (next < most && (now < until || (next < LEAST && now < last)))
  }
  const cpu = process.cpuUsage()
  await Promise.all(Array.from({ length: atOnce }, lane))
  const elapsed = performance.now() - from
  const { user, system } = process.cpuUsage(cpu)
  const at = (p) => percentile(took, p) * 1000
  return {
    count: took.length,
    each: (elapsed * 1000) / took.length,
    cpu: (user + system) / took.length,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
  }
}

const written = new Map()

const WORK = {
  async set({ size, ...how }) {
    const all = valuesOf(size)
    const result = await timed(how, (at) => contestant.set(`key ${size} ${at}`, all[at % VALUES]))
    written.set(size, Math.max(written.get(size) ?? 0, result.count))
    return result
  },
  async get({ size, ...how }) {
    const all = valuesOf(size)
    const count = written.get(size)
    // Across all of them, and no two next to each other.
    const step = 7919 % count === 0 ? 1 : 7919
    return timed(how, async (turn) => {
      const at = (turn * step) % count
      const value = await contestant.get(`key ${size} ${at}`)
      if (all[at % VALUES].compare(value) !== 0) throw new Error(`${name}: key ${size} ${at} has other bytes`)
    })
  },
}

process.on('message', async ({ type, work, ...how }) => {
  if (type === 'close') {
    await contestant.close()
    process.exit(0)
  }
  process.send({ type: 'measured', ...(await WORK[work](how)) })
})
process.send({ type: 'ready' })
