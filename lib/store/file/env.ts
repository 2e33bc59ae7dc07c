import { randomFillSync } from 'node:crypto'
import * as fs from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { promisify } from 'node:util'

/*
 * Every call of the system that the js engine makes goes through here, so that tests can have each of them fail, come
 * short or come late. Errors are Node's, with errno's name as `code`. Nothing here blocks the event loop.
 */

export type FileKind = 'file' | 'folder' | 'socket' | 'other'

export interface FileStatus {
  readonly kind: FileKind
  readonly size: number
  /** Bytes of the disk's blocks. */
  readonly blockBytes: number
  /** When it was changed last, epoch milliseconds. */
  readonly changedAt: number
}

/** A socket that answers everybody who connects with one line. */
export interface Answering {
  /** Resolves when nobody listens any more. Leaves no timer and no handle. */
  close(): Promise<void>
}

/** What asking a socket gave: a line, or why there is none. */
export type Asked = { readonly line: string } | 'refused' | 'silent'

export interface Env {
  open(path: string, flags: number, mode?: number): Promise<number>
  close(fd: number): Promise<void>
  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): Promise<number>
  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): Promise<number>
  /** Data, and what is needed to read it. */
  datasync(fd: number): Promise<void>
  sync(fd: number): Promise<void>
  truncate(fd: number, length: number): Promise<void>
  statusOf(fd: number): Promise<FileStatus>
  /** Of the path itself: a link is 'other'. */
  status(path: string): Promise<FileStatus>
  list(path: string): Promise<ReadonlyArray<{ readonly name: string; readonly kind: FileKind }>>
  makeFolder(path: string): Promise<void>
  link(from: string, to: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Bytes of the file system: all, and those that may be had. */
  space(path: string): Promise<{ readonly total: number; readonly free: number }>
  /** 16 bytes that are others after each start of the machine; undefined where there is no such thing. */
  bootId(): Promise<Buffer | undefined>
  random(bytes: number): Buffer
  /** Listens at `path`, and answers with what `line` gives. Does not keep the process alive. */
  listen(path: string, line: () => string): Promise<Answering>
  /** What who listens at `path` says within `ms`. */
  ask(path: string, ms: number): Promise<Asked>
}

export const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY } = fs.constants

const FILE_MODE = 0o600
const FOLDER_MODE = 0o700
const LONGEST_LINE = 4096

const open = promisify(fs.open)
const close = promisify(fs.close)
const fdatasync = promisify(fs.fdatasync)
const fsync = promisify(fs.fsync)
const ftruncate = promisify(fs.ftruncate)
const fstat = promisify<number, fs.Stats>(fs.fstat)
const lstat = promisify<string, fs.Stats>(fs.lstat)
const readdir = promisify<string, { withFileTypes: true }, fs.Dirent[]>(fs.readdir)
const mkdir = promisify<string, number, void>(fs.mkdir)
const statfs = promisify<string, fs.StatsFs>(fs.statfs)

export const systemEnv: Env = {
  open: (path, flags, mode = FILE_MODE) => open(path, flags, mode),
  close,
  read: (fd, into, offset, length, position) =>
    new Promise((resolve, reject) =>
      fs.read(fd, into, offset, length, position, (error, read) => (error ? reject(error) : resolve(read))),
    ),
  write: (fd, bytes, offset, length, position) =>
    new Promise((resolve, reject) =>
      fs.write(fd, bytes, offset, length, position, (error, written) =>
        error ? reject(error) : resolve(written),
      ),
    ),
  datasync: fdatasync,
  sync: fsync,
  truncate: ftruncate,
  statusOf: async (fd) => statusFrom(await fstat(fd)),
  status: async (path) => statusFrom(await lstat(path)),
  list: async (path) => {
    const entries = await readdir(path, { withFileTypes: true })
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
  },
  makeFolder: (path) => mkdir(path, FOLDER_MODE),
  link: promisify(fs.link),
  rename: promisify(fs.rename),
  unlink: promisify(fs.unlink),
  space: async (path) => {
    const { bsize, blocks, bavail } = await statfs(path)
    return { total: bsize * blocks, free: bsize * bavail }
  },
  bootId,
  random: (bytes) => randomFillSync(Buffer.alloc(bytes)),
  listen,
  ask,
}

function statusFrom(stat: fs.Stats): FileStatus {
  return { kind: kindOf(stat), size: stat.size, blockBytes: stat.blocks * 512, changedAt: stat.mtimeMs }
}

function kindOf(of: fs.Stats | fs.Dirent): FileKind {
  if (of.isFile()) return 'file'
  if (of.isDirectory()) return 'folder'
  return of.isSocket() ? 'socket' : 'other'
}

async function bootId(): Promise<Buffer | undefined> {
  try {
    const text = await readFile('/proc/sys/kernel/random/boot_id', 'latin1')
    const bytes = Buffer.from(text.replaceAll('-', '').trim(), 'hex')
    return bytes.length === 16 ? bytes : undefined
  } catch {
    // No such file: another kernel than Linux, or a sandbox. Then every end counts as one without power.
    return undefined
  }
}

function listen(path: string, line: () => string): Promise<Answering> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      // Who has asked and gone away is none of our business.
      socket.on('error', () => socket.destroy())
      socket.end(`${line()}\n`)
    })
    server.on('error', reject)
    server.listen(path, () => {
      server.unref()
      resolve({ close: () => new Promise((closed) => server.close(() => closed())) })
    })
  })
}

function ask(path: string, ms: number): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let text = ''
    const end = (asked: Asked): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(asked)
    }
    const timer = setTimeout(() => end('silent'), ms)
    socket.setEncoding('utf8')
    socket.on('data', (piece) => {
      text += piece
      if (text.includes('\n') || text.length > LONGEST_LINE) end({ line: text.split('\n', 1)[0]! })
    })
    socket.on('end', () => end(text === '' ? 'silent' : { line: text }))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') return end('refused')
      // Accepted, and broken off: somebody is there, or was until now.
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return end('silent')
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    })
  })
}

/** errno's name of what a call of the system threw; '' when it is something else. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** Whether the error says that there is no room on the disk. */
export function isNoSpace(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG'
}

/** Reads `length` bytes at `position`; fewer only at the end of the file. */
export async function readFully(env: Env, fd: number, length: number, position: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  return bytes.subarray(0, await readInto(env, fd, bytes, position))
}

/** Fills `into` from `position` on; says how much of it, which is less than all only at the end of the file. */
export async function readInto(env: Env, fd: number, into: Uint8Array, position: number): Promise<number> {
  let got = 0
  while (got < into.length) {
    const read = await env.read(fd, into, got, into.length - got, position + got)
    if (read === 0) break
    got += read
  }
  return got
}

/** Writes all of `bytes` at `position`. */
export async function writeFully(env: Env, fd: number, bytes: Uint8Array, position: number): Promise<void> {
  let put = 0
  while (put < bytes.length) {
    const written = await env.write(fd, bytes, put, bytes.length - put, position + put)
    if (written === 0) throw Object.assign(new Error('write: the disk took nothing'), { code: 'EIO' })
    put += written
  }
}

/** Makes the names in a folder as durable as they are. */
export async function syncFolder(env: Env, path: string): Promise<void> {
  const fd = await env.open(path, O_RDONLY | O_DIRECTORY)
  try {
    await env.sync(fd)
  } finally {
    await env.close(fd)
  }
}
