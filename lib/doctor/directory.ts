import { constants } from 'node:os'
import { dirname, resolve } from 'node:path'
import { showSize } from '../config/units.js'
import { messageOf } from '../errors.js'
import { codeOf, type Env } from '../store/file/env.js'
import { bad, type Check, ok, warning } from './check.js'
import { fileSystemKind } from './file-systems.js'
import type { FileSystem, Machine } from './machine.js'
import { tryCalls } from './trial.js'

/** What a store keeps free of the file system unless told otherwise. */
const MIN_FREE = 0.05
/** What the file store counts space in. */
const COUNTED_IN = 4096
/** Below that a store of any use has no room. */
const LITTLE_SPACE = 64 * 2 ** 20

/**
 * What a file store would find in `dir`, which is made by its open when its parent is there. Writes a few small files and removes
 * them; what is the store's own is only counted.
 *
 * @param bound `maxBytes` of the store
 */
export async function directoryChecks(machine: Machine, dir: string, bound?: number): Promise<Check[]> {
  const path = resolve(dir)
  const place = await placeOf(machine.files, path)
  if (typeof place !== 'string') return [place]
  const there = place === path
  const checks = [
    ok('directory', there ? path : `${path} is not there, and would be made; looked at ${place} instead`),
  ]
  let fileSystem: FileSystem
  try {
    fileSystem = await machine.fileSystem(place)
  } catch (error) {
    return [...checks, bad('file system', messageOf(error), `let this process look at ${place}`)]
  }
  checks.push(
    kindCheck(machine, fileSystem),
    await spaceCheck(machine, fileSystem, there ? path : undefined, bound),
  )
  return [...checks, ...(await callChecks(machine, place))]
}

/** The folder to look at: the directory, or its parent; what to say when there is neither. */
async function placeOf(files: Env, path: string): Promise<string | Check> {
  for (const place of [path, dirname(path)]) {
    try {
      // Of a path with a slash behind it the link is followed, as by an open.
      const { kind } = await files.status(`${place}/`)
      if (kind === 'folder') return place
      return bad('directory', `${place} is no folder`, 'name another directory')
    } catch (error) {
      const code = codeOf(error)
      if (code === 'ENOTDIR') return bad('directory', `${place} is no folder`, 'name another directory')
      if (code !== 'ENOENT') return bad('directory', messageOf(error), `let this process look at ${place}`)
    }
  }
  return bad('directory', `neither ${path} nor its parent is there`, `make it: mkdir -p ${path}`)
}

function kindCheck({ platform }: Machine, { type, blockBytes }: FileSystem): Check {
  const { name, caution } = fileSystemKind(platform, type)
  const says = `${name}, blocks of ${showSize(blockBytes)}`
  if (caution !== undefined) return warning('file system', `${says}; ${caution.says}`, caution.advice)
  if (blockBytes <= COUNTED_IN) return ok('file system', says)
  return warning(
    'file system',
    `${says}: a file may take up to ${showSize(blockBytes - COUNTED_IN)} more than the store counts`,
    'leave that much room beside the bound for each large value, or use blocks of 4 KiB',
  )
}

async function spaceCheck(
  { files }: Machine,
  { total, free }: FileSystem,
  dir: string | undefined,
  bound: number | undefined,
): Promise<Check> {
  const own = dir === undefined ? 0 : await occupied(files, dir).catch(() => undefined)
  const there = `${showSize(free)} of ${showSize(total)} free`
  if (own === undefined) {
    return warning('space', `${there}; what the directory takes cannot be read`, 'let this process read it')
  }
  const room = Math.max(0, free + own - total * MIN_FREE)
  const says = `${there}${own > 0 ? `, ${showSize(own)} are the directory's` : ''}; a store may have ${showSize(room)}, with ${100 * MIN_FREE} % kept free`
  if (bound !== undefined && bound > room) {
    return bad(
      'space',
      `${says}, which is less than the bound of ${showSize(bound)}`,
      'lower maxBytes, make room, or lower minFree: writes would be refused before the bound is met',
    )
  }
  if (room < LITTLE_SPACE) {
    return warning('space', says, 'make room, or lower minFree: what is written there is refused')
  }
  return ok('space', says)
}

/** What the directory takes on the disk, in blocks. */
async function occupied(files: Env, dir: string): Promise<number> {
  let bytes = 0
  for (const { name, kind } of await files.list(dir)) {
    const path = `${dir}/${name}`
    try {
      bytes += kind === 'folder' ? await occupied(files, path) : (await files.status(path)).blockBytes
    } catch (error) {
      // It has gone since it was listed: its owner works on.
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
  return bytes
}

async function callChecks(machine: Machine, place: string): Promise<Check[]> {
  const { files, now } = machine
  const trial = await tryCalls({ files, now, featuresOf: machine.featuresOf }, place)
  if (trial.failed !== undefined) {
    const { call, error } = trial.failed
    return [bad('calls', `${call} in ${place} failed: ${messageOf(error)}`, adviceFor(call, codeOf(error)))]
  }
  const says = `writing, linking, renaming, a socket for the lock; fdatasync took ${trial.syncMs.toFixed(1)} ms`
  return [ok('calls', says), ...featureChecks(trial.features)]
}

function adviceFor(call: string, code: string): string {
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return `let the user that runs drey write there${code === 'EROFS' ? ', and mount it for writing' : ''}`
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'make room, or raise the quota'
  if (call === 'reading back') return 'do not trust this disk: what was written did not come back'
  return 'use another file system, such as ext4, xfs, btrfs or zfs'
}

function featureChecks(
  features: { readonly cachedReads: number; readonly allocation: number } | undefined,
): Check[] {
  if (features === undefined) return [ok('cached reads', 'not looked at: only the addon makes them')]
  const { cachedReads, allocation } = features
  return [
    cachedReads === 0
      ? ok('cached reads', 'preadv2 with RWF_NOWAIT works: what is in the page cache is read at once')
      : warning(
          'cached reads',
          `preadv2 with RWF_NOWAIT does not work (${errnoName(cachedReads)}): each read of the disk takes a thread`,
          'use Linux 4.14 or newer with ext4, xfs or btrfs, and let a filter of system calls allow preadv2',
        ),
    allocation === 0
      ? ok('allocation', 'fallocate works: the log reserves its blocks')
      : warning(
          'allocation',
          `fallocate does not work (${errnoName(allocation)}): that the disk is full shows when it is written`,
          'use ext4, xfs, btrfs or tmpfs, or keep more free than minFree',
        ),
  ]
}

function errnoName(errno: number): string {
  const found = Object.entries(constants.errno).find(([, number]) => number === errno)
  return found?.[0] ?? `errno ${errno}`
}
