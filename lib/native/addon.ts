/*
 * The typed surface of the addon: what native/node/ exports, and nothing else of it is used anywhere.
 */

/** What one copy of the addon gives. Arguments are checked by the caller; the addon guards memory only. */
export interface Addon {
  /** Of the package that it was built from. */
  readonly version: string
  /** Names of the implementations of CRC32C that this processor can run, fastest first; `crc32c` is the first. */
  readonly crc32cImplementations: readonly string[]
  /** The CRC32C of `bytes` appended to data whose CRC32C is `seed`. */
  readonly crc32c: (bytes: Uint8Array, seed: number) => number
  /** The same by one of `crc32cImplementations`, so that tests can compare them all. */
  readonly crc32cBy: (name: string, bytes: Uint8Array, seed: number) => number
  /** Writes SipHash-2-4-128 of `data` under the 16 bytes of `key` to the first four elements of `out`. */
  readonly hash128: (key: Uint8Array, data: Uint8Array | string, out: Uint32Array) => void
  /**
   * The descriptor of a TCP socket that listens at a numeric address, on a port that it shares (SO_REUSEPORT); 0 for any.
   * For a server of this thread: what none has taken over is closed with the thread. Throws with errno's name as `code`.
   */
  readonly listenSocket: (host: string, port: number, backlog: number) => number

  /**
   * Asks of a file that has a byte whether the file store's faster calls work on it, and writes an errno for each to `out`, 0 where it does: reads
   * from the page cache alone, and blocks that are reserved before they are written. Waits for the disk, so for no thread that serves.
   */
  readonly fileFeatures: (path: string, out: Float64Array) => void

  /**
   * Reads from where the file stands into `target`, in another thread, until it is full or a read gives less than was asked for. Then `done` is
   * called with how many bytes, -1 for a failure, and their CRC32C on from `seed`. The target must stay as it is until then; not called when the thread ends first.
   */
  readonly readChecked: (
    fd: number,
    target: Uint8Array,
    seed: number,
    done: (bytes: number, checksum: number) => void,
  ) => void

  // The buffer pool.

  /**
   * Gives the memory behind an ArrayBuffer back to the system, but for what shares a page with others: its bytes are anything from here on, and
   * it may be used again at any time. False when the system would not have it.
   */
  readonly slabGiveBack: (slab: ArrayBuffer) => boolean

  // The memory store. What crosses are integers, and numbers by the array of `memoryNumbers`: see numbers.ts.

