import { CLAIMED, FLIGHT, STORED } from '../../../native/addon.js'
import { HANDLE } from '../../../native/numbers.js'
import type {
  Draft,
  FlightState,
  FollowedFlight,
  LedFlight,
  Metadata,
  Sharing,
  StoredEntry,
} from '../../store.js'
import { DraftReads, NativeDraft } from './draft.js'
import type { FoundEntry } from './entry.js'
import type { NativeStore } from './host.js'
import { userText, writeMetadata } from './metadata.js'
import { ALONE } from './news.js'

/** What the threads that have a store open share of it. */
export class NativeSharing implements Sharing {
  readonly #store: NativeStore

  constructor(store: NativeStore) {
    this.#store = store
  }

  claim(key: string, seen: StoredEntry | undefined, alone: boolean): LedFlight | FollowedFlight | 'look' {
    const store = this.#store
    const { thread, id } = store
    const version = (seen as FoundEntry | undefined)?.version ?? 0
    // A flight takes memory, too, and may push the store over its bound.
    store.beforeChange()
    const claimed = thread.addon.flightClaim(id, key, version, alone)
    const handle = thread.numbers[HANDLE]!
    const flight =
      claimed === CLAIMED.look
        ? 'look'
        : claimed === CLAIMED.lead
          ? new Led(handle, store)
          : new Followed(handle, store)
    store.afterChange()
    return flight
  }
}

/** Invariant: the addon's flight is open until the flight is over, and then closed once. */
class Led implements LedFlight {
  readonly leads = true
  readonly #store: NativeStore
  readonly #handle: number
  #token: number | undefined
  #over = false

  constructor(handle: number, store: NativeStore) {
    this.#handle = handle
    this.#store = store
    store.pin()
  }

  get followers(): number {
    return this.#over ? 0 : this.#store.thread.addon.flightFollowers(this.#handle)
  }

  get wanted(): boolean {
    return !this.#over && this.#store.thread.addon.flightWanted(this.#handle)
  }

  get fenced(): boolean {
    return this.#over || this.#store.thread.addon.flightFenced(this.#handle)
  }

  onAlone(callback: () => void): void {
    if (this.#over) return
    const { news, addon } = this.#store.thread
    if (this.#token !== undefined) news.forget(this.#token)
    this.#token = news.receive((events) => {
      if ((events & ALONE) !== 0 && !this.#over) callback()
    })
    addon.flightLead(this.#handle, this.#token)
  }

  draft(size: number | undefined): Draft | undefined {
    if (this.#over) return undefined
    const store = this.#store
    store.beforeChange()
    const handle = store.thread.addon.flightDraft(store.id, this.#handle, size)
    store.afterChange()
    if (handle >= 0) return new NativeDraft(handle, store, () => this.#end())
    store.onRefusal()
    return undefined
  }

  grow(draft: Draft, note: string): void {
    if (this.#over) return
    this.#store.thread.addon.flightGrow(this.#handle, (draft as NativeDraft).growing.handle, note)
  }

  atEnd(note: string): void {
    if (!this.#over) this.#store.thread.addon.flightAtEnd(this.#handle, note)
  }

  set(bytes: Uint8Array, metadata: Metadata): boolean | 'fenced' {
    if (this.#over) return false
    const { thread, id } = this.#store
    return this.#change(metadata, () =>
      thread.addon.flightSet(id, this.#handle, bytes, metadata.etag, userText(metadata)),
    )
  }

  revise(entry: StoredEntry, metadata: Metadata): boolean | 'fenced' {
    if (this.#over) return false
    const { thread, id } = this.#store
    const { version } = entry as FoundEntry
    return this.#change(metadata, () =>
      thread.addon.flightRevise(id, this.#handle, version, metadata.etag, userText(metadata)),
    )
  }

  end(note: string): void {
    if (this.#over) return
    this.#store.thread.addon.flightEnd(this.#handle, note)
    this.#end()
  }

  #change(metadata: Metadata, change: () => number): boolean | 'fenced' {
    const store = this.#store
    if (store.closed) return false
    store.beforeChange()
    writeMetadata(metadata, store.thread.numbers)
    const stored = change()
    if (stored === STORED.done) this.#end()
    store.afterChange()
    if (stored === STORED.noRoom || stored === STORED.tooLarge) store.onRefusal()
    return stored === STORED.fenced ? 'fenced' : stored === STORED.done
  }

  #end(): void {
    if (this.#over) return
    this.#over = true
    if (this.#token !== undefined) this.#store.thread.news.forget(this.#token)
    this.#store.thread.addon.flightClose(this.#handle)
    this.#store.unpin()
  }
}

/** Invariant: it is left once; the share of the body that it opened is let go then. */
class Followed implements FollowedFlight {
  readonly leads = false
  readonly #store: NativeStore
  readonly #handle: number
  readonly #token: number
  #callback: (() => void) | undefined
  #untold = false
  #body: DraftReads | undefined
  #left = false

  constructor(handle: number, store: NativeStore) {
    this.#handle = handle
    this.#store = store
    const { news, addon } = store.thread
    store.pin()
    this.#token = news.receive(() => {
      if (this.#callback === undefined) this.#untold = true
      else this.#callback()
    })
    // From here on nothing that happens is missed.
    addon.flightFollow(handle, this.#token)
  }

  get fenced(): boolean {
    return this.#left || this.#store.thread.addon.flightFenced(this.#handle)
  }

  look(): FlightState {
    const { addon, numbers } = this.#store.thread
    if (this.#left) return { kind: 'lost', size: 0 }
    const state = addon.flightLook(this.#handle, this.#body === undefined)
    const handle = numbers[HANDLE]!
    if (handle >= 0) this.#body = new DraftReads(handle, this.#store)
    const size = this.#body?.size ?? 0
    switch (state) {
      case FLIGHT.asking:
        return { kind: 'asking' }
      case FLIGHT.growing:
        return { kind: 'growing', note: addon.flightNote(), growing: this.#body!, size }
      case FLIGHT.committed:
        return { kind: 'committed', size }
      case FLIGHT.answered:
        return { kind: 'ended', note: addon.flightNote(), size }
      default:
        return { kind: 'lost', size }
    }
  }

  onNews(callback: () => void): void {
    this.#callback = callback
    if (!this.#untold) return
    this.#untold = false
    queueMicrotask(() => {
      if (!this.#left) this.#callback?.()
    })
  }

  leave(wanted: boolean): void {
    if (this.#left) return
    this.#left = true
    const { news, addon } = this.#store.thread
    news.forget(this.#token)
    addon.flightLeave(this.#handle, this.#token, wanted)
    this.#body?.letGo()
    this.#store.unpin()
  }
}
