import { type ContentHint, hintOf, ownNameOf, type StoredChunk } from '../../../compression/index.js'
import type { Draft, Metadata } from '../../store.js'
import { CODEC } from '../format/chunk.js'
import { encodeMetadata } from '../format/metadata.js'
import { FLAG, KIND, putBody, type RecordParts } from '../format/record.js'
import type { BlobWriter, WrittenBlob } from './blob-writer.js'
import type { Core, KeyId } from './core.js'
import { packedParts } from './value.js'

/** A draft whose value is where it belongs, and that only lacks its record. */
export interface Prepared {
  readonly id: KeyId
  readonly parts: RecordParts
  readonly metadata: Metadata
  readonly blob: BlobWriter | undefined
  readonly blobUnits: number
}

/** What a draft needs of its store. */
export interface DraftHost {
  readonly core: Core
  readonly closed: boolean
  readonly maxItemBytes: number
  newBlob(id: KeyId, hint: ContentHint): BlobWriter
  /** Puts the record into the log. @throws what the system says */
  commit(draft: FileDraft, prepared: Prepared): Promise<boolean>
  /** The draft is over. */
  onEnd(draft: FileDraft): void
  /** It was refused, for want of room or for size. */
  onRefusal(why: 'room' | 'size'): void
  /** What the system failed it with, as it is told. */
  failure(error: unknown): unknown
}

/**
 * A value that is being written: in memory up to the pack limit, then to a blob.
 *
 * Invariant: while `#state` is 'open' the host knows it, and `fence` reaches it; a blob is published or aborted, once.
 */
export class FileDraft implements Draft {
  readonly id: KeyId
  readonly #host: DraftHost
  readonly #hint: ContentHint
  #pieces: Buffer[] = []
  #size = 0
  #blob: BlobWriter | undefined
  #state: 'open' | 'committing' | 'over' = 'open'
  #refused = false
  #fenced = false

  constructor(host: DraftHost, id: KeyId, size: number | undefined, user: unknown) {
    this.#host = host
    this.id = id
    this.#hint = hintOf(user)
    if (size !== undefined && size > host.core.config.packLimit) this.#blob = host.newBlob(id, this.#hint)
  }

  /** A delete of the key, or a clear, came. */
  get fenced(): boolean {
    return this.#fenced
  }

  fence(): void {
    this.#fenced = true
  }

  write(chunk: Uint8Array): Promise<boolean> | boolean {
    if (this.#state !== 'open') return false
    const { core, maxItemBytes } = this.#host
    if (this.#size + chunk.length > maxItemBytes) return this.#refuse('size')
    if (this.#blob === undefined && this.#size + chunk.length <= core.config.packLimit) {
      this.#size += chunk.length
      if (chunk.length > 0) this.#pieces.push(Buffer.from(chunk))
      return true
    }
    return this.#toBlob(chunk)
  }

  async commit(metadata: Metadata): Promise<boolean> {
    const prepared = await this.prepare(metadata)
    if (prepared === undefined) return false
    try {
      const committed = await this.#host.commit(this, prepared)
      this.settle(committed)
      return committed
    } catch (error) {
      this.settle(false)
      throw this.#host.failure(error)
    }
  }

  abort(): void {
    if (this.#state === 'open') this.#end()
  }

  /** Cuts it off, whatever it is at. */
  cut(): Promise<void> {
    this.#end()
    return this.#blob?.gone ?? Promise.resolve()
  }

  /** Brings the value to its place; undefined when it is given up. @throws what the system says */
  async prepare(metadata: Metadata): Promise<Prepared | undefined> {
    if (this.#state !== 'open') return undefined
    if (this.#host.closed || this.#fenced || metadata.size !== this.#size) {
      this.#end()
      return undefined
    }
    this.#state = 'committing'
    try {
      const prepared = await (this.#blob === undefined ? this.#pack(metadata) : this.#finish(metadata))
      // Cut off meanwhile, or fenced.
      if (prepared !== undefined && this.#isCommitting && !this.#fenced) return prepared
      if (prepared === undefined) this.#refuse(this.#blob === undefined ? 'size' : 'room')
    } catch (error) {
      this.settle(false)
      throw this.#host.failure(error)
    }
    this.settle(false)
    return undefined
  }

  /** Of a draft that was prepared: whether its record is in the log. */
  settle(committed: boolean): void {
    if (committed) this.#blob?.publish()
    this.#end()
  }

  get #isCommitting(): boolean {
    return this.#state === 'committing'
  }

  async #toBlob(chunk: Uint8Array): Promise<boolean> {
    try {
      const blob = this.#blob ?? this.#host.newBlob(this.id, this.#hint)
      const first = this.#blob === undefined
      this.#blob = blob
      if (first) {
        for (const piece of this.#pieces) {
          if (!(await blob.write(piece))) return this.#refuse('room')
        }
        this.#pieces = []
      }
      if (!(await blob.write(chunk))) return this.#refuse('room')
      this.#size += chunk.length
      return true
    } catch (error) {
      throw this.#host.failure(error)
    }
  }

  async #pack(metadata: Metadata): Promise<Prepared | undefined> {
    const { config } = this.#host.core
    const value = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
    const encoder = config.codec.encoder(this.#hint)
    const chunks: StoredChunk[] = []
    for (let at = 0; at < value.length; at += config.chunkBytes) {
      chunks.push(await encoder.encode(value.subarray(at, at + config.chunkBytes)))
    }
    const own = chunks.some(({ codec }) => codec === CODEC.own)
    const bytes = encodeMetadata(metadata, own ? ownNameOf(encoder.compressor) : undefined)
    if (bytes === undefined) return undefined
    const parts = packedParts(this.id.bytes, bytes, this.#size, Math.log2(config.chunkBytes), chunks)
    return { id: this.id, parts, metadata, blob: undefined, blobUnits: 0 }
  }

  async #finish(metadata: Metadata): Promise<Prepared | undefined> {
    const blob = this.#blob!
    // Of a declared size that did not come: the value is smaller than a blob has to be, and empty ones cannot be.
    if (this.#size === 0) {
      blob.abort()
      this.#blob = undefined
      return this.#pack(metadata)
    }
    const written = await blob.finish()
    if (written === undefined) return undefined
    const parts = this.#blobParts(metadata, written)
    return parts && { id: this.id, parts, metadata, blob, blobUnits: written.units }
  }

  #blobParts(metadata: Metadata, written: WrittenBlob): RecordParts | undefined {
    const bytes = encodeMetadata(metadata, written.ownCodec)
    if (bytes === undefined) return undefined
    return {
      kind: KIND.put,
      flags: FLAG.blob,
      chunkPower: Math.log2(this.#host.core.config.chunkBytes),
      size: this.#size,
      storedBytes: written.storedBytes,
      keyBytes: this.id.bytes.length,
      metadataBytes: bytes.length,
      body: putBody(written.sequence, this.id.bytes, bytes),
      data: [],
    }
  }

  #refuse(why: 'room' | 'size'): false {
    if (!this.#refused) this.#host.onRefusal(why)
    this.#refused = true
    return false
  }

  #end(): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#pieces = []
    this.#blob?.abort()
    this.#host.onEnd(this)
  }
}
