import type { Draft, Later, StoredEntry, WholeValue } from '../store.js'

/** A near store, as far as several values are set in one turn of it. */
export interface NearStore {
  draft(key: string, size: number): Draft | undefined
  find(key: string, peek: boolean): Later<StoredEntry | undefined>
  delete(key: string): boolean
}

/** Drafts that have all of `values`; undefined when there is no room for them. */
export function draftAll(
  store: Pick<NearStore, 'draft'>,
  values: readonly WholeValue[],
): Draft[] | undefined {
  const drafts: Draft[] = []
  for (const { key, bytes } of values) {
    const draft = store.draft(key, bytes.length)
    if (draft !== undefined) drafts.push(draft)
    if (draft?.write(bytes) !== true) {
      for (const begun of drafts) begun.abort()
      return undefined
    }
  }
  return drafts
}

/**
 * `Store.setAll` of a store that one thread has, in one turn: nobody reads between. What cannot be committed takes back what was, so that
 * those keys are as if evicted. To be called while nobody is told of evictions, for whoever is told may read.
 */
export function setTogether(store: NearStore, values: readonly WholeValue[]): boolean {
  const drafts = draftAll(store, values)
  if (drafts === undefined) return false
  let count = 0
  while (count < values.length && drafts[count]!.commit(values[count]!.metadata) === true) count += 1
  // The last may have pushed out the first.
  if (count === values.length && values.every(({ key }) => isThere(store, key))) return true
  for (const draft of drafts) draft.abort()
  for (const { key } of values.slice(0, count)) store.delete(key)
  return false
}

function isThere(store: NearStore, key: string): boolean {
  const entry = store.find(key, true) as StoredEntry | undefined
  entry?.release()
  return entry !== undefined
}
