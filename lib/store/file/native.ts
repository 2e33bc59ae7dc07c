import { systemClock } from '../../clock.js'
import type { ChunkCodec } from '../../compression/index.js'
import { ClosedError, ConfigError, DreyError } from '../../errors.js'
import type { Addon } from '../../native/addon.js'
import {
  CACHED_AT,
  DROPPED,
  FILE_OPTIONS,
  FILE_TUNING,
  FOUND_FILE,
  FRESH_UNTIL,
  NEEDED,
  NEEDS_BLOB,
  NEGATIVE,
  STALE_IF_ERROR_UNTIL,
  STALE_UNTIL,
  STORE,
  STORE_CHUNK_BYTES,
  STORE_MAX_BYTES,
  STORE_MAX_ITEM,
  STORE_PACK_LIMIT,
  WRITTEN,
} from '../../native/file-numbers.js'
import { AT, changeOf, compressionChange, inTurns, together } from '../change.js'
import { NativeJournal } from '../native-journal.js'
import {
  IN_HAND,
  type Later,
  type Metadata,
  type StoreChange,
  type StoreContext,
  type StoredEntry,
  type StoreFacts,
  type TagJournal,
  type WholeValue,
} from '../store.js'
import { systemEnv } from './env.js'
import { failure, openFailure } from './failure.js'
import type { Change, FileStore, FileStoreStats, RecoverySummary } from './file-store.js'
import { decodeMetadata, encodeMetadata, inDoubt } from './format/metadata.js'
import type { BlobHost, BlobInfo } from './native/blob-entry.js'
import { type NativeDraftHost, NativeFileDraft } from './native/draft.js'
import type { NativeEntry } from './native/found.js'
import type { Ended } from './native/operations.js'
import { readBlob, readPacked } from './native/reading.js'
import { type NativeStats, NO_STATS, readStats, recoveryOf } from './native/stats.js'
import { type FileThread, fileThreadOf } from './native/thread.js'
import {
  DURABILITIES,
  FILE_POLICY_NAMES,
  type FileConfig,
  type FileStorePatch,
  fileChanges,
  fileFacts,
  patchFileConfig,
} from './options.js'
import { setAllOf } from './together.js'
import { tell } from './told.js'
import { type VolumeSeams, VolumeWatch } from './volume.js'

/** The native engine of `fileStore`. */
export function nativeFileStore(
  config: FileConfig,
  addon: Addon,
  seams: VolumeSeams = { env: systemEnv, clock: systemClock },
): FileStore {
  return new NativeFileStore(config, addon, seams)
}

/** The addon's index takes its memory in pieces of that size. */
const LEAST_INDEX = 4 * 1024 * 1024
/** How many times that it may be raised to while the store is open; native/file_store/disk_index.h has the same. */
const INDEX_REACH = 8
/** What the addon says of options, read and used at once. */
const tuned = new Float64Array(FILE_TUNING.length)
/** Keys that were acknowledged before they were written, until all is flushed. */
const MOST_UNWRITTEN = 1000

/**
 * A directory opened by the addon, which all threads of the process share that open it.
 *
 * Invariants: `#store` is a handle of the addon's from `open` until `close` began; no call of the addon names it, a draft or a
 * blob of it after that.
 */
class NativeFileStore implements FileStore, NativeDraftHost, BlobHost {
  readonly name = 'file'
  readonly outlives = true
  readonly journal: TagJournal
  #config: FileConfig
  readonly #addon: Addon
  readonly #volume: VolumeWatch
  readonly #drafts = new Set<NativeFileDraft>()
  /** How many have each blob open. */
  readonly #pinned = new Map<number, number>()
  /** What was acknowledged and may not be written yet: without durability. */
  readonly #unwritten = new Set<string>()
  /** Keys of batches that are being written, with what settles when the last of each is over. */
  readonly #together = new Map<string, Promise<unknown>>()
  #thread: FileThread | undefined
  #context: StoreContext | undefined
  #store = -1
  #listening = -1
  #recovery: RecoverySummary | undefined
  #last: NativeStats = NO_STATS
  #pinnedBytes = 0
  /** The cache's clock is not the machine's: the addon is told what time it is. */
  #toldTime = false
  /** Of drafts that are open and more than packed values, here or on the disk. */
  #draftBytes = 0
  #refusals = 0
  #roomRefusals = 0
  #limits = { maxBytes: 0, maxItemBytes: 0, packLimit: 0, chunkBytes: 0 }
  #kicking = false
  #indexReach = Number.POSITIVE_INFINITY
  readonly #turns = inTurns()
  #closing: Promise<void> | undefined
  #flushing: Promise<void> | undefined

