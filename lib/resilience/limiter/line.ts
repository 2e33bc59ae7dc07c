/** The place of `item` in one line. */
export class Place<T> {
  readonly item: T
  older: Place<T> | undefined = undefined
  newer: Place<T> | undefined = undefined

  constructor(item: T) {
    this.item = item
  }
}

/**
 * Items in the order in which they came. Everything is O(1), also leaving from the middle.
 *
 * Invariants: following `newer` from `oldest` meets each place once and ends at `newest`; `older` is the reverse.
 */
export class Line<T> {
  oldest: Place<T> | undefined = undefined
  newest: Place<T> | undefined = undefined

  add(place: Place<T>): void {
    place.older = this.newest
    if (this.newest === undefined) this.oldest = place
    else this.newest.newer = place
    this.newest = place
  }

  /** @param place one of this line */
  remove(place: Place<T>): void {
    const { older, newer } = place
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    if (newer === undefined) this.newest = older
    else newer.older = older
    place.older = undefined
    place.newer = undefined
  }
}
