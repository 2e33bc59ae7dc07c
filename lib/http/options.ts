import type { Writable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { z } from 'zod'
import { type BufferPoolChoice, bufferPoolOption, readBufferPool } from '../buffers/choice.js'
import { defaultMemoryBytes } from '../config/memory.js'
import { durationOption, limitOption, memoryOption, sizeOption } from '../config/schema.js'
import { parseDuration, parseSize } from '../config/units.js'
import { validate } from '../config/validate.js'
import { ConfigError } from '../errors.js'
import { type ListenAt, parseListen } from './listen.js'

const isWritable = (value: unknown): value is Writable =>
  typeof value === 'object' && value !== null && 'write' in value && typeof value.write === 'function'
const isDispatcher = (value: unknown): value is Dispatcher =>
  typeof value === 'object' && value !== null && 'dispatch' in value && typeof value.dispatch === 'function'

const proxyOptions = z.strictObject({
  /** Where answers come from: `http://host:port` or `https://host:port`, without a path. */
  origin: z.union([z.string(), z.instanceof(URL)]),
  /** Where to listen: a port on loopback, or `'host:port'`. Default: any free port on loopback. */
  listen: z.union([z.number(), z.string()]).optional(),
  /** Bound of the memory store. Default: a quarter of the memory there is, at most 512 MiB. */
  memory: memoryOption.optional(),
  /** Larger answers pass through and are not kept. Default: an eighth of `memory`, or, with `dir`, a quarter of `disk`. */
  maxItem: sizeOption.optional(),
  /**
   * A directory for what memory does not hold, and for after a restart: the second tier, as `dir` of `fileStore`. With `disk`. One
   * thread has it. Default: none.
   */
  dir: z.string().min(1).optional(),
  /** Bound of what that takes on the disk. At least 8 MiB. */
  disk: sizeOption.optional(),
  /** What bodies pass through on their way: as `bufferPool` of `createCache`. Default true. */
  bufferPool: bufferPoolOption.optional(),
  /** Freshness where the origin says nothing. Default: such answers are not stored. */
  ttl: durationOption.optional(),
  /** For how long an answer may stand in for an origin that fails, where the origin does not say. Default 1 day. */
  staleIfError: durationOption.optional(),
  /** Guess freshness from `Last-Modified` where the origin says nothing. Default false. */
  heuristic: z.boolean().optional(),
  /** Ask the origin under the host that the client asked for. Default false. */
  preserveHost: z.boolean().optional(),
  /** Keep `Forwarded` and `X-Forwarded-*` as they come: only behind a proxy that sets them. Default false. */
  trustForwarded: z.boolean().optional(),
  /** Path that answers "ok" without asking anyone; `true` for `/healthz`. Default: none. */
  healthz: z
    .union([z.boolean(), z.string().regex(/^\/[!-~]*$/, "want a path such as '/healthz'")])
    .optional(),
  /** Where lines of the access log go: a stream, or the path of a file. Default: nowhere. */
  accessLog: z
    .union([z.string().min(1), z.custom<Writable>(isWritable, 'want a path or a writable stream')])
    .optional(),
  /** Longest wait for the origin's first byte. Default 30 s. */
  originTimeout: limitOption.optional(),
  /** How long a connection of a client may be silent while a response is under way. Default 5 min. */
  clientTimeout: limitOption.optional(),
  /** How long `close()` lets responses finish. Default 10 s. */
  shutdownTimeout: durationOption.optional(),
  /** The HTTP client for the origin, in place of a pool of its own; it stays yours to close. */
  dispatcher: z.custom<Dispatcher>(isDispatcher, 'want a dispatcher of undici').optional(),
})

/** Eight segments of the smallest kind. */
const MIN_DISK = 8 * 2 ** 20

/** Options of `createProxy`. */
export type ProxyOptions = z.input<typeof proxyOptions>

/** What a proxy runs on: checked, with defaults, in milliseconds and bytes. */
export interface ProxyConfig {
  readonly origin: URL
  readonly listen: ListenAt
  readonly memory: number
  readonly maxItem: number | undefined
  /** The second tier, if there is one. */
  readonly disk: { readonly dir: string; readonly maxBytes: number } | undefined
  readonly bufferPool: BufferPoolChoice
  readonly ttl: number | undefined
  readonly staleIfError: number
  readonly heuristic: boolean
  readonly preserveHost: boolean
  readonly trustForwarded: boolean
  readonly healthz: string | undefined
  readonly accessLog: Writable | string | undefined
  readonly originTimeout: number
  readonly clientTimeout: number
  readonly shutdownTimeout: number
  readonly dispatcher: Dispatcher | undefined
}

/** @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do. */
export function readProxyOptions(options: unknown): ProxyConfig {
  const given = validate(proxyOptions, options, '')
  const memory = parseSize(given.memory) ?? defaultMemoryBytes()
  const maxItem = parseSize(given.maxItem)
  const disk = readDisk(given.dir, parseSize(given.disk))
  const [most, bound] =
    disk === undefined ? ['memory', memory] : ['half of disk', Math.floor(disk.maxBytes / 2)]
  if (maxItem !== undefined && maxItem > bound) {
    throw new ConfigError(`maxItem: got ${maxItem}, more than ${most}, ${bound}; want at most that`)
  }
  const { bufferPool = true } = given
  // Before anything is made: the cache, which reads it again, comes after the log.
  readBufferPool(bufferPool)
  return {
    bufferPool,
    origin: readOrigin(given.origin),
    listen: parseListen(given.listen ?? 0),
    memory,
    maxItem,
    disk,
    ttl: parseDuration(given.ttl),
    staleIfError: parseDuration(given.staleIfError) ?? 864e5,
    heuristic: given.heuristic ?? false,
    preserveHost: given.preserveHost ?? false,
    trustForwarded: given.trustForwarded ?? false,
    healthz: given.healthz === true ? '/healthz' : given.healthz === false ? undefined : given.healthz,
    accessLog: given.accessLog,
    originTimeout: parseDuration(given.originTimeout) ?? 30_000,
    clientTimeout: parseDuration(given.clientTimeout) ?? 300_000,
    shutdownTimeout: parseDuration(given.shutdownTimeout) ?? 10_000,
    dispatcher: given.dispatcher,
  }
}

function readDisk(dir: string | undefined, maxBytes: number | undefined): ProxyConfig['disk'] {
  if (dir === undefined && maxBytes === undefined) return undefined
  if (dir === undefined) throw new ConfigError('disk: got a bound without dir; want both, or neither')
  if (maxBytes === undefined)
    throw new ConfigError(`dir: got ${JSON.stringify(dir)} without disk; want both, or neither`)
  if (maxBytes < MIN_DISK) {
    throw new ConfigError(`disk: got ${maxBytes}; want at least 8 MiB, ${MIN_DISK} bytes`)
  }
  return { dir, maxBytes }
}

function readOrigin(given: string | URL): URL {
  const want =
    "want the scheme, host and port of a server, such as 'http://127.0.0.1:3000' or 'https://example.org'"
  const fail = (): never => {
    throw new ConfigError(`origin: got ${JSON.stringify(String(given))}; ${want}`)
  }
  if (!URL.canParse(String(given))) return fail()
  const url = new URL(String(given))
  const bare =
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  return bare && (url.protocol === 'http:' || url.protocol === 'https:') ? url : fail()
}
