import {
  type Env,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  readFully,
  syncFolder,
  writeFully,
} from '../store/file/env.js'
import type { FileFeatures, Machine } from './machine.js'

/** What came of calls that a file store makes. */
export interface Trial {
  /** The first that failed. */
  readonly failed?: { readonly call: string; readonly error: unknown }
  /** How long the data of a small file took to the disk. */
  readonly syncMs: number
  readonly features: FileFeatures | undefined
}

const TRIAL_BYTES = 64 * 1024
const FILE_MODE = 0o600
/** Longer paths do not fit a socket's address. */
const LONGEST_PATH = 100
const ANSWER_MS = 1000

/** Makes the calls of a file store on files of its own in `folder`, whose names no store has, and removes them. */
export async function tryCalls(
  { files, now, featuresOf }: Pick<Machine, 'files' | 'now' | 'featuresOf'>,
  folder: string,
): Promise<Trial> {
  const name = `drey-doctor-${files.random(8).toString('hex')}`
  const path = `${folder}/${name}`
  const names = [path, `${path}.link`, `${path}.moved`, `${path}.sock`]
  let call = 'making a file'
  let syncMs = 0
  let features: FileFeatures | undefined
  try {
    const fd = await files.open(path, O_RDWR | O_CREAT | O_EXCL, FILE_MODE)
    try {
      const bytes = files.random(TRIAL_BYTES)
      call = 'writing'
      await writeFully(files, fd, bytes, 0)
      call = 'fdatasync'
      const began = now()
      await files.datasync(fd)
      syncMs = now() - began
      call = 'reading back'
      const back = await readFully(files, fd, TRIAL_BYTES, 0)
      if (!back.equals(bytes)) throw new Error('other bytes than were written')
    } finally {
      await files.close(fd)
    }
    features = featuresOf(path)
    call = 'making a link'
    await files.link(path, `${path}.link`)
    call = 'renaming'
    await files.rename(`${path}.link`, `${path}.moved`)
    call = 'syncing the folder'
    await syncFolder(files, folder)
    call = 'listening at a socket'
    await trySocket(files, folder, `${name}.sock`)
    return { syncMs, features }
  } catch (error) {
    return { failed: { call, error }, syncMs, features }
  } finally {
    for (const made of names) {
      // Most are not there: a link was renamed, a call before it failed.
      await files.unlink(made).catch(() => undefined)
    }
  }
}

async function trySocket(files: Env, folder: string, name: string): Promise<void> {
  const fd = await files.open(folder, O_RDONLY | O_DIRECTORY)
  try {
    const short = folder.length + name.length + 1 <= LONGEST_PATH ? folder : `/proc/self/fd/${fd}`
    const socket = `${short}/${name}`
    const listening = await files.listen(socket, () => name)
    try {
      const asked = await files.ask(socket, ANSWER_MS)
      if (typeof asked === 'string') throw new Error(`the socket is ${asked}`)
    } finally {
      await listening.close()
    }
  } finally {
    await files.close(fd)
  }
}
