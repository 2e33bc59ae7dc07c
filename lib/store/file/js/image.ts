import { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, readInto, syncFolder, writeFully } from '../env.js'
import { withNumber } from '../format/checksum.js'
import {
  checkImagePage,
  decodeImageEntry,
  decodeImageHeader,
  ENTRIES_PER_PAGE,
  encodeImageEntry,
  encodeImageHeader,
  IMAGE_ENTRY,
  IMAGE_FLAG,
  IMAGE_HEADER,
  IMAGE_PAGE,
  type ImageHeader,
  imageBytes,
  PAGE_HEAD,
  sealImagePage,
} from '../format/image.js'
import { imageName } from '../format/names.js'
import { allotment } from '../space.js'
import { type Core, logFolder, segmentPath } from './core.js'
import type { Writer } from './writer.js'

/** An image that is on the disk. */
export interface ImageFile {
  readonly number: number
  readonly charged: number
}

/** What an image is to say of itself. */
export interface ImageState {
  /** The log ends at its position. */
  readonly clean: boolean
  /** Blobs are synced, too. */
  readonly blobsSynced: boolean
}

/** Entries that more may come while an image is being written. */
const SLACK = 1024

/**
 * Writes an image of the index and removes those before. Says which one there is now; undefined when there was no room, or the
 * system would not: then the others stay.
 */
export async function writeImage(
  core: Core,
  writer: Writer,
  images: readonly ImageFile[],
  state: ImageState,
): Promise<ImageFile | undefined> {
  const { env, dir, ledger, tally } = core
  const most = allotment(imageBytes(core.index.size + (state.clean ? 0 : SLACK + core.index.size / 8)))
  if (!ledger.reserve(most)) return undefined
  const number = core.nextImage
  core.nextImage += 1
  const path = `${logFolder(dir)}/${imageName(number)}`
  let fd = -1
  try {
    const { position } = writer
    await syncLog(core, writer)
    fd = await env.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
    const entries = await writePages(core, fd, number, most)
    if (entries === undefined) throw new Error('more entries came than there was room for')
    const header: ImageHeader = {
      number,
      segment: position.segment,
      offset: position.offset,
      oldest: core.segments.oldest(position.segment),
      nextSequence: core.nextSequence,
      doubt: core.doubt,
      entries,
      pages: Math.ceil(entries / ENTRIES_PER_PAGE),
      flags:
        (state.clean ? IMAGE_FLAG.clean : 0) | (state.clean && state.blobsSynced ? IMAGE_FLAG.synced : 0),
      bootId: core.bootId,
      writtenAt: Math.max(0, Math.floor(core.now())),
    }
    await writeFully(env, fd, encodeImageHeader(header, core.header.storeId, core.contexts.image), 0)
    await env.datasync(fd)
    await env.close(fd)
    fd = -1
    await syncFolder(env, logFolder(dir))
    const charged = allotment(imageBytes(entries))
    ledger.release(most - charged)
    for (const image of images) await removeImage(core, image)
    return { number, charged }
  } catch {
    tally.diskErrors += 1
    if (fd !== -1) await env.close(fd).catch(() => undefined)
    await removeImage(core, { number, charged: most })
    return undefined
  }
}

export async function removeImage(core: Core, { number, charged }: ImageFile): Promise<void> {
  const path = `${logFolder(core.dir)}/${imageName(number)}`
  try {
    await core.files.remove(path, () => core.ledger.release(charged))
  } catch {
    // It stays charged; the next open, or the next image, is as good without it.
    core.tally.diskErrors += 1
  }
}

/** Has the system write out the log up to where it is applied. @throws what the system says */
async function syncLog({ env, dir, segments }: Core, writer: Writer): Promise<void> {
  for (const segment of [...segments.all()]) {
    if (segment === segments.active) {
      await writer.sync()
    } else if (segment.synced < segment.end && segments.get(segment.number) === segment) {
      const fd = await env.open(segmentPath(dir, segment.number), O_RDONLY | O_NOFOLLOW)
      try {
        await env.datasync(fd)
      } finally {
        await env.close(fd)
      }
      segment.synced = segment.end
    }
  }
}

