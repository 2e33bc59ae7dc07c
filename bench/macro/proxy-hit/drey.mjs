import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

/**
 * `drey proxy` as users run it, on a free port.
 *
 * @param {string} origin
 * @param {{ wrap?: readonly string[], flags?: readonly string[], workers?: number, options?: readonly string[] }} [how] what stands before its node, flags for
 *   it, and options of the proxy
 */
export async function startProxy(origin, { wrap = [], flags = [], workers = 1, options: more = [] } = {}) {
  const [command, ...args] = [...wrap, process.execPath, ...flags, MAIN, 'proxy']
  const options = [
    '--origin',
    origin,
    '--listen',
    '0',
    '--memory',
    '256MiB',
    '--workers',
    String(workers),
    ...more,
  ]
  const child = spawn(command, [...args, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const line = await Promise.race([once(lines, 'line'), exited])
  const url = /listening on (\S+)/.exec(String(line[0]))?.[1]
  if (url === undefined) throw new Error(`proxy-hit: drey proxy did not start: ${line[0]}`)
  return {
    name: 'drey proxy',
    url,
    pid: child.pid,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await exited
    },
  }
}
