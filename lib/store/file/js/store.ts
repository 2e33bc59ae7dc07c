import { type Clock, systemClock } from '../../../clock.js'
import type { ContentHint } from '../../../compression/index.js'
import { ClosedError, ConfigError } from '../../../errors.js'
import { changeOf, compressionChange, inTurns, together } from '../../change.js'
import { usefulUntil } from '../../metadata.js'
import type {
  Draft,
  Later,
  Metadata,
  StoreChange,
  StoreContext,
  StoredEntry,
  StoreFacts,
  TagJournal,
  WholeValue,
} from '../../store.js'
import { codeOf, type Env, systemEnv } from '../env.js'
import { failure } from '../failure.js'
import type { Change, FileStore, FileStoreStats } from '../file-store.js'
import { imageBytes } from '../format/image.js'
import { encodeMetadata } from '../format/metadata.js'
import { KIND } from '../format/record.js'
import { type FileConfig, type FileStorePatch, fileChanges, fileFacts, patchFileConfig } from '../options.js'
import { allotment, UNIT } from '../space.js'
import { setAllOf } from '../together.js'
import { VolumeWatch } from '../volume.js'
import { type Append, bare, type Outcome } from './append.js'
import type { ReaderHost } from './blob-reader.js'
import { BlobWriter } from './blob-writer.js'
import { type Core, expiryOf, identityOf, type KeyId, keyIdOf, newTally, type Tally } from './core.js'
import { type DraftHost, FileDraft, type Prepared } from './draft.js'
import { journalOf } from './journal.js'
import { ReadLane } from './lane.js'
import { type Opened, openDirectoryStore } from './open.js'
import { takeTurns, turnPolicy } from './policy.js'
import { type OpenedEntry, openEntry } from './reader.js'
import { deletion } from './reclaim.js'
import { scan } from './scan.js'
import { type IndexEntry, NEVER } from './table.js'

/** What a test may replace. */
export interface FileSeams {
  readonly env: Env
  readonly clock: Clock
  /** How long `close` lets things finish, in milliseconds. */
  readonly closeWithin: number
}

export const systemSeams: FileSeams = { env: systemEnv, clock: systemClock, closeWithin: 10_000 }

/** Changes of one identity that are on their way to the log. */
interface Pending {
  /** Asked for, and not settled. */
  count: number
  /** Of those, puts that nothing has taken back. */
  puts: number
  /** The order of the last delete. */
  deletedAt: number
}

/** A find that meets changes looks again, so many times. */
const LOOKS = 8

/**
 * The js engine of `fileStore`.
 *
 * Order: changes are numbered as they are asked for, and go to the writer in that order. A delete takes its entry out of the
 * index at once; a put that was asked for before it, and is written after that, does not enter (D3). Invariant: `#pending` has
 * an identity exactly while changes of it are not settled.
 */
export class JsFileStore implements FileStore, DraftHost, ReaderHost {
  readonly name = 'file'
  readonly outlives = true
  readonly journal: TagJournal
  readonly lane: ReadLane
  #config: FileConfig
  readonly #seams: FileSeams
  readonly #tally: Tally = newTally()
  readonly #volume: VolumeWatch
  readonly #pending = new Map<string, Pending>()
  readonly #drafts = new Map<string, Set<FileDraft>>()
  /** Deletes that could not be written: to be written when they are asked for again. */
  readonly #unwritten = new Set<string>()
  /** Work that `close` waits for. */
  readonly #background = new Set<Promise<unknown>>()
  #context: StoreContext | undefined
  #opened: Opened | undefined
  #order = 0
  #clearedAt = 0
  #closing: Promise<void> | undefined
  #closed = false
  #imagedBytes = 0
  #imaging = false
  /** The durability is 'none', or was: what was acknowledged may not be written yet. */
  #early: boolean
  /** It was another once: what was written then may not be synced. */
  #retuned = false
  readonly #turns = inTurns()

  constructor(config: FileConfig, seams: FileSeams) {
    this.#config = config
    this.#early = config.durability === 'none'
    this.#seams = seams
    this.#volume = new VolumeWatch(seams, config.dir, () => this.#config.minFree)
    this.lane = new ReadLane(config.readConcurrency)
    this.journal = journalOf(
      () => this.#opened?.tags,
      () => this.closed,
    )
  }

