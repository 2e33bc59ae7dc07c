import type { DirectCache } from '../cache/direct.js'
import type { CacheOptions } from '../cache/options.js'
import { differences } from '../config/difference.js'
import type { LoadedConfig } from '../config/file/load.js'
import { proxyOptionsWith } from '../config/file/with-file.js'
import { isPlain, merge } from '../config/merge.js'
import { rowsOf } from '../config/rows.js'
import { Problems, showValue } from '../config/validate.js'
import { ConfigError } from '../errors.js'
import type { OptionChange } from '../store/store.js'
import { type ProxyConfig, readProxyOptions } from './options.js'
import { type ProxyOptions, proxyOptions } from './schema.js'

/** What `configure` of a proxy takes: options that are to be others. `cache.tiers` is given as a whole. */
export type ProxyPatch = Partial<Omit<ProxyOptions, 'configFile' | 'watch'>>

/** Those of the cache are looked at by the cache. */
const ROWS = rowsOf(proxyOptions).filter(({ path }) => path !== 'cache')

/** Where options come from, the last first. */
interface Sources {
  readonly file: LoadedConfig | undefined
  readonly code: unknown
}

/** What the options of a proxy are to, which it makes of a configuration. */
export interface LiveProxy {
  readonly cache: DirectCache
  /** Options of the cache that the configuration comes to. */
  cacheOptionsOf(config: ProxyConfig): CacheOptions
  /** From now on the proxy goes by `config`. Must not throw. */
  become(config: ProxyConfig): void
}

/**
 * The options of a proxy that serves, and how they become others: all that is asked for at once, or nothing.
 *
 * Invariants: `#config` is what holds, and made of `#sources`; both change together, when the cache has changed. Changes are made one
 * after the other.
 */
export class LiveProxyOptions {
  readonly #proxy: LiveProxy
  #sources: Sources
  #config: ProxyConfig
  #last: Promise<unknown> = Promise.resolve()

  constructor(sources: Sources, config: ProxyConfig, proxy: LiveProxy) {
    this.#sources = sources
    this.#config = config
    this.#proxy = proxy
  }

  /** As `CachingProxy.configure`. */
  configure(patch: unknown): Promise<readonly OptionChange[]> {
    return this.#inTurn(() => {
      if (!isPlain(patch))
        throw new ConfigError(`configure: got ${showValue(patch)}; want an object of options`)
      return { ...this.#sources, code: merge(this.#sources.code, patch) }
    })
  }

  /** The same of a file that changed. */
  reload(file: LoadedConfig): Promise<readonly OptionChange[]> {
    return this.#inTurn(() => ({ ...this.#sources, file }))
  }

  #inTurn(next: () => Sources): Promise<readonly OptionChange[]> {
    const done = this.#last.then(() => this.#change(next()))
    this.#last = done.catch(told)
    return done
  }

  async #change(sources: Sources): Promise<readonly OptionChange[]> {
    const config = readProxyOptions(proxyOptionsWith(sources.code, sources.file))
    const problems = new Problems()
    const own = differences(ROWS, this.#config.given, config.given, problems)
    problems.settle()
    const { cache, cacheOptionsOf, become } = this.#proxy
    // What may fail comes first; the rest does not.
    const changes = await cache.replaceOptions(
      cacheOptionsOf(config),
      own.map((change) => ({ ...change, path: `proxy.${change.path}` })),
    )
    become(config)
    this.#sources = sources
    this.#config = config
    return changes
  }
}

// Who asked for it was told.
const told = (): undefined => undefined
