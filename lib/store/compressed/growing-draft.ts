import type { ChunkCodec, ChunkEncoder, StoredChunk } from '../../compression/index.js'
import { hintOf } from '../../compression/index.js'
import type { Draft, GrowingReads, Later, Metadata } from '../store.js'
import { beneath, tableBytes, tableOf } from './layout.js'

/** Where a second draft, for the chunks, comes from; with its size, if that is known. */
export type Begin = (size: number | undefined) => Later<Draft | undefined>

/**
 * A draft of a store whose drafts can be read while they grow. Its bytes go as they are into a draft of that store, from which readers
 * read, and chunk by chunk, compressed, into a second one. At the end the smaller of the two is committed, and the other goes:
 * so that whatever happens to the second, the first is whole.
 *
 * Invariants: chunks [0, #lengths.length) are in `#packed`, if that was begun; those up to `#begun` are under way or there. After
 * `#over` nothing is read or written; then both drafts are committed or aborted. No store's memory is given to a compressor.
 */
export class GrowingDraft implements Draft {
  readonly growing: GrowingReads
  readonly #raw: Draft
  readonly #begin: Begin
  readonly #codec: ChunkCodec
  readonly #encoder: ChunkEncoder
  readonly #chunkBytes: number
  #size = 0
  /** The second draft, from the first chunk that got smaller on. */
  #packed: Draft | undefined
  /** Stored lengths of the chunks. */
  readonly #lengths: number[] = []
  #packedSize = 0
  #begun = 0
  #underWay = 0
  /** The second draft is not worth going on with. */
  #givenUp: boolean
  #over = false
  #committing = false
  /** The last chunks are under way, and one of the two drafts will be committed. */
  #finishing = false
  /** Puts chunks into the second draft, in order. */
  #order: Promise<void> = Promise.resolve()
  #committed: Draft | undefined

  constructor(
    raw: Draft,
    growing: GrowingReads,
    begin: Begin,
    codec: ChunkCodec,
    chunkBytes: number,
    hint: unknown,
  ) {
    this.growing = growing
    this.#raw = raw
    this.#begin = begin
    this.#codec = codec
    this.#encoder = codec.encoder(hintOf(hint))
    this.#chunkBytes = chunkBytes
    this.#givenUp = this.#encoder.compressor === undefined || codec.config.skips(hintOf(hint))
  }

  get fenced(): boolean {
    return this.#committed?.fenced ?? false
  }

  write(chunk: Uint8Array): Later<boolean> {
    const taken = this.#raw.write(chunk)
    if (!(taken instanceof Promise)) return this.#taken(taken, chunk.length)
    return taken.then((ok) => this.#taken(ok, chunk.length))
  }

  commit(metadata: Metadata): Later<boolean> {
    if (this.#over || this.#committing) return false
    this.#committing = true
    const { minSize, skips } = this.#codec.config
    if (this.#givenUp || this.#size < minSize || skips(hintOf(metadata.user)))
      return this.#commitRaw(metadata)
    this.#finishing = true
    return this.#finish(metadata).finally(() => {
      this.#finishing = false
    })
  }

  abort(): void {
    // Too late: `commit` ends both.
    if (this.#finishing) return
    this.#over = true
    this.#packed?.abort()
    this.#raw.abort()
  }

  #taken(ok: boolean, length: number): boolean {
    if (ok) {
      this.#size += length
      this.#go()
    }
    return ok
  }

  /** Begins with the chunks that are complete, as many as may be under way. */
  #go(): void {
    const ended = this.#committing
    while (!this.#givenUp && !this.#over && this.#underWay < this.#codec.config.concurrency) {
      const from = this.#begun * this.#chunkBytes
      const length = Math.min(this.#chunkBytes, this.#size - from)
      if (length <= 0 || (length < this.#chunkBytes && !ended)) return
      this.#begun += 1
      this.#encode(from, length)
    }
  }

  #encode(from: number, length: number): void {
    const bytes = Buffer.allocUnsafeSlow(length)
    this.growing.read(bytes, from)
    this.#underWay += 1
    const encoded = this.#encoder.encode(bytes)
    const before = this.#order
    this.#order = (async () => {
      const chunk = await encoded
      await before
      if (!this.#over && !this.#givenUp) await this.#put(chunk)
    })()
      .catch(() => {
        // The store beneath failed at the second draft: the first has all of it.
        this.#giveUp()
      })
      .then(() => {
        this.#underWay -= 1
        this.#go()
      })
  }

  async #put(chunk: StoredChunk): Promise<void> {
    if (this.#packed === undefined && chunk.codec !== 0) await this.#beginPacked(chunk)
    if (this.#packed !== undefined && !(await this.#packed.write(chunk.bytes))) return this.#giveUp()
    this.#lengths.push(chunk.bytes.length)
    this.#packedSize += chunk.bytes.length
  }

  /** Begins the second draft, with the chunks before that were kept as they are. */
  async #beginPacked({ bytes: first }: StoredChunk): Promise<void> {
    const whole = this.#committing && this.#size <= this.#chunkBytes
    const begun = this.#begin(whole ? first.length : undefined)
    const packed = begun instanceof Promise ? await begun : begun
    if (packed === undefined) return this.#giveUp()
    if (this.#over) return packed.abort()
    this.#packed = packed
    const bytes = Buffer.allocUnsafeSlow(this.#chunkBytes)
    for (let index = 0; index < this.#lengths.length; index += 1) {
      this.growing.read(bytes, index * this.#chunkBytes)
      if (!(await packed.write(bytes)) || this.#over) return this.#giveUp()
    }
  }

  #giveUp(): void {
    this.#givenUp = true
    this.#packed?.abort()
    this.#packed = undefined
  }

  async #finish(metadata: Metadata): Promise<boolean> {
    this.#go()
    while (this.#underWay > 0) await this.#order
    const packed = this.#packed
    if (packed === undefined || !(await this.#complete(packed, metadata))) {
      if (this.#committed?.fenced !== true) return this.#commitRaw(metadata)
      this.#raw.abort()
      return false
    }
    this.#over = true
    this.#raw.abort()
    return true
  }

  /** Commits the second draft, if it is worth it; says whether it is there now. */
  async #complete(packed: Draft, metadata: Metadata): Promise<boolean> {
    const stored = this.#packedSize + tableBytes(this.#lengths.length)
    if (stored * this.#codec.config.minRatio > this.#size || stored >= this.#size) return false
    try {
      const table = tableOf(this.#lengths)
      if (table.length > 0 && !(await packed.write(table))) return false
      const codec = this.#encoder.compressor!.name
      const layout = { codec, size: this.#size, chunkBytes: this.#chunkBytes }
      const committed = await packed.commit(beneath(metadata, layout, stored))
      this.#committed = packed
      if (committed) this.#packed = undefined
      return committed
    } catch {
      // As above: the first draft has all of it.
      return false
    }
  }

  #commitRaw(metadata: Metadata): Later<boolean> {
    this.#over = true
    this.#packed?.abort()
    this.#committed = this.#raw
    return this.#raw.commit(beneath(metadata))
  }
}