  constructor(config: FileConfig, addon: Addon, seams: VolumeSeams) {
    this.#config = config
    this.#addon = addon
    this.#volume = new VolumeWatch(seams, config.dir, () => this.#config.minFree)
    const { maxBytes, maxItemBytes, packLimit, chunkBytes } = config
    this.#limits = { maxBytes, maxItemBytes, packLimit, chunkBytes }
    this.journal = this.#journal()
  }

  get maxItemBytes(): number {
    // Another thread may have configured the directory.
    if (!this.closed && this.#store !== -1) this.#readLimits()
    return this.#limits.maxItemBytes
  }

  get packLimit(): number {
    return this.#limits.packLimit
  }

  get chunkBytes(): number {
    return this.#limits.chunkBytes
  }

  get codec(): ChunkCodec {
    return this.#config.codec
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  get thread(): FileThread {
    if (this.#thread === undefined || this.#store === -1) throw new ClosedError('the file store is not open')
    return this.#thread
  }

  async open(context: StoreContext): Promise<void> {
    if (this.#context !== undefined) {
      throw new ConfigError('tiers: this file store belongs to a cache already; make one for each cache')
    }
    this.#context = context
    this.#toldTime = context.systemTime !== true
    const thread = fileThreadOf(this.#addon)
    const { dir } = this.#config
    try {
      await thread.operations.run(
        () => this.#addon.fileOpen(dir, optionsFor(this.#config)),
        ({ operation }) => {
          this.#addon.fileOpened(operation)
          const { numbers } = thread
          this.#store = numbers[STORE]!
          // Who opened it first said what holds.
          this.#limits = {
            maxBytes: numbers[STORE_MAX_BYTES]!,
            maxItemBytes: numbers[STORE_MAX_ITEM]!,
            packLimit: numbers[STORE_PACK_LIMIT]!,
            chunkBytes: numbers[STORE_CHUNK_BYTES]!,
          }
        },
      )
    } catch (error) {
      throw openError(error, dir)
    }
    this.#thread = thread
    // What was asked for first, by whichever thread, is not known here: what is asked for now is no more.
    this.#indexReach = INDEX_REACH * this.#readTuning().maxIndexBytes
    this.#tellTime()
    this.#listen()
    const stats = this.#readStats()
    this.#recovery = recoveryOf(stats)
    await this.#volume.look()
    tell(this.#config, this.#recovery, stats.bytes)
  }

  find(key: string, peek = false): Later<StoredEntry | undefined> {
    if (this.closed) return undefined
    if (this.#together.size > 0) {
      // The addon enters them one by one: who finds the first must find the others, too.
      const entered = this.#together.get(key)
      if (entered !== undefined) return entered.then(() => this.find(key, peek))
    }
    if (this.#unwritten.has(key)) return this.#flush().then(() => this.#find(key, peek))
    return this.#find(key, peek)
  }

  knows(key: string): boolean {
    return !this.closed && this.#addon.fileKnows(this.#store, key)
  }

  draft(key: string, size: number | undefined, user?: unknown): NativeFileDraft | undefined {
    if (this.closed) return undefined
    if (size !== undefined && size > IN_HAND) this.#readLimits()
    const { maxBytes, maxItemBytes } = this.#limits
    const room = maxBytes - this.#pinnedBytes - 2 * this.#config.segmentBytes
    if (size !== undefined && (size > maxItemBytes || size > room)) {
      this.onRefusal(size > maxItemBytes ? 'size' : 'room')
      return undefined
    }
    this.#tellTime()
    const handle = this.thread.addon.fileDraftBegin(this.#store, key)
    const draft = new NativeFileDraft(this, key, handle, user)
    this.#drafts.add(draft)
    return draft
  }

  setLater(key: string, bytes: Uint8Array, metadata: Metadata): Promise<boolean> {
    if (this.codec.compressor !== undefined) return this.#setDraft(key, bytes, metadata)
    if (bytes.length > this.#limits.packLimit) return this.#setBlob(key, bytes, metadata)
    return this.#setPacked(key, bytes, metadata)
  }

  /** A record of the log, in one call. */
  #setPacked(key: string, bytes: Uint8Array, metadata: Metadata): Promise<boolean> {
    if (this.closed) return Promise.resolve(false)
    const encoded = isTimes(metadata) ? undefined : encodeMetadata(metadata)
    const sound = metadata.size === bytes.length && (encoded !== undefined || isTimes(metadata))
    if (!sound || (bytes.length > this.#limits.maxItemBytes && bytes.length > this.maxItemBytes)) {
      this.onRefusal('size')
      return Promise.resolve(false)
    }
    const { addon, numbers, operations } = this.thread
    // What has to wait for its turn is taken now all the same.
    const value = operations.full ? Buffer.from(bytes) : bytes
    const start = (): number => {
      if (encoded === undefined) {
        numbers[CACHED_AT] = metadata.cachedAt
        numbers[FRESH_UNTIL] = metadata.freshUntil
        numbers[STALE_UNTIL] = metadata.staleUntil
        numbers[STALE_IF_ERROR_UNTIL] = metadata.staleIfErrorUntil
        numbers[NEGATIVE] = metadata.negative ? 1 : 0
      }
      if (!this.#kicking) {
        this.#kicking = true
        process.nextTick(this.#kick)
      }
      return addon.filePut(this.#store, key, value, encoded)
    }
    return this.#run(start, ({ outcome, early }) => {
      if (outcome !== WRITTEN.done) return false
      this.onCommit(key, early)
      return true
    })
  }

  /** A file of its own and the record that says so, in one call. */
  #setBlob(key: string, bytes: Uint8Array, metadata: Metadata): Promise<boolean> {
    const draft = this.draft(key, bytes.length)
    if (draft === undefined) return Promise.resolve(false)
    return draft.commitWhole(bytes.length <= IN_HAND ? Buffer.from(bytes) : bytes, metadata)
  }

  async #setDraft(key: string, bytes: Uint8Array, metadata: Metadata): Promise<boolean> {
    const draft = this.draft(key, bytes.length, metadata.user)
    if (draft === undefined) return false
    const taken = draft.write(bytes.length <= IN_HAND ? Buffer.from(bytes) : bytes)
    if (taken === true || (await taken)) return draft.commit(metadata)
    draft.abort()
    return false
  }

  /** All that was put in this turn is written together. */
  readonly #kick = (): void => {
    this.#kicking = false
    if (!this.closed) this.#addon.fileKick(this.#store)
  }

  async revise(key: string, entry: StoredEntry, metadata: Metadata): Promise<boolean> {
    const { sequence } = entry as NativeEntry
    if (this.closed || sequence === undefined || metadata.size !== entry.metadata.size) return false
    const bytes = encodeMetadata(metadata)
    if (bytes === undefined) return false
    const outcome = await this.#write('writing metadata', () =>
      this.#addon.fileRevise(this.#store, key, sequence, bytes),
    )
    if (outcome.outcome === WRITTEN.done) this.onCommit(key, outcome.early)
    return outcome.outcome === WRITTEN.done
  }

  delete(key: string): Promise<boolean> {
    return this.#remove(() => this.#addon.fileDelete(this.#store, key))
  }

  discard(key: string): Promise<boolean> {
    return this.#remove(() => this.#addon.fileDiscard(this.#store, key))
  }

  async #remove(begin: () => number): Promise<boolean> {
    if (this.closed) throw new ClosedError('the file store is closed')
    const { outcome, first } = await this.#write('writing a delete', begin)
    if (outcome !== WRITTEN.done) throw failure(noRoom(), this.#config.dir, 'writing a delete')
    return first === 1
  }

  async clear(): Promise<void> {
    if (this.closed) throw new ClosedError('the file store is closed')
    const what = 'writing that all is removed'
    const { outcome } = await this.#write(what, () => this.#addon.fileClear(this.#store))
    if (outcome !== WRITTEN.done) throw failure(noRoom(), this.#config.dir, what)
  }

  async *entries(): AsyncGenerator<readonly [string, Metadata], void, undefined> {
    if (this.closed) return
    await this.#flush()
    const scan = this.thread.addon.fileScan(this.#store)
    try {
      for (let more = true; more; ) {
        const page = await this.#run(
          () => this.#addon.fileScanNext(scan),
          ({ operation, second }) => {
            more = second === 1
            return this.#addon.filePage(operation)
          },
        )
        for (let at = 0; at < page.length; at += 4) {
          const found = listed(page, at)
          if (found !== undefined) yield found
        }
      }
    } finally {
      if (!this.closed) this.#addon.fileScanEnd(scan)
    }
  }

  stats(): FileStoreStats {
    const open = !this.closed && this.#store !== -1
    const stats = open ? this.#readStats() : this.#last
    const { maxItemBytes } = this
    const maxBytes = open ? stats.maxBytes : this.#limits.maxBytes
    return {
      entries: open ? stats.entries : 0,
      bytes: stats.bytes,
      pinnedBytes: open ? Math.min(this.#pinnedBytes, stats.bytes) : 0,
      maxBytes,
      maxItemBytes,
      evictions: stats.evictions,
      expirations: stats.expirations,
      policyFaults: 0,
      policy: open ? this.#now().policy : this.#config.policy,
      refusals: stats.refusals + this.#refusals,
      roomRefusals: stats.roomRefusals + this.#roomRefusals,
      ...(open ? this.#volume.stats() : {}),
      segments: open ? stats.segments : 0,
      blobs: open ? stats.blobs : 0,
      indexBytes: open ? stats.indexBytes : 0,
      corrupt: stats.corrupt,
      diskErrors: stats.diskErrors,
      reclaimed: stats.reclaimed,
      givenBytes: stats.givenBytes,
      writtenBytes: stats.writtenBytes,
      writeAmplification: stats.givenBytes === 0 ? 0 : stats.writtenBytes / stats.givenBytes,
      recovery: this.#recovery,
      ...(this.codec.compressor === undefined ? {} : { compression: this.codec.stats() }),
    }
  }

  facts(): StoreFacts {
    return fileFacts(this.closed ? this.#config : this.#now(), true)
  }

  async commitAll(changes: readonly Change[]): Promise<boolean> {
    const drafts = changes.flatMap((change) => ('draft' in change ? [change.draft as NativeFileDraft] : []))
    let outcome: number = WRITTEN.gone
    let early = false
    try {
      const given: Array<number | string | Uint8Array | undefined> = []
      for (const change of changes) {
        if ('draft' in change) {
          const draft = change.draft as NativeFileDraft
          const metadata = await draft.prepare(change.metadata)
          if (metadata === undefined) return false
          given.push(draft.handle, metadata)
        } else {
          given.push(change.key, undefined)
        }
      }
      if (this.closed) return false
      const written = this.#write('writing a batch', () => this.#addon.fileCommitAll(this.#store, given))
      this.#hide(changes, written)
      const ended = await written
      outcome = ended.outcome
      early = ended.early
      return outcome === WRITTEN.done
    } finally {
      for (const draft of drafts) draft.settle(outcome, early)
    }
  }

  configure(patch: FileStorePatch): StoreChange {
    if (this.closed) throw new ClosedError('the file store is closed')
    const read = (): { from: FileConfig; to: FileConfig } => {
      const from = this.#now()
      const { compression: _, ...rest } = patch
      const to = patchFileConfig(from, rest)
      if (!to.maxIndexFollows) return { from, to }
      return { from, to: { ...to, maxIndexBytes: Math.min(to.maxIndexBytes, this.#indexReach) } }
    }
    const { from, to } = read()
    if (to.maxIndexBytes > this.#indexReach) {
      throw new ConfigError(
        `${AT}.maxIndexBytes: got ${to.maxIndexBytes}; want at most ${this.#indexReach} bytes, for which addresses were taken when the directory was opened: open it anew for more`,
      )
    }
    const made = changeOf(fileChanges(from, to), read, (config) => this.#become(config))
    return this.#turns(together([compressionChange(this.codec, patch.compression), made]))
  }

  setAll(values: readonly WholeValue[]): Promise<boolean> {
    const { segmentBytes } = this.#config
    return setAllOf(this, values, { segmentBytes, packLimit: this.#limits.packLimit })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  pin({ sequence, charge }: BlobInfo): void {
    const open = this.#pinned.get(sequence) ?? 0
    this.#pinned.set(sequence, open + 1)
    if (open === 0) this.#pinnedBytes += charge
  }

  unpin({ sequence, charge }: BlobInfo): void {
    const open = this.#pinned.get(sequence)! - 1
    if (open > 0) {
      this.#pinned.set(sequence, open)
      return
    }
    this.#pinned.delete(sequence)
    this.#pinnedBytes -= charge
  }

  enter(bytes: number): boolean {
    const { maxBytes } = this.#limits
    if (this.#draftBytes + bytes > maxBytes - 2 * this.#config.segmentBytes) return false
    this.#draftBytes += bytes
    return true
  }

  leave(bytes: number): void {
    this.#draftBytes -= bytes
  }

  pinDraft(bytes: number): void {
    this.#pinnedBytes += bytes
  }

  onRefusal(why: 'room' | 'size'): void {
    this.#refusals += 1
    if (why === 'room') this.#roomRefusals += 1
  }

  onCommit(key: string, early: boolean): void {
    if (!early) return
    this.#unwritten.add(key)
    // Told nobody: who looks for one of them waits for it.
    if (this.#unwritten.size > MOST_UNWRITTEN) this.#flush().catch(() => undefined)
  }

  onEnd(draft: NativeFileDraft): void {
    this.#drafts.delete(draft)
  }

  /** Has who looks for one of the keys of a batch wait for the end of it. */
  #hide(changes: readonly Change[], written: Promise<Ended>): void {
    const over = (): void => {
      for (const { key } of changes) if (this.#together.get(key) === entered) this.#together.delete(key)
    }
    // What it rejects with is told to who asked for it.
    const entered: Promise<void> = written.then(over, over)
    for (const { key } of changes) this.#together.set(key, entered)
  }

  #find(key: string, peek: boolean): Later<StoredEntry | undefined> {
    if (this.closed) return undefined
    this.#tellTime()
    const { addon, numbers, block } = this.thread
    let found = addon.fileFind(this.#store, key, peek)
    while (found === FOUND_FILE.tooSmall) {
      block.makeRoom(numbers[NEEDED]!)
      found = addon.fileFind(this.#store, key, true)
    }
    if (found === FOUND_FILE.found) {
      const entry = readPacked(this.codec, numbers, block.bytes)
      block.settle()
      return entry
    }
    block.settle()
    if (found === FOUND_FILE.miss) return undefined
    return this.#findLater(key, peek, numbers[NEEDED]!, numbers[NEEDS_BLOB] === 1)
  }

  async #findLater(
    key: string,
    peek: boolean,
    needed: number,
    blob: boolean,
  ): Promise<StoredEntry | undefined> {
    // The first chunks of a blob come with it; small ones whole.
    const memory = Buffer.allocUnsafeSlow(needed + (blob ? Math.max(IN_HAND, this.chunkBytes) : 0))
    let again: readonly [number, boolean] | undefined
    const entry = await this.#run(
      () => this.#addon.fileFindLater(this.#store, key, peek, memory),
      ({ outcome, operation, first, second }) => {
        if (outcome === FOUND_FILE.tooSmall) again = [first, second === 1]
        if (outcome !== FOUND_FILE.found || !this.#addon.fileTake(operation)) return undefined
        return this.#entryOf(key, memory)
      },
    )
    return again === undefined ? entry : this.#findLater(key, peek, ...again)
  }

  #entryOf(key: string, memory: Buffer): Later<StoredEntry | undefined> {
    const { numbers } = this.thread
    return readBlob(this, key, numbers, memory) ?? readPacked(this.codec, numbers, memory)
  }

  /** What holds now: another thread may have opened or configured the directory otherwise. */
  #now(): FileConfig {
    if (this.#store === -1) return this.#config
    const { minFreeBytes, minFreeShare, durability, policy, readThreads, ...sizes } = this.#readTuning()
    return {
      ...this.#config,
      ...sizes,
      minFree: minFreeShare > 0 ? minFreeShare : minFreeBytes,
      durability: DURABILITIES[durability]!,
      policy: FILE_POLICY_NAMES[policy]!,
      readConcurrency: readThreads,
    }
  }

  async #become(config: FileConfig): Promise<void> {
    if (this.#store !== -1) {
      const given = numbersOf(config)
      const tuning = Float64Array.from(FILE_TUNING, (name) => given[name])
      await this.#write('changing its options', () => this.#addon.fileTune(this.#store, tuning))
    }
    this.#config = config
    if (this.#store !== -1) this.#readLimits()
    else this.#limits = { ...this.#limits, maxBytes: config.maxBytes, maxItemBytes: config.maxItemBytes }
  }

  #readTuning(): Readonly<Record<(typeof FILE_TUNING)[number], number>> {
    this.#addon.fileTuning(this.#store, tuned)
    return Object.fromEntries(FILE_TUNING.map((name, at) => [name, tuned[at]!])) as Record<
      (typeof FILE_TUNING)[number],
      number
    >
  }

  #readLimits(): void {
    this.#addon.fileTuning(this.#store, tuned)
    const [maxBytes, , maxItemBytes] = tuned as unknown as readonly [number, number, number]
    if (maxBytes === this.#limits.maxBytes && maxItemBytes === this.#limits.maxItemBytes) return
    this.#limits = { ...this.#limits, maxBytes, maxItemBytes }
  }

  #run<T>(start: () => number, settle: (ended: Ended) => T): Promise<Awaited<T>> {
    const guarded = (): number => {
      // It may have had to wait.
      if (this.closed) throw new ClosedError('the file store is closed')
      this.#tellTime()
      return start()
    }
    return this.thread.operations.run(guarded, settle) as Promise<Awaited<T>>
  }

  async #write(what: string, start: () => number): Promise<Ended> {
    try {
      return await this.#run(start, (ended) => ended)
    } catch (error) {
      throw this.failure(error, what)
    }
  }

  failure(error: unknown, what = 'writing'): unknown {
    return failure(error, this.#config.dir, what)
  }

  /** Waits until what was acknowledged is written. */
  #flush(): Promise<void> {
    if (this.#unwritten.size === 0 && this.#flushing === undefined) return Promise.resolve()
    if (this.#flushing !== undefined) return this.#flushing.then(() => this.#flush())
    const written = [...this.#unwritten]
    this.#unwritten.clear()
    const flushing = this.#run(
      () => this.#addon.fileFlush(this.#store),
      () => undefined,
    ).finally(() => {
      this.#flushing = undefined
    })
    // Until it has ended, they are not written.
    for (const key of written) this.#unwritten.add(key)
    this.#flushing = flushing.then(() => {
      for (const key of written) this.#unwritten.delete(key)
    })
    return this.#flushing
  }

  #journal(): TagJournal {
    const addon = this.#addon
    const open = (): boolean => !this.closed && this.#store !== -1
    return new NativeJournal({
      numbers: (out) => {
        if (open()) addon.fileTags(this.#store, out)
      },
      since: (version) => (open() ? addon.fileTagsSince(this.#store, version) : []),
      add: async (tags, floors, sequence, fresh) => {
        const add = (): number => addon.fileTagsAdd(this.#store, tags, floors, sequence, fresh)
        await this.#write('writing what was invalidated by tag', add)
      },
    })
  }

  #readStats(): NativeStats {
    this.#last = readStats(this.thread.addon, this.#store)
    return this.#last
  }

  #tellTime(): void {
    if (this.#toldTime) this.#addon.fileTime(this.#store, this.#context!.now())
  }

  #listen(): void {
    const { addon, operations } = this.thread
    this.#listening = addon.fileListen(this.#store, true)
    if (this.#listening !== -1) operations.stand(this.#listening, () => this.#hear())
  }

  /** Tells the cache which keys were dropped. */
  #hear(): void {
    if (this.closed) return
    const context = this.#context!
    const dropped = this.#addon.fileDropped(this.#store) ?? []
    const evictions = context.hearsEvictions()
    for (let at = 0; at < dropped.length; at += 2) {
      const key = dropped[at] as string
      const why = dropped[at + 1]
      if (why === DROPPED.corrupt) context.onCorrupt?.(key)
      else if (evictions) context.onEvict(key, why === DROPPED.expired ? 'expired' : 'size')
    }
  }

  async #close(): Promise<void> {
    if (this.#thread === undefined) return
    const { operations, addon } = this.#thread
    this.#readStats()
    const store = this.#store
    if (this.#listening !== -1) operations.unstand(this.#listening)
    // Other threads may have the directory open: this close is none of it, and what was put would wait.
    addon.fileKick(store)
    for (const draft of [...this.#drafts]) draft.cut()
    await operations.run(
      () => addon.fileClose(store),
      () => undefined,
    )
  }
}

/** Whether the addon can be told them as numbers. */
function isTimes(metadata: Metadata): boolean {
  const { etag, user, tags, cachedAt, freshUntil, staleUntil, staleIfErrorUntil } = metadata
  if (etag !== undefined || user !== undefined || tags.length > 0) return false
  // NaN is none of them.
  return cachedAt + freshUntil + staleUntil + staleIfErrorUntil > 0
}

/** What the addon takes of options. */
function numbersOf(
  config: FileConfig,
): Record<(typeof FILE_OPTIONS)[number] | (typeof FILE_TUNING)[number], number> {
  return {
    maxBytes: config.maxBytes,
    maxIndexBytes: Math.max(config.maxIndexBytes, LEAST_INDEX),
    maxItemBytes: config.maxItemBytes,
    segmentBytes: config.segmentBytes,
    packLimit: config.packLimit,
    chunkPower: Math.log2(config.chunkBytes),
    minFreeBytes: config.minFree < 1 ? 0 : config.minFree,
    minFreeShare: config.minFree < 1 ? config.minFree : 0,
    partitions: config.partitions,
    durability: DURABILITIES.indexOf(config.durability),
    openFiles: config.openFiles,
    readThreads: config.readConcurrency,
    policy: FILE_POLICY_NAMES.indexOf(config.policy),
    reclaimRate: config.reclaimRate,
  }
}

function optionsFor(config: FileConfig): Float64Array {
  const given = numbersOf(config)
  return Float64Array.from(FILE_OPTIONS, (name) => given[name])
}

/** What the system says of the place is about the option that names it. */
function openError(error: unknown, dir: string): unknown {
  const system = error instanceof DreyError && error.code === 'ERR_DREY_IO' ? error.cause : undefined
  return system === undefined ? error : openFailure(system, dir, 'opening the directory')
}

function listed(
  page: ReadonlyArray<string | number | boolean | Buffer>,
  at: number,
): readonly [string, Metadata] | undefined {
  const stored = decodeMetadata(page[at + 3] as Buffer, page[at + 1] as number)
  if (stored === undefined) return undefined
  const { metadata } = stored
  const doubt = page[at + 2] as boolean
  return [page[at] as string, doubt ? inDoubt(metadata) : metadata]
}

function noRoom(): Error {
  return Object.assign(new Error('there is no room'), { code: 'ENOSPC' })
}
