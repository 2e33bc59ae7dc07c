import type { Draft, WholeValue } from '../store.js'
import type { Change, FileStore } from './file-store.js'

/** How often it is tried anew where another thread deleted one of the keys meanwhile. */
const TRIES = 4
/** Beside key and value, what a record of the log takes at least. */
const RECORD_BYTES = 512

/** `Store.setAll`: files of large values first, then one batch of the log, which publishes all. At most half a segment of the log. */
export async function setAllOf(
  store: FileStore,
  values: readonly WholeValue[],
  { segmentBytes, packLimit }: { readonly segmentBytes: number; readonly packLimit: number },
): Promise<boolean> {
  let bytes = 0
  for (const { key, bytes: value } of values) {
    bytes += RECORD_BYTES + Buffer.byteLength(key) + (value.length > packLimit ? 0 : value.length)
  }
  if (bytes > segmentBytes / 2) return false
  for (let tries = 1; ; tries += 1) {
    const drafts = await draftAll(store, values)
    if (drafts === undefined) return false
    const changes: Change[] = drafts.map((draft, at) => {
      const { key, metadata } = values[at]!
      return { key, draft, metadata }
    })
    if (await store.commitAll(changes)) return true
    if (tries === TRIES || !drafts.some(({ fenced }) => fenced === true)) return false
  }
}

/** Drafts that have all of `values`; undefined when there is no room for them. */
async function draftAll(store: FileStore, values: readonly WholeValue[]): Promise<Draft[] | undefined> {
  const drafts: Draft[] = []
  let taken = false
  try {
    for (const { key, bytes, metadata } of values) {
      const draft = await store.draft(key, bytes.length, metadata.user)
      if (draft === undefined) return undefined
      drafts.push(draft)
      if (!(await draft.write(bytes))) return undefined
    }
    taken = true
    return drafts
  } finally {
    if (!taken) for (const draft of drafts) draft.abort()
  }
}
