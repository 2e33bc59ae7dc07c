import { setImmediate as turn } from 'node:timers/promises'
import {
  type Draft,
  IN_HAND,
  type Metadata,
  type Store,
  type StoreContext,
  type StoredEntry,
  type StoreStats,
} from '../../lib/store/store.js'
import { type Gate, gate } from './gate.js'

/** What a distant store can be made to fail, or to wait, at. */
export type DistantCall =
  | 'open'
  | 'find'
  | 'read'
  | 'draft'
  | 'write'
  | 'commit'
  | 'revise'
  | 'delete'
  | 'clear'
  | 'entries'
  | 'close'

interface Kept {
  readonly bytes: Buffer
  metadata: Metadata
  opens: number
}

const ENTRY_BYTES = 256

const footprint = (metadata: Metadata): number => ENTRY_BYTES + (JSON.stringify(metadata.user)?.length ?? 0)

/**
 * A store as far away as the contract allows: everything is answered later, nothing can be read while it grows,
 * nothing is lent. It fails and hangs on demand, and is strict about how it is used: misuse is kept in `misuse`.
 */
export class DistantStore implements Store {
  readonly name = 'distant'
  readonly maxItemBytes: number
  readonly #maxBytes: number
  readonly #kept = new Map<string, Kept>()
  readonly #gates = new Map<DistantCall, Gate>()
  readonly #faults = new Map<DistantCall, Error>()
  #context: StoreContext | undefined
  #closed = false
  #evictions = 0
  #refusals = 0
  #draftBytes = 0
  #goneBytes = 0
  /** Drafts neither committed nor aborted. */
  openDrafts = 0
  /** Large entries that are open. */
  openEntries = 0
  /** Calls that the contract forbids. */
  readonly misuse: string[] = []
  readonly calls: DistantCall[] = []
  /** How a call reaches the store; a turn of the event loop unless a test says otherwise. */
  arrive: ((call: DistantCall) => Promise<unknown>) | undefined

