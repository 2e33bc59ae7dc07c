import type { z } from 'zod'
import { type PoolPlan, readBufferPool } from '../buffers/choice.js'
import type { LoadedConfig } from '../config/file/load.js'
import { cacheOptionsWith } from '../config/file/with-file.js'
import { isPlain, merge } from '../config/merge.js'
import type { ProfileName } from '../config/profile-names.js'
import { optionsOfProfile, profileNamed } from '../config/profiles.js'
import type { breakerOptions, callFreshness } from '../config/schema.js'
import { parseDuration, parseSize } from '../config/units.js'
import { Problems, validate } from '../config/validate.js'
import { ConfigError } from '../errors.js'
import { type AlertsConfig, readAlerts } from '../metrics/health/options.js'
import { type MetricsConfig, readMetrics } from '../metrics/options.js'
import { BREAKER, type BreakerRule } from '../resilience/breaker/breaker.js'
import {
  createPressure,
  memoryPressure,
  type Pressure,
  type PressureOptions,
} from '../resilience/pressure/index.js'
import { readPressureOptions } from '../resilience/pressure/options.js'
import type { Store } from '../store/store.js'
import { type Lane, type TieredRules, tieredStore } from '../store/tiered/index.js'
import { type AbandonRule, abandonRule } from './abandon.js'
import { LiveOptions } from './live-options.js'
import type { Freshness } from './metadata.js'
import type { RefreshConfig, SharedTurns } from './refreshes.js'
import { type CacheOptions, cacheOptions, isPressure } from './schema.js'
import { checkTier, isStore, kindOf, storeOf } from './tier-options.js'

export type { CacheOptions } from './schema.js'

/** What of a cache can be another at run time: checked, with defaults, in milliseconds. */
export interface CacheSettings {
  readonly freshness: Freshness
  readonly abandon: AbandonRule
  /** Of named origins. */
  readonly breaker: BreakerRule
  readonly refresh: RefreshConfig & { readonly timeout: number }
  readonly timeouts: {
    readonly operation: number
    /** Undefined: as long as the origin takes. */
    readonly lookup: number | undefined
    readonly firstByte: number
    readonly fill: number
    readonly idle: number
    readonly shutdown: number
  }
  readonly maxBufferedBytes: number
  /** Of several tiers. */
  readonly tiers: TieredRules
}

/** What a cache runs on. */
export interface CacheConfig extends CacheSettings {
  /** Called when the cache is closed. Must not throw. */
  readonly onClosed?: (() => void) | undefined
  readonly store: Store
  /** The tiers that `store` is made of, as they were given. */
  readonly stores: readonly Store[]
  readonly profile: ProfileName
  /** What is followed, if anything. */
  readonly pressure: Pressure | undefined
  readonly bufferPool: PoolPlan
  readonly metrics: MetricsConfig
  readonly alerts: AlertsConfig
  /** How it becomes another. */
  readonly live: LiveOptions
}

/** What a cache has of a group instead of its own. */
export interface SharedRuntime {
  readonly turns: SharedTurns
  readonly concurrency: number
  readonly queue: number
  /** Undefined: each cache has its own. */
  readonly bufferPool: PoolPlan | undefined
  readonly pressure: Pressure | undefined
  onClosed(): void
}

/** What may be wrong of `watch`. */
export const WATCH_WHAT = 'watch: got true, and no configFile that could be watched; want both, or neither'

type Given = z.output<typeof cacheOptions>

/** `options` over what their profile sets. @throws `ERR_DREY_CONFIG` when the environment names a profile that there is not */
export function resolved(options: unknown): unknown {
  if (!isPlain(options)) return options
  const profile = optionsOfProfile(profileNamed(options['profile']))
  const { tiers = [{ store: 'memory' }] } = options as CacheOptions
  const completed = Array.isArray(tiers)
    ? tiers.map((tier: unknown) => {
        const kind = isStore(tier) ? undefined : kindOf(tier)
        return kind === 'memory' || kind === 'file' ? merge(profile[kind], tier) : tier
      })
    : tiers
  return { ...(merge(profile.cache, options) as object), tiers: completed }
}

/** Options that are right, with defaults, and what of them was read on the way. */
export interface Checked {
  readonly given: Given
  readonly breaker: BreakerRule
  readonly plan: PoolPlan
}

/** @throws `ERR_DREY_CONFIG` for options that are wrong, a line for each, with its path, its value and what would do. */
export function checkCacheOptions(options: unknown, runtime?: SharedRuntime): Checked {
  const given = validate(cacheOptions, resolved(options), '')
  const problems = new Problems()
  if (given.watch && given.configFile === false) problems.add(WATCH_WHAT)
  const plan = runtime?.bufferPool ?? problems.try(() => readBufferPool(given.bufferPool))
  const breaker = problems.try(() => readBreaker(given.breaker))
  if (runtime === undefined) problems.try(() => checkPressure(given.pressure))
  for (const [at, tier] of (given.tiers ?? []).entries()) problems.try(() => checkTier(tier, `tiers.${at}`))
  problems.settle()
  return { given, breaker: breaker!, plan: plan! }
}

/**
 * What a cache of those options, over those of the file, runs on.
 *
 * @throws as `checkCacheOptions`
 */
