import { CorruptError } from '../../../errors.js'
import { codeOf, O_NOFOLLOW, O_RDONLY, O_RDWR, readFully } from '../env.js'
import type { RecoverySummary } from '../file-store.js'
import { IMAGE_FLAG, type ImageHeader } from '../format/image.js'
import { blobOf, imageName, imageOf, LOG_FOLDER, partitionName, segmentOf } from '../format/names.js'
import { isZero } from '../format/numbers.js'
import { blobSequenceOf, decodeRecord, FLAG, isBlob, KIND } from '../format/record.js'
import { DURABILITY, decodeSegment, SEGMENT_HEADER, type SegmentHeader } from '../format/segment.js'
import { blobBytes } from '../format/table.js'
import { allotment, folderAllotment, namesAllotment, UNIT, unitsOf } from '../space.js'
import { type Core, headContext, identityOf, logFolder, segmentPath } from './core.js'
import { assertKind } from './directory.js'
import { type ImageFile, loadImage, removeImage } from './image.js'
import { dropTornTail, type Found, type ReadSegment, readSegment } from './replay.js'
import { newSegment } from './segments.js'
import type { IndexEntry } from './table.js'

/** A segment as it was found. */
interface FoundSegment {
  readonly number: number
  readonly header: SegmentHeader | undefined
  readonly fileBytes: number
}

/** What an open has to do, once it can write. */
export interface Recovered {
  readonly image: ImageFile | undefined
  /** Every blob there is was written out. */
  readonly blobsSynced: boolean
  /** Entries that were dropped, and would come back without a delete. */
  readonly lost: readonly IndexEntry[]
  /** Segments that were not whole: to be removed once what is in doubt is in the log. */
  readonly broken: ReadonlyArray<{ readonly number: number; readonly charged: number }>
  readonly summary: Omit<RecoverySummary, 'milliseconds'>
}

const MOST_NUMBER = 0xffffffff

/** Blocks of the folder of the log, which has a few hundred names at most. */
const LOG_FOLDER_BYTES = 4 * UNIT

/** What is in the folder of the log, by number. @throws `ERR_DREY_CONFIG` for something that is no file in the place of one */
export async function listLog(
  core: Pick<Core, 'env' | 'dir'>,
): Promise<{ readonly segments: number[]; readonly images: number[] }> {
  const segments: number[] = []
  const images: number[] = []
  const folder = `${core.dir}/${LOG_FOLDER}`
  for (const { name, kind } of await core.env.list(folder)) {
    const segment = segmentOf(name)
    const image = imageOf(name)
    if (segment === undefined && image === undefined) continue
    assertKind(`${folder}/${name}`, kind, 'file')
    // Not reached in the life of a directory; the index counts in 32 bits.
    if (Math.max(segment ?? 0, image ?? 0) > MOST_NUMBER) {
      throw new CorruptError(
        `${folder}/${name} is no name that drey gives; remove it, or use another directory`,
      )
    }
    if (segment !== undefined) segments.push(segment)
    if (image !== undefined) images.push(image)
  }
  return { segments: segments.sort((a, b) => a - b), images: images.sort((a, b) => a - b) }
}

/** Brings the index and the ledger to what the directory has (docs/disk-format.md, section 8). @throws what the system says */
export async function recover(
  core: Core,
  listed: { readonly segments: readonly number[]; readonly images: readonly number[] },
): Promise<Recovered> {
  const { ledger, segments, tally } = core
  await chargeFolders(core)
  const found = await readHeaders(core, listed.segments)
  core.nextSegment = (listed.segments.at(-1) ?? 0) + 1
  core.nextImage = (listed.images.at(-1) ?? 0) + 1

  const oldest = found.reduce((most, { header }) => Math.max(most, header?.oldest ?? 0), 0)
  const broken: number[] = []
  const whole: Array<FoundSegment & { readonly header: SegmentHeader }> = []
  for (const [index, segment] of found.entries()) {
    const { number, header, fileBytes } = segment
    if (number < oldest || (header === undefined && index === found.length - 1)) {
      await core.env.unlink(segmentPath(core.dir, number))
      continue
    }
    ledger.charge(allotment(fileBytes))
    if (header === undefined) {
      broken.push(number)
    } else {
      whole.push({ ...segment, header })
      const added = newSegment(number, fileBytes, allotment(fileBytes))
      segments.add(added)
    }
  }

  const { image, imageFile } = await takeImage(core, listed.images)
  // A number is not used twice, also when somebody took the file away.
  core.nextSegment = Math.max(core.nextSegment, (image?.segment ?? 0) + 1)
  const replay = await replayLog(core, whole, broken, image)
  const closed =
    (image !== undefined && (image.flags & IMAGE_FLAG.clean) !== 0 && replay.nothingFollows) || replay.ended
  const clean = closed && broken.length === 0
  const swept = clean ? { orphans: 0, lost: [] } : await sweepBlobs(core, replay.blobs)
  ledger.charge(segments.blobBytes + namesAllotment(segments.blobs))
  tally.orphans = 0
  return {
    image: imageFile,
    blobsSynced:
      segments.blobs === 0 ||
      (clean && image !== undefined && (image.flags & IMAGE_FLAG.synced) !== 0 && replay.nothingFollows),
    lost: swept.lost,
    broken: broken.map((number) => ({
      number,
      charged: allotment(found.find((segment) => segment.number === number)!.fileBytes),
    })),
    summary: {
      clean: clean && image !== undefined,
      entries: core.index.size,
      replayed: replay.replayed,
      tornBytes: replay.tornBytes,
      damagedBytes: replay.damagedBytes,
      orphans: swept.orphans,
      doubt: core.doubt > 0,
    },
  }
}