  /** The array of this thread. */
  readonly memoryNumbers: () => Float64Array
  /** Has `receive` called with [token, events, token, events, ...] when there is news of flights. Once for a thread. */
  readonly memoryNews: (receive: (news: number[]) => void) => void
  /** Opens a store, or attaches to that of the name; says its handle. With `time` it goes by what `memoryTime` tells it. Throws `ERR_DREY_CONFIG`. */
  readonly memoryOpen: (
    name: string | undefined,
    maxBytes: number,
    maxItemBytes: number,
    policy: string,
    ceiling: number,
    hashKey: Uint8Array,
    time: number | undefined,
    /** 0 leaves it to the addon. */
    shards: number,
  ) => number
  readonly memoryClose: (store: number) => void
  /** What `memoryFind` copies values to, from `used` on. Kept until the next such call. */
  readonly memoryBlock: (block: Uint8Array, used: number) => void
  /** One of FOUND. Copied: the value is in the block. Opened: HANDLE. Both: the numbers of the entry, its texts in the block. */
  readonly memoryFind: (store: number, key: string, peek: boolean) => number
  /** One of STORED; metadata from the numbers. */
  readonly memorySet: (
    store: number,
    key: string,
    value: Uint8Array,
    etag: string | undefined,
    user: string | undefined,
  ) => number
  readonly memoryRevise: (
    store: number,
    key: string,
    version: number,
    etag: string | undefined,
    user: string | undefined,
  ) => number
  /** How often `draftCommitAll` was called, by any thread. `holdOff`: those of other threads wait for half a millisecond from now. */
  readonly memoryBatches: (store: number, holdOff: boolean) => number
  readonly memoryDelete: (store: number, key: string) => boolean
  /** As `memoryDelete`, and drafts of the key stay. */
  readonly memoryDiscard: (store: number, key: string) => boolean
  readonly memoryClear: (store: number) => void
  /** Gives back what has lain idle; every few seconds. */
  readonly memoryMaintain: (store: number) => void
  readonly memoryTime: (store: number, now: number) => void
  /** Throws `ERR_DREY_CONFIG`, and has changed nothing then. */
  readonly memoryConfigure: (store: number, maxBytes: number, maxItemBytes: number, policy: string) => void
  /** One step of a bound that goes down; false, and nothing has changed, when it is not `from` any more. */
  readonly memoryLower: (store: number, from: number, to: number) => boolean
  /** The policy that decides, by name. */
  readonly memoryPolicy: (store: number) => string
  /** Has the store use `part` thousandths of its bound, and brings it up to `bytes` nearer to that by evicting; says whether it is there. */
  readonly memoryPress: (store: number, part: number, bytes: number) => boolean
  /** Writes the numbers that lib/store/memory/native-stats.ts names. */
  readonly memoryStats: (store: number, out: Float64Array) => void
  /** Writes `TAGS` of numbers.ts. */
  readonly memoryTags: (store: number, out: Float64Array) => void
  /** Of each floor that was changed after `version` four elements: tag, hard, soft, at. */
  readonly memoryTagsSince: (store: number, version: number) => Array<string | number>
  /** `tags` by line, with hard, soft, at of each. `fresh`: a new invalidation with a number above `sequence`; else what is known elsewhere. */
  readonly memoryTagsAdd: (
    store: number,
    tags: string,
    floors: Float64Array,
    sequence: number,
    fresh: boolean,
  ) => void
  readonly memoryListen: (store: number, on: boolean) => void
  /** [key, whether it had expired, key, ...] of what left to make room since the last call while somebody listened. */
  readonly memoryEvicted: (store: number) => Array<string | boolean> | undefined
  /**
   * From here on nothing that has not expired leaves to make room but by `memoryEvict`: calls that want more than there is
   * say that there is none, and are made again. Gives [key, weight, key, ...] of what is there, coldest first.
   */
  readonly memoryHost: (store: number) => Array<string | number>
  readonly memoryUnhost: (store: number) => void
  /** By how many bytes the store is beyond `maxBytes`, when all is given back that can be without evicting. */
  readonly memoryBeyond: (store: number, maxBytes: number) => number
  /** All that the entry takes, in bytes; 0 when there is none. */
  readonly memoryWeight: (store: number, key: string) => number
  /** Whether `memoryEvict` would. */
  readonly memoryEvictable: (store: number, key: string) => boolean
  /** False when there is no such entry, or it is being read. */
  readonly memoryEvict: (store: number, key: string) => boolean
  /** The entry is, to the policy, one that comes now: called for all in turn, it orders them. */
  readonly memoryRenew: (store: number, key: string) => void
  /** The place to go on at, shard and handle, then nine elements for each of up to `count` entries. */
  readonly memoryList: (store: number, shard: number, handle: number, count: number) => unknown[]
  /** The part of the arena number `index`, of SPAN_BYTES; undefined where the engine allows no such thing. */
  readonly memorySpan: (store: number, index: number) => ArrayBuffer | undefined
  readonly entryView: (store: number, entry: number, position: number) => void
  readonly entryRead: (entry: number, target: Uint8Array, position: number) => number
  readonly entryClose: (entry: number) => void
  /** A handle, or -1. */
  readonly draftBegin: (store: number, key: string, size: number | undefined) => number
  /** One of DRAFT. With `again`, the call will be made again when there is no room, at last without it. */
  readonly draftWrite: (draft: number, bytes: Uint8Array, again: boolean) => number
  /** One of DRAFT; metadata from the numbers. `again` as above: the draft stays open then. */
  readonly draftCommit: (
    draft: number,
    etag: string | undefined,
    user: string | undefined,
    again: boolean,
  ) => number
  /** [draft, etag, user, draft, ...], and five times of each: all are committed in one step, or none, which it says. */
  readonly draftCommitAll: (
    store: number,
    parts: ReadonlyArray<number | string | undefined>,
    times: Float64Array,
  ) => boolean
  readonly draftAbort: (draft: number) => void
  readonly draftView: (store: number, draft: number, position: number) => void
  readonly draftRead: (draft: number, target: Uint8Array, position: number) => number
  readonly draftSize: (draft: number) => number
  readonly draftClose: (draft: number) => void
  /** One of CLAIMED, and HANDLE. */
  readonly flightClaim: (store: number, key: string, seen: number, alone: boolean) => number
  readonly flightLead: (flight: number, token: number) => void
  readonly flightFollowers: (flight: number) => number
  readonly flightWanted: (flight: number) => boolean
  readonly flightFenced: (flight: number) => boolean
  /** A handle, or -1. */
  readonly flightDraft: (store: number, flight: number, size: number | undefined) => number
  readonly flightGrow: (flight: number, draft: number, note: string) => void
  readonly flightAtEnd: (flight: number, note: string) => void
  readonly flightSet: (
    store: number,
    flight: number,
    value: Uint8Array,
    etag: string | undefined,
    user: string | undefined,
  ) => number
  readonly flightRevise: (
    store: number,
    flight: number,
    version: number,
    etag: string | undefined,
    user: string | undefined,
  ) => number
  readonly flightEnd: (flight: number, note: string) => void
  readonly flightClose: (flight: number) => void
  /** From here on `token` gets news. */
  readonly flightFollow: (flight: number, token: number) => void
  /** One of FLIGHT; with `body`, HANDLE is a draft to read from, or -1. */
  readonly flightLook: (flight: number, body: boolean) => number
  /** The note of the flight that was looked at last. */
  readonly flightNote: () => string
  readonly flightLeave: (flight: number, token: number, wanted: boolean) => void

