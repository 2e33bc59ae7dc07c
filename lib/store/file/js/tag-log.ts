import type { TagFloor, TagJournal } from '../../store.js'
import { TagFloors } from '../../tag-floors.js'
import {
  type Env,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  readFully,
  syncFolder,
  writeFully,
} from '../env.js'
import { failure } from '../failure.js'
import type { Context } from '../format/checksum.js'
import { tagsName, tagsOf } from '../format/names.js'
import { isZero } from '../format/numbers.js'
import { decodeTags, encodeTags, MOST_TAGS_FILE, TAG_FLOOR_BYTES } from '../format/tags.js'
import { UNIT } from '../space.js'

/** One that is written, and what an open found: one, or two where the last owner died replacing. */
const MOST_FILES = 3

/** What a log of tags needs of its store. */
export interface TagLogHost {
  readonly env: Env
  /** The folder of the log. */
  readonly folder: string
  readonly context: Context
  readonly maxBytes: number
  /** A frame is synced before it counts as kept. Otherwise only the first one in a file is, and the next, which says that those behind it are not. */
  synced(): boolean
  /** Zeros where there is none. */
  readonly bootId: Buffer
  /** Takes so many bytes of the ledger, making room if need be. */
  reserve(bytes: number): Promise<boolean>
  /** Takes so many bytes that are there already. */
  charge(bytes: number): void
  release(bytes: number): void
}

interface Writing {
  readonly fd: number
  readonly number: number
  end: number
  /** The last frame says that frames behind it may not be synced. */
  open: boolean
}

/**
 * What was invalidated by tag in a directory, for whoever has it open, and opens it next (docs/decisions/0009-tags.md;
 * docs/disk-format.md, section 12). A file of frames, each of which says what has changed. When it is full, or writing to it failed, another one
 * with everything takes its place; what is in both counts, for it only rises.
 *
 * Invariants: an invalidation holds in this process from `invalidate` on, whatever becomes of its writing. `sequence` is only ever what a whole
 * frame says that is not removed before another says as much, synced where that was promised. There are at most MOST_FILES files, or those that
 * an open found and one more, and what they may take is in the ledger before the first is made. One call writes at a time.
 */
export class TagLog implements TagJournal {
  readonly #host: TagLogHost
  /** Bytes of a file. */
  readonly #most: number
  readonly #floors: TagFloors
  #kept = 0
  #keptVersion = 0
  #file: Writing | undefined
  #next = 1
  #reserved = false
  /** An owner that dies replacing leaves one more: the next one must be able to replace them all. */
  #mostFiles = MOST_FILES
  /** Files that the next whole one replaces, and those that are replaced and were not removed yet. */
  #old: number[] = []
  #gone: number[] = []
  #damagedBytes = 0
  #lost = false
  /** What is being written, and then the next in one. */
  #writing: Promise<void> | undefined
  #then: Promise<void> | undefined

  constructor(host: TagLogHost) {
    this.#host = host
    const share = Math.min(Math.max(Math.floor(host.maxBytes / 128), 64 * 1024), 1024 * 1024)
    this.#most = Math.ceil(share / UNIT) * UNIT
    this.#floors = new TagFloors({ maxBytes: this.#most / 2 - UNIT, each: TAG_FLOOR_BYTES })
  }

  get version(): number {
    return this.#floors.version
  }

  get sequence(): number {
    return this.#kept
  }

  get latest(): number {
    return this.#floors.sequence
  }

  /** Of files, that were not what was written. */
  get damagedBytes(): number {
    return this.#damagedBytes
  }

