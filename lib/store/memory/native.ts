import { randomBytes } from 'node:crypto'
import { memoryThereIs } from '../../config/memory.js'
import type { MemoryStorePatch } from '../../config/schema.js'
import { ClosedError, ConfigError, messageOf } from '../../errors.js'
import { type Addon, FOUND, STORED } from '../../native/addon.js'
import { ETAG_SIZE, HANDLE, SIZE, USER_SIZE, VALUE_AT, VERSION } from '../../native/numbers.js'
import { type EvictionPolicy, nameOfPolicy, type PolicyName } from '../../policy/policy.js'
import { FROM_WITHIN } from '../../policy/user.js'
import { changeOf } from '../change.js'
import {
  type Draft,
  IN_HAND,
  type Later,
  type Metadata,
  type Sharing,
  type StoreChange,
  type StoreContext,
  type StoredEntry,
  type StoreFacts,
  type StoreStats,
  type TagJournal,
  type WholeValue,
} from '../store.js'
import { lowerTo } from './lowering.js'
import type { MemoryStore } from './memory-store.js'
import { NativeDraft } from './native/draft.js'
import { CopiedEntry, type FoundEntry, PinnedEntry } from './native/entry.js'
import { NativeSharing } from './native/flight.js'
import type { NativeStore } from './native/host.js'
import { hostedSet } from './native/hosted-set.js'
import { insist } from './native/insist.js'
import { memoryJournal } from './native/journal.js'
import { listing } from './native/listing.js'
import { MetadataReader, userText, writeMetadata } from './native/metadata.js'
import { PolicyHost } from './native/policy-host.js'
import { Press } from './native/press.js'
import { Spans } from './native/spans.js'
import { MAX_BYTES, MAX_ITEM_BYTES, MEMORY_REFUSALS, STATISTICS, statsOf } from './native/stats.js'
import { type Thread, threadOf } from './native/thread.js'
import { setAll } from './native/together.js'
import { type MemoryConfig, memoryChanges, memoryFacts, patchMemoryConfig } from './options.js'

/** How often what lies idle is given back. */
const MAINTENANCE_MS = 5000
/** What decides in the addon while a policy of the user's own does here. */
const HOSTED: PolicyName = 'fifo'

/**
 * The memory store in C++: entries lie off the JS heap, and with a name, in one place for all threads of the process.
 * What it does and what it costs, docs/reference/memory-native.md says; this is its face in one thread.
 *
 * Invariants: `#pins` counts what reads from the arena; the addon's store is closed when the store is and nothing
 * is pinned any more.
 * `#host` is active exactly while the policy is the user's own and the store is open.
 */
class NativeMemoryStore implements MemoryStore, NativeStore {
  readonly name = 'memory'
  readonly sharing?: Sharing
  readonly journal?: TagJournal
  readonly thread: Thread
  #id = -1
  #spans: Spans | undefined
  #config: MemoryConfig
  #context: StoreContext | undefined
  #closed = false
  #gone = false
  #pins = 0
  #listening = false
  #reporting = false
  #toldTime = false
  #warned = false
  #timer: NodeJS.Timeout | undefined
  readonly #press = new Press(this, () => this.#host)
  /** Made for the first policy of the user's own. */
  #host: PolicyHost | undefined
  readonly #metadata = new MetadataReader()
  readonly #numbers = new Float64Array(STATISTICS)

  readonly #maxNodeBytes: number | undefined

  constructor(config: MemoryConfig, addon: Addon, maxNodeBytes?: number) {
    this.thread = threadOf(addon)
    this.#maxNodeBytes = maxNodeBytes
    this.#config = config
    this.#numbers[MAX_BYTES] = config.maxBytes
    this.#numbers[MAX_ITEM_BYTES] = config.maxItemBytes
    if (config.name === undefined) return
    this.sharing = new NativeSharing(this)
    this.journal = memoryJournal(this)
  }

  get id(): number {
    return this.#id
  }

  get spans(): Spans {
    return this.#spans!
  }

  get closed(): boolean {
    return this.#closed
  }

  get hosted(): boolean {
    return this.#host?.active === true
  }

  get maxItemBytes(): number {
    // Another thread may have configured a store that is shared.
    return this.sharing === undefined || this.#id < 0 ? this.#config.maxItemBytes : this.stats().maxItemBytes
  }

