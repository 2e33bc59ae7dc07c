export { type HttpFetcherOptions, type HttpMetadata, httpFetcher } from './fetcher.js'
export type { ProxyOptions } from './options.js'
export { OriginFailure } from './origin-failure.js'
export { type CachingProxy, createProxy } from './proxy.js'
