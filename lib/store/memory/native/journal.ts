import { NativeJournal } from '../../native-journal.js'
import type { NativeStore } from './host.js'

/** What was invalidated by tag in a memory store that threads share: for as long as the store is there. */
export function memoryJournal(store: NativeStore): NativeJournal {
  const { addon } = store.thread
  return new NativeJournal({
    numbers: (out) => {
      if (!store.closed && store.id >= 0) addon.memoryTags(store.id, out)
    },
    since: (version) => (store.closed ? [] : addon.memoryTagsSince(store.id, version)),
    add: (tags, floors, sequence, fresh) => {
      if (!store.closed) addon.memoryTagsAdd(store.id, tags, floors, sequence, fresh)
    },
  })
}
