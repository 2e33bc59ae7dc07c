import { getHeapStatistics } from 'node:v8'
import { ConfigError } from '../../errors.js'
import {
  type Draft,
  IN_HAND,
  type Metadata,
  type Store,
  type StoreContext,
  type StoredEntry,
  type StoreStats,
} from '../store.js'
import { type DraftHost, MemoryDraft } from './draft.js'
import { ENTRY_OVERHEAD, type Entry } from './entry.js'
import { EntryTable } from './table.js'

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

/** The memory store in plain TypeScript: least recently used, values in chunks off the JS heap. */
class JsMemoryStore implements Store, DraftHost {
  readonly name = 'memory'
  readonly maxItemBytes: number
  readonly table: EntryTable
  closed = false
  #context: StoreContext | undefined
  #refusals = 0

  constructor(maxBytes: number, maxItemBytes: number, maxHeads: number) {
    this.maxItemBytes = maxItemBytes
    this.table = new EntryTable(maxBytes, maxHeads, (key, reason) => this.#context?.onEvict(key, reason))
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
    if (!peek) this.table.touch(entry)
    return new OpenEntry(entry, entry.metadata!, this.table)
  }

  draft(key: string, size: number | undefined): Draft | undefined {
    return MemoryDraft.begin(this, key, size)
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

  stats(): StoreStats {
    const { ledger, size, evictions } = this.table
    return {
      entries: size,
      bytes: ledger.total,
      pinnedBytes: ledger.pinned,
      maxBytes: ledger.maxBytes,
      maxItemBytes: this.maxItemBytes,
      evictions,
      refusals: this.#refusals,
    }
  }

  close(): void {
    this.closed = true
    this.table.clear()
  }

  onRefusal(): void {
    this.#refusals += 1
  }
}

// A Map refuses its 2^24th key, and under churn, with deleted keys not yet swept out, the 2^23rd.
const MAX_ENTRIES = 2 ** 23

/** Half of what the JS heap may become: V8 ends the process that passes its limit, and the application needs some too. */
function halfOfHeap(): number {
  return Math.floor(getHeapStatistics().heap_size_limit / 2)
}

/** The js engine of `memoryStore`. At most `maxHeads` bytes of what it keeps lie on the JS heap. */
export function jsMemoryStore(maxBytes: number, maxItemBytes: number, maxHeads = halfOfHeap()): Store {
  return new JsMemoryStore(maxBytes, maxItemBytes, Math.min(maxHeads, MAX_ENTRIES * ENTRY_OVERHEAD))
}
