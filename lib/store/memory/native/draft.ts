import { DRAFT } from '../../../native/addon.js'
import type { Draft, GrowingReads, Metadata } from '../../store.js'
import { copyFrom } from './entry.js'
import type { NativeStore } from './host.js'
import { insist } from './insist.js'
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
  readonly #onEnd: ((committed: boolean) => void) | undefined
  #open = true
  #refused = false

  /** `onEnd` is called when it was committed or aborted, before any listener hears of what left for it. */
  constructor(handle: number, store: NativeStore, onEnd?: (committed: boolean) => void) {
    this.growing = new DraftReads(handle, store)
    this.#store = store
    this.#onEnd = onEnd
  }

  write(chunk: Uint8Array): boolean {
    if (!this.#open) return false
    const store = this.#store
    if (store.refusesNow()) return false
    const { addon } = store.thread
    const { handle } = this.growing
    store.beforeChange()
    const outcome = store.hosted
      ? insist(store, (again) => (this.#open ? addon.draftWrite(handle, chunk, again) : DRAFT.ended))
      : addon.draftWrite(handle, chunk, false)
    store.afterChange()
    return outcome === DRAFT.done || this.#refuse()
  }

  commit(metadata: Metadata): boolean {
    if (!this.#open) return false
    const store = this.#store
    if (store.closed || store.refusesNow()) {
      this.abort()
      return false
    }
    const { addon, numbers } = store.thread
    const user = userText(metadata)
    const commit = (again: boolean): number => {
      // A policy that was asked for room may have ended it.
      if (!this.#open) return DRAFT.ended
      writeMetadata(metadata, numbers)
      return addon.draftCommit(this.growing.handle, metadata.etag, user, again)
    }
    store.beforeChange()
    const outcome = store.hosted ? insist(store, commit) : commit(false)
    this.fenced = outcome === DRAFT.fenced
    this.#end(outcome === DRAFT.done)
    store.afterChange()
    return outcome === DRAFT.done || (outcome === DRAFT.noRoom && this.#refuse())
  }

  get handle(): number {
    return this.growing.handle
  }

  /** It was to be committed together with others. */
  settle(committed: boolean): void {
    if (committed) this.#end(true)
    else this.abort()
  }

  abort(): void {
    if (!this.#open) return
    this.#store.thread.addon.draftAbort(this.growing.handle)
    this.#end(false)
  }

  #end(committed: boolean): void {
    if (!this.#open) return
    this.#open = false
    this.growing.letGo()
    this.#onEnd?.(committed)
  }

  #refuse(): false {
    if (!this.#refused) this.#store.onRefusal()
    this.#refused = true
    return false
  }
}