  /**
   * Reads what is there. A failure to write leaves everything invalidated that may have been, here.
   *
   * @param clean the last owner closed the directory, so nothing of it was being written
   */
  async open(clean: boolean): Promise<void> {
    const { env, folder, charge, release } = this.#host
    for (const { name } of await env.list(folder)) {
      const number = tagsOf(name)
      if (number !== undefined) this.#old.push(number)
    }
    if (this.#old.length === 0) return
    this.#old.sort((a, b) => a - b)
    this.#next = this.#old.at(-1)! + 1
    charge(this.#allowance)
    this.#reserved = true
    this.#mostFiles = Math.max(MOST_FILES, this.#old.length + 1)
    let taken = this.#fileAllowance
    for (const number of this.#old) taken += await this.#read(number, clean)
    // Of an owner with other bounds, or of several that died replacing, until they are gone.
    const more = Math.max(0, taken - this.#allowance)
    charge(more)
    this.#kept = this.#floors.sequence
    if (this.#lost || this.#damagedBytes > 0) this.#floors.raiseAll()
    try {
      // Nothing is appended behind an end that somebody else left.
      await this.keep()
      if (this.#old.length === 0 && this.#gone.length === 0) {
        release(more)
        this.#mostFiles = MOST_FILES
      }
    } catch {
      // Written with the next invalidation; until then nothing new counts as younger than what is not kept.
    }
  }

  since(version: number): readonly TagFloor[] {
    return this.#floors.since(version)
  }

  async invalidate(tags: readonly string[], soft: boolean, at: number, least: number): Promise<void> {
    this.#floors.invalidate(tags, soft, at, least)
    await this.#keepAll()
  }

  async join(floors: readonly TagFloor[], sequence: number): Promise<void> {
    this.#floors.join(floors, sequence)
    await this.#keepAll()
  }

  /** Writes what was not written yet. Calls that come meanwhile are written together, after it. @throws what the system says */
  keep(): Promise<void> {
    if (this.#then !== undefined) return this.#then
    if (this.#writing === undefined) return this.#begin()
    this.#then = this.#writing.catch(nobodyElse).then(() => {
      this.#then = undefined
      return this.#begin()
    })
    return this.#then
  }

  /** Writes what was not written yet, and has the system write out all of it. @throws what the system says */
  async sync(): Promise<void> {
    do await this.keep()
    while (this.#writing !== undefined)
    const file = this.#file
    if (file?.open !== true) return
    const writing = this.#append(file, [], this.#kept, false).finally(() => {
      if (this.#writing === writing) this.#writing = undefined
    })
    this.#writing = writing
    await writing
  }

  /** Writes what was not written yet, and says that nothing of it can be lost when the power goes. */
  async end(): Promise<void> {
    await this.keep()
    const file = this.#file
    if (file === undefined) return
    try {
      if (file.open) await this.#append(file, [], this.#kept, false)
    } finally {
      this.#file = undefined
      await this.#host.env.close(file.fd)
    }
  }

  async #keepAll(): Promise<void> {
    try {
      await this.keep()
    } catch (error) {
      throw failure(error, this.#host.folder, 'writing what was invalidated by tag')
    }
  }

  #begin(): Promise<void> {
    const writing = this.#keep().finally(() => {
      if (this.#writing === writing) this.#writing = undefined
    })
    this.#writing = writing
    return writing
  }

  async #keep(): Promise<void> {
    const { version, sequence } = this.#floors
    if (version === this.#keptVersion) return
    const file = this.#file
    const changed = this.#floors.since(this.#keptVersion)
    const fits = file !== undefined && file.end + MOST_HEAD + bytesOf(changed) <= this.#most
    if (fits) await this.#append(file, changed, sequence, !this.#host.synced())
    else await this.#rewrite(this.#floors.since(0), sequence)
    this.#keptVersion = version
    this.#kept = sequence
  }

  async #append(file: Writing, floors: readonly TagFloor[], sequence: number, open: boolean): Promise<void> {
    const { env, context, bootId } = this.#host
    const frame = encodeTags(floors, { sequence, open, bootId }, context, file.number, file.end)
    try {
      await writeFully(env, file.fd, frame, file.end)
      if (!(open && file.open)) await env.datasync(file.fd)
    } catch (error) {
      // Nobody knows how it ends now: nothing is appended behind it.
      await this.#leave(file)
      throw error
    }
    file.end += frame.length
    file.open = open
  }

  /** Everything, in a new file. */
  async #rewrite(all: readonly TagFloor[], sequence: number): Promise<void> {
    const { env, folder, context, bootId } = this.#host
    this.#reserved ||= await this.#host.reserve(this.#allowance)
    if (!this.#reserved) throw Object.assign(new Error('there is no room'), { code: 'ENOSPC' })
    if (this.#file !== undefined) await this.#leave(this.#file)
    await this.#removeGone()
    if (this.#old.length + this.#gone.length >= this.#mostFiles) {
      throw Object.assign(new Error('files of tags that were replaced cannot be removed'), { code: 'EIO' })
    }
    const number = this.#next
    this.#next += 1
    const path = `${folder}/${tagsName(number)}`
    const frame = encodeTags(all, { sequence, open: false, bootId }, context, number, 0)
    const fd = await env.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
    try {
      await writeFully(env, fd, frame, 0)
      // Whatever was promised: what it replaces is removed.
      await env.datasync(fd)
      await syncFolder(env, folder)
    } catch (error) {
      this.#gone.push(number)
      await env.close(fd).catch(nobodyElse)
      await this.#removeGone()
      throw error
    }
    this.#file = { fd, number, end: frame.length, open: false }
    this.#gone.push(...this.#old)
    this.#old = []
    await this.#removeGone()
  }

  /** Nothing more is written to `file`, which counts until another replaces it. */
  async #leave(file: Writing): Promise<void> {
    this.#file = undefined
    this.#old.push(file.number)
    await this.#host.env.close(file.fd).catch(nobodyElse)
  }

  async #removeGone(): Promise<void> {
    const { env, folder } = this.#host
    const left: number[] = []
    for (const number of this.#gone) {
      // It says nothing that the one in its place does not say.
      await env.unlink(`${folder}/${tagsName(number)}`).catch(() => left.push(number))
    }
    this.#gone = left
  }

  /** Learns what a file has; says what it takes. */
  async #read(number: number, clean: boolean): Promise<number> {
    const { env, folder, context, bootId } = this.#host
    const fd = await env.open(`${folder}/${tagsName(number)}`, O_RDONLY | O_NOFOLLOW)
    try {
      const { size, blockBytes } = await env.statusOf(fd)
      const bytes = await readFully(env, fd, Math.min(size, MOST_TAGS_FILE), 0)
      for (let at = 0; ; ) {
        const frame = decodeTags(bytes, context, number, at)
        if (frame.kind === 'end' && size <= MOST_TAGS_FILE) break
        if (frame.kind !== 'whole') {
          // What was being written when the owner died was told to nobody.
          if (frame.kind !== 'torn' || clean) this.#damagedBytes += Math.max(1, size - at)
          break
        }
        const { head, floors } = frame
        this.#floors.join(floors, head.sequence)
        const same = !isZero(bootId, 0, bootId.length) && head.bootId.equals(bootId)
        this.#lost = head.open && !same
        at += frame.bytes
      }
      return blockBytes
    } finally {
      await env.close(fd)
    }
  }

  /** With the map of its extents. */
  get #fileAllowance(): number {
    return this.#most + 2 * UNIT
  }

  get #allowance(): number {
    return MOST_FILES * this.#fileAllowance
  }
}

const MOST_HEAD = 64

function bytesOf(floors: readonly TagFloor[]): number {
  return floors.reduce((sum, { tag }) => sum + TAG_FLOOR_BYTES + Buffer.byteLength(tag), 0)
}

// Who asked for it was told.
const nobodyElse = (): undefined => undefined
