import { UNTAGGED } from '../../metadata.js'
import type { Metadata } from '../../store.js'
import type { NativeStore } from './host.js'
import { readUserText } from './metadata.js'

/** Entries that a scan takes at once. */
const SCANNED_AT_ONCE = 256
/** What `memoryList` gives for each. */
const LISTED = 9

/** The entries of the store, as `Store.entries`. */
export function* listing(store: NativeStore): Generator<readonly [string, Metadata], void, undefined> {
  let shard = 0
  let handle = 0
  while (!store.closed) {
    const listed = store.thread.addon.memoryList(store.id, shard, handle, SCANNED_AT_ONCE)
    if (listed.length === 2) return
    shard = listed[0] as number
    handle = listed[1] as number
    for (let at = 2; at < listed.length; at += LISTED) yield listedEntry(listed, at)
  }
}

function listedEntry(listed: readonly unknown[], at: number): readonly [string, Metadata] {
  const [key, size, cachedAt, freshUntil, staleUntil, staleIfErrorUntil, negative, etag, user] = listed.slice(
    at,
    at + LISTED,
  ) as [string, number, number, number, number, number, number, string | undefined, string | undefined]
  const metadata = {
    size,
    cachedAt,
    freshUntil,
    staleUntil,
    staleIfErrorUntil,
    negative: negative === 1,
    ...(etag === undefined ? {} : { etag }),
    ...(user === undefined ? UNTAGGED : readUserText(user)),
  }
  return [key, metadata]
}
