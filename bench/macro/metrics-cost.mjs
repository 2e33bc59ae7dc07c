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
 * Two `drey proxy`, one with metrics and one without, each a process of its own on the first core; wrk has the second. They take turns, the
 * one that begins another each round, so that a noisy neighbour meets both. Each pair of a round gives a ratio, and the median of them counts.
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
  const seconds = quick ? 1 : 3
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
      `  ${CONNECTIONS} connections, a hit of 1 KiB, median of ${rounds} rounds of ${seconds} s, alternating; ${canPin ? 'server on core 0, wrk on core 1' : 'not pinned: there is no taskset'}`,
    )
    for (const server of servers) {
      await verify(server)
      await runWrk(server, PATH, { connections: CONNECTIONS, seconds: WARM_UP_S })
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
        const done = await runWrk(server, PATH, { connections: CONNECTIONS, seconds })
        if (done.bytes / done.requests < PATHS[PATH]) {
          throw new Error(`metrics-cost: ${server.name} gave fewer bytes than ${PATH} has`)
        }
        server.into.push(done)
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
  const cpuRatio = median(runs.on.map((one, round) => runs.off[round].cpuMicros / one.cpuMicros))
  const rows = Object.entries(runs).map(([name, all]) => {
    const rates = all.map((one) => one.perSecond)
    const cpu = median(all.map((one) => one.cpuMicros))
    return [`metrics ${name}`, showCount(median(rates)), showPercent(spread(rates)), `${digits(cpu)} µs`]
  })
  say()
  say(layOut(['', 'requests/s', 'spread', 'CPU/request'], rows))
  say(
    `  on beside off, median of the rounds: requests per second ${ratio.toFixed(3)}, by processor time ${cpuRatio.toFixed(3)}`,
  )
  const cost = 1 - ratio
  return {
    figures: { runs, ratio, cpuRatio, originCalls: calls },
    claims: [
      {
        claim: `metrics cost less than ${100 * MOST_COST} % of the throughput of a proxy`,
        measured: `${(100 * cost).toFixed(1)} %`,
        holds: cost < MOST_COST,
      },
      {
        claim: 'every request but the first of each proxy was a hit',
        measured: `${calls} origin calls`,
        holds: calls === servers.length,
      },
    ],
  }
}
