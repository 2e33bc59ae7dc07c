import type { IndexEntry } from '../js/table.js'

/*
 * What looking through a directory finds.
 */

/** Where something may be that is not what was written. */
export const DAMAGE_KINDS = [
  'header',
  'image',
  'index',
  'segment',
  'record',
  'batch',
  'value',
  'blob',
  'tags',
] as const

/**
 * `header`: a copy of what `DREY` says; `image`: an image of the index; `index`: a place that the image names, and where its
 * record is not; `segment`: the head of a file of the log, or its end; `record`: bytes between records; `batch`: members without
 * their end, or an end without its members; `value`: metadata or chunks of a record; `blob`: the file of a large value; `tags`: what was invalidated by tag.
 */
export type DamageKind = (typeof DAMAGE_KINDS)[number]

export interface Damage {
  readonly kind: DamageKind
  /** Below the directory. */
  readonly file: string
  /** In the file, in bytes. */
  readonly offset: number
  readonly what: string
}

/** What the next open removes or cuts off, and what says nothing of the disk. */
export interface Leftover {
  readonly file: string
  readonly what: string
}

/** What a directory was found to be. */
export interface VerifyReport {
  /** The last owner closed it, and an image of its index is whole; or nothing was ever written to it. */
  readonly closed: boolean
  readonly segments: number
  /** Records of the log, whole ones. */
  readonly records: number
  readonly entries: number
  /** Of those, in files of their own. */
  readonly blobs: number
  /** Bytes of the files that were looked through. */
  readonly bytes: number
  /** The first MOST_LISTED of them. */
  readonly damages: readonly Damage[]
  /** All of them, by kind. */
  readonly counts: Readonly<Record<DamageKind, number>>
  /** Entries that cannot be given whole any more. */
  readonly unsound: number
  readonly leftovers: readonly Leftover[]
  /** Names that are none of drey's. */
  readonly strange: readonly string[]
  /** What was damaged was dropped, and what was left over removed. */
  readonly repaired: boolean
}

/** More are counted, and not listed. */
export const MOST_LISTED = 1000

/** Gathers what is found. */
export class Findings {
  readonly damages: Damage[] = []
  readonly counts = Object.fromEntries(DAMAGE_KINDS.map((kind) => [kind, 0])) as Record<DamageKind, number>
  readonly leftovers: Leftover[] = []
  readonly strange: string[] = []
  /** Entries to be dropped. */
  readonly unsound: IndexEntry[] = []
  /** Files that no entry names, as paths. */
  readonly orphans: string[] = []
  /** The highest number of a segment that has damage in it; 0 for none. */
  lastHarmed = 0
  records = 0

  damage(kind: DamageKind, file: string, offset: number, what: string): void {
    this.counts[kind] += 1
    if (this.damages.length < MOST_LISTED) this.damages.push({ kind, file, offset, what })
  }

  /** Of a segment. */
  harm(kind: DamageKind, segment: number, file: string, offset: number, what: string): void {
    this.lastHarmed = Math.max(this.lastHarmed, segment)
    this.damage(kind, file, offset, what)
  }

  leave(file: string, what: string): void {
    if (this.leftovers.length < MOST_LISTED) this.leftovers.push({ file, what })
  }

  get damaged(): boolean {
    return DAMAGE_KINDS.some((kind) => this.counts[kind] > 0)
  }
}