  open(context: StoreContext): void {
    if (this.#context !== undefined) {
      throw new ConfigError('tiers: this memory store belongs to a cache already; make one for each cache')
    }
    const { name, maxBytes, maxItemBytes, policy } = this.#config
    const { addon } = this.thread
    this.#toldTime = name === undefined && context.systemTime !== true
    const time = this.#toldTime ? context.now() : undefined
    const ceiling = Math.max(maxBytes, memoryThereIs())
    const own = typeof policy !== 'string'
    // One shard for the user's own: who is evicted makes room for whoever wants it.
    this.#id = complaining('memoryStore', () =>
      addon.memoryOpen(
        name,
        maxBytes,
        maxItemBytes,
        own ? HOSTED : policy,
        ceiling,
        randomBytes(16),
        time,
        own ? 1 : 0,
      ),
    )
    this.#context = context
    this.#spans = new Spans(addon, this.#id)
    this.#timer = maintain(new WeakRef(this))
    forgotten.register(this, { addon, id: this.#id, timer: this.#timer }, this)
    if (own) this.#beginHosting(policy)
  }

  find(key: string, peek = false): FoundEntry | undefined {
    if (this.#closed) return undefined
    const { addon, numbers, block } = this.thread
    let found = addon.memoryFind(this.#id, key, peek)
    if (found === FOUND.miss) return undefined
    if (found === FOUND.blockFull) {
      // More than once only where the entry is overwritten by larger ones meanwhile.
      do {
        block.makeRoom(numbers[SIZE]! + Math.max(0, numbers[ETAG_SIZE]!) + Math.max(0, numbers[USER_SIZE]!))
        found = addon.memoryFind(this.#id, key, peek)
      } while (found === FOUND.blockFull)
      const entry = this.#found(found, key)
      block.settle()
      return entry
    }
    return this.#found(found, key)
  }

  set(key: string, bytes: Uint8Array, metadata: Metadata): boolean {
    if (this.#closed) return false
    this.beforeChange()
    writeMetadata(metadata, this.thread.numbers)
    const stored = this.thread.addon.memorySet(this.#id, key, bytes, metadata.etag, userText(metadata))
    this.afterChange()
    if (stored === STORED.done) return true
    this.onRefusal()
    return false
  }

  setAll(values: readonly WholeValue[]): boolean {
    if (this.#closed || this.refusesNow()) return false
    const before = this.#reporting
    // Who is told of evictions may read, and nobody may between two of them.
    this.#reporting = true
    try {
      return setAll(this, values)
    } finally {
      this.#reporting = before
      this.afterChange()
    }
  }

  batches(holdOff: boolean): number {
    return this.#closed ? 0 : this.thread.addon.memoryBatches(this.#id, holdOff)
  }

  draft(key: string, size: number | undefined): Draft | undefined {
    if (this.#closed || this.refusesNow()) return undefined
    this.beforeChange()
    const handle = this.thread.addon.draftBegin(this.#id, key, size)
    this.afterChange()
    const onEnd = (committed: boolean): void => {
      if (committed) this.#host?.committed(key)
    }
    if (handle >= 0) return new NativeDraft(handle, this, this.sharing === undefined ? onEnd : undefined)
    this.onRefusal()
    return undefined
  }

  revise(key: string, entry: StoredEntry, metadata: Metadata): boolean {
    if (this.#closed || this.#host?.running === true) return false
    const { addon, numbers } = this.thread
    const { version } = entry as FoundEntry
    const user = userText(metadata)
    const attempt = (): number => {
      if (this.#closed) return STORED.gone
      writeMetadata(metadata, numbers)
      return addon.memoryRevise(this.#id, key, version, metadata.etag, user)
    }
    this.beforeChange()
    const host = this.hosted ? this.#host : undefined
    const stored = host === undefined ? attempt() : host.sparing(key, () => insist(this, attempt))
    if (stored === STORED.done) host?.revised(key)
    this.afterChange()
    return stored === STORED.done
  }

  delete(key: string): boolean {
    if (this.#closed) return false
    const was = this.thread.addon.memoryDelete(this.#id, key)
    if (was) this.#host?.removed(key)
    return was
  }

  discard(key: string): boolean {
    if (this.#closed) return false
    const was = this.thread.addon.memoryDiscard(this.#id, key)
    if (was) this.#host?.removed(key)
    return was
  }

  clear(): void {
    if (this.#closed) return
    this.thread.addon.memoryClear(this.#id)
    this.#host?.cleared()
  }

  entries(): Generator<readonly [string, Metadata], void, undefined> {
    return listing(this)
  }

  stats(): StoreStats {
    if (!this.#gone && this.#id >= 0) this.thread.addon.memoryStats(this.#id, this.#numbers)
    return statsOf(this.#numbers, this.#policyName(), this.#host?.faults ?? 0, this.#host?.uncounted ?? 0)
  }

  /** Of a store that is shared, another thread may have chosen it. */
  #policyName(): string {
    const isShared = this.sharing !== undefined && this.#id >= 0 && !this.#gone
    return nameOfPolicy(
      isShared ? (this.thread.addon.memoryPolicy(this.#id) as PolicyName) : this.#config.policy,
    )
  }

  facts(): StoreFacts {
    return memoryFacts(this.#now(), true)
  }

  configure(patch: MemoryStorePatch): StoreChange {
    this.#assertChangeable()
    const read = (): { from: MemoryConfig; to: MemoryConfig } => {
      const from = this.#now()
      return { from, to: patchMemoryConfig(from, patch) }
    }
    const { from, to } = read()
    return changeOf(memoryChanges(from, to), read, (config) => this.#change(config))
  }

  pressure(factor: number): void {
    if (this.#closed || this.#id < 0) return
    this.#press.to(factor)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#press.stop()
    clearInterval(this.#timer)
    forgotten.unregister(this)
    if (this.#id < 0) return
    // What others have open is theirs.
    if (this.sharing === undefined) this.thread.addon.memoryClear(this.#id)
    this.#host?.close()
    this.#leaveIfDone()
  }

  pin(): void {
    this.#pins += 1
  }

  unpin(): void {
    this.#pins -= 1
    this.#leaveIfDone()
  }

  beforeChange(): void {
    const context = this.#context!
    if (this.#toldTime) this.thread.addon.memoryTime(this.#id, context.now())
    const hears = context.hearsEvictions()
    if (hears === this.#listening) return
    this.#listening = hears
    if (!this.hosted) this.thread.addon.memoryListen(this.#id, hears)
  }

  afterChange(): void {
    this.#host?.hear()
    if (!this.#listening) this.#host?.takeLeft()
    // Callbacks may change the store again: what that evicts is told by the round after, so that they never nest.
    if (!this.#listening || this.#reporting) return
    this.#reporting = true
    try {
      while (!this.#gone) {
        const left = this.#host?.takeLeft() ?? this.thread.addon.memoryEvicted(this.#id)
        if (left === undefined) return
        for (let at = 0; at < left.length; at += 2) {
          this.#context!.onEvict(left[at] as string, left[at + 1] === true ? 'expired' : 'size')
        }
      }
    } finally {
      this.#reporting = false
    }
  }

  refusesNow(): boolean {
    return this.#host?.refusesNow() === true
  }

  makeRoom(): boolean {
    const host = this.#host
    return host !== undefined && (host.hear() || host.evictOne()) && !this.#closed
  }

  onRefusal(): void {
    if (this.#warned || this.#gone) return
    const { maxBytes, memoryRefusals } = this.#memory()
    if (memoryRefusals === 0) return
    this.#warned = true
    process.emitWarning(
      `the system has no more memory for a memory store of ${this.#config.maxBytes} bytes: it goes on with ${maxBytes}; want a smaller maxBytes, or a higher limit of the process`,
      { code: 'DREY_MEMORY' },
    )
  }

  /** Frees what was cleared, gives back what lies idle. */
  maintain(): void {
    if (this.#gone || this.#id < 0) return
    this.thread.addon.memoryMaintain(this.#id)
    this.onRefusal()
  }

  #memory(): { readonly maxBytes: number; readonly memoryRefusals: number } {
    const { maxBytes } = this.stats()
    return { maxBytes, memoryRefusals: this.#numbers[MEMORY_REFUSALS]! }
  }

  #found(found: number, key: string): FoundEntry | undefined {
    if (found === FOUND.miss) return undefined
    const { numbers, block, addon } = this.thread
    const metadata = this.#metadata.read(key, numbers, block.bytes)
    const version = numbers[VERSION]!
    const { size } = metadata
    if (found === FOUND.copied) {
      const at = numbers[VALUE_AT]!
      return new CopiedEntry(metadata, version, block.bytes.subarray(at, at + size))
    }
    const handle = numbers[HANDLE]!
    if (found === FOUND.opened && size > IN_HAND) return new PinnedEntry(metadata, version, handle, this)
    // Too much is pinned already: what is read is copied, and the store may do with its own what it likes.
    const bytes = Buffer.allocUnsafeSlow(size)
    addon.entryRead(handle, bytes, 0)
    addon.entryClose(handle)
    return new CopiedEntry(metadata, version, bytes)
  }

  #assertChangeable(): void {
    if (this.#closed) throw new ClosedError('the memory store is closed; make a new one')
    if (this.#host?.running === true) throw new ConfigError(FROM_WITHIN)
  }

  /** What holds now: of a store that is shared, another thread may have opened or configured it otherwise. */
  #now(): MemoryConfig {
    if (this.sharing === undefined || this.#id < 0) return this.#config
    const { maxBytes, maxItemBytes } = this.stats()
    const policy = this.thread.addon.memoryPolicy(this.#id) as PolicyName
    const maxItemFollows = maxItemBytes === Math.floor(maxBytes / 8)
    return { ...this.#config, maxBytes, maxItemBytes, maxItemFollows, policy }
  }

  /** The policy of before decides what a smaller store keeps: so that comes first, bit by bit. */
  #change(config: MemoryConfig): Later<void> {
    this.#assertChangeable()
    const before = this.#now()
    this.#config = config
    if (this.#id < 0) return undefined
    const isLatest = (): boolean => this.#config === config
    const lowered = lowerTo(
      {
        bound: () => this.stats(),
        lower: (from, to) => !this.#closed && isLatest() && this.#lower(from, to),
      },
      config.maxBytes,
    )
    const finish = (): void => {
      if (!isLatest()) return
      if (this.#closed)
        throw new ClosedError('the memory store was closed while it was changed; make a new one')
      this.beforeChange()
      try {
        this.#become(config, before.policy)
      } catch (error) {
        this.#config = before
        throw error
      } finally {
        this.afterChange()
      }
    }
    return lowered === undefined ? finish() : lowered.then(finish)
  }

  #lower(from: number, to: number): boolean {
    this.beforeChange()
    this.#host?.shrink(to)
    const lowered = !this.#closed && this.thread.addon.memoryLower(this.#id, from, to)
    this.afterChange()
    return lowered
  }

  /** Changes to what `config` says. The policy of before decides what a smaller store keeps: another knows nothing yet. */
  #become({ maxBytes, maxItemBytes, policy }: MemoryConfig, before: PolicyName | EvictionPolicy): void {
    const configure = (name: PolicyName): void =>
      complaining('configure', () =>
        this.thread.addon.memoryConfigure(this.#id, maxBytes, maxItemBytes, name),
      )
    if (typeof before === 'string') {
      configure(typeof policy === 'string' ? policy : before)
      if (typeof policy === 'string') return
      this.#beginHosting(policy)
      this.#host!.shrink(maxBytes)
      return
    }
    this.#host!.shrink(maxBytes)
    if (this.#closed) throw new ClosedError('the memory store was closed by its own policy; make a new one')
    configure(typeof policy === 'string' ? policy : HOSTED)
    if (typeof policy === 'string') this.#endHosting()
    else if (policy !== before) this.#host!.handOver(policy)
  }

  /**
   * The user's policy decides from here on. Reading and setting are replaced for this store alone: those whose policy is
   * drey's own, and that is most of them, have nothing to ask there.
   */
  #beginHosting(policy: EvictionPolicy): void {
    const host = this.#host ?? new PolicyHost(this.thread.addon, this.#id, this.#maxNodeBytes)
    this.#host = host
    this.find = (key, peek = false) => {
      const entry = NativeMemoryStore.prototype.find.call(this, key, true)
      // Last, for the policy may remove the entry.
      if (entry !== undefined && !peek) host.touch(key)
      return entry
    }
    this.set = (key, bytes, metadata) => hostedSet(this, host, key, bytes, metadata)
    host.begin(policy)
  }

  #endHosting(): void {
    this.#host!.end(this.#listening)
    this.find = NativeMemoryStore.prototype.find
    this.set = NativeMemoryStore.prototype.set
  }

  #leaveIfDone(): void {
    if (!this.#closed || this.#pins > 0 || this.#gone) return
    // What it says from here on: its bounds, and that it has nothing.
    this.stats()
    this.#numbers.fill(0, 0, MAX_BYTES)
    this.#gone = true
    this.thread.addon.memoryClose(this.#id)
  }
}

/** The native engine of `memoryStore`. For a policy of the user's own, at most `maxNodeBytes` lie on the JS heap. */
export function nativeMemoryStore(config: MemoryConfig, addon: Addon, maxNodeBytes?: number): MemoryStore {
  return new NativeMemoryStore(config, addon, maxNodeBytes)
}

/** Stores that nobody closed are closed when the collector finds that nobody has them any more. */
const forgotten = new FinalizationRegistry(
  ({ addon, id, timer }: { addon: Addon; id: number; timer: NodeJS.Timeout }) => {
    clearInterval(timer)
    addon.memoryClose(id)
  },
)

/** Has the store maintained for as long as somebody has it. */
function maintain(store: WeakRef<NativeMemoryStore>): NodeJS.Timeout {
  return setInterval(() => store.deref()?.maintain(), MAINTENANCE_MS).unref()
}

/** What the addon complains of, worded for the user. */
function complaining<T>(at: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw new ConfigError(`${at}.${messageOf(error)}`, { cause: error })
  }
}
