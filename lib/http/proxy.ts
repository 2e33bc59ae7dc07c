import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Cache } from '../cache/cache.js'
import { createCacheWith } from '../cache/create.js'
import type { DirectCache } from '../cache/direct.js'
import type { CacheOptions } from '../cache/options.js'
import { type Clock, systemClock } from '../clock.js'
import { loadConfig } from '../config/file/load.js'
import { follow } from '../config/file/watch.js'
import { fileOf, proxyOptionsWith } from '../config/file/with-file.js'
import { isPlain } from '../config/merge.js'
import { ClosedError, ConfigError } from '../errors.js'
import type { OptionChange } from '../store/store.js'
import { createAccessLog } from './access-log.js'
import { createAdmin } from './admin/listener.js'
import type { ProxyContext } from './exchange.js'
import { APPENDED_FIELDS } from './forward.js'
import { createHandler } from './handler.js'
import { showAddress } from './listen.js'
import { LiveProxyOptions, type ProxyPatch } from './live-options.js'
import { type ProxyConfig, type ProxyOptions, readProxyOptions } from './options.js'
import { createPassMemory } from './pass-memory.js'
import type { StoredHead } from './stored-head.js'
import { createUpstream } from './upstream.js'

/** A caching proxy in front of one origin. */
export interface CachingProxy {
  /** The server in front; listening once `listen()` has resolved. */
  readonly server: Server
  /** What it keeps answers in; `stats()`, `delete()` and `clear()` are for its owner, too. */
  readonly cache: Cache
  /** Where it listens, such as `http://127.0.0.1:8080`; undefined while it does not. */
  readonly address: string | undefined
  /** Where `admin` listens: a URL, or the path of its socket; undefined while it does not. */
  readonly adminAddress: string | undefined
  /**
   * Changes options while it serves, as `cache.configure` does: those that are named, all of them or none. Requests under way end by those that they began
   * with. `cache.on('config')` tells it; paths of the proxy's own begin with `proxy`.
   *
   * @throws `ERR_DREY_CONFIG` for what is wrong, or takes a restart: a line for each, and why
   */
  configure(patch: ProxyPatch): Promise<readonly OptionChange[]>
  /** Begins to listen; resolves to `address`. Rejects with Node's error when it cannot, and with `ERR_DREY_CLOSED` once it is closed. */
  listen(): Promise<string>
  /**
   * Stops accepting, lets responses under way finish within `shutdownTimeout`, breaks off what is left, and gives
   * everything back.
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** What proxies in several threads have in common, to be one proxy to the outside. */
export interface Common {
  /** Names them in `Via`, where each has to know the requests of all, and names their memory. */
  readonly instance: string
  /** Gives the descriptor of a socket that listens. */
  readonly listenSocket: () => number
}

/** What a test may replace, and a thread among several has to. */
export interface ProxySeams {
  readonly clock: Clock
  readonly common?: Common
}

/** How often a closing server looks for connections that have become idle, in ms. */
const SWEEP_MS = 50

/**
 * Makes a caching proxy that does not listen yet.
 *
 * @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do.
 */
export function createProxy(options: ProxyOptions): Promise<CachingProxy> {
  return createProxyWith(options, { clock: systemClock })
}

/** As `createProxy`, with the clock given, and as one of several if `common` is. */
export async function createProxyWith(
  options: ProxyOptions,
  { clock, common }: ProxySeams,
): Promise<CachingProxy> {
  const file = isPlain(options) ? await fileOf(options) : undefined
  let config = readProxyOptions(proxyOptionsWith(options, file))
  if (common !== undefined && config.oneThread) throw new ConfigError(ONE_THREAD)
  if (common !== undefined && config.admin !== undefined) throw new ConfigError(ADMIN_ONE_THREAD)
  const log =
    config.accessLog === undefined ? undefined : await createAccessLog(config.accessLog, clock, onLogError)
  const cache = await createCacheWith<StoredHead>(cacheOptionsOf(config, common), { clock }).catch(
    async (error) => {
      // The directory of another, say: nothing is left of the proxy that is not to be.
      await log?.close()
      throw error
    },
  )
  const upstream = createUpstream(config.origin, config.dispatcher, clock)
  let closing: Promise<void> | undefined
  /** While it is about to listen. */
  let starting: Promise<string> | undefined
  // Marks must differ between threads, too.
  const own = randomBytes(6).toString('hex')
  const instance = common?.instance ?? own
  let marks = 0
  const settingsOf = (from: ProxyConfig): ProxySettings => ({
    freshness: {
      defaultTtl: from.ttl,
      heuristic: from.heuristic,
      staleIfError: from.staleIfError,
      shared: true,
      rewritten: APPENDED_FIELDS,
    },
    forward: { preserveHost: from.preserveHost, trustForwarded: from.trustForwarded, instance },
    originTimeout: from.originTimeout,
    healthz: from.healthz,
  })
  const context: ProxyContext = {
    cache,
    upstream,
    clock,
    ...settingsOf(config),
    passes: createPassMemory(clock),
    log,
    originHost: config.origin.host,
    isClosing: () => closing !== undefined,
    newMark: () => {
      marks += 1
      return `${own}${marks.toString(36)}`
    },
  }
  const server = createServer(createHandler(context))
  server.timeout = silenceOf(config)
  const live = new LiveProxyOptions({ file, code: options }, config, {
    cache: cache as unknown as DirectCache,
    cacheOptionsOf: (from) => cacheOptionsOf(from, common),
    become(next) {
      config = next
      Object.assign(context, settingsOf(next))
      server.timeout = silenceOf(next)
    },
  })
  const following =
    file !== undefined && options.watch === true
      ? follow(file.file, clock, () => reload(file.file))
      : undefined
  const admin =
    config.admin === undefined ? undefined : createAdmin(cache as unknown as Cache, config.admin, clock)
  server.on('connect', refuseTunnel)

  async function reload(path: string): Promise<void> {
    try {
      await live.reload(await loadConfig(path))
    } catch (error) {
      if (closing === undefined) cache.tellConfigError(path, error)
    }
  }

  async function start(): Promise<string> {
    // First: an operator sees who asks it from the first request on.
    await admin?.listen()
    assertOpen()
    if (common === undefined) server.listen(config.listen.port, config.listen.host)
    else server.listen({ fd: common.listenSocket() })
    // Rejects with the server's error, if that comes first.
    await once(server, 'listening').catch(async (error: unknown) => {
      await admin?.pause()
      throw error
    })
    // Such as too many open files: the next connection may find better times.
    server.on('error', (error) => process.emitWarning(error))
    return proxy.address!
  }

  function assertOpen(): void {
    if (closing !== undefined) throw new ClosedError('the proxy is closed; make a new one')
  }

  async function stop(): Promise<void> {
    // What is about to listen cannot be closed yet. Who called `listen` is told how it ended.
    if (starting !== undefined) await starting.catch(() => undefined)
    if (following !== undefined) await following.close()
    if (server.listening) await stopServer(server, config, clock)
    await admin?.close()
    await cache.close()
    await upstream.close()
    await log?.close()
  }

  const proxy: CachingProxy = {
    server,
    cache: cache as unknown as Cache,
    get address() {
      const at = server.address() as AddressInfo | null
      return at === null ? undefined : showAddress({ host: at.address, port: at.port })
    },
    get adminAddress() {
      return admin?.address
    },
    async configure(patch) {
      assertOpen()
      return live.configure(patch)
    },
    async listen() {
      assertOpen()
      const started = start()
      starting = started
      const forget = (): void => {
        if (starting === started) starting = undefined
      }
      started.then(forget, forget)
      return started
    },
    close() {
      closing ??= stop()
      return closing
    },
    [Symbol.asyncDispose]() {
      return proxy.close()
    },
  }
  return proxy
}

/** What several threads cannot have. */
export const ONE_THREAD =
  'dir: one thread has a directory, and what it keeps there cannot be kept right for others yet; want one worker, or no dir and no tiers'

export const ADMIN_ONE_THREAD =
  'admin: each thread counts for itself, and nobody adds it up yet; want one worker, or no admin'

/** A connection is silent while its client waits for the origin, too. Node's timers count 31 bits of ms. */
function silenceOf({ clientTimeout, originTimeout }: ProxyConfig): number {
  return Math.min(Math.max(clientTimeout, originTimeout + 1000), 2 ** 31 - 1)
}

/** What of a context can be another at run time. */
type ProxySettings = Pick<ProxyContext, 'freshness' | 'forward' | 'originTimeout' | 'healthz'>

/** Proxies in several threads have one memory. */
function cacheOptionsOf({ cache }: ProxyConfig, common: Common | undefined): CacheOptions {
  if (common === undefined) return cache
  const [memory] = cache.tiers as [object]
  return { ...cache, tiers: [{ store: 'memory', ...memory, name: `drey proxy ${common.instance}` }] }
}

/** A log that fails costs its lines, not the answers. */
function onLogError(error: Error): void {
  process.emitWarning(`the access log cannot be written: ${error.message}`, { code: 'DREY_ACCESS_LOG' })
}

/** A tunnel would be a way past the proxy. */
function refuseTunnel(_req: IncomingMessage, socket: Duplex): void {
  const body = '501 Not Implemented: this proxy opens no tunnels\n'
  // The peer may be gone already; there is nobody else to tell.
  socket.on('error', () => undefined)
  socket.end(
    `HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}

/** Responses under way ask for their connection to be closed; those whose head was out already are found by looking. */
function stopServer(server: Server, config: ProxyConfig, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS)
    const limit = clock.after(config.shutdownTimeout, () => server.closeAllConnections())
    server.close(() => {
      clearInterval(sweep)
      limit.cancel()
      resolve()
    })
    server.closeIdleConnections()
  })
}
