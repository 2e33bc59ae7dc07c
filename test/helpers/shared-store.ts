import { setImmediate as turn } from 'node:timers/promises'
import type {
  Draft,
  FollowedFlight,
  LedFlight,
  Metadata,
  Sharing,
  Store,
  StoreContext,
  StoredEntry,
  StoreStats,
  TagJournal,
} from '../../lib/store/store.js'
import { SharedDraft } from './shared-draft.js'
import { Followed, Led } from './shared-flight.js'
import type { SharedMemory } from './shared-memory.js'
import { Flight, Pass } from './shared-pass.js'

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
  readonly journal: TagJournal
  readonly #faults = new Set<SharedCall>()
  #closed = false

  constructor(memory: SharedMemory) {
    this.memory = memory
    this.journal = memory.journal
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

/** An entry that one thread has open; `version` tells it from those that the key had before. */
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
