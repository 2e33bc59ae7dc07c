import { randomBytes } from 'node:crypto'
import { memoryThereIs } from '../../config/memory.js'
import type { MemoryStorePatch } from '../../config/schema.js'
import { ClosedError, ConfigError, messageOf } from '../../errors.js'
import { type Addon, FOUND, STORED } from '../../native/addon.js'
import { ETAG_SIZE, HANDLE, SIZE, USER_SIZE, VALUE_AT, VERSION } from '../../native/numbers.js'
import type { PolicyName } from '../../policy/policy.js'
import {
  type Draft,
  IN_HAND,
  type Metadata,
  type Sharing,
  type StoreContext,
  type StoredEntry,
  type StoreStats,
} from '../store.js'
import { GivingWay } from './giving-way.js'
import type { MemoryStore } from './memory-store.js'
import { NativeDraft } from './native/draft.js'
import { CopiedEntry, type FoundEntry, PinnedEntry } from './native/entry.js'
import { NativeSharing } from './native/flight.js'
import type { NativeStore } from './native/host.js'
import { MetadataReader, parseUser, userText, writeMetadata } from './native/metadata.js'
import { Spans } from './native/spans.js'
import { MAX_BYTES, MAX_ITEM_BYTES, MEMORY_REFUSALS, STATISTICS, statsOf } from './native/stats.js'
import { type Thread, threadOf } from './native/thread.js'
import { type MemoryConfig, patchMemoryConfig } from './options.js'

/** What a native memory store runs on: its policy is one of those that are written in C++, too. */
export type NativeConfig = MemoryConfig & { readonly policy: PolicyName }

/** How often what lies idle is given back. */
const MAINTENANCE_MS = 5000
/** What `memoryPress` calls all of the bound. */
const WHOLE = 1000
/** Entries that a scan takes at once. */
const SCANNED_AT_ONCE = 256
/** What `memoryList` gives for each. */
const LISTED = 8

/**
 * The memory store in C++: entries lie off the JS heap, and with a name, in one place for all threads of the process.
 * What it does and what it costs, docs/reference/memory-native.md says; this is its face in one thread.
 *
 * Invariants: `#pins` counts what reads from the arena; the addon's store is closed when the store is and nothing
 * is pinned any more.
 */
class NativeMemoryStore implements MemoryStore, NativeStore {
  readonly name = 'memory'
  readonly sharing?: Sharing
  readonly thread: Thread
  #id = -1
  #spans: Spans | undefined
  #config: NativeConfig
  #context: StoreContext | undefined
  #closed = false
  #gone = false
  #pins = 0
  #listening = false
  #reporting = false
  #toldTime = false
  #warned = false
  #timer: NodeJS.Timeout | undefined
  #part = WHOLE
  readonly #givingWay = new GivingWay((bytes) => this.#giveWay(bytes))
  readonly #metadata = new MetadataReader()
  readonly #numbers = new Float64Array(STATISTICS)

