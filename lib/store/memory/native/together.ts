import type { WholeValue } from '../../store.js'
import { draftAll, type NearStore, setTogether } from '../together.js'
import type { NativeDraft } from './draft.js'
import type { NativeStore } from './host.js'
import { userText } from './metadata.js'

/** Numbers of the times of an entry. */
const TIMES = 5

/** `Store.setAll`: all are committed in one call of the addon, which has all shards locked meanwhile. */
export function setAll(store: NativeStore & NearStore, values: readonly WholeValue[]): boolean {
  // A policy of the user's own is asked for room between, and its store is of this thread.
  if (store.hosted) return setTogether(store, values)
  const drafts = draftAll(store, values) as NativeDraft[] | undefined
  if (drafts === undefined) return false
  const times = new Float64Array(values.length * TIMES)
  const parts: Array<number | string | undefined> = []
  for (const [at, { metadata }] of values.entries()) {
    const { cachedAt, freshUntil, staleUntil, staleIfErrorUntil, negative, etag } = metadata
    times.set([cachedAt, freshUntil, staleUntil, staleIfErrorUntil, negative ? 1 : 0], at * TIMES)
    parts.push(drafts[at]!.handle, etag, userText(metadata))
  }
  let done = false
  try {
    done = store.thread.addon.draftCommitAll(store.id, parts, times)
  } finally {
    for (const draft of drafts) draft.settle(done)
  }
  if (!done) store.onRefusal()
  return done
}
