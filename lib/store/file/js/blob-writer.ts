import {
  type ChunkEncoder,
  type ContentHint,
  ownNameOf,
  type StoredChunk,
} from '../../../compression/index.js'
import { codeOf, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, syncFolder, writeFully } from '../env.js'
import { CHUNK_ENTRY, CODEC, chunkCount, encodeChunk } from '../format/chunk.js'
import { partitionName } from '../format/names.js'
import { encodeTable, tableBytes } from '../format/table.js'
import { blobAllotment, unitsOf } from '../space.js'
import type { Blobs } from './blobs.js'
import { blobContext, type Core, type KeyId } from './core.js'
import type { Reclaimer } from './reclaim.js'
import { entryOf } from './value.js'

/** A blob that is written, whole. */
export interface WrittenBlob {
  readonly sequence: number
  readonly storedBytes: number
  readonly units: number
  /** Of chunks by a codec of the user's own, its name. */
  readonly ownCodec: string | undefined
}

/** Bytes that are gathered for one write. */
const STAGE = 256 * 1024

/**
 * Writes a blob, chunk by chunk, before anything refers to it.
 *
 * Invariants: what was taken is in the ledger, and pinned there, from before `write` says true until `publish`, or until the
 * file is gone after `abort`; calls of the system are made one after another, `#busy` being the last.
 */
export class BlobWriter {
  readonly #core: Core
  readonly #blobs: Blobs
  readonly #reclaimer: Reclaimer
  readonly #id: KeyId
  readonly #encoder: ChunkEncoder
  readonly #stage: Buffer
  readonly sequence: number
  #staged = 0
  #taken = 0
  #stored = 0
  #entries = Buffer.alloc(16 * CHUNK_ENTRY)
  #chunks = 0
  #ownCodec = false
  #fd = -1
  #made = false
  #charged = 0
  #pinned = 0
  #over = false
  #busy: Promise<unknown> = Promise.resolve()
  #gone: Promise<void> = Promise.resolve()

  constructor(core: Core, blobs: Blobs, reclaimer: Reclaimer, id: KeyId, hint: ContentHint) {
    this.#core = core
    this.#blobs = blobs
    this.#reclaimer = reclaimer
    this.#id = id
    this.#encoder = core.config.codec.encoder(hint)
    this.#stage = Buffer.allocUnsafeSlow(Math.max(STAGE, core.config.chunkBytes))
    this.sequence = core.nextSequence
    core.nextSequence += 1
    blobs.begin(id, this.sequence)
  }

