import { type Env, readFully } from '../env.js'
import type { Context } from '../format/checksum.js'
import { endIn } from '../format/metadata.js'
import {
  blobSequenceOf,
  decodeRecord,
  endsBatch,
  FIXED_HEAD,
  FLAG,
  isBlob,
  KIND,
  NOT_KNOWN,
  partsOf,
  type RecordHead,
} from '../format/record.js'
import { DURABILITY, SEGMENT_HEADER } from '../format/segment.js'
import { blobBytes } from '../format/table.js'
import { unitsOf } from '../space.js'
import { expiryOf, keyIdOf } from './core.js'
import { packedChunks } from './value.js'
import { type WalkEnd, walk } from './walk.js'

/*
 * What the records of a segment say, as far as it is to be believed (docs/disk-format.md, section 8.1).
 */

/** A record, or `damage`: something that is none. */
export interface Found {
  readonly kind: number | 'damage'
  readonly offset: number
  readonly end: number
  readonly sequence: number
  readonly flags: number
  readonly unsynced: number
  readonly checksum: number
  readonly lo: number
  readonly hi: number
  readonly expires: number
  readonly blobUnits: number
  readonly blobSequence: number
  /** Of the end of a batch: it ends the members right before it. */
  endsBatch: boolean
}

/** A segment that was read. */
export interface ReadSegment {
  found: Found[]
  /** Where what is kept of it ends. */
  end: number
  /** Whether its owner said that it ends there. */
  ended: boolean
  /** Bytes at its end that are dropped because they were being written. */
  tornBytes: number
  /** Greater than every sequence in it, dropped ones too. */
  nextSequence: number
}

export interface SegmentSource {
  readonly env: Env
  readonly fd: number
  readonly fileBytes: number
  readonly context: Context
  readonly secret: Buffer
}

/** Reads a segment from `from` on. @throws what the system says */
export async function readSegment(source: SegmentSource, from: number): Promise<ReadSegment> {
  const { env, fd, fileBytes, context, secret } = source
  const found: Found[] = []
  let members: number[] = []
  let nextSequence = 0
  const end: WalkEnd = await walk(env, fd, from, fileBytes, context, {
    record: (head, offset, bytes, at) => {
      const record = describe(head, offset, bytes, at, secret)
      nextSequence = Math.max(nextSequence, record.sequence + 1, record.blobSequence + 1)
      record.endsBatch = head.kind === KIND.batch && members.length > 0 && endsBatch(bytes, at, members)
      if ((head.flags & FLAG.member) === 0) members = []
      else members.push(head.checksum)
      found.push(record)
    },
    damage: (at, to) => {
      members = []
      found.push(damageAt(at, to))
    },
  })
  if (end.kind === 'damage') found.push(damageAt(end.offset, fileBytes))
  return {
    found,
    end: end.kind === 'damage' ? fileBytes : Math.min(end.offset, fileBytes),
    ended: end.kind === 'ended',
    tornBytes: 0,
    nextSequence,
  }
}

/** Drops from the last segment of a log what was being written when its owner died. @throws what the system says */
export async function dropTornTail(
  source: SegmentSource,
  read: ReadSegment,
  durability: number,
): Promise<void> {
  const { found } = read
  const cut =
    durability === DURABILITY.power ? await firstUnsynced(source, found) : await firstTorn(source, found)
  const first = openBatch(found.slice(0, cut)) ?? cut
  if (first >= found.length) return
  const at = found[first]!.offset
  read.tornBytes = read.end - at
  read.end = at
  read.found = found.slice(0, first)
}

/** What was written last may be in part: rubbish at the end, or a put without its data. */
async function firstTorn(source: SegmentSource, found: readonly Found[]): Promise<number> {
  const last = found.length - 1
  if (last < 0) return 0
  if (found[last]!.kind === 'damage') return last
  return (await isWhole(source, found[last]!)) ? found.length : last
}

/** What nobody was told of may be there in any parts: the first that is not whole, and all behind it. */
async function firstUnsynced(source: SegmentSource, found: readonly Found[]): Promise<number> {
  let synced = SEGMENT_HEADER
  for (const { kind, offset, unsynced } of found) {
    if (kind === 'damage' || unsynced === NOT_KNOWN) continue
    synced = Math.max(synced, offset - unsynced * 8)
  }
  for (const [index, record] of found.entries()) {
    if (record.end <= synced) continue
    if (record.kind === 'damage' || !(await isWhole(source, record))) return index
  }
  return found.length
}

/** The first of the members at the end that no record of kind batch ends. */
function openBatch(found: readonly Found[]): number | undefined {
  let first: number | undefined
  for (let index = found.length - 1; index >= 0; index -= 1) {
    const { kind, flags } = found[index]!
    if (kind === 'damage' || (flags & FLAG.member) === 0) break
    first = index
  }
  return first
}

/** Whether the data of a record are what was written. */
async function isWhole({ env, fd, fileBytes, context }: SegmentSource, record: Found): Promise<boolean> {
  if (record.end > fileBytes) return false
  if (record.kind !== KIND.put || record.blobUnits > 0) return true
  const bytes = await readFully(env, fd, record.end - record.offset, record.offset)
  const head = decodeRecord(bytes, 0, record.offset, context)
  return head !== undefined && packedChunks(bytes, 0, head) !== undefined
}

function damageAt(offset: number, end: number): Found {
  const nothing = { sequence: 0, flags: 0, unsynced: NOT_KNOWN, checksum: 0, lo: 0, hi: 0 }
  return {
    kind: 'damage',
    offset,
    end,
    ...nothing,
    expires: 0,
    blobUnits: 0,
    blobSequence: 0,
    endsBatch: false,
  }
}

function describe(head: RecordHead, offset: number, bytes: Buffer, at: number, secret: Buffer): Found {
  const { kind, sequence, flags, unsynced, checksum } = head
  const common = { kind, offset, end: offset + head.recordBytes, sequence, flags, unsynced, checksum }
  const nothing = { expires: 0, blobUnits: 0, blobSequence: 0, endsBatch: false }
  if (kind === KIND.delete) {
    const [lo, hi] = [bytes.readUInt32LE(at + FIXED_HEAD), bytes.readUInt32LE(at + FIXED_HEAD + 4)]
    return { ...common, ...nothing, lo, hi }
  }
  if (kind !== KIND.put) return { ...common, ...nothing, lo: 0, hi: 0 }
  const { key, metadata } = partsOf(head)
  const { lo, hi } = keyIdOf(secret, bytes.subarray(at + key, at + metadata))
  const blob = isBlob(head)
  const shape = { size: head.size, storedBytes: head.storedBytes, chunkBytes: 2 ** head.chunkPower }
  const until = endIn(bytes, at + metadata, head.metadataBytes)
  return {
    ...common,
    lo,
    hi,
    expires: expiryOf(until),
    blobUnits: blob ? unitsOf(blobBytes(shape)) : 0,
    blobSequence: blob ? blobSequenceOf(bytes, at) : 0,
    endsBatch: false,
  }
}
