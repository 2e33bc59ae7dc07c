import type { ChunkCodec, ChunkEncoder, StoredChunk } from '../../compression/index.js'
import { hintOf } from '../../compression/index.js'
import type { Draft, Metadata } from '../store.js'
import { beneath, tableOf } from './layout.js'

/** What a draft tells its store. */
export interface DraftEvents {
  readonly maxItemBytes: number
  onRefusal(): void
}

/**
 * A draft of a store whose drafts cannot be read while they grow: its bytes go there chunk by chunk, compressed.
 *
 * Invariants: of what was taken, all but the last `#used` bytes are in the draft beneath, or on their way in order; once `#refused`,
 * nothing more is written. Calls do not overlap, but for `abort`.
 */
export class PassingDraft implements Draft {
  readonly #draft: Draft
  readonly #codec: ChunkCodec
  readonly #encoder: ChunkEncoder
  readonly #chunkBytes: number
  readonly #events: DraftEvents
  readonly #lengths: number[] = []
  #size = 0
  #stored = 0
  #packed = false
  #chunk: Buffer | undefined
  #used = 0
  #refused = false
  #finishing = false

  constructor(draft: Draft, codec: ChunkCodec, chunkBytes: number, hint: unknown, events: DraftEvents) {
    this.#draft = draft
    this.#codec = codec
    this.#encoder = codec.encoder(hintOf(hint))
    this.#chunkBytes = chunkBytes
    this.#events = events
  }

  get fenced(): boolean {
    return this.#draft.fenced ?? false
  }

  async write(chunk: Uint8Array): Promise<boolean> {
    if (this.#refused) return false
    if (this.#size + chunk.length > this.#events.maxItemBytes) {
      this.#events.onRefusal()
      return false
    }
    const underWay: Array<Promise<StoredChunk>> = []
    try {
      for (let from = 0; from < chunk.length; ) {
        this.#chunk ??= Buffer.allocUnsafeSlow(this.#chunkBytes)
        const into = this.#chunk
        const length = Math.min(into.length - this.#used, chunk.length - from)
        into.set(chunk.subarray(from, from + length), this.#used)
        this.#used += length
        from += length
        if (this.#used < into.length) break
        this.#chunk = undefined
        this.#used = 0
        underWay.push(Promise.resolve(this.#encoder.encode(into)))
        if (underWay.length > this.#codec.config.concurrency && !(await this.#put(await underWay.shift()!)))
          return false
      }
      while (underWay.length > 0) if (!(await this.#put(await underWay.shift()!))) return false
    } finally {
      await Promise.allSettled(underWay)
    }
    this.#size += chunk.length
    return true
  }

  async commit(metadata: Metadata): Promise<boolean> {
    if (this.#refused) return false
    this.#finishing = true
    try {
      return await this.#finish(metadata)
    } finally {
      this.#finishing = false
    }
  }

  abort(): void {
    // Too late: `commit` ends the draft beneath.
    if (this.#finishing) return
    this.#refused = true
    this.#draft.abort()
  }

  async #finish(metadata: Metadata): Promise<boolean> {
    if (this.#used > 0) {
      const last = this.#chunk!.subarray(0, this.#used)
      const skipped = this.#codec.config.skips(hintOf(metadata.user))
      const chunk = skipped ? { codec: 0, size: last.length, bytes: last } : await this.#encoder.encode(last)
      if (!(await this.#put(chunk))) return this.#abandoned()
    }
    if (!this.#packed) return this.#draft.commit(beneath(metadata))
    const table = tableOf(this.#lengths)
    if (table.length > 0 && !(await this.#draft.write(table))) return this.#abandoned()
    const layout = { codec: this.#encoder.compressor!.name, size: this.#size, chunkBytes: this.#chunkBytes }
    return this.#draft.commit(beneath(metadata, layout, this.#stored + table.length))
  }

  async #put(chunk: StoredChunk): Promise<boolean> {
    if (this.#refused || !(await this.#draft.write(chunk.bytes))) {
      this.#refused = true
      return false
    }
    if (chunk.codec !== 0) this.#packed = true
    this.#lengths.push(chunk.bytes.length)
    this.#stored += chunk.bytes.length
    return true
  }

  #abandoned(): false {
    this.#draft.abort()
    return false
  }
}
