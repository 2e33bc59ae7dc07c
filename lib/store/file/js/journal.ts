import { ClosedError } from '../../../errors.js'
import type { TagJournal } from '../../store.js'
import type { TagLog } from './tag-log.js'

/** The log of tags while the store is open; what was read last is not asked for after that. */
export function journalOf(tags: () => TagLog | undefined, closed: () => boolean): TagJournal {
  const open = (): TagLog => {
    const log = closed() ? undefined : tags()
    if (log === undefined) throw new ClosedError('the file store is closed')
    return log
  }
  return {
    get version() {
      return tags()?.version ?? 0
    },
    get sequence() {
      return tags()?.sequence ?? 0
    },
    get latest() {
      return tags()?.latest ?? 0
    },
    since: (version) => tags()?.since(version) ?? [],
    invalidate: async (...call) => open().invalidate(...call),
    join: async (...call) => open().join(...call),
  }
}
