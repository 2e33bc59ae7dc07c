import { setImmediate as turn } from 'node:timers/promises'
import type { MemoryStoreOptions } from '../../lib/index.js'
import { jsMemoryStore } from '../../lib/store/memory/js.js'
import { readMemoryOptions } from '../../lib/store/memory/options.js'
import type {
  Draft,
  FlightState,
  FollowedFlight,
  GrowingReads,
  LedFlight,
  Metadata,
  Sharing,
  Store,
  StoreContext,
  StoredEntry,
  StoreStats,
} from '../../lib/store/store.js'

/*
 * A memory store that several threads share, with the threads left out: each `attach()` gives the store of one more
 * "thread", all over one memory of the js engine. It is the model of `Sharing`, and strict about how it is used.
 */

/** What a shared store can be made to fail at. */
export type SharedCall =
  | 'claim'
  | 'look'
  | 'leave'
  | 'hold'
  | 'draft'
  | 'write'
  | 'commit'
  | 'grow'
  | 'atEnd'
  | 'set'
  | 'revise'
  | 'end'

/** The memory, and who has it open. */
export class SharedMemory {
  readonly base: Store
  /** Calls that the contract forbids. */
  readonly misuse: string[] = []
  readonly passes = new Set<Pass>()
  readonly #versions = new Map<string, number>()
  readonly #attached = new Set<SharedStore>()
  #opened = false
  #count = 0

  constructor(options: MemoryStoreOptions) {
    this.base = jsMemoryStore(readMemoryOptions(options))
  }

  attach(): SharedStore {
    const store = new SharedStore(this)
    this.#attached.add(store)
    return store
  }

  /** Flights that are not over. */
  get flights(): number {
    let count = 0
    for (const pass of this.passes) if (pass instanceof Flight) count += 1
    return count
  }

  /** The next number: versions of entries, and the order in which passes began. */
  next(): number {
    this.#count += 1
    return this.#count
  }

  version(key: string): number {
    return this.#versions.get(key) ?? 0
  }

  changed(key: string): void {
    this.#versions.set(key, this.next())
  }

  /** A write fences the fills of its key, a fill those that began before it, a delete all. */
  fence(concerns: (pass: Pass) => boolean): void {
    for (const pass of this.passes) if (concerns(pass)) pass.fenced = true
  }

  fenceFills(key: string, before = Number.POSITIVE_INFINITY): void {
    this.fence((pass) => pass.key === key && pass instanceof Flight && pass.order < before)
  }

  /** The flight that may be joined. */
  flightOf(key: string): Flight | undefined {
    for (const pass of this.passes) {
      if (pass instanceof Flight && pass.key === key && !pass.alone && !pass.fenced) return pass
    }
    return undefined
  }

