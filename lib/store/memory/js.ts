import type { MemoryStorePatch } from '../../config/schema.js'
import { ClosedError, ConfigError } from '../../errors.js'
import { nameOfPolicy } from '../../policy/policy.js'
import { changeOf } from '../change.js'
import {
  type Draft,
  IN_HAND,
  type Later,
  type Metadata,
  type StoreChange,
  type StoreContext,
  type StoredEntry,
  type StoreFacts,
  type StoreStats,
  type WholeValue,
} from '../store.js'
import { type DraftHost, MemoryDraft } from './draft.js'
import { ENTRY_OVERHEAD, type Entry } from './entry.js'
import { GivingWay } from './giving-way.js'
import { halfOfHeap, MAX_ENTRIES } from './heap.js'
import { lowerTo } from './lowering.js'
import type { MemoryStore } from './memory-store.js'
import { type MemoryConfig, memoryChanges, memoryFacts, patchMemoryConfig } from './options.js'
import { EntryTable } from './table.js'
import { setTogether } from './together.js'

/** An entry opened for reading. Small values are only referred to (S7); larger ones are held in the ledger. */
class OpenEntry implements StoredEntry {
  readonly metadata: Metadata
  readonly entry: Entry
  #table: EntryTable | undefined

  constructor(entry: Entry, metadata: Metadata, table: EntryTable) {
    this.entry = entry
    this.metadata = metadata
    if (entry.value.size > IN_HAND) {
      table.ledger.hold(entry)
      this.#table = table
    }
  }

  read(target: Uint8Array, position: number): number {
    return this.entry.value.read(target, position)
  }

  view(position: number): Uint8Array {
    return this.entry.value.view(position)
  }

  release(): void {
    this.#table?.release(this.entry)
    this.#table = undefined
  }
}

/** The memory store in plain TypeScript: values in chunks off the JS heap, of this thread alone, named or not. */
class JsMemoryStore implements MemoryStore, DraftHost {
  readonly name = 'memory'
  readonly table: EntryTable
  closed = false
  #config: MemoryConfig
  #context: StoreContext | undefined
  #refusals = 0
  readonly #givingWay = new GivingWay((bytes) => this.closed || this.table.giveWay(bytes))

  constructor(config: MemoryConfig, maxHeads: number) {
    this.#config = config
    this.table = new EntryTable({
      maxBytes: config.maxBytes,
      maxHeads,
      policy: config.policy,
      now: () => this.#context?.now() ?? 0,
      onEvict: (key, reason) => this.#context?.onEvict(key, reason),
    })
  }

  get maxItemBytes(): number {
    return this.#config.maxItemBytes
  }

  open(context: StoreContext): void {
    if (this.#context !== undefined) {
      throw new ConfigError('tiers: this memory store belongs to a cache already; make one for each cache')
    }
    this.#context = context
  }

  find(key: string, peek = false): StoredEntry | undefined {
    const entry = this.table.find(key)
    if (entry === undefined) return undefined
    const opened = new OpenEntry(entry, entry.metadata!, this.table)
    // Last, for a policy of the user's may remove the entry.
    if (!peek) this.table.touch(entry)
    return opened
  }

  draft(key: string, size: number | undefined): Draft | undefined {
    return MemoryDraft.begin(this, key, size)
  }

  setAll(values: readonly WholeValue[]): boolean {
    return this.table.quietly(() => setTogether(this, values))
  }

  revise(key: string, opened: StoredEntry, metadata: Metadata): boolean {
    const entry = this.table.find(key)
    if (entry === undefined || !(opened instanceof OpenEntry) || opened.entry !== entry) return false
    const revised = this.table.revise(entry, metadata)
    this.table.report()
    return revised
  }

  delete(key: string): boolean {
    const entry = this.table.find(key)
    if (entry !== undefined) this.table.remove(entry)
    return entry !== undefined
  }

  clear(): void {
    this.table.clear()
  }

  entries(): Iterable<readonly [string, Metadata]> {
    return this.table.scan()
  }

  configure(patch: MemoryStorePatch): StoreChange {
    this.#assertChangeable()
    const read = (): { from: MemoryConfig; to: MemoryConfig } => {
      const from = this.#config
      return { from, to: patchMemoryConfig(from, patch) }
    }
    const { from, to } = read()
    return changeOf(memoryChanges(from, to), read, (config) => this.#become(config))
  }

  #assertChangeable(): void {
    if (this.closed) throw new ClosedError('the memory store is closed; make a new one')
    this.table.assertQuiet()
  }

  /** The policy of before decides what a smaller store keeps: so that comes first. */
  #become(config: MemoryConfig): Later<void> {
    this.#assertChangeable()
    this.#config = config
    const isLatest = (): boolean => this.#config === config
    const lowered = lowerTo(
      {
        bound: () => ({
          maxBytes: this.table.maxBytes,
          bytes: this.table.ledger.total,
          entries: this.table.size,
        }),
        lower: (_, to) => {
          if (this.closed || !isLatest()) return false
          this.table.lower(to)
          return true
        },
      },
      config.maxBytes,
    )
    const finish = (): void => {
      if (!isLatest()) return
      if (this.closed)
        throw new ClosedError('the memory store was closed while it was changed; make a new one')
      this.table.configure(config.maxBytes, config.policy)
    }
    return lowered === undefined ? finish() : lowered.then(finish)
  }

  pressure(factor: number): void {
    if (this.closed) return
    this.table.press(factor)
    this.#givingWay.start()
  }

  stats(): StoreStats {
    const { ledger, size, evictions, expirations, policyFaults } = this.table
    return {
      entries: size,
      bytes: ledger.total,
      pinnedBytes: ledger.pinned,
      maxBytes: this.table.maxBytes,
      maxItemBytes: this.maxItemBytes,
      evictions,
      expirations,
      policyFaults,
      refusals: this.#refusals,
      policy: nameOfPolicy(this.#config.policy),
    }
  }

  facts(): StoreFacts {
    return memoryFacts(this.#config, false)
  }

  close(): void {
    this.closed = true
    this.#givingWay.stop()
    this.table.clear()
  }

  onRefusal(): void {
    this.#refusals += 1
  }
}

/** The js engine of `memoryStore`. At most `maxHeads` bytes of what it keeps lie on the JS heap. */
export function jsMemoryStore(config: MemoryConfig, maxHeads = halfOfHeap()): MemoryStore {
  return new JsMemoryStore(config, Math.min(maxHeads, MAX_ENTRIES * ENTRY_OVERHEAD))
}
