import { ConfigError, CorruptError, FormatError } from '../../../errors.js'
import {
  codeOf,
  type Env,
  type FileKind,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  readFully,
  syncFolder,
  writeFully,
} from '../env.js'
import { openFailure } from '../failure.js'
import {
  DIRECTORY_BYTES,
  type DirectoryHeader,
  decodeDirectory,
  encodeDirectory,
} from '../format/directory.js'
import { DIRECTORY_FILE, isDirectoryDraft, LOCK_FOLDER, LOG_FOLDER, partitionOf } from '../format/names.js'
import { FORMAT_VERSION } from '../format/numbers.js'
import type { FileConfig } from '../options.js'

/**
 * Sees to a directory of drey's own at `config.dir`: finds out whether it is one, or makes it one, before anything in it is
 * locked, made or removed.
 *
 * @throws `ERR_DREY_CONFIG` for a place that is none for it, `ERR_DREY_FORMAT`, `ERR_DREY_CORRUPT`, `ERR_DREY_IO`, `ERR_DREY_NO_SPACE`
 */
export async function openDirectory(config: FileConfig, env: Env, now: number): Promise<DirectoryHeader> {
  const { dir } = config
  try {
    const entries = await listOrMake(env, dir)
    const file = entries.find(({ name }) => name === DIRECTORY_FILE)
    if (file === undefined) {
      const strange = entries.find(({ name }) => !isDirectoryDraft(name))
      if (strange !== undefined) {
        throw new ConfigError(
          `fileStore.dir: ${dir} has entries, such as ${JSON.stringify(strange.name)}, and is no directory of drey's; want one that is empty, or not there`,
        )
      }
    } else {
      assertKind(`${dir}/${file.name}`, file.kind, 'file')
    }
    const header = file === undefined ? await make(env, config, now) : await read(env, dir)
    assertFolders(dir, entries, header)
    for (const name of [LOCK_FOLDER, LOG_FOLDER]) {
      if (!entries.some((entry) => entry.name === name)) await makeFolder(env, `${dir}/${name}`)
    }
    return header
  } catch (error) {
    throw openFailure(error, dir, 'opening the directory')
  }
}

/**
 * What the directory at `dir` is, which must be one of drey's. Changes nothing.
 *
 * @throws as `openDirectory`
 */
export async function readDirectory(dir: string, env: Env): Promise<DirectoryHeader> {
  try {
    const entries = await env.list(dir)
    const file = entries.find(({ name }) => name === DIRECTORY_FILE)
    if (file === undefined) {
      throw new ConfigError(
        `fileStore.dir: ${dir} is no directory of drey's: there is no file ${DIRECTORY_FILE} in it`,
      )
    }
    assertKind(`${dir}/${file.name}`, file.kind, 'file')
    const header = await read(env, dir)
    assertFolders(dir, entries, header)
    return header
  } catch (error) {
    throw openFailure(error, dir, 'opening the directory')
  }
}

function assertFolders(
  dir: string,
  entries: ReadonlyArray<{ readonly name: string; readonly kind: FileKind }>,
  { partitions }: DirectoryHeader,
): void {
  for (const { name, kind } of entries) {
    const folder = name === LOCK_FOLDER || name === LOG_FOLDER || partitionOf(name, partitions) !== undefined
    if (folder) assertKind(`${dir}/${name}`, kind, 'folder')
  }
}

/** @throws `ERR_DREY_CONFIG` when there is something else in the place of a file or folder. */
export function assertKind(path: string, kind: FileKind, wanted: FileKind): void {
  if (kind === wanted) return
  throw new ConfigError(
    `fileStore.dir: ${path} is ${kind === 'other' ? 'a link or a device' : `a ${kind}`}, where drey has a ${wanted}; it was left as it is: remove it, or use another directory`,
  )
}

async function listOrMake(env: Env, dir: string): ReturnType<Env['list']> {
  try {
    return await env.list(dir)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
  await makeFolder(env, dir)
  return env.list(dir)
}

export async function makeFolder(env: Env, path: string): Promise<void> {
  try {
    await env.makeFolder(path)
  } catch (error) {
    // Another process was at it, too.
    if (codeOf(error) !== 'EEXIST') throw error
    assertKind(path, (await env.status(path)).kind, 'folder')
  }
}

async function read(env: Env, dir: string): Promise<DirectoryHeader> {
  const path = `${dir}/${DIRECTORY_FILE}`
  const fd = await env.open(path, O_RDONLY | O_NOFOLLOW)
  try {
    const header = decodeDirectory(await readFully(env, fd, DIRECTORY_BYTES, 0))
    if (typeof header === 'number') {
      throw new FormatError(
        `${dir} has format version ${header}; this version of drey reads up to ${FORMAT_VERSION}: use a newer one, or another directory`,
      )
    }
    if (header !== undefined) return header
    throw new CorruptError(
      `${path} is not what drey wrote there, or is none of drey's; use another directory, or empty this one: what is in it cannot be read`,
    )
  } finally {
    await env.close(fd)
  }
}

/** Writes the header under a name of its own, and links it to its place: there is a whole one, or none. */
async function make(
  env: Env,
  { dir, partitions, durability }: FileConfig,
  now: number,
): Promise<DirectoryHeader> {
  const header: DirectoryHeader = {
    storeId: env.random(16),
    secret: env.random(16),
    partitions,
    madeAt: Math.max(0, Math.floor(now)),
  }
  const draft = `${dir}/${DIRECTORY_FILE}.${env.random(8).toString('hex')}`
  const fd = await env.open(draft, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
  try {
    try {
      await writeFully(env, fd, encodeDirectory(header), 0)
      await env.sync(fd)
    } finally {
      await env.close(fd)
    }
    await env.link(draft, `${dir}/${DIRECTORY_FILE}`)
  } catch (error) {
    await env.unlink(draft).catch(() => undefined)
    if (codeOf(error) !== 'EEXIST') throw error
    return read(env, dir)
  }
  await env.unlink(draft)
  if (durability === 'power') await syncFolder(env, dir)
  return header
}
