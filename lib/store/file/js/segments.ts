import { blobAllotment, UNIT } from '../space.js'
import type { IndexEntry } from './table.js'

/** A file of the log. */
export interface Segment {
  readonly number: number
  /** End of what was written. */
  end: number
  /** In the ledger. */
  charged: number
  /** Current records in it. */
  live: number
  /** Of those, with their blobs, in bytes. */
  liveBytes: number
  /** Of `liveBytes`, what had expired when it was looked at last. */
  expiredBytes: number
  /** Of all records ever put in it, with their blobs, in bytes. */
  weight: number
  /** What is before this offset was synced. */
  synced: number
  /** It could not go early. */
  stuck: boolean
}

/** What a record stands for on the disk: itself, and its blob. */
export function weightOf({ length, blobUnits }: Pick<IndexEntry, 'length' | 'blobUnits'>): number {
  return length + blobUnits * UNIT
}

export function newSegment(number: number, end: number, charged: number): Segment {
  return { number, end, charged, live: 0, liveBytes: 0, expiredBytes: 0, weight: 0, synced: 0, stuck: false }
}

/** The files of the log, in order of their numbers, and what of them is current. */
export class Segments {
  readonly #all = new Map<number, Segment>()
  /** The one that is appended to. */
  active: Segment | undefined
  /** Entries with a blob. */
  blobs = 0
  /** What their files take. */
  blobBytes = 0

  get size(): number {
    return this.#all.size
  }

  /** In order. Numbers only grow, so that is the order in which they were added. */
  all(): IterableIterator<Segment> {
    return this.#all.values()
  }

  get(number: number): Segment | undefined {
    return this.#all.get(number)
  }

  add(segment: Segment): void {
    this.#all.set(segment.number, segment)
  }

  delete(segment: Segment): void {
    this.#all.delete(segment.number)
  }

  /** The lowest number in use; `otherwise` when there is none. */
  oldest(otherwise: number): number {
    for (const number of this.#all.keys()) return number
    return otherwise
  }

  /** The oldest that is not appended to. */
  oldestSealed(): Segment | undefined {
    for (const segment of this.#all.values()) return segment === this.active ? undefined : segment
    return undefined
  }

  /** As `Account` of the index. */
  readonly account = (entry: IndexEntry, by: 1 | -1): void => {
    if (entry.blobUnits > 0) {
      this.blobs += by
      this.blobBytes += by * blobAllotment(entry.blobUnits)
    }
    const segment = this.#all.get(entry.segment)
    if (segment === undefined) return
    segment.live += by
    segment.liveBytes += by * weightOf(entry)
  }
}
