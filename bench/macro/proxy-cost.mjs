import { digits, layOut, showBytes } from '../shared/table.mjs'
import { startBare } from './proxy-hit/bare-server.mjs'
import { startProxy } from './proxy-hit/drey.mjs'
import { hitsOf, PATHS, startOrigin } from './proxy-hit/origin.mjs'
import { addUp, profileFolder } from './proxy-hit/profile.mjs'
import { runWrk } from './proxy-hit/wrk.mjs'

/*
 * What a hit costs beyond what a bare http server costs for the same answer: processor time by request, by who it
 * is spent for, from profiles of both servers. Not pinned: the profiler has a thread of its own. It costs time, too,
 * so the sums are larger than in proxy-hit; the differences are what counts.
 */

const CONNECTIONS = 64
const TOP = 12

async function profiled(start, path, seconds) {
  const folder = profileFolder()
  try {
    const server = await start(folder.flags)
    await runWrk(server, path, { connections: CONNECTIONS, seconds })
    const { requests } = await runWrk(server, path, { connections: CONNECTIONS, seconds })
    await server.stop()
    // Both loads are in the profile, as is the start, which is little beside them.
    return { ...addUp(folder.read()), requests: 2 * requests }
  } finally {
    folder.remove()
  }
}

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const seconds = quick ? 1 : 3
  const origin = await startOrigin()
  const figures = {}
  try {
    const first = await startProxy(origin.url)
    const answers = await hitsOf(first.url)
    await first.stop()
    for (const path of Object.keys(PATHS)) {
      const bare = await profiled((flags) => startBare(answers, { flags }), path, seconds)
      const drey = await profiled((flags) => startProxy(origin.url, { flags }), path, seconds)
      figures[path] = costs(bare, drey)
      show(path, figures[path], say)
    }
  } finally {
    await origin.close()
  }
  return { figures, claims: [] }
}

/** Microseconds by request, by group, and the functions that differ most. */
function costs(bare, drey) {
  const difference = (kind) => {
    const names = new Set([...bare[kind].keys(), ...drey[kind].keys()])
    return [...names]
      .map((name) => ({
        name,
        bare: (bare[kind].get(name) ?? 0) / bare.requests,
        drey: (drey[kind].get(name) ?? 0) / drey.requests,
      }))
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
