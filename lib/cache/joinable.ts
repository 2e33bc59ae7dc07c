import type { Later, Metadata, StoredEntry } from '../store/store.js'
import type { Provenance } from './found.js'
import type { BodyReader } from './reader.js'
import type { SharedEntry } from './shared-entry.js'

/** What those who wait for a key are told. */
export type FillAnswer =
  | { readonly kind: 'body'; readonly reader: BodyReader; readonly from: Provenance }
  | {
      readonly kind: 'entry'
      readonly entry: StoredEntry
      readonly metadata: Metadata
      readonly outcome: 'revalidated' | 'stale'
    }
  | { readonly kind: 'not-found'; readonly metadata: Metadata }
  /** The value is for the leader alone: whoever else waits asks for itself. */
  | { readonly kind: 'alone' }
  /** The tier has the answer by now. */
  | { readonly kind: 'stored' }
  /** Whoever led is gone, and there is no answer: ask again. */
  | { readonly kind: 'again' }

/** An answer on its way for a key, that more callers of this thread may wait for. */
export interface Joinable {
  /** Whether a change in another thread came between: who asks after it may not be answered from before it (I5). */
  readonly fenced: boolean
  /**
   * What `accept` makes of the answer, for one more caller; undefined when it is too late to join. `accept` is called in
   * the turn in which the answer is given, so that nothing on its way to a caller is ever without an owner.
   */
  wait<T>(signal: AbortSignal | undefined, accept: (answer: FillAnswer) => Later<T>): Promise<T> | undefined
  /**
   * Who joined found `entry`, which is newer than what was found before: it answers in place of the origin, should that fail. Released by whom
   * it is given to.
   */
  renewStale(entry: SharedEntry | undefined): void
}
