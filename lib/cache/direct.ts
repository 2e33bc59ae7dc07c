import type { Metadata, OptionChange } from '../store/store.js'
import type { Found } from './answer.js'
import type { Cache } from './cache.js'
import type { CacheOptions } from './options.js'

/** A fresh value at hand: small ones by their bytes, larger ones as an answer to be written or closed. */
export type DirectHit<User = unknown> =
  | { readonly meta: Metadata<User>; readonly bytes: Uint8Array; readonly found: undefined }
  | { readonly meta: Metadata<User>; readonly bytes: undefined; readonly found: Found<User> }

/** What the package's own servers may ask of a cache beside its public face. */
export interface DirectCache<User = unknown> extends Cache<User> {
  /**
   * What is fresh and at hand, without a copy and without a turn of the loop; undefined, and not counted as a
   * miss, when the caller has to `fetch`. `bytes` may be the store's own memory: never to be written to, nor given to
   * anything that keeps or changes it; sockets and HTTP responses do neither (I9).
   */
  hitSync(key: string): DirectHit<User> | undefined
  /** As `configure`, of all options in place of those that it was made with. `more` is told with what became different. */
  replaceOptions(options: CacheOptions, more: readonly OptionChange[]): Promise<readonly OptionChange[]>
  /** As the event of that name. */
  tellConfigError(file: string, error: unknown): void
}
