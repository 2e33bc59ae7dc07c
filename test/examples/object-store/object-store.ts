import { randomUUID } from 'node:crypto'
import {
  type Draft,
  IN_HAND,
  type Metadata,
  type Store,
  type StoreContext,
  type StoredEntry,
  type StoreStats,
} from '../../../lib/index.js'
import type { Bucket, Condition } from './bucket.js'
import { decodeHead, encodeHead, type Head, nameOf } from './head.js'
import { type OpenEntry, type Value, Values } from './values.js'

export interface ObjectStoreOptions {
  readonly bucket: Bucket
  readonly maxBytes: number
  /** Default: an eighth of `maxBytes`. */
  readonly maxItemBytes?: number
  /** Larger values are put in parts of so many bytes, of which a draft has one in memory. Default 1 MiB. */
  readonly partBytes?: number
}

/** Up to so many bytes, a value lies in its head and comes with it: what a store hands over with the answer (S7). */
const INLINE = IN_HAND
/** After so many commits of one head that others overtook, one gives up. */
const TRIES = 4

/** What is known of a head that is in the bucket. */
interface Known {
  readonly name: string
  /** Known when it was put or found here; what was only listed says it when it is asked for. */
  key: string | undefined
  /** Undefined when it has to be asked for. */
  etag: string | undefined
  bytes: number
  value: Value | undefined
}

/**
 * A store in a bucket, for one cache: `h/<hash of the key>` is the head of an entry, `v/<hash>/<id>/<n>` the parts of a large value.
 *
 * Invariants: a head is put only on the condition that it is still what was seen there, so a put that was under way for long replaces nothing
 * newer; a part is there before the head that names its value, and as long as a reader of this store has that open; `#used` is at least
 * what lies in the bucket, for it is claimed before a put and given back after a removal. Changes of one key are made one after the other.
 */
export class ObjectStore implements Store {
  readonly name = 'bucket'
  readonly outlives = true
  readonly maxItemBytes: number
  readonly #bucket: Bucket
  readonly #maxBytes: number
  readonly #partBytes: number
  readonly #values: Values
  /** Heads, the least recently used first. */
  readonly #known = new Map<string, Known>()
  /** The last change of a head that is under way. */
  readonly #turns = new Map<string, Promise<unknown>>()
  /** Heads of which a put may come true yet, for it was never answered; and values that such a head may name. */
  readonly #doubtful = new Map<string, Value[]>()
  #context: StoreContext | undefined
  #used = 0
  #drafted = 0
  #evictions = 0
  #refusals = 0
  #closed = false

