import { z } from 'zod'
import { cacheOptions } from '../../cache/schema.js'
import { proxyOptions } from '../../http/schema.js'
import { option } from '../option.js'

/*
 * What a configuration file holds: the options of a cache as they are, and those of a proxy under `proxy`.
 */

/** The form of configuration files that this version of drey writes. */
export const VERSION = 1

const { configFile: _, watch: __, ...ofCache } = cacheOptions.shape
const { configFile: ___, watch: ____, profile: _____, cache: ______, ...ofProxy } = proxyOptions.shape

const proxyPart = z.strictObject({ ...ofProxy, origin: proxyOptions.shape.origin.optional() })

export const fileConfig = z.strictObject({
  $schema: option('For editors: where the JSON schema is.', z.string(), { otherwise: 'none', live: true }),
  /** The form of this file. Default: version 0, which `drey config check --migrate` rewrites. */
  version: option('The form of this file.', z.literal(VERSION), {
    otherwise: 'version 0, which `drey config check --migrate` rewrites',
    live: true,
  }),
  ...ofCache,
  /** What `createProxy` and `drey proxy` take, beside the cache. */
  proxy: option('What `createProxy` and `drey proxy` take, beside the cache.', proxyPart, {
    otherwise: 'none',
    live: true,
  }),
})

/** What `drey.config.js` gives away: the same as `drey.config.json`, and stores, streams and functions where they may stand. */
export type FileConfig = z.input<typeof fileConfig>
