import type { Metadata, StoredEntry } from '../../store.js'
import type { NativeStore } from './host.js'

/** An entry that was found, and which one of its key it is. */
export interface FoundEntry extends StoredEntry {
  readonly version: number
}

/** A small value, copied: it holds nothing (S7). */
export class CopiedEntry implements FoundEntry {
  readonly metadata: Metadata
  readonly version: number
  readonly #bytes: Buffer

  constructor(metadata: Metadata, version: number, bytes: Buffer) {
    this.metadata = metadata
    this.version = version
    this.#bytes = bytes
  }

  read(target: Uint8Array, position: number): number {
    if (position >= this.#bytes.length) return 0
    return this.#bytes.copy(target, 0, position)
  }

  view(position: number): Buffer {
    return position === 0 ? this.#bytes : this.#bytes.subarray(position)
  }

  own(): Buffer {
    return this.#bytes
  }

  release(): void {
    // Its memory is nobody else's.
  }
}

/** A large value, pinned in the store until it is released. */
export class PinnedEntry implements FoundEntry {
  readonly metadata: Metadata
  readonly version: number
  readonly #store: NativeStore
  readonly #handle: number
  #open = true

  constructor(metadata: Metadata, version: number, handle: number, store: NativeStore) {
    this.metadata = metadata
    this.version = version
    this.#handle = handle
    this.#store = store
    store.pin()
  }

  read(target: Uint8Array, position: number): number {
    if (!this.#open) return 0
    return this.#store.thread.addon.entryRead(this.#handle, target, position)
  }

  view(position: number): Uint8Array {
    const { thread, id, spans } = this.#store
    if (!this.#open) return NOTHING
    thread.addon.entryView(id, this.#handle, position)
    return spans.view(thread.numbers) ?? copyFrom(this, position, this.metadata.size)
  }

  release(): void {
    if (!this.#open) return
    this.#open = false
    this.#store.thread.addon.entryClose(this.#handle)
    this.#store.unpin()
  }
}

const NOTHING = Buffer.alloc(0)
const COPIED_AT_ONCE = 64 * 1024

/** Some bytes from `position` on, for an engine that lends no memory of others. */
export function copyFrom(from: Pick<StoredEntry, 'read'>, position: number, size: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(Math.min(COPIED_AT_ONCE, size - position))
  return copy.subarray(0, from.read(copy, position) as number)
}
