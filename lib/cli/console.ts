import type { Writable } from 'node:stream'

/** What a command needs of the process it runs in. */
export interface Console {
  readonly stdout: Writable
  readonly stderr: Writable
  /** Calls `onSignal` for each request to stop, until the returned function is called. */
  onStop(onSignal: (signal: NodeJS.Signals) => void): () => void
  /** Ends the process at once. */
  exit(code: number): void
}

export const systemConsole: Console = {
  stdout: process.stdout,
  stderr: process.stderr,
  onStop(onSignal) {
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
    return () => {
      process.off('SIGTERM', onSignal)
      process.off('SIGINT', onSignal)
    }
  },
  exit: (code) => process.exit(code),
}
