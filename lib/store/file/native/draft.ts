import {
  type ChunkCodec,
  type ChunkEncoder,
  type ContentHint,
  hintOf,
  ownNameOf,
  type StoredChunk,
} from '../../../compression/index.js'
import { WRITTEN } from '../../../native/file-numbers.js'
import type { Draft, Later, Metadata } from '../../store.js'
import { CODEC } from '../format/chunk.js'
import { encodeMetadata } from '../format/metadata.js'
import type { FileThread } from './thread.js'

/** What a draft needs of its store. */
export interface NativeDraftHost {
  readonly thread: FileThread
  readonly closed: boolean
  readonly codec: ChunkCodec
  readonly maxItemBytes: number
  readonly packLimit: number
  readonly chunkBytes: number
  /** Whether drafts may have so many bytes more, here and on the disk; `leave` gives them back. */
  enter(bytes: number): boolean
  leave(bytes: number): void
  /** The draft takes so many bytes more of the disk, or fewer. */
  pinDraft(bytes: number): void
  onRefusal(why: 'room' | 'size'): void
  onCommit(key: string, early: boolean): void
  /** The draft is over. */
  onEnd(draft: NativeFileDraft): void
}

/** Chunks as one call of the addon takes them. */
interface Encoded {
  readonly data: Uint8Array
  readonly table: Uint32Array
  readonly count: number
  readonly own: boolean
}

const NOTHING: Encoded = { data: Buffer.alloc(0), table: new Uint32Array(0), count: 0, own: false }

/**
 * A value that is being written: small ones are kept here until the commit, larger ones go to the addon a stage at a time. Whole
 * chunks that come while nothing is gathered go there from where they are.
 *
 * Invariants: `#busy` is the last of what this draft has the addon do, one after the other; the addon's draft is let go once.
 */
export class NativeFileDraft implements Draft {
  readonly key: string
  readonly #host: NativeDraftHost
  readonly #handle: number
  readonly #hint: ContentHint
  #encoder: ChunkEncoder | undefined
  /** Of the commit: it was acknowledged before it was written. */
  #early = false
  #pieces: Buffer[] = []
  /** It is too large for the log, or going to be. */
  #large = false
  #stage: Buffer | undefined
  #staged = 0
  /** All that was taken. */
  #size = 0
  #charge = 0
  /** What it has of the room for drafts. */
  #entered = 0
  #ownCodec = false
  #busy: Promise<void> | undefined
  #waiting = 0
  #error: unknown
  #state: 'open' | 'committing' | 'over' = 'open'
  #refused = false
  #full = false
  #fenced = false

  constructor(host: NativeDraftHost, key: string, handle: number, user: unknown) {
    this.#host = host
    this.#hint = hintOf(user)
    this.key = key
    this.#handle = handle
  }

  get handle(): number {
    return this.#handle
  }

  /** A delete of the key, or a clear, came before the commit. */
  get fenced(): boolean {
    return this.#fenced
  }

