import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import type { Console } from '../../lib/cli/console.js'

/** A console in memory. */
export interface FakeConsole extends Console {
  readonly out: () => string
  readonly err: () => string
  readonly exits: number[]
  signal(name: NodeJS.Signals): void
  /** Resolves with the address that the proxy says it listens on. */
  listening(): Promise<{ readonly port: number; readonly line: string }>
}

/** @param isTTY whether somebody looks at its output */
export function fakeConsole(isTTY = false): FakeConsole {
  const stdout = Object.assign(new PassThrough(), { isTTY })
  const stderr = new PassThrough()
  let out = ''
  let err = ''
  stdout.on('data', (chunk) => {
    out += chunk
  })
  stderr.on('data', (chunk) => {
    err += chunk
  })
  const listeners = new Set<(signal: NodeJS.Signals) => void>()
  const exits: number[] = []
  return {
    stdout,
    stderr,
    exits,
    out: () => out,
    err: () => err,
    onStop(onSignal) {
      listeners.add(onSignal)
      return () => listeners.delete(onSignal)
    },
    exit: (code) => exits.push(code),
    signal(name) {
      for (const listener of listeners) listener(name)
    },
    async listening() {
      for (;;) {
        const match = /listening on http:\/\/\S+:(\d+) -> .*\n/.exec(out)
        if (match) return { port: Number(match[1]), line: match[0] }
        await once(stdout, 'data')
      }
    },
  }
}
