import { messageOf } from '../../../errors.js'
import { crc32c } from '../../../native/crc32c.js'
import { codeOf, O_NOFOLLOW, O_RDONLY, readInto } from '../env.js'
import { chunkCount } from '../format/chunk.js'
import {
  type BlobShape,
  blobBytes,
  CHUNKS_PER_PAGE,
  decodePage,
  pagePlace,
  TABLE_PAGE,
} from '../format/table.js'
import { blobContext, type Core } from '../js/core.js'

/** Tells of something in the file that is not what was written. */
export type Told = (offset: number, what: string) => void

/** Read at once: any chunk, and several small ones. */
const SPAN = 1024 * 1024

/** Looks through the file of a large value: its length, each page of its table, each chunk. */
export class BlobCheck {
  readonly #core: Core
  readonly #page = Buffer.allocUnsafeSlow(TABLE_PAGE)
  readonly #span = Buffer.allocUnsafeSlow(SPAN)

  constructor(core: Core) {
    this.#core = core
  }

  /** @param keyHash and `sequence`: of its name */
  async check(
    path: string,
    keyHash: Uint8Array,
    sequence: number,
    shape: BlobShape,
    told: Told,
  ): Promise<void> {
    const { env } = this.#core
    let fd: number
    try {
      fd = await env.open(path, O_RDONLY | O_NOFOLLOW)
    } catch (error) {
      const code = codeOf(error)
      if (code === 'ENOENT') told(0, 'the file of an entry is not there')
      else if (code === 'ELOOP') told(0, 'a link is in the place of the file of an entry')
      else told(0, `it cannot be opened: ${messageOf(error)}`)
      return
    }
    try {
      const { kind, size } = await env.statusOf(fd)
      if (kind !== 'file') return told(0, 'something else is in the place of the file of an entry')
      if (size !== blobBytes(shape)) return told(size, `it ends after ${size} bytes, not ${blobBytes(shape)}`)
      await this.#pages(fd, blobContext(this.#core.contexts, keyHash, sequence), shape, told)
    } catch (error) {
      // A sector that cannot be read is damage like any other; the rest of the directory can be looked at.
      told(0, `it cannot be read: ${messageOf(error)}`)
    } finally {
      await env.close(fd)
    }
  }

  async #pages(fd: number, context: number, shape: BlobShape, told: Told): Promise<void> {
    const pages = Math.ceil(chunkCount(shape.size, shape.chunkBytes) / CHUNKS_PER_PAGE)
    let expected: number | undefined = 0
    for (let number = 0; number < pages; number += 1) {
      const { offset, length } = pagePlace(number, shape)
      const bytes = this.#page.subarray(0, length)
      const got = await readInto(this.#core.env, fd, bytes, offset)
      const page = got === length ? decodePage(bytes, number, shape, context) : undefined
      if (page === undefined) {
        told(offset, `page ${number} of its table is not what was written`)
        expected = undefined
        continue
      }
      const [first] = page.offsets
      if (expected !== undefined && first !== expected) {
        told(offset, `page ${number} of its table goes on at ${first}, and the one before at ${expected}`)
      }
      expected = page.offsets.at(-1)
      await this.#chunks(fd, page.chunks, page.offsets, number * CHUNKS_PER_PAGE, told)
    }
  }

  async #chunks(
    fd: number,
    chunks: ReadonlyArray<{ readonly checksum: number; readonly storedBytes: number }>,
    offsets: readonly number[],
    number: number,
    told: Told,
  ): Promise<void> {
    for (let first = 0; first < chunks.length; ) {
      const start = offsets[first]!
      let behind = first + 1
      while (behind < chunks.length && offsets[behind + 1]! - start <= SPAN) behind += 1
      const bytes = this.#span.subarray(0, offsets[behind]! - start)
      const got = await readInto(this.#core.env, fd, bytes, start)
      for (let at = first; at < behind; at += 1) {
        const from = offsets[at]! - start
        const { checksum, storedBytes } = chunks[at]!
        const whole =
          from + storedBytes <= got && crc32c(bytes.subarray(from, from + storedBytes)) === checksum
        if (!whole) told(offsets[at]!, `chunk ${number + at} is not what was written`)
      }
      first = behind
    }
  }
}
