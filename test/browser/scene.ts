import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCacheWith } from '../../lib/cache/create.js'
import { createDashboardWith, type Dashboard } from '../../lib/http/dashboard/index.js'
import { type Cache, fileStore, memoryStore } from '../../lib/index.js'
import { FakeClock } from '../helpers/clock.js'
import { turns } from '../helpers/gate.js'

const KIB = 1024
const SIZES = [700, 9 * KIB, 60 * KIB, 300 * KIB, 1300 * KIB]
const CALLS = 12

/** Time goes by a little whenever somebody looks at it: what is measured takes longer than nothing. */
class CreepingClock extends FakeClock {
  #crept = 0

  override monotonic(): number {
    this.#crept += 0.006
    return super.monotonic() + this.#crept
  }
}

/** A cache that is asked as a test says, in a time that goes by when the test says so, and a server with its dashboard. */
export interface Scene extends AsyncDisposable {
  readonly cache: Cache
  readonly clock: FakeClock
  readonly url: string
  /** Which share of what is fetched fails. */
  failing: number
  /** So many seconds go by, with as many calls as there are in so many. */
  seconds(count: number): Promise<void>
  /** The server goes, with who is connected to it. */
  stop(): Promise<void>
  /** It comes back where it was. */
  start(): Promise<void>
}

export async function scene(
  options: { readonly disk?: boolean; readonly begin?: number } = {},
): Promise<Scene> {
  const clock = new CreepingClock(options.begin ?? Date.now())
  const dir = mkdtempSync(join(tmpdir(), 'drey-browser-'))
  const memory = memoryStore({ maxBytes: '12MiB', policy: 's3-fifo' })
  const disk = fileStore({ dir, maxBytes: '96MiB', compression: 'lz4' })
  const cache = await createCacheWith(
    {
      metrics: { sampling: 1 },
      pressure: false,
      // The others say what happens by chance, in so few calls.
      alerts: { p99: { amber: 1e6, red: 1e6 }, hitRatio: { amber: 0.99, red: 0.99 } },
      tiers: options.disk === false ? [memory] : [memory, disk],
    },
    { clock },
  )
  let server: Server | undefined
  let dashboard: Dashboard | undefined
  let port = 0
  let calls = 0
  const one: Scene = {
    cache,
    clock,
    failing: 0,
    get url() {
      return `http://127.0.0.1:${port}/dashboard`
    },
    async seconds(count) {
      for (let second = 0; second < count; second += 1) {
        for (let i = 0; i < CALLS; i += 1) await call()
        clock.advance(1000)
        await turns(2)
      }
    },
    async stop() {
      dashboard?.close()
      const was = server
      if (was === undefined) return
      server = undefined
      const closed = once(was, 'close')
      was.close()
      was.closeAllConnections()
      await closed
    },
    async start() {
      dashboard = createDashboardWith(cache, { title: 'shop' }, clock)
      const handle = dashboard.handle
      server = createServer((req, res) => {
        if (!handle(req, res)) res.writeHead(404).end()
      })
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      port = (server.address() as AddressInfo).port
    },
    async [Symbol.asyncDispose]() {
      await one.stop()
      // Time goes by while it closes, or it would wait for it.
      const closing = cache.close()
      for (let i = 0; i < 3; i += 1) {
        await turns(5)
        clock.advance(10_000)
      }
      await closing
      rmSync(dir, { recursive: true, force: true })
    },
  }

  /** Some keys are asked for more often than others, most of them small; those that fail are never kept. */
  async function call(): Promise<void> {
    calls += 1
    const fails = (calls * 0.618) % 1 < one.failing
    const at = Math.floor(((calls * 0.754877) % 1) ** 3 * 200)
    const key = fails ? `/down/${calls}` : `/product/${at}?q=<img src=x onerror=alert(1)>`
    const size = SIZES[at % 50 === 0 ? 4 : at % 20 === 0 ? 3 : at % 3]!
    try {
      const answer = await cache.fetch(
        key,
        () => {
          clock.advance(2 + Math.sqrt(size) / 20 + (calls % 7))
          if (fails) throw new Error('the origin is down')
          return { body: Buffer.alloc(size, key), ttl: 20_000 }
        },
        fails ? {} : { origin: 'catalogue.internal' },
      )
      if (answer.status === 'ok') await answer.bytes()
    } catch (error) {
      if (!fails) throw error
    }
  }

  await one.start()
  return one
}
