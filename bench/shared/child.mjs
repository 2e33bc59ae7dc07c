import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/*
 * Processes of a bench's own, so that what is measured shares neither thread nor heap with what measures it. They
 * speak by messages; each ends when its parent does.
 */

/**
 * Forks a script of the bench. `wrap` stands before the command, to keep the process to a core for example, `flags`
 * are for its node, and `env` is added to the environment.
 *
 * @param {URL} script
 * @param {{ args?: readonly string[], wrap?: readonly string[], flags?: readonly string[], env?: Readonly<Record<string, string>> }} [options]
 */
export function startChild(script, { args = [], wrap = [], flags = [], env = {} } = {}) {
  const [execPath, ...execArgv] = [...wrap, process.execPath, ...flags]
  const child = fork(fileURLToPath(script), args, {
    execPath,
    execArgv,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)))
  return {
    pid: child.pid,
    exited,
    send: (message) => child.send(message),
    /** The next message with that `type`. Rejects when the process ends before, or says `failed`. */
    receive: (type) =>
      new Promise((resolve, reject) => {
        const onMessage = (message) => {
          if (message.type === 'failed') settle(() => reject(new Error(`${script.pathname}: ${message.why}`)))
          else if (message.type === type) settle(() => resolve(message))
        }
        const onExit = (code) =>
          settle(() => reject(new Error(`${script.pathname} ended (${code}) before it said ${type}`)))
        const settle = (how) => {
          child.off('message', onMessage)
          child.off('exit', onExit)
          how()
        }
        child.on('message', onMessage)
        child.on('exit', onExit)
      }),
    /** Ends it; resolves when it is gone. */
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await exited
    },
  }
}

/** In a child: the next message with that `type`. */
export function fromParent(type) {
  return new Promise((resolve) => {
    const onMessage = (message) => {
      if (message.type !== type) return
      process.off('message', onMessage)
      resolve(message)
    }
    process.on('message', onMessage)
  })
}

/** In a child: ends with the parent, and lets the parent know what went wrong. */
export function followParent() {
  process.on('disconnect', () => process.exit(0))
  const fail = (error) => {
    process.send?.({ type: 'failed', why: String(error?.stack ?? error) }, () => process.exit(1))
  }
  process.on('uncaughtException', fail)
  process.on('unhandledRejection', fail)
}
