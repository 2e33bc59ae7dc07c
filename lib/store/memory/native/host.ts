import type { Spans } from './spans.js'
import type { Thread } from './thread.js'

/** What the entries, drafts and flights of a native store need of it. */
export interface NativeStore {
  readonly thread: Thread
  /** The handle of the store. */
  readonly id: number
  readonly spans: Spans
  readonly closed: boolean
  /** A policy of the user's own decides who goes: what finds no room asks `makeRoom`, and tries again. */
  readonly hosted: boolean
  /** Something that reads from the arena was opened, and was closed: the store stays until the last is. */
  pin(): void
  unpin(): void
  /** To be called around each call that may evict. */
  beforeChange(): void
  afterChange(): void
  /** Whether that policy is running: what comes meanwhile is refused. */
  refusesNow(): boolean
  /** Has something leave; false when nothing can. */
  makeRoom(): boolean
  /** Room was refused. */
  onRefusal(): void
}
