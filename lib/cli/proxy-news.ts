import { showValue } from '../config/validate.js'
import { messageOf } from '../errors.js'
import type { OptionChange } from '../store/store.js'
import type { Console } from './console.js'

/** What a proxy says while it runs. */
export interface ProxyNews {
  listening(address: string, origin: string): void
  admin(address: string): void
  stopping(signal: NodeJS.Signals): void
  changed(changes: readonly OptionChange[]): void
  notApplied(error: unknown): void
}

/** Lines for people: what goes well on standard output, what does not on standard error. */
export function newsInWords({ stdout, stderr }: Console): ProxyNews {
  return {
    listening: (address, origin) => void stdout.write(`drey proxy listening on ${address} -> ${origin}\n`),
    admin: (address) => void stdout.write(`drey proxy admin on ${address}\n`),
    stopping: (signal) => void stdout.write(`drey proxy stopping on ${signal}\n`),
    changed(changes) {
      for (const { path, from, to } of changes) {
        stdout.write(`drey proxy: ${path} was ${showValue(from)}, is ${showValue(to)}\n`)
      }
    },
    notApplied(error) {
      for (const line of messageOf(error).split('\n')) stderr.write(`drey proxy: not applied: ${line}\n`)
    },
  }
}

/** Objects for programs, a line each, all on standard output. */
export function newsInJson({ stdout }: Console): ProxyNews {
  const say = (event: string, more: object): void =>
    void stdout.write(`${JSON.stringify({ event, ...more })}\n`)
  return {
    listening: (address, origin) => say('listening', { address, origin, pid: process.pid }),
    admin: (address) => say('admin', { address }),
    stopping: (signal) => say('stopping', { signal }),
    changed: (changes) => say('config', { changes }),
    notApplied: (error) => say('config-error', { problems: messageOf(error).split('\n') }),
  }
}