export function readCacheOptions(
  options: unknown,
  runtime?: SharedRuntime,
  file?: LoadedConfig,
): CacheConfig {
  const checked = checkCacheOptions(cacheOptionsWith(options, file), runtime)
  const { given, plan } = checked
  const settings = settingsOf(checked, runtime)
  const stores = (given.tiers ?? []).map(storeOf)
  const config: CacheConfig = {
    ...settings,
    store: tieredStore(stores, {
      ...settings.tiers,
      lane: runtime && laneOf(runtime.turns, () => config.timeouts.operation),
    }),
    stores,
    profile: profileNamed(given.profile),
    onClosed: runtime && (() => runtime.onClosed()),
    pressure: runtime === undefined ? detectorOf(given.pressure) : runtime.pressure,
    bufferPool: plan,
    metrics: readMetrics(given.metrics),
    alerts: readAlerts(given.alerts),
    live: new LiveOptions(options, file, checked, stores, runtime),
  }
  return config
}

/** What of checked options can be another at run time. */
export function settingsOf({ given, breaker }: Checked, runtime?: SharedRuntime): CacheSettings {
  const { timeouts, promotion, writePolicy, background, refresh } = given
  const concurrency = runtime?.concurrency ?? background.concurrency
  const queue = runtime?.queue ?? background.queue
  const fill = parseDuration(timeouts.fill)!
  const operation = parseDuration(timeouts.operation)!
  return {
    tiers: { promotion, writePolicy, operation, breaker, concurrency, queue },
    abandon: abandonRule(given.abandon),
    breaker,
    refresh: {
      strategy: refresh.strategy,
      concurrency: refresh.concurrency ?? concurrency,
      queue: refresh.queue ?? queue,
      timeout: parseDuration(refresh.timeout) ?? fill,
      shared: runtime?.turns,
    },
    freshness: freshnessOf(given.freshness),
    timeouts: {
      operation,
      lookup: parseDuration(timeouts.lookup),
      firstByte: parseDuration(timeouts.firstByte)!,
      fill,
      idle: parseDuration(timeouts.idle)!,
      shutdown: parseDuration(timeouts.shutdown)!,
    },
    maxBufferedBytes: parseSize(given.maxBufferedBytes)!,
  }
}

function readBreaker(given: z.output<typeof breakerOptions>): BreakerRule {
  const openFor = parseDuration(given.openFor)!
  const openForAtMost = parseDuration(given.openForAtMost) ?? Math.max(openFor, BREAKER.openForAtMost)
  if (openForAtMost < openFor) {
    throw new ConfigError(
      `breaker.openForAtMost: got ${openForAtMost} ms; want at least breaker.openFor, ${openFor} ms`,
    )
  }
  return { failures: given.failures, openFor, openForAtMost }
}

function freshnessOf(given: Given['freshness']): Freshness {
  return {
    ttl: parseDuration(given.ttl)!,
    staleWhileRevalidate: parseDuration(given.staleWhileRevalidate)!,
    staleIfError: parseDuration(given.staleIfError)!,
    negativeTtl: parseDuration(given.negativeTtl)!,
    jitter: given.jitter,
  }
}

/** Checks what one option of a detector says about another. */
function checkPressure(pressure: Given['pressure']): void {
  if (typeof pressure !== 'boolean' && !isPressure(pressure)) readPressureOptions(pressure, 'pressure')
}

/** The turns of a cache of a group, for its tiers: one that takes longer than `holdTimeout` gives its turn back, so that a tier that hangs keeps none from others. */
function laneOf({ limiter, owner }: SharedTurns, holdTimeout: () => number): Lane {
  return {
    enter: async () => {
      const permit = await limiter.acquire({ owner, holdTimeout: holdTimeout() })
      const leave = (): void => permit.release()
      // In a turn of its own: it is told while the limiter looks through what is due.
      permit.signal.addEventListener('abort', () => queueMicrotask(leave), { once: true })
      return leave
    },
  }
}

/** What `pressure` says is to be followed, if anything. */
export function detectorOf(pressure: boolean | PressureOptions | Pressure): Pressure | undefined {
  if (pressure === false) return undefined
  if (pressure === true) return memoryPressure()
  return isPressure(pressure) ? pressure : createPressure(pressure)
}

/** `freshness` as given, and `defaults` where it says nothing. */
export function withFreshness(
  freshness: z.output<typeof callFreshness> | undefined,
  defaults: Freshness,
): Freshness {
  if (freshness === undefined) return defaults
  return {
    ttl: parseDuration(freshness.ttl) ?? defaults.ttl,
    staleWhileRevalidate: parseDuration(freshness.staleWhileRevalidate) ?? defaults.staleWhileRevalidate,
    staleIfError: parseDuration(freshness.staleIfError) ?? defaults.staleIfError,
    negativeTtl: parseDuration(freshness.negativeTtl) ?? defaults.negativeTtl,
    jitter: freshness.jitter ?? defaults.jitter,
  }
}

/** @throws `ERR_DREY_CONFIG` unless `options`, of one call, are an object. */
export function assertOptions(options: unknown): void {
  if (typeof options === 'object' && options !== null) return
  throw new ConfigError(`options: got ${options === null ? 'null' : typeof options}; want an object`)
}
