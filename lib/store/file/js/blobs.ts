import { codeOf, type Env, O_NOFOLLOW, O_RDONLY, readInto, syncFolder } from '../env.js'
import { blobName, blobOf, blobPath, partitionName } from '../format/names.js'
import {
  blobSequenceOf,
  decodeRecord,
  FIXED_HEAD,
  isBlob,
  KIND,
  partsOf,
  peekRecord,
} from '../format/record.js'
import { blobAllotment, namesAllotment, unitsOf } from '../space.js'
import { type Core, headContext, type KeyId, keyIdOf, segmentPath } from './core.js'
import type { IndexEntry } from './table.js'

/** Whose blob it is. */
export interface BlobOwner {
  readonly key: string
  readonly keyHash: Buffer
  readonly blobSequence: number
}

/**
 * Removing blobs whose records are current no more.
 *
 * The index does not know the names of blobs; the record does. So what was replaced or deleted is read once more, before
 * its segment may go: `settled` is for who removes segments.
 *
 * Invariant: a blob's bytes stay in the ledger until the system has them back, also when that never happens.
 */
export class Blobs {
  readonly #core: Core
  /** Blobs that there are, and the most that there were: folders do not get smaller. */
  #count: number
  #names: number
  /** Names of those that have no record yet. */
  readonly #drafts = new Set<string>()
  readonly #tasks = new Set<Promise<unknown>>()
  /** Paths that are being removed: their bytes are given back once. */
  readonly #going = new Set<string>()
  /** Whether any were published. */
  #published = false

  constructor(core: Core) {
    this.#core = core
    this.#count = core.segments.blobs
    this.#names = this.#count
  }

