import { type Env, O_NOFOLLOW, O_RDONLY, readInto } from '../env.js'
import { decodeMetadata } from '../format/metadata.js'
import { blobPath, LOG_FOLDER, segmentName } from '../format/names.js'
import { isZero, MAX_HEAD, MAX_PACKED } from '../format/numbers.js'
import {
  blobSequenceOf,
  endsBatch,
  FLAG,
  isBlob,
  isPadded,
  KIND,
  partsOf,
  type RecordHead,
} from '../format/record.js'
import { SEGMENT_HEADER } from '../format/segment.js'
import { blobBytes } from '../format/table.js'
import { type Core, headContext, type KeyId, keyIdOf, segmentPath } from '../js/core.js'
import type { IndexEntry } from '../js/table.js'
import { packedChunks } from '../js/value.js'
import { walk } from '../js/walk.js'
import { unitsOf } from '../space.js'
import { BlobCheck } from './blob.js'
import type { DamageKind, Findings } from './report.js'

/** From where to where something is that is no record. */
type Region = readonly [from: number, to: number]

/** The members of a batch that go before the next record. */
interface Members {
  readonly offset: number
  readonly checksums: number[]
}

/**
 * Looks through the records of all segments, in their order, and through the blobs that current ones name.
 *
 * Invariant: the index has those of its entries whose records were not met yet; what is left at the end was not met at all.
 */
export class LogCheck {
  /** Paths, below the directory, of the blobs that current records name. */
  readonly named = new Set<string>()
  readonly #core: Core
  readonly #findings: Findings
  readonly #blobs: BlobCheck
  readonly #scratch = Buffer.allocUnsafeSlow(MAX_HEAD + MAX_PACKED)
  readonly #regions = new Map<number, Region[]>()

  constructor(core: Core, findings: Findings) {
    this.#core = core
    this.#findings = findings
    this.#blobs = new BlobCheck(core)
  }

  /** @param end where what an open keeps of the segment ends @throws what the system says */
  async check(segment: number, end: number): Promise<void> {
    const { env, dir, contexts } = this.#core
    const fd = await env.open(segmentPath(dir, segment), O_RDONLY | O_NOFOLLOW)
    let members: Members | undefined
    try {
      const behind = await walk(env, fd, SEGMENT_HEADER, end, headContext(contexts, segment), {
        record: (head, offset, bytes, at) => {
          this.#findings.records += 1
          members = this.#follow(members, segment, head, offset, bytes, at)
          if (head.kind !== KIND.put) return undefined
          // Padding counts: who reads a record reads all of it.
          return this.#put(fd, segment, head, offset, bytes, at, offset + head.recordBytes > end)
        },
        damage: (from, to) => {
          members = this.#unended(members, segment)
          this.#noRecord(segment, from, to)
        },
      })
      this.#unended(members, segment)
      if (behind.kind === 'damage') this.#noRecord(segment, behind.offset, end)
      if (behind.kind !== 'ended') return
      const more = await firstByte(env, fd, behind.offset, end)
      if (more !== undefined) this.#noRecord(segment, more, end)
    } finally {
      await env.close(fd)
    }
  }

  /** To be called last: tells of entries whose records are not there. */
  finish(): void {
    const { index } = this.#core
    for (let shard = 0; shard < index.shards; shard += 1) {
      for (const entry of index.snapshot(shard)) {
        this.#findings.unsound.push(entry)
        const { segment, offset } = entry
        const known = this.#regions.get(segment)?.some(([from, to]) => from <= offset && offset < to)
        // Told of already, as damage of that place.
        if (known === true) continue
        this.#harm('index', segment, offset, 'a record that the image names is not there')
      }
    }
  }

