import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Clock } from '../clock.js'
import { showValue } from '../config/validate.js'
import { ConfigError, NativeError } from '../errors.js'
import type { ListenAt } from '../http/listen.js'
import { readProxyOptions } from '../http/options.js'
import { ADMIN_ONE_THREAD, ONE_THREAD } from '../http/proxy.js'
import { native, nativeStatus } from '../native/loader.js'
import type { Console } from './console.js'
import { CommandError } from './usage.js'
import { startWorker, type WorkerThread } from './worker-thread.js'

/*
 * `drey proxy --workers N`: threads that serve one port over one memory. Each has a socket of its own on the port, over
 * which the kernel spreads the connections, so that none waits for another; this thread only starts and replaces them.
 */

export interface Workers {
  /** Starts them; resolves to the address once all listen. Rejects with `CommandError` or Node's error when one cannot. */
  listen(): Promise<string>
  /** Resolves when they die faster than they can be replaced: nobody tries again then. */
  readonly lost: Promise<CommandError>
  /** Has all finish as a proxy of one thread does, and waits for their end. Rejects when one failed to. */
  close(): Promise<void>
}

/** What a test may replace. */
export interface WorkersSeams {
  readonly clock: Clock
  /** What each thread runs. */
  readonly entry: URL
}

const MAX_WORKERS = 64
/** A worker that lived so long, in ms, began well: what ended it is not what ended the one before. */
const STEADY_MS = 10_000
/** So many in a row that died sooner are enough. */
const MAX_EARLY_DEATHS = 5
/** Waited before the third of them is started, in ms; twice as long before each one after. The second is not waited for. */
const FIRST_PAUSE_MS = 100
/** Threads that hang are ended so much later, in ms, than responses are broken off. */
const GRACE_MS = 2000

/** @throws `ERR_DREY_CONFIG` unless it is a number of workers, or not given: 1. */
export function readWorkerCount(given: unknown): number {
  const count = given ?? 1
  if (typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= MAX_WORKERS) return count
  throw new ConfigError(`workers: got ${showValue(given)}; want a whole number from 1 to ${MAX_WORKERS}`)
}

/**
 * @param options those of the proxy, as given on the command line
 * @throws `ERR_DREY_CONFIG` for an option that is wrong; `ERR_DREY_NATIVE` without the addon
 */
export function createWorkers(
  count: number,
  options: Readonly<Record<string, unknown>>,
  console: Pick<Console, 'stdout' | 'stderr'>,
  { clock, entry }: WorkersSeams,
): Workers {
  const config = readProxyOptions(options)
  if (config.oneThread) throw new ConfigError(ONE_THREAD)
  if (config.admin !== undefined) throw new ConfigError(ADMIN_ONE_THREAD)
  assertNative(count)
  const instance = randomBytes(6).toString('hex')
  // Decided once: what a default is made of may change before a worker is replaced.
  const decided = { ...options, memory: config.memory }
  const threads = new Set<WorkerThread>()
  const keepers: Array<Promise<void>> = []
  let at: ListenAt = config.listen
  let closing: Promise<void> | undefined
  let stopWaiting = (): void => undefined
  const stopped = new Promise<void>((resolve) => {
    stopWaiting = resolve
  })
  let giveUp: (error: CommandError) => void = () => undefined
  const lost = new Promise<CommandError>((resolve) => {
    giveUp = resolve
  })

  function start(): WorkerThread {
    const thread = startWorker(entry, { options: decided, listen: at, instance }, console.stdout)
    threads.add(thread)
    void thread.ended.then(() => threads.delete(thread))
    return thread
  }

  function pause(ms: number): Promise<void> {
    let cancel = (): void => undefined
    const over = new Promise<void>((resolve) => {
      cancel = clock.after(ms, resolve, true).cancel
    })
    return Promise.race([over, stopped]).finally(() => cancel())
  }

  /** Replaces a worker whenever it has died, until all are closed. */
  async function keep(number: number, first: WorkerThread): Promise<void> {
    let thread = first
    let earlyDeaths = 0
    for (;;) {
      const steady = clock.after(STEADY_MS, () => {
        earlyDeaths = 0
      })
      const why = (await thread.ended) ?? 'it ended by itself'
      steady.cancel()
      if (closing !== undefined) return
      earlyDeaths += 1
      const died = `worker ${number} of ${count} died: ${why}`
      if (earlyDeaths === MAX_EARLY_DEATHS) {
        giveUp(
          new CommandError(
            `${died}; none of ${MAX_EARLY_DEATHS} in a row lived for ${STEADY_MS / 1000} s, so no other is started`,
          ),
        )
        return
      }
      console.stderr.write(`drey: ${died.replace(/\s+/g, ' ')}; another is started\n`)
      if (earlyDeaths > 1) await pause(FIRST_PAUSE_MS * 2 ** (earlyDeaths - 2))
      if (closing !== undefined) return
      thread = start()
    }
  }

  async function stop(): Promise<void> {
    const last = [...threads]
    for (const thread of last) thread.stop()
    const limit = clock.after(config.shutdownTimeout + GRACE_MS, () => {
      for (const thread of last) thread.kill()
    })
    const ends = await Promise.all(last.map(({ ended }) => ended))
    await Promise.all(keepers)
    limit.cancel()
    console.stdout.off('error', onOutputError)
    // One that could not even begin was told of by `listen`.
    const why = keepers.length === 0 ? undefined : ends.find((end) => end !== undefined)
    if (why !== undefined) throw new CommandError(`a worker did not stop as it should: ${why}`)
  }

  // Lines that nobody takes are no reason to stop serving.
  let warned = false
  function onOutputError(error: Error): void {
    if (!warned) process.emitWarning(`standard output cannot be written: ${error.message}`)
    warned = true
  }
  console.stdout.on('error', onOutputError)

  return {
    lost,
    async listen() {
      const { host, port } = config.listen
      at = { host: (await lookup(host)).address, port }
      if (port !== 0) await assertFree(at)
      const first = start()
      const got = await first.listening
      at = { host: at.host, port: got.port }
      const all = [first, ...Array.from({ length: count - 1 }, start)]
      await Promise.all(all.map(({ listening }) => listening))
      keepers.push(...all.map((thread, index) => keep(index + 1, thread)))
      return got.address
    },
    close() {
      if (closing === undefined) {
        // Keepers look at it as soon as they are woken.
        closing = stop()
        stopWaiting()
      }
      return closing
    },
  }
}

function assertNative(count: number): void {
  if (native() !== undefined) return
  const status = nativeStatus()
  const why = status.loaded ? '' : `: ${status.reason}`
  throw new NativeError(
    `workers: got ${count}, but threads share memory by the addon alone, and it is not loaded${why}; ` +
      'load it (in a checkout: npm run build:addon), or want 1 worker',
  )
}

/** Rejects when another has the port. Sockets that share it would share it with those of another proxy, too, without a word. */
async function assertFree({ host, port }: ListenAt): Promise<void> {
  const server = createServer()
  server.listen(port, host)
  await once(server, 'listening')
  server.close()
  await once(server, 'close')
}
