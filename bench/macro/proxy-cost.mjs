import { startOrigin } from '../shared/origin.mjs'
import { digits, layOut, showBytes } from '../shared/table.mjs'
import { startBare } from './http/bare-server.mjs'
import { startProxy } from './http/drey.mjs'
import { hitsOf, PATHS } from './http/paths.mjs'
import { addUp, profileClock, profileFolder } from './http/profile.mjs'
import { runWrk } from './http/wrk.mjs'

/*
 * What a hit costs beyond what a bare http server costs for the same answer: processor time by request as the kernel
 * counts it, shared out by profiles of both servers. The servers take turns. Not pinned: the profiler has a thread of its own.
 * It costs time, too, so the sums are larger than in http; the differences are what counts.
 */

const CONNECTIONS = 64
const TOP = 12

/** Loads both in turns; gives what each did, in the same order. */
async function profiled(starts, path, { rounds, seconds }) {
  const folders = starts.map(profileFolder)
  const servers = []
  try {
    for (const [at, start] of starts.entries()) servers.push(await start({ flags: folders[at].flags }))
    const done = servers.map(() => ({ spans: [], requests: 0, cpuMicros: 0 }))
    // The first round is not counted: code is compiled, connections are made.
    for (let round = 0; round <= rounds; round += 1) {
      for (const [at, server] of servers.entries()) {
        const from = profileClock()
        const { requests, cpuMicros } = await runWrk(server, path, { connections: CONNECTIONS, seconds })
        if (round === 0) continue
        done[at].spans.push({ from, to: profileClock() })
        done[at].requests += requests
        done[at].cpuMicros += cpuMicros * requests
      }
    }
    await Promise.all(servers.map((server) => server.stop()))
    return done.map(({ spans, requests, cpuMicros }, at) => ({
      ...addUp(folders[at].read(), spans),
      perRequest: cpuMicros / requests,
    }))
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
    for (const folder of folders) folder.remove()
  }
}

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const how = quick ? { rounds: 2, seconds: 1 } : { rounds: 4, seconds: 2 }
  const origin = await startOrigin()
  const figures = {}
  try {
    const first = await startProxy(origin.url)
    const answers = await hitsOf(first.url)
    await first.stop()
    const starts = [(flags) => startBare(answers, flags), (flags) => startProxy(origin.url, flags)]
    for (const path of Object.keys(PATHS)) {
      const [bare, drey] = await profiled(starts, path, how)
      figures[path] = costs(bare, drey)
      show(path, figures[path], say)
    }
  } finally {
    await origin.stop()
  }
  return { figures, claims: [] }
}

/** Microseconds by request, by group, and the functions that differ most. */
function costs(bare, drey) {
  const micros = (one, kind, name) => ((one[kind].get(name) ?? 0) / one.all) * one.perRequest
  const difference = (kind) => {
    const names = new Set([...bare[kind].keys(), ...drey[kind].keys()])
    return [...names]
      .map((name) => ({ name, bare: micros(bare, kind, name), drey: micros(drey, kind, name) }))
      .sort((one, other) => other.drey - other.bare - (one.drey - one.bare))
  }
  return { groups: difference('groups'), functions: difference('functions').slice(0, TOP) }
}

function show(path, { groups, functions }, say) {
  const row = ({ name, bare, drey }) => [name, digits(bare), digits(drey), digits(drey - bare)]
  const sum = groups.reduce(
    (total, { bare, drey }) => ({ name: 'all', bare: total.bare + bare, drey: total.drey + drey }),
    { bare: 0, drey: 0 },
  )
  say()
  say(layOut([`${showBytes(PATHS[path])}, µs by request`, 'bare', 'drey', 'more'], [...groups, sum].map(row)))
  say()
  say(layOut(['of these, functions that cost most more', 'bare', 'drey', 'more'], functions.map(row)))
}
