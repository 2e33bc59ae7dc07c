import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fetchRaw } from './raw.mjs'

/*
 * Servers of others, as processes of the bench: in the foreground, with a configuration and folder of its own, on loopback, as the user
 * that runs it. Nothing of the system's own services is touched.
 */

/** Debian puts servers where only root's PATH looks. */
const ELSEWHERE = ['/usr/sbin', '/usr/local/sbin']
const PATIENCE_MS = 10_000

/** Where a program is, or undefined. */
export function findProgram(name) {
  if (spawnSync(name, ['-V']).error === undefined) return name
  return ELSEWHERE.map((folder) => `${folder}/${name}`).find(existsSync)
}

/** A port of loopback that nobody has. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/**
 * Starts a server and waits until it answers.
 *
 * @param {{ name: string, command: readonly string[], url: string, signal?: NodeJS.Signals }} how `signal` is how it is told to stop
 */
export async function startDaemon({ name, command: [program, ...args], url, signal = 'SIGTERM' }) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece) => {
      said = (said + piece).slice(-4096)
    })
  }
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  const exited = new Promise((resolve) => {
    child.once('exit', resolve)
    child.once('error', (error) => {
      said += error.message
      resolve()
    })
  })
  const kill = () => child.kill(signal)
  process.on('exit', kill)
  const stop = async () => {
    process.off('exit', kill)
    if (!isOver()) kill()
    await exited
  }
  const until = performance.now() + PATIENCE_MS
  for (;;) {
    const answered = await fetchRaw(url).then(
      () => true,
      () => false,
    )
    if (answered) return { name, url, pid: child.pid, stop }
    if (child.pid === undefined || isOver() || performance.now() > until) {
      if (child.pid !== undefined) await stop()
      throw new Error(`${name} does not answer at ${url}: ${said.trim() || 'it said nothing'}`)
    }
    await sleep(50)
  }
}
