/*
 * What calls of the file store give beside what they return: places in arrays of numbers that each thread has.
 * native/node/file_numbers.h and native/node/file_store.cc have the same lists.
 */

/** Of an entry that was found: where its value begins in the memory that was given, and how many bytes of it are there. */
export const VALUE_AT = 0
export const VALUE_BYTES = 1
export const SIZE = 2
/** Bytes of all its chunks, as they are stored. */
export const STORED = 3
export const CHUNK_POWER = 4
/** The greatest codec of what is there: 0 when those bytes are the value's own. */
export const CODEC_ID = 5
/** Of a packed value, where the descriptions of its chunks begin. */
export const TABLE_AT = 6
/** Its sequence. */
export const SEQUENCE = 7
/** 1 when it is in doubt. */
export const DOUBT = 8
export const CACHED_AT = 9
export const FRESH_UNTIL = 10
export const STALE_UNTIL = 11
export const STALE_IF_ERROR_UNTIL = 12
export const NEGATIVE = 13
/** Texts of its metadata: where, and how long; -1 when there is none. */
export const ETAG_AT = 14
export const ETAG_SIZE = 15
export const USER_AT = 16
export const USER_SIZE = 17
export const CODEC_AT = 18
export const CODEC_SIZE = 19
export const LABELS_AT = 20
export const LABELS_SIZE = 21
/** A handle, or -1; its number, and what it takes of the disk. */
export const BLOB = 22
export const BLOB_SEQUENCE = 23
export const BLOB_CHARGE = 24
/** What a find wants that had no room or has to wait: bytes of the record, and whether there is a blob. */
export const NEEDED = 25
export const NEEDS_BLOB = 26
/** How much of the block was given out before. */
export const BLOCK_USED = 27
/** What an open gives: a handle, and what holds in the directory. */
export const STORE = 28
export const STORE_MAX_ITEM = 29
export const STORE_PACK_LIMIT = 30
export const STORE_CHUNK_BYTES = 31
export const STORE_MAX_BYTES = 32

/** Of a completion, in the array of completions: so many numbers each. */
export const DONE_NUMBERS = 4
export const DONE_OPERATION = 0
/** -1 when it failed. */
export const DONE_OUTCOME = 1
export const DONE_FIRST = 2
export const DONE_SECOND = 3

/** What `fileFind` says, and a find that waited. */
export const FOUND_FILE = { miss: 0, found: 1, wait: 2, tooSmall: 3 } as const
/** What operations that write say. `promised` is done as far as the durability goes, and not written yet. */
export const WRITTEN = { done: 0, fenced: 1, gone: 2, tooLarge: 3, noRoom: 4, promised: 5 } as const
/** Why a key was dropped. */
export const DROPPED = { evicted: 0, expired: 1, corrupt: 2 } as const

/** What `fileOpen` takes, in order. */
export const FILE_OPTIONS = [
  'maxBytes',
  'maxIndexBytes',
  'maxItemBytes',
  'segmentBytes',
  'packLimit',
  'chunkPower',
  'minFreeBytes',
  'minFreeShare',
  'partitions',
  'durability',
  'openFiles',
  'readThreads',
  'policy',
  'reclaimRate',
] as const

/** What `fileTune` takes and `fileTuning` writes, in order. */
export const FILE_TUNING = [
  'maxBytes',
  'maxIndexBytes',
  'maxItemBytes',
  'minFreeBytes',
  'minFreeShare',
  'durability',
  'openFiles',
  'readThreads',
  'policy',
  'reclaimRate',
] as const

/** What `fileStats` writes, in order. */
export const FILE_STATS = [
  'entries',
  'blobs',
  'bytes',
  'maxBytes',
  'indexBytes',
  'segments',
  'evictions',
  'expirations',
  'corrupt',
  'diskErrors',
  'refusals',
  'roomRefusals',
  'reclaimed',
  'givenBytes',
  'writtenBytes',
  'clean',
  'milliseconds',
  'recovered',
  'replayed',
  'tornBytes',
  'damagedBytes',
  'orphans',
  'doubt',
] as const
