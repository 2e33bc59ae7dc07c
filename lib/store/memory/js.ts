import { ConfigError } from '../../errors.js'
import {
  type Draft,
  type GrowingReads,
  IN_HAND,
  type Metadata,
  type Store,
  type StoreContext,
  type StoredEntry,
  type StoreStats,
} from '../store.js'
import { Ledger } from './ledger.js'
import { type Linked, Recency } from './recency.js'
import { Value } from './value.js'

/** What an entry costs beside key, metadata and value: its object, list links, the slot of the Map. Measured by `npm run bench:micro -- memory-overhead`. */
const ENTRY_OVERHEAD = 320

/** A committed entry. */
interface Entry extends Linked<Entry> {
  readonly key: string
  readonly value: Value
  metadata: Metadata
  /** What key and metadata cost. */
  headBytes: number
}

const utf16 = (text: string | undefined): number => (text === undefined ? 0 : 2 * text.length)

/** Bytes of an entry beside its value. The user's JSON lives as objects, which take about four times the text. */
function headBytesOf(key: string, metadata: Metadata): number {
  const user = metadata.user === undefined ? 0 : 4 * JSON.stringify(metadata.user).length
  return ENTRY_OVERHEAD + utf16(key) + utf16(metadata.etag) + user
}

/** An entry opened for reading. Small values are only referred to (S7); larger ones are held in the ledger. */
class OpenEntry implements StoredEntry {
  readonly metadata: Metadata
  readonly entry: Entry
  #ledger: Ledger | undefined

  constructor(entry: Entry, ledger: Ledger) {
    this.entry = entry
    this.metadata = entry.metadata
    if (entry.value.size > IN_HAND) {
      ledger.hold(entry.value)
      this.#ledger = ledger
    }
  }

  read(target: Uint8Array, position: number): number {
    return this.entry.value.read(target, position)
  }

  view(position: number): Uint8Array {
    return this.entry.value.view(position)
  }

  release(): void {
    this.#ledger?.release(this.entry.value)
    this.#ledger = undefined
  }
}

/**
 * The memory store in plain TypeScript: least recently used, values in chunks off the JS heap.
 *
 * Invariants: `#entries` and `#recency` hold the same entries; each of their values is committed in the ledger;
 * the ledger's total is at most `maxBytes` at all times.
 */
class JsMemoryStore implements Store {
  readonly name = 'memory'
  readonly maxItemBytes: number
  readonly #ledger: Ledger
  readonly #entries = new Map<string, Entry>()
  readonly #recency = new Recency<Entry>()
  #context: StoreContext | undefined
  #evictions = 0
  #refusals = 0

  constructor(maxBytes: number, maxItemBytes: number) {
    this.maxItemBytes = maxItemBytes
    this.#ledger = new Ledger(maxBytes)
  }

  open(context: StoreContext): void {
    if (this.#context !== undefined) {
      throw new ConfigError('tiers: this memory store belongs to a cache already; make one for each cache')
    }
    this.#context = context
  }

  find(key: string, peek = false): StoredEntry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (!peek) this.#recency.touch(entry)
    return new OpenEntry(entry, this.#ledger)
  }

  draft(key: string, size: number | undefined): Draft | undefined {
    if (size !== undefined && size > this.maxItemBytes) {
      this.#refusals += 1
      return undefined
    }
    return this.#draft(key, new Value(size))
  }

  revise(key: string, opened: StoredEntry, metadata: Metadata): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined || !(opened instanceof OpenEntry) || opened.entry !== entry) return false
    const headBytes = headBytesOf(key, metadata)
    // Made the newest first, so that making room for a longer head does not evict the entry itself.
    this.#recency.touch(entry)
    if (!this.#reserve(headBytes - entry.headBytes) || this.#entries.get(key) !== entry) return false
    this.#ledger.charge(headBytes - entry.headBytes)
    entry.headBytes = headBytes
    entry.metadata = metadata
    return true
  }

  delete(key: string): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    this.#remove(entry)
    return true
  }

  clear(): void {
    for (const entry of this.#entries.values()) this.#remove(entry)
  }

  *entries(): Iterable<readonly [string, Metadata]> {
    for (const [key, entry] of this.#entries) yield [key, entry.metadata]
  }

  stats(): StoreStats {
    return {
      entries: this.#entries.size,
      bytes: this.#ledger.total,
      pinnedBytes: this.#ledger.pinned,
      maxBytes: this.#ledger.maxBytes,
      maxItemBytes: this.maxItemBytes,
      evictions: this.#evictions,
      refusals: this.#refusals,
    }
  }

  close(): void {
    this.clear()
  }

  #draft(key: string, value: Value): Draft {
    let open = true
    this.#ledger.begin(value)
    const growing: GrowingReads = {
      read: (target, position) => value.read(target, position),
      view: (position) => value.view(position),
      hold: () => {
        this.#ledger.hold(value)
        let held = true
        return () => {
          if (held) this.#ledger.release(value)
          held = false
        }
      },
    }
    const refuse = (): false => {
      this.#refusals += 1
      return false
    }
    const abort = (): void => {
      if (open) this.#ledger.drop(value)
      open = false
    }
    return {
      growing,
      abort,
      write: (chunk) => {
        if (!open || value.size + chunk.length > this.maxItemBytes) return refuse()
        const growth = value.growth(chunk.length)
        if (!this.#reserve(growth)) return refuse()
        value.append(chunk)
        this.#ledger.charge(growth, value)
        return true
      },
      commit: (metadata) => {
        if (!open) return false
        this.#ledger.charge(-value.trim(), value)
        const headBytes = headBytesOf(key, metadata)
        if (!this.#reserve(headBytes)) {
          abort()
          return refuse()
        }
        open = false
        const before = this.#entries.get(key)
        if (before !== undefined) this.#disown(before)
        const entry: Entry = { key, value, metadata, headBytes, newer: undefined, older: undefined }
        // Overwriting keeps the key's place in the Map, so that a scan does not meet it twice.
        this.#entries.set(key, entry)
        this.#recency.add(entry)
        this.#ledger.charge(headBytes)
        this.#ledger.commit(value)
        return true
      },
    }
  }

  /** Evicts until `bytes` more fit. False when they cannot, mostly without having evicted in vain. */
  #reserve(bytes: number): boolean {
    if (!this.#ledger.couldFit(bytes)) return false
    let entry = this.#recency.oldest
    while (!this.#ledger.fits(bytes) && entry !== undefined) {
      const next = entry.newer
      // A held entry gives no bytes back, and is in use: it stays.
      if (entry.value.holds === 0) {
        this.#remove(entry)
        this.#evictions += 1
        this.#context?.onEvict(entry.key, 'size')
      }
      entry = next
    }
    return this.#ledger.fits(bytes)
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.key)
    this.#disown(entry)
  }

  #disown(entry: Entry): void {
    this.#recency.remove(entry)
    this.#ledger.charge(-entry.headBytes)
    this.#ledger.drop(entry.value)
  }
}

/** The js engine of `memoryStore`. */
export function jsMemoryStore(maxBytes: number, maxItemBytes: number): Store {
  return new JsMemoryStore(maxBytes, maxItemBytes)
}
