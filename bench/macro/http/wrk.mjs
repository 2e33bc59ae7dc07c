import { execFile, spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cpuMicros } from '../../shared/processes.mjs'

const scriptOf = (name) => fileURLToPath(new URL(name, import.meta.url))

const isThere = (command, args) => spawnSync(command, args).error === undefined

/** Whether processes can be kept to a core. */
export const canPin = availableParallelism() >= 2 && isThere('taskset', ['--version'])

/** The words before a command that keep it to `core`, or to any of several, if that can be. */
export function pinned(core) {
  return canPin ? ['taskset', '-c', String(core)] : []
}

/**
 * What is asked for: one path, `new` names behind a path, or the paths of a `list`, a file, from a `place` on.
 *
 * @typedef {string | { new: string } | { list: string, place: number }} Wanted
 */

function argumentsFor(url, wanted) {
  if (typeof wanted === 'string') return ['-s', scriptOf('summary.lua'), url + wanted]
  const how = 'new' in wanted ? ['new', wanted.new] : ['list', wanted.list, String(wanted.place)]
  return ['-s', scriptOf('each.lua'), url, '--', ...how]
}

/**
 * Loads `server` for some seconds. Rejects when an answer was no success, or a connection failed.
 *
 * @param {{ name: string, url: string, pid: number }} server
 * @param {Wanted} wanted
 * @param {{ connections: number, seconds: number }} how
 * @returns {Promise<{ requests: number, bytes: number, late: number, perSecond: number, p50Ms: number, p99Ms: number, cpuMicros: number }>}
 *   `late` counts answers that took more than two seconds, `cpuMicros` is processor time of all processes of the server by request
 */
export async function runWrk(server, wanted, { connections, seconds }) {
  const load = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency']
  const [command, ...rest] = [...pinned(1), 'wrk', ...load, ...argumentsFor(server.url, wanted)]
  const before = cpuMicros(server.pid)
  const { stdout } = await promisify(execFile)(command, rest).catch((error) => {
    if (error.code === 'ENOENT' || /No such file/.test(error.stderr)) {
      throw new Error('wrk is not installed; on Debian: apt-get install wrk')
    }
    throw error
  })
  const used = cpuMicros(server.pid) - before
  const summary = stdout.indexOf('SUMMARY ')
  if (summary < 0) throw new Error(`wrk gave no summary: ${stdout.trim()}`)
  const said = JSON.parse(stdout.slice(summary + 8).split('\n')[0])
  if (said.errors > 0) {
    throw new Error(
      `${server.name} failed ${said.errors} of ${said.requests} requests for ${JSON.stringify(wanted)}`,
    )
  }
  return {
    requests: said.requests,
    bytes: said.bytes,
    late: said.late,
    perSecond: said.requests / (said.micros / 1e6),
    p50Ms: said.p50 / 1000,
    p99Ms: said.p99 / 1000,
    cpuMicros: used / said.requests,
  }
}
