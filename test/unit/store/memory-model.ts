import { headBytesOf } from '../../../lib/store/memory/entry.js'
import { Value } from '../../../lib/store/memory/value.js'
import type { Metadata } from '../../../lib/store/store.js'

/** A draft or entry of the model. `mirror` is written as the engine's value is, and tells what that should cost. */
export interface ModelEntry {
  readonly key: string
  readonly mirror: Value
  bytes: Buffer
  metadata: Metadata | undefined
  head: number
  holds: number
  owner: 'draft' | 'entry' | 'nobody'
  slot: number
}

/** A memory store with the sums recomputed from nothing each time and lists that are searched. */
export class MemoryModel {
  readonly maxBytes: number
  readonly maxItemBytes: number
  readonly maxHeads: number
  readonly entries = new Map<string, ModelEntry>()
  /** Every entry that may still count. */
  readonly alive = new Set<ModelEntry>()
  readonly evicted: string[] = []
  refusals = 0
  slots = 0
  /** Least recently used first. */
  order: ModelEntry[] = []

  constructor(maxBytes: number, maxItemBytes: number, maxHeads: number) {
    this.maxBytes = maxBytes
    this.maxItemBytes = maxItemBytes
    this.maxHeads = maxHeads
  }

  get total(): number {
    return this.#sum(() => true)
  }

  get pinned(): number {
    return this.#sum(({ holds, owner }) => holds > 0 || owner === 'draft')
  }

  get heads(): number {
    let heads = 0
    for (const entry of this.#counting()) heads += entry.head
    return heads
  }

  touch(entry: ModelEntry): void {
    this.order = [...this.order.filter((other) => other !== entry), entry]
  }

  /** As the engine: least recently used first, those that are held counting as used. */
  makeRoom(bytes: number, head: number): boolean {
    if (this.pinned + bytes > this.maxBytes) return false
    let spared: ModelEntry | undefined
    while (this.total + bytes > this.maxBytes || this.heads + head > this.maxHeads) {
      const [oldest] = this.order
      if (oldest === undefined || oldest === spared) return false
      if (oldest.holds > 0) {
        spared ??= oldest
        this.touch(oldest)
      } else {
        this.remove(oldest)
        this.evicted.push(oldest.key)
      }
    }
    return true
  }

  begin(key: string, declared: number | undefined): ModelEntry | undefined {
    const head = headBytesOf(key, undefined)
    const fits =
      (declared ?? 0) <= this.maxItemBytes &&
      this.pinned + head + Value.costOf(declared ?? 0) <= this.maxBytes &&
      this.makeRoom(head, head)
    if (!fits) {
      this.refusals += 1
      return undefined
    }
    const entry: ModelEntry = {
      key,
      mirror: new Value(declared),
      bytes: Buffer.alloc(0),
      metadata: undefined,
      head,
      holds: 0,
      owner: 'draft',
      slot: 0,
    }
    this.alive.add(entry)
    return entry
  }

  write(entry: ModelEntry, bytes: Buffer): boolean {
    const viewed = entry.holds > 0
    if (entry.bytes.length + bytes.length > this.maxItemBytes) return false
    if (!this.makeRoom(entry.mirror.growth(bytes.length, viewed), 0)) return false
    entry.mirror.append(bytes, viewed)
    entry.bytes = Buffer.concat([entry.bytes, bytes])
    return true
  }

  commit(entry: ModelEntry, metadata: Metadata): boolean {
    if (entry.holds === 0) entry.mirror.compact()
    const head = headBytesOf(entry.key, metadata)
    if (!this.makeRoom(head - entry.head, head - entry.head)) {
      this.drop(entry)
      return false
    }
    const before = this.entries.get(entry.key)
    if (before === undefined) this.slots += 1
    entry.slot = before?.slot ?? this.slots
    if (before !== undefined) this.drop(before)
    entry.head = head
    entry.metadata = metadata
    entry.owner = 'entry'
    this.entries.set(entry.key, entry)
    this.order.push(entry)
    return true
  }

  revise(entry: ModelEntry, metadata: Metadata): boolean {
    const head = headBytesOf(entry.key, metadata)
    entry.holds += 1
    const ok = this.makeRoom(head - entry.head, head - entry.head)
    if (ok) {
      entry.head = head
      entry.metadata = metadata
    }
    this.release(entry)
    return ok
  }

  release(entry: ModelEntry): void {
    entry.holds -= 1
    if (entry.holds === 0 && entry.owner === 'entry') entry.mirror.compact()
  }

  /** The owner is gone. */
  drop(entry: ModelEntry): void {
    entry.owner = 'nobody'
    this.order = this.order.filter((other) => other !== entry)
  }

  remove(entry: ModelEntry): void {
    this.entries.delete(entry.key)
    this.drop(entry)
  }

  /** What a scan gives next that gave the slot `after` last and began when there were `last` slots. */
  nextOf(after: number, last: number): ModelEntry | undefined {
    return [...this.entries.values()].find(({ slot }) => slot > after && slot <= last)
  }

  *#counting(): Generator<ModelEntry> {
    for (const entry of this.alive) {
      if (entry.owner !== 'nobody' || entry.holds > 0) yield entry
      else this.alive.delete(entry)
    }
  }

  #sum(which: (entry: ModelEntry) => boolean): number {
    let sum = 0
    for (const entry of this.#counting()) if (which(entry)) sum += entry.head + entry.mirror.allocated
    return sum
  }
}
