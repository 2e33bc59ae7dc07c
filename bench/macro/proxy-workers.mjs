import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { bodyOf } from '../shared/objects.mjs'
import { startOrigin } from '../shared/origin.mjs'
import { microsIn, statFields } from '../shared/processes.mjs'
import { residentBytes } from '../shared/resident.mjs'
import { median, spread } from '../shared/statistics.mjs'
import { digits, layOut, showBytes, showCount, showMiB, showPercent } from '../shared/table.mjs'
import { startProxy } from './http/drey.mjs'
import { PATHS } from './http/paths.mjs'
import { fetchRaw } from './http/raw.mjs'
import { canPin, pinned, runWrk } from './http/wrk.mjs'

/*
 * `drey proxy --workers 2` beside one worker: both may use the same cores, wrk keeps to core 1, rounds alternate. And
 * whether two workers are one cache: bodies that both are asked for come from the origin once, and lie in memory once.
 */

const CONNECTIONS = 64
const WARM_UP_S = 2
const MANY = 40
/** Connections that ask for the same at once: the kernel gives some of them to each worker. */
const AT_ONCE = 6
/** Long enough for all of them to ask before the origin has answered one. */
const DELAY_MS = 20
const BOTH = 2

const cores = availableParallelism()
/** With three or more, wrk has its own. */
const serverCores = Array.from({ length: cores }, (_, core) => core).filter((core) => cores < 3 || core !== 1)

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const rounds = quick ? 3 : 5
  const seconds = quick ? 1 : 3
  const origin = await startOrigin({ delayMs: DELAY_MS })
  const servers = []
  try {
    for (const workers of [1, BOTH]) {
      servers.push(await startProxy(origin.url, { wrap: pinned(serverCores), workers }))
    }
    say()
    say(
      canPin
        ? `  workers on core ${serverCores.join(', ')}, wrk on core 1; ${rounds} rounds of ${seconds} s, alternating`
        : '  workers, not pinned: there is no taskset',
    )
    if (cores < 3) {
      say(
        '  wrk needs about as much of a core as it asks of the workers, and has one in common with them: two workers cannot be twice as fast here',
      )
    }
    const shared = await askOfBoth(servers[1], origin)
    const rows = []
    const figures = { shared }
    for (const path of Object.keys(PATHS)) {
      const runs = servers.map(() => [])
      for (const server of servers) {
        await runWrk(server, path, { connections: CONNECTIONS, seconds: WARM_UP_S })
      }
      const before = threadMicros(servers[1].pid)
      for (let round = 0; round < rounds; round += 1) {
        for (const at of round % 2 === 0 ? [0, 1] : [1, 0]) {
          runs[at].push(await runWrk(servers[at], path, { connections: CONNECTIONS, seconds }))
        }
      }
      const busy = busyThreads(before, threadMicros(servers[1].pid))
      const of = (at, figure) => median(runs[at].map(figure))
      const ratio = of(1, ({ perSecond }) => perSecond) / of(0, ({ perSecond }) => perSecond)
      figures[path] = { runs, busy, ratio }
      for (const at of [0, 1]) {
        rows.push([
          at === 0 ? showBytes(PATHS[path]) : '',
          at === 0 ? '1 worker' : `${BOTH} workers`,
          showCount(of(at, ({ perSecond }) => perSecond)),
          showPercent(spread(runs[at].map(({ perSecond }) => perSecond))),
          `${digits(of(at, ({ p99Ms }) => p99Ms))} ms`,
          `${digits(of(at, ({ cpuMicros }) => cpuMicros))} µs`,
          at === 0 ? '' : String(busy),
          at === 0 ? '' : digits(ratio),
        ])
      }
    }
    say()
    say(
      layOut(
        ['hit', 'drey proxy', 'requests/s', 'spread', 'p99', 'CPU/request', 'busy threads', 'ratio'],
        rows,
      ),
    )
    return { figures, claims: claimsOf(figures) }
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
    await origin.stop()
  }
}

/** Asks for many bodies, each over several new connections at once, and again when all are there. */
async function askOfBoth(server, origin) {
  // What HTTP takes for itself is there before memory is looked at.
  await fetchRaw(`${server.url}/1KiB`)
  const before = residentBytes(server.pid)
  const callsBefore = await origin.calls()
  for (const _ of ['to fill', 'to hit']) {
    for (let at = 0; at < MANY; at += 1) {
      const path = `/1MiB/${at}`
      const url = server.url + path
      const body = bodyOf(path)
      const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => fetchRaw(url)))
      if (!answers.every((answer) => answer.body.equals(body)))
        throw new Error(`proxy-workers: ${url} has wrong bytes`)
    }
  }
  return {
    calls: (await origin.calls()) - callsBefore,
    bytes: MANY * PATHS['/1MiB'],
    grown: residentBytes(server.pid) - before,
  }
}

/** Processor time by thread, in microseconds; none where the system does not tell. */
function threadMicros(pid) {
  if (process.platform !== 'linux') return new Map()
  return new Map(
    readdirSync(`/proc/${pid}/task`).flatMap((id) => {
      const fields = statFields(`${pid}/task/${id}/stat`)
      return fields === undefined ? [] : [[id, microsIn(fields)]]
    }),
  )
}

/** Threads that did more than a fifth of the work. */
function busyThreads(before, after) {
  const spent = [...after].map(([id, micros]) => micros - (before.get(id) ?? 0))
  const all = spent.reduce((sum, micros) => sum + micros, 0)
  return spent.filter((micros) => micros > all / 5).length
}

function claimsOf({ shared, ...byPath }) {
  const { calls, bytes, grown } = shared
  const busy = Object.values(byPath).map((one) => one.busy)
  return [
    {
      claim: `${BOTH} workers: one call of the origin for each of ${MANY} bodies, though both are asked`,
      measured: `${calls} calls for ${2 * AT_ONCE * MANY} requests`,
      holds: calls === MANY,
    },
    {
      claim: `${BOTH} workers: one memory`,
      measured: `bodies of ${showMiB(bytes)} make the process ${showMiB(grown)} larger`,
      holds: grown < 1.5 * bytes,
    },
    {
      claim: `${BOTH} workers: both serve`,
      measured: `${busy.join(', ')} busy threads`,
      holds: process.platform !== 'linux' || busy.every((count) => count === BOTH),
    },
  ]
}