  async open(): Promise<void> {
    if (this.#opened) return
    this.#opened = true
    await this.base.open({
      now: () => this.#first().now(),
      onEvict: (key, reason) => {
        for (const { context } of this.#attached) context?.onEvict(key, reason)
      },
      hearsEvictions: () => true,
    })
  }

  async leave(store: SharedStore): Promise<void> {
    if (this.#attached.delete(store) && this.#attached.size === 0) await this.base.close()
  }

  #first(): StoreContext {
    for (const { context } of this.#attached) if (context !== undefined) return context
    throw new Error('nobody has the memory open')
  }
}

/** The right to commit under a key. */
class Pass {
  readonly key: string
  readonly owner: SharedStore
  readonly order: number
  fenced = false
  /** What is written under this pass. */
  written: SharedDraft | undefined

  constructor(key: string, owner: SharedStore) {
    this.key = key
    this.owner = owner
    this.order = owner.memory.next()
    owner.memory.passes.add(this)
  }

  /** The owner's thread is gone. */
  lose(): void {
    this.end()
    this.written?.abort()
  }

  end(): void {
    this.owner.memory.passes.delete(this)
    this.fenced = true
  }
}

class Flight extends Pass {
  readonly alone: boolean
  readonly followers = new Set<Followed>()
  state: FlightState['kind'] = 'asking'
  note = ''
  atEnd: string | undefined
  draft: SharedDraft | undefined
  wanted = false
  onAlone: (() => void) | undefined

  constructor(key: string, owner: SharedStore, alone: boolean) {
    super(key, owner)
    this.alone = alone
  }

  get over(): boolean {
    return this.state !== 'asking' && this.state !== 'growing'
  }

  get size(): number {
    return this.draft?.size ?? 0
  }

  finish(state: FlightState['kind'], note = ''): void {
    if (this.over) return
    this.state = state
    this.note = note
    this.end()
    this.tell()
  }

  /** Its draft ended without being committed. */
  given(): void {
    if (this.atEnd === undefined) this.finish('lost')
    else this.finish('ended', this.atEnd)
  }

  override lose(): void {
    this.finish('lost')
    this.written?.abort()
  }

  tell(): void {
    for (const follower of this.followers) follower.news()
  }

  left(follower: Followed, wanted: boolean): void {
    this.followers.delete(follower)
    if (wanted) this.wanted = true
    if (this.followers.size > 0) return
    this.owner.deliver(() => {
      if (!this.over) this.onAlone?.()
    })
  }
}

/** The store of one "thread". */
export class SharedStore implements Store {
  readonly name = 'shared'
  readonly memory: SharedMemory
  readonly maxItemBytes: number
  context: StoreContext | undefined
  dead = false
  /** The next claims, so many, are told to look again, as if another thread had been faster. */
  overlooks = 0
  /** How news arrive; a turn of the event loop unless a test says otherwise. */
  arrive: (() => Promise<unknown>) | undefined
  /** What this thread holds of the memory. */
  readonly held = new Set<() => void>()
  readonly followed = new Set<Followed>()
  readonly sharing: Sharing = {
    claim: (key, seen, alone) => this.#claim(key, seen as OpenedEntry | undefined, alone),
  }
  readonly #faults = new Set<SharedCall>()
  #closed = false

  constructor(memory: SharedMemory) {
    this.memory = memory
    this.maxItemBytes = memory.base.maxItemBytes
  }

  /** From now on `call` fails, until it is mended. */
  fail(call: SharedCall): void {
    this.#faults.add(call)
  }

  mend(call: SharedCall): void {
    this.#faults.delete(call)
  }

  /** Whoever uses the store is wrong to. */
  misused(what: string): void {
    if (!this.dead) this.memory.misuse.push(what)
  }

  reach(call: SharedCall): void {
    if (this.dead) throw new Error(`${call}: the thread is gone`)
    if (this.#closed) this.misused(`${call}: the store is closed`)
    if (this.#faults.has(call)) throw new Error(`injected: ${call}`)
  }

  /** The thread ends without a word, wherever it is. */
  die(): void {
    if (this.dead) return
    this.dead = true
    for (const pass of [...this.memory.passes]) if (pass.owner === this) pass.lose()
    for (const follower of [...this.followed]) follower.drop(false)
    for (const letGo of [...this.held]) letGo()
    void this.memory.leave(this)
  }

  /** Calls `tell` later in this thread, if it is there by then. */
  deliver(tell: () => void): void {
    const arrived = this.arrive === undefined ? turn() : this.arrive()
    void arrived.then(() => {
      if (!this.dead) tell()
    })
  }

  async open(context: StoreContext): Promise<void> {
    this.context = context
    await this.memory.open()
  }

  find(key: string, peek = false): StoredEntry | undefined {
    if (this.dead) return undefined
    if (this.#closed) this.misused('find: the store is closed')
    const entry = this.memory.base.find(key, peek) as StoredEntry | undefined
    return entry && new OpenedEntry(entry, this.memory.version(key), this)
  }

  draft(key: string, size: number | undefined): Draft | undefined {
    this.reach('draft')
    return SharedDraft.begin(key, size, this, new Pass(key, this))
  }

  set(key: string, bytes: Uint8Array, metadata: Metadata): boolean {
    this.reach('set')
    if (!this.put(key, bytes, metadata)) return false
    this.memory.fenceFills(key)
    return true
  }

  revise(key: string, entry: StoredEntry, metadata: Metadata): boolean {
    this.reach('revise')
    const { base } = entry as OpenedEntry
    const revised = this.memory.base.revise(key, base, metadata) as boolean
    if (revised) this.memory.changed(key)
    return revised
  }

  delete(key: string): boolean {
    if (this.dead) return false
    this.memory.fence((pass) => pass.key === key)
    return this.memory.base.delete(key) as boolean
  }

  clear(): void {
    if (this.dead) return
    this.memory.fence(() => true)
    void this.memory.base.clear()
  }

  entries(): ReturnType<Store['entries']> {
    return this.memory.base.entries()
  }

  stats(): StoreStats {
    return this.memory.base.stats()
  }

  async close(): Promise<void> {
    if (this.#closed || this.dead) return
    this.#closed = true
    for (const pass of [...this.memory.passes]) {
      if (pass.owner !== this) continue
      if (pass instanceof Flight) this.misused(`close: leads a flight of ${pass.key}`)
      pass.lose()
    }
    for (const { flight } of this.followed) this.misused(`close: follows a flight of ${flight.key}`)
    await this.memory.leave(this)
  }

  /** Puts a whole value, without any fence. */
  put(key: string, bytes: Uint8Array, metadata: Metadata): boolean {
    const { base } = this.memory
    let kept: boolean
    if (base.set !== undefined) kept = base.set(key, bytes, metadata)
    else {
      const draft = base.draft(key, bytes.length) as Draft | undefined
      kept = draft !== undefined && (draft.write(bytes) as boolean) && (draft.commit(metadata) as boolean)
      draft?.abort()
    }
    if (kept) this.memory.changed(key)
    return kept
  }

  #claim(key: string, seen: OpenedEntry | undefined, alone: boolean): LedFlight | FollowedFlight | 'look' {
    this.reach('claim')
    if (!alone) {
      if (this.overlooks > 0) {
        this.overlooks -= 1
        return 'look'
      }
      const entry = this.memory.base.find(key, true) as StoredEntry | undefined
      entry?.release()
      if (entry !== undefined && seen?.version !== this.memory.version(key)) return 'look'
      const flight = this.memory.flightOf(key)
      if (flight !== undefined) return new Followed(flight, this)
    }
    return new Led(new Flight(key, this, alone))
  }
}

class OpenedEntry implements StoredEntry {
  readonly base: StoredEntry
  readonly version: number
  readonly metadata: Metadata
  readonly #store: SharedStore

  constructor(base: StoredEntry, version: number, store: SharedStore) {
    this.base = base
    this.version = version
    this.metadata = base.metadata
    this.#store = store
    store.held.add(this.#letGo)
  }

  read(target: Uint8Array, position: number): number {
    return this.base.read(target, position) as number
  }

  view(position: number): Uint8Array {
    return this.base.view!(position)
  }

  release(): void {
    this.#letGo()
  }

  readonly #letGo = (): void => {
    this.#store.held.delete(this.#letGo)
    this.base.release()
  }
}

class SharedDraft implements Draft {
  fenced = false
  size = 0
  over = false
  readonly base: Draft
  readonly pass: Pass
  readonly growing: GrowingReads
  readonly #store: SharedStore

  private constructor(base: Draft, store: SharedStore, pass: Pass) {
    this.base = base
    this.pass = pass
    this.#store = store
    this.growing = new SharedReads(this, store)
    pass.written = this
  }

  static begin(
    key: string,
    size: number | undefined,
    store: SharedStore,
    pass: Pass,
  ): SharedDraft | undefined {
    const base = store.memory.base.draft(key, size) as Draft | undefined
    if (base !== undefined) return new SharedDraft(base, store, pass)
    if (!(pass instanceof Flight)) pass.end()
    return undefined
  }

  write(chunk: Uint8Array): boolean {
    this.#store.reach('write')
    const { pass } = this
    if (this.over) this.#store.misused('write: the draft is over')
    if (pass instanceof Flight && pass.over) this.#store.misused('write: the flight is over')
    if (!(this.base.write(chunk) as boolean)) return false
    this.size += chunk.length
    if (pass instanceof Flight && pass.draft === this) pass.tell()
    return true
  }

  commit(metadata: Metadata): boolean {
    this.#store.reach('commit')
    const { pass } = this
    const { memory } = this.#store
    if (this.over) this.#store.misused('commit: the draft is over')
    if (pass instanceof Flight && pass.over) this.#store.misused('commit: the flight is over')
    if (metadata.size !== this.size) this.#store.misused(`commit: ${metadata.size} said, ${this.size} there`)
    this.fenced = pass.fenced
    if (this.fenced || !(this.base.commit(metadata) as boolean)) {
      this.abort()
      return false
    }
    this.over = true
    memory.changed(pass.key)
    memory.fenceFills(pass.key, pass instanceof Flight ? pass.order : undefined)
    if (pass instanceof Flight) pass.finish('committed')
    else pass.end()
    return true
  }

  abort(): void {
    if (this.over) return
    this.over = true
    this.base.abort()
    if (this.pass instanceof Flight) this.pass.given()
    else this.pass.end()
  }
}

/** What one thread reads of a draft, its own or another's. */
class SharedReads implements GrowingReads {
  readonly #draft: SharedDraft
  readonly #store: SharedStore
  #holds = 0

  constructor(draft: SharedDraft, store: SharedStore) {
    this.#draft = draft
    this.#store = store
  }

  read(target: Uint8Array, position: number): number {
    this.#assertThere('read')
    return this.#draft.base.growing!.read(target, position)
  }

  view(position: number): Uint8Array {
    this.#assertThere('view')
    return this.#draft.base.growing!.view(position)
  }

  hold(): () => void {
    this.#store.reach('hold')
    const release = this.#draft.base.growing!.hold()
    this.#holds += 1
    let held = true
    const letGo = (): void => {
      if (!held) return
      held = false
      this.#holds -= 1
      this.#store.held.delete(letGo)
      release()
    }
    this.#store.held.add(letGo)
    return letGo
  }

  #assertThere(call: string): void {
    if (this.#draft.over && this.#holds === 0) this.#store.misused(`${call}: of what is not held`)
  }
}

class Led implements LedFlight {
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

class Followed implements FollowedFlight {
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

/** A memory to be shared: 64 MiB, values up to 8 MiB, unless told otherwise. */
export function sharedMemory(options: MemoryStoreOptions = {}): SharedMemory {
  return new SharedMemory({ maxBytes: 64 * 2 ** 20, maxItemBytes: 8 * 2 ** 20, ...options })
}
