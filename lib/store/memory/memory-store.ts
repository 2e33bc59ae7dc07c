import type { MemoryStorePatch } from '../../config/schema.js'
import type { Store, StoreChange } from '../store.js'

/** A store in memory, which can be changed while it runs. */
export interface MemoryStore extends Store {
  /**
   * Checks a change of options, which `apply()` of the answer makes; those that are not named stay as they are. A smaller `maxBytes` evicts
   * what the policy wants least, a little in each turn of the event loop, until the rest fits: the bound, which `stats()` says, goes
   * down with it, and `apply` settles when it is there. What is being read or filled leaves when it is let go, and nothing new
   * comes in before. A larger one keeps everything. Another `policy`, drey's or your own, begins with all entries, coldest first.
   * `maxItemBytes` is for what comes from then on; it follows `maxBytes`, as an eighth, unless it was given once. Of a store
   * with a name, all of it holds in all threads.
   *
   * @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do; nothing is
   * changed then. The same, from here or from `apply`, when it is called from within the user's own policy. `ERR_DREY_CLOSED` after `close()`.
   */
  configure(patch: MemoryStorePatch): StoreChange
}
