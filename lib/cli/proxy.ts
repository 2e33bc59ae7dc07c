import { systemClock } from '../clock.js'
import type { LoadedConfig } from '../config/file/load.js'
import { fileOf, proxyOptionsWith } from '../config/file/with-file.js'
import { ConfigError, NativeError } from '../errors.js'
import type { ProxyOptions } from '../http/options.js'
import { type CachingProxy, createProxy } from '../http/proxy.js'
import type { Console } from './console.js'
import { newsInJson, newsInWords, type ProxyNews } from './proxy-news.js'
import { CommandError, type Flags, type FlagValue, readFlags, UsageError } from './usage.js'
import { createWorkers, readWorkerCount, type Workers } from './workers.js'

const FLAGS = {
  config: { type: 'string', alone: '' },
  watch: { type: 'boolean' },
  origin: { type: 'string' },
  listen: { type: 'string' },
  workers: { type: 'string' },
  memory: { type: 'string' },
  'max-item': { type: 'string' },
  dir: { type: 'string' },
  disk: { type: 'string' },
  ttl: { type: 'string' },
  'stale-if-error': { type: 'string' },
  heuristic: { type: 'boolean' },
  'preserve-host': { type: 'boolean' },
  'trust-forwarded': { type: 'boolean' },
  healthz: { type: 'string', alone: '/healthz' },
  'access-log': { type: 'string', alone: '-' },
  admin: { type: 'string' },
  'origin-timeout': { type: 'string' },
  'client-timeout': { type: 'string' },
  'shutdown-timeout': { type: 'string' },
  json: { type: 'boolean' },
} as const satisfies Flags

export const PROXY_HELP = `drey proxy: a caching HTTP proxy in front of one origin

Usage:
  drey proxy --origin URL [options]

Options:
  --config [FILE]           options from a configuration file; flags count instead of what it says
  --watch                   follow that file: what changes there is applied, all of it or nothing
  --origin URL              where answers come from: http or https, without a path
  --listen [HOST:]PORT      where to listen; a port alone means loopback (default 8080)
  --workers N               threads that serve, over one cache: 1 to 64 (default 1)
  --memory SIZE             bound of the cache in memory (default a quarter of it, at most 512MiB)
  --dir PATH                a directory for what memory does not hold, and for after a restart
  --disk SIZE               bound of what that takes on the disk; with --dir, and one worker
  --max-item SIZE           larger answers pass through (default an eighth of --memory, a quarter of --disk)
  --ttl DURATION            freshness where the origin says nothing (default: not stored)
  --stale-if-error DURATION how long an answer may stand in for an origin that fails (default 1d)
  --heuristic               guess freshness from Last-Modified where the origin says nothing
  --preserve-host           ask the origin under the host that the client asked for
  --trust-forwarded         keep X-Forwarded-* as they come: only behind a proxy that sets them
  --healthz [PATH]          answer "ok" there without asking anyone (default /healthz)
  --access-log [FILE]       one line per request to FILE, or to standard output
  --admin [HOST:]PORT|PATH  where drey stats, top and purge ask, with /metrics and a dashboard: a port on loopback, or a Unix socket;
                            elsewhere with a token, in DREY_ADMIN_TOKEN (default nowhere)
  --origin-timeout DURATION longest wait for the origin's first byte (default 30s)
  --client-timeout DURATION longest silence of a client's connection (default 5m)
  --shutdown-timeout DURATION how long responses may finish after SIGTERM or SIGINT (default 10s)
  --json                    what it says of itself as objects on standard output, a line each: listening, admin, config, stopping

Exit status: 0 it was stopped, 1 it cannot start or listen, or a worker was lost, 2 the command line, or the file, is wrong.

Examples:
  drey proxy --origin https://example.org --listen 8080
  drey proxy --origin https://example.org --dir /var/cache/drey --disk 20GiB
  drey proxy --config drey.config.json --watch
  drey proxy --origin https://example.org --admin /run/drey.sock     # then: drey top /run/drey.sock
  drey proxy --origin http://127.0.0.1:3000 --listen 0.0.0.0:8080 --memory 2GiB --ttl 1m --healthz
  curl -v http://127.0.0.1:8080/     # Cache-Status says what the cache did
`

const DEFAULT_PORT = 8080
/** What each worker runs, beside this file once built. */
const WORKER = new URL('./worker.js', import.meta.url)

