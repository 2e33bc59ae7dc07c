import { availableParallelism } from 'node:os'
import { familyResident } from '../shared/processes.mjs'
import { record } from '../shared/record.mjs'
import { median, spread } from '../shared/statistics.mjs'
import { digits, layOut, showCount, showMiB, showPercent } from '../shared/table.mjs'
import { startContestants } from './http/contestants.mjs'
import { canLoadOpenly, loadOpenly } from './http/open-load.mjs'
import { verify, verifySameHead } from './http/verify.mjs'
import { workloads } from './http/workloads.mjs'
import { canPin, runWrk } from './http/wrk.mjs'

/*
 * `drey proxy` beside a bare `http.createServer` that sends the very same head and body, nginx and Varnish. Each has the first core, wrk the
 * second, the origin a third or, where there is none, wrk's. They take turns, so that a noisy neighbour meets all.
 */

const CONNECTIONS = 64
const WANTED = 0.7
const GOAL = 0.9
/** Requests a second of the open load: what the slowest of them can take. */
const RATE = 5000

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const originCore = availableParallelism() > 2 ? 2 : 1
  const contest = await startContestants({ say, originCore })
  const rows = []
  const figures = {}
  const records = []
  try {
    const how = quick ? { rounds: 3, seconds: 1 } : { rounds: 5, seconds: 2 }
    say(
      `  ${CONNECTIONS} connections, median of ${how.rounds} rounds of ${how.seconds} s, in turns; ${canPin ? `each server on core 0, wrk on core 1, the origin on core ${originCore}` : 'not pinned: there is no taskset'}`,
    )
    const counter = { runs: 0 }
    for (const [at, workload] of workloads(contest.folder, quick).entries()) {
      const { bare, drey, others } = contest
      // A quick run has nginx for the smallest alone.
      const servers = [
        drey,
        ...(workload.withBare ? [bare] : []),
        ...(quick ? others.slice(0, at === 0 ? 1 : 0) : others),
      ]
      const results = await measure(contest, servers, workload, { ...how, counter, quick })
      const summaries = servers.map((server) => summaryOf(server, results.get(server)))
      figures[workload.id] = summaries
      records.push(...recordsOf(workload, summaries))
      rows.push(...rowsOf(workload, summaries))
    }
    say()
    say(
      layOut(
        ['', 'server', 'requests/s', 'spread', 'p99', 'CPU/request', 'resident', 'hits', 'drey is', 'by CPU'],
        rows,
      ),
    )
    say(
      '  drey is: so many times the requests per second, the median of the ratios within each round; by CPU: the same of processor time, which neighbours disturb less',
    )
    if (!quick) await openly(contest, { say, figures, records })
  } finally {
    await contest.stop()
  }
  const [drey, bare] = figures['hit, 1.00 KiB']
  const ratio = ratioOf(drey, bare, ({ perSecond }) => perSecond)
  const hits = Object.entries(figures).filter(([id]) => id.startsWith('hit'))
  const missed = hits.flatMap(([, summaries]) => summaries).filter(({ hitRatio }) => hitRatio < 1)
  return {
    figures,
    records,
    claims: [
      {
        claim: `a hit of 1 KiB is at least ${WANTED} of bare http (goal ${GOAL})`,
        measured: digits(ratio),
        holds: ratio >= WANTED,
      },
      {
        claim: 'where hits were wanted, the origin was not asked',
        measured: missed.length === 0 ? 'no calls' : missed.map(({ name }) => name).join(', '),
        holds: missed.length === 0,
      },
    ],
  }
}

