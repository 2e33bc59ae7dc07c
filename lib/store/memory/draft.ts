import type { Draft, GrowingReads, Metadata } from '../store.js'
import { type Entry, headBytesOf } from './entry.js'
import type { EntryTable } from './table.js'
import { Value } from './value.js'

/** What a draft needs of its store. */
export interface DraftHost {
  readonly table: EntryTable
  readonly maxItemBytes: number
  readonly closed: boolean
  /** A draft was refused, or given up, for want of room or for size. */
  onRefusal(): void
}

/**
 * An entry that is being written.
 *
 * Invariant: `#entry` is owned as a draft exactly while `#open`; its head is charged from the beginning, so that drafts
 * without a byte count too.
 */
export class MemoryDraft implements Draft, GrowingReads {
  readonly #host: DraftHost
  readonly #entry: Entry
  #open = true
  #refused = false

  private constructor(host: DraftHost, entry: Entry) {
    this.#host = host
    this.#entry = entry
  }

  /** Undefined when the store has no room for a value of `size` bytes, or for none at all. */
  static begin(host: DraftHost, key: string, size: number | undefined): MemoryDraft | undefined {
    const { table, maxItemBytes, closed } = host
    const headBytes = headBytesOf(key, undefined)
    const bytes = headBytes + Value.costOf(size ?? 0)
    if (closed) return undefined
    if (
      (size ?? 0) > maxItemBytes ||
      !table.ledger.couldFit(bytes) ||
      !table.makeRoom(headBytes, headBytes)
    ) {
      host.onRefusal()
      return undefined
    }
    const entry: Entry = {
      key,
      value: new Value(size),
      metadata: undefined,
      slot: 0,
      size: 0,
      headBytes: 0,
      holds: 0,
      owner: 'draft',
      mark: 0,
      hash: 0,
      newer: undefined,
      older: undefined,
      sooner: undefined,
      later: undefined,
    }
    table.ledger.chargeHead(entry, headBytes)
    table.report()
    return new MemoryDraft(host, entry)
  }

  get growing(): GrowingReads {
    return this
  }

  write(chunk: Uint8Array): boolean {
    if (!this.#open) return false
    const { table, maxItemBytes } = this.#host
    const { value, holds } = this.#entry
    const viewed = holds > 0
    const fits =
      value.size + chunk.length <= maxItemBytes && table.makeRoom(value.growth(chunk.length, viewed), 0)
    // Making room may have run a policy of the user's, and that may have ended this.
    const taken = fits && this.#open && this.#append(chunk, viewed)
    table.report()
    return taken || this.#refuse()
  }

  commit(metadata: Metadata): boolean {
    if (!this.#open) return false
    const { table, closed } = this.#host
    const committed = !closed && table.publish(this.#entry, metadata)
    if (committed) this.#open = false
    else this.abort()
    table.report()
    return committed || this.#refuse()
  }

  abort(): void {
    if (this.#open) this.#host.table.ledger.drop(this.#entry)
    this.#open = false
  }

  read(target: Uint8Array, position: number): number {
    return this.#entry.value.read(target, position)
  }

  view(position: number): Uint8Array {
    return this.#entry.value.view(position)
  }

  hold(): () => void {
    const { table } = this.#host
    const entry = this.#entry
    table.ledger.hold(entry)
    let held = true
    return () => {
      if (held) table.release(entry)
      held = false
    }
  }

  #append(chunk: Uint8Array, viewed: boolean): boolean {
    const { value } = this.#entry
    const before = value.allocated
    try {
      value.append(chunk, viewed)
      return true
    } catch {
      // The system has no memory, though the bound would have: refused, as by a full store.
      return false
    } finally {
      this.#host.table.ledger.charge(this.#entry, value.allocated - before)
    }
  }

  #refuse(): false {
    if (!this.#refused) this.#host.onRefusal()
    this.#refused = true
    return false
  }
}