  // The file store. What waits for a disk is an operation: its number, or -1 when too many are under way and nothing was
  // begun. How it ended is told later: see file-numbers.ts. One that failed has to be asked for by `fileFailure`.

  /**
   * The array of numbers of this thread, and that of completions. `receive` is called with how many operations the latter
   * has, which ended. Once for a thread.
   */
  readonly fileAttach: (receive: (ended: number) => void) => [Float64Array, Float64Array]
  /** Opens a directory; `options` as FILE_OPTIONS has them. To be asked for by `fileOpened`. */
  readonly fileOpen: (dir: string, options: Float64Array) => number
  /** Writes STORE and what holds in it to the numbers. */
  readonly fileOpened: (operation: number) => void
  /** All that this thread has open of the store ends with it. */
  readonly fileClose: (store: number) => number
  /** [ERR_DREY_*, message, errno or 0]. Once. */
  readonly fileFailure: (operation: number) => [string, string, number]
  /** Writes what FILE_TUNING names: the options as they are now. */
  readonly fileTuning: (store: number, out: Float64Array) => void
  /** Changes them, all or none. An operation. */
  readonly fileTune: (store: number, numbers: Float64Array) => number
  /** Writes what FILE_STATS names. */
  readonly fileStats: (store: number, out: Float64Array) => void
  /** As `memoryTags`. */
  readonly fileTags: (store: number, out: Float64Array) => void
  readonly fileTagsSince: (store: number, version: number) => Array<string | number>
  /** As `memoryTagsAdd`, at once; an operation that ends when it is written. */
  readonly fileTagsAdd: (
    store: number,
    tags: string,
    floors: Float64Array,
    sequence: number,
    fresh: boolean,
  ) => number
  /** From here on it is so late, in epoch milliseconds, whatever the machine says. */
  readonly fileTime: (store: number, now: number) => void
  /** From here on keys that are dropped are remembered until `fileDropped`; an operation that ends whenever there are some, or -1. */
  readonly fileListen: (store: number, on: boolean) => number
  /** [key, one of DROPPED, key, ...]; undefined when it does not listen, or is to be asked again. */
  readonly fileDropped: (store: number) => Array<string | number> | undefined
  readonly fileClear: (store: number) => number
  /** Ends when all is written that was acknowledged before. */
  readonly fileFlush: (store: number) => number
  readonly fileCheckpoint: (store: number) => number
  /** First: whether there was one. */
  readonly fileDelete: (store: number, key: string) => number
  /** As `fileDelete`, and drafts of the key stay. */
  readonly fileDiscard: (store: number, key: string) => number
  /** One of WRITTEN; `gone` when the entry of that sequence is not the key's any more. */
  readonly fileRevise: (store: number, key: string, sequence: number, metadata: Uint8Array) => number
  /** What `fileFind` copies records to, from `used` on. Kept until the next such call. */
  readonly fileBlock: (block: Uint8Array, used: number) => void
  /** One of FOUND_FILE. Found: numbers of the entry, by places in the block. Wait and too small: NEEDED. */
  readonly fileFind: (store: number, key: string, peek: boolean) => number
  /** Whether the index has the key. */
  readonly fileKnows: (store: number, key: string) => boolean
  /** Ends with one of FOUND_FILE. Found: to be asked for by `fileTake`. Too small: first is what it needs, second whether there is a blob. */
  readonly fileFindLater: (store: number, key: string, peek: boolean, memory: Uint8Array) => number
  /** Writes the numbers of what was found, by places in the memory that was given; false when it is none after all. */
  readonly fileTake: (operation: number) => boolean
  /** Reads chunks from `chunk` on, at most `count`, as many as fit; ends with their codec, their bytes, their number. One that is compressed comes alone. */
  readonly blobRead: (blob: number, chunk: number, count: number, target: Uint8Array) => number
  readonly blobClose: (blob: number) => void
  /**
   * Puts a whole value into the log, as it is; `value` is copied. Metadata of times alone come as the numbers of a find, others encoded. It may wait for
   * `fileKick`, so that what is put in one turn is written at once. One of WRITTEN.
   */
  readonly filePut: (
    store: number,
    key: string,
    value: Uint8Array,
    metadata: Uint8Array | undefined,
  ) => number
  readonly fileKick: (store: number) => void
  readonly fileDraftBegin: (store: number, key: string) => number
  /**
   * Appends `count` chunks that lie in `data` one behind the other: raw length, stored length and codec of each in `table`.
   * With `metadata` it is committed then. One of WRITTEN; second is what the draft takes of the disk. `data` must not change meanwhile.
   */
  readonly fileDraftWrite: (
    draft: number,
    data: Uint8Array,
    table: Uint32Array,
    count: number,
    metadata: Uint8Array | undefined,
  ) => number
  /** The draft is not used any more; `abort` unless it was committed. */
  readonly fileDraftEnd: (draft: number, abort: boolean) => void
  /** Pairs: a draft and its metadata, or a key to be deleted and undefined. One of WRITTEN. */
  readonly fileCommitAll: (
    store: number,
    changes: ReadonlyArray<number | string | Uint8Array | undefined>,
  ) => number
  readonly fileScan: (store: number) => number
  /** To be asked for by `filePage`; second: whether there is more. One at a time. */
  readonly fileScanNext: (scan: number) => number
  /** [key, size, whether it is in doubt, metadata, key, ...] */
  readonly filePage: (operation: number) => Array<string | number | boolean | Buffer>
  readonly fileScanEnd: (scan: number) => void
}