/** The rounds of a workload, by server. */
async function measure({ origin, bare, drey }, servers, workload, { rounds, seconds, counter, quick }) {
  const load = { connections: CONNECTIONS, seconds }
  const verifyAll = async () => {
    for (const server of servers) {
      for (const path of workload.samples) await verify(server, origin, path)
    }
  }
  const once = async (server) => {
    const calls = await origin.calls()
    const result = await runWrk(server, workload.wanted(counter.runs), load)
    counter.runs += 1
    if (result.bytes / result.requests < workload.least) {
      throw new Error(`http: ${server.name} gave fewer bytes than a ${workload.id} has`)
    }
    const asked = (await origin.calls()) - calls
    // What wrk leaves when its time is over has been asked for, too, and is in no sum.
    const hitRatio = server === bare ? 1 : Math.max(0, 1 - asked / result.requests)
    return { ...result, hitRatio, resident: familyResident(server.pid) }
  }
  await verifyAll()
  if (workload.withBare) await verifySameHead(bare, drey, workload.samples[0])
  // Connections are made, code compiled, and what is to be stored is stored.
  for (const server of servers) {
    let asked = quick && workload.least > 2 ** 16 ? 1 : 0
    for (let wanted = workload.missing(asked); wanted !== undefined; wanted = workload.missing(asked)) {
      asked += (await runWrk(server, wanted, load)).requests
    }
  }
  const results = new Map(servers.map((server) => [server, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
      results.get(server).push(await once(server))
    }
  }
  await verifyAll()
  return results
}

/** Latency at a rate that all of them can take. */
async function openly({ drey, bare, others }, { say, figures, records }) {
  if (!canLoadOpenly()) return say('  no open load: npm --prefix bench/peers ci')
  const servers = [drey, bare, ...others]
  const results = new Map(servers.map((server) => [server, []]))
  for (let round = 0; round < 3; round += 1) {
    for (const server of servers) {
      results
        .get(server)
        .push(await loadOpenly(server, '/1KiB', { rate: RATE, connections: CONNECTIONS, seconds: 4 }))
    }
  }
  const all = servers.map((server) => ({ name: server.name, runs: results.get(server) }))
  figures.open = all
  const of = ({ runs }, figure) => digits(median(runs.map(figure)))
  say()
  say(
    layOut(
      [`hit, 1.00 KiB, ${showCount(RATE)} a second`, 'mean', 'p99', 'p99.9', 'longest'],
      all.map((one) => [
        one.name,
        `${of(one, ({ meanMs }) => meanMs)} ms`,
        `${of(one, ({ p99Ms }) => p99Ms)} ms`,
        `${of(one, ({ p999Ms }) => p999Ms)} ms`,
        `${of(one, ({ maxMs }) => maxMs)} ms`,
      ]),
    ),
  )
  records.push(
    record({
      id: 'http/open load, mean',
      what: `proxy hit, 1 KiB, at ${showCount(RATE)} requests a second, mean latency`,
      unit: 'ms',
      better: 'less',
      samples: Object.fromEntries(all.map(({ name, runs }) => [name, runs.map(({ meanMs }) => meanMs)])),
    }),
  )
}

const FIGURES = [
  { id: '', what: '', unit: 'requests/s', better: 'more', of: ({ perSecond }) => perSecond },
  { id: ', p99', what: ', p99', unit: 'ms', better: 'less', of: ({ p99Ms }) => p99Ms },
  {
    id: ', cpu',
    what: ', processor time by request',
    unit: 'µs',
    better: 'less',
    of: ({ cpuMicros }) => cpuMicros,
  },
  {
    id: ', resident',
    what: ', resident memory',
    unit: 'bytes',
    better: 'less',
    of: ({ resident }) => resident,
  },
]

function recordsOf({ id, kind }, [drey, ...others]) {
  return FIGURES.filter(({ of }) => drey.runs.every((one) => Number.isFinite(of(one)))).map((figure) =>
    record({
      id: `http/${id}${figure.id}`,
      what: `proxy ${id}${figure.what}`,
      unit: figure.unit,
      better: figure.better,
      samples: Object.fromEntries([drey, ...others].map(({ name, runs }) => [name, runs.map(figure.of)])),
      ratios: others.map(({ name }) => ({
        of: [drey.name, name],
        ...goalOf(kind, figure.id, name),
      })),
    }),
  )
}

/** DESIGN's goals are of requests per second on a hit. */
function goalOf(kind, figure, name) {
  if (kind !== 'hit' || figure !== '') return {}
  return name === 'bare http' ? { goal: GOAL } : name === 'nginx' ? { goal: 1 } : {}
}

function summaryOf(server, runs) {
  const of = (figure) => median(runs.map(figure))
  return {
    name: server.name,
    perSecond: of(({ perSecond }) => perSecond),
    spread: spread(runs.map(({ perSecond }) => perSecond)),
    p99Ms: of(({ p99Ms }) => p99Ms),
    cpuMicros: of(({ cpuMicros }) => cpuMicros),
    resident: of(({ resident }) => resident),
    hitRatio: of(({ hitRatio }) => hitRatio),
    runs,
  }
}

const ratioOf = (one, other, figure) =>
  median(one.runs.map((run, at) => figure(run) / figure(other.runs[at])))

function rowsOf(workload, summaries) {
  const [drey] = summaries
  return summaries.map((one, at) => [
    at === 0 ? workload.id : '',
    one.name,
    showCount(one.perSecond),
    showPercent(one.spread),
    `${digits(one.p99Ms)} ms`,
    Number.isFinite(one.cpuMicros) ? `${digits(one.cpuMicros)} µs` : '-',
    showMiB(one.resident),
    showPercent(one.hitRatio),
    at === 0 ? '' : `${digits(ratioOf(drey, one, ({ perSecond }) => perSecond))} ×`,
    at === 0 ? '' : `${digits(1 / ratioOf(drey, one, ({ cpuMicros }) => cpuMicros))} ×`,
  ])
}
