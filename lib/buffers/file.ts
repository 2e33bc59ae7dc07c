import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import {
  access,
  chmod,
  copyFile,
  type FileHandle,
  open,
  realpath,
  rename,
  stat,
  unlink,
} from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Addon } from '../native/addon.js'
import { crc32c } from '../native/crc32c.js'
import { native } from '../native/loader.js'
import type { Later } from '../store/store.js'
import type { CheckedPiece } from './input.js'
import type { Output } from './output.js'

/** A file by its path. */
export interface FilePath {
  readonly path: string | URL
}

export function isFileHandle(value: object): value is FileHandle {
  const { fd, read, write, stat } = value as Partial<FileHandle>
  return typeof fd === 'number' && [read, write, stat].every((method) => typeof method === 'function')
}

export function isFilePath(value: object): value is FilePath {
  const { path } = value as Partial<FilePath>
  return typeof path === 'string' || path instanceof URL
}

// The failure that led here is told already.
const nobodyCares = (): void => undefined

/** A file to be read, from its beginning, or of a handle from where it stands. */
export class FileInput {
  readonly kind = 'fills'
  /** Of a regular file by path: what it had when it was opened. */
  size: number | undefined
  readonly path: FilePath['path'] | undefined
  readonly #given: FileHandle | undefined
  #handle: FileHandle | undefined
  #busy: Promise<unknown> | undefined
  #over = false

  constructor(file: { readonly path: FilePath['path'] } | { readonly handle: FileHandle }) {
    this.path = 'path' in file ? file.path : undefined
    this.#given = 'handle' in file ? file.handle : undefined
  }

  onFailure(): void {
    // It fails in calls of its own only.
  }

  async open(): Promise<void> {
    if (this.#given !== undefined) {
      this.#handle = this.#given
      return
    }
    const handle = await open(this.path!, 'r')
    if (this.#over) return closeQuietly(handle)
    this.#handle = handle
    const { size } = await this.#during(handle.stat().then((stats) => ({ size: sizeOf(stats) })))
    this.size = size
  }

  /** Reads into `memory`; gives the part that was filled, empty at the end. */
  fill(memory: Uint8Array): Promise<Uint8Array> {
    const handle = this.#handle!
    return this.#during(
      handle.read(memory, 0, memory.length, null).then(({ bytesRead }) => memory.subarray(0, bytesRead)),
    )
  }

  /** Undefined where there is no addon; nor of a handle, which somebody else may close meanwhile, and its number be another file's. */
  get fillChecked(): ((memory: Uint8Array, seed: number) => Promise<CheckedPiece>) | undefined {
    const addon = this.#given === undefined ? native() : undefined
    return addon === undefined
      ? undefined
      : (memory, seed) => this.#during(this.#readChecked(addon, memory, seed))
  }

