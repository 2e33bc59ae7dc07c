/*
 * `drey/testing`: what an implementation of a contract must do, as cases that any test runner runs. Nothing here needs one.
 */

export { type CompressorCapabilities, compressorSuite } from './compressor.js'
export { type FetcherCapabilities, type FetcherRig, fetcherSuite } from './fetcher.js'
export { type LoggerRig, loggerSuite } from './logger.js'
export { policySuite } from './policy.js'
export type { MakeStore, StoreBounds } from './store/kit.js'
export { type StoreCapabilities, storeSuite } from './store/suite.js'
export { type Case, runSuite, type Suite } from './suite.js'
