import type { Metadata, StoredEntry } from '../../../lib/index.js'
import type { Bucket } from './bucket.js'

/*
 * Large values, in parts: objects that are put once and never changed, so that a reader who has the first part will get the last one of the
 * same value, whatever happens to its key.
 */

/** How often a part is asked for before the reader is told that it failed. */
const READ_TRIES = 3

/** A value that is being written, or was. */
export interface Value {
  /** Of its head, without `h/`. */
  readonly hash: string
  readonly id: string
  bytes: number
  parts: number
  readers: number
  isGone: boolean
  /** The put that is under way. */
  putting: Promise<unknown>
}

const newValue = (hash: string, id: string): Value => ({
  hash,
  id,
  bytes: 0,
  parts: 0,
  readers: 0,
  isGone: false,
  putting: Promise.resolve(),
})

const partName = ({ hash, id }: Pick<Value, 'hash' | 'id'>, part: number): string => `v/${hash}/${id}/${part}`

/** Takes the pieces of a value, and puts them by the part; one part is in memory. */
export interface Writing {
  readonly value: Value
  take(bytes: Uint8Array): Promise<void>
  /** What is in memory. */
  held(): Uint8Array
  /** Puts the last part. */
  flush(): Promise<void>
}

/** An entry that is open, of the value that `id` names. */
export interface OpenEntry extends StoredEntry {
  readonly id: string
}

/** Invariant: the parts of a value are removed when it was dropped and no reader has it open, and its bytes are given back after that. */
export class Values {
  readonly #bucket: Bucket
  readonly #partBytes: number
  readonly #onFreed: (bytes: number) => void
  /** Values that were not dropped. */
  readonly #live = new Map<string, Value>()
  /** What is being removed, and what could not be. */
  readonly #removing = new Set<Promise<void>>()
  #leftovers: Value[] = []
  /** Bytes of the values that are open. */
  openBytes = 0

  constructor(bucket: Bucket, partBytes: number, onFreed: (bytes: number) => void) {
    this.#bucket = bucket
    this.#partBytes = partBytes
    this.#onFreed = onFreed
  }

  get(id: string): Value | undefined {
    return this.#live.get(id)
  }

  begin(hash: string, id: string): Writing {
    const value = newValue(hash, id)
    this.#live.set(id, value)
    let held = Buffer.alloc(0)
    const put = async (bytes: Uint8Array): Promise<void> => {
      // Aborted while a part was under way: no other may follow it.
      if (value.isGone) return
      const putting = this.#bucket.put(partName(value, value.parts), bytes)
      value.parts += 1
      value.putting = putting.catch(() => undefined)
      await putting
    }
    return {
      value,
      take: async (bytes) => {
        value.bytes += bytes.length
        held = Buffer.concat([held, bytes])
        while (held.length >= this.#partBytes) {
          const part = held.subarray(0, this.#partBytes)
          held = Buffer.from(held.subarray(this.#partBytes))
          await put(part)
        }
      },
      held: () => held,
      flush: async () => {
        if (held.length > 0) await put(held)
      },
    }
  }

  /** The values that `listed` parts are of. */
  adopt(listed: ReadonlyArray<{ readonly name: string; readonly size: number }>): Value[] {
    for (const { name, size } of listed) {
      const [, hash, id, part] = name.split('/') as [string, string, string, string]
      const value = this.#live.get(id) ?? newValue(hash, id)
      this.#live.set(id, value)
      value.bytes += size
      value.parts = Math.max(value.parts, Number(part) + 1)
    }
    return [...this.#live.values()]
  }

  /** Opens the value of `id`; one that is not known here is another's, who may remove it while it is read. */
  open(hash: string, id: string, partBytes: number, metadata: Metadata): OpenEntry {
    const value = this.#live.get(id)
    if (value !== undefined) {
      if (value.readers === 0) this.openBytes += value.bytes
      value.readers += 1
    }
    let isOpen = true
    return {
      id,
      metadata,
      read: async (target, position) => {
        const offset = position % partBytes
        const length = Math.min(target.length, partBytes - offset, metadata.size - position)
        if (length <= 0) return 0
        const name = partName({ hash, id }, Math.floor(position / partBytes))
        const got = await this.#read(name, offset, length)
        if (got?.bytes.length !== length) throw new Error(`${name} is not there any more, or not whole`)
        target.set(got.bytes)
        return length
      },
      release: () => {
        if (!isOpen) return
        isOpen = false
        if (value === undefined) return
        value.readers -= 1
        if (value.readers > 0) return
        this.openBytes -= value.bytes
        if (value.isGone) this.#remove(value)
      },
    }
  }

  /** An entry that has begun to answer can be no miss any more: so a reading that fails is tried again. */
  async #read(name: string, from: number, length: number): ReturnType<Bucket['get']> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#bucket.get(name, { from, length })
      } catch (error) {
        if (tries === READ_TRIES) throw error
      }
    }
  }

  /** Nobody finds it any more. Calling it again does nothing. */
  drop(value: Value): void {
    if (value.isGone) return
    value.isGone = true
    this.#live.delete(value.id)
    if (value.readers === 0) this.#remove(value)
  }

  /** Resolves when nothing is being removed any more; what could not be removed is tried once more. */
  async settled(): Promise<void> {
    for (const value of this.#leftovers.splice(0)) this.#remove(value)
    while (this.#removing.size > 0) await Promise.all(this.#removing)
  }

  #remove(value: Value): void {
    if (value.parts === 0) return this.#onFreed(value.bytes)
    const removal = this.#removeParts(value)
      .then(
        () => this.#onFreed(value.bytes),
        // It counts until it is gone.
        () => void this.#leftovers.push(value),
      )
      .finally(() => this.#removing.delete(removal))
    this.#removing.add(removal)
  }

  async #removeParts(value: Value): Promise<void> {
    await value.putting
    const parts = Array.from({ length: value.parts }, (_, part) => this.#bucket.remove(partName(value, part)))
    await Promise.all(parts)
  }
}
