import type { Writable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { readBufferPool } from '../buffers/choice.js'
import { type CacheOptions, WATCH_WHAT } from '../cache/options.js'
import type { TierOptions } from '../cache/tier-options.js'
import { defaultMemoryBytes } from '../config/memory.js'
import { merge } from '../config/merge.js'
import { optionsOfProfile, profileNamed } from '../config/profiles.js'
import { parseDuration, parseSize } from '../config/units.js'
import { Problems, showValue, validate } from '../config/validate.js'
import { ConfigError } from '../errors.js'
import { type AdminConfig, readAdmin } from './admin/options.js'
import { type ListenAt, parseListen } from './listen.js'
import { proxyOptions } from './schema.js'

/** Eight segments of the smallest kind. */
const MIN_DISK = 8 * 2 ** 20

export type { ProxyOptions } from './schema.js'

/** What a proxy runs on: checked, with defaults, in milliseconds and bytes. */
export interface ProxyConfig {
  readonly origin: URL
  readonly listen: ListenAt
  /** Where operators ask; undefined for nowhere. */
  readonly admin: AdminConfig | undefined
  /** The options that it is made of, with defaults. */
  readonly given: Given
  /** Options of the cache that it keeps answers in. */
  readonly cache: CacheOptions
  /** Bound of the memory store; undefined where `cache.tiers` says it. */
  readonly memory: number | undefined
  /** The second tier, if there is one. */
  readonly disk: { readonly dir: string; readonly maxBytes: number } | undefined
  /** One thread alone can have its tiers. */
  readonly oneThread: boolean
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

/** @throws `ERR_DREY_CONFIG` for options that are wrong, a line for each, with its path, its value and what would do. */
export function readProxyOptions(options: unknown): ProxyConfig {
  const given = validate(proxyOptions, options, '')
  const problems = new Problems()
  if (given.watch && given.configFile === false) problems.add(WATCH_WHAT)
  const own = given.cache?.tiers === undefined
  if (!own) {
    for (const name of ['memory', 'maxItem', 'dir', 'disk'] as const) {
      if (given[name] === undefined) continue
      problems.add(`${name}: got ${showValue(given[name])}, and the tiers of the cache; want it said there`)
    }
  }
  const memory = own ? memoryOf(given) : undefined
  const maxItem = parseSize(given.maxItem)
  const disk = own ? problems.try(() => readDisk(given.dir, parseSize(given.disk))) : undefined
  const [most, bound] =
    disk === undefined ? ['memory', memory ?? 0] : ['half of disk', Math.floor(disk.maxBytes / 2)]
  if (own && maxItem !== undefined && maxItem > bound) {
    problems.add(`maxItem: got ${maxItem}, more than ${most}, ${bound}; want at most that`)
  }
  // Before anything is made: the cache, which reads it again, comes after the log.
  problems.try(() => readBufferPool(given.bufferPool))
  const origin = problems.try(() => readOrigin(given.origin))
  const listen = problems.try(() => parseListen(given.listen ?? 0))
  const admin = problems.try(() => readAdmin(given.admin, given.adminToken))
  problems.settle()
  const config = {
    given,
    admin,
    origin: origin!,
    listen: listen!,
    memory,
    disk,
    oneThread: disk !== undefined || !own,
    ttl: parseDuration(given.ttl),
    staleIfError: parseDuration(given.staleIfError)!,
    heuristic: given.heuristic,
    preserveHost: given.preserveHost,
    trustForwarded: given.trustForwarded,
    healthz: given.healthz === true ? '/healthz' : given.healthz === false ? undefined : given.healthz,
    accessLog: given.accessLog,
    originTimeout: parseDuration(given.originTimeout)!,
    clientTimeout: parseDuration(given.clientTimeout)!,
    shutdownTimeout: parseDuration(given.shutdownTimeout)!,
    dispatcher: given.dispatcher,
  }
  return { ...config, cache: cacheOf(given, config, maxItem, options) }
}

type Given = ReturnType<typeof proxyOptions.parse>

/** What is being written to the disk when the proxy stops is given so long, in ms. */
const KEEPING_MS = 5000

/** Options of the cache: what the proxy says, and over it what is given for the cache itself. */
function cacheOf(
  given: Given,
  { memory, disk, ...config }: Omit<ProxyConfig, 'cache'>,
  maxItem: number | undefined,
  options: unknown,
): CacheOptions {
  const keeps = disk !== undefined || memory === undefined
  const under: CacheOptions = {
    ...(given.profile === undefined ? {} : { profile: given.profile }),
    ...(memory === undefined ? {} : { tiers: tiersOf(memory, disk, maxItem) }),
    bufferPool: given.bufferPool,
    timeouts: {
      firstByte: config.originTimeout,
      // A large body on its way to a slow client is no fault; what stands still is found by `idle`.
      fill: Number.POSITIVE_INFINITY,
      idle: config.clientTimeout,
      // Nobody waits for an answer any more by then; but what a disk is being given is to be there after a restart.
      shutdown: keeps ? Math.min(config.shutdownTimeout, KEEPING_MS) : 0,
    },
  }
  // As given: with its defaults it would hide what the profile sets.
  return merge(under, (options as { readonly cache?: unknown }).cache) as CacheOptions
}

function tiersOf(memory: number, disk: ProxyConfig['disk'], maxItem: number | undefined): TierOptions[] {
  // With a disk below, what is too large for memory goes there.
  const maxItemBytes = disk === undefined ? maxItem : maxItem && Math.min(maxItem, Math.floor(memory / 8))
  const first: TierOptions = {
    store: 'memory',
    maxBytes: memory,
    ...(maxItemBytes === undefined ? {} : { maxItemBytes }),
  }
  if (disk === undefined) return [first]
  return [first, { store: 'file', ...disk, ...(maxItem === undefined ? {} : { maxItemBytes: maxItem }) }]
}

function memoryOf({ memory, profile }: Given): number {
  const usual = optionsOfProfile(profileNamed(profile)).memory['maxBytes']
  return parseSize(memory ?? usual) ?? defaultMemoryBytes()
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
