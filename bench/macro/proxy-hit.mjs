import { record } from '../shared/record.mjs'
import { median, spread } from '../shared/statistics.mjs'
import { digits, layOut, showBytes, showCount, showPercent } from '../shared/table.mjs'
import { startBare } from './proxy-hit/bare-server.mjs'
import { startProxy } from './proxy-hit/drey.mjs'
import { bodyOf, hitsOf, PATHS, startOrigin } from './proxy-hit/origin.mjs'
import { fetchRaw } from './proxy-hit/raw.mjs'
import { compareWorkers } from './proxy-hit/workers.mjs'
import { canPin, pinned, runWrk } from './proxy-hit/wrk.mjs'

/*
 * A hit through `drey proxy` beside a bare `http.createServer` that sends the very same head and body. Each is a
 * process of its own on the first core, wrk has the second; rounds alternate, so that a noisy neighbour meets both.
 */

const CONNECTIONS = 64
/** For connections to be made and code to be compiled. */
const WARM_UP_S = 3
const WANTED = 0.7
const GOAL = 0.9

/** Fields that tell the time of an answer; all others must be the same. */
const TIMELY = /^(?:age|date|cache-status)$/i

function sameHead(one, other) {
  const steady = (headers) => {
    const pairs = []
    for (let at = 0; at < headers.length; at += 2) {
      pairs.push(TIMELY.test(headers[at]) ? headers[at] : `${headers[at]}: ${headers[at + 1]}`)
    }
    return pairs.join('\n')
  }
  return steady(one) === steady(other)
}

async function verify(server, path) {
  const { status, body } = await fetchRaw(server.url + path)
  if (status !== 200 || !body.equals(bodyOf(PATHS[path]))) {
    throw new Error(
      `proxy-hit: ${server.name} gave status ${status} and ${body.length} bytes that are not those of ${path}`,
    )
  }
}

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const rounds = quick ? 3 : 5
  const seconds = quick ? 1 : 3
  const origin = await startOrigin()
  const drey = await startProxy(origin.url, { wrap: pinned(0) })
  const servers = []
  const figures = {}
  try {
    servers.push(await startBare(await hitsOf(drey.url), { wrap: pinned(0) }))
    servers.push(drey)

    say(
      `  ${CONNECTIONS} connections, median of ${rounds} rounds of ${seconds} s, alternating; ${canPin ? 'server on core 0, wrk on core 1' : 'not pinned: there is no taskset'}`,
    )
    for (const path of Object.keys(PATHS)) {
      for (const server of servers) {
        await verify(server, path)
        await runWrk(server, path, { connections: CONNECTIONS, seconds: WARM_UP_S })
      }
      if (
        !sameHead((await fetchRaw(servers[0].url + path)).headers, (await fetchRaw(drey.url + path)).headers)
      ) {
        throw new Error(`proxy-hit: bare http and drey proxy do not send the same head for ${path}`)
      }
      const results = new Map(servers.map((server) => [server, []]))
      for (let round = 0; round < rounds; round += 1) {
        for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
          results.get(server).push(await runWrk(server, path, { connections: CONNECTIONS, seconds }))
        }
      }
      for (const server of servers) {
        await verify(server, path)
        const short = results.get(server).find(({ bytes, requests }) => bytes / requests < PATHS[path])
        if (short !== undefined)
          throw new Error(`proxy-hit: ${server.name} gave fewer bytes than ${path} has`)
      }
      const [bare, proxy] = servers.map((server) => summary(server, results.get(server)))
      figures[path] = {
        bare,
        proxy,
        ratio: proxy.perSecond / bare.perSecond,
        cpuRatio: bare.cpuMicros / proxy.cpuMicros,
      }
    }
    figures.originCalls = origin.calls()
  } finally {
    await Promise.all([drey, ...servers].map((server) => server.stop()))
    await origin.close()
  }

  const rows = Object.keys(PATHS).flatMap((path) => {
    const { bare, proxy, ratio, cpuRatio } = figures[path]
    return [rowOf(path, bare, ['', '']), rowOf('', proxy, [digits(ratio), digits(cpuRatio)])]
  })
  say()
  say(
    layOut(
      ['hit', 'server', 'requests/s', 'spread', 'MB/s', 'p99', 'CPU/request', 'ratio', 'CPU ratio'],
      rows,
    ),
  )
  say(
    '  ratio: requests per second beside bare http; CPU ratio: the same from processor time, which neighbours disturb less',
  )
  const { ratio } = figures['/1KiB']
  const workers = await compareWorkers({ quick, say })
  return {
    figures: { ...figures, workers: workers.figures },
    records: Object.keys(PATHS).flatMap((path) => recordsOf(path, figures[path])),
    claims: [
      {
        claim: `a hit of 1 KiB is at least ${WANTED} of bare http (goal ${GOAL})`,
        measured: digits(ratio),
        holds: ratio >= WANTED,
      },
      {
        claim: 'every request was a hit',
        measured: `${figures.originCalls} origin calls for ${Object.keys(PATHS).length} paths`,
        holds: figures.originCalls === Object.keys(PATHS).length,
      },
      ...workers.claims,
    ],
  }
}

function recordsOf(path, { bare, proxy }) {
  const of = (figure) => ({ [proxy.name]: proxy.runs.map(figure), [bare.name]: bare.runs.map(figure) })
  const what = `proxy hit, ${showBytes(PATHS[path])}`
  const both = [proxy.name, bare.name]
  return [
    record({
      id: `proxy-hit${path}`,
      what: `${what}, beside bare http`,
      unit: 'requests/s',
      better: 'more',
      samples: of(({ perSecond }) => perSecond),
      ratios: [{ of: both, goal: GOAL }],
    }),
    record({
      id: `proxy-hit${path}, p99`,
      what: `${what}, p99`,
      unit: 'ms',
      better: 'less',
      samples: of(({ p99Ms }) => p99Ms),
      ratios: [{ of: both }],
    }),
  ]
}

function summary(server, runs) {
  return {
    name: server.name,
    perSecond: median(runs.map((one) => one.perSecond)),
    spread: spread(runs.map((one) => one.perSecond)),
    bytesPerRequest: median(runs.map((one) => one.bytes / one.requests)),
    p99Ms: median(runs.map((one) => one.p99Ms)),
    cpuMicros: median(runs.map((one) => one.cpuMicros)),
    runs,
  }
}

function rowOf(path, one, ratios) {
  const megabytes = (one.perSecond * one.bytesPerRequest) / 1e6
  return [
    path === '' ? '' : showBytes(PATHS[path]),
    one.name,
    showCount(one.perSecond),
    showPercent(one.spread),
    showCount(megabytes),
    `${digits(one.p99Ms)} ms`,
    Number.isFinite(one.cpuMicros) ? `${digits(one.cpuMicros)} µs` : '-',
    ...ratios,
  ]
}
