import { cacheOptions } from '../../cache/schema.js'
import { proxyOptions } from '../../http/schema.js'
import { isPlain } from '../merge.js'
import { VERSION } from './schema.js'

/*
 * From older forms of configuration files to the newest. Version 0 is a file that says no version: what `createProxy` takes may stand
 * at its top, and names may be written as flags are, `stale-if-error` for `staleIfError`.
 */

/** A configuration in the newest form. */
export interface Migrated {
  /** What it was. */
  readonly version: number
  readonly options: unknown
  /** What was changed, in words. */
  readonly changes: readonly string[]
}

/** `options` in the newest form. What is no object, or says a version, is left to be checked as it is. */
export function migrate(options: unknown): Migrated {
  if (!isPlain(options) || Object.hasOwn(options, 'version')) {
    return { version: VERSION, options, changes: [] }
  }
  const changes: string[] = []
  const rest: Record<string, unknown> = {}
  const proxy: Record<string, unknown> = {}
  for (const [written, value] of Object.entries(options)) {
    const name = camel(written)
    const known = Object.hasOwn(cacheOptions.shape, name) || name === 'proxy' || name === '$schema'
    const moves = !known && Object.hasOwn(proxyOptions.shape, name)
    if (!known && !moves) {
      rest[written] = value
      continue
    }
    if (moves) changes.push(`${written} is proxy.${name}`)
    else if (name !== written) changes.push(`${written} is ${name}`)
    if (moves) proxy[name] = value
    else rest[name] = value
  }
  if (isPlain(rest['proxy'])) {
    for (const [written, value] of Object.entries(rest['proxy'])) {
      const name = Object.hasOwn(proxyOptions.shape, camel(written)) ? camel(written) : written
      if (name !== written) changes.push(`proxy.${written} is proxy.${name}`)
      proxy[name] = value
    }
  }
  const { proxy: given, ...others } = rest
  const part = Object.keys(proxy).length > 0 || given !== undefined
  const newest = {
    version: VERSION,
    ...others,
    ...(part ? { proxy: given === undefined || isPlain(given) ? proxy : given } : {}),
  }
  return { version: 0, options: newest, changes: [...changes, `version is ${VERSION}`] }
}

function camel(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