  async #readChecked(addon: Addon, memory: Uint8Array, seed: number): Promise<CheckedPiece> {
    const handle = this.#handle!
    const [bytes, checksum] = await new Promise<[number, number]>((resolve) =>
      addon.readChecked(handle.fd, memory, seed, (...result) => resolve(result)),
    )
    if (bytes >= 0) return { piece: memory.subarray(0, bytes), checksum }
    // Node words what went wrong.
    const { bytesRead } = await handle.read(memory, 0, memory.length, null)
    const piece = memory.subarray(0, bytesRead)
    return { piece, checksum: crc32c(piece, seed) }
  }

  cancel(): void {
    this.release()
  }

  release(): void {
    if (this.#over) return
    this.#over = true
    const handle = this.#handle
    if (this.#given !== undefined || handle === undefined) return
    const close = (): Promise<void> => closeQuietly(handle)
    if (this.#busy === undefined) close()
    else this.#busy.then(close, close)
  }

  #during<T>(work: Promise<T>): Promise<T> {
    this.#busy = work
    return work.finally(() => {
      this.#busy = undefined
    })
  }
}

/** Bytes of a regular file; of what is none, and of those that say 0 and may have more (as in /proc), nothing is known. */
function sizeOf(stats: Stats): number | undefined {
  return stats.isFile() && stats.size > 0 ? stats.size : undefined
}

/** Closes a file that was only read, or that is to go: there is nothing to lose. */
function closeQuietly(handle: FileHandle): Promise<void> {
  return handle.close().catch(nobodyCares)
}

/**
 * A file to be written. At a path it is written beside it, under a name of its own, and renamed when it is whole, unless what is at the path is no
 * regular file. Of a handle, from where it stands.
 *
 * Invariant: writes follow each other in `#tail`, which never rejects; after the first that fails nothing is written.
 */
export class FileOutput implements Output {
  readonly lending = 'lent'
  readonly gathers = true
  readonly path: FilePath['path'] | undefined
  pending = 0
  readonly #given: FileHandle | undefined
  #handle: FileHandle | undefined
  /** Where it is to be in the end, and where it is until then. */
  #target = ''
  #draft: string | undefined
  #mode: number | undefined
  #tail: Promise<void> = Promise.resolve()
  #failure: Error | undefined
  #listener: ((error: Error) => void) | undefined

  constructor(file: { readonly path: FilePath['path'] } | { readonly handle: FileHandle }) {
    this.path = 'path' in file ? file.path : undefined
    this.#given = 'handle' in file ? file.handle : undefined
  }

  onFailure(listener: (error: Error) => void): void {
    this.#listener = listener
  }

  open(): Promise<void> {
    if (this.#given !== undefined) {
      this.#handle = this.#given
      return Promise.resolve()
    }
    return this.#queue(async () => {
      await this.#place()
      this.#handle = await open(this.#draft ?? this.#target, this.#draft === undefined ? 'w' : 'wx')
      if (this.#draft !== undefined && this.#mode !== undefined) await this.#handle.chmod(this.#mode)
    })
  }

  /** Whether a file will appear at the path; a device or pipe that is there is written as it is. */
  async makesFile(): Promise<boolean> {
    await this.#queue(() => this.#place())
    return this.#draft !== undefined
  }

  /**
   * In place of `open` and writes, after `makesFile` said yes: has the kernel copy a file. Gives its size. Never onto what is there: Node's `copyFile` cuts its
   * target, sets its mode, and removes it when it fails, also where that is a device.
   */
  async copyFrom(source: FilePath['path']): Promise<number> {
    let size = 0
    await this.#queue(async () => {
      const to = this.#draft!
      await copyFile(source, to, constants.COPYFILE_FICLONE)
      if (this.#mode !== undefined) await chmod(to, this.#mode)
      size = (await stat(to)).size
    })
    return size
  }

  write(chunk: Uint8Array, taken?: () => void): Later<void> {
    if (this.#failure !== undefined) throw this.#failure
    const before = this.#tail
    this.pending += chunk.length
    this.#queue(async () => {
      await writeAll(this.#handle!, chunk)
      this.pending -= chunk.length
      taken?.()
    }).catch(nobodyCares)
    // One is written and one waits.
    return before
  }

  async end(): Promise<void> {
    await this.#queue(async () => {
      const handle = this.#handle
      if (this.#given !== undefined) return
      this.#handle = undefined
      await handle?.close()
      if (this.#draft === undefined) return
      // Given up meanwhile, it must not appear.
      if (this.#failure !== undefined) throw this.#failure
      await rename(this.#draft, this.#target)
      this.#draft = undefined
    })
  }

  abort(error: Error): void {
    this.#failure ??= error
    this.#tail = this.#tail.then(() => this.#discard())
  }

  whenUnused(fn: () => void): void {
    this.#tail.then(fn)
  }

  release(): void {
    // It listens to nothing.
  }

  /** Runs `work` after what was asked for before; a failure of it is one of the sink. */
  #queue(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(async () => {
      if (this.#failure !== undefined) throw this.#failure
      try {
        await work()
      } catch (error) {
        this.#fail(error as Error)
        throw error
      }
    })
    this.#tail = done.catch(nobodyCares)
    return done
  }

  async #place(): Promise<void> {
    const given = pathText(this.path!)
    const there = await statOf(given)
    if (there !== undefined && !there.isFile()) {
      this.#target = given
      return
    }
    // A link stays one: what it points to is exchanged.
    this.#target = there === undefined ? given : await realpath(given)
    if (there !== undefined) {
      await access(this.#target, constants.W_OK)
      this.#mode = there.mode & 0o7777
    }
    const name = `.${basename(this.#target).slice(0, 200)}.${randomBytes(6).toString('hex')}.part`
    this.#draft = join(dirname(this.#target), name)
  }

  async #discard(): Promise<void> {
    if (this.#given !== undefined) return
    if (this.#handle !== undefined) await closeQuietly(this.#handle)
    this.#handle = undefined
    if (this.#draft !== undefined) await unlink(this.#draft).catch(nobodyCares)
    this.#draft = undefined
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#listener?.(error)
  }
}

function pathText(path: FilePath['path']): string {
  return typeof path === 'string' ? path : fileURLToPath(path)
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  let at = 0
  while (at < chunk.length) {
    const { bytesWritten } = await handle.write(chunk, at, chunk.length - at, null)
    at += bytesWritten
  }
}