  get maxItemBytes(): number {
    return this.#config.maxItemBytes
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  get core(): Core {
    return this.#open.core
  }

  get blobs(): Opened['blobs'] {
    return this.#open.blobs
  }

  async open(context: StoreContext): Promise<void> {
    if (this.#context !== undefined) {
      throw new ConfigError('tiers: this file store belongs to a cache already; make one for each cache')
    }
    this.#context = context
    this.#opened = await openDirectoryStore(this.#config, this.#seams, this.#tally, context)
    await this.#volume.look()
    for (const entry of this.#opened.lost) this.#track(this.#bury(entry))
  }

  find(key: string, peek = false): Later<StoredEntry | undefined> {
    if (this.closed) return undefined
    const id = this.#idOf(key)
    if (this.#early && (this.#pending.get(identityOf(id))?.puts ?? 0) > 0) {
      return this.#open.writer.flush().then(() => this.#find(key, id, peek))
    }
    return this.core.index.has(id.lo, id.hi) ? this.#find(key, id, peek) : undefined
  }

  knows(key: string): boolean {
    const id = this.#idOf(key)
    return this.core.index.has(id.lo, id.hi)
  }

  draft(key: string, size: number | undefined, user?: unknown): Draft | undefined {
    if (this.closed) return undefined
    const { ledger, config } = this.core
    const room = config.maxBytes - ledger.pinned - 2 * config.segmentBytes
    if (size !== undefined && (size > this.maxItemBytes || size > room)) {
      this.onRefusal(size > this.maxItemBytes ? 'size' : 'room')
      return undefined
    }
    const id = this.#idOf(key)
    const draft = new FileDraft(this, id, size, user)
    const identity = identityOf(id)
    const there = this.#drafts.get(identity)
    if (there === undefined) this.#drafts.set(identity, new Set([draft]))
    else there.add(draft)
    return draft
  }

  async revise(key: string, entry: StoredEntry, metadata: Metadata): Promise<boolean> {
    const opened = entry as OpenedEntry
    if (this.closed || typeof opened.reviseWith !== 'function' || metadata.size !== entry.metadata.size)
      return false
    const id = this.#idOf(key)
    const isCurrent = (): boolean => this.core.index.get(id.lo, id.hi)?.sequence === opened.sequence
    if (!isCurrent()) return false
    const bytes = encodeMetadata(metadata)
    if (bytes === undefined) return false
    await this.#open.reclaimer.admit()
    const outcome = await this.#change(id, {
      parts: opened.reviseWith(bytes),
      wanted: (changed) => isCurrent() && !changed.has(id.lo),
      metadata,
      blobUnits: opened.blobUnits,
      replaces: opened.sequence,
    })
    return outcome === 'done'
  }