async function chargeFolders({ env, dir, ledger, header }: Core): Promise<void> {
  // DREY, the directory and the folder of locks; then those that may grow.
  ledger.charge(UNIT + folderAllotment(header.partitions + 3) + folderAllotment(1) + LOG_FOLDER_BYTES)
  for (let partition = 0; partition < header.partitions; partition += 1) {
    let bytes = UNIT
    try {
      bytes = Math.max(bytes, (await env.status(`${dir}/${partitionName(partition)}`)).blockBytes)
    } catch (error) {
      // Made when it is needed.
      if (codeOf(error) !== 'ENOENT') throw error
    }
    ledger.charge(bytes)
  }
}

async function readHeaders(core: Core, numbers: readonly number[]): Promise<FoundSegment[]> {
  const { env, dir, header, contexts } = core
  const found: FoundSegment[] = []
  for (const number of numbers) {
    const path = segmentPath(dir, number)
    const fd = await env.open(path, O_RDONLY | O_NOFOLLOW)
    try {
      const { size, kind } = await env.statusOf(fd)
      assertKind(path, kind, 'file')
      const bytes = await readFully(env, fd, SEGMENT_HEADER, 0)
      found.push({
        number,
        header: decodeSegment(bytes, number, header.storeId, contexts.segment),
        fileBytes: size,
      })
    } finally {
      await env.close(fd)
    }
  }
  return found
}

/** Takes the whole image of the highest number, and removes the others. */
async function takeImage(
  core: Core,
  numbers: readonly number[],
): Promise<{ readonly image: ImageHeader | undefined; readonly imageFile: ImageFile | undefined }> {
  const { env, dir, ledger } = core
  let taken: { readonly image: ImageHeader; readonly imageFile: ImageFile } | undefined
  for (const number of [...numbers].reverse()) {
    const { size } = await env.status(`${logFolder(dir)}/${imageName(number)}`)
    const imageFile = { number, charged: allotment(size) }
    ledger.charge(imageFile.charged)
    const image = taken === undefined ? await loadImage(core, number) : undefined
    if (image === undefined) await removeImage(core, imageFile)
    else taken = { image, imageFile }
  }
  return taken ?? { image: undefined, imageFile: undefined }
}

interface Replay {
  readonly replayed: number
  readonly tornBytes: number
  readonly damagedBytes: number
  /** There is nothing behind the image's position. */
  readonly nothingFollows: boolean
  /** The last segment ends with a record that says so. */
  readonly ended: boolean
  /** Sequences of the blobs of records that were replayed, by identity. */
  readonly blobs: ReadonlyMap<string, number>
}

