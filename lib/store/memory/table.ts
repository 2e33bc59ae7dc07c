import type { EvictReason, Metadata } from '../store.js'
import { type Entry, headBytesOf, ownKey } from './entry.js'
import { Ledger } from './ledger.js'
import { Recency } from './recency.js'

/**
 * The entries of a memory store, and the room that they and the drafts share.
 *
 * Invariants: `#entries` and `#recency` hold the same entries, each owned as an entry in the ledger; evicted keys are
 * reported once, after the change that evicted them is made, so that a callback which calls the store finds it whole.
 */
export class EntryTable {
  readonly ledger: Ledger
  evictions = 0
  readonly #entries = new Map<string, Entry>()
  readonly #recency = new Recency<Entry>()
  readonly #onEvict: (key: string, reason: EvictReason) => void
  #evicted: string[] = []
  #reporting = false
  /** Keys that came into the Map so far. */
  #slots = 0

  constructor(maxBytes: number, maxHeads: number, onEvict: (key: string, reason: EvictReason) => void) {
    this.ledger = new Ledger(maxBytes, maxHeads)
    this.#onEvict = onEvict
  }

  get size(): number {
    return this.#entries.size
  }

  find(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  touch(entry: Entry): void {
    this.#recency.touch(entry)
  }

  /** Makes the draft the entry of its key, with `metadata`; false when there is no room for them. */
  publish(draft: Entry, metadata: Metadata): boolean {
    const { ledger } = this
    if (draft.holds === 0) ledger.charge(draft, -draft.value.compact())
    const more = headBytesOf(draft.key, metadata) - draft.headBytes
    if (!this.makeRoom(more, more)) return false
    ledger.chargeHead(draft, more)
    const before = this.#entries.get(draft.key)
    if (before === undefined) {
      this.#slots += 1
      draft.slot = this.#slots
      draft.key = ownKey(draft.key)
    } else {
      // Overwriting keeps the key's place in the Map, so that a scan does not meet it twice.
      draft.slot = before.slot
      draft.key = before.key
      this.#disown(before)
    }
    draft.metadata = metadata
    this.#entries.set(draft.key, draft)
    this.#recency.add(draft)
    ledger.commit(draft)
    return true
  }

  /** Replaces the metadata of an entry of the table; false when there is no room for them. */
  revise(entry: Entry, metadata: Metadata): boolean {
    const { ledger } = this
    const more = headBytesOf(entry.key, metadata) - entry.headBytes
    // Held, so that making room for a longer head does not evict the entry itself.
    ledger.hold(entry)
    const ok = this.makeRoom(more, more)
    if (ok) {
      ledger.chargeHead(entry, more)
      entry.metadata = metadata
    }
    this.release(entry)
    return ok
  }

  remove(entry: Entry): void {
    this.#entries.delete(entry.key)
    this.#disown(entry)
  }

  clear(): void {
    for (const entry of this.#entries.values()) this.remove(entry)
  }

  /** Ends one hold of the ledger; the last one gives back what was kept only for readers. */
  release(entry: Entry): void {
    this.ledger.release(entry)
    if (entry.holds === 0 && entry.owner === 'entry') this.ledger.charge(entry, -entry.value.compact())
  }

  /** Keys and metadata of the keys that are there when the scan begins: one that follows keys set meanwhile might never end. */
  *scan(): Generator<readonly [string, Metadata], void, undefined> {
    const last = this.#slots
    for (const [key, entry] of this.#entries) {
      if (entry.slot > last) return
      yield [key, entry.metadata!]
    }
  }

  /**
   * Evicts until `bytes` more fit, of which `headBytes` lie on the JS heap. False when they cannot.
   *
   * An entry that is held gives no bytes back and is in use: it counts as used now, so that those which are
   * read for long are not looked at again and again.
   */
  makeRoom(bytes: number, headBytes: number): boolean {
    const { ledger } = this
    if (!ledger.couldFit(bytes)) return false
    let spared: Entry | undefined
    while (!ledger.fits(bytes, headBytes)) {
      const entry = this.#recency.oldest
      if (entry === undefined || entry === spared) return false
      if (entry.holds > 0) {
        spared ??= entry
        this.#recency.touch(entry)
        continue
      }
      this.remove(entry)
      this.evictions += 1
      this.#evicted.push(entry.key)
    }
    return true
  }

  /** Tells of the evictions since the last report. Those that callbacks cause are told by the next one, so that callbacks never nest. */
  report(): void {
    if (this.#evicted.length === 0 || this.#reporting) return
    const evicted = this.#evicted
    this.#evicted = []
    this.#reporting = true
    try {
      for (const key of evicted) this.#onEvict(key, 'size')
    } finally {
      this.#reporting = false
    }
  }

  #disown(entry: Entry): void {
    this.#recency.remove(entry)
    this.ledger.drop(entry)
  }
}