  constructor(options: { readonly maxBytes?: number; readonly maxItemBytes?: number } = {}) {
    this.#maxBytes = options.maxBytes ?? 64 * 2 ** 20
    this.maxItemBytes = options.maxItemBytes ?? Math.floor(this.#maxBytes / 8)
  }

  /** From now on `call` waits until the gate that is returned opens. */
  hold(call: DistantCall): Gate {
    const held = gate()
    this.#gates.set(call, held)
    return held
  }

  /** From now on `call` fails, until it is mended. */
  fail(call: DistantCall): void {
    this.#faults.set(call, new Error(`injected: ${call}`))
  }

  mend(call: DistantCall): void {
    this.#faults.delete(call)
  }

  heal(): void {
    this.#faults.clear()
    for (const held of this.#gates.values()) held.open()
    this.#gates.clear()
  }

  async open(context: StoreContext): Promise<void> {
    await this.#reach('open')
    if (this.#context !== undefined) this.misuse.push('open: called twice')
    this.#context = context
  }

  async find(key: string, peek = false): Promise<StoredEntry | undefined> {
    await this.#reach('find')
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    if (!peek) {
      this.#kept.delete(key)
      this.#kept.set(key, kept)
    }
    return this.#openEntry(kept)
  }

  async draft(key: string, size: number | undefined): Promise<Draft | undefined> {
    await this.#reach('draft')
    if (size !== undefined && size > this.maxItemBytes) {
      this.#refusals += 1
      return undefined
    }
    return this.#openDraft(key)
  }

  async revise(key: string, entry: StoredEntry, metadata: Metadata): Promise<boolean> {
    await this.#reach('revise')
    const kept = this.#kept.get(key)
    if (kept === undefined || (entry as Opened).kept !== kept) return false
    kept.metadata = metadata
    return true
  }

  async delete(key: string): Promise<boolean> {
    await this.#reach('delete')
    return this.#remove(key)
  }

  async clear(): Promise<void> {
    await this.#reach('clear')
    for (const key of [...this.#kept.keys()]) this.#remove(key)
  }

  async *entries(): AsyncGenerator<readonly [string, Metadata]> {
    for (const [key, { metadata }] of [...this.#kept]) {
      await this.#reach('entries')
      if (this.#kept.has(key)) yield [key, metadata]
    }
  }

  stats(): StoreStats {
    let pinned = this.#draftBytes + this.#goneBytes
    for (const { bytes, opens } of this.#kept.values()) if (opens > 0) pinned += bytes.length
    return {
      entries: this.#kept.size,
      bytes: this.#bytes,
      pinnedBytes: pinned,
      maxBytes: this.#maxBytes,
      maxItemBytes: this.maxItemBytes,
      evictions: this.#evictions,
      expirations: 0,
      policyFaults: 0,
      refusals: this.#refusals,
    }
  }

  async close(): Promise<void> {
    await this.#reach('close')
    this.#closed = true
    for (const key of [...this.#kept.keys()]) this.#remove(key)
  }

  get #bytes(): number {
    let bytes = this.#draftBytes + this.#goneBytes
    for (const kept of this.#kept.values()) bytes += footprint(kept.metadata) + kept.bytes.length
    return bytes
  }

  async #reach(call: DistantCall): Promise<void> {
    this.calls.push(call)
    if (this.#closed && call !== 'close') this.misuse.push(`${call}: called after close`)
    await (this.arrive === undefined ? turn() : this.arrive(call))
    await this.#gates.get(call)?.opened
    const fault = this.#faults.get(call)
    if (fault !== undefined) throw fault
  }

  #remove(key: string): boolean {
    const kept = this.#kept.get(key)
    if (kept === undefined) return false
    this.#kept.delete(key)
    if (kept.opens > 0) this.#goneBytes += kept.bytes.length
    return true
  }

  #isKept(kept: Kept): boolean {
    for (const other of this.#kept.values()) if (other === kept) return true
    return false
  }

  /** Makes room by evicting what is not open, oldest first. */
  #reserve(bytes: number): boolean {
    for (const [key, kept] of this.#kept) {
      if (this.#bytes + bytes <= this.#maxBytes) return true
      if (kept.opens > 0) continue
      this.#remove(key)
      this.#evictions += 1
      this.#context?.onEvict(key, 'size')
    }
    return this.#bytes + bytes <= this.#maxBytes
  }

  #openEntry(kept: Kept): Opened {
    const large = kept.bytes.length > IN_HAND
    let open = true
    if (large) {
      kept.opens += 1
      this.openEntries += 1
    }
    return {
      kept,
      metadata: kept.metadata,
      read: async (target, position) => {
        if (large && !open) this.misuse.push('read: entry was released')
        await this.#reach('read')
        if (position >= kept.bytes.length) return 0
        // Short reads are allowed anywhere but at the end.
        return kept.bytes.copy(target, 0, position, position + Math.min(target.length, 24 * 1024))
      },
      release: () => {
        if (!open || !large) return
        open = false
        kept.opens -= 1
        this.openEntries -= 1
        if (kept.opens === 0 && !this.#isKept(kept)) this.#goneBytes -= kept.bytes.length
      },
    }
  }

  #openDraft(key: string): Draft {
    const chunks: Buffer[] = []
    let size = 0
    let state: 'open' | 'committing' | 'over' = 'open'
    let writing = false
    this.openDrafts += 1
    const end = (): void => {
      if (state === 'over') return
      state = 'over'
      this.openDrafts -= 1
      this.#draftBytes -= size
    }
    return {
      write: async (chunk) => {
        if (state !== 'open') this.misuse.push(`write: draft is ${state}`)
        if (writing) this.misuse.push('write: another write is pending')
        writing = true
        try {
          await this.#reach('write')
        } finally {
          writing = false
        }
        // Taken only now: whoever changes the bytes before the promise settles changes the value.
        if (state === 'over') return false
        if (size + chunk.length > this.maxItemBytes || !this.#reserve(chunk.length)) {
          this.#refusals += 1
          return false
        }
        chunks.push(Buffer.from(chunk))
        size += chunk.length
        this.#draftBytes += chunk.length
        return true
      },
      commit: async (metadata) => {
        if (state !== 'open') this.misuse.push(`commit: draft is ${state}`)
        if (writing) this.misuse.push('commit: a write is pending')
        if (metadata.size !== size) this.misuse.push(`commit: ${metadata.size} said, ${size} written`)
        const aborted = state === 'over'
        if (state === 'open') state = 'committing'
        try {
          await this.#reach('commit')
        } catch (error) {
          end()
          throw error
        }
        end()
        if (aborted || this.#closed || !this.#reserve(size + footprint(metadata))) return false
        this.#remove(key)
        this.#kept.set(key, { bytes: Buffer.concat(chunks), metadata, opens: 0 })
        return true
      },
      abort: () => {
        if (state === 'open') end()
      },
    }
  }
}

interface Opened extends StoredEntry {
  readonly kept: Kept
}