async function replayLog(
  core: Core,
  whole: ReadonlyArray<FoundSegment & { readonly header: SegmentHeader }>,
  broken: readonly number[],
  image: ImageHeader | undefined,
): Promise<Replay> {
  const doubts = new Doubts(core, image)
  const blobs = new Map<string, number>()
  core.nextSequence = Math.max(core.nextSequence, image?.nextSequence ?? 1, image?.doubt ?? 0)
  core.doubt = image?.doubt ?? 0
  let [replayed, tornBytes, damagedBytes, nothingFollows, ended] = [0, 0, 0, true, false]
  const last = whole.at(-1)
  const lost = [...broken]
  for (const segment of whole) {
    const { number, header } = segment
    core.nextSequence = Math.max(core.nextSequence, header.nextSequence)
    while (lost.length > 0 && lost[0]! < number) if (lost.shift()! >= (image?.segment ?? 0)) doubts.hurt()
    doubts.heal(header.nextSequence)
    if (number < (image?.segment ?? 0)) continue
    const from = number === image?.segment ? image.offset : SEGMENT_HEADER
    // It was cut behind the image's back: nobody knows what there was.
    if (segment.fileBytes < from) doubts.hurt()
    const read = await readOne(core, segment, from, segment === last)
    ended = read.ended
    tornBytes += read.tornBytes
    core.nextSequence = Math.max(core.nextSequence, read.nextSequence)
    const follows = read.found.some(({ kind }) => kind !== KIND.doubt)
    if (number !== image?.segment || read.found.length > 0) nothingFollows = false
    doubts.power(header, number, follows)
    damagedBytes += apply(core, read, number, doubts, blobs)
    replayed += read.found.length
    const there = core.segments.get(number)!
    // Whatever of it is behind is not read again.
    there.end = Math.max(there.end === segment.fileBytes ? read.end : there.end, SEGMENT_HEADER)
  }
  if (lost.some((number) => number >= (image?.segment ?? 0))) doubts.hurt()
  // The log ends before the image's position: nobody knows what there was.
  if (image !== undefined && (last?.number ?? 0) < image.segment) doubts.hurt()
  doubts.settle()
  return { replayed, tornBytes, damagedBytes, nothingFollows, ended, blobs }
}

/** Reads a segment; of the last one what was being written is cut off, so that it stays off when the segment is the last no more. */
async function readOne(
  core: Core,
  { number, header, fileBytes }: FoundSegment & { readonly header: SegmentHeader },
  from: number,
  last: boolean,
): Promise<ReadSegment> {
  const { env, dir, contexts, ledger, segments } = core
  const fd = await env.open(segmentPath(dir, number), (last ? O_RDWR : O_RDONLY) | O_NOFOLLOW)
  try {
    const context = headContext(contexts, number)
    const source = { env, fd, fileBytes, context, secret: core.header.secret }
    const read = await readSegment(source, from)
    if (!last) return read
    if (!read.ended) await dropTornTail(source, read, header.durability)
    if (read.end < fileBytes) {
      const end = Math.max(read.end, SEGMENT_HEADER)
      await env.truncate(fd, end)
      if (header.durability === DURABILITY.power) await env.sync(fd)
      const segment = segments.get(number)!
      ledger.release(segment.charged - allotment(end))
      segment.charged = allotment(end)
    }
    return read
  } finally {
    await env.close(fd)
  }
}

/** What may be wrong with what is older than something that was lost. */
class Doubts {
  readonly #core: Core
  readonly #image: ImageHeader | undefined
  #hurt = false
  #all = false

  constructor(core: Core, image: ImageHeader | undefined) {
    this.#core = core
    this.#image = image
  }

  /** Something was lost here. */
  hurt(): void {
    this.#hurt = true
  }