/** What serves, in this thread or in others. */
interface Serving {
  listen(): Promise<string>
  readonly adminAddress?: CachingProxy['adminAddress']
  /** Resolves when it serves no longer, though nobody asked it to stop. */
  readonly lost?: Workers['lost']
  close(): Promise<void>
}

/** `drey proxy`: runs until it is told to stop. */
export async function proxyCommand(args: readonly string[], console: Console): Promise<number> {
  const { json, ...flags } = readFlags(args, FLAGS)
  if (json === true && flags['access-log'] === '-') {
    throw new UsageError('--json: --access-log goes to standard output, too; want a FILE for it')
  }
  const news = json === true ? newsInJson(console) : newsInWords(console)
  const { proxy, origin } = await make(flags, console, news)
  const address = await proxy.listen().catch(async (error: NodeJS.ErrnoException) => {
    await proxy.close()
    if (error instanceof CommandError) throw error
    throw new CommandError(`proxy cannot listen: ${error.message}`, { cause: error })
  })
  const stopped = untilStopped(proxy, console, news)
  news.listening(address, new URL(String(origin)).origin)
  if (proxy.adminAddress !== undefined) news.admin(proxy.adminAddress)
  await stopped
  return 0
}

async function make(
  flags: Readonly<Record<string, FlagValue>>,
  console: Console,
  news: ProxyNews,
): Promise<{ readonly proxy: Serving; readonly origin: unknown }> {
  const given: Record<string, unknown> = {}
  for (const [flag, value] of Object.entries(flags)) given[optionOf(flag)] = valueGiven(value)
  try {
    const { workers, config, watch, ...own } = given
    const configFile = config === '' ? true : config === undefined ? undefined : String(config)
    const file = await fileOf({ configFile })
    const options = withDefaults(proxyOptionsWith<Record<string, unknown>>(own, file))
    const { origin } = options
    if (origin === undefined) throw new UsageError('proxy wants --origin URL, or a --config that says it')
    const count = readWorkerCount(workers)
    if (count > 1) {
      if (watch === true)
        throw new UsageError('--watch: a file is followed by one thread yet; want one worker')
      return {
        proxy: createWorkers(count, options, console, { clock: systemClock, entry: WORKER }),
        origin,
      }
    }
    const log = options['accessLog'] === '-' ? { accessLog: console.stdout } : {}
    const followed = watch === true ? { ...own, configFile: configFile ?? false, watch } : options
    const made = { ...withDefaults(followed, file), ...log } as unknown as ProxyOptions
    const proxy = await createProxy(made)
    proxy.cache.on('config', ({ changes }) => news.changed(changes))
    proxy.cache.on('config-error', ({ error }) => news.notApplied(error))
    return { proxy, origin }
  } catch (error) {
    if (error instanceof UsageError) throw error
    if (error instanceof ConfigError) throw new UsageError(inFlags(error.message), { cause: error })
    const { message } = error as Error
    const why = error instanceof NativeError ? inFlags(message) : message
    throw new CommandError(`proxy cannot start: ${why}`, { cause: error })
  }
}

/** Flags and file, and the port that a proxy has here where neither says one. */
function withDefaults(
  options: Readonly<Record<string, unknown>>,
  file?: LoadedConfig,
): Record<string, unknown> {
  const listen = options['listen'] ?? file?.proxy.listen ?? DEFAULT_PORT
  return { ...options, listen }
}

/** Resolves once the proxy has stopped, as the first signal asks for; a second one does not wait. Rejects when it stopped without one. */
async function untilStopped(proxy: Serving, console: Console, news: ProxyNews): Promise<void> {
  let stopping = false
  let forget = (): void => undefined
  const asked = new Promise<undefined>((resolve) => {
    forget = console.onStop((signal) => {
      if (stopping) return console.exit(1)
      stopping = true
      news.stopping(signal)
      resolve(undefined)
    })
  })
  const lost = await (proxy.lost === undefined ? asked : Promise.race([asked, proxy.lost]))
  await proxy.close()
  forget()
  if (lost !== undefined) throw lost
}

function optionOf(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/** A number alone means bytes or milliseconds, as in the options of the library. */
function valueGiven(value: FlagValue): FlagValue | number {
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
}

/** What the library calls `staleIfError:` is a flag to the user of a command line. */
function inFlags(message: string): string {
  return message.replace(
    /(^|\n)([a-zA-Z]+):/g,
    (_, before: string, option: string) =>
      `${before}--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}:`,
  )
}
