import { STORED } from '../../../native/addon.js'
import { type Draft, IN_HAND, type Metadata } from '../../store.js'
import type { NativeStore } from './host.js'
import { insist } from './insist.js'
import { userText, writeMetadata } from './metadata.js'
import type { PolicyHost } from './policy-host.js'

/** A store that can be written to piece by piece. */
interface DraftingStore extends NativeStore {
  draft(key: string, size: number): Draft | undefined
}

/** `Store.set` where a policy of the user's own makes the room. */
export function hostedSet(
  store: DraftingStore,
  host: PolicyHost,
  key: string,
  bytes: Uint8Array,
  metadata: Metadata,
): boolean {
  // What is large keeps the room that it has found so far while more is made.
  if (bytes.length > IN_HAND) return setByDraft(store, key, bytes, metadata)
  if (store.closed || store.refusesNow()) return false
  const { addon, numbers } = store.thread
  const user = userText(metadata)
  store.beforeChange()
  const stored = insist(store, (again) => {
    // The policy may have closed it.
    if (store.closed) return STORED.gone
    writeMetadata(metadata, numbers)
    const outcome = addon.memorySet(store.id, key, bytes, metadata.etag, user)
    if (again && outcome === STORED.noRoom) host.uncounted -= 1
    return outcome
  })
  if (stored === STORED.done) host.committed(key)
  store.afterChange()
  if (stored === STORED.done) return true
  store.onRefusal()
  return false
}

function setByDraft(store: DraftingStore, key: string, bytes: Uint8Array, metadata: Metadata): boolean {
  const draft = store.draft(key, bytes.length)
  if (draft === undefined) return false
  if (draft.write(bytes) === true && draft.commit(metadata) === true) return true
  draft.abort()
  return false
}
