import type { TagFloor } from './store.js'

/** Tags whose floors are kept one by one. */
export const MAX_FLOORS = 10_000
/** Numbers that are skipped where invalidations may have been lost: no store comes to so many by counting. */
const LEAP = 2 ** 32
/** What is beyond is no sequence. */
export const MAX_SEQUENCE = 2 ** 52

/** How much a list may take. */
export interface FloorBounds {
  readonly maxBytes: number
  /** What a floor takes beside its tag. */
  readonly each: number
}

/** Changes that are remembered in their order, at least. */
const RECENT = 256

const UNBOUNDED: FloorBounds = { maxBytes: Number.POSITIVE_INFINITY, each: 0 }

interface Item {
  readonly floor: TagFloor
  /** The version of its last change. */
  readonly changed: number
  readonly bytes: number
}

/**
 * What was invalidated by tag (docs/decisions/0009-tags.md).
 *
 * Invariants: floors, base and `sequence` only rise, and no floor is above `sequence`: to add is to join, so what is added twice, or in
 * another order, comes to the same. There are at most `MAX_FLOORS` floors beside the base, in the order of their last change, within the
 * bounds; the first of them is given up into the base, so that nothing that was invalidated comes back.
 */
export class TagFloors {
  readonly #bounds: FloorBounds
  readonly #items = new Map<string, Item>()
  /** The last changes, so that who asks often need not look through all; it has those after `#recentFrom`. */
  #recent: Item[] = []
  #recentFrom = 0
  #base: TagFloor = { tag: '', hard: 0, soft: 0, at: 0 }
  #baseChanged = 0
  #bytes = 0
  #sequence = 0
  #version = 0

  constructor(bounds: FloorBounds = UNBOUNDED) {
    this.#bounds = bounds
  }

  /** The number of the last invalidation. */
  get sequence(): number {
    return this.#sequence
  }

  /** Rises with every change. */
  get version(): number {
    return this.#version
  }

  /** Tags that have a floor of their own. */
  get size(): number {
    return this.#items.size
  }

  /** What counts for every tag. */
  get base(): TagFloor {
    return this.#base
  }

  of(tag: string): TagFloor | undefined {
    return this.#items.get(tag)?.floor
  }

  /** A new invalidation, with a number that is greater than `least`, too. */
  invalidate(tags: readonly string[], soft: boolean, at: number, least: number): void {
    this.#sequence = Math.max(this.#sequence, least) + 1
    this.#version += 1
    const sequence = this.#sequence
    for (const tag of tags) {
      this.#join(soft ? { tag, hard: 0, soft: sequence, at } : { tag, hard: sequence, soft: 0, at: 0 })
    }
  }

  /** What somebody else knows. */
  join(floors: readonly TagFloor[], sequence: number): void {
    this.#sequence = Math.max(this.#sequence, sequence)
    this.#version += 1
    for (const floor of floors) {
      this.#sequence = Math.max(this.#sequence, floor.hard, floor.soft)
      if (floor.tag === '') this.#joinBase(floor)
      else this.#join(floor)
    }
  }

  /** Invalidations may have been lost: nothing that has tags and is older than now counts any more. */
  raiseAll(): void {
    this.#sequence += LEAP
    this.#version += 1
    this.#joinBase({ tag: '', hard: this.#sequence, soft: 0, at: 0 })
  }

  /** What was changed after `version`, the base first. */
  since(version: number): TagFloor[] {
    const changed = this.#baseChanged > version ? [this.#base] : []
    if (version < this.#recentFrom) {
      for (const item of this.#items.values()) if (item.changed > version) changed.push(item.floor)
      return changed
    }
    for (let at = this.#recent.length - 1; at >= 0 && this.#recent[at]!.changed > version; at -= 1) {
      changed.push(this.#recent[at]!.floor)
    }
    return changed
  }

  #join(given: TagFloor): void {
    const known = this.#items.get(given.tag)
    const base = this.#base
    // What the base says already needs no place of its own.
    if (known === undefined && given.hard <= base.hard && given.soft <= base.soft) return
    if (known !== undefined && given.hard <= known.floor.hard && given.soft <= known.floor.soft) return
    const bytes = known?.bytes ?? this.#bounds.each + Buffer.byteLength(given.tag)
    // In the order of their changes, so that the first is the one that is given up.
    this.#items.delete(given.tag)
    const item = { floor: joined(known?.floor, given), changed: this.#version, bytes }
    this.#items.set(given.tag, item)
    this.#note(item)
    if (known === undefined) this.#bytes += bytes
    while (this.#items.size > MAX_FLOORS || this.#bytes > this.#bounds.maxBytes) {
      const [[tag, oldest]] = this.#items as unknown as [[string, Item]]
      this.#items.delete(tag)
      this.#bytes -= oldest.bytes
      this.#joinBase(oldest.floor)
    }
  }

  #note(item: Item): void {
    if (this.#recent.push(item) < 2 * RECENT) return
    this.#recentFrom = this.#recent[RECENT - 1]!.changed
    this.#recent = this.#recent.slice(RECENT)
  }

  #joinBase({ hard, soft, at }: TagFloor): void {
    const base = this.#base
    this.#base = {
      tag: '',
      hard: Math.max(base.hard, hard),
      soft: Math.max(base.soft, soft),
      // Of several tags: what was made stale first says since when.
      at: soft === 0 ? base.at : base.soft === 0 ? at : Math.min(base.at, at),
    }
    this.#baseChanged = this.#version
  }
}

/** Of one tag: the last soft invalidation says since when. */
function joined(one: TagFloor | undefined, other: TagFloor): TagFloor {
  if (one === undefined) return other
  const { soft, at } = other.soft > one.soft ? other : one
  return { tag: other.tag, hard: Math.max(one.hard, other.hard), soft, at }
}
