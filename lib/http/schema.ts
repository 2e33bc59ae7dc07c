import type { Writable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { z } from 'zod'
import { bufferPoolOption } from '../buffers/choice.js'
import { cacheOptions, configFileOption, watchOption } from '../cache/schema.js'
import { checked, option, required } from '../config/option.js'
import { durationOption, limitOption, memoryOption, sizeOption } from '../config/schema.js'

/*
 * The options of a proxy. `options.ts` reads them.
 */

const { profile: _, configFile: __, watch: ___, bufferPool: ____, ...ofCache } = cacheOptions.shape
const cacheOfProxy = z.strictObject(ofCache)

const isWritable = (value: unknown): value is Writable =>
  typeof value === 'object' && value !== null && 'write' in value && typeof value.write === 'function'
const isDispatcher = (value: unknown): value is Dispatcher =>
  typeof value === 'object' && value !== null && 'dispatch' in value && typeof value.dispatch === 'function'

export const proxyOptions = z.strictObject({
  /** Which defaults hold where an option is not given: as `profile` of `createCache`. Default: as of `createCache`. */
  profile: option(
    'Which defaults hold where an option is not given: as `profile` of `createCache`.',
    cacheOptions.shape.profile.unwrap(),
    { otherwise: 'as of `createCache`', live: 'its buffer pool is made when the cache opens' },
  ),
  configFile: configFileOption,
  watch: watchOption,
  /**
   * Options of the cache that answers are kept in, as of `createCache`. With `tiers` there, `memory`, `maxItem`, `dir` and `disk` are left out here.
   */
  cache: option(
    'Options of the cache that answers are kept in, as of `createCache`. With `tiers` there, `memory`, `maxItem`, `dir` and `disk` are left out here.',
    cacheOfProxy,
    { otherwise: 'one memory store of `memory` bytes, and with `dir` a file store below it', live: true },
  ),
  /** Where answers come from: `http://host:port` or `https://host:port`, without a path. */
  origin: required(
    'Where answers come from: `http://host:port` or `https://host:port`, without a path.',
    z.union([z.string(), checked<URL>((value) => (value instanceof URL ? undefined : 'want a URL'), {})]),
    { live: 'connections to the origin are open' },
  ),
  /** Where to listen: a port on loopback, or `'host:port'`. Default: any free port on loopback. */
  listen: option(
    "Where to listen: a port on loopback, or `'host:port'`.",
    z.union([z.number(), z.string()]),
    { otherwise: 'any free port on loopback', live: 'the socket listens there' },
  ),
  /** Bound of the memory store. Default: a quarter of the memory there is, at most 512 MiB. */
  memory: option('Bound of the memory store.', memoryOption, {
    otherwise: 'a quarter of the memory there is, at most 512 MiB',
    unit: 'bytes',
    live: true,
  }),
  /** Larger answers pass through and are not kept. Default: an eighth of `memory`, or, with `dir`, a quarter of `disk`. */
  maxItem: option('Larger answers pass through and are not kept.', sizeOption, {
    otherwise: 'an eighth of `memory`, or, with `dir`, a quarter of `disk`',
    unit: 'bytes',
    live: true,
  }),
  /**
   * A directory for what memory does not hold, and for after a restart: the second tier, as `dir` of `fileStore`. With `disk`. One thread has it.
   * Default: none.
   */
  dir: option(
    'A directory for what memory does not hold, and for after a restart: the second tier, as `dir` of `fileStore`. With `disk`. One thread has it.',
    z.string().min(1),
    { otherwise: 'none', live: 'the directory is open' },
  ),
  /** Bound of what that takes on the disk. At least 8 MiB. Default: none. */
  disk: option('Bound of what that takes on the disk. At least 8 MiB.', sizeOption, {
    otherwise: 'none',
    unit: 'bytes',
    live: true,
  }),
  /** What bodies pass through on their way: as `bufferPool` of `createCache`. Default `true`. */
  bufferPool: option(
    'What bodies pass through on their way: as `bufferPool` of `createCache`.',
    bufferPoolOption,
    { default: true, live: 'bodies under way have Buffers of the pool that there is' },
  ),
  /** Freshness where the origin says nothing. Default: such answers are not stored. */
  ttl: option('Freshness where the origin says nothing.', durationOption, {
    otherwise: 'such answers are not stored',
    unit: 'ms',
    live: true,
  }),
  /** For how long an answer may stand in for an origin that fails, where the origin does not say. Default 1 d. */
  staleIfError: option(
    'For how long an answer may stand in for an origin that fails, where the origin does not say.',
    durationOption,
    { default: '1d', unit: 'ms', live: true },
  ),
  /** Guess freshness from `Last-Modified` where the origin says nothing. Default `false`. */
  heuristic: option('Guess freshness from `Last-Modified` where the origin says nothing.', z.boolean(), {
    default: false,
    live: true,
  }),
  /** Ask the origin under the host that the client asked for. Default `false`. */
  preserveHost: option('Ask the origin under the host that the client asked for.', z.boolean(), {
    default: false,
    live: true,
  }),
  /** Keep `Forwarded` and `X-Forwarded-*` as they come: only behind a proxy that sets them. Default `false`. */
  trustForwarded: option(
    'Keep `Forwarded` and `X-Forwarded-*` as they come: only behind a proxy that sets them.',
    z.boolean(),
    { default: false, live: true },
  ),
  /** Path that answers "ok" without asking anyone; `true` for `/healthz`. Default `false`. */
  healthz: option(
    'Path that answers "ok" without asking anyone; `true` for `/healthz`.',
    z.union([z.boolean(), z.string().regex(/^\/[!-~]*$/, "want a path such as '/healthz'")]),
    { default: false, live: true },
  ),
  /** Where lines of the access log go: a stream, or the path of a file. Default: nowhere. */
  accessLog: option(
    'Where lines of the access log go: a stream, or the path of a file.',
    z.union([
      z.string().min(1),
      checked<Writable>((value) => (isWritable(value) ? undefined : 'want a path or a writable stream'), {}),
    ]),
    { otherwise: 'nowhere', live: 'the log is open' },
  ),
  /**
   * Where operators look at a dashboard, ask for metrics and have entries removed: a port on loopback, `'host:port'`, or the path of a Unix socket.
   * One thread has it. Default: nowhere.
   */
  admin: option(
    "Where operators look at a dashboard, ask for metrics and have entries removed: a port on loopback, `'host:port'`, or the path of a Unix socket. One thread has it.",
    z.union([z.number().int().min(0).max(65_535), z.string().min(1)]),
    { otherwise: 'nowhere', live: 'the socket listens there' },
  ),
  /**
   * What who asks there has to bring along, as a bearer token: at least 16 characters. An address that others reach wants one. Default: what
   * `DREY_ADMIN_TOKEN` holds, or none.
   */
  adminToken: option(
    'What who asks there has to bring along, as a bearer token: at least 16 characters. An address that others reach wants one.',
    z.string().min(1),
    { otherwise: 'what `DREY_ADMIN_TOKEN` holds, or none', live: 'the listener knows it', secret: true },
  ),
  /** Longest wait for the origin's first byte. Default 30 s. */
  originTimeout: option("Longest wait for the origin's first byte.", limitOption, {
    default: '30s',
    unit: 'ms',
    live: true,
  }),
  /** How long a connection of a client may be silent while a response is under way. Default 5 min. */
  clientTimeout: option(
    'How long a connection of a client may be silent while a response is under way.',
    limitOption,
    { default: '5m', unit: 'ms', live: true },
  ),
  /** How long `close()` lets responses finish. Default 10 s. */
  shutdownTimeout: option('How long `close()` lets responses finish.', durationOption, {
    default: '10s',
    unit: 'ms',
    live: true,
  }),
  /** The HTTP client for the origin, in place of a pool of its own; it stays yours to close. Default: a pool of its own. */
  dispatcher: option(
    'The HTTP client for the origin, in place of a pool of its own; it stays yours to close.',
    checked<Dispatcher>((value) => (isDispatcher(value) ? undefined : 'want a dispatcher of undici'), {}),
    { otherwise: 'a pool of its own', live: 'connections to the origin are open', code: true },
  ),
})

/** Options of `createProxy`. */
export type ProxyOptions = z.input<typeof proxyOptions>
