import type { MemoryStore } from '../../../lib/store/memory/memory-store.js'
import {
  type Draft,
  IN_HAND,
  type Later,
  type LedFlight,
  type Metadata,
  type StoredEntry,
} from '../../../lib/store/store.js'
import { viewAll } from '../../conformance/store-kit.js'
import { FakeClock } from '../../helpers/clock.js'
import type { Engine, Making } from './engines.js'
import { brief, START, sameMetadata } from './values.js'

/** An entry as the model knows it. Another value under the same key is another object. */
export interface Known {
  readonly key: string
  readonly bytes: Buffer
  metadata: Metadata
}

/** Bytes that were lent, and what they must be for as long as they are. */
interface Lent {
  readonly view: Uint8Array
  readonly want: Buffer
}

/** An entry that is being read. */
export interface Reading {
  readonly entry: StoredEntry
  readonly known: Known
  readonly metadata: Metadata
  readonly lent: Lent[]
}

/** A draft, and what the model knows of it. */
export interface Writing {
  readonly key: string
  readonly draft: Draft
  /** Of a fill. */
  readonly flight: LedFlight | undefined
  bytes: Buffer
  open: boolean
  /** A delete or a clear came, or of a fill, a write: a store that fences lets it commit no more. */
  fenced: boolean
  holds: number
}

/** A draft whose bytes are held. */
export interface Holding {
  readonly writing: Writing
  readonly letGo: () => void
  readonly lent: Lent[]
}

/** One who has the memory open. */
export interface Share {
  readonly store: MemoryStore
  readonly told: string[]
}

/** The engine answers at once. */
export function now<T>(answer: Later<T>): T {
  if (answer instanceof Promise) throw new Error('a store in memory answers at once')
  return answer
}

function mustEqual(what: string, given: Uint8Array, want: Buffer): void {
  if (want.equals(given)) return
  const at = want.findIndex((byte, index) => byte !== given[index])
  throw new Error(
    `${what}: got ${given.length} bytes, want ${want.length}; the first difference is at ${at === -1 ? want.length : at}`,
  )
}

/**
 * A memory, all who have it open, and a Map of what it should hold.
 *
 * What the stores may do is to forget an entry, and then they tell of it. What they may not: give other bytes or
 * metadata than the last that were put under the key; give what was deleted, or forgotten once; change what somebody
 * reads; pass the bound; keep what nobody holds any more.
 */
export class MemoryWorld {
  readonly clock = new FakeClock(START)
  readonly shares: Share[]
  /** Nothing is too much for it, so nothing may be forgotten or refused. */
  readonly ample: boolean
  readonly known = new Map<string, Known>()
  readonly readings: Reading[] = []
  readonly writings: Writing[] = []
  readonly holdings: Holding[] = []
  maxBytes: number
  maxItemBytes: number
  #steps = 0
  /** Keys that the stores told of since the last value was put under them. */
  readonly #told = new Set<string>()

  constructor(engine: Engine, making: Making, ample: boolean) {
    this.ample = ample
    this.maxBytes = making.maxBytes
    this.maxItemBytes = making.maxItemBytes
    this.shares = engine.make(making).map((store) => {
      const told: string[] = []
      now(
        store.open({
          now: () => this.clock.now(),
          onEvict: (key) => void told.push(key),
          hearsEvictions: () => true,
        }),
      )
      return { store, told }
    })
  }

  share(at: number): MemoryStore {
    return this.shares[at % this.shares.length]!.store
  }

  /** `bytes` were put under `key`. */
  keep(key: string, bytes: Buffer, metadata: Metadata): void {
    this.known.set(key, { key, bytes, metadata })
    this.#told.delete(key)
  }

  /** `key` was deleted: what is being written under it began before. */
  fence(key: string | undefined): void {
    for (const writing of this.writings) {
      if (key === undefined || writing.key === key) writing.fenced = true
    }
  }

  /** What the stores refuse is to be expected only where there is no ample room. */
  refused(what: string): void {
    if (this.ample) throw new Error(`${what} was refused, and there is room`)
  }

  /** Looks a key up, and compares what is found with what must be. The entry is the caller's to release. */
  find(key: string, peek: boolean, at = 0): { entry: StoredEntry; known: Known } | undefined {
    const entry = now(this.share(at).find(key, peek))
    const known = this.known.get(key)
    if (entry === undefined) {
      if (known !== undefined) this.#forgotten(key)
      return undefined
    }
    if (known === undefined) throw new Error(`${brief(key)} is there, and should not be`)
    if (!sameMetadata(entry.metadata, known.metadata)) {
      throw new Error(
        `metadata of ${brief(key)}: got ${brief(entry.metadata)}, want ${brief(known.metadata)}`,
      )
    }
    return { entry, known }
  }

  /** The same, read whole. */
  look(key: string, at = 0): void {
    const found = this.find(key, true, at)
    if (found === undefined) return
    const { entry, known } = found
    const value =
      this.#steps % 2 === 0
        ? readAll(entry, known.bytes.length)
        : viewAll((position) => entry.view!(position))
    mustEqual(`value of ${brief(key)}`, value, known.bytes)
    entry.release()
  }

  /** Notes bytes from `position` on as lent. */
  lend(lent: Lent[], view: Uint8Array, bytes: Buffer, position: number): void {
    const want = bytes.subarray(position, position + view.length)
    if (view.length === 0 && position < bytes.length) throw new Error(`nothing is lent at ${position}`)
    mustEqual(`a view at ${position}`, view, want)
    lent.push({ view, want })
  }

