import type { MemoryStorePatch } from '../../config/schema.js'
import type { Store } from '../store.js'

/** A store in memory, which can be changed while it runs. */
export interface MemoryStore extends Store {
  /**
   * Changes options at run time; those that are not named stay as they are. A smaller `maxBytes` evicts what the
   * policy wants least, until the rest fits; what is being read or filled leaves when it is let go, and nothing new
   * comes in before. A larger one keeps everything. Another `policy`, drey's or your own, begins with all entries, coldest first.
   * `maxItemBytes` is for what comes from now on; it follows `maxBytes`, as an eighth, unless it was given once.
   *
   * @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do; nothing is
   * changed then. The same when it is called from within the user's own policy. `ERR_DREY_CLOSED` after `close()`.
   */
  configure(patch: MemoryStorePatch): void
}
