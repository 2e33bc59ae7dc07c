import type { Draft, Metadata, Store, StoreChange, StoreStats } from '../store.js'
import type { FileStorePatch } from './options.js'

/** What an open found. */
export interface RecoverySummary {
  /** Whether the last owner had closed the directory, and an image of its index was whole. */
  readonly clean: boolean
  /** How long it took. */
  readonly milliseconds: number
  readonly entries: number
  /** Records of the log that were read. */
  readonly replayed: number
  /** Bytes of the log's end that were written when the last owner died, and dropped. */
  readonly tornBytes: number
  /** Bytes of the log that were not what was written. */
  readonly damagedBytes: number
  /** Files that nothing referred to, removed. */
  readonly orphans: number
  /** Whether entries have to be revalidated before they are fresh again. */
  readonly doubt: boolean
}

/** What a file store says of itself. */
export interface FileStoreStats extends StoreStats {
  readonly segments: number
  readonly blobs: number
  readonly indexBytes: number
  readonly roomRefusals: number
  readonly corrupt: number
  readonly diskErrors: number
  readonly reclaimed: number
  readonly givenBytes: number
  readonly writtenBytes: number
  readonly writeAmplification: number
  /** Undefined before the store is open. */
  readonly recovery: RecoverySummary | undefined
}

/** One of several changes that happen together. */
export type Change =
  | { readonly key: string; readonly draft: Draft; readonly metadata: Metadata }
  | { readonly key: string; readonly remove: true }

/** A store in a directory. */
export interface FileStore extends Store {
  stats(): FileStoreStats
  /**
   * Checks a change of options, which `apply()` of the answer makes, for all threads that have the directory open; those that are not named
   * stay as they are. docs/reference/file.md says of each option whether it can be changed, and what that does. A smaller `maxBytes` is
   * kept to from then on by what wants to grow, and `apply` does not wait for the disk to come down to it: reclaim goes on behind it, and
   * the bound that `stats()` says goes down with it, and never up.
   *
   * @throws `ERR_DREY_CONFIG` for an option that is wrong or fixed; `ERR_DREY_CLOSED` after `close()`. `apply` rejects with `ERR_DREY_IO`
   * when what was written could not be synced for durability 'power', and has changed nothing then
   */
  configure(patch: FileStorePatch): StoreChange
  /**
   * Commits drafts of this store and deletes keys, all or none of them, also across a crash. False when there is no room,
   * or a draft is fenced or was aborted; then all its drafts are aborted.
   *
   * @throws `ERR_DREY_IO` when it could not be written; nothing is changed then
   */
  commitAll(changes: readonly Change[]): Promise<boolean>
}
