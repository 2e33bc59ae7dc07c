import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

/**
 * `drey proxy` as users run it, on a free port.
 *
 * @param {string} origin
 * @param {{ wrap?: readonly string[], flags?: readonly string[], workers?: number, memory?: string, options?: readonly string[] }} [how] what stands before
 *   its node, flags for that, and options of the proxy
 */
export async function startProxy(
  origin,
  { wrap = [], flags = [], workers = 1, memory = '256MiB', options: more = [] } = {},
) {
  const [command, ...args] = [...wrap, process.execPath, ...flags, MAIN, 'proxy']
  const options = ['--origin', origin, '--listen', '0', '--memory', memory, '--workers', String(workers)]
  const child = spawn(command, [...args, ...options, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const kill = () => child.kill('SIGTERM')
  process.on('exit', kill)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const said = async (pattern) => {
    const { value: line } = await lines.next()
    const address = pattern.exec(String(line))?.[1]
    if (address === undefined) throw new Error(`drey proxy did not start: ${line}`)
    return address
  }
  const url = await said(/listening on (\S+)/)
  const admin = more.includes('--admin') ? await said(/admin on (\S+)/) : undefined
  return {
    name: 'drey proxy',
    url,
    /** Where it says what it does, with `--admin`. */
    admin,
    pid: child.pid,
    stop: async () => {
      process.off('exit', kill)
      if (child.exitCode === null && child.signalCode === null) kill()
      await exited
    },
  }
}
