import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const SCRIPT = fileURLToPath(new URL('./summary.lua', import.meta.url))

const isThere = (command, args) => spawnSync(command, args).error === undefined

/** Whether processes can be kept to a core. */
export const canPin = availableParallelism() >= 2 && isThere('taskset', ['--version'])

/** The words before a command that keep it to `core`, or to any of several, if that can be. */
export function pinned(core) {
  return canPin ? ['taskset', '-c', String(core)] : []
}

/** Processor time that a process has used, in microseconds; NaN where the system does not tell. */
function cpuMicros(pid) {
  if (process.platform !== 'linux') return Number.NaN
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
  // The kernel counts in hundredths of a second for every architecture that Node runs on.
  return (Number(user) + Number(system)) * 10_000
}

/**
 * Loads `server` for some seconds. Rejects when an answer was no success, a connection failed, or the bytes that came
 * are not what so many answers have.
 *
 * @param {{ name: string, url: string, pid: number }} server
 * @param {string} path
 * @param {{ connections: number, seconds: number }} how
 * @returns {Promise<{ requests: number, bytes: number, late: number, perSecond: number, p50Ms: number, p99Ms: number, cpuMicros: number }>}
 *   `late` counts answers that took more than two seconds, `cpuMicros` is processor time of the server by request
 */
export async function runWrk(server, path, { connections, seconds }) {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', SCRIPT, server.url + path]
  const [command, ...rest] = [...pinned(1), 'wrk', ...args]
  const before = cpuMicros(server.pid)
  const { stdout } = await promisify(execFile)(command, rest).catch((error) => {
    if (error.code === 'ENOENT' || /No such file/.test(error.stderr)) {
      throw new Error('proxy-hit: wrk is not installed; on Debian: apt-get install wrk')
    }
    throw error
  })
  const used = cpuMicros(server.pid) - before
  const said = JSON.parse(stdout.slice(stdout.indexOf('SUMMARY ') + 8).split('\n')[0])
  if (said.errors > 0) {
    throw new Error(
      `proxy-hit: ${server.name} failed ${said.errors} of ${said.requests} requests for ${path}`,
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
