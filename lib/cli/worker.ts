import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../clock.js'
import { messageOf } from '../errors.js'
import type { ListenAt } from '../http/listen.js'
import type { ProxyOptions } from '../http/options.js'
import { type CachingProxy, createProxyWith } from '../http/proxy.js'
import { native } from '../native/loader.js'

/*
 * A worker thread of `drey proxy --workers`: one proxy, over the port and the memory of all. It says once what became
 * of it, and stops at the first message that it gets.
 */

/** What a worker is started with. */
export interface WorkerTask {
  /** As given on the command line: an access log of `'-'` is standard output. */
  readonly options: Readonly<Record<string, unknown>>
  /** A numeric address, and the port that all listen on; 0 for the first to take any. */
  readonly listen: ListenAt
  readonly instance: string
}

/** What a worker says. */
export type WorkerSaid =
  | { readonly address: string; readonly port: number }
  | { readonly cannot: 'start' | 'listen'; readonly why: string }

/** As long a queue as Node asks for. */
const BACKLOG = 511

const { options, listen, instance } = workerData as WorkerTask
const port = parentPort!

function say(said: WorkerSaid): void {
  port.postMessage(said)
}

async function start(): Promise<CachingProxy | undefined> {
  const log = options['accessLog'] === '-' ? { accessLog: process.stdout } : {}
  try {
    return await createProxyWith({ ...options, ...log } as unknown as ProxyOptions, {
      clock: systemClock,
      common: {
        instance,
        listenSocket: () => native()!.listenSocket(listen.host, listen.port, BACKLOG),
      },
    })
  } catch (error) {
    say({ cannot: 'start', why: messageOf(error) })
    return undefined
  }
}

async function serve(proxy: CachingProxy): Promise<void> {
  try {
    const address = await proxy.listen()
    // Also what keeps the thread: once it is told to stop, it ends when the proxy has.
    port.once('message', () => {
      void proxy.close()
    })
    const at = proxy.server.address()
    say({ address, port: typeof at === 'object' && at !== null ? at.port : listen.port })
  } catch (error) {
    say({ cannot: 'listen', why: messageOf(error) })
    await proxy.close()
  }
}

const proxy = await start()
if (proxy !== undefined) await serve(proxy)