  #harm(kind: DamageKind, segment: number, offset: number, what: string): void {
    this.#findings.harm(kind, segment, `${LOG_FOLDER}/${segmentName(segment)}`, offset, what)
  }

  #noRecord(segment: number, from: number, to: number): void {
    const regions = this.#regions.get(segment)
    if (regions === undefined) this.#regions.set(segment, [[from, to]])
    else regions.push([from, to])
    this.#harm('record', segment, from, `${to - from} bytes are no record`)
  }

  /** Goes on with a batch; says which is under way behind the record. */
  #follow(
    members: Members | undefined,
    segment: number,
    head: RecordHead,
    offset: number,
    bytes: Buffer,
    at: number,
  ): Members | undefined {
    if ((head.flags & FLAG.member) !== 0) {
      const going = members ?? { offset, checksums: [] }
      going.checksums.push(head.checksum)
      return going
    }
    if (head.kind !== KIND.batch) return this.#unended(members, segment)
    if (!endsBatch(bytes, at, members?.checksums ?? [])) {
      this.#harm('batch', segment, offset, 'the end of a batch whose members are not there')
    }
    return undefined
  }

  #unended(members: Members | undefined, segment: number): undefined {
    if (members === undefined) return
    const { length } = members.checksums
    this.#harm('batch', segment, members.offset, `${length} members of a batch whose end is not there`)
  }

  #put(
    fd: number,
    segment: number,
    head: RecordHead,
    offset: number,
    bytes: Buffer,
    at: number,
    cut: boolean,
  ): Promise<void> | undefined {
    const { index, header } = this.#core
    const { key, metadata, table } = partsOf(head)
    const id = keyIdOf(header.secret, bytes.subarray(at + key, at + metadata))
    const there = index.get(id.lo, id.hi)
    const entry = there?.segment === segment && there.offset === offset ? there : undefined
    if (entry !== undefined) index.remove(id.lo, id.hi)
    const readable = decodeMetadata(bytes.subarray(at + metadata, at + table), head.size) !== undefined
    if (cut || !readable || !isPadded(bytes, at, head) || (entry !== undefined && !isOf(entry, head))) {
      this.#unsound(entry, segment, offset, 'a record is cut off, or its metadata are not what was written')
      return undefined
    }
    if (isBlob(head)) {
      if (entry === undefined) return undefined
      return this.#blob(entry, id, blobSequenceOf(bytes, at), head)
    }
    if (at + head.recordBytes > bytes.length) return this.#packed(fd, entry, segment, head, offset)
    this.#judge(entry, segment, offset, packedChunks(bytes, at, head) !== undefined)
    return undefined
  }

  /** Of a record whose data are not in memory, or not all. */
  async #packed(
    fd: number,
    entry: IndexEntry | undefined,
    segment: number,
    head: RecordHead,
    offset: number,
  ): Promise<void> {
    const bytes = this.#scratch.subarray(0, head.recordBytes)
    const got = await readInto(this.#core.env, fd, bytes, offset)
    this.#judge(entry, segment, offset, packedChunks(bytes.subarray(0, got), 0, head) !== undefined)
  }

  #judge(entry: IndexEntry | undefined, segment: number, offset: number, whole: boolean): void {
    if (!whole) this.#unsound(entry, segment, offset, 'the value of a record is not what was written')
  }

  #unsound(entry: IndexEntry | undefined, segment: number, offset: number, what: string): void {
    this.#harm('value', segment, offset, entry === undefined ? `${what}; it had been replaced` : what)
    if (entry !== undefined) this.#findings.unsound.push(entry)
  }

  async #blob(entry: IndexEntry, id: KeyId, sequence: number, head: RecordHead): Promise<void> {
    const { dir, header } = this.#core
    const file = blobPath(id.hash, sequence, header.partitions)
    this.named.add(file)
    const shape = { size: head.size, storedBytes: head.storedBytes, chunkBytes: 2 ** head.chunkPower }
    let sound = true
    await this.#blobs.check(`${dir}/${file}`, id.hash, sequence, shape, (offset, what) => {
      sound = false
      this.#findings.damage('blob', file, offset, what)
    })
    if (!sound) this.#findings.unsound.push(entry)
  }
}

/** Whether the index says of the record what the record says. */
function isOf(entry: IndexEntry, head: RecordHead): boolean {
  const shape = { size: head.size, storedBytes: head.storedBytes, chunkBytes: 2 ** head.chunkPower }
  const units = isBlob(head) ? unitsOf(blobBytes(shape)) : 0
  return entry.sequence === head.sequence && entry.length === head.recordBytes && entry.blobUnits === units
}

/** Where the first byte is that is not zero; undefined when there is none. */
export async function firstByte(env: Env, fd: number, from: number, to: number): Promise<number | undefined> {
  const space = Buffer.allocUnsafeSlow(64 * 1024)
  for (let at = from; at < to; ) {
    const got = await readInto(env, fd, space.subarray(0, Math.min(space.length, to - at)), at)
    if (got === 0) return undefined
    if (!isZero(space, 0, got)) return at + space.subarray(0, got).findIndex((byte) => byte !== 0)
    at += got
  }
  return undefined
}
