import { DRAFT } from '../../../native/addon.js'
import type { Draft, GrowingReads, Metadata } from '../../store.js'
import { copyFrom } from './entry.js'
import type { NativeStore } from './host.js'
import { userText, writeMetadata } from './metadata.js'

/**
 * The bytes of a draft, for who reads them while it grows.
 *
 * Invariant: the addon's share of the draft is closed once: when nobody holds it and it was let go.
 */
export class DraftReads implements GrowingReads {
  readonly handle: number
  readonly #store: NativeStore
  #holds = 0
  #letGo = false
  #closed = false

  constructor(handle: number, store: NativeStore) {
    this.handle = handle
    this.#store = store
    store.pin()
  }

  get size(): number {
    return this.#closed ? 0 : this.#store.thread.addon.draftSize(this.handle)
  }

  read(target: Uint8Array, position: number): number {
    return this.#closed ? 0 : this.#store.thread.addon.draftRead(this.handle, target, position)
  }

  view(position: number): Uint8Array {
    if (this.#closed) return NOTHING
    const { thread, id, spans } = this.#store
    thread.addon.draftView(id, this.handle, position)
    return spans.view(thread.numbers) ?? copyFrom(this, position, this.size)
  }

  hold(): () => void {
    if (this.#closed) throw new Error('a draft is held while it is open or held, not after')
    this.#holds += 1
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#holds -= 1
      this.#closeIfDone()
    }
  }

  /** Who opened it needs it no more; those who hold it do. */
  letGo(): void {
    this.#letGo = true
    this.#closeIfDone()
  }

  #closeIfDone(): void {
    if (this.#closed || !this.#letGo || this.#holds > 0) return
    this.#closed = true
    this.#store.thread.addon.draftClose(this.handle)
    this.#store.unpin()
  }
}

const NOTHING = Buffer.alloc(0)

/** An entry that is being written. */
export class NativeDraft implements Draft {
  readonly growing: DraftReads
  fenced = false
  readonly #store: NativeStore
  readonly #onEnd: (() => void) | undefined
  #open = true
  #refused = false

  /** `onEnd` is called when it was committed or aborted. */
  constructor(handle: number, store: NativeStore, onEnd?: () => void) {
    this.growing = new DraftReads(handle, store)
    this.#store = store
    this.#onEnd = onEnd
  }

  write(chunk: Uint8Array): boolean {
    if (!this.#open) return false
    const store = this.#store
    store.beforeChange()
    const outcome = store.thread.addon.draftWrite(this.growing.handle, chunk)
    store.afterChange()
    return outcome === DRAFT.done || this.#refuse()
  }

  commit(metadata: Metadata): boolean {
    if (!this.#open) return false
    const store = this.#store
    if (store.closed) {
      this.abort()
      return false
    }
    const { addon, numbers } = store.thread
    store.beforeChange()
    writeMetadata(metadata, numbers)
    const outcome = addon.draftCommit(this.growing.handle, metadata.etag, userText(metadata))
    this.fenced = outcome === DRAFT.fenced
    this.#end()
    store.afterChange()
    return outcome === DRAFT.done || (outcome === DRAFT.noRoom && this.#refuse())
  }

  abort(): void {
    if (!this.#open) return
    this.#store.thread.addon.draftAbort(this.growing.handle)
    this.#end()
  }

  #end(): void {
    this.#open = false
    this.growing.letGo()
    this.#onEnd?.()
  }

  #refuse(): false {
    if (!this.#refused) this.#store.onRefusal()
    this.#refused = true
    return false
  }
}
