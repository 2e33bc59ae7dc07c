export type { BufferPoolChoice } from './buffers/choice.js'
export type { CopyStats } from './buffers/copier.js'
export type { CopyResult, CopyStrategy } from './buffers/copy.js'
export type { CopyOptions, CopyProgress, TeeOptions } from './buffers/copy-options.js'
export type { Explanation } from './buffers/explain.js'
export type { ClassHealth } from './buffers/health.js'
export type { CopySource } from './buffers/input.js'
export type { LatencyStats } from './buffers/latency.js'
export type { Lease } from './buffers/lease.js'
export type { BufferPoolOptions } from './buffers/options.js'
export type { CopySink } from './buffers/output.js'
export { BufferPool } from './buffers/pool.js'
export type { LostBuffer } from './buffers/report.js'
export type { Amount, BufferPoolStats, CategoryStats, ClassStats } from './buffers/stats.js'
export type { SizeCategory, Strategy, StrategyName } from './buffers/strategy.js'
export type { Tee, TeeOutcome } from './buffers/tee.js'
export type { AbandonOption } from './cache/abandon.js'
export type { Answer, ByteRange, Found, NotFound, NotModified, NotStored, Outcome } from './cache/answer.js'
export type {
  BatchEntry,
  Cache,
  CacheStats,
  CacheTierStats,
  FetchOptions,
  GetOptions,
  InvalidateOptions,
  RefreshOptions,
  SetManyOptions,
  TierAnswers,
} from './cache/cache.js'
export { createCache } from './cache/create.js'
export type { CacheEvents } from './cache/events.js'
export {
  type Body,
  type EntryOptions,
  type FetchedBody,
  type Fetcher,
  type FetcherContext,
  type FetchResult,
  type NotFoundResult,
  type NotModifiedResult,
  notFound,
  notModified,
} from './cache/fetcher.js'
export {
  type CacheGroup,
  createGroup,
  type GroupCacheOptions,
  type GroupedStats,
  type GroupOptions,
  type GroupStats,
} from './cache/group.js'
export type { CachePatch, TierPatch } from './cache/live-options.js'
export type { CacheOptions } from './cache/options.js'
export type { OriginStats } from './cache/origins.js'
export type { RefreshStats } from './cache/refreshes.js'
export type { RetryOptions } from './cache/retry.js'
export type { TierOptions } from './cache/tier-options.js'
export { CODEC_NAMES, type CodecName } from './compression/codecs.js'
export { type Compressor, MAX_CHUNK } from './compression/compressor.js'
export type { CompressionOption, CompressionOptions } from './compression/options.js'
export type { CompressionStats } from './compression/stats.js'
export { type LoadedConfig, loadConfig } from './config/file/load.js'
export type { FileConfig } from './config/file/schema.js'
export type { ProfileName } from './config/profile-names.js'
export type {
  FreshnessOptions,
  MemoryStoreOptions,
  MemoryStorePatch,
  TimeoutOptions,
} from './config/schema.js'
export type { Duration, Size } from './config/units.js'
export {
  AbortedError,
  BodyUsedError,
  BreakerOpenError,
  ClosedError,
  CompressionError,
  ConfigError,
  CorruptError,
  DreyError,
  type DreyErrorCode,
  FormatError,
  IoError,
  KeyError,
  LockedError,
  NativeError,
  NoSpaceError,
  OriginError,
  OutOfRangeError,
  OverloadedError,
  TimeoutError,
  TooLargeError,
  TruncatedError,
} from './errors.js'
export { type HttpFetcherOptions, type HttpMetadata, httpFetcher } from './http/fetcher.js'
export type { Logger } from './logger.js'
export type { Advice, AdviceId, Recommendation } from './metrics/advice/advice.js'
export type { MetricKind } from './metrics/catalogue/index.js'
export type { CallMessage, FillMessage } from './metrics/channels.js'
export type { NamedCaches } from './metrics/collect.js'
export type { AlertEvent, AlertLevel } from './metrics/health/alerts.js'
export type { CacheHealth, HealthLevel, HealthReason } from './metrics/health/health.js'
export type { HistoryRow } from './metrics/health/history.js'
export type { AlertsOption } from './metrics/health/options.js'
export type { AlertId } from './metrics/health/rules.js'
export { metricsHistory, metricsSlope } from './metrics/health/trends.js'
export type { Vital, VitalRow } from './metrics/health/vitals.js'
export type { HistogramSnapshot, LatencySummary } from './metrics/histogram.js'
export type { Operation, Result, SizeLabel } from './metrics/latencies.js'
export type { MetricsOption } from './metrics/options.js'
export type { GcKind } from './metrics/runtime.js'
export {
  type LabelFilter,
  type MetricSeries,
  type MetricsSnapshot,
  metricsDifference,
  metricsLatency,
  metricsSnapshot,
  metricsTotal,
} from './metrics/snapshot.js'
export type { MetricsStats, OperationLatency, RuntimeStats, TotalLatency } from './metrics/stats.js'
export type { TopKey } from './metrics/top-keys.js'
export { crc32c } from './native/crc32c.js'
export { type NativeStatus, nativeStatus } from './native/loader.js'
export { type EvictionPolicy, POLICY_NAMES, type PolicyName } from './policy/policy.js'
export {
  createPressure,
  memoryPressure,
  type Pressure,
  type PressureLevel,
  type PressureOptions,
  type PressureSource,
  type PressureState,
  type PressureStats,
} from './resilience/pressure/index.js'
export { aging } from './store/aging/aging.js'
export { compressed } from './store/compressed/compressed.js'
export type { FileStore, FileStoreStats } from './store/file/file-store.js'
export { fileStore } from './store/file/index.js'
export type { Durability, FilePolicyName, FileStoreOptions, FileStorePatch } from './store/file/options.js'
export { memoryStore } from './store/memory/index.js'
export type { MemoryStore } from './store/memory/memory-store.js'
export { nullStore } from './store/null.js'
export {
  type Draft,
  type EvictReason,
  type GrowingReads,
  IN_HAND,
  type Later,
  type LookupTimer,
  type Metadata,
  type OptionChange,
  type Store,
  type StoreChange,
  type StoreContext,
  type StoredCompression,
  type StoredEntry,
  type StoreFacts,
  type StoreStats,
  type TierStats,
  type Tiers,
  type WholeValue,
} from './store/store.js'
export type { PromotionRule, WritePolicy } from './store/tiered/index.js'
