/** Something that one heap may have. */
export interface Heaped {
  /** Where it stands in its heap; kept by the heap. -1: in none. */
  at: number
}

/**
 * A binary heap (J. W. J. Williams, "Algorithm 232: Heapsort", 1964) whose items know where they stand, so that one can
 * leave from anywhere: O(log n) for everything, O(1) to look at the first.
 *
 * Invariants: `#items[i].at === i`; no item comes before its parent, which stands at `(i - 1) >> 1`.
 */
export class Heap<T extends Heaped> {
  readonly #before: (a: T, b: T) => boolean
  readonly #items: T[] = []

  /** @param before whether `a` comes before `b`; what it looks at may change only where `moved` is called next */
  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  get first(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    this.#items.push(item)
    this.#rise(item, this.#items.length - 1)
  }

  /** Does nothing to an item that is in no heap. */
  remove(item: T): void {
    const { at } = item
    if (at < 0) return
    item.at = -1
    const last = this.#items.pop()!
    if (last === item) return
    this.#items[at] = last
    last.at = at
    this.moved(last)
  }

  /** What the order of `item` goes by has changed. */
  moved(item: T): void {
    const { at } = item
    this.#rise(item, at)
    if (item.at === at) this.#sink(item, at)
  }

  #rise(item: T, from: number): void {
    const items = this.#items
    let at = from
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = items[up]!
      if (!this.#before(item, parent)) break
      items[at] = parent
      parent.at = at
      at = up
    }
    items[at] = item
    item.at = at
  }

  #sink(item: T, from: number): void {
    const items = this.#items
    let at = from
    for (let down = 2 * at + 1; down < items.length; down = 2 * at + 1) {
      if (down + 1 < items.length && this.#before(items[down + 1]!, items[down]!)) down += 1
      const child = items[down]!
      if (!this.#before(child, item)) break
      items[at] = child
      child.at = at
      at = down
    }
    items[at] = item
    item.at = at
  }
}
