import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median, spread } from '../shared/statistics.mjs'
import { digits, layOut, showCount, showPercent } from '../shared/table.mjs'
import { startProxy } from './proxy-hit/drey.mjs'
import { bodyOf, PATHS, startOrigin } from './proxy-hit/origin.mjs'
import { fetchRaw } from './proxy-hit/raw.mjs'
import { canPin, pinned, runWrk } from './proxy-hit/wrk.mjs'

/*
 * Two `drey proxy`, one with metrics and one without, each a process of its own on the first core; wrk has the second. In a round they take
 * turns of a second, on off off on, so that a noisy neighbour meets both. Each round gives a ratio, and the median of them counts.
 */

const CONNECTIONS = 64
/** For connections to be made and code to be compiled. */
const WARM_UP_S = 3
const PATH = '/1KiB'
const MOST_COST = 0.03

async function verify(server) {
  const { status, body } = await fetchRaw(server.url + PATH)
  if (status !== 200 || !body.equals(bodyOf(PATHS[PATH]))) {
    throw new Error(
      `metrics-cost: ${server.name} gave status ${status}, or bytes that are not those of ${PATH}`,
    )
  }
}

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const rounds = quick ? 3 : 9
  const folder = mkdtempSync(join(tmpdir(), 'drey-bench-'))
  const origin = await startOrigin()
  const servers = []
  const runs = { on: [], off: [] }
  try {
    for (const metrics of [true, false]) {
      const file = join(folder, `${metrics ? 'on' : 'off'}.json`)
      writeFileSync(file, JSON.stringify({ version: 1, metrics }))
      const proxy = await startProxy(origin.url, { wrap: pinned(0), options: ['--config', file] })
      servers.push({
        ...proxy,
        name: `metrics ${metrics ? 'on' : 'off'}`,
        into: metrics ? runs.on : runs.off,
      })
    }
    say(
      `  ${CONNECTIONS} connections, a hit of 1 KiB, median of ${rounds} rounds of 4 s, on off off on; ${canPin ? 'server on core 0, wrk on core 1' : 'not pinned: there is no taskset'}`,
    )
    for (const server of servers) {
      await verify(server)
      await runWrk(server, PATH, { connections: CONNECTIONS, seconds: WARM_UP_S })
    }
    for (let round = 0; round < rounds; round += 1) {
      const [first, second] = round % 2 === 0 ? servers : servers.toReversed()
      const taken = new Map(servers.map((server) => [server, []]))
      for (const server of [first, second, second, first]) {
        const done = await runWrk(server, PATH, { connections: CONNECTIONS, seconds: 1 })
        if (done.bytes / done.requests < PATHS[PATH]) {
          throw new Error(`metrics-cost: ${server.name} gave fewer bytes than ${PATH} has`)
        }
        taken.get(server).push(done)
      }
      for (const [server, [one, other]] of taken) {
        const requests = one.requests + other.requests
        server.into.push({
          perSecond: (one.perSecond + other.perSecond) / 2,
          cpuMicros: (one.cpuMicros * one.requests + other.cpuMicros * other.requests) / requests,
        })
      }
    }
    for (const server of servers) await verify(server)
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
    await origin.close()
    rmSync(folder, { recursive: true })
  }

  const calls = origin.calls()
  const ratio = median(runs.on.map((one, round) => one.perSecond / runs.off[round].perSecond))
  const cpuOf = (all) => median(all.map((one) => one.cpuMicros))
  const cpuMore = cpuOf(runs.on) / cpuOf(runs.off) - 1
  const rows = Object.entries(runs).map(([name, all]) => {
    const rates = all.map((one) => one.perSecond)
    return [
      `metrics ${name}`,
      showCount(median(rates)),
      showPercent(spread(rates)),
      `${digits(cpuOf(all))} µs`,
    ]
  })
  say()
  say(layOut(['', 'requests/s', 'spread', 'CPU/request'], rows))
  say(
    `  requests per second, on beside off, median of the rounds: ${ratio.toFixed(3)}; neighbours disturb processor time less`,
  )
  const cost = 1 - ratio
  return {
    figures: { runs, ratio, cpuMore, originCalls: calls },
    claims: [
      {
        claim: `metrics cost less than ${100 * MOST_COST} % of the throughput of a proxy`,
        measured: `${(100 * cost).toFixed(1)} %`,
        holds: cost < MOST_COST,
      },
      {
        claim: `they take less than ${100 * MOST_COST} % more processor time a request`,
        measured: `${(100 * cpuMore).toFixed(1)} %`,
        holds: !(cpuMore >= MOST_COST),
      },
      {
        claim: 'every request but the first of each proxy was a hit',
        measured: `${calls} origin calls`,
        holds: calls === servers.length,
      },
    ],
  }
}