  async delete(key: string): Promise<boolean> {
    if (this.closed) throw new ClosedError('the file store is closed')
    const id = this.#idOf(key)
    for (const draft of this.#drafts.get(identityOf(id)) ?? []) draft.fence()
    return this.#delete(id)
  }

  async discard(key: string): Promise<boolean> {
    if (this.closed) throw new ClosedError('the file store is closed')
    return this.#delete(this.#idOf(key))
  }

  async clear(): Promise<void> {
    if (this.closed) throw new ClosedError('the file store is closed')
    const { index } = this.core
    for (const drafts of this.#drafts.values()) for (const draft of drafts) draft.fence()
    this.#order += 1
    this.#clearedAt = this.#order
    for (const pending of this.#pending.values()) pending.puts = 0
    index.removeIf(() => true)
    this.#unwritten.clear()
    const append: Append = {
      parts: bare(KIND.clear),
      apply: (place) => this.#track(this.#open.reclaimer.cleared(place)),
    }
    const outcome = await this.#append([append])
    if (outcome !== 'done') throw failure(noRoom(), this.#config.dir, 'writing that all is removed')
  }

  async *entries(): AsyncGenerator<readonly [string, Metadata], void, undefined> {
    if (this.#early) await this.#open.writer.flush()
    yield* scan(this)
  }

  stats(): FileStoreStats {
    const core = this.#opened?.core
    const { maxBytes } = core?.ledger ?? this.#config
    const open = core !== undefined && !this.#closed
    const { evictions, expirations, refusals, roomRefusals, corrupt, diskErrors, reclaimed } = this.#tally
    const { givenBytes, writtenBytes } = this.#tally
    return {
      entries: open ? core.index.size : 0,
      bytes: core?.ledger.total ?? 0,
      pinnedBytes: open ? core.ledger.pinned : 0,
      maxBytes,
      maxItemBytes: this.maxItemBytes,
      evictions,
      expirations,
      policyFaults: 0,
      policy: this.#config.policy,
      refusals,
      roomRefusals,
      ...(open ? this.#volume.stats() : {}),
      segments: open ? core.segments.size : 0,
      blobs: open ? core.segments.blobs : 0,
      indexBytes: open ? core.index.bytes : 0,
      corrupt,
      diskErrors,
      reclaimed,
      givenBytes,
      writtenBytes,
      writeAmplification: givenBytes === 0 ? 0 : writtenBytes / givenBytes,
      recovery: this.#opened?.summary,
      ...(this.#config.codec.compressor === undefined ? {} : { compression: this.#config.codec.stats() }),
    }
  }

  facts(): StoreFacts {
    return fileFacts(this.#config, false)
  }

  configure(patch: FileStorePatch): StoreChange {
    if (this.closed) throw new ClosedError('the file store is closed')
    const { compression, ...rest } = patch
    const read = (): { from: FileConfig; to: FileConfig } => {
      const from = this.#config
      return { from, to: patchFileConfig(from, rest) }
    }
    const { from, to } = read()
    const made = changeOf(fileChanges(from, to), read, (config) => this.#become(config))
    return this.#turns(together([compressionChange(from.codec, compression), made]))
  }

  async #become(config: FileConfig): Promise<void> {
    if (this.closed) throw new ClosedError('the file store is closed')
    const opened = this.#opened
    if (opened !== undefined && config.durability !== this.#config.durability) {
      try {
        await this.#setDurability(opened, config)
      } catch (error) {
        throw failure(error, config.dir, 'syncing what was written')
      }
    }
    this.#early ||= config.durability === 'none'
    const before = this.#config
    this.#config = config
    this.lane.setLimit(config.readConcurrency)
    if (opened === undefined) return
    const { core, reclaimer } = opened
    core.config = config
    core.ledger.setGoal(config.maxBytes)
    core.files.setLimit(config.openFiles)
    core.free.setMinFree(config.minFree)
    if (config.reclaimRate !== before.reclaimRate) reclaimer.setRate(config.reclaimRate)
    if (config.policy !== before.policy) {
      const next = turnPolicy(config.policy, () => core.index.size)
      takeTurns(core.policy, next, core.index)
      core.policy = next
    }
    reclaimer.nudge()
  }

  /** What is written from here on says so in a segment of its own. */
  async #setDurability({ core, writer, tags }: Opened, { durability }: FileConfig): Promise<void> {
    const power = durability === 'power'
    // What is acknowledged early while this is under way is looked for as such.
    this.#early ||= durability === 'none'
    this.#retuned = true
    await writer.retune(power, () => {
      this.#config = { ...this.#config, durability }
      core.config = { ...core.config, durability }
    })
    if (power) await tags.sync()
  }

  async commitAll(changes: readonly Change[]): Promise<boolean> {
    const prepared: Array<{ readonly draft: FileDraft; readonly prepared: Prepared }> = []
    const giveUp = (): false => {
      for (const change of changes) if ('draft' in change) change.draft.abort()
      for (const { draft } of prepared) draft.settle(false)
      return false
    }
    if (this.closed) return giveUp()
    try {
      for (const change of changes) {
        if (!('draft' in change)) continue
        const draft = change.draft as FileDraft
        const one = await draft.prepare(change.metadata)
        if (one === undefined) return giveUp()
        prepared.push({ draft, prepared: one })
      }
      await this.#open.reclaimer.admit()
      return (await this.#commitBatch(changes, prepared)) || giveUp()
    } catch (error) {
      giveUp()
      throw this.failure(error)
    }
  }

  setAll(values: readonly WholeValue[]): Promise<boolean> {
    return setAllOf(this, values, this.#config)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  newBlob(id: KeyId, hint: ContentHint): BlobWriter {
    return new BlobWriter(this.core, this.blobs, this.#open.reclaimer, id, hint)
  }

  async commit(draft: FileDraft, prepared: Prepared): Promise<boolean> {
    await this.#open.reclaimer.admit()
    if (draft.fenced || this.closed) return false
    const outcome = await this.#change(prepared.id, this.#putOf(prepared))
    if (outcome === 'no-room') this.onRefusal('room')
    return outcome === 'done'
  }

  onEnd(draft: FileDraft): void {
    const identity = identityOf(draft.id)
    const there = this.#drafts.get(identity)
    if (there?.delete(draft) && there.size === 0) this.#drafts.delete(identity)
  }

  onRefusal(why: 'room' | 'size'): void {
    this.#tally.refusals += 1
    if (why === 'room') this.#tally.roomRefusals += 1
  }

  onDamage(key: string, id: KeyId, sequence: number): void {
    const entry = this.core.index.get(id.lo, id.hi)
    if (entry?.sequence === sequence) this.#dropDamaged(key, id, entry)
  }

  failure(error: unknown): unknown {
    return failure(error, this.#config.dir, 'writing')
  }

  get #open(): Opened {
    if (this.#opened === undefined) throw new ClosedError('the file store is not open')
    return this.#opened
  }

  #idOf(key: string): KeyId {
    return keyIdOf(this.core.header.secret, Buffer.from(key))
  }

  async #find(key: string, id: KeyId, peek: boolean): Promise<StoredEntry | undefined> {
    const { index, policy } = this.core
    for (let look = 0; look < LOOKS; look += 1) {
      const entry = index.get(id.lo, id.hi)
      if (entry === undefined || this.closed) return undefined
      const opened = await this.#openAt(key, id, entry, peek)
      if (typeof opened === 'object') {
        if (!peek) {
          const now = index.get(id.lo, id.hi)
          if (now !== undefined) index.setPolicy(id.lo, id.hi, policy.touched(now.policy))
        }
        return opened
      }
      if (opened !== 'corrupt') return undefined
      const there = index.get(id.lo, id.hi)
      if (there?.segment === entry.segment && there.offset === entry.offset) {
        this.#dropDamaged(key, id, entry)
        return undefined
      }
    }
    return undefined
  }

  async #openAt(
    key: string,
    id: KeyId,
    entry: IndexEntry,
    peek: boolean,
  ): Promise<OpenedEntry | 'corrupt' | 'absent' | 'failed'> {
    try {
      return await openEntry(this, key, id, entry, peek)
    } catch (error) {
      // A segment that is not there: reclaimed meanwhile, or taken away by somebody else.
      if (codeOf(error) === 'ENOENT') return 'corrupt'
      if (error instanceof ClosedError) return 'absent'
      this.#tally.diskErrors += 1
      return 'failed'
    }
  }

  /** What was found is not what was written: it goes, and nothing older comes back in its place. */
  #dropDamaged(key: string, id: KeyId, entry: IndexEntry): void {
    if (this.closed || !this.core.index.removeAt(entry)) return
    this.#tally.corrupt += 1
    this.core.onCorrupt(key)
    this.blobs.drop(entry)
    this.#track(this.#writeDeletion(id.hash, id))
  }

  /** The same for an entry of which nothing but its identity is known. */
  #bury(entry: IndexEntry): Promise<unknown> {
    this.#tally.corrupt += 1
    const hash = Buffer.alloc(16)
    hash.writeUInt32LE(entry.lo, 0)
    hash.writeUInt32LE(entry.hi, 4)
    return this.#writeDeletion(hash, entry)
  }

  async #writeDeletion(
    hash: Buffer,
    { lo, hi }: { readonly lo: number; readonly hi: number },
  ): Promise<void> {
    // A newer value says as much.
    const wanted = (): boolean => !this.core.index.has(lo, hi)
    const append: Append = { parts: deletion(hash), lo, wanted, apply: () => undefined }
    const outcome = await this.#append([append])
    if (outcome === 'no-room') this.#unwritten.add(identityOf({ lo, hi }))
  }

  async #delete(id: KeyId): Promise<boolean> {
    const identity = identityOf(id)
    const removed = this.core.index.remove(id.lo, id.hi)
    const dropBlob = removed === undefined ? undefined : this.blobs.leaving(removed)
    const pending = this.#pending.get(identity)
    const had = removed !== undefined || (pending?.puts ?? 0) > 0
    if (!had && pending === undefined && !this.#unwritten.has(identity)) return false
    this.#order += 1
    const settle = this.#begin(identity)
    const now = this.#pending.get(identity)!
    now.deletedAt = this.#order
    now.puts = 0
    try {
      const append: Append = { parts: deletion(id.hash), lo: id.lo, apply: () => dropBlob?.() }
      // Until it is known to be in the log, it is to be written again when it is asked for again.
      this.#unwritten.add(identity)
      const written = (outcome: Outcome | 'failed'): void => {
        if (outcome === 'done') this.#unwritten.delete(identity)
        // It could not be written: the entry is none, and its room is wanted.
        else dropBlob?.()
        settle()
      }
      const outcome = await this.#append([append], written)
      if (outcome !== 'done') throw noRoom()
      return had
    } catch (error) {
      throw failure(error, this.#config.dir, 'writing a delete')
    }
  }

  #putOf({ parts, metadata, blob, blobUnits }: Prepared): PutChange {
    return {
      parts,
      metadata,
      blobUnits,
      // Its bytes are the entry's from the moment at which that is in the index.
      onVisible: () => blob?.publish(),
      onTaken: () => blob?.abort(),
    }
  }

  /** Puts a record into the log, and its entry into the index. */
  async #change(id: KeyId, put: PutChange): Promise<Outcome> {
    const settle = this.#begin(identityOf(id))
    this.#pending.get(identityOf(id))!.puts += put.replaces === undefined ? 1 : 0
    return this.#append([this.#appendOf(id, put)], settle, put.replaces === undefined)
  }

  #appendOf(id: KeyId, put: PutChange): Append {
    this.#order += 1
    const order = this.#order
    const identity = identityOf(id)
    const { parts, metadata, blobUnits, replaces } = put
    this.#tally.givenBytes += parts.size + parts.keyBytes
    return {
      parts,
      lo: id.lo,
      weight: parts.body.length + parts.storedBytes + blobUnits * UNIT,
      ...(put.wanted === undefined ? {} : { wanted: put.wanted }),
      apply: ({ segment, offset, length, sequence }) => {
        const { index, policy } = this.core
        const deletedAt = this.#pending.get(identity)?.deletedAt ?? 0
        const taken = Math.max(deletedAt, this.#clearedAt) > order
        const there = index.get(id.lo, id.hi)
        if (taken || (replaces !== undefined && there?.sequence !== replaces)) {
          put.onTaken?.()
          return
        }
        const ends = expiryOf(usefulUntil(metadata))
        const entry = { lo: id.lo, hi: id.hi, sequence, segment, offset, length, blobUnits }
        put.onVisible?.()
        index.put({
          ...entry,
          expires: Number.isNaN(ends) ? NEVER : ends,
          policy: there?.policy ?? policy.fresh(),
        })
        if (there !== undefined && replaces === undefined) this.blobs.drop(there)
        this.#unwritten.delete(identity)
      },
    }
  }

  async #commitBatch(
    changes: readonly Change[],
    prepared: ReadonlyArray<{ readonly draft: FileDraft; readonly prepared: Prepared }>,
  ): Promise<boolean> {
    if (prepared.some(({ draft }) => draft.fenced) || this.closed) return false
    const appends: Append[] = []
    const settles: Array<() => void> = []
    let next = 0
    for (const change of changes) {
      if ('draft' in change) {
        const one = prepared[next++]!.prepared
        settles.push(this.#begin(identityOf(one.id)))
        appends.push(this.#appendOf(one.id, this.#putOf(one)))
      } else {
        const id = this.#idOf(change.key)
        settles.push(this.#begin(identityOf(id)))
        appends.push({
          parts: deletion(id.hash),
          lo: id.lo,
          // With the others, not before them.
          apply: () => {
            const removed = this.core.index.remove(id.lo, id.hi)
            if (removed !== undefined) this.blobs.drop(removed)
          },
        })
      }
    }
    try {
      const outcome = await this.#open.writer.append(appends, { batch: true })
      if (outcome === 'done') for (const { draft } of prepared) draft.settle(true)
      return outcome === 'done'
    } finally {
      for (const settle of settles) settle()
      this.#wrote()
    }
  }

  /** Notes that a change of the identity is on its way; to be called when it is settled. */
  #begin(identity: string): () => void {
    const pending = this.#pending.get(identity) ?? { count: 0, puts: 0, deletedAt: 0 }
    pending.count += 1
    this.#pending.set(identity, pending)
    return () => {
      pending.count -= 1
      if (pending.count === 0) this.#pending.delete(identity)
    }
  }

  /** @param settled called once, when it is known what became of it: maybe later than the answer */
  async #append(
    appends: readonly Append[],
    settled?: (outcome: Outcome | 'failed') => void,
    early = true,
  ): Promise<Outcome> {
    try {
      return await this.#open.writer.append(appends, { early, settled })
    } finally {
      this.#wrote()
    }
  }

  /** Something was written: it may be time to reclaim, or for an image. */
  #wrote(): void {
    this.#open.reclaimer.nudge()
    const { tally, config } = this.core
    const due = Math.min(config.maxBytes / 8, 256 * 2 ** 20)
    if (this.#imaging || this.closed || tally.writtenBytes - this.#imagedBytes < due) return
    this.#imaging = true
    this.#imagedBytes = tally.writtenBytes
    this.#track(
      this.#open.image({ clean: false, blobsSynced: false }).finally(() => {
        this.#imaging = false
      }),
    )
  }

  /** Has `close` wait for it. Its failure is counted, and harms nobody. */
  #track(work: Promise<unknown>): void {
    const tracked = work
      .catch(() => {
        this.#tally.diskErrors += 1
      })
      .finally(() => this.#background.delete(tracked))
    this.#background.add(tracked)
  }

  async #close(): Promise<void> {
    const opened = this.#opened
    if (opened === undefined) {
      this.#closed = true
      return
    }
    const timer = new Promise<'late'>((late) => {
      const waiting = this.#seams.clock.after(this.#seams.closeWithin, () => late('late'), true)
      this.#cancelClose = () => waiting.cancel()
    })
    try {
      const late = await Promise.race([timer, this.#finish(opened).catch(() => undefined)])
      if (late === 'late') this.#tellLate()
    } finally {
      this.#cancelClose()
      this.#closed = true
    }
  }

  /** What hangs keeps what it has, the lock too: somebody else may not write while it may yet. */
  #tellLate(): void {
    const { dir } = this.#config
    process.emitWarning(
      `the file store ${dir} did not close within ${this.#seams.closeWithin} ms: its disk does not answer. It goes on closing, and is locked until then`,
      { code: 'DREY_CLOSE' },
    )
  }

  #cancelClose = (): void => undefined

  async #finish(opened: Opened): Promise<void> {
    const { core, reclaimer, writer, blobs } = opened
    const cut: Array<Promise<void>> = []
    for (const drafts of [...this.#drafts.values()]) for (const draft of [...drafts]) cut.push(draft.cut())
    await Promise.all(cut)
    await writer.flush().catch(() => undefined)
    while (this.#background.size > 0) await Promise.all(this.#background)
    await reclaimer.close()
    // An image costs an entry or two, and spares the next open the reading of the log.
    await reclaimer.makeRoom(allotment(imageBytes(core.index.size)), 0)
    await blobs.settled()
    await core.files.settled()
    await this.lane.quiet()
    // Whatever is lost of it if the power goes now, the next open knows.
    await opened.tags.end().catch(() => {
      this.#tally.diskErrors += 1
    })
    const ended = await writer.close(this.#tally.orphans === 0)
    const { syncedBelow } = opened
    // With durability 'power' those of this owner are written out already.
    const to =
      this.#config.durability === 'power' && !this.#retuned ? opened.firstSequence : Number.POSITIVE_INFINITY
    const late = (): boolean => this.#closed
    const blobsSynced = ended && (await blobs.sync(syncedBelow, to, late).catch(() => false))
    if (ended) await opened.image({ clean: true, blobsSynced })
    await opened.end()
  }
}

/** A record that becomes an entry. */
interface PutChange {
  readonly parts: Append['parts']
  readonly metadata: Metadata
  readonly blobUnits: number
  /** The entry whose metadata it replaces, and whose blob it keeps. */
  readonly replaces?: number
  wanted?(changed: ReadonlySet<number>): boolean
  onVisible?(): void
  /** It was deleted before it was there. */
  onTaken?(): void
}

function noRoom(): Error {
  return Object.assign(new Error('there is no room'), { code: 'ENOSPC' })
}