  /** All that must be true after each step; `key` is the one that it was about. */
  check(key?: string): void {
    this.#steps += 1
    this.hear(key)
    for (const { lent } of [...this.readings, ...this.holdings]) {
      for (const { view, want } of lent) mustEqual('what is lent', view, want)
    }
    if (key !== undefined) this.look(key, this.#steps)
    if (this.#steps % 8 === 0) this.sweep()
    this.#checkStats()
  }

  /** Compares all that is there with all that should be. */
  sweep(): void {
    for (const key of [...this.known.keys()]) this.look(key, this.#steps)
    const given = new Set<string>()
    for (const [key, metadata] of this.share(this.#steps).entries() as Iterable<
      readonly [string, Metadata]
    >) {
      if (given.has(key)) throw new Error(`the scan gave ${brief(key)} twice`)
      given.add(key)
      const known = this.known.get(key)
      if (known === undefined) throw new Error(`the scan gave ${brief(key)}, which is not there`)
      if (!sameMetadata(metadata, known.metadata)) throw new Error(`the scan gave ${brief(key)} wrong`)
    }
    const { entries, bytes } = this.share(0).stats()
    let kept = 0
    for (const known of this.known.values()) kept += known.key.length + known.bytes.length
    if (bytes < kept) throw new Error(`keeps ${kept} bytes, and counts ${bytes}`)
    if (given.size !== this.known.size || entries !== given.size) {
      throw new Error(`${this.known.size} entries are found, ${given.size} scanned, ${entries} counted`)
    }
  }

  /** Takes note of what the stores told of; `key` is the one that was just put, if any. */
  hear(key: string | undefined): void {
    for (const { told } of this.shares) {
      for (const left of told.splice(0)) {
        this.#told.add(left)
        // Under the key of this very step, the value before may have left, and the new one be there.
        if (left === key || !this.known.has(left)) continue
        if (now(this.share(0).find(left, true)) !== undefined) {
          throw new Error(`${brief(left)} is told to have left, and is there`)
        }
        this.known.delete(left)
      }
    }
  }

  /** Lets go of all that is held; nothing may be left then. */
  finish(): void {
    this.check()
    this.sweep()
    for (const writing of this.writings.splice(0)) {
      if (writing.open) writing.draft.abort()
      writing.open = false
    }
    for (const { letGo } of this.holdings.splice(0).reverse()) letGo()
    for (const reading of this.readings.splice(0)) {
      mustEqual('what is open', readAll(reading.entry, reading.known.bytes.length), reading.known.bytes)
      reading.entry.release()
    }
    const [{ store }] = this.shares as [Share]
    const { pinnedBytes } = store.stats()
    if (pinnedBytes !== 0) throw new Error(`${pinnedBytes} bytes are pinned by nobody`)
    now(store.clear())
    if (store.stats().entries !== 0) throw new Error('a store that was cleared has entries')
    for (const key of this.known.keys()) {
      if (now(store.find(key)) !== undefined) throw new Error(`${brief(key)} was cleared, and is there`)
    }
  }

  /** Somebody follows what is being written, and may read it on. */
  get followed(): boolean {
    return false
  }

  /** Frees the memory, whatever came of the run. */
  close(): void {
    for (const { store } of this.shares) now(store.close())
  }

  #forgotten(key: string): void {
    if (this.ample) throw new Error(`${brief(key)} is gone, and there is room`)
    // What one share has not asked for yet, another may be told when it changes something.
    if (!this.#told.has(key)) throw new Error(`${brief(key)} is gone without a word`)
    this.known.delete(key)
  }

  #checkStats(): void {
    const { bytes, pinnedBytes, entries, maxBytes, maxItemBytes } = this.share(0).stats()
    if (maxBytes !== this.maxBytes || maxItemBytes !== this.maxItemBytes) {
      throw new Error(`the bounds are ${maxBytes} and ${maxItemBytes}`)
    }
    // A bound that was lowered below what is pinned holds once that is let go.
    if (bytes > Math.max(maxBytes, pinnedBytes * 2)) throw new Error(`${bytes} bytes in ${maxBytes}`)
    if (pinnedBytes > bytes) throw new Error(`${pinnedBytes} bytes of ${bytes} are pinned`)
    if (entries > this.known.size) throw new Error(`${entries} entries of ${this.known.size}`)
    let held = 0
    for (const { bytes: written, open, holds } of this.writings) if (open || holds > 0) held += written.length
    if (pinnedBytes < held) throw new Error(`${pinnedBytes} bytes are pinned, and drafts have ${held}`)
    const reads = this.readings.some(({ known }) => known.bytes.length > IN_HAND)
    const idle = !reads && !this.followed && !this.writings.some(({ open, holds }) => open || holds > 0)
    if (idle && pinnedBytes > 0) throw new Error(`${pinnedBytes} bytes are pinned by nobody`)
  }
}

/** Reads to the end, in pieces that meet no border. */
export function readAll(from: Pick<StoredEntry, 'read'>, size: number): Buffer {
  const all = Buffer.alloc(size + 1)
  let at = 0
  for (;;) {
    const read = from.read(all.subarray(at, at + 70_001), at) as number
    if (read === 0) return all.subarray(0, at)
    at += read
  }
}