  /** Everything lost so far had a sequence below this one. */
  heal(sequence: number): void {
    if (this.#hurt) this.#core.doubt = Math.max(this.#core.doubt, sequence)
    this.#hurt = false
  }

  /** Whether the machine has been started anew since the segment was written, and what was written last may be lost. */
  power(header: SegmentHeader, number: number, follows: boolean): void {
    if (header.durability === DURABILITY.power) return
    const synced = ((this.#image?.flags ?? 0) & IMAGE_FLAG.synced) !== 0
    if (synced && number === this.#image?.segment && !follows) return
    const { bootId } = this.#core
    if (isZero(header.bootId, 0, 16) || !header.bootId.equals(bootId)) this.#all = true
  }

  settle(): void {
    if (!this.#hurt && !this.#all) return
    // Greater than all there is.
    this.#core.doubt = this.#core.nextSequence
    this.#core.nextSequence += 1
  }
}

/** Brings the index up to what the records say; says how many bytes were damaged. */
function apply(
  core: Core,
  { found }: ReadSegment,
  segment: number,
  doubts: Doubts,
  blobs: Map<string, number>,
): number {
  const { index } = core
  const valid = validMembers(found)
  let damaged = 0
  for (const [at, record] of found.entries()) {
    if (record.kind === 'damage') {
      doubts.hurt()
      damaged += record.end - record.offset
      continue
    }
    if ((record.flags & FLAG.copied) === 0) doubts.heal(record.sequence)
    if ((record.flags & FLAG.member) !== 0 && !valid.has(at)) continue
    const there = index.get(record.lo, record.hi)
    switch (record.kind) {
      case KIND.put:
        core.segments.get(segment)!.weight += record.end - record.offset + record.blobUnits * UNIT
        if (there !== undefined && there.sequence > record.sequence) break
        index.put(entryOf(core, record, segment))
        if (record.blobUnits > 0) blobs.set(identityOf(record), record.blobSequence)
        break
      case KIND.delete:
        if (there !== undefined && there.sequence < record.sequence) index.remove(record.lo, record.hi)
        break
      case KIND.clear:
        index.removeIf(({ sequence }) => sequence < record.sequence)
        break
      case KIND.doubt:
        core.doubt = Math.max(core.doubt, record.sequence)
        break
    }
  }
  return damaged
}

/** Which of the members of batches count. */
function validMembers(found: readonly Found[]): ReadonlySet<number> {
  const valid = new Set<number>()
  for (const [at, { endsBatch }] of found.entries()) {
    if (!endsBatch) continue
    for (let member = at - 1; member >= 0 && (found[member]!.flags & FLAG.member) !== 0; member -= 1) {
      valid.add(member)
    }
  }
  return valid
}

function entryOf(core: Core, record: Found, segment: number): IndexEntry {
  const { lo, hi, sequence, offset, end, expires, blobUnits } = record
  const policy = core.policy.fresh()
  return { lo, hi, sequence, segment, offset, length: end - offset, expires, blobUnits, policy }
}

/** Removes blobs that no current record names, and entries whose blobs are not there. */
async function sweepBlobs(
  core: Core,
  known: ReadonlyMap<string, number>,
): Promise<{ readonly orphans: number; readonly lost: IndexEntry[] }> {
  const { env, dir, header, index } = core
  const seen = new Set<string>()
  let orphans = 0
  for (let partition = 0; partition < header.partitions; partition += 1) {
    const folder = `${dir}/${partitionName(partition)}`
    for (const { name, kind } of await listFolder(core, folder)) {
      const blob = kind === 'file' ? blobOf(name) : undefined
      if (blob === undefined) continue
      core.nextSequence = Math.max(core.nextSequence, blob.sequence + 1)
      const entry = index.get(blob.keyHash.readUInt32LE(0), blob.keyHash.readUInt32LE(4))
      const path = `${folder}/${name}`
      if (entry !== undefined && (await isBlobOf(core, entry, blob.sequence, path, known))) {
        seen.add(identityOf(entry))
      } else {
        await env.unlink(path)
        orphans += 1
      }
    }
  }
  const lost: IndexEntry[] = []
  index.removeIf(
    (entry) => entry.blobUnits > 0 && !seen.has(identityOf(entry)),
    (entry) => lost.push(entry),
  )
  return { orphans, lost }
}

async function listFolder({ env }: Core, folder: string): ReturnType<Core['env']['list']> {
  try {
    return await env.list(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

async function isBlobOf(
  core: Core,
  entry: IndexEntry,
  sequence: number,
  path: string,
  known: ReadonlyMap<string, number>,
): Promise<boolean> {
  if (entry.blobUnits === 0) return false
  const { size } = await core.env.status(path)
  const replayed = known.get(identityOf(entry))
  if (replayed !== undefined) return replayed === sequence && unitsOf(size) === entry.blobUnits
  const record = await readBlobRecord(core, entry)
  return record?.sequence === sequence && record.fileBytes === size
}

/** What the record of an entry says of its blob. */
async function readBlobRecord(
  { env, dir, contexts }: Core,
  entry: IndexEntry,
): Promise<{ readonly sequence: number; readonly fileBytes: number } | undefined> {
  const fd = await env.open(segmentPath(dir, entry.segment), O_RDONLY | O_NOFOLLOW)
  try {
    const bytes = await readFully(env, fd, entry.length, entry.offset)
    const head = decodeRecord(bytes, 0, entry.offset, headContext(contexts, entry.segment))
    if (head === undefined || !isBlob(head)) return undefined
    const { size, storedBytes, chunkPower } = head
    const fileBytes = blobBytes({ size, storedBytes, chunkBytes: 2 ** chunkPower })
    return { sequence: blobSequenceOf(bytes, 0), fileBytes }
  } finally {
    await env.close(fd)
  }
}
