import type { Writable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import { messageOf } from '../errors.js'
import { CommandError } from './usage.js'
import type { WorkerSaid, WorkerTask } from './worker.js'

/** One run of a worker, from its start to its end. */
export interface WorkerThread {
  /** Resolves once it listens; rejects with `CommandError` when it cannot. */
  readonly listening: Promise<{ readonly address: string; readonly port: number }>
  /** Resolves when the thread is gone: why, or undefined when it ended because there was nothing left to do. */
  readonly ended: Promise<string | undefined>
  /** Asks it to finish. */
  stop(): void
  /** Ends it wherever it is. */
  kill(): void
}

/** What a worker prints goes to `out`. */
export function startWorker(entry: URL, task: WorkerTask, out: Writable): WorkerThread {
  const worker = new Worker(entry, { workerData: task, stdout: true })
  worker.stdout.on('data', (chunk) => out.write(chunk))
  let why: string | undefined
  const ended = new Promise<string | undefined>((resolve) => {
    worker.on('error', (error) => {
      why = messageOf(error)
    })
    worker.on('exit', (code) => resolve(why ?? (code === 0 ? undefined : `it exited with ${code}`)))
  })
  const listening = new Promise<{ readonly address: string; readonly port: number }>((resolve, reject) => {
    worker.once('message', (said: WorkerSaid) => {
      if ('address' in said) return resolve(said)
      why = said.why
      reject(new CommandError(`proxy cannot ${said.cannot}: ${said.why}`))
    })
    void ended.then((reason) =>
      reject(new CommandError(`proxy cannot start: a worker ended: ${reason ?? 'it had nothing to do'}`)),
    )
  })
  // Of one that takes the place of another, only the end is waited for.
  listening.catch(() => undefined)
  return {
    listening,
    ended,
    stop: () => worker.postMessage('stop'),
    kill: () => void worker.terminate(),
  }
}
