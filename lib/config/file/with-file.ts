import { merge } from '../merge.js'
import { type LoadedConfig, loadConfig } from './load.js'

/** Options that may name a configuration file. */
interface MayNameFile {
  readonly configFile?: unknown
}

/** The file that `options` name, read. Undefined where they name none; what is no name is complained of with the other options. */
export async function fileOf({ configFile }: MayNameFile): Promise<LoadedConfig | undefined> {
  if (configFile === true) return loadConfig()
  const named = (typeof configFile === 'string' && configFile !== '') || configFile instanceof URL
  return named ? loadConfig(configFile) : undefined
}

/** The options of a cache: those in code over those of the file. */
export function cacheOptionsWith<T>(options: T, file: LoadedConfig | undefined): T {
  return file === undefined ? options : (merge(file.options, options) as T)
}

/** The options of a proxy: those in code over those of the file. */
export function proxyOptionsWith<T>(options: T, file: LoadedConfig | undefined): T {
  if (file === undefined) return options
  const { profile, bufferPool, ...cache } = file.options
  const under = {
    ...(profile === undefined ? {} : { profile }),
    ...(bufferPool === undefined ? {} : { bufferPool }),
    cache,
  }
  return merge(merge(under, file.proxy), options) as T
}