/** What `memoryFind` says: nothing; a copy in the block; no room in the block; opened for reading; the same, to be copied and closed at once. */
export const FOUND = { miss: 0, copied: 1, blockFull: 2, opened: 3, mustCopy: 4 } as const
/** What `memorySet`, `memoryRevise`, `flightSet` and `flightRevise` say. */
export const STORED = { done: 0, noRoom: 1, tooLarge: 2, fenced: 3, gone: 4 } as const
/** What `draftWrite` and `draftCommit` say. */
export const DRAFT = { done: 0, noRoom: 1, tooLarge: 2, fenced: 3, ended: 4 } as const
/** What `flightClaim` says. */
export const CLAIMED = { look: 0, lead: 1, join: 2 } as const
/** What `flightLook` says. */
export const FLIGHT = { asking: 0, growing: 1, committed: 2, answered: 3, failed: 4, ownerGone: 5 } as const
/** Parts of the arena that `memorySpan` gives have so many bytes: 4 MiB. No view lies in two of them. */
export const SPAN_BYTES = 4 * 1024 * 1024

/** The functions among what it exports. */
export const ADDON_FUNCTIONS = [
  'crc32c',
  'crc32cBy',
  'hash128',
  'listenSocket',
  'fileFeatures',
  'readChecked',
  'slabGiveBack',
  'memoryNumbers',
  'memoryNews',
  'memoryOpen',
  'memoryClose',
  'memoryBlock',
  'memoryFind',
  'memorySet',
  'memoryRevise',
  'memoryBatches',
  'memoryDelete',
  'memoryDiscard',
  'memoryClear',
  'memoryMaintain',
  'memoryTime',
  'memoryConfigure',
  'memoryLower',
  'memoryPolicy',
  'memoryPress',
  'memoryStats',
  'memoryTags',
  'memoryTagsSince',
  'memoryTagsAdd',
  'memoryListen',
  'memoryEvicted',
  'memoryHost',
  'memoryUnhost',
  'memoryBeyond',
  'memoryWeight',
  'memoryEvictable',
  'memoryEvict',
  'memoryRenew',
  'memoryList',
  'memorySpan',
  'entryView',
  'entryRead',
  'entryClose',
  'draftBegin',
  'draftWrite',
  'draftCommit',
  'draftCommitAll',
  'draftAbort',
  'draftView',
  'draftRead',
  'draftSize',
  'draftClose',
  'flightClaim',
  'flightLead',
  'flightFollowers',
  'flightWanted',
  'flightFenced',
  'flightDraft',
  'flightGrow',
  'flightAtEnd',
  'flightSet',
  'flightRevise',
  'flightEnd',
  'flightClose',
  'flightFollow',
  'flightLook',
  'flightNote',
  'flightLeave',
  'fileAttach',
  'fileOpen',
  'fileOpened',
  'fileClose',
  'fileFailure',
  'fileTuning',
  'fileTune',
  'fileStats',
  'fileTags',
  'fileTagsSince',
  'fileTagsAdd',
  'fileTime',
  'fileListen',
  'fileDropped',
  'fileClear',
  'fileFlush',
  'fileCheckpoint',
  'fileDelete',
  'fileDiscard',
  'fileRevise',
  'fileBlock',
  'fileFind',
  'fileKnows',
  'fileFindLater',
  'fileTake',
  'blobRead',
  'blobClose',
  'filePut',
  'fileKick',
  'fileDraftBegin',
  'fileDraftWrite',
  'fileDraftEnd',
  'fileCommitAll',
  'fileScan',
  'fileScanNext',
  'filePage',
  'fileScanEnd',
] as const satisfies ReadonlyArray<keyof Addon>

/**
 * Why `exports`, loaded from some file, is no addon of this package in this version; `undefined` if it is one.
 * The functions are looked at too, because in a checkout the sources change more often than the version.
 */
export function whyNotAddon(exports: unknown, version: string): string | undefined {
  if (typeof exports !== 'object' || exports === null) return 'exports nothing that drey knows'
  const given: Partial<Record<keyof Addon, unknown>> = exports
  if (given.version !== version) return `is of version ${given.version}, the package is of version ${version}`
  const missing = ADDON_FUNCTIONS.filter((name) => typeof given[name] !== 'function')
  if (missing.length > 0 || !Array.isArray(given.crc32cImplementations)) {
    return `was built from older sources: it lacks ${missing.join(', ') || 'crc32cImplementations'}`
  }
  return undefined
}
