/*
 * A store as far away as a disk, without its costs: everything is answered later, nothing is lent, and values lie in an
 * arena that is there from the beginning. Oldest first out.
 */
export class ArenaStore {
  name = 'arena'
  maxItemBytes
  #slots
  #free
  #kept = new Map()

  /** So many values of at most `size` bytes. */
  constructor(slots, size) {
    this.maxItemBytes = size
    this.#slots = slots
    const arena = Buffer.alloc(slots * size, 1)
    this.#free = Array.from({ length: slots }, (_, at) => arena.subarray(at * size, (at + 1) * size))
  }

  async open() {}

  async find(key) {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    kept.opens += 1
    let open = true
    return {
      metadata: kept.metadata,
      read: async (target, position) => {
        await undefined
        return kept.memory.copy(target, 0, position, Math.min(kept.size, position + target.length))
      },
      release: () => {
        if (open) this.#close(kept)
        open = false
      },
    }
  }

  async draft(key) {
    const memory = this.#room()
    if (memory === undefined) return undefined
    let size = 0
    let over = false
    return {
      write: async (chunk) => {
        await undefined
        memory.set(chunk, size)
        size += chunk.length
        return true
      },
      commit: async (metadata) => {
        over = true
        this.#remove(key)
        this.#kept.set(key, { memory, size, metadata, opens: 0, gone: false })
        return true
      },
      abort: () => {
        if (!over) this.#free.push(memory)
        over = true
      },
    }
  }

  async revise() {
    return false
  }

  async delete(key) {
    return this.#remove(key)
  }

  async clear() {
    for (const key of [...this.#kept.keys()]) this.#remove(key)
  }

  async *entries() {
    for (const [key, { metadata }] of this.#kept) yield [key, metadata]
  }

  stats() {
    const maxBytes = this.#slots * this.maxItemBytes
    const bytes = maxBytes - this.#free.length * this.maxItemBytes
    const none = { pinnedBytes: 0, evictions: 0, expirations: 0, policyFaults: 0, refusals: 0 }
    return { entries: this.#kept.size, bytes, maxBytes, maxItemBytes: this.maxItemBytes, ...none }
  }

  async close() {}

  #room() {
    for (const key of this.#kept.keys()) {
      if (this.#free.length > 0) break
      this.#remove(key)
    }
    return this.#free.pop()
  }

  #remove(key) {
    const kept = this.#kept.get(key)
    if (kept === undefined) return false
    this.#kept.delete(key)
    kept.gone = true
    if (kept.opens === 0) this.#free.push(kept.memory)
    return true
  }

  #close(kept) {
    kept.opens -= 1
    if (kept.opens === 0 && kept.gone) this.#free.push(kept.memory)
  }
}