  /** Bytes that folders may take more for one more blob: to be reserved with its own. Once for each. */
  nameBytes(): number {
    this.#count += 1
    const before = namesAllotment(this.#names)
    this.#names = Math.max(this.#names, this.#count)
    return namesAllotment(this.#names) - before
  }

  /** What `nameBytes` gave could not be had. */
  refuseName(bytes: number): void {
    this.#count -= 1
    if (bytes > 0) this.#names -= 1
  }

  path(id: Pick<KeyId, 'hash'>, sequence: number): string {
    return `${this.#core.dir}/${blobPath(id.hash, sequence, this.#core.header.partitions)}`
  }

  /** From here on nobody takes the blob for an orphan, until `settle`. */
  begin(id: Pick<KeyId, 'hash'>, sequence: number): void {
    this.#drafts.add(blobName(id.hash, sequence))
  }

  settle(id: Pick<KeyId, 'hash'>, sequence: number): void {
    this.#drafts.delete(blobName(id.hash, sequence))
  }

  /** A record refers to the blob now. */
  publish(id: Pick<KeyId, 'hash'>, sequence: number): void {
    this.settle(id, sequence)
    this.#published = true
  }

  /**
   * Has the system write out all blobs whose numbers are from `from` to below `to`, and their names; says whether it did before `late()`.
   *
   * @throws what the system says
   */
  async sync(from: number, to: number, late: () => boolean): Promise<boolean> {
    const { env, dir, header } = this.#core
    // What was there was written out, and nothing came.
    if (from >= to || (from > 0 && !this.#published)) return true
    for (let partition = 0; partition < header.partitions; partition += 1) {
      const folder = `${dir}/${partitionName(partition)}`
      const names = (await this.#list(folder)).filter(({ name, kind }) => {
        const sequence = kind === 'file' ? (blobOf(name)?.sequence ?? -1) : -1
        return sequence >= from && sequence < to
      })
      for (const { name } of names) {
        if (late()) return false
        try {
          const fd = await env.open(`${folder}/${name}`, O_RDONLY | O_NOFOLLOW)
          await env.datasync(fd).finally(() => env.close(fd))
        } catch (error) {
          // Removed since.
          if (codeOf(error) !== 'ENOENT') throw error
        }
      }
      if (names.length > 0) await syncFolder(env, folder)
    }
    await syncFolder(env, dir)
    return true
  }

  /** What the record of an entry says: its key, the key's hash and its blob. Undefined when that is not what was written. @throws what the system says */
  async nameOf(entry: IndexEntry): Promise<BlobOwner | undefined> {
    const { dir, contexts, files, header } = this.#core
    const file = await files.acquire(segmentPath(dir, entry.segment))
    try {
      const found = await this.#readHead(file.fd, entry, headContext(contexts, entry.segment))
      if (found === undefined) return undefined
      const { hash } = keyIdOf(header.secret, found.key)
      return { key: found.key.toString('utf8'), keyHash: hash, blobSequence: found.blobSequence }
    } finally {
      files.release(file)
    }
  }

  /** Removes the blob of an entry that has left the index. Does nothing for a packed value. */
  drop(entry: IndexEntry): void {
    this.leaving(entry)()
  }

  /**
   * The same in two steps. What its file is called is read now, while there is a record that says so; the file goes when what this gives is called, once
   * it is in the log that the entry is none any more: a process that dies in between leaves no entry without its file. Called again it does nothing.
   */
  leaving(entry: IndexEntry): () => void {
    if (entry.blobUnits === 0) return () => undefined
    const owner = this.#owner(entry)
    this.#track(owner)
    let isAsked = false
    return () => {
      if (isAsked) return
      isAsked = true
      this.#track(owner.then((known) => this.#drop(entry, known)))
    }
  }

  #track(work: Promise<unknown>): void {
    const task = work.finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  /** Removes a blob of which the name is known. Never rejects. */
  async remove(id: Pick<KeyId, 'hash'>, sequence: number, charged: number): Promise<void> {
    await this.#unlink(this.path(id, sequence), charged)
  }

  /** Resolves when what was dropped before this call is removed. */
  async settled(): Promise<void> {
    await Promise.all(this.#tasks)
  }

  /** Removes all blobs with a sequence below `sequence`, but for drafts. */
  async sweep(sequence: number): Promise<void> {
    const { header } = this.#core
    for (let partition = 0; partition < header.partitions; partition += 1) {
      await this.#sweepFolder(partition, (found) => found.sequence < sequence)
    }
  }

  /** Never rejects. `closed`: nobody can say any more. */
  async #owner(entry: IndexEntry): Promise<BlobOwner | 'unknown' | 'closed'> {
    try {
      return (await this.nameOf(entry)) ?? 'unknown'
    } catch (error) {
      if (codeOf(error) === 'ERR_DREY_CLOSED') return 'closed'
      this.#core.tally.diskErrors += 1
      return 'unknown'
    }
  }

  async #drop(entry: IndexEntry, owner: BlobOwner | 'unknown' | 'closed'): Promise<void> {
    if (owner === 'closed') this.#core.tally.orphans += 1
    else if (owner === 'unknown') await this.#dropByIdentity(entry)
    else {
      await this.#unlink(
        this.path({ hash: owner.keyHash }, owner.blobSequence),
        blobAllotment(entry.blobUnits),
      )
    }
  }

  async #readHead(
    fd: number,
    { offset, length }: IndexEntry,
    context: number,
  ): Promise<{ readonly key: Buffer; readonly blobSequence: number } | undefined> {
    const bytes = Buffer.allocUnsafe(length)
    const got = await readInto(this.#core.env, fd, bytes, offset)
    const head = got === length && length >= FIXED_HEAD ? peekRecord(bytes, 0) : undefined
    if (head === undefined || head.kind !== KIND.put || !isBlob(head)) return undefined
    if (decodeRecord(bytes, 0, offset, context) === undefined) return undefined
    const { key } = partsOf(head)
    return {
      key: Buffer.from(bytes.subarray(key, key + head.keyBytes)),
      blobSequence: blobSequenceOf(bytes, 0),
    }
  }

  /** Of an entry whose record cannot be read: whatever blobs its identity has, as far as they are no drafts and nothing newer is current. */
  async #dropByIdentity(entry: IndexEntry): Promise<void> {
    const { header, index } = this.#core
    const current = index.get(entry.lo, entry.hi)
    if (current !== undefined) {
      this.#core.tally.orphans += 1
      return
    }
    await this.#sweepFolder((entry.lo & 0xff) % header.partitions, ({ keyHash }) => {
      return keyHash.readUInt32LE(0) === entry.lo && keyHash.readUInt32LE(4) === entry.hi
    })
  }

  async #sweepFolder(
    partition: number,
    gone: (found: { readonly keyHash: Buffer; readonly sequence: number }) => boolean,
  ): Promise<void> {
    const { env, dir, tally } = this.#core
    const folder = `${dir}/${partitionName(partition)}`
    for (const { name, kind } of await this.#list(folder)) {
      const found = kind === 'file' && !this.#drafts.has(name) ? blobOf(name) : undefined
      if (found === undefined || !gone(found)) continue
      try {
        const { size } = await env.status(`${folder}/${name}`)
        await this.#unlink(`${folder}/${name}`, blobAllotment(unitsOf(size)))
      } catch (error) {
        // Removed by another: what it took was given back there.
        if (codeOf(error) === 'ENOENT') continue
        tally.diskErrors += 1
        tally.orphans += 1
      }
    }
  }

  async #list(folder: string): Promise<Awaited<ReturnType<Env['list']>>> {
    const { env, tally } = this.#core
    try {
      return await env.list(folder)
    } catch (error) {
      // A folder that was never needed.
      if (codeOf(error) === 'ENOENT') return []
      tally.diskErrors += 1
      tally.orphans += 1
      return []
    }
  }

  async #unlink(path: string, charged: number): Promise<void> {
    const { files, ledger, tally } = this.#core
    if (this.#going.has(path)) return
    this.#going.add(path)
    try {
      await files.remove(path, () => {
        this.#count -= 1
        ledger.release(charged)
      })
    } catch {
      // Counted, and charged until the next open finds it.
      tally.diskErrors += 1
      tally.orphans += 1
    } finally {
      this.#going.delete(path)
    }
  }
}
