import type {
  Draft,
  FlightState,
  FollowedFlight,
  LedFlight,
  Metadata,
  StoredEntry,
} from '../../lib/store/store.js'
import { SharedDraft, SharedReads } from './shared-draft.js'
import type { Flight } from './shared-pass.js'
import type { SharedCall, SharedStore } from './shared-store.js'

/** What the thread has that calls the origin. */
export class Led implements LedFlight {
  readonly leads = true
  readonly #flight: Flight

  constructor(flight: Flight) {
    this.#flight = flight
  }

  get followers(): number {
    return this.#flight.followers.size
  }

  get wanted(): boolean {
    return this.#flight.wanted
  }

  get fenced(): boolean {
    return this.#flight.fenced
  }

  onAlone(callback: () => void): void {
    this.#flight.onAlone = callback
  }

  draft(size: number | undefined): Draft | undefined {
    this.#reach('draft')
    return SharedDraft.begin(this.#flight.key, size, this.#flight.owner, this.#flight)
  }

  grow(draft: Draft, note: string): void {
    this.#reach('grow')
    const flight = this.#flight
    const { pass, over } = draft as SharedDraft
    if (pass !== flight) flight.owner.misused('grow: the draft is of another flight')
    if (over) flight.owner.misused('grow: the draft is over')
    if (flight.draft !== undefined) flight.owner.misused('grow: called twice')
    flight.draft = draft as SharedDraft
    flight.state = 'growing'
    flight.note = note
    flight.tell()
  }

  atEnd(note: string): void {
    this.#reach('atEnd')
    this.#flight.atEnd = note
  }

  set(bytes: Uint8Array, metadata: Metadata): boolean | 'fenced' {
    this.#reach('set')
    return this.#change(({ owner, key }) => owner.put(key, bytes, metadata))
  }

  revise(entry: StoredEntry, metadata: Metadata): boolean | 'fenced' {
    this.#reach('revise')
    return this.#change(({ owner, key }) => owner.revise(key, entry, metadata))
  }

  end(note: string): void {
    const { owner } = this.#flight
    if (owner.dead) return
    owner.reach('end')
    if (typeof note !== 'string') owner.misused(`end: ${typeof note} is no note`)
    this.#flight.finish('ended', note)
  }

  #change(change: (flight: Flight) => boolean): boolean | 'fenced' {
    const flight = this.#flight
    if (flight.fenced) return 'fenced'
    if (!change(flight)) return false
    flight.owner.memory.fenceFills(flight.key, flight.order)
    flight.finish('committed')
    return true
  }

  #reach(call: SharedCall): void {
    const { owner, over } = this.#flight
    owner.reach(call)
    if (over) owner.misused(`${call}: the flight is over`)
  }
}

/** What a thread has that waits for another's call. */
export class Followed implements FollowedFlight {
  readonly leads = false
  readonly flight: Flight
  readonly #store: SharedStore
  #callback: (() => void) | undefined
  #told = true
  #growing: SharedReads | undefined

  constructor(flight: Flight, store: SharedStore) {
    this.flight = flight
    this.#store = store
    flight.followers.add(this)
    store.followed.add(this)
  }

  get fenced(): boolean {
    this.#assertFollows('fenced')
    return this.flight.fenced
  }

  look(): FlightState {
    this.#store.reach('look')
    this.#assertFollows('look')
    const { state, note, draft, size } = this.flight
    switch (state) {
      case 'asking':
        return { kind: 'asking' }
      case 'growing':
        this.#growing ??= new SharedReads(draft!, this.#store)
        return { kind: 'growing', note, growing: this.#growing, size }
      case 'ended':
        return { kind: 'ended', note, size }
      default:
        return { kind: state, size }
    }
  }

  onNews(callback: () => void): void {
    this.#assertFollows('onNews')
    this.#callback = callback
  }

  leave(wanted: boolean): void {
    if (this.#store.dead) return
    this.#assertFollows('leave')
    this.#store.reach('leave')
    this.drop(wanted)
  }

  news(): void {
    if (!this.#told) return
    this.#told = false
    this.#store.deliver(() => {
      this.#told = true
      if (this.#store.followed.has(this)) this.#callback?.()
    })
  }

  drop(wanted: boolean): void {
    this.#store.followed.delete(this)
    this.flight.left(this, wanted)
  }

  #assertFollows(call: string): void {
    if (!this.#store.followed.has(this)) this.#store.misused(`${call}: was left`)
  }
}
