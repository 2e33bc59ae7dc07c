/*
 * Least recently used order as an intrusive doubly linked list: O(1) for every operation and no
 * allocation beside the entries themselves.
 */

export interface Linked<T> {
  newer: T | undefined
  older: T | undefined
}

/** Invariant: an entry is in the list exactly when its `newer` and `older`, or `newest` and `oldest`, name it. */
export class Recency<T extends Linked<T>> {
  newest: T | undefined
  oldest: T | undefined

  add(entry: T): void {
    entry.older = this.newest
    entry.newer = undefined
    if (this.newest === undefined) this.oldest = entry
    else this.newest.newer = entry
    this.newest = entry
  }

  remove(entry: T): void {
    if (entry.newer === undefined) this.newest = entry.older
    else entry.newer.older = entry.older
    if (entry.older === undefined) this.oldest = entry.newer
    else entry.older.newer = entry.newer
    entry.newer = undefined
    entry.older = undefined
  }

  touch(entry: T): void {
    if (this.newest === entry) return
    this.remove(entry)
    this.add(entry)
  }
}