  /** Takes all of `bytes`, or none when there is no room. @throws what the system says */
  write(bytes: Uint8Array): Promise<boolean> {
    return this.#next(async () => {
      if (!(await this.#reserve(this.#taken + bytes.length)) || this.#over) return false
      this.#taken += bytes.length
      for (let at = 0; at < bytes.length; ) {
        const piece = Math.min(bytes.length - at, this.#stage.length - this.#staged)
        this.#stage.set(bytes.subarray(at, at + piece), this.#staged)
        this.#staged += piece
        at += piece
        if (this.#staged === this.#stage.length) await this.#flush()
      }
      return true
    })
  }

  /** Writes the rest and the table. @throws what the system says */
  finish(): Promise<WrittenBlob | undefined> {
    return this.#next(async () => {
      if (this.#staged > 0) await this.#flush()
      const { env, config, contexts, dir } = this.#core
      const context = blobContext(contexts, this.#id.hash, this.sequence)
      const table = encodeTable(this.#entries.subarray(0, this.#chunks * CHUNK_ENTRY), context)
      await writeFully(env, await this.#file(), table, this.#stored)
      this.#core.tally.writtenBytes += table.length
      if (config.durability === 'power') {
        await env.datasync(this.#fd)
        await syncFolder(env, `${dir}/${this.#partition}`)
      }
      const fd = this.#fd
      this.#fd = -1
      await env.close(fd)
      const units = unitsOf(this.#stored + table.length)
      const charge = blobAllotment(units)
      this.#core.ledger.release(this.#charged - charge)
      this.#core.ledger.unpin(this.#pinned - charge)
      this.#charged = charge
      this.#pinned = charge
      return {
        sequence: this.sequence,
        storedBytes: this.#stored,
        units,
        ownCodec: this.#ownCodec ? ownNameOf(this.#encoder.compressor) : undefined,
      }
    })
  }

  /** A record refers to it now: its bytes are that entry's. */
  publish(): void {
    if (this.#over) return
    this.#over = true
    this.#core.ledger.unpin(this.#pinned)
    this.#pinned = 0
    this.#blobs.publish(this.#id, this.sequence)
  }

  /** Removes what was written. Its bytes are to be had at once, and are had when the file is gone. */
  abort(): void {
    if (this.#over) return
    this.#over = true
    this.#core.ledger.unpin(this.#pinned)
    this.#pinned = 0
    this.#gone = this.#busy.then(() => {
      const discarding = this.#discard()
      // From here on only, for what it was at before may have been waiting for room.
      this.#core.files.track(discarding)
      return discarding
    })
  }

  /** Resolves when what was aborted is gone. */
  get gone(): Promise<void> {
    return this.#gone
  }

  get #partition(): string {
    return partitionName(this.#id.hash[0]! % this.#core.header.partitions)
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#busy.then(work)
    this.#busy = result.catch(() => undefined)
    return result
  }

  /** Sees to it that a value of `size` bytes is in the ledger, uncompressed. */
  async #reserve(size: number): Promise<boolean> {
    const { ledger, config } = this.#core
    const wanted = blobAllotment(unitsOf(size + tableBytes(chunkCount(size, config.chunkBytes))))
    const more = wanted - this.#charged
    if (more <= 0) return true
    const name = this.#charged === 0 ? this.#blobs.nameBytes() : 0
    if (!(await this.#reclaimer.take(more + name))) {
      if (this.#charged === 0) this.#blobs.refuseName(name)
      return false
    }
    this.#charged = wanted
    if (this.#over) return true
    ledger.pin(wanted - this.#pinned)
    this.#pinned = wanted
    return true
  }

  async #flush(): Promise<void> {
    const { env, config, tally } = this.#core
    const staged = this.#stage.subarray(0, this.#staged)
    const pieces: Uint8Array[] = []
    for (let at = 0; at < staged.length; at += config.chunkBytes) {
      pieces.push(staged.subarray(at, at + config.chunkBytes))
    }
    const chunks: StoredChunk[] = await Promise.all(pieces.map((piece) => this.#encoder.encode(piece)))
    const plain = chunks.every(({ codec }) => codec === CODEC.none)
    const bytes = plain ? staged : Buffer.concat(chunks.map((chunk) => chunk.bytes))
    await writeFully(env, await this.#file(), bytes, this.#stored)
    tally.writtenBytes += bytes.length
    for (const chunk of chunks) this.#describe(chunk)
    this.#stored += bytes.length
    this.#staged = 0
  }

  #describe(chunk: StoredChunk): void {
    const at = this.#chunks * CHUNK_ENTRY
    if (at === this.#entries.length) {
      const entries = Buffer.alloc(this.#entries.length * 2)
      this.#entries.copy(entries)
      this.#entries = entries
    }
    encodeChunk(entryOf(chunk), this.#entries, at)
    this.#chunks += 1
    this.#ownCodec ||= chunk.codec === CODEC.own
  }

  async #file(): Promise<number> {
    if (this.#fd !== -1) return this.#fd
    const { env, dir } = this.#core
    const path = this.#blobs.path(this.#id, this.sequence)
    const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW
    try {
      this.#fd = await env.open(path, flags)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      const folder = `${dir}/${this.#partition}`
      await env.makeFolder(folder).catch((failed: unknown) => {
        if (codeOf(failed) !== 'EEXIST') throw failed
      })
      if (this.#core.config.durability === 'power') await syncFolder(env, dir)
      this.#fd = await env.open(path, flags)
    }
    this.#made = true
    return this.#fd
  }

  async #discard(): Promise<void> {
    const { env, ledger } = this.#core
    const fd = this.#fd
    this.#fd = -1
    // What was written is thrown away: whether the system liked it says nothing any more.
    if (fd !== -1) await env.close(fd).catch(() => undefined)
    if (this.#made) await this.#blobs.remove(this.#id, this.sequence, this.#charged)
    else {
      ledger.release(this.#charged)
      if (this.#charged > 0) this.#blobs.refuseName(0)
    }
    this.#blobs.settle(this.#id, this.sequence)
  }
}