  constructor(config: NativeConfig, addon: Addon) {
    this.thread = threadOf(addon)
    this.#config = config
    this.#numbers[MAX_BYTES] = config.maxBytes
    this.#numbers[MAX_ITEM_BYTES] = config.maxItemBytes
    if (config.name !== undefined) this.sharing = new NativeSharing(this)
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
    this.#id = complaining('memoryStore', () =>
      addon.memoryOpen(name, maxBytes, maxItemBytes, policy, ceiling, randomBytes(16), time),
    )
    this.#context = context
    this.#spans = new Spans(addon, this.#id)
    this.#timer = maintain(new WeakRef(this))
    forgotten.register(this, { addon, id: this.#id, timer: this.#timer }, this)
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

  draft(key: string, size: number | undefined): Draft | undefined {
    if (this.#closed) return undefined
    this.beforeChange()
    const handle = this.thread.addon.draftBegin(this.#id, key, size)
    this.afterChange()
    if (handle >= 0) return new NativeDraft(handle, this)
    this.onRefusal()
    return undefined
  }

  revise(key: string, entry: StoredEntry, metadata: Metadata): boolean {
    if (this.#closed) return false
    const { version } = entry as FoundEntry
    this.beforeChange()
    writeMetadata(metadata, this.thread.numbers)
    const stored = this.thread.addon.memoryRevise(this.#id, key, version, metadata.etag, userText(metadata))
    this.afterChange()
    return stored === STORED.done
  }

  delete(key: string): boolean {
    return !this.#closed && this.thread.addon.memoryDelete(this.#id, key)
  }

  clear(): void {
    if (!this.#closed) this.thread.addon.memoryClear(this.#id)
  }

  *entries(): Generator<readonly [string, Metadata], void, undefined> {
    let shard = 0
    let handle = 0
    while (!this.#closed) {
      const listed = this.thread.addon.memoryList(this.#id, shard, handle, SCANNED_AT_ONCE)
      if (listed.length === 2) return
      shard = listed[0] as number
      handle = listed[1] as number
      for (let at = 2; at < listed.length; at += LISTED) yield listedEntry(listed, at)
    }
  }

  stats(): StoreStats {
    if (!this.#gone && this.#id >= 0) this.thread.addon.memoryStats(this.#id, this.#numbers)
    return statsOf(this.#numbers)
  }

  configure(patch: MemoryStorePatch): void {
    if (this.#closed) throw new ClosedError('the memory store is closed; make a new one')
    const config = patchMemoryConfig(this.#config, patch)
    if (!isNative(config)) {
      throw new ConfigError(
        'configure.policy: got a policy of your own for a store that has one of those of drey; make the store with it',
      )
    }
    if (this.#id >= 0) {
      const { maxBytes, maxItemBytes, policy } = config
      this.beforeChange()
      complaining('configure', () =>
        this.thread.addon.memoryConfigure(this.#id, maxBytes, maxItemBytes, policy),
      )
      this.afterChange()
    }
    this.#config = config
  }

  pressure(factor: number): void {
    if (this.#closed || this.#id < 0) return
    this.#part = Math.max(1, Math.round(factor * WHOLE))
    this.#givingWay.start()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#givingWay.stop()
    clearInterval(this.#timer)
    forgotten.unregister(this)
    if (this.#id < 0) return
    // What others have open is theirs.
    if (this.sharing === undefined) this.thread.addon.memoryClear(this.#id)
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
    this.thread.addon.memoryListen(this.#id, hears)
  }

  afterChange(): void {
    // Callbacks may change the store again: what that evicts is told by the round after, so that they never nest.
    if (!this.#listening || this.#reporting) return
    this.#reporting = true
    try {
      while (!this.#gone) {
        const evicted = this.thread.addon.memoryEvicted(this.#id)
        if (evicted === undefined) return
        for (const key of evicted) this.#context!.onEvict(key, 'size')
      }
    } finally {
      this.#reporting = false
    }
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

  #giveWay(bytes: number): boolean {
    this.beforeChange()
    const done = this.thread.addon.memoryPress(this.#id, this.#part, bytes)
    this.afterChange()
    return done || this.#closed
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

  #leaveIfDone(): void {
    if (!this.#closed || this.#pins > 0 || this.#gone) return
    // What it says from here on: its bounds, and that it has nothing.
    this.stats()
    this.#numbers.fill(0, 0, MAX_BYTES)
    this.#gone = true
    this.thread.addon.memoryClose(this.#id)
  }
}

/** Whether the native engine can run on it: policies of the user's own live with the js engine. */
export function isNative(config: MemoryConfig): config is NativeConfig {
  return typeof config.policy === 'string'
}

/** The native engine of `memoryStore`. */
export function nativeMemoryStore(config: NativeConfig, addon: Addon): MemoryStore {
  return new NativeMemoryStore(config, addon)
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

function listedEntry(listed: readonly unknown[], at: number): readonly [string, Metadata] {
  const [key, size, cachedAt, freshUntil, staleIfErrorUntil, negative, etag, user] = listed.slice(
    at,
    at + LISTED,
  ) as [string, number, number, number, number, number, string | undefined, string | undefined]
  const metadata = {
    size,
    cachedAt,
    freshUntil,
    staleIfErrorUntil,
    negative: negative === 1,
    ...(etag === undefined ? {} : { etag }),
    ...(user === undefined ? {} : { user: parseUser(user) }),
  }
  return [key, metadata]
}
