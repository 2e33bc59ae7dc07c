import type { DreyError } from '../../../errors.js'
import type { RecordParts } from '../format/record.js'

/*
 * What the writer of the log is asked for.
 */

/** Where a record was put. */
export interface Place {
  readonly segment: number
  readonly offset: number
  readonly length: number
  readonly sequence: number
}

/** A record that is to be written. */
export interface Append {
  readonly parts: RecordParts
  /** Of what is copied forward; others get the next. */
  readonly sequence?: number
  /** Low half of the identity that it changes. */
  readonly lo?: number
  /** With its blob, in bytes, if that is more than the record. */
  readonly weight?: number
  /** Asked when it is about to get its place: whether it is still to be written. `changed` are low halves that records before it, not yet visible, change. */
  wanted?(changed: ReadonlySet<number>): boolean
  /** The write has succeeded. */
  apply(place: Place): void
}

/** What became of records: written; no more wanted; no room for them. What else goes wrong is an error. */
export type Outcome = 'done' | 'gone' | 'no-room'

export interface AppendOptions {
  /** All or none. */
  readonly batch?: boolean
  /** Of reclaiming: given up when there is no room for a new segment. */
  readonly copy?: boolean
  /** Acknowledged before it is written, with durability 'none'. */
  readonly early?: boolean
  /** Called once, when it is known what became of the records: maybe after they were acknowledged. */
  readonly settled?: ((outcome: Outcome | 'failed') => void) | undefined
}

/** Records that go out together. */
export interface Item {
  readonly appends: readonly Append[]
  readonly batch: boolean
  /** Nothing is to be written, but the segment ended. */
  readonly ends: boolean
  /** Of reclaiming: given up when there is no room for a new segment. */
  readonly copy: boolean
  readonly bytes: number
  settle(outcome: Outcome | DreyError): void
}

/** A record without anything in it. */
export function bare(kind: number, flags = 0): RecordParts {
  const none = { chunkPower: 0, size: 0, storedBytes: 0, keyBytes: 0, metadataBytes: 0 }
  return { kind, flags, ...none, body: Buffer.alloc(0), data: [] }
}