/** Writes the pages; says how many entries there are, or undefined when they are more than `most` bytes allow. */
async function writePages(core: Core, fd: number, number: number, most: number): Promise<number | undefined> {
  const { env, index, segments, contexts } = core
  const context = withNumber(contexts.page, number)
  const oldest = segments.oldest(core.nextSegment)
  const page = Buffer.allocUnsafeSlow(IMAGE_PAGE)
  let entries = 0
  let here = 0
  let offset = IMAGE_HEADER
  const flush = async (): Promise<void> => {
    const pageNumber = (offset - IMAGE_HEADER) / IMAGE_PAGE
    sealImagePage(page, pageNumber, here, context)
    await writeFully(env, fd, page.subarray(0, PAGE_HEAD + here * IMAGE_ENTRY), offset)
    offset += IMAGE_PAGE
    here = 0
  }
  for (let shard = 0; shard < index.shards; shard += 1) {
    const some = index.snapshot(shard)
    some.sort((a, b) => a.hi - b.hi || a.lo - b.lo)
    for (const entry of some) {
      // Reclaimed while the image was being written: the entry is evicted.
      if (entry.segment < oldest) continue
      encodeImageEntry({ ...entry, segment: entry.segment - oldest }, page, PAGE_HEAD + here * IMAGE_ENTRY)
      here += 1
      entries += 1
      if (here < ENTRIES_PER_PAGE) continue
      await flush()
      if (allotment(imageBytes(entries + ENTRIES_PER_PAGE)) > most + allotment(IMAGE_PAGE)) return undefined
    }
  }
  if (here > 0) await flush()
  return allotment(imageBytes(entries)) <= most ? entries : undefined
}

/**
 * Takes the index from an image, if it is whole; says its header. Entries of segments that are not there were evicted.
 *
 * @throws what the system says
 */
export async function loadImage(core: Core, number: number): Promise<ImageHeader | undefined> {
  const { env, dir, header: directory, contexts, index, segments } = core
  const fd = await env.open(`${logFolder(dir)}/${imageName(number)}`, O_RDONLY | O_NOFOLLOW)
  try {
    const { size, kind } = await env.statusOf(fd)
    if (kind !== 'file') return undefined
    const head = Buffer.alloc(IMAGE_HEADER)
    await readInto(env, fd, head, 0)
    const header = decodeImageHeader(head, number, size, directory.storeId, contexts.image)
    if (header === undefined) return undefined
    const context = withNumber(contexts.page, number)
    const space = Buffer.allocUnsafeSlow(IMAGE_PAGE)
    let entries = 0
    for (let page = 0; page < header.pages; page += 1) {
      const offset = IMAGE_HEADER + page * IMAGE_PAGE
      const bytes = space.subarray(0, Math.min(IMAGE_PAGE, size - offset))
      const got = await readInto(env, fd, bytes, offset)
      const here = got === bytes.length ? checkImagePage(bytes, page, context) : 0
      entries += here
      if (here === 0 || (here < ENTRIES_PER_PAGE && page + 1 < header.pages)) {
        index.removeIf(() => true)
        return undefined
      }
      for (let at = 0; at < here; at += 1) {
        const entry = decodeImageEntry(bytes, PAGE_HEAD + at * IMAGE_ENTRY)
        const segment = entry.segment + header.oldest
        if (segments.get(segment) !== undefined && Number.isSafeInteger(entry.sequence)) {
          index.put({ ...entry, segment })
        }
      }
    }
    if (entries === header.entries) return header
    index.removeIf(() => true)
    return undefined
  } finally {
    await env.close(fd)
  }
}
