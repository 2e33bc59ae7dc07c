import type { Clock } from '../../../clock.js'
import { hash128 } from '../../../native/hash.js'
import type { EvictReason } from '../../store.js'
import type { Env } from '../env.js'
import { type Context, contextOf, withBytes, withNumber } from '../format/checksum.js'
import type { DirectoryHeader } from '../format/directory.js'
import { LOG_FOLDER, segmentName } from '../format/names.js'
import type { SpaceLedger } from '../ledger.js'
import type { FileConfig } from '../options.js'
import type { OpenFiles } from './files.js'
import type { FreeSpace } from './free-space.js'
import type { TurnPolicy } from './policy.js'
import type { Segments } from './segments.js'
import type { IndexTable } from './table.js'

/** What a store counts. */
export interface Tally {
  evictions: number
  expirations: number
  refusals: number
  /** Of these, those for want of room. */
  roomRefusals: number
  corrupt: number
  diskErrors: number
  reclaimed: number
  /** Bytes of values and keys that were given to be written. */
  givenBytes: number
  /** Bytes that were written for them. */
  writtenBytes: number
  /** Blobs that could not be removed: the next open looks for them. */
  orphans: number
}

export function newTally(): Tally {
  return {
    evictions: 0,
    expirations: 0,
    refusals: 0,
    roomRefusals: 0,
    corrupt: 0,
    diskErrors: 0,
    reclaimed: 0,
    givenBytes: 0,
    writtenBytes: 0,
    orphans: 0,
  }
}

/** What the parts of an open store share. */
export interface Core {
  readonly dir: string
  /** As it is now: `configure` puts another in its place. */
  config: FileConfig
  readonly env: Env
  readonly clock: Clock
  readonly header: DirectoryHeader
  readonly contexts: Contexts
  readonly ledger: SpaceLedger
  readonly index: IndexTable
  readonly segments: Segments
  readonly files: OpenFiles
  policy: TurnPolicy
  readonly free: FreeSpace
  readonly tally: Tally
  readonly bootId: Buffer
  /** The next sequence number. */
  nextSequence: number
  nextSegment: number
  nextImage: number
  /** Entries of lower sequences are in doubt; 0 for none. */
  doubt: number
  /** Epoch milliseconds, as the cache has it. */
  now(): number
  onEvict(key: string, reason: EvictReason): void
  onCorrupt(key: string): void
}

/** The beginnings of checksums, by what they are of. */
export interface Contexts {
  readonly segment: Context
  readonly head: Context
  readonly blob: Context
  readonly image: Context
  readonly page: Context
  readonly tags: Context
}

export function contextsOf(storeId: Buffer): Contexts {
  return {
    segment: contextOf(storeId, 'SEGM'),
    head: contextOf(storeId, 'HEAD'),
    blob: contextOf(storeId, 'BLOB'),
    image: contextOf(storeId, 'IMAG'),
    page: contextOf(storeId, 'PAGE'),
    tags: contextOf(storeId, 'TAGS'),
  }
}

/** The context of the heads in a segment. */
export function headContext(contexts: Contexts, segment: number): Context {
  return withNumber(contexts.head, segment)
}

/** The context of the pages of a blob's table. */
export function blobContext(contexts: Contexts, keyHash: Uint8Array, sequence: number): Context {
  return withNumber(withBytes(contexts.blob, keyHash), sequence)
}

export function logFolder(dir: string): string {
  return `${dir}/${LOG_FOLDER}`
}

export function segmentPath(dir: string, number: number): string {
  return `${dir}/${LOG_FOLDER}/${segmentName(number)}`
}

/** A key, and what the store knows it by. */
export interface KeyId {
  /** UTF-8. */
  readonly bytes: Buffer
  /** 16 bytes. */
  readonly hash: Buffer
  /** Identity: low and high half, unsigned. */
  readonly lo: number
  readonly hi: number
}

const words = new Uint32Array(4)

export function keyIdOf(secret: Buffer, bytes: Buffer): KeyId {
  hash128(secret, bytes, words)
  const hash = Buffer.allocUnsafe(16)
  for (let word = 0; word < 4; word += 1) hash.writeUInt32LE(words[word]!, word * 4)
  return { bytes, hash, lo: words[0]!, hi: words[1]! }
}

/** An identity as a key of a Map. */
export function identityOf({ lo, hi }: { readonly lo: number; readonly hi: number }): string {
  return `${hi}.${lo}`
}

/** Until when an entry is of use, in whole epoch seconds, rounded up. */
export function expiryOf(usefulUntil: number): number {
  const until = Math.ceil(usefulUntil / 1000)
  return until >= 0xffffffff ? 0xffffffff : Math.max(0, until)
}