  write(chunk: Uint8Array): Promise<boolean> | boolean {
    if (this.#state !== 'open' || this.#host.closed || this.#full) return false
    const { maxItemBytes, packLimit } = this.#host
    if (this.#size + chunk.length > maxItemBytes) return this.#refuse('size')
    if (!this.#large && this.#size + chunk.length <= packLimit) {
      this.#size += chunk.length
      if (chunk.length > 0) this.#pieces.push(Buffer.from(chunk))
      return true
    }
    if (!this.#host.enter(chunk.length)) return this.#refuse('room')
    this.#entered += chunk.length
    if (!this.#large) this.#beginLarge()
    const room = this.#stage === undefined ? 0 : this.#stage.length - this.#staged
    if (this.#busy === undefined && chunk.length <= room) {
      this.#take(chunk)
      return true
    }
    return this.#next(() => this.#write(chunk))
  }

  commit(metadata: Metadata): Promise<boolean> {
    return this.#commit(metadata, () => this.#encodeRest())
  }

  /** All of the value and its commit in one call of the addon. Nothing was written before; `bytes` stay as they are until it has settled. */
  commitWhole(bytes: Uint8Array, metadata: Metadata): Promise<boolean> {
    const { chunkBytes } = this.#host
    if (this.#host.enter(bytes.length)) {
      this.#entered = bytes.length
      this.#size = bytes.length
    } else this.#refuse('room')
    return this.#commit(metadata, () => plainChunks(bytes, chunkBytes))
  }

  abort(): void {
    if (this.#state === 'open') this.#end(true)
  }

  /** Its store closes: the addon has let go of it already. */
  cut(): void {
    this.#end(true)
  }

  /** Brings all of the value to the addon, to be committed with others: the metadata as they are stored, or undefined. */
  async prepare(metadata: Metadata): Promise<Uint8Array | undefined> {
    if (this.#state !== 'open' || this.#begin(metadata) === undefined) return undefined
    let encoded: Uint8Array | undefined
    await this.#next(async () => {
      const last = await this.#encodeRest()
      const bytes = this.#encodedMetadata(metadata, last)
      if (bytes === undefined || !this.#isCommitting) return false
      if (last.count > 0 && !(await this.#send(last, undefined))) return false
      encoded = bytes
      return true
    })
    return encoded
  }

  /** Of a draft that was prepared. */
  settle(outcome: number, early: boolean): void {
    this.#fenced ||= outcome === WRITTEN.fenced
    if (outcome === WRITTEN.done) this.#host.onCommit(this.key, early)
    this.#end(outcome !== WRITTEN.done)
  }

  async #commit(metadata: Metadata, encodeLast: () => Later<Encoded>): Promise<boolean> {
    if (this.#state !== 'open' || this.#begin(metadata) === undefined) return false
    return this.#next(async () => {
      if (!this.#isCommitting) return false
      const encoding = encodeLast()
      const last = encoding instanceof Promise ? await encoding : encoding
      const encoded = this.#encodedMetadata(metadata, last)
      if (encoded === undefined) return false
      return this.#send(last, encoded)
    }).then(
      (committed) => {
        const done = committed && this.#isCommitting
        if (done) this.#host.onCommit(this.key, this.#early)
        this.#end(!committed)
        return committed
      },
      (error: unknown) => {
        this.#end(true)
        throw error
      },
    )
  }

  get #isCommitting(): boolean {
    return this.#state === 'committing' && !this.#host.closed
  }

  /** Whether it may be committed at all; then nothing can be written to it any more. */
  #begin(metadata: Metadata): Uint8Array | undefined {
    const bytes = metadata.size === this.#size && !this.#full ? encodeMetadata(metadata) : undefined
    if (bytes === undefined || this.#host.closed) {
      if (bytes === undefined && metadata.size === this.#size) this.#refuse('size')
      this.#end(true)
      return undefined
    }
    this.#state = 'committing'
    return bytes
  }

  #encodedMetadata(metadata: Metadata, last: Encoded): Uint8Array | undefined {
    const own = this.#ownCodec || last.own
    return encodeMetadata(metadata, own ? ownNameOf(this.#encoder?.compressor) : undefined)
  }

  #next(work: () => Promise<boolean>): Promise<boolean> {
    const before = this.#busy
    const result = before === undefined ? work() : before.then(work)
    this.#waiting += 1
    const settled = (): void => {
      this.#waiting -= 1
      if (this.#waiting === 0) this.#busy = undefined
    }
    this.#busy = result.then(settled, settled)
    return result
  }

  #beginLarge(): void {
    this.#large = true
    const pieces = this.#pieces
    this.#pieces = []
    if (pieces.length === 0) return
    // They are at most the pack limit together, which may be more than a stage.
    const held = this.#size
    this.#size = 0
    this.#stage = this.#newStage(held)
    for (const piece of pieces) this.#take(piece)
  }

  /** Whole chunks, and at least so many bytes. */
  #newStage(bytes: number): Buffer {
    const { chunkBytes, thread } = this.#host
    return thread.stages.take(Math.max(1, Math.ceil(bytes / chunkBytes)) * chunkBytes)
  }

  #take(bytes: Uint8Array): void {
    this.#stage!.set(bytes, this.#staged)
    this.#staged += bytes.length
    this.#size += bytes.length
  }

  async #write(chunk: Uint8Array): Promise<boolean> {
    const { chunkBytes, codec } = this.#host
    for (let at = 0; at < chunk.length; ) {
      if (this.#state !== 'open' || this.#full) return false
      const rest = chunk.length - at
      if (this.#staged === 0 && rest >= chunkBytes && isPlain(this.#encoder ?? codec)) {
        const whole = chunk.subarray(at, at + rest - (rest % chunkBytes))
        this.#size += whole.length
        at += whole.length
        if (!(await this.#send(plainChunks(whole, chunkBytes), undefined))) return this.#refuse()
        continue
      }
      this.#stage ??= this.#newStage(0)
      const stage = this.#stage
      const piece = Math.min(rest, stage.length - this.#staged)
      this.#take(chunk.subarray(at, at + piece))
      at += piece
      if (this.#staged === stage.length && !(await this.#flush())) return this.#refuse()
    }
    return true
  }

  /** Gives the full stage to the addon. */
  async #flush(): Promise<boolean> {
    const stage = this.#stage!
    const encoded = await this.#encode(stage.subarray(0, this.#staged))
    this.#ownCodec ||= encoded.own
    this.#staged = 0
    if (this.#state === 'over') return false
    return this.#send(encoded, undefined)
  }

  async #encodeRest(): Promise<Encoded> {
    if (this.#error !== undefined) throw this.#error
    if (this.#stage !== undefined && this.#staged > 0)
      return this.#encode(this.#stage.subarray(0, this.#staged))
    const [only] = this.#pieces
    if (only === undefined) return NOTHING
    return this.#encode(this.#pieces.length === 1 ? only : Buffer.concat(this.#pieces))
  }

  async #encode(bytes: Buffer): Promise<Encoded> {
    const { chunkBytes, codec } = this.#host
    // Once begun, it goes on with the codec that it began with, which the store may have changed since.
    if (isPlain(this.#encoder ?? codec)) return plainChunks(bytes, chunkBytes)
    this.#encoder ??= codec.encoder(this.#hint)
    const count = Math.ceil(bytes.length / chunkBytes)
    const chunks: StoredChunk[] = []
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const chunk = this.#encoder.encode(bytes.subarray(at, at + chunkBytes))
      chunks.push(chunk instanceof Promise ? await chunk : chunk)
    }
    const table = new Uint32Array(3 * count)
    for (const [index, chunk] of chunks.entries()) {
      table[3 * index] = chunk.size
      table[3 * index + 1] = chunk.bytes.length
      table[3 * index + 2] = chunk.codec
    }
    const plain = chunks.every((chunk) => chunk.codec === CODEC.none)
    const own = chunks.some((chunk) => chunk.codec === CODEC.own)
    return { data: plain ? bytes : Buffer.concat(chunks.map((chunk) => chunk.bytes)), table, count, own }
  }

  /** @throws (rejects) what the system says */
  async #send({ data, table, count }: Encoded, metadata: Uint8Array | undefined): Promise<boolean> {
    const { operations, addon } = this.#host.thread
    try {
      return await operations.run(
        () => addon.fileDraftWrite(this.#handle, data, table, count, metadata),
        ({ outcome, second, early }) => {
          this.#early = early
          this.#pin(this.#state === 'over' || metadata !== undefined ? 0 : second)
          this.#fenced ||= outcome === WRITTEN.fenced
          // The addon has counted it.
          if (outcome === WRITTEN.noRoom || outcome === WRITTEN.tooLarge) this.#full = true
          return outcome === WRITTEN.done
        },
      )
    } catch (error) {
      this.#error = error
      this.#full = true
      throw error
    }
  }

  #pin(charge: number): void {
    this.#host.pinDraft(charge - this.#charge)
    this.#charge = charge
  }

  /** @param why not given when the addon has counted it */
  #refuse(why?: 'room' | 'size'): false {
    if (why !== undefined && !this.#refused) this.#host.onRefusal(why)
    this.#refused = true
    return false
  }

  #end(abort: boolean): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#pieces = []
    // Unless the addon may still read it.
    if (this.#stage !== undefined && this.#waiting === 0) this.#host.thread.stages.give(this.#stage)
    this.#stage = undefined
    this.#pin(0)
    this.#host.leave(this.#entered)
    this.#host.onEnd(this)
    if (!this.#host.closed) this.#host.thread.addon.fileDraftEnd(this.#handle, abort)
  }
}

/** `bytes` as chunks that are stored as they are. */
function plainChunks(bytes: Uint8Array, chunkBytes: number): Encoded {
  const count = Math.ceil(bytes.length / chunkBytes)
  const table = new Uint32Array(3 * count)
  for (let index = 0; index < count; index += 1) {
    const size = Math.min(chunkBytes, bytes.length - index * chunkBytes)
    table[3 * index] = size
    table[3 * index + 1] = size
    table[3 * index + 2] = CODEC.none
  }
  return { data: bytes, table, count, own: false }
}

function isPlain({ compressor }: Pick<ChunkEncoder, 'compressor'>): boolean {
  return compressor === undefined
}