  constructor({ bucket, maxBytes, maxItemBytes, partBytes = 2 ** 20 }: ObjectStoreOptions) {
    this.#bucket = bucket
    this.#maxBytes = maxBytes
    this.#partBytes = Math.max(partBytes, INLINE + 1)
    this.maxItemBytes = maxItemBytes ?? Math.floor(maxBytes / 8)
    this.#values = new Values(bucket, this.#partBytes, (bytes) => {
      this.#used -= bytes
    })
  }

  async open(context: StoreContext): Promise<void> {
    this.#context = context
    const [heads, parts] = await Promise.all([this.#bucket.list('h/'), this.#bucket.list('v/')])
    for (const { name, size } of heads) {
      // An empty head is one that was deleted, and by now nothing that was under way then comes any more.
      if (size === 0) await this.#bucket.remove(name)
      else this.#remember({ name, key: undefined, etag: undefined, bytes: size, value: undefined })
    }
    for (const value of this.#values.adopt(parts)) {
      this.#used += value.bytes
      const known = this.#known.get(`h/${value.hash}`)
      // A value that no head names was being written, or being removed.
      if (known !== undefined && (await this.#look(known.name))?.head?.id === value.id) known.value = value
      else this.#values.drop(value)
    }
    await this.#values.settled()
  }

  async find(key: string, peek = false): Promise<StoredEntry | undefined> {
    const hash = nameOf(key)
    const name = `h/${hash}`
    for (let before: string | undefined; ; ) {
      const head = (await this.#look(name))?.head
      if (head?.key !== key) return undefined
      const { id, inline, metadata, partBytes } = head
      // One that was replaced while it was asked for may be gone by now; one that is there still is another's.
      if (inline === undefined && this.#values.get(id) === undefined && before !== id) {
        before = id
        continue
      }
      const known = this.#known.get(name)
      if (!peek && known !== undefined) {
        this.#known.delete(name)
        this.#known.set(name, known)
      }
      return inline === undefined
        ? this.#values.open(hash, id, partBytes, metadata)
        : inlineEntry(id, metadata, inline)
    }
  }

  async draft(key: string, size: number | undefined): Promise<Draft | undefined> {
    if (this.#closed || (size !== undefined && size > this.maxItemBytes)) return this.#refuse()
    const hash = nameOf(key)
    const writing = this.#values.begin(hash, randomUUID())
    const { value } = writing
    let isOver = false
    const end = (): void => {
      isOver = true
      this.#drafted -= value.bytes
    }
    return {
      write: async (chunk) => {
        if (isOver) return false
        const taken = Uint8Array.from(chunk)
        if (value.bytes + taken.length > this.maxItemBytes || !(await this.#reserve(taken.length))) {
          this.#refuse()
          return false
        }
        if (isOver) {
          this.#used -= taken.length
          return false
        }
        this.#drafted += taken.length
        await writing.take(taken)
        return true
      },
      commit: async (metadata) => {
        if (isOver) return false
        end()
        try {
          const inline = value.bytes <= INLINE ? writing.held() : undefined
          if (inline === undefined) await writing.flush()
          const head = { key, metadata, id: value.id, inline, partBytes: this.#partBytes }
          return await this.#inTurn(`h/${hash}`, () => this.#commit(head, value))
        } catch (error) {
          if (this.#doubtful.get(`h/${hash}`)?.includes(value) !== true) this.#values.drop(value)
          throw error
        }
      },
      abort: () => {
        if (isOver) return
        end()
        this.#values.drop(value)
      },
    }
  }

  revise(key: string, entry: StoredEntry, metadata: Metadata): Promise<boolean> {
    const name = `h/${nameOf(key)}`
    return this.#inTurn(name, async () => {
      const looked = await this.#look(name)
      if (looked?.head === undefined || looked.head.id !== (entry as OpenEntry).id) return false
      const known = this.#known.get(name)!
      const bytes = encodeHead({ ...looked.head, metadata })
      if (!(await this.#reserve(bytes.length, known))) return false
      const etag = await this.#put(name, bytes, { ifMatch: looked.etag })
      if (etag === undefined) {
        this.#used -= bytes.length
        return false
      }
      this.#used -= known.bytes
      this.#known.set(name, { ...known, etag, bytes: bytes.length })
      return true
    })
  }

  delete(key: string): Promise<boolean> {
    const name = `h/${nameOf(key)}`
    return this.#inTurn(name, async () => {
      const looked = await this.#look(name)
      await this.#remove(name)
      return looked?.head?.key === key
    })
  }

  async clear(): Promise<void> {
    const listed = await this.#bucket.list('h/')
    await Promise.all(listed.map(({ name }) => this.#inTurn(name, () => this.#remove(name))))
  }

  async *entries(): AsyncGenerator<readonly [string, Metadata]> {
    for (const name of [...this.#known.keys()]) {
      const head = (await this.#look(name))?.head
      if (head !== undefined) yield [head.key, head.metadata]
    }
  }

  stats(): StoreStats {
    return {
      entries: this.#known.size,
      bytes: this.#used,
      pinnedBytes: this.#drafted + this.#values.openBytes,
      maxBytes: this.#maxBytes,
      maxItemBytes: this.maxItemBytes,
      evictions: this.#evictions,
      expirations: 0,
      policyFaults: 0,
      refusals: this.#refusals,
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#turns.values())
    await this.#values.settled()
    this.#known.clear()
  }

  /** What the bucket has now under `name`, which is remembered. A deleted head is there without being one. */
  async #look(name: string): Promise<{ readonly head: Head | undefined; readonly etag: string } | undefined> {
    const got = await this.#bucket.get(name)
    if (got === undefined || got.bytes.length === 0) {
      // While it is being changed here, that change says what is there.
      if (!this.#turns.has(name)) this.#forget(name)
      return got && { head: undefined, etag: got.etag }
    }
    const head = decodeHead(got.bytes)
    const known = this.#known.get(name)
    if (known !== undefined) {
      known.key = head.key
      known.etag = got.etag
    }
    return { head, etag: got.etag }
  }

  async #commit(head: Head, value: Value): Promise<boolean> {
    const name = `h/${value.hash}`
    const bytes = encodeHead(head)
    if (this.#closed || !(await this.#reserve(bytes.length))) {
      this.#values.drop(value)
      if (!this.#closed) this.#refuse()
      return false
    }
    let etag: string | undefined
    try {
      etag = await this.#replace(name, bytes)
    } catch (error) {
      this.#used -= bytes.length
      this.#doubtful.get(name)?.push(value)
      // Whether the key has the old value or the new one, nobody can say: neither is found.
      await this.#settle(name).catch(() => undefined)
      throw error
    }
    if (etag === undefined) this.#used -= bytes.length
    else {
      this.#forget(name)
      const parts = head.inline === undefined ? value : undefined
      this.#remember({ name, key: head.key, etag, bytes: bytes.length, value: parts })
      // That was claimed already.
      this.#used -= bytes.length
    }
    // What lies in its head was claimed with that, and nothing else is there of it.
    if (etag === undefined || head.inline !== undefined) this.#values.drop(value)
    return etag !== undefined
  }

  /** Puts a head in place of what is there, whatever that is, and nothing newer. Undefined when others were faster each time. */
  async #replace(name: string, bytes: Uint8Array): Promise<string | undefined> {
    let seen = this.#known.get(name)?.etag ?? (await this.#look(name))?.etag
    for (let tries = 0; tries < TRIES; tries += 1) {
      const etag = await this.#put(name, bytes, seen === undefined ? { ifNoneMatch: '*' } : { ifMatch: seen })
      if (etag !== undefined) return etag
      seen = (await this.#look(name))?.etag
    }
    return undefined
  }

  async #put(name: string, bytes: Uint8Array, condition: Condition): Promise<string | undefined> {
    try {
      return await this.#bucket.put(name, bytes, condition)
    } catch (error) {
      // It may have been carried out, or be carried out yet.
      if (!this.#doubtful.has(name)) this.#doubtful.set(name, [])
      const known = this.#known.get(name)
      if (known !== undefined) known.etag = undefined
      throw error
    }
  }

  /** Removes a head. */
  async #remove(name: string): Promise<void> {
    if (this.#doubtful.has(name)) return this.#settle(name)
    await this.#bucket.remove(name)
    this.#forget(name)
  }

  /** Leaves an empty head, which no put that is under way for long can replace: what it might have named can go. */
  async #settle(name: string): Promise<void> {
    if ((await this.#replace(name, new Uint8Array(0))) === undefined) {
      throw new Error(`${name} was changed by others again and again while it was deleted`)
    }
    this.#forget(name)
    for (const value of this.#doubtful.get(name)?.splice(0) ?? []) this.#values.drop(value)
  }

  #remember(known: Known): void {
    this.#known.set(known.name, known)
    this.#used += known.bytes
  }

  #forget(name: string): void {
    const known = this.#known.get(name)
    if (known === undefined) return
    this.#known.delete(name)
    this.#used -= known.bytes
    if (known.value !== undefined) this.#values.drop(known.value)
  }

  #refuse(): undefined {
    this.#refusals += 1
    return undefined
  }

  /** Claims `bytes`, and evicts for them what was not used for the longest time. False when that is not enough. */
  async #reserve(bytes: number, except?: Known): Promise<boolean> {
    while (this.#used + bytes > this.#maxBytes) {
      const victim = this.#victim(except)
      const before = this.#used
      if (victim !== undefined) await this.#inTurn(victim.name, () => this.#evict(victim))
      await this.#values.settled()
      if (victim === undefined && this.#used >= before) return false
    }
    this.#used += bytes
    return true
  }

  #victim(except: Known | undefined): Known | undefined {
    for (const known of this.#known.values()) {
      // Who waits for room in its own turn must not wait for another's.
      if (known !== except && !this.#turns.has(known.name) && (known.value?.readers ?? 0) === 0) return known
    }
    return undefined
  }

  async #evict(victim: Known): Promise<void> {
    if (victim.key === undefined && this.#context?.hearsEvictions() === true) await this.#look(victim.name)
    await this.#remove(victim.name)
    this.#evictions += 1
    if (victim.key !== undefined) this.#context?.onEvict(victim.key, 'size')
  }

  /** Runs `change` after all changes of `name` that were asked for before. */
  #inTurn<T>(name: string, change: () => Promise<T>): Promise<T> {
    const result = (this.#turns.get(name) ?? Promise.resolve()).then(change)
    const settled: Promise<void> = result
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => {
        if (this.#turns.get(name) === settled) this.#turns.delete(name)
      })
    this.#turns.set(name, settled)
    return result
  }
}

/** A small value, which came with its head: it holds nothing. */
function inlineEntry(id: string, metadata: Metadata, bytes: Uint8Array): OpenEntry {
  return {
    id,
    metadata,
    read: async (target, position) => {
      const piece = bytes.subarray(position, position + target.length)
      target.set(piece)
      return piece.length
    },
    release: () => undefined,
  }
}
